#include "run/session.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "base/error.h"

namespace sdft {
namespace fs = std::filesystem;

namespace {
PromptLayout layout_of(const std::string& name) {
  if (name == "reference") return PromptLayout::kReference;
  if (name == "reference-main") return PromptLayout::kReferenceMain;
  return PromptLayout::kChat;
}
}  // namespace

Session::Session(Recipe r, Model m, Tokenizer t, ChatTemplate c)
    : recipe(std::move(r)), model(std::move(m)), tokenizer(std::move(t)), chat_template(std::move(c)) {
  formatter.tokenizer = &tokenizer;
  formatter.chat_template = &chat_template;
  formatter.layout = layout_of(recipe.prompt_layout);
}

const PromptTemplate& Session::training_template() const {
  return find_prompt_template(recipe.prompt_template);
}

GenerateOptions Session::generation() const {
  GenerateOptions options;
  options.sampling = recipe.sampling;
  options.max_new_tokens = recipe.max_new_tokens;
  options.batch_size = recipe.generation_batch_size;
  options.seed = recipe.seed;
  options.stop = stop;
  options.stop_ids = model.config.eos_token_ids;
  if (tokenizer.eos_id() && options.stop_ids.empty()) options.stop_ids = {*tokenizer.eos_id()};
  return options;
}

std::unique_ptr<Session> open_session(const Recipe& recipe) {
  if (recipe.model_name_or_path.empty())
    fail_usage("model_name_or_path is not set", "a folder with config.json, *.safetensors and a tokenizer");
  set_num_threads(recipe.threads);
  const fs::path dir = recipe.model_name_or_path;
  ModelConfig config = read_config(dir);
  Tokenizer tokenizer = Tokenizer::load(dir);
  check_vocabulary(dir, tokenizer, config.vocab_size);
  const LoadOptions load{recipe.device, recipe.dtype};
  Model model = recipe.train_from_scratch ? init_model(config, recipe.seed, load) : load_model(dir, load);
  auto session =
      std::make_unique<Session>(recipe, std::move(model), std::move(tokenizer), ChatTemplate::load(dir));
  bool chat = false;
  for (const std::string& name : {recipe.prompt_template, recipe.distill_template}) {
    if (name == kTemplateOfRecord || !find_prompt_template(name).chat) continue;
    if (!session->chat_template.has())
      fail_input(
          dir.string(), "has no chat template, which the prompt template '" + name + "' needs",
          "use template: alpaca and distill_template: alpaca_distill_using, with prompt_layout: reference");
    chat = true;
  }
  if (chat) warn_of_control_tokens(dir, session->chat_template, session->tokenizer);
  return session;
}

void check_vocabulary(const fs::path& model_dir, const Tokenizer& tokenizer, int64_t rows) {
  if (tokenizer.vocab_size() > rows)
    fail_input(model_dir.string(), fmt::format("the tokenizer has {} tokens, the embedding only {}",
                                               tokenizer.vocab_size(), rows));
}

void warn_of_control_tokens(const fs::path& model_dir, const ChatTemplate& chat_template,
                            const Tokenizer& tokenizer) {
  const auto unknown =
      check_chat_template(chat_template, tokenizer, (model_dir / "tokenizer_config.json").string());
  if (!unknown.empty())
    spdlog::warn(
        "{}: the chat template writes {}, which the tokenizer has not as one token: plain characters for "
        "the model",
        model_dir.string(), fmt::join(unknown, ", "));
}

Dataset open_dataset(const Recipe& recipe, const std::string& dataset, const Columns& columns, size_t limit,
                     bool response_required) {
  if (dataset.empty())
    fail_usage("dataset is not set",
               "a .json, .jsonl or .csv file, or a name in dataset_dir/dataset_info.json");
  DatasetOptions options;
  options.columns = columns;
  options.limit = limit;
  options.response_required = response_required;
  options.skip_bad = recipe.skip_bad;
  const bool by_name = !recipe.dataset_dir.empty() && !fs::exists(dataset);
  return by_name ? read_dataset_by_name(recipe.dataset_dir, dataset, options)
                 : read_dataset(dataset, options);
}

}  // namespace sdft
