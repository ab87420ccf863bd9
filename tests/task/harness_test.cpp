// What lm-evaluation-harness made of the same documents (tools/harness-fixtures): the same contexts and
// continuations, and the same metrics of the same log-likelihoods and answers.
#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "base/file.h"
#include "task/items.h"
#include "testing.h"

namespace sdft {
namespace {
namespace fs = std::filesystem;

const fs::path kHere = fs::path(SDFT_SOURCE_DIR) / "tests" / "task";

TaskPlaces places() { return {{kHere / "tasks", fs::path(SDFT_SOURCE_DIR) / "assets" / "tasks"}}; }

std::string sum(const std::string& text) { return sha256(text).substr(0, 16); }

// The texts of a question, as the harness passes them to a model.
std::vector<std::string> sums_of(const Task& task, const Question& question) {
  std::vector<std::string> sums;
  if (task.output != OutputType::kLogLikelihoodRolling) sums.push_back(sum(plain_text(question.messages)));
  if (task.output != OutputType::kGenerateUntil) sums.push_back(sum(question.continuation));
  return sums;
}

class Harness : public ::testing::TestWithParam<size_t> {
 public:
  static const Json& runs() {
    static const Json kRuns = read_json(kHere / "harness-mini.json");
    return kRuns;
  }
};

TEST_P(Harness, SameQuestionsSameMetrics) {
  const Json& run = runs()[GetParam()];
  const std::string name = run["task"];
  std::vector<Task> tasks;
  try {
    tasks = find_tasks(name, places());
  } catch (const Error& error) {
    if (name != "truthfulqa_mc1" && name != "truthfulqa_mc2" && name != "race") throw;
    GTEST_SKIP() << "its file is the harness's own: " << error.what();
  }
  ASSERT_EQ(tasks.size(), 1u);
  const Task& task = tasks[0];
  const int64_t shots = run["num_fewshot"].is_null() ? -1 : run["num_fewshot"].get<int64_t>();
  const std::vector<EvalItem> items = task_items(task, {kHere / "data", 0, shots});
  ASSERT_EQ(items.size(), run["items"].size());
  std::map<std::string, std::vector<MetricValue>> all;
  for (size_t i = 0; i < items.size(); ++i) {
    SCOPED_TRACE(items[i].id);
    const Json& wanted = run["items"][i];
    std::vector<std::vector<std::string>> sums;
    for (const Question& question : items[i].questions) sums.push_back(sums_of(task, question));
    EXPECT_EQ(Json(sums), wanted["requests"]);
    const ItemResult result = result_of(task, items[i], wanted.value("answers", std::vector<std::string>{}),
                                        wanted.value("log_likelihoods", std::vector<double>{}),
                                        wanted.value("greedy", std::vector<bool>{}));
    for (const auto& [metric, value] : result.values) {
      all[metric].push_back(value);
      if (wanted["metrics"].contains(metric) && wanted["metrics"][metric].is_number()) {
        EXPECT_NEAR(value.value, wanted["metrics"][metric].get<double>(), 1e-5) << metric;
      }
    }
  }
  for (const auto& [total, value] : run["totals"].items()) {
    const std::string metric = total.substr(0, total.find(",none"));
    if (total.find("_stderr") != std::string::npos || !all.count(metric)) continue;
    for (const Metric& of : task.metrics)
      if (metric.substr(0, metric.find(',')) == of.name) {
        EXPECT_NEAR(aggregate(of.aggregation, all[metric]), value.get<double>(),
                    1e-5 * std::max(1.0, value.get<double>()))
            << metric;
      }
  }
}
INSTANTIATE_TEST_SUITE_P(Runs, Harness, ::testing::Range(size_t{0}, Harness::runs().size()),
                         [](const auto& one) {
                           const Json& run = Harness::runs()[one.param];
                           const std::string shots =
                               run["num_fewshot"].is_null() ? "" : "With" + run["num_fewshot"].dump();
                           return run["task"].get<std::string>() + shots;
                         });

}  // namespace
}  // namespace sdft
