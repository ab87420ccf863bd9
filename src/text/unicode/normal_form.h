// Unicode's normal forms, as the tokenizers' own libraries compute them.
#pragma once

#include <string>
#include <string_view>

namespace sdft {

enum class NormalForm { kNfc, kNfd, kNfkc, kNfkd };
std::string unicode_normalize(std::string_view text, NormalForm form);

}  // namespace sdft
