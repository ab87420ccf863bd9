// The Python functions that task files of the harness name (`!function utils.process_docs`), as far as they
// are known here: each is written anew and stands for the function of one file, told by the file's SHA-256,
// so that an edited or foreign file of the same name is not mistaken for it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "task/metrics.h"

namespace sdft {

// A field of a document: doc_to_text and the like.
struct DocumentField {
  Json (*of)(const Json& document);
};
// process_docs: a document as it is used.
struct DocumentFunction {
  Json (*of)(Json document);
};
// process_results of log-likelihoods: values by metric.
struct ResultFunction {
  std::vector<std::pair<std::string, MetricValue>> (*of)(const Json& document, const Judged& judged);
};

// `name` ("utils.process_docs") as the task file `file` means it. Error(kInput) naming file, key and function
// where it is not known.
const DocumentField* find_document_field(const std::string& name, const std::filesystem::path& file,
                                         const std::string& key);
const DocumentFunction* find_document_function(const std::string& name, const std::filesystem::path& file,
                                               const std::string& key);
const ResultFunction* find_result_function(const std::string& name, const std::filesystem::path& file,
                                           const std::string& key);

}  // namespace sdft
