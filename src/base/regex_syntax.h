// Oniguruma's Ruby syntax written as PCRE2's.
#pragma once

#include <string>

namespace sdft {

// What PCRE2 (UTF, UCP, MULTILINE, newline LF) understands and matches alike. Throws Error(kInput) naming
// `where` on what cannot be expressed.
std::string pcre_syntax(const std::string& pattern, const std::string& where);

}  // namespace sdft
