// On-policy self-distillation: losses against formulas in f64, the teacher's rows against forward passes one
// by one, teachers that move.
#include "train/distillation.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/error.h"
#include "infer/small_model.h"
#include "train/training.h"

namespace sdft {
namespace {

using testing::small_model;

Tensor log_probs_of(int64_t rows, int64_t width, double shift) {
  Tensor x = at::empty({rows, width}, at::kDouble);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < width; ++j)
      x[i][j] = 3 * std::sin(1.7 * static_cast<double>(i * width + j) + shift);
  return at::log_softmax(x, -1);
}

std::vector<double> row_of(const Tensor& log_probs, int64_t row, const std::vector<int64_t>& chosen,
                           bool tail) {
  std::vector<double> p;
  double sum = 0;
  for (const int64_t j : chosen) {
    p.push_back(std::exp(log_probs[row][j].item<double>()));
    sum += p.back();
  }
  if (tail)
    p.push_back(1 - sum);
  else
    for (double& value : p) value /= sum;
  return p;
}

std::vector<int64_t> likeliest(const Tensor& log_probs, int64_t row, int64_t k) {
  std::vector<int64_t> places;
  const Tensor order = log_probs[row].argsort(-1, true);
  for (int64_t j = 0; j < k; ++j) places.push_back(order[j].item<int64_t>());
  return places;
}

TEST(DistillationLoss, EachModeIsItsFormula) {
  const Tensor student = log_probs_of(4, 9, 0.2), teacher = log_probs_of(4, 9, 1.3);
  const Tensor sampled = at::tensor({0L, 8L, 3L, 3L}, at::kLong);
  for (const char* mode : {"full_logits", "topk_logits"})
    for (const bool tail : {false, true})
      for (const char* whose : {"student", "teacher"})
        for (const double clip : {0.0, 0.05}) {
          DistillationOptions options;
          options.mode = mode;
          options.topk = 3;
          options.topk_of = whose;
          options.add_tail = tail;
          options.entry_clip = clip;
          const Tensor loss = distillation_loss(student, teacher, sampled, options);
          for (int64_t i = 0; i < 4; ++i) {
            const bool full = mode == std::string("full_logits");
            const auto chosen =
                likeliest(whose == std::string("student") ? student : teacher, i, full ? 9 : 3);
            const auto p = row_of(teacher, i, chosen, tail && !full),
                       q = row_of(student, i, chosen, tail && !full);
            double sum = 0;
            for (size_t j = 0; j < p.size(); ++j) {
              const double term = p[j] * std::log(p[j] / q[j]);
              sum += clip > 0 ? std::min(clip, term) : term;
            }
            EXPECT_NEAR(loss[i].item<double>(), sum, 1e-9) << mode << tail << whose << clip;
          }
        }
  DistillationOptions options;
  options.mode = "sampled_token";
  options.alpha = 1;
  Tensor own = student.clone().requires_grad_(true);
  const Tensor loss = distillation_loss(own, teacher, sampled, options);
  loss.sum().backward();
  for (int64_t i = 0; i < 4; ++i) {
    const int64_t y = sampled[i].item<int64_t>();
    const double gap = student[i][y].item<double>() - teacher[i][y].item<double>();
    EXPECT_NEAR(loss[i].item<double>(), gap * student[i][y].item<double>(), 1e-12);
    EXPECT_NEAR(own.grad()[i][y].item<double>(), gap, 1e-12);
  }
}

// TRL's apply_importance_sampling_clipping: exp(now - before), at most is_clip.
TEST(DistillationLoss, TheImportanceRatioIsClippedAndHasNoGradient) {
  Tensor student = log_probs_of(4, 9, 0.2).requires_grad_(true);
  const Tensor sampled = at::tensor({0L, 8L, 3L, 5L}, at::kLong);
  const Tensor before = at::tensor({-0.1, -9.0, -2.0, -70.0}, at::kDouble);
  const Tensor ratio = importance_ratio(student, sampled, before, 2.0);
  EXPECT_FALSE(ratio.requires_grad());
  for (int64_t i = 0; i < 4; ++i)
    EXPECT_NEAR(ratio[i].item<double>(),
                std::min(2.0, std::exp(student[i][sampled[i].item<int64_t>()].item<double>() -
                                       before[i].item<double>())),
                1e-12);
}

TEST(DistillationLoss, ImpossibleSettingsAreRefused) {
  const Model model = small_model();
  auto refused = [&](auto change) {
    DistillationOptions options;
    change(options);
    EXPECT_THROW(make_distillation(model, model, options), Error);
  };
  refused([](auto& o) { o.mode = "logits"; });
  refused([](auto& o) { o.mode = "sampled_token"; });
  refused([](auto& o) { o.teacher.kind = "emma"; });
  refused([&](auto& o) {
    o.mode = "topk_logits";
    o.topk = model.config.vocab_size + 1;
  });
}

struct Teachers : ::testing::Test {
  Model model = small_model();
  Adapter adapter = init_adapter(model, testing::quick().lora, 1);
  std::vector<Sample> samples = testing::samples_of(5);

  Teachers() {
    for (auto& [name, pair] : adapter.pairs) pair.b.normal_(0, 0.1);
    for (size_t i = 0; i < samples.size(); ++i) {
      Sample& sample = samples[i];
      // The last tokens are the answer, whose first one is skipped; the teacher's prompt is longer.
      std::fill(sample.supervised.begin(), sample.supervised.end(), uint8_t{0});
      const size_t answer = 3 + i;
      for (size_t t = sample.ids.size() - answer + 1; t < sample.ids.size(); ++t) sample.supervised[t] = 1;
      sample.teacher_ids.assign(7 + i, 4);
      sample.teacher_ids.insert(sample.teacher_ids.end(),
                                sample.ids.end() - static_cast<std::ptrdiff_t>(answer), sample.ids.end());
      sample.weight = 1.0 / static_cast<double>(answer - 1);
    }
  }
  std::vector<const Sample*> list() const {
    std::vector<const Sample*> all;
    for (const Sample& sample : samples) all.push_back(&sample);
    return all;
  }
  Tensor rows(ModelView view, const std::vector<int32_t>& ids, int64_t learned) const {
    const Tensor all =
        at::log_softmax(logits(view, forward(view, pack({ids}, at::kCPU))).to(at::kDouble), -1);
    return all.narrow(0, all.size(0) - 1 - learned, learned);
  }
};

// Whatever is packed together: mean over the answers of the mean over their tokens.
TEST_F(Teachers, ReadTheSameAnswers) {
  at::NoGradGuard no_grad;
  double expected = 0;
  for (const Sample& sample : samples) {
    const int64_t learned = supervised_tokens(sample);
    expected +=
        divergence(0, rows(model, sample.teacher_ids, learned), rows({model, &adapter}, sample.ids, learned))
            .mean()
            .item<double>() /
        static_cast<double>(samples.size());
  }
  EXPECT_GT(expected, 1e-4);
  const auto objective = make_distillation(model, {model, &adapter}, {});
  for (const int64_t most : {int64_t{1}, int64_t{40}, int64_t{1} << 20}) {
    double sum = 0;
    for (const MicroBatch& batch : micro_batches(list(), most, at::kCPU))
      sum += objective->loss({model, &adapter}, batch, {}).item<double>();
    EXPECT_NEAR(sum, expected, 1e-5 * expected) << most;
  }
}

TEST_F(Teachers, EachKindMovesAsItShould) {
  for (const char* kind : {"base", "live", "ema"}) {
    TeacherOptions options;
    options.kind = kind;
    options.update_rate = 0.25;
    options.sync_steps = 2;
    Adapter student = init_adapter(model, testing::quick().lora, 1);
    Teacher teacher(model, {model, &student}, options);
    const std::string layer = student.pairs.begin()->first;
    student.pairs.at(layer).b.fill_(1.0);
    for (int64_t step = 1; step <= 4; ++step) teacher.stepped({model, &student}, step);
    const ModelView view = teacher.view({model, &student});
    if (kind == std::string("base")) {
      EXPECT_EQ(view.adapter, nullptr);
    } else {
      const double b = view.adapter->pairs.at(layer).b.mean().item<double>();
      EXPECT_NEAR(b, kind == std::string("live") ? 1.0 : 1 - 0.75 * 0.75, 1e-6) << kind;
    }
    EXPECT_EQ(teacher.state().empty(), kind != std::string("ema"));
  }
  // Full fine-tuning: a copy of all weights.
  Model own = clone(model);
  TeacherOptions options;
  options.kind = "ema";
  Teacher teacher(model, own, options);
  own.layers[0].q.weight += 1;
  teacher.stepped(own, 1);
  EXPECT_TRUE(teacher.view(own)->layers[0].q.weight.allclose(model.layers[0].q.weight + 0.05, 1e-5, 1e-6));
}

// The student comes nearer to what the teacher says with the demonstration; the seed stays as it is.
TEST_F(Teachers, TheStudentLearnsFromThem) {
  for (const char* mode : {"full_logits", "topk_logits"})
    for (const bool lora : {true, false}) {
      Model own = clone(model);
      Adapter fresh = init_adapter(own, testing::quick().lora, 1);
      const ModelView student(own, lora ? &fresh : nullptr);
      DistillationOptions options;
      options.mode = mode;
      options.topk = 5;
      options.add_tail = true;
      Trainer trainer(own, lora ? &fresh : nullptr, make_distillation(model, student, options),
                      testing::quick(), 20);
      const double before = trainer.loss(list());
      for (int step = 0; step < 20; ++step) trainer.step(list());
      EXPECT_LT(trainer.loss(list()), 0.7 * before) << mode << lora;
    }
}

}  // namespace
}  // namespace sdft
