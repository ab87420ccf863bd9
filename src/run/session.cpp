#include "run/session.h"

#include <fmt/ranges.h>
#include <spdlog/spdlog.h>

#include "base/error.h"
#include "data/turn_end.h"

namespace sdft {
namespace fs = std::filesystem;

Session::Session(Recipe r, ModelConfig m, Tokenizer t, ChatTemplate c)
    : recipe(std::move(r)), config(std::move(m)), tokenizer(std::move(t)), chat_template(std::move(c)) {
  formatter.tokenizer = &tokenizer;
  formatter.chat_template = &chat_template;
  formatter.layout = find_prompt_layout(recipe.prompt_layout);
  formatter.render.extra = recipe.template_variables;
  formatter.render.date = recipe.date;
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
  options.constraints = defaults.constraints;
  options.tokenizer = &tokenizer;
  options.stop_ids = stop_ids(formatter, config.eos_token_ids);
  return options;
}

SampleSettings Session::samples() const {
  return {recipe.prompt_template, effective_cutoff(recipe.train.cutoff_len, config.max_position_embeddings),
          recipe.train_on_prompt};
}

std::unique_ptr<Session> open_session(const Recipe& recipe) {
  if (recipe.model_name_or_path.empty())
    fail_usage("model_name_or_path is not set", "a folder with config.json, *.safetensors and a tokenizer");
  set_num_threads(recipe.threads);
  const fs::path dir = recipe.model_name_or_path;
  ModelConfig config = read_config(dir);
  Tokenizer tokenizer = Tokenizer::load(dir);
  check_vocabulary(dir, tokenizer, config.vocab_size);
  auto session =
      std::make_unique<Session>(recipe, std::move(config), std::move(tokenizer), ChatTemplate::load(dir));
  session->defaults = read_generation_config(dir, session->config);
  for (const std::string& warning : session->defaults.warnings) spdlog::warn("{}", warning);
  return session;
}

void load_weights(Session& session) {
  if (!session.model.layers.empty()) return;
  const Recipe& recipe = session.recipe;
  const LoadOptions load{recipe.device, recipe.dtype};
  session.model = recipe.train_from_scratch ? init_model(session.config, recipe.seed, load)
                                            : load_model(recipe.model_name_or_path, load);
  if (!recipe.adapter_name_or_path.empty())
    session.adapter = load_adapter(session.model, recipe.adapter_name_or_path);
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
  std::error_code none;
  const bool by_name = !recipe.dataset_dir.empty() && !fs::exists(dataset, none);
  return by_name ? read_dataset_by_name(recipe.dataset_dir, dataset, options)
                 : read_dataset(dataset, options);
}

}  // namespace sdft
