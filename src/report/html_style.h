// The style sheet of report.html.
#pragma once

namespace sdft::report {

extern const char* const kStyle;

}  // namespace sdft::report
