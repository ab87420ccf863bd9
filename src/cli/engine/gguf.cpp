// import and export: llama.cpp's GGUF files.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "cli/engine/model_flags.h"
#include "cli/output.h"
#include "gguf/export.h"
#include "gguf/verify.h"
#include "model/convert.h"
#include "model/gguf_export.h"
#include "model/gguf_folder.h"
#include "model/gguf_import.h"
#include "model/skeleton.h"
#include "run/endpoint_stage.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
struct ImportFlags {
  std::string file, output, dtype = "auto";
};

// The weights last: a folder that has them is complete.
void run_import(const ImportFlags& flags) {
  const fs::path out = flags.output;
  if (fs::exists(out) && !fs::is_directory(out)) fail_input(out.string(), "is not a folder");
  for (const char* name : {"config.json", "model.safetensors", "model.safetensors.index.json"})
    if (fs::exists(out / name))
      fail_input(out.string(), "already holds a model", "choose another --output, or remove it");
  const GgufFile file(flags.file);
  Json json = gguf_config(file);
  const ModelConfig config = parse_config(json, file.where() + ": as config.json");
  const auto texts = gguf_tokenizer_files(file);
  const at::ScalarType type = gguf_output_type(file, flags.dtype);
  json["torch_dtype"] = torch_name(type);
  const bool fresh = !fs::exists(out);
  make_directories(out);
  try {
    for (const auto& [name, bytes] : texts) write_file_atomic(out / name, bytes);
    Tokenizer::load(out);  // a vocabulary that does not work is said now, not in a long run
    write_gguf_weights(file, config, out, type);
  } catch (...) {
    std::error_code ignored;
    for (const auto& item : texts)
      if (fresh) fs::remove(out / item.first, ignored);
    if (fresh) fs::remove(out, ignored);
    throw;
  }
  write_json(out / "config.json", json);
  write_out(out.string() + "\n");
}

struct ExportFlags {
  ModelFlags model;
  std::string output, outtype, verify;
  bool merge = false;
  int64_t max_new_tokens = gguf::VerifyOptions().max_new_tokens;
};

std::string named_type(at::ScalarType type) {
  return type == at::kHalf ? "f16" : type == at::kBFloat16 ? "bf16" : "f32";
}

void say_narrowed(const std::vector<GgufNarrowed>& list) {
  for (const GgufNarrowed& n : list)
    spdlog::warn("{}: {} in place of {}, whose blocks of {} do not fit into rows of {}", n.tensors,
                 n.taken->name, n.wanted->name, n.wanted->elements, n.row);
}

void export_adapter(const ExportFlags& flags) {
  const std::string type = flags.outtype.empty() || flags.outtype == "auto" ? "f32" : flags.outtype;
  if (type.rfind("q4", 0) == 0)
    fail_usage("--outtype " + type + " is for whole models; an adapter is f32, f16, bf16 or q8_0",
               "--merge puts the adapter into the model");
  Model model = skeleton(read_config(model_folder(flags.model.model)));
  say_narrowed(write_gguf_adapter(load_adapter(model, flags.model.adapter), model.config, gguf_mixture(type),
                                  flags.output));
}

void export_model(const ExportFlags& flags) {
  ModelBundle bundle(flags.model.model);
  LoadOptions load;
  load.device = "cpu";
  load.as_stored = !flags.merge;
  if (flags.merge || fs::exists(bundle.dir / kGgufWeights)) load.weights = "f32";
  bundle.model = load_model(bundle.dir, load);
  if (flags.merge) merge_adapter(bundle.model, load_adapter(bundle.model, flags.model.adapter));
  std::string type = flags.outtype;
  if (type.empty() || type == "auto") type = named_type(stored_type(flags.model.model));
  say_narrowed(gguf::write_model(bundle, gguf_mixture(type), flags.output));
  gguf::write_modelfile(bundle, flags.output);
  write_out(gguf::modelfile_of(flags.output).string() + "\n");
}

void run_verify(const ExportFlags& flags) {
  ModelBundle bundle(flags.model.model);
  LoadOptions load;
  load.weights = "f32";  // the file's numbers, whatever either side rounds besides
  load_weights(bundle, load, flags.model.adapter);
  gguf::VerifyOptions options;
  options.url = flags.verify;
  options.key = api_key();
  options.max_new_tokens = flags.max_new_tokens;
  double nats = 0;
  int all = 0, prompts = 0, tokens = 0, answers = 0, same = 0;
  gguf::verify(bundle, options, [&](const gguf::Comparison& c) {
    ++all, prompts += c.prompt.empty(), tokens += c.tokens.empty(), answers += c.answer.empty(),
        same += c.same();
    nats = std::max(nats, c.nats);
    std::string text = fmt::format("{}. {}\n", all, to_line(c.question));
    const auto put = [&](const char* what, const std::string& parting, const std::string& size) {
      text += fmt::format("   {:<7}{}\n", what, parting.empty() ? "the same" + size : "parts at " + parting);
    };
    put("prompt", c.prompt, "");
    put("tokens", c.tokens, fmt::format(", {}", c.prompt_tokens));
    put("answer", c.answer, fmt::format(", {} tokens", c.answer_tokens));
    write_out(text);
  });
  write_out(fmt::format("the same of {}: {} prompts, {} of their tokens, {} answers\n", all, prompts, tokens,
                        answers));
  flush_out();
  if (same == all) return;
  std::string hint;
  if (prompts == all && tokens == all)
    hint = fmt::format(
        "prompts and tokens are the same, answers part at tokens up to {:.2g} nats apart; llama.cpp's "
        "rounding can do that where weights have few bits",
        nats);
  fail_input(flags.verify, fmt::format("differs in {} of {} conversations", all - same, all), hint);
}

void run_export(const ExportFlags& flags) {
  if (flags.merge && flags.model.adapter.empty()) fail_usage("--merge needs --adapter");
  if (!flags.verify.empty()) return run_verify(flags);
  if (flags.output.empty())
    fail_usage("--output is missing", "or --verify URL, to compare with a running llama.cpp");
  if (fs::exists(flags.output))
    fail_input(flags.output, "is there already", "choose another --output, or remove it");
  if (flags.model.adapter.empty() || flags.merge)
    export_model(flags);
  else
    export_adapter(flags);
  write_out(flags.output + "\n");
}
}  // namespace

void add_gguf(const Registry& registry) {
  auto import_flags = std::make_shared<ImportFlags>();
  CLI::App* import = registry.add("import",
                                  "  sdft import model-Q8_0.gguf --output model\n"
                                  "  sdft import model-BF16.gguf --output model --dtype f32",
                                  [import_flags] { run_import(*import_flags); });
  import->add_option("file", import_flags->file, "GGUF file of llama.cpp")->required()->type_name("FILE");
  import->add_option("--output," + spelled("output_dir"), import_flags->output, "folder to write")
      ->required()
      ->type_name("DIR");
  import
      ->add_option("--dtype", import_flags->dtype,
                   "f32, f16, bf16, or auto: as the matrices are, f16 for quantised ones")
      ->type_name("")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16"}));

  auto export_flags = std::make_shared<ExportFlags>();
  CLI::App* out = registry.add(
      "export",
      "  sdft export --model MODEL --output model.gguf --outtype q4_k_m\n"
      "  sdft export --model MODEL --adapter runs/one/sdft/adapter --merge --output tuned.gguf --outtype "
      "q8_0\n"
      "  sdft export --model MODEL --adapter runs/one/sdft/adapter --output adapter.gguf\n"
      "  llama-server -m tuned.gguf; sdft export --model tuned.gguf --verify http://localhost:8080\n"
      "  ollama create tuned -f tuned.Modelfile",
      [export_flags] { run_export(*export_flags); });
  add_model_flag(out, &export_flags->model.model);
  out->add_option("--adapter," + spelled("adapter_name_or_path"), export_flags->model.adapter,
                  "PEFT adapter folder: alone in the file, for --lora, or with --merge in the model")
      ->type_name("DIR");
  out->add_flag("--merge", export_flags->merge, "put the adapter into the weights");
  CLI::Option* output =
      out->add_option("--output", export_flags->output, "file to write; of a model, FILE.Modelfile too")
          ->type_name("FILE");
  std::vector<std::string> types = {"auto"};
  for (const GgufMixture& mixture : gguf_mixtures()) types.push_back(mixture.name);
  CLI::Option* outtype = out->add_option("--outtype", export_flags->outtype,
                                         "f32, f16, bf16, q8_0, q4_k_m, q4_0, or auto: as the model's own "
                                         "matrices are, of an adapter f32")
                             ->type_name("")
                             ->check(CLI::IsMember(types));
  out->add_option(
         "--verify", export_flags->verify,
         "writes nothing: compares prompts, tokens and greedy answers of ten conversations with a running "
         "llama-server at this address (exit code 3 where they differ)")
      ->type_name("URL")
      ->excludes(output)
      ->excludes(outtype);
  out->add_option(spelled("max_new_tokens"), export_flags->max_new_tokens,
                  "of --verify: tokens of an answer (default 40)")
      ->type_name("N")
      ->check(CLI::Range(1, 4096));
}

}  // namespace sdft::cli
