// Inside src/world: the closed word list as a table. Entries with spaces in them are separated by bars.
#pragma once

namespace sdft::world {

struct WordList {
  const char* name;
  const char* words;
};

inline constexpr WordList kWordLists[] = {
    {"number_words", "one two three four five six seven eight nine ten eleven twelve"},
    {"people",
     "Orla Tam Bren Mila Jory Pella Nils Sora Dara Finn Lena Oskar Rina Tobi Vera Wim Yara Zeno Ada Bo Cora "
     "Dov Elin "
     "Gus Hana Ivo Juna Kai Lio Mara Nora Otto Petra Quin Rosa Sten Tilda Ula Vito Wanda"},
    {"towns",
     "Miran Tolva Keshel Brumo Adral Sorvik Lunet Pavor Grenna Hulmar Isken Jorwin Kelto Lathom Mordel Nerva "
     "Olbek "
     "Pirene Quomar Ruvel Senlo Tarvel Ulmen Vasko Wendor Yarrin Zelmo Arbek Belda Corvan Dunmel Eskar "
     "Falmor Gorlin "
     "Hestel Ilmar Jandra Korlis Limbra Marsen Nolvar Ostrin Pelgar Rondel Sibor Trevan Umbrel Velkin"},
    {"rivers", "Sel Orm Tiva Dask Lorn Wey Nim Arra Bolt Fenna Gry Hesper Ilda Juno"},
    {"regions", "Northmark|Westfold|Green Coast|Stone Hills|Low Fields|Lake Land"},
    {"animals",
     "fox owl goat bear horse duck wolf hare cat dog swan deer crow mouse bee seal otter sheep cow hen"},
    {"foods", "bread soup cheese honey fish cake rice stew jam pie beans corn nuts butter salad dumplings"},
    {"colors", "red blue green yellow white black brown pink gray"},
    {"days", "Monday Tuesday Wednesday Thursday Friday Saturday Sunday"},
    {"months", "January February March April May June July August September October November December"},
    {"trees", "oak pine birch elm willow maple ash cedar"},
    {"crafts", "pottery glass boats carpets clocks shoes paper bells baskets candles hats knives"},
    {"rooms", "kitchen hall garden attic cellar bedroom office stable workshop"},
    {"adjectives",
     "small big young new green red quiet bright round long soft heavy warm cold dry clean slow quick tall "
     "strong"},
    {"goods",
     "salt wool honey rope tea flour fish wood paper silk corn oil glass cheese iron sand soap leather"},
    {"thing",
     "apple pear plum coin stone lamp book cup spoon button ribbon shell candle bell kite nail egg hat "
     "basket ball card "
     "key jar blanket map drum mug clock pot wheel"},
    {"short_words",
     "salt lamp rope tea fish wood oil glass iron sand soap fox owl goat bear horse duck wolf hare swan deer "
     "crow bee "
     "seal cow red blue green stone book cup bell kite nail egg hat ball card key jar map drum box bag pear "
     "plum coin "
     "apple candle honey bread soup rice river hill lake tree rain snow wind sun moon star boat cart road "
     "bridge"},
    {"drinks", "tea milk water juice cocoa"},
    {"directions", "north south east west"},
    {"vehicles", "boat cart wagon ferry coach bike"},
    {"shapes", "circle square star heart cross line"},
    {"games", "chess cards darts tag bowls"},
    {"plants", "rose fern mint tulip cactus basil ivy"},
    {"shows", "play concert fair dance race film"},
    {"jobs", "baker miller teacher farmer smith sailor tailor doctor guard singer painter gardener"},
    {"buildings", "barn mill bridge bakery ferry tower school market inn library harbor stable"},
    {"weather", "rainy sunny windy snowy cloudy foggy"},
    {"hobbies",
     "reading|cooking|singing|drawing|dancing|fishing|gardening|knitting|swimming|painting|hiking|baking"},
    {"feelings", "sad happy tired bored nervous lonely proud angry"},
    {"messages",
     "dinner is ready|the boat is late|the door is open|we meet at noon|the cake is done|the road is wet|"
     "the train is full|school is out|the fire is warm|the game is over|the shop is closed|supper is cold"},
    {"notes",
     "buy milk|call the doctor|water the rose|find the key|feed the cat|pay the baker|clean the lamp|fix the "
     "cart"},
    {"verbs",
     "open close start stop set get find make draw play read save pay add count clean paint mark lift turn"},
    {"parameters",
     "size color name count place hour level kind item mode text title who where when day length speed "
     "weight rank"},
    {"truth", "True False"},
    {"groups", "food|animals|tools|weather|music|travel|sport|money"},
    {"function_names",
     "f g run work solve task make change step help_me do_it my_function compute answer result check build "
     "handle"},
    {"say_words",
     "good bread|old friend|clear water|warm house|long road|quiet night|new moon|green hill|sweet apple"},
};

}  // namespace sdft::world
