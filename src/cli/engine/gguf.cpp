// import and export: llama.cpp's GGUF files.
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "cli/engine/model_flags.h"
#include "cli/output.h"
#include "model/convert.h"
#include "model/gguf_export.h"
#include "model/gguf_folder.h"
#include "model/gguf_import.h"
#include "model/skeleton.h"

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
  std::string output;
};

void run_export(const ExportFlags& flags) {
  if (fs::exists(flags.output))
    fail_input(flags.output, "is there already", "choose another --output, or remove it");
  Model model = skeleton(read_config(model_folder(flags.model.model)));
  write_gguf_adapter(load_adapter(model, flags.model.adapter), model.config, flags.output);
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
  CLI::App* out =
      registry.add("export",
                   "  sdft export --model MODEL --adapter runs/one/sdft/adapter --output adapter.gguf\n"
                   "  llama-cli -m MODEL.gguf --lora adapter.gguf",
                   [export_flags] { run_export(*export_flags); });
  add_model_flag(out, &export_flags->model.model);
  out->add_option("--adapter," + spelled("adapter_name_or_path"), export_flags->model.adapter,
                  "PEFT adapter folder")
      ->required()
      ->type_name("DIR");
  out->add_option("--output", export_flags->output, "file to write")->required()->type_name("FILE");
}

}  // namespace sdft::cli
