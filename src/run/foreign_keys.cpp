#include "run/foreign_keys.h"

#include <algorithm>
#include <cctype>

#include "base/comma_separated.h"

namespace sdft {

namespace {
constexpr auto kNote = ForeignKey::kNote, kError = ForeignKey::kError, kMeans = ForeignKey::kMeans;
constexpr const char* kUnset = "null,none,false,no,";  // and an empty text

// Of one key the first row that fits holds: what an unset key or the usual value says stands in front.
const ForeignKey kForeignKeys[] = {
    {"lora_target", "all", kMeans, "all-linear"},
    {"template", "default,llama2,llama3,llama4,qwen,qwen3,qwen3_nothink,mistral,gemma,gemma2,gemma3,phi,phi4",
     kMeans, "chat"},  // the model's own
    // what is always done
    {"stage", "sft", kNote, "a dataset's answers are what is learned"},
    {"stage", "", kError, "sft is what there is; leave it out"},
    {"do_train", "true", kNote, "the command says what is done (run, train, eval)"},
    {"do_train", "", kError, "the command says what is done: sdft eval"},
    {"do_eval", "", kNote, "what stands under 'eval' is evaluated"},
    {"do_predict", "", kNote, "what stands under 'eval' is answered and judged"},
    {"packing", "true", kNote, "samples are always packed, and none sees another"},
    {"packing", "", kError,
     "samples are always packed: without padding, and none sees another; leave it out"},
    {"neat_packing", "true", kNote, "samples are always packed, and none sees another"},
    {"neat_packing", "", kError, "samples are always packed, and none sees another; leave it out"},
    {"resume_from_checkpoint", kUnset, kNote, "a run goes on by itself; --fresh begins anew"},
    {"resume_from_checkpoint", "", kError,
     "a run goes on by itself where its output_dir has a checkpoint (--fresh begins anew); leave it out"},
    {"use_peft", "true", kNote, "'finetuning_type' says it"},
    {"use_peft", "", kError, "write 'finetuning_type: full'"},
    {"optim", "adamw_torch,adamw_torch_fused,adamw_hf", kNote, "AdamW is always used"},
    {"optim", "", kError, "AdamW is what there is; leave it out"},
    {"flash_attn", "auto,fa2,sdpa,disabled", kNote, "attention is chosen for the device"},
    {"attn_implementation", "", kNote, "attention is chosen for the device"},
    {"data_seed", kUnset, kNote, "'seed' holds"},
    {"data_seed", "", kError, "'seed' is of the data's order, too; leave it out"},
    // what is not here
    {"deepspeed", kUnset, kNote, "one process trains"},
    {"deepspeed", "", kError, "one process trains, on one device; set 'memory' to make it fit"},
    {"fsdp", kUnset, kNote, "one process trains"},
    {"fsdp", "", kError, "one process trains, on one device; set 'memory' to make it fit"},
    {"quantization_bit", kUnset, kNote, "'weights' says how weights are kept"},
    {"quantization_bit", "8", kError, "write 'weights: int8'"},
    {"quantization_bit", "4", kError, "write 'weights: q4'"},
    {"quantization_bit", "", kError,
     "8 and 4 bits are what there is: write 'weights: int8' or 'weights: q4'"},
    {"load_in_8bit", kUnset, kNote, "'weights' says how weights are kept"},
    {"load_in_8bit", "", kError, "write 'weights: int8'"},
    {"load_in_4bit", kUnset, kNote, "'weights' says how weights are kept"},
    {"load_in_4bit", "", kError, "write 'weights: q4'"},
    {"fp16", kUnset, kNote, "'bf16' and 'dtype' say it"},
    {"fp16", "", kError, "write 'bf16: true', or 'dtype: bf16' on a GPU"},
    {"pure_bf16", kUnset, kNote, "'bf16' and 'dtype' say it"},
    {"pure_bf16", "", kError, "write 'dtype: bf16'"},
    {"torch_dtype", "auto", kNote, "'dtype' says it"},
    {"torch_dtype", "", kError, "write 'dtype: f32' or 'dtype: bf16'"},
    {"use_cpu", kUnset, kNote, "'device' says it"},
    {"use_cpu", "", kError, "write 'device: cpu'"},
    {"use_vllm", kUnset, kNote, "'generation_endpoint' says it"},
    {"use_vllm", "", kError, "write 'generation_endpoint: http://localhost:8000' for a server that rewrites"},
    {"push_to_hub", kUnset, kNote, "nothing is uploaded"},
    {"push_to_hub", "", kError, "nothing is uploaded; leave it out"},
    {"streaming", kUnset, kNote, "a dataset is read whole"},
    {"streaming", "", kError, "a dataset is read whole; 'max_samples' takes a part"},
    {"pref_beta", "", kError, "preferences are not learned; leave it out"},
    {"reward_model", "", kError, "rewards are not learned; leave it out"},
    // what has another name
    {"template_variables", "", kError, "is now called 'chat_template_kwargs'"},
    {"rewrite_attempts", "", kError, "is now called 'num_candidates'"},
    {"max_length", "", kError, "is called 'cutoff_len' here"},
    {"max_seq_length", "", kError, "is called 'cutoff_len' here"},
    {"lora_r", "", kError, "is called 'lora_rank' here"},
    {"lora_target_modules", "", kError, "is called 'lora_target' here"},
    {"target_modules", "", kError, "is called 'lora_target' here"},
    {"additional_target", "", kError, "is called 'modules_to_save' here"},
    {"pissa_init", kUnset, kNote, "'init_lora_weights' says it"},
    {"pissa_init", "", kError, "write 'init_lora_weights: pissa'"},
    {"dataset_name", "", kError, "is called 'dataset' here"},
    {"max_completion_length", "", kError, "is called 'max_new_tokens' here"},
    {"eval_dataset", kUnset, kNote, "'val_size' and 'eval' say it"},
    {"eval_dataset", "", kError, "tasks stand under 'eval'; 'val_size' holds back examples of the dataset"},
    {"mask_history", kUnset, kNote, "of a conversation each answer is learned"},
    {"mask_history", "", kError, "of a conversation each answer is learned; leave it out"},
    {"completion_only_loss", "true", kNote, "answers alone are learned"},
    {"completion_only_loss", "", kError, "write 'train_on_prompt: true'"},
    {"assistant_only_loss", "true", kNote, "answers alone are learned"},
    {"assistant_only_loss", "", kError, "write 'train_on_prompt: true'"},
    {"enable_thinking", "", kError,
     "write 'chat_template_kwargs: {enable_thinking: false}', and 'reasoning'"},
    // what changes no result
    {"overwrite_cache", "", kNote, "there is no cache of prepared data"},
    {"preprocessing_num_workers", "", kNote, "data is prepared as it is read"},
    {"dataset_num_proc", "", kNote, "data is prepared as it is read"},
    {"dataloader_num_workers", "", kNote, "data is prepared as it is read"},
    {"dataloader_pin_memory", "", kNote, "data is prepared as it is read"},
    {"remove_unused_columns", "", kNote, "columns that are not used are not read"},
    {"ddp_timeout", "", kNote, "one process trains"},
    {"ddp_find_unused_parameters", "", kNote, "one process trains"},
    {"plot_loss", "", kNote, "the report shows the loss"},
    {"overwrite_output_dir", "", kNote, "a run goes on with what is in output_dir; --fresh begins anew"},
    {"report_to", "", kNote, "event files, trainer_state.json and the report are written in any case"},
    {"run_name", "", kNote, "output_dir names a run"},
    {"logging_dir", "", kNote, "logs are in output_dir"},
    {"logging_steps", "", kNote, "each step is logged"},
    {"logging_strategy", "", kNote, "each step is logged"},
    {"logging_first_step", "", kNote, "each step is logged"},
    {"disable_tqdm", "", kNote, "progress is plain where it is not on a terminal"},
    {"save_strategy", "", kNote, "'save_steps' says it"},
    {"save_total_limit", "", kNote, "the newest checkpoint is kept"},
    {"save_only_model", "", kNote, "a checkpoint has what a run needs to go on"},
    {"save_safetensors", "", kNote, "weights are always safetensors"},
    {"eval_strategy", "", kNote, "'eval_steps' says it"},
    {"evaluation_strategy", "", kNote, "'eval_steps' says it"},
    {"per_device_eval_batch_size", "", kNote, "sizes of batches that only measure are chosen"},
    {"group_by_length", "", kNote, "samples are packed without padding"},
    {"use_fast_tokenizer", "", kNote, "there is one tokenizer"},
    {"trust_remote_code", "", kNote, "a model's own code is never run"},
    {"cache_dir", "", kNote, "nothing is downloaded"},
    {"use_unsloth", "", kNote, "this program's own kernels compute"},
    {"enable_liger_kernel", "", kNote, "this program's own kernels compute"},
    {"use_liger_kernel", "", kNote, "this program's own kernels compute"},
    {"tf32", "", kNote, "'dtype' says it"},
    {"gradient_checkpointing_kwargs", "", kNote, "'gradient_checkpointing' says it"},
    {"image_max_pixels", "", kNote, "texts are what is learned"},
    {"video_max_pixels", "", kNote, "texts are what is learned"},
};

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}
}  // namespace

const ForeignKey* find_foreign_key(const std::string& key, const std::string& value) {
  const auto fits = [&](const ForeignKey& row) {
    if (key != row.key || !*row.values) return key == row.key;
    const std::vector<std::string> values = comma_separated(row.values);
    return std::find(values.begin(), values.end(), lower(value)) != values.end();
  };
  const auto found = std::find_if(std::begin(kForeignKeys), std::end(kForeignKeys), fits);
  return found == std::end(kForeignKeys) ? nullptr : found;
}

}  // namespace sdft
