// What was measured while variants trained, in words and figures; target against retained.
#include "report/watch.h"

#include <gmock/gmock.h>

#include <cmath>
#include <regex>

#include "report/format.h"
#include "report/tradeoff.h"
#include "report/verdict.h"
#include "sample.h"

namespace sdft::report {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Watch, TheKeptMeasurementCounts) {
  const Document document = make_watched_document();
  EXPECT_EQ(kept_kl(*find_watch(document, "vanilla"), "retained"), 0.0325);
  EXPECT_EQ(kept_kl(*find_watch(document, "sdft"), "task"), 0.2) << "not the one that had the fault";
  EXPECT_TRUE(std::isnan(kept_kl(*find_watch(document, "sdft"), "retained")));
  EXPECT_EQ(find_watch(document, "seed"), nullptr);
  EXPECT_THAT(prompts_of(document.watches), ElementsAre("task", "retained"));
  Watch none = document.watches[0];
  none.kept_step = 0;
  EXPECT_TRUE(std::isnan(kept_kl(none, "task")));
}

TEST(Watch, AFaultIsSaidOnTop) {
  const Document document = make_watched_document();
  const std::string sentence =
      "The training of “sdft” ended early, after step 30: 80 % of its words are repeated. It has the "
      "parameters of step 20, the measurement before.";
  EXPECT_THAT(faults_in_words(document.watches), ElementsAre(sentence));
  EXPECT_THAT(find_warnings(document), Contains(sentence));
  EXPECT_THAT(find_warnings(make_document()), Not(Contains(HasSubstr("ended early"))));
}

TEST(Watch, AllReportsTellIt) {
  const Document document = make_watched_document();
  for (const std::string& text :
       {to_html(document), to_markdown(document), to_terminal(document, {false, 200})})
    EXPECT_THAT(
        std::regex_replace(plain_spaces(text), std::regex("\\\\"), ""),
        AllOf(HasSubstr("0.0325"), HasSubstr("0.3000"), HasSubstr("0.2000"), HasSubstr("sft, kl_to_seed"),
              HasSubstr("reverse: KL(student ||"), HasSubstr("forward: KL(teacher ||")));
  EXPECT_THAT(to_markdown(document), HasSubstr("anchor\\_weight 0.1, 12,300 tokens learned"));
  for (const std::string& text :
       {to_html(make_document()), to_markdown(make_document()), to_terminal(make_document())})
    EXPECT_THAT(text, AllOf(Not(HasSubstr("KL")), Not(HasSubstr("How each variant learned")),
                            Not(HasSubstr("Target against retained"))));
}

TEST(Watch, FiguresHaveALineAVariant) {
  const std::string html = to_html(make_watched_document());
  const std::string section = html.substr(html.find("<h2>Distance from the seed"));
  const std::string figures = section.substr(0, section.find("</section>"));
  EXPECT_EQ(count_of(figures, "<title>vanilla, task</title>"), 1u);
  EXPECT_EQ(count_of(figures, "<title>vanilla, retained</title>"), 1u);
  EXPECT_EQ(count_of(figures, "<title>sdft, task</title>"), 3u)
      << "entropy and length are of on-policy alone";
  EXPECT_THAT(html, AllOf(HasSubstr("Tokens of its own answers"), HasSubstr("Share of them that ended")));
}

TEST(Nats, AreReadBesideEachOther) {
  EXPECT_EQ(nats(0.07123), "0.0712");
  EXPECT_EQ(nats(0.00007), "0.0001");
  EXPECT_EQ(nats(1.8074), "1.807");
  EXPECT_EQ(nats(12.3456), "12.35");
  EXPECT_EQ(nats(kMissing), kDash);
  EXPECT_EQ(nats(1e30), "1e+30");
}

TEST(TradeOff, IsOfSeveralTrainedModels) {
  Document document = make_watched_document();
  const std::vector<TradeOffPoint> points = trade_off(document);
  ASSERT_EQ(points.size(), 3u);
  EXPECT_EQ(points[0].slot, 0);
  EXPECT_NEAR(points[2].target.value, 0.71, 1e-12);
  EXPECT_NEAR(points[2].retained.value, 0.70, 1e-12);
  // Of two means with arms of 0.03: 0.03 √2 / 2.
  EXPECT_NEAR(points[2].retained.high - points[2].retained.value, 0.03 / std::sqrt(2.0), 1e-12);
  EXPECT_THAT(trade_off(make_document()), IsEmpty()) << "nothing is said of how its variants learned";
  document.evaluation->tasks[0].scores.pop_back();
  EXPECT_THAT(trade_off(document), IsEmpty()) << "no target task has all of them";
}

// Left end, y and text of the labels.
std::vector<std::tuple<double, double, std::string>> labels_of(const std::string& svg) {
  std::vector<std::tuple<double, double, std::string>> found;
  const std::regex label("<text class=\"label( end)?\" x=\"([0-9.-]+)\" y=\"([0-9.-]+)\">([^<]*)<");
  for (std::sregex_iterator i(svg.begin(), svg.end(), label), end; i != end; ++i)
    found.emplace_back(std::stod((*i)[2]) - ((*i)[1].matched ? 7.6 * (*i)[4].length() : 0),
                       std::stod((*i)[3]), (*i)[4]);
  return found;
}

TEST(TradeOff, LabelsStandApart) {
  std::vector<TradeOffPoint> points;
  for (int i = 0; i < 8; ++i) {  // all in one place
    const std::string label = "variant-" + std::to_string(i);
    points.push_back({label, label, i, {0.5, 0.45, 0.55}, {0.9, 0.88, 0.92}});
  }
  const auto labels = labels_of(scatter(points, 800));
  ASSERT_EQ(labels.size(), 8u);
  for (size_t i = 0; i < labels.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      EXPECT_TRUE(std::fabs(std::get<1>(labels[i]) - std::get<1>(labels[k])) >= 13 ||
                  std::fabs(std::get<0>(labels[i]) - std::get<0>(labels[k])) >= 60)
          << i << " stands on " << k;
  EXPECT_THAT(scatter(points, 800), Not(HasSubstr("nan")));
}

TEST(TradeOff, TooManyForLabelsHaveALegend) {
  std::vector<TradeOffPoint> points;
  for (int i = 0; i < 40; ++i)
    points.push_back(
        {"ours, rank=" + std::to_string(i), "ours", 1, {0.01 * i, kMissing, kMissing}, {0.5, 0.4, 0.6}});
  EXPECT_THAT(labels_of(scatter(points, 800)), IsEmpty());
  EXPECT_EQ(count_of(trade_off_section(points, ""), "<li>"), 2u) << "one a group, in either width";
  EXPECT_EQ(trade_off_section({}, ""), "");
}

}  // namespace
}  // namespace sdft::report
