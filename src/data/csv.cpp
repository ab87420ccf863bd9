#include "data/csv.h"

#include <utf8proc.h>

#include "base/error.h"
#include "base/interrupt.h"

namespace sdft {
namespace {

class CsvParser {
 public:
  CsvParser(std::string_view text, const std::string& where, char delimiter)
      : text_(text), where_(where), delimiter_(delimiter) {
    if (text_.substr(0, 3) == "\xef\xbb\xbf") at_ = 3;
  }

  bool done() const { return at_ >= text_.size(); }

  CsvRow row() {
    CsvRow row{line_, {}};
    size_t begin = at_;
    do {
      if ((row.cells.size() & 0xfff) == 0xfff) stop_if_interrupted();
      row.cells.push_back(cell());
    } while (take(delimiter_));
    check_utf8(text_.substr(begin, at_ - begin), row.line);
    take_line_break();
    return row;
  }

 private:
  std::string at_line(size_t line) const { return where_ + ":" + std::to_string(line); }

  bool take(char c) {
    if (done() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  bool at_break() const { return done() || text_[at_] == '\n' || text_[at_] == '\r'; }

  void take_line_break() {
    bool broken = take('\r');
    if (take('\n') || broken) ++line_;
  }

  std::string cell() {
    if (take('"')) return quoted();
    size_t begin = at_;
    while (!at_break() && text_[at_] != delimiter_) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  // The rest of a cell whose opening quote has been taken.
  std::string quoted() {
    const size_t opened = line_;
    std::string value;
    for (;;) {
      if (done())
        fail_input(at_line(opened), "a quoted cell begins here and is never closed", "add the missing \"");
      char c = text_[at_++];
      if (c == '"' && !take('"')) break;
      if (c == '\n') ++line_;
      if ((at_ & 0xfffff) == 0) stop_if_interrupted();
      value += c;
    }
    if (!at_break() && text_[at_] != delimiter_)
      fail_input(at_line(line_), "text follows a closing quote",
                 "a quote inside a quoted cell is written twice: \"\"");
    return value;
  }

  void check_utf8(std::string_view bytes, size_t line) const {
    for (size_t i = 0; i < bytes.size();) {
      if (static_cast<unsigned char>(bytes[i]) < 0x80) {
        line += bytes[i++] == '\n';
        continue;
      }
      utf8proc_int32_t code;
      auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(bytes.data() + i),
                                     static_cast<utf8proc_ssize_t>(bytes.size() - i), &code);
      if (length < 0)
        fail_input(at_line(line), "is not valid UTF-8", "convert the file: iconv -f latin1 -t utf-8");
      i += static_cast<size_t>(length);
    }
  }

  std::string_view text_;
  std::string where_;
  char delimiter_;
  size_t at_ = 0;
  size_t line_ = 1;
};

}  // namespace

void for_each_csv_row(std::string_view text, const std::string& where,
                      const std::function<bool(CsvRow&& row)>& use, char delimiter) {
  CsvParser parser(text, where, delimiter);
  while (!parser.done()) {
    stop_if_interrupted();
    CsvRow row = parser.row();
    bool blank = row.cells.size() == 1 && row.cells[0].empty();
    if (!blank && !use(std::move(row))) return;
  }
}

}  // namespace sdft
