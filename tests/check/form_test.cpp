// The checks of a rewrite's form: phrases, refusals, repetition, length, similarity.
#include <gmock/gmock.h>

#include "base/error.h"
#include "base/file.h"
#include "check/answer.h"
#include "check/check.h"
#include "testing.h"

namespace sdft {
namespace {

EvalResult judged(const std::string& check, const std::string& original, const std::string& rewrite) {
  Example example;
  example.id = "a";
  example.response = original;
  return judge(parse_check(check, kAcceptance), {check_item(example, rewrite)}).at(0);
}
bool passes(const std::string& check, const std::string& original, const std::string& rewrite) {
  return judged(check, original, rewrite).verdict == Verdict::kPass;
}
std::string matched(const std::string& check, const std::string& original, const std::string& rewrite) {
  return judged(check, original, rewrite).matched;
}

TEST(Phrases, ThePapersAreTheSameInBoth) {
  for (const char* text : {"As the Reference Answer says", "This is my response", "your own response: 1",
                           "Now it's your turn!", "Your turn", "REFERENCE ANSWER"})
    for (const char* check : {"paper", "banned_phrase"}) {
      EXPECT_FALSE(passes(check, "1", text)) << text;
      EXPECT_FALSE(passes(check, text, text)) << "the paper does not look at the original";
    }
  EXPECT_TRUE(passes("paper", "1", "It is not Your turn yet"));
  EXPECT_TRUE(passes("paper", "1", "Now it’s your turn!"));
  EXPECT_EQ(matched("banned_phrase", "1", "Now it’s your turn!"), "now it's your turn");
  EXPECT_EQ(matched("paper", "1", "Well: My Response is 1"), "my response");
}

TEST(Phrases, Artefacts) {
  for (const char* text :
       {"Based on the reference, it is 1.", "Your answer is correct!", "The given answer is right.",
        "I agree with the answer you provided.", "Great job! It is 1.", "**Well done!** 1",
        "### Response:\n1", "According to the reference it is 1.", "Please provide your answer in a table."})
    EXPECT_FALSE(passes("banned_phrase", "1", text)) << text;
  for (const char* text : {"Write your answers here.", "Use the reference section.", "He does a great job.",
                           "The answer is 1.", "Your answering machine"})
    EXPECT_TRUE(passes("banned_phrase", "1", text)) << text;
  EXPECT_TRUE(passes("banned_phrase", "Explain your answer.", "What is 1 + 1? Explain your answer."));
  EXPECT_TRUE(passes("banned_phrase", "Great job, team!", "Great job, all of you!"));
}

TEST(Phrases, OwnListsPerLanguage) {
  testing::ScratchDir dir;
  const std::string path = (dir / "my phrases.txt").string(), check = "banned_phrase:" + path;
  write_file_atomic(path, "\xef\xbb\xbf# mine\nTo Cut  a long\r\n\n[de]\nÜbrigens\n[fr]\nsur le\n");
  EXPECT_EQ(matched(check, "1", "so to cut a long story short"), "to cut a long");
  EXPECT_EQ(matched(check, "1", "ÜBRIGENS: 1"), "übrigens");
  EXPECT_TRUE(passes(check, "1", "This is the way that they have sur le in all of their texts and in it."));
  EXPECT_FALSE(
      passes(check, "1", "C'est sur le toit que nous avons vu les chats et le chien avec une balle."));
  EXPECT_TRUE(passes(check, "1", "my response")) << "an own list stands in place of the built-in one";
  auto fault = [&](const std::string& text) {
    write_file_atomic(path, text);
    return fault_of_check(check, kAcceptance);
  };
  EXPECT_THAT(fault("# nothing\n"), ::testing::HasSubstr("holds no phrase"));
  EXPECT_THAT(fault(""), ::testing::HasSubstr("holds no phrase"));
  EXPECT_THAT(fault("a\n[xx]\nb\n"), ::testing::HasSubstr(".txt:2: no language is called 'xx'"));
  EXPECT_THAT(fault("a\xff\n"), ::testing::HasSubstr("not UTF-8 at byte 1"));
  EXPECT_EQ(fault("[INST]\n"), "");
}

TEST(Refusals, AreFoundAtTheBeginning) {
  for (const char* text : {"I'm sorry, but I can't help with that.",
                           "I’m really sorry, but I can’t assist with that request.",
                           "I cannot fulfill your request. I'm just an AI.",
                           "Sorry, I can't do that.",
                           "I apologize, but I cannot provide it.",
                           "As an AI language model, I do not have access to the internet.",
                           "I'm unable to provide medical advice.",
                           "Unfortunately, I am not able to answer this.",
                           "I must decline.",
                           "Hello! I'm not able to write that.",
                           "Thank you for asking! However, I cannot provide the answer.",
                           "**I can't assist with that.**",
                           "It is not appropriate for me to say that.",
                           "I cannot in good conscience write this.",
                           "Es tut mir leid, aber ich kann dabei nicht helfen.",
                           "Lo siento, pero no puedo ayudarte con eso.",
                           "Désolé, je ne peux pas répondre.",
                           "Mi dispiace, ma non posso aiutarti.",
                           "很抱歉，我无法回答这个问题。",
                           "Извините, но я не могу помочь.",
                           "申し訳ありませんが、お答えできません。"})
    EXPECT_FALSE(passes("refusal", "Here it is.", text)) << text;
}

TEST(Refusals, WhatOnlyLooksLikeOne) {
  for (const char* text :
       {"As an engineer, I build bridges.", "I'm sorry for your loss.",
        "I am sorry to hear that you are ill.", "I can't help falling in love.", "I cannot help but smile.",
        "It is illegal to park here.", "I do not like green eggs.", "OpenAI made it.",
        "Hello! Here is your poem.", "You cannot divide by zero.", "The children said: I can't wait!",
        "I can't believe I finally got the job!", "We apologize for the delay and will send a new one."})
    EXPECT_TRUE(passes("refusal", "Here it is.", text)) << text;
  EXPECT_TRUE(passes("refusal", "I'm sorry, but I can't help with that.", "Sorry, but I cannot assist."));
  for (const char* word :
       {"sorry ", "sorry, ", "oh ", "i'm sorry ", "i can't ", "well but ", "hi. ", "as an ai "}) {
    std::string many;
    while (many.size() < 2000) many += word;
    EXPECT_TRUE(passes("refusal", "Here it is.", many)) << word << "must not take for ever";
  }
  const std::string late = "First. Second. Third. Fourth. ";
  EXPECT_TRUE(passes("refusal", "Here it is.", late + "I cannot provide more."));
  EXPECT_EQ(matched("refusal", "1", "I’m sorry, but I can’t help."), "i'm sorry, but i can't help");
}

TEST(Repetition, SoupsOfFewWords) {
  std::string soup;
  const char* words[] = {"apple", "table", "cloud"};
  for (int i = 0; i < 30; ++i) soup += std::string(words[(i * i + i / 4) % 3]) + " ";
  EXPECT_FALSE(ends_in_loop(soup));
  EXPECT_FALSE(passes("repetition", "A fruit lies on the table.", soup));
  EXPECT_TRUE(passes("repetition", soup, soup)) << "so is the original";
  std::string table;
  for (int i = 1; i <= 10; ++i)
    table += "2 times " + std::to_string(i) + " is " + std::to_string(2 * i) + "\n";
  EXPECT_TRUE(passes("repetition", "see there", table));
  EXPECT_TRUE(passes("repetition", "see there", "```\n" + soup + "\n```\n"));
  EXPECT_EQ(matched("repetition", "1", "Well. " + std::string(70, '!')), "!");
}

TEST(Length, RatioOfCharacters) {
  EXPECT_TRUE(passes("length_ratio:0.5-2", "äöüß", "abcdefgh"));
  EXPECT_EQ(matched("length_ratio:0.5-2", "äöüß", "abcdefghi"), "ratio 2.2");
  EXPECT_EQ(matched("length_ratio:0.5-2", "äöüß", "a"), "ratio 0.25");
}

TEST(Similarity, OfTheRewriteToItsOriginal) {
  EXPECT_TRUE(passes("similarity:1", "the cat sat", "the cat sat"));
  EXPECT_TRUE(passes("similarity:0.6", "the cat sat down", "the cat sat up"));
  EXPECT_FALSE(passes("similarity:0.6", "the cat sat down", "dogs bark"));
  EXPECT_EQ(matched("similarity:0.6", "the cat sat down", "dogs bark"), "0");
}

}  // namespace
}  // namespace sdft
