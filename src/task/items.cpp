#include "task/items.h"

#include <algorithm>
#include <cctype>
#include <memory>

#include "base/error.h"
#include "base/interrupt.h"
#include "task/documents.h"
#include "task/python_random.h"
#include "text/jinja/string.h"

namespace sdft {

namespace {
constexpr uint32_t kFewshotSeed = 1234;  // the harness's own

bool ends_with_space(const std::string& text) {
  return !text.empty() && jinja::strip(jinja::last_character(text)).empty();
}
bool begins_with_space(const std::string& text) {
  return !text.empty() && jinja::strip(text, 1).size() < text.size();
}
bool parted(const std::string& before, const std::string& after) {
  return before.empty() || ends_with_space(before) || begins_with_space(after);
}
bool is_number(const std::string& text) {
  return !text.empty() && text.size() < 10 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); });
}
std::string text_of(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  return value.is_null() ? "None" : value.dump();
}

// What is read of a document: of the task itself, or as an example.
struct Fields {
  const Expression *text, *target, *choices;
};

struct Read {
  Json text, target;                 // a number where it names a choice
  std::vector<std::string> choices;  // empty: none
  bool choices_are_contexts() const { return text.is_number_integer(); }
};

Json number_or(const Json& value, bool choices) {
  if (choices && value.is_string() && is_number(value.get_ref<const std::string&>()))
    return std::stoll(value.get_ref<const std::string&>());
  return value;
}

Read read(const Fields& fields, const Json& document) {
  Read result;
  const bool choices = !fields.choices->empty();
  result.text = fields.text->empty() ? Json("") : number_or(fields.text->of(document), choices);
  if (!fields.target->empty()) result.target = number_or(fields.target->list_or_text(document), choices);
  if (!choices) return result;
  const Json list = fields.choices->list_or_text(document);
  if (!list.is_array() || list.empty())
    fail_input("doc_to_choice", "expected a list of choices, found " + describe(list));
  for (const Json& choice : list) result.choices.push_back(text_of(choice));
  return result;
}

const std::string& choice_of(const Read& read, const Json& place) {
  if (place.is_number_integer() && place >= 0 && place < read.choices.size())
    return read.choices[place.get<size_t>()];
  fail_input("doc_to_target",
             "names choice " + describe(place) + ", there are " + std::to_string(read.choices.size()));
}

// The right answer of an example.
std::string answer_text(const Read& read) {
  const Json& target = read.target.is_array() && !read.target.empty() ? read.target[0] : read.target;
  if (target.is_number_integer() && !read.choices.empty()) return choice_of(read, target);
  if (target.is_string()) return target.get<std::string>();
  fail_input("doc_to_target", "expected a text as an example's answer, found " + describe(target));
}

std::vector<int64_t> gold_of(const Read& read) {
  const Json& gold = read.choices_are_contexts() ? read.text : read.target;
  std::vector<int64_t> places;
  for (const Json& one : gold.is_array() ? gold : Json::array({gold})) {
    int64_t place = -1;
    if (one.is_number_integer() || one.is_boolean()) {
      place = one.is_boolean() ? static_cast<int64_t>(one.get<bool>()) : one.get<int64_t>();
      if (place < 0 || place >= static_cast<int64_t>(read.choices.size())) place = -1;
    } else {
      const auto found = std::find(read.choices.begin(), read.choices.end(), text_of(one));
      if (found != read.choices.end()) place = found - read.choices.begin();
    }
    if (place < 0)
      fail_input("doc_to_target",
                 describe(one) + " is none of the " + std::to_string(read.choices.size()) + " choices");
    places.push_back(place);
  }
  return places;
}

// Examples in front of a question, drawn as the harness draws them.
class Fewshot {
 public:
  Fewshot(const Task& task, int64_t count, const std::vector<Document>& asked,
          const std::filesystem::path& data_dir)
      : task_(task), count_(static_cast<size_t>(count)), random_(kFewshotSeed) {
    if (count == 0) return;
    const FewshotConfig& config = task.fewshot;
    const std::string split = !config.split.empty()            ? config.split
                              : !task.training_split.empty()   ? task.training_split
                              : !task.validation_split.empty() ? task.validation_split
                                                               : task.split;
    if (config.split.empty() && !config.samples.empty()) {
      for (const Json& sample : config.samples)
        pool_.push_back({task.file.string() + ": fewshot_config", sample});
    } else {
      pool_ = split == task.split ? asked : read_documents(task, split, data_dir);
    }
    if (pool_.size() < count_ + (task_.fewshot.excludes_question ? 1 : 0))
      fail_input(task.file.string(), std::to_string(count_) +
                                         " examples (num_fewshot) are wanted, there are " +
                                         std::to_string(pool_.size()));
  }

  std::vector<Message> messages(const Json& document) {
    std::vector<Message> messages;
    for (const Document* example : draw(document)) {
      const FewshotConfig& config = task_.fewshot;
      try {
        Read it = read({&config.text, &config.target, &config.choices}, example->fields);
        const std::string answer = answer_text(it);
        const std::string question = it.choices_are_contexts() ? choice_of(it, it.text) : text_of(it.text);
        const std::string prefix = task_.gen_prefix.text(example->fields);
        const bool part = prefix.empty() || !parted(question, prefix);
        messages.push_back({"user", question, part ? config.target_delimiter : ""});
        messages.push_back({"assistant",
                            prefix + (prefix.empty() || parted(prefix, answer) ? "" : " ") + answer,
                            config.delimiter});
      } catch (const Error& error) {
        fail_input(example->where + " (as an example)", error.what());
      }
    }
    return messages;
  }

 private:
  std::vector<const Document*> draw(const Json& document) {
    std::vector<const Document*> drawn;
    if (count_ == 0) return drawn;
    auto take = [&](const std::vector<size_t>& places) {
      for (const size_t place : places)
        if (drawn.size() < count_ && !(task_.fewshot.excludes_question && pool_[place].fields == document))
          drawn.push_back(&pool_[place]);
    };
    if (task_.fewshot.sampler == FewshotSampler::kFirstN) {
      std::vector<size_t> all(pool_.size());
      for (size_t i = 0; i < all.size(); ++i) all[i] = i;
      take(all);
    } else {
      take(random_.sample(pool_.size(), count_ + (task_.fewshot.excludes_question ? 1 : 0)));
    }
    return drawn.size() < count_ ? drawn_without(document) : drawn;
  }

  // Where the split repeats the question, from what is left without it.
  std::vector<const Document*> drawn_without(const Json& document) {
    std::vector<const Document*> others, drawn;
    for (const Document& one : pool_)
      if (one.fields != document) others.push_back(&one);
    if (others.size() < count_)
      fail_input(task_.file.string(), "the split of examples repeats the question too often");
    for (const size_t place : random_.sample(others.size(), count_)) drawn.push_back(others[place]);
    return drawn;
  }

  const Task& task_;
  size_t count_;
  std::vector<Document> pool_;
  PythonRandom random_;
};

// The question itself, behind description and examples.
std::vector<Message> with_question(const Task& task, std::vector<Message> messages,
                                   const std::string& question, const std::string& prefix) {
  const bool part = !prefix.empty() && !parted(question, prefix);
  messages.push_back({"user", question, part ? task.target_delimiter : ""});
  if (!prefix.empty()) messages.push_back({"assistant", prefix});
  return messages;
}

void ask(const Task& task, const Read& read, const std::vector<Message>& before, const std::string& prefix,
         EvalItem* item) {
  const std::string target = read.target.is_array() ? "" : text_of(read.target);
  if (task.output == OutputType::kMultipleChoice) {
    item->choices = read.choices;
    item->gold = gold_of(read);
    for (const std::string& choice : read.choices)
      item->questions.push_back(
          read.choices_are_contexts()
              ? Question{with_question(task, before, choice, prefix), task.target_delimiter + target}
              : Question{with_question(task, before, text_of(read.text), prefix),
                         task.target_delimiter + choice});
    return;
  }
  if (task.output == OutputType::kLogLikelihoodRolling) {
    item->questions.push_back({{}, target});
  } else {
    const bool written = is_written(task.output);
    item->questions.push_back(
        {with_question(task, before, text_of(read.text), prefix), written ? "" : target});
  }
  if (!read.choices.empty()) {
    item->references = {choice_of(read, read.target)};
  } else if (read.target.is_array()) {
    for (const Json& one : read.target) item->references.push_back(text_of(one));
  } else {
    item->references = {target};
  }
}
}  // namespace

std::string plain_text(const std::vector<Message>& messages) {
  std::string text;
  for (const Message& message : messages) text += message.content + message.delimiter;
  return text;
}

std::vector<Message> single_turn(const std::vector<Message>& messages) {
  std::vector<Message> turns;
  size_t begin = 0, end = messages.size();
  if (!messages.empty() && messages[0].role == "system") turns.push_back(messages[begin++]);
  if (end > begin && messages[end - 1].role == "assistant") --end;
  std::string question;
  for (size_t i = begin; i < end; ++i)
    question += messages[i].content + (i + 1 < end ? messages[i].delimiter : "");
  turns.push_back({"user", question});
  if (end < messages.size()) turns.push_back(messages[end]);
  return turns;
}

std::vector<EvalItem> task_items(const Task& task, const ItemOptions& options) {
  const std::vector<Document> documents = read_documents(task, task.split, options.data_dir);
  Fewshot fewshot(task, options.num_fewshot >= 0 ? options.num_fewshot : task.num_fewshot, documents,
                  options.data_dir);
  const size_t count =
      options.limit > 0 ? std::min(documents.size(), static_cast<size_t>(options.limit)) : documents.size();
  std::vector<EvalItem> items;
  for (size_t i = 0; i < count; ++i) {
    stop_if_interrupted();
    EvalItem item{
        task.name + "/" + std::to_string(i), documents[i].fields, documents[i].where, {}, {}, {}, {}};
    try {
      std::vector<Message> before;
      if (const std::string description = task.description.text(item.document); !description.empty())
        before.push_back({"system", description});
      for (Message& message : fewshot.messages(item.document)) before.push_back(std::move(message));
      const Read fields = read({&task.text, &task.target, &task.choices}, item.document);
      ask(task, fields, before, task.gen_prefix.text(item.document), &item);
    } catch (const Error& error) {
      if (error.code() == ExitCode::kInterrupted) throw;
      fail_input(item.where + ": task " + task.name, error.what());
    }
    items.push_back(std::move(item));
  }
  return items;
}

ItemResult result_of(const Task& task, const EvalItem& item, const std::vector<std::string>& answers,
                     const std::vector<double>& log_likelihoods, const std::vector<bool>& greedy,
                     const Distance& distance) {
  Judged judged{item.choices, log_likelihoods, greedy, item.gold, "", item.references, distance};
  ItemResult result;
  if (task.process_results) {
    result.values = task.process_results->of(item.document, judged);
    return result;
  }
  for (const FilterPipeline& filter : task.filters) {
    if (task.output == OutputType::kGenerateUntil) judged.answer = filter.apply(answers);
    for (const Metric& metric : task.metrics)
      result.values.emplace_back(metric.name + (filter.name == "none" ? "" : "," + filter.name),
                                 metric.of(judged));
  }
  return result;
}

}  // namespace sdft
