// The Python module over the public API; python/sdft/__init__.py gives it its form.
#include <nanobind/nanobind.h>
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>
#include <pthread.h>
#include <sdft/sdft.h>

#include <csignal>
#include <future>
#include <mutex>
#include <optional>
#include <thread>

namespace nb = nanobind;
using namespace nb::literals;
namespace api = sdft::api;

namespace {
using Messages = std::vector<std::pair<std::string, std::string>>;  // role, content

std::vector<api::Conversation> conversations_of(const std::vector<Messages>& lists) {
  std::vector<api::Conversation> conversations;
  for (const Messages& messages : lists) {
    conversations.emplace_back();
    for (const auto& [role, content] : messages) conversations.back().push_back({role, content});
  }
  return conversations;
}

// The result of work(), which has a thread of its own: without Python's lock, one at a time, and with all
// signals blocked (see sdft.h). This thread meanwhile looks whether Python wants to stop.
template <typename Work>
auto compute(const Work& work) {
  static std::mutex one_at_a_time;
  std::packaged_task<decltype(work())()> task([&work] {
    std::lock_guard<std::mutex> lock(one_at_a_time);
    return work();
  });
  auto result = task.get_future();
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::thread thread(std::move(task));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::optional<nb::python_error> stopped;
  const auto ready = [&] {
    nb::gil_scoped_release release;
    return result.wait_for(std::chrono::milliseconds(50)) == std::future_status::ready;
  };
  while (!ready()) {
    if (stopped || PyErr_CheckSignals() == 0) continue;
    stopped.emplace();
    api::interrupt();
  }
  thread.join();
  if (!stopped) return result.get();
  api::interrupt(false);
  throw nb::python_error(*stopped);
}

// sdft.Error with the message and `code`; KeyboardInterrupt where another thread's stopped this one, too.
void translate(const std::exception_ptr& exception, void* type) {
  try {
    std::rethrow_exception(exception);
  } catch (const sdft::Error& error) {
    if (error.code() == sdft::ExitCode::kInterrupted) return PyErr_SetNone(PyExc_KeyboardInterrupt);
    nb::object value = nb::handle(static_cast<PyObject*>(type))(error.what());
    value.attr("code") = static_cast<int>(error.code());
    PyErr_SetObject(value.type().ptr(), value.ptr());
  }
}
}  // namespace

NB_MODULE(_sdft, module) {
  nb::object error =
      nb::steal(PyErr_NewExceptionWithDoc("sdft.Error",
                                          "What went wrong, where, what was expected and what to do. code: 2 "
                                          "usage, 3 input, 4 device, 1 a bug in sdft",
                                          PyExc_RuntimeError, nullptr));
  module.attr("Error") = error;
  nb::register_exception_translator(translate, error.release().ptr());

  nb::class_<api::Answer>(module, "Answer")
      .def_ro("text", &api::Answer::text)
      .def_ro("finish", &api::Answer::finish,
              "stop, length, context, prompt_too_long (then there is no text)")
      .def_ro("tokens", &api::Answer::tokens)
      .def("__str__", [](const api::Answer& answer) { return answer.text; })
      .def("__repr__", [](const api::Answer& answer) {
        return nb::str("Answer(text={!r}, finish={!r}, tokens={})")
            .format(answer.text, answer.finish, answer.tokens);
      });
  nb::class_<api::LogLikelihood>(module, "LogLikelihood")
      .def_ro("log_prob", &api::LogLikelihood::log_prob, "natural logarithm, summed over the answer's tokens")
      .def_ro("tokens", &api::LogLikelihood::tokens, "with the end of turn")
      .def("__repr__", [](const api::LogLikelihood& likely) {
        return nb::str("LogLikelihood(log_prob={:.4f}, tokens={})").format(likely.log_prob, likely.tokens);
      });

  nb::class_<api::ChatModel>(module, "ChatModel")
      .def("__init__",
           [](api::ChatModel* self, const std::filesystem::path& folder, const std::string& adapter,
              const std::string& device, const std::string& dtype, const std::string& weights, int threads) {
             new (self) api::ChatModel(compute([&] {
               return api::ChatModel(folder, {adapter, device, dtype, threads, weights});
             }));
           })
      .def("use_adapter", &api::ChatModel::use_adapter)
      .def("answer",
           [](const api::ChatModel& self, const std::vector<Messages>& conversations, double temperature,
              int64_t top_k, double top_p, double repetition_penalty, int64_t max_new_tokens, uint64_t seed) {
             const api::AnswerOptions options{temperature,        top_k,          top_p,
                                              repetition_penalty, max_new_tokens, seed};
             return compute([&] { return self.answer(conversations_of(conversations), options); });
           })
      .def("score", [](const api::ChatModel& self, const std::vector<Messages>& conversations) {
        return compute([&] { return self.score(conversations_of(conversations)); });
      });
  module.def("run", [](const std::filesystem::path& recipe, const std::vector<std::string>& settings) {
    return compute([&] { return api::run(recipe, settings); });
  });
}
