// Not a test of its own: judges answers that tools/compare-bfcl and tools/compare-checks have judged by other
// programs, too. SDFT_JUDGE_ITEMS: a JSONL file of records with "check", "id", "text" and "reference" or the
// check's fields; the results go to SDFT_JUDGE_RESULTS, a line a record.
#include <fstream>

#include "base/error.h"
#include "check/check.h"
#include "check/instructions.h"
#include "testing.h"

namespace sdft {
namespace {

Json judged(const Json& record) {
  Example example;
  example.id = record.value("id", "");
  example.response = record.value("reference", "");
  example.fields = record;
  const std::string text = record["text"];
  const ChosenCheck check = parse_check(record["check"], kTaskCheck);
  const CheckItem item = check_item(example, text);
  if (const std::string lacks = check.missing(item); !lacks.empty())
    return {{"id", example.id}, {"missing", lacks}};
  Json result = to_json(judge(check, {item}).at(0));
  if (std::string(check.check->name) == "instructions")
    result["followed"] = instructions_followed(record, text, check.argument.text == "loose");
  return result;
}

TEST(JudgeFile, OfTheEnvironment) {
  const char* items = std::getenv("SDFT_JUDGE_ITEMS");
  const char* results = std::getenv("SDFT_JUDGE_RESULTS");
  if (!items || !results) GTEST_SKIP() << "SDFT_JUDGE_ITEMS and SDFT_JUDGE_RESULTS name no files";
  std::ifstream in(items);
  std::ofstream out(results);
  ASSERT_TRUE(in && out);
  for (std::string line; std::getline(in, line);) out << to_line(judged(parse_json(line, items))) << "\n";
}

}  // namespace
}  // namespace sdft
