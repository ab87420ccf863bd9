// The folders that users name: a model's or an adapter's. What is wrong with one is said here, for all who
// open it.
#pragma once

#include <filesystem>
#include <string>

namespace sdft {

enum class FolderKind { kModel, kAdapter };

// Error(kInput) that says what to do where `path` is no folder (a GGUF file, a single weights file, a name on
// the Hugging Face hub, a name that is not there) or the hub's cache around a model folder. Error(kUsage) for
// an empty name.
void require_folder(const std::filesystem::path& path, FolderKind kind);
// Error(kInput) where config.json or adapter_config.json is missing, saying what the folder is instead.
void require_config(const std::filesystem::path& folder, FolderKind kind);
// The Error(kInput) for a tokenizer or weights that are not there, naming those of other formats that are.
[[noreturn]] void fail_no_tokenizer(const std::filesystem::path& folder);
[[noreturn]] void fail_no_weights(const std::filesystem::path& folder, FolderKind kind);

// Copies what belongs to a model beside config.json and the weights: all that loading reads (vocabulary, chat
// template, settings of generation), and what other programs want of the kind.
void copy_beside_weights(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace sdft
