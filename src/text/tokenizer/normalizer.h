// Normalizers: what happens to a text before it is cut into words.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer/growth.h"
#include "text/tokenizer/pre_tokenizer.h"
#include "text/unicode/normal_form.h"

namespace sdft {

class PrecompiledMap;

struct NormalizerStep {
  enum class Kind {
    kForm,  // NFC, NFD, NFKC, NFKD
    kLowercase,
    kStripAccents,     // marks go away
    kStripNonspacing,  // only Mn marks: BERT
    kStrip,            // white space at the ends
    kPrepend,          // `content` before a text that is not empty
    kReplace,          // pattern by content
    kCleanText,        // BERT: controls go away, white space becomes a space
    kSurroundChinese,  // BERT: spaces around ideographs
    kNmt,              // SentencePiece's own list of controls and spaces
    kPrecompiled,      // SentencePiece's compiled map
    kByteCharacters,   // bytes become GPT-2's printable characters
  };
  Kind kind;
  NormalForm form = NormalForm::kNfc;
  bool left = false, right = false;
  Pattern pattern;
  std::string content;
  std::shared_ptr<const PrecompiledMap> map;
  std::string where;  // the file and the step's place in it, for messages
};

// Throws Error(kInput) where a step makes the text grow without bound.
std::string normalize(const std::vector<NormalizerStep>& steps, std::string_view text, RegexScratch& scratch);

// `text` with every match replaced, as far as it may grow.
std::string replace_all(const Pattern& pattern, const std::string& content, std::string_view text,
                        RegexScratch& scratch, const Growth& growth, const std::string& where);

}  // namespace sdft
