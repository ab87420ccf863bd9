// The commonest short words of languages in Latin letters, as any grammar lists them: articles, pronouns,
// prepositions, conjunctions, forms of "be" and "have". In lower case; a word may be in several.
#pragma once

#include <string_view>

namespace sdft {

struct LanguageWords {
  const char* name;
  std::u32string_view words;  // separated by spaces
};

inline constexpr LanguageWords kLanguageWords[] = {
    {"en",
     U"the of and to in is that it was for on are as with be at this have from or by not but what all were "
     U"we when your can there an which their if will each about how them then these some would has more "
     U"been who its did my than his her she he they you i do does could should into because so"},
    {"de",
     U"der die das und ist nicht ein eine einen einem einer zu den dem des mit auf für von im sich auch es "
     U"als an wie bei oder wir ich sie er aus nach wird werden sind war hat haben kann können wenn aber "
     U"noch nur über zum zur durch dass diese dieser dieses sein ihre um so mehr man mein"},
    {"fr",
     U"le la les des de du un une et est dans que qui pour pas sur au aux avec ce cette ces il elle ils "
     U"elles nous vous je ne se son sa ses par plus ou où mais sont être avoir ont été comme leur leurs on "
     U"tout faire si même aussi c d l qu n s j très"},
    {"es",
     U"el la los las de del un una y es en que por para con no se su sus al lo como más pero este esta "
     U"estos son ser está están ha han hay fue sobre entre cuando también muy sin o ya porque si me mi yo "
     U"tu ellos nos donde desde todo todos puede cada"},
    {"pt",
     U"o a os as de do da dos das um uma e é em no na nos nas que por para com não se seu sua ao aos como "
     U"mais mas este esta isso são ser está foi tem têm também muito sem ou já porque eu ele ela você nós "
     U"pelo pela entre quando pode cada até"},
    {"it",
     U"il lo la i gli le di del della dei delle un una e è in che per con non si suo sua al alla come più "
     U"ma questo questa sono essere ha hanno anche molto senza o se da dal nel nella sul sulla io lui lei "
     U"noi loro cui quando perché ogni può c l"},
    {"nl",
     U"de het een en van in is dat die op te zijn met voor niet aan er om ook als dan maar bij of door naar "
     U"uit wordt worden was heeft hebben kan wel nog je ik hij zij wij ze we deze dit over meer tot hun "
     U"haar veel geen wat wie"},
    {"sv",
     U"och att det som en ett är av för på med den inte till har de om var jag han hon vi ni sig så men "
     U"från vid kan när eller efter hade också ut upp nu där hur alla detta denna dessa blir mycket än i"},
    {"da",
     U"og at det som en et er af for på med den ikke til har de om var jeg han hun vi sig så men fra ved "
     U"kan når eller efter havde også ud op nu der hvor alle dette denne disse bliver meget end i til"},
    {"pl",
     U"i w na z do nie się że to jest o jak za od po przez dla ale co są być był była może tak ten ta te "
     U"tego jego jej ich który która które przy lub oraz już tylko bardzo jako czy ze pod można"},
    {"tr",
     U"ve bir bu da de için ile ne o gibi daha çok var en kadar olarak ama değil olan sonra ben sen biz "
     U"siz onlar her şey ya ki mi mı mu veya hem göre olduğu oldu ise bunu tarafından"},
    {"id",
     U"yang dan di itu dengan untuk tidak ini dari dalam akan pada juga saya ke karena tersebut bisa ada "
     U"mereka lebih sudah atau seperti oleh adalah kita anda dapat bahwa para sebagai telah saat harus "
     U"kami dia hanya"}};

}  // namespace sdft
