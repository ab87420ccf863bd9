// Teaches a chat model a task in its own words, then asks it a question without and with what it has learned:
//   c++ -std=c++17 distill.cpp $(pkg-config --cflags --libs sdft) -o distill
//   ./distill MODEL train.jsonl OUTPUT "A question"
#include <sdft/sdft.h>

#include <cstdio>

using namespace sdft::api;

int main(int argc, char** argv) try {
  if (argc != 5) throw Error(ExitCode::kUsage, "usage: distill MODEL DATASET OUTPUT QUESTION");
  const std::string model = argv[1], dataset = argv[2], output = argv[3], question = argv[4];

  // The settings of a recipe (`sdft settings` lists them). The model rewrites the dataset's answers, those
  // that still say the same are kept, and it is trained on them. Stopped anywhere, the same call goes on.
  const std::string report =
      run("", {"model_name_or_path=" + model, "dataset=" + dataset, "output_dir=" + output,
               "distill_template=chat_distill_using", "answer_check=answer", "max_samples=200",
               "num_candidates=2", "max_new_tokens=64", "lora_rank=8", "learning_rate=0.001",
               "num_train_epochs=5", "gradient_accumulation_steps=1"});
  std::printf("%s\n", report.c_str());

  ChatModelOptions options;
  options.adapter = output + "/sdft/adapter";
  ChatModel chat(model, options);  // one copy of the weights, with and without the adapter
  for (const bool tuned : {false, true}) {
    chat.use_adapter(tuned);
    const Answer answer = chat.answer({{{"user", question}}}).front();
    const LogLikelihood likely = chat.score({{{"user", question}, {"assistant", answer.text}}}).front();
    std::printf("%s: %s (log-likelihood %.2f)\n", tuned ? "tuned" : "seed", answer.text.c_str(),
                likely.log_prob);
  }
} catch (const Error& error) {
  std::fprintf(stderr, "%s\n", error.what());  // what, where, what to do
  return static_cast<int>(error.code());
}
