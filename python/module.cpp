// The Python module over the public API, for python/sdft/_engine.py alone: texts and numbers in, texts and
// numbers out.
#include <nanobind/nanobind.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>
#include <sdft/sdft.h>

namespace nb = nanobind;
namespace api = sdft::api;

namespace {
using Messages = std::vector<std::pair<std::string, std::string>>;  // role, content

std::vector<api::Conversation> conversations_of(const std::vector<Messages>& lists) {
  std::vector<api::Conversation> conversations(lists.size());
  for (size_t i = 0; i < lists.size(); ++i)
    for (const auto& [role, content] : lists[i]) conversations[i].push_back({role, content});
  return conversations;
}

void make(api::ChatModel* self, const std::string& folder, const std::string& adapter,
          const std::string& device, const std::string& dtype, const std::string& weights, int threads) {
  new (self) api::ChatModel(folder, {adapter, device, dtype, threads, weights});
}

auto answer(const api::ChatModel& self, const std::vector<Messages>& conversations, double temperature,
            int64_t top_k, double top_p, double repetition_penalty, int64_t max_new_tokens, uint64_t seed) {
  std::vector<std::tuple<std::string, std::string, size_t>> answers;
  for (const api::Answer& one :
       self.answer(conversations_of(conversations),
                   {temperature, top_k, top_p, repetition_penalty, max_new_tokens, seed}))
    answers.emplace_back(one.text, one.finish, one.tokens);
  return answers;
}

auto score(const api::ChatModel& self, const std::vector<Messages>& conversations) {
  std::vector<std::pair<double, int64_t>> scores;
  for (const api::LogLikelihood& one : self.score(conversations_of(conversations)))
    scores.emplace_back(one.log_prob, one.tokens);
  return scores;
}

std::string run(const std::string& recipe, const std::vector<std::string>& settings) {
  return api::run(recipe, settings);
}

// RuntimeError(message, exit code).
void translate(const std::exception_ptr& exception, void*) {
  try {
    std::rethrow_exception(exception);
  } catch (const sdft::Error& error) {
    PyErr_SetObject(PyExc_RuntimeError, nb::make_tuple(error.what(), static_cast<int>(error.code())).ptr());
  }
}
}  // namespace

NB_MODULE(_sdft, module) {
  using Unlocked = nb::call_guard<nb::gil_scoped_release>;  // another thread may interrupt()
  nb::register_exception_translator(translate, nullptr);
  nb::class_<api::ChatModel>(module, "ChatModel")
      .def("__init__", make, Unlocked())
      .def("use_adapter", &api::ChatModel::use_adapter)
      .def("answer", answer, Unlocked())
      .def("score", score, Unlocked());
  module.def("run", run, Unlocked());
  module.def("interrupt", api::interrupt);
}
