#include "check/language.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace sdft {
namespace {

// The same few sentences in each language; own text.
const std::map<std::string, std::string> kSentences = {
    {"en",
     "The baker opens the shop early in the morning because people want fresh bread before they go to work."},
    {"de",
     "Der Bäcker öffnet den Laden früh am Morgen, weil die Leute frisches Brot wollen, bevor sie zur Arbeit "
     "gehen, und das ist auch gut so."},
    {"fr",
     "Le boulanger ouvre le magasin tôt le matin parce que les gens veulent du pain frais avant de partir au "
     "travail, et c'est une bonne chose."},
    {"es",
     "El panadero abre la tienda temprano por la mañana porque la gente quiere pan fresco antes de ir al "
     "trabajo, y también hay café para los niños."},
    {"pt",
     "O padeiro abre a loja cedo pela manhã porque as pessoas querem pão fresco antes de ir ao trabalho, e "
     "também há café para você e não só para as crianças."},
    {"it",
     "Il fornaio apre il negozio presto la mattina perché la gente vuole il pane fresco prima di andare al "
     "lavoro, e c'è anche il caffè per gli amici della casa."},
    {"nl",
     "De bakker opent de winkel vroeg in de ochtend omdat de mensen vers brood willen voordat ze naar het "
     "werk "
     "gaan, en dat is ook goed voor het dorp."},
    {"sv",
     "Bagaren öppnar butiken tidigt på morgonen för att folk vill ha färskt bröd innan de går till arbetet, "
     "och "
     "det är bra för alla som inte har tid."},
    {"da",
     "Bageren åbner butikken tidligt om morgenen, fordi folk gerne vil have frisk brød, før de går på "
     "arbejde, "
     "og det er godt for alle, der ikke har tid af sig selv."},
    {"pl",
     "Piekarz otwiera sklep wcześnie rano, bo ludzie chcą świeżego chleba, zanim pójdą do pracy, i to jest "
     "dobre dla wszystkich, którzy nie mają czasu, ale są głodni."},
    {"tr",
     "Fırıncı dükkânı sabah erken açar, çünkü insanlar işe gitmeden önce taze ekmek ister ve bu her zaman "
     "çok "
     "iyi bir şey olarak görülür, ama daha pahalı değil."},
    {"id",
     "Tukang roti membuka toko itu pagi-pagi karena orang ingin roti segar sebelum pergi bekerja, dan itu "
     "juga "
     "baik untuk mereka yang tidak bisa menunggu."},
    {"zh", "面包师很早就开店，因为人们上班之前想要新鲜的面包。"},
    {"ja", "パン屋は朝早く店を開けます。人々は仕事に行く前に新しいパンが欲しいからです。"},
    {"ko", "빵집 주인은 아침 일찍 가게를 엽니다. 사람들은 출근하기 전에 신선한 빵을 원합니다."},
    {"cyrillic", "Пекарь открывает магазин рано утром, потому что люди хотят свежего хлеба до работы."},
    {"greek", "Ο φούρναρης ανοίγει το μαγαζί νωρίς το πρωί, γιατί ο κόσμος θέλει φρέσκο ψωμί."},
    {"arabic", "يفتح الخباز المتجر في الصباح الباكر لأن الناس يريدون خبزا طازجا قبل الذهاب إلى العمل."},
    {"hebrew", "האופה פותח את החנות מוקדם בבוקר כי אנשים רוצים לחם טרי לפני העבודה."},
    {"devanagari", "बेकर सुबह जल्दी दुकान खोलता है क्योंकि लोग काम पर जाने से पहले ताज़ी रोटी चाहते हैं।"},
    {"thai", "คนทำขนมปังเปิดร้านแต่เช้าเพราะผู้คนต้องการขนมปังสดก่อนไปทำงาน"}};

TEST(Language, IsFound) {
  for (const auto& [name, text] : kSentences) EXPECT_EQ(language_of(text), name) << text;
  for (const std::string& name : language_names()) EXPECT_NE(name, "latin");
}

TEST(Language, EachChangeIsSeen) {
  for (const auto& [a, before] : kSentences)
    for (const auto& [b, now] : kSentences)
      EXPECT_EQ(language_change("", before, now), a == b ? "" : b + " instead of " + a);
}

TEST(Language, UnsureWhereThereIsLittle) {
  for (const char* text :
       {"", "5", "The answer is 5.", "Paris", "f(x) = y + 1", "42, 17, 8", "Brumo, 2, cheese",
        "https://example.org/a/b?c=d", "你好", "apples, bananas, carrots, dates, elderberries, figs"})
    EXPECT_EQ(language_of(text), "") << text;
  EXPECT_EQ(language_of("```python\nfor the in of and is that: it was on\n```"), "");
}

TEST(Language, ShortTextsCodeAndQuotationsPass) {
  const std::string& en = kSentences.at("en");
  const std::string& fr = kSentences.at("fr");
  EXPECT_EQ(language_change("", en, "5"), "");
  EXPECT_EQ(language_change("", "5", en), "");
  EXPECT_EQ(language_change("", en, "Bonjour à tous!"), "");
  EXPECT_EQ(language_change("", en, "π r² ≈ 3.14 (α, β, γ)"), "");
  EXPECT_EQ(language_change("", en, "```python\nprint(1)\n```"), "");
  EXPECT_EQ(language_change("Translate: " + en, fr,
                            "Here is the translation that you have asked for, and it is: " + fr),
            "");
  EXPECT_EQ(language_change("Write Paris in Chinese.", "巴黎", "巴黎"), "");
  EXPECT_EQ(language_change("How do you say thanks in Russian?", "Спасибо",
                            "In Russian it is said like this: Спасибо"),
            "");
  EXPECT_EQ(language_change("Say it in Spanish.", "Hola, amigos",
                            "¡Hola, amigos! ¿Qué tal están todos los de la casa?"),
            "");
  EXPECT_EQ(language_change("", en, en + " (in French: le pain)"), "");
}

// A terse label says nothing of its language; the question does.
TEST(Language, OfTheQuestionWhereTheAnswerOnlyRepeatsIt) {
  const std::string question =
      "Is this review positive or negative? The bread was good, and they were nice to us.";
  EXPECT_EQ(language_change(question, "positive", kSentences.at("fr")), "fr instead of en");
  EXPECT_EQ(language_change(question, "positive", kSentences.at("zh")), "zh instead of en");
  EXPECT_EQ(language_change(question, "5", kSentences.at("de")), "de instead of en");
  EXPECT_EQ(
      language_change(question, "positive", "The review is positive, because they were nice to all of us."),
      "");
}

TEST(Language, WordSalad) {
  const std::string& en = kSentences.at("en");
  EXPECT_EQ(language_change("", en, "la que de los con una por mesa gato y el para sobre árbol pero no"),
            "es instead of en");
  EXPECT_EQ(language_change("", en, "the слово собака и 的 стол в не на кот что с он"),
            "cyrillic instead of en");
}

}  // namespace
}  // namespace sdft
