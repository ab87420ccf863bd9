#pragma once

#include <string>

namespace sdft::report {

// What pages do besides showing, where a browser runs scripts: <button class="copy"> copies the texts of its
// article, or of the element whose id is in data-of; <form class="filter"> shows those articles whose
// data-tags have all that is chosen in its lists, and that contain what its field says. Without it all is
// shown and these controls are not.
std::string page_script();         // the element
std::string page_script_policy();  // its hash for the content policy, so that no other runs: "'sha256-…'"

}  // namespace sdft::report
