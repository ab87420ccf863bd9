// What the checks read in an answer: numbers, function calls, final answers, programs, refusals, as the
// paper's scripts (Yang et al. 2024) do. Nothing here throws; text that is not UTF-8 is read with U+FFFD in
// place of the bad bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sdft {

// The last number of the text as an integer in canonical form ("1,080" is "1080", "-08" is "-8", "2.0" is
// "2"). None where there is no number, where the last has a fraction, or where it runs over a line break.
std::optional<std::string> last_number(std::string_view text);

// Whether the reference's call name(parameters) occurs in the answer; white space and quotes are evened out
// first. False where the reference holds no call.
bool function_call_matches(std::string_view reference, std::string_view answer);

// What the text gives as its answer, for comparison: the sentence after the last "the answer is", "Answer:",
// "final answer =" and the like ("many think the answer is" gives none), LaTeX's \boxed{}, <answer>, GSM8K's
// ####; else the whole text. A full stop after an abbreviation or initial ends no sentence. White space is
// collapsed, dashes and quotes have one form, "1,080" is "1080"; end marks, emphasis, and quotes or brackets
// around the whole are taken away.
std::string final_answer(std::string_view text);

// Whether final_answer() of both is the same, or the answer's only goes on with a reason: "5, because ...".
// Nothing agrees with an empty reference.
bool answers_agree(std::string_view reference, std::string_view answer);

// The program in an answer. Of fenced blocks (``` or ~~~, indented in a list, too) those labelled Python,
// else the unlabelled ones with a function: the first that defines something, behind the ones before it with
// imports and constants, and those after it that define further names. The last may be cut off. Where no
// block defines anything, the lines from the first import or definition on, up to the first line that is
// prose. Of a session
// (>>> and ...) what was typed.
std::optional<std::string> python_code(std::string_view text);

// What a Python text defines at its margin, classes apart.
struct PythonNames {
  std::vector<std::string> functions;  // f = lambda, too
  std::vector<std::string> classes;
};
PythonNames python_names(std::string_view code);

// The program in an answer to a prompt that is the beginning of one: imports, helpers, signature and
// docstring of the function `name`. Either the answer defines the function, and the prompt stands before it
// for what the answer leaves out, or it goes on where the prompt ends: up to the first line at the margin
// that is prose, moved in where its own indentation was lost.
std::optional<std::string> python_answer(std::string_view prompt, std::string_view name,
                                         std::string_view text);

// The prompt as a program of its own: its function does nothing.
std::string python_stub(std::string_view prompt);

// What of a text stands before the first line at the margin.
std::string python_body(std::string_view text);

// Whether a safety answer counts as declined: it contains one of the paper's strings, upper and lower case
// told apart.
bool is_refusal(std::string_view text);

// The letter, A to J, that the text chooses of a multiple choice question: "(B)", "The answer is B.",
// "b) Paris". The last that is announced, where several are; none where none is.
std::optional<std::string> chosen_letter(std::string_view text);

// Curly quotes made straight.
std::string straight_quotes(std::string_view text);

// Whether the text ends in at least 4 copies of the same block that together are at least 60 bytes long.
bool ends_in_loop(std::string_view text);

}  // namespace sdft
