// merge: an adapter put into the weights.
#include <fmt/format.h>

#include "base/error.h"
#include "base/file.h"
#include "cli/engine/model_flags.h"
#include "cli/output.h"
#include "model/convert.h"
#include "model/gguf_folder.h"

namespace sdft::cli {
namespace fs = std::filesystem;

namespace {
struct MergeFlags {
  ModelFlags model;
  std::string output, dtype = "auto";
};

void run_merge(const MergeFlags& flags) {
  const fs::path out = flags.output;
  if (fs::exists(out) && !fs::is_directory(out)) fail_input(out.string(), "is not a folder");
  if (fs::exists(out / "model.safetensors") || fs::exists(out / "model.safetensors.index.json"))
    fail_input(out.string(), "already holds a model", "choose another --output, or remove it");
  const at::ScalarType type =
      flags.dtype == "auto" ? stored_type(flags.model.model) : float_type(flags.dtype);
  LoadOptions load;
  load.device = "cpu";
  load.dtype = "f32";
  const fs::path from = model_folder(flags.model.model);
  Model model = load_model(from, load);
  const Adapter adapter = load_adapter(model, flags.model.adapter);
  merge_adapter(model, adapter);
  save_model(model, out, from, type);
  write_out(out.string() + "\n");
}
}  // namespace

void add_merge(const Registry& registry) {
  auto flags = std::make_shared<MergeFlags>();
  CLI::App* merge =
      registry.add("merge",
                   "  sdft merge --model MODEL --adapter runs/one/sdft/adapter --output merged\n"
                   "  sdft merge --model MODEL --adapter runs/one/sdft/adapter --output merged --dtype bf16",
                   [flags] { run_merge(*flags); });
  add_model_flag(merge, &flags->model.model);
  merge
      ->add_option("--adapter," + spelled("adapter_name_or_path"), flags->model.adapter,
                   "PEFT adapter folder")
      ->required()
      ->type_name("DIR");
  merge->add_option("--output," + spelled("output_dir"), flags->output, "folder to write")
      ->required()
      ->type_name("DIR");
  merge->add_option("--dtype", flags->dtype, "f32, f16, bf16, or auto: as the model's own weights")
      ->type_name("")
      ->check(CLI::IsMember({"auto", "f32", "f16", "bf16"}));
}

}  // namespace sdft::cli
