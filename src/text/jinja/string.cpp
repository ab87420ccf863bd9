#include "text/jinja/string.h"

#include <utf8proc.h>

#include <cstdio>
#include <set>

#include "base/find.h"
#include "base/utf8.h"
#include "text/unicode/characters.h"

namespace sdft::jinja {

char32_t next_char(std::string_view text, size_t* at) {
  auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  unsigned first = byte(*at);
  size_t length = first < 0x80                    ? 1
                  : first >= 0xf0 && first < 0xf8 ? 4
                  : first >= 0xe0                 ? 3
                  : first >= 0xc2                 ? 2
                                                  : 1;
  if (first >= 0xf8) length = 1;
  char32_t c = length == 1 ? first : first & (0xffu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    if ((byte(*at + i) & 0xc0) != 0x80) {
      ++*at;
      return first;
    }
    c = c << 6 | (byte(*at + i) & 0x3f);
  }
  *at += length;
  return c;
}

size_t char_count(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) next_char(text, &at);
  return count;
}

size_t char_place(std::string_view text, size_t index, size_t from) {
  for (; index > 0 && from < text.size(); --index) next_char(text, &from);
  return from;
}

bool is_digit(char32_t c) {
  return is_decimal(c) || c == 0xb2 || c == 0xb3 || c == 0xb9 || c == 0x2070 ||
         (c >= 0x2074 && c <= 0x2079) || (c >= 0x2080 && c <= 0x2089) || (c >= 0x2460 && c <= 0x2468);
}

namespace {

// The place of the last character of text[0, end).
size_t last_char(std::string_view text, size_t end) {
  size_t last = end - 1;
  while (last > 0 && end - last < 4 && (text[last] & 0xc0) == 0x80) --last;
  size_t behind = last;
  next_char(text.substr(0, end), &behind);
  return behind == end ? last : end - 1;  // no UTF-8: a byte
}

}  // namespace

std::string_view last_character(std::string_view text) { return text.substr(last_char(text, text.size())); }

std::string reversed(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (size_t end = text.size(); end > 0;) {
    const size_t begin = last_char(text, end);
    result.append(text.substr(begin, end - begin));
    end = begin;
  }
  return result;
}

std::string printable(std::string_view text) {
  constexpr size_t kMost = 600;
  std::string result;
  for (size_t at = 0; at < text.size();) {
    if (result.size() > kMost) return result + "...";
    const size_t begin = at;
    const char32_t c = next_char(text, &at);
    const bool no_utf8 = at - begin == 1 && c >= 0x80;
    if (c < 0x20 || no_utf8 || (c >= 0x7f && c < 0xa0)) {
      char code[8];
      std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned>(c & 0xff));
      result += c == '\n' ? "\\n" : code;
    } else {
      result.append(text.substr(begin, at - begin));
    }
  }
  return result;
}

std::string_view strip(std::string_view text, int sides, const std::string* chars) {
  std::set<std::string_view> set;
  for (size_t begin = 0, at = 0; chars != nullptr && at < chars->size(); begin = at) {
    next_char(*chars, &at);
    set.insert(std::string_view(*chars).substr(begin, at - begin));
  }
  auto goes = [&](std::string_view character) {
    size_t at = 0;
    if (chars == nullptr) return is_space(next_char(character, &at));
    return set.count(character) > 0;
  };
  while ((sides & 1) && !text.empty()) {
    size_t at = 0;
    next_char(text, &at);
    if (!goes(text.substr(0, at))) break;
    text.remove_prefix(at);
  }
  while ((sides & 2) && !text.empty()) {
    size_t last = last_char(text, text.size());
    if (!goes(text.substr(last))) break;
    text.remove_suffix(text.size() - last);
  }
  return text;
}

namespace {

void split_space(std::string_view text, int64_t limit, const UsePart& use) {
  int64_t done = 0;
  for (text = strip(text, 1); !text.empty(); text = strip(text, 1)) {
    if (limit >= 0 && done++ == limit) return use(text);  // the rest keeps its trailing white space
    size_t end = 0;
    for (size_t next = 0; end < text.size(); end = next) {
      if (is_space(next_char(text, &next))) break;
    }
    use(text.substr(0, end));
    text.remove_prefix(end);
  }
}

void rsplit_space(std::string_view text, int64_t limit, const UsePart& use) {
  int64_t done = 0;
  for (text = strip(text, 2); !text.empty(); text = strip(text, 2)) {
    if (limit >= 0 && done++ == limit) return use(text);  // the rest keeps its leading white space
    size_t begin = text.size();
    while (begin > 0) {
      const size_t before = last_char(text, begin);
      size_t at = before;
      if (is_space(next_char(text, &at))) break;
      begin = before;
    }
    use(text.substr(begin));
    text.remove_suffix(text.size() - begin);
  }
}

}  // namespace

void split(std::string_view text, const std::string* separator, int64_t limit, const UsePart& use) {
  if (separator == nullptr) return split_space(text, limit, use);
  size_t at = 0;
  for (int64_t done = 0; limit < 0 || done < limit; ++done) {
    const size_t found = find_text(text, *separator, at);
    if (found == std::string_view::npos) break;
    use(text.substr(at, found - at));
    at = found + separator->size();
  }
  use(text.substr(at));
}

void rsplit(std::string_view text, const std::string* separator, int64_t limit, const UsePart& use) {
  if (separator == nullptr) return rsplit_space(text, limit, use);
  const std::string back(text.rbegin(), text.rend()), by(separator->rbegin(), separator->rend());
  split(back, &by, limit, [&](std::string_view part) {
    const size_t end = text.size() - static_cast<size_t>(part.data() - back.data());
    use(text.substr(end - part.size(), part.size()));
  });
}

void split_lines(std::string_view text, bool keep_ends, const UsePart& use) {
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    size_t end = at;
    char32_t c = next_char(text, &at);
    bool ends = (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!ends) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    use(text.substr(begin, (keep_ends ? at : end) - begin));
    begin = at;
  }
  if (begin < text.size()) use(text.substr(begin));
}

int64_t count_text(std::string_view text, std::string_view wanted) {
  if (wanted.empty()) return static_cast<int64_t>(char_count(text)) + 1;
  int64_t count = 0;
  for (size_t at = find_text(text, wanted); at != std::string_view::npos;
       at = find_text(text, wanted, at + wanted.size()))
    ++count;
  return count;
}

std::string replace_text(std::string_view text, std::string_view from, std::string_view to, int64_t limit) {
  std::string result;
  size_t at = 0;  // what is before it has been written
  for (int64_t done = 0; limit < 0 || done < limit; ++done) {
    // Nothing is found before each character and at the end.
    const size_t begin = from.empty() && done > 0 ? char_place(text, 1, at) : at;
    if (from.empty() && done > 0 && at == text.size()) break;
    const size_t found = find_text(text, from, begin);
    if (found == std::string_view::npos) break;
    result.append(text.substr(at, found - at)).append(to);
    at = found + from.size();
  }
  return result.append(text.substr(at));
}

namespace {

// What becomes several characters in capitals. Unicode has some more, of ancient and medieval scripts.
struct LongUpper {
  char32_t from;
  const char *upper, *title;
};
constexpr LongUpper kLongUpper[] = {
    {0xdf, "SS", "Ss"},     {0x149, "ʼN", "ʼN"},  {0x1f0, "J̌", "J̌"},    {0x587, "ԵՒ", "Եւ"},
    {0x1e96, "H̱", "H̱"},     {0x1e97, "T̈", "T̈"},   {0x1e98, "W̊", "W̊"},   {0x1e99, "Y̊", "Y̊"},
    {0xfb00, "FF", "Ff"},   {0xfb01, "FI", "Fi"}, {0xfb02, "FL", "Fl"}, {0xfb03, "FFI", "Ffi"},
    {0xfb04, "FFL", "Ffl"}, {0xfb05, "ST", "St"}, {0xfb06, "ST", "St"},
};

void append_upper(std::string* result, char32_t c, bool as_title) {
  for (const LongUpper& entry : kLongUpper) {
    if (entry.from == c) {
      result->append(as_title ? entry.title : entry.upper);
      return;
    }
  }
  auto code = static_cast<utf8proc_int32_t>(c);
  utf8_append(*result, static_cast<char32_t>(as_title ? utf8proc_totitle(code) : utf8proc_toupper(code)));
}

// Greek sigma is written differently at the end of a word.
bool sigma_is_final(std::string_view text, size_t at) {
  auto ignorable = [](char32_t c) {
    auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return c == '\'' || c == '.' || c == ':' || c == 0xb7 || c == 0x2019 ||
           category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_CF;
  };
  bool letter_before = false;
  for (size_t end = at; end > 0;) {
    end = last_char(text, end);
    size_t p = end;
    char32_t c = next_char(text, &p);
    letter_before = is_cased(c);
    if (!ignorable(c)) break;
    letter_before = false;
  }
  size_t p = at;
  next_char(text, &p);
  while (letter_before && p < text.size()) {
    char32_t c = next_char(text, &p);
    if (!ignorable(c)) return !is_cased(c);
  }
  return letter_before;
}

void append_lower(std::string* result, std::string_view text, size_t at, char32_t c) {
  if (c == 0x3a3) {
    utf8_append(*result, sigma_is_final(text, at) ? 0x3c2 : 0x3c3);
  } else if (c == 0x130) {
    result->append("i\u0307");
  } else {
    utf8_append(*result, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

// Calls change(result, place, character) for each character.
template <typename Change>
std::string changed(std::string_view text, Change change) {
  std::string result;
  result.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    size_t begin = at;
    char32_t c = next_char(text, &at);
    if (at - begin == 1 && c >= 0x80) {
      result += text[begin];  // no UTF-8: left alone
    } else {
      change(&result, begin, c);
    }
  }
  return result;
}

}  // namespace

std::string upper(std::string_view text) {
  return changed(text, [](std::string* result, size_t, char32_t c) { append_upper(result, c, false); });
}

std::string lower(std::string_view text) {
  return changed(text,
                 [&](std::string* result, size_t at, char32_t c) { append_lower(result, text, at, c); });
}

std::string title(std::string_view text) {
  bool in_word = false;
  return changed(text, [&](std::string* result, size_t at, char32_t c) {
    if (in_word) {
      append_lower(result, text, at, c);
    } else {
      append_upper(result, c, true);
    }
    in_word = is_cased(c);
  });
}

std::string capitalize(std::string_view text) {
  return changed(text, [&](std::string* result, size_t at, char32_t c) {
    if (at > 0) {
      append_lower(result, text, at, c);
    } else {
      append_upper(result, c, true);
    }
  });
}

std::string casefold(std::string_view text) {
  return changed(text, [](std::string* result, size_t, char32_t c) {
    utf8proc_int32_t folded[8];
    int boundary = 0;
    auto count =
        utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded, 8, UTF8PROC_CASEFOLD, &boundary);
    for (int i = 0; i < count; ++i) utf8_append(*result, static_cast<char32_t>(folded[i]));
  });
}

std::string swap_case(std::string_view text) {
  return changed(text, [&](std::string* result, size_t at, char32_t c) {
    auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    if (category == UTF8PROC_CATEGORY_LU) {
      append_lower(result, text, at, c);
    } else if (category == UTF8PROC_CATEGORY_LT) {
      utf8_append(*result, c);
    } else {
      append_upper(result, c, false);
    }
  });
}

std::string escape_html(std::string_view text) {
  std::string result;
  for (char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '\'':
        result += "&#39;";
        break;
      case '"':
        result += "&#34;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace sdft::jinja
