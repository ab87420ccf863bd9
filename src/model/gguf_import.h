// GGUF files as Hugging Face model folders, so that all else here need not know the format. Weights come out
// in Hugging Face's names and order of rows, dequantised; the vocabulary as tokenizer.json (byte-level BPE)
// or tokenizer.model (SentencePiece).
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "model/format/config.h"
#include "model/gguf.h"

namespace sdft {

// config.json of the model in the file. Error(kInput) naming the file: an architecture that is not known,
// settings that config.json cannot say, a missing number.
Json gguf_config(const GgufFile& file);
// gguf_config's rope_scaling; null where positions are not stretched. head_dim: what is rotated of it is
// known by the file.
Json gguf_rope_scaling(const GgufFile& file, const std::string& arch, double theta);

// tokenizer.json or tokenizer.model, tokenizer_config.json and generation_config.json: name -> bytes.
// Error(kInput): a vocabulary of another kind, a pre-tokenizer that is not known (with the known ones),
// lists that do not fit each other.
std::map<std::string, std::string> gguf_tokenizer_files(const GgufFile& file);
// tokenizer.ggml.pre: one name for each way to cut text that is known, without llama.cpp's "default".
std::vector<std::string> gguf_pre_tokenizers();

// "auto": f32 where the matrices are F32, bf16 where they are BF16, else f16.
at::ScalarType gguf_output_type(const GgufFile& file, const std::string& dtype);
// Writes model.safetensors. Error(kInput) naming the tensor: missing, of another shape than the configuration
// asks for, or one that the model has no place for.
void write_gguf_weights(const GgufFile& file, const ModelConfig& config, const std::filesystem::path& dir,
                        at::ScalarType type);

}  // namespace sdft
