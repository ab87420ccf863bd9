#include "data/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cstdlib>

#include "base/error.h"

namespace sdft {

namespace {
constexpr size_t kMostValues = 100000, kDeepest = 100;

struct Reader {
  std::string where;
  size_t values = 0;

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& what) const {
    fail_input(mark.is_null() ? where : where + ":" + std::to_string(mark.line + 1), what);
  }

  Json scalar(const YAML::Node& node) const {
    const std::string& text = node.Scalar();
    if (node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") return text;  // it was quoted
    std::string low = text;
    std::transform(low.begin(), low.end(), low.begin(), [](unsigned char c) { return std::tolower(c); });
    for (const char* yes : {"true", "yes", "on"})
      if (low == yes) return true;
    for (const char* no : {"false", "no", "off"})
      if (low == no) return false;
    if (text.find_first_not_of("+-0123456789.eE") != std::string::npos) return text;
    const char* const end = text.c_str() + text.size();
    char* behind = nullptr;
    errno = 0;
    const long long whole = std::strtoll(text.c_str(), &behind, 10);
    if (behind == end && errno == 0 && !text.empty()) return static_cast<int64_t>(whole);
    if (text.find('.') == std::string::npos) return text;  // 1e5 is a text
    const double real = std::strtod(text.c_str(), &behind);
    if (behind == end && !text.empty() && std::isfinite(real)) return real;
    return text;
  }

  Json read(const YAML::Node& node, size_t depth) {
    if (++values > kMostValues) fail(node.Mark(), "has more than " + std::to_string(kMostValues) + " values");
    if (depth > kDeepest) fail(node.Mark(), "is nested too deep");
    const std::string& tag = node.Tag();
    if (tag == kFunctionTag) return Json{{kFunctionTag, node.IsScalar() ? node.Scalar() : ""}};
    if (!tag.empty() && tag != "?" && tag != "!" && tag.rfind("tag:yaml.org,2002:", 0) != 0)
      fail(node.Mark(), "has the tag " + tag + ", which is not known here");
    if (!node.IsDefined() || node.IsNull()) return nullptr;
    if (node.IsScalar()) return scalar(node);
    Json json = node.IsMap() ? Json::object() : Json::array();
    for (const auto& item : node) {
      if (!node.IsMap()) {
        json.push_back(read(item, depth + 1));
        continue;
      }
      if (!item.first.IsScalar()) fail(item.first.Mark(), "has a key that is no text");
      const std::string& key = item.first.Scalar();
      if (json.contains(key)) fail(item.first.Mark(), "has '" + key + "' twice");
      json[key] = read(item.second, depth + 1);
    }
    return json;
  }
};
}  // namespace

Json parse_yaml_as_json(const std::string& text, const std::string& where) {
  Reader reader{where};
  try {
    return reader.read(YAML::Load(text), 0);
  } catch (const YAML::Exception& e) {
    reader.fail(e.mark, e.msg);
  }
}

}  // namespace sdft
