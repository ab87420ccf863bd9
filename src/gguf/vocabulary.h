// A model folder's vocabulary, chat template and end tokens as GGUF metadata, tokenizer.ggml.*.
#pragma once

#include <string>
#include <vector>

#include "infer/model_bundle.h"
#include "model/gguf.h"

namespace sdft::gguf {

// Byte-level BPE (tokenizer.json) as "gpt2", SentencePiece's BPE (tokenizer.model) as "llama". How text is
// cut has only a name in the file: it is the first of those known (gguf_pre_tokenizers()) under which the
// written vocabulary, read again, gives a text full of pitfalls the same ids as the folder's tokenizer.
// Error(kInput) for other kinds, and where the ids agree under no name, with the text at which they part.
GgufMetadata vocabulary(const ModelBundle& bundle);

// The texts of all tokens that end an answer, the model's own first.
std::vector<std::string> stop_texts(const ModelBundle& bundle);

}  // namespace sdft::gguf
