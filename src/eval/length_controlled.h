// Win rates of answers that a judge compared in pairs with a baseline's, as AlpacaEval (Li et al. 2023)
// counts them, and its length-controlled win rate (Dubois et al. 2024, arXiv 2404.04475): what the win rate
// would be if both answers were equally long. Rates are fractions where alpaca_eval prints percent. Thread
// safe; no errors but std::logic_error for a caller's own mistakes.
#pragma once

#include <cstdint>
#include <vector>

namespace sdft {

// A judgement is from 1 (the baseline's answer is better) to 2 (the model's); 1.5 is a tie, NaN says that
// there is none (the judge failed). Files of alpaca_eval may write a tie as 0; readers turn it into 1.5.
struct WinRate {
  double win_rate = 0, standard_error = 0;  // of the mean of (preference - 1); NaN of none (one: no error)
  double discrete_win_rate = 0;  // of preferences rounded to win, tie and loss; a tie is half a win
  uint64_t wins = 0, losses = 0, ties = 0;
  uint64_t unjudged = 0;  // in none of the numbers above
};
WinRate win_rate(const std::vector<double>& preferences);

struct JudgedPair {
  double preference = 0;                    // as above
  int64_t baseline_length = 0, length = 0;  // of the two answers, in characters (code points)
  double difficulty = 0;                    // of the instruction; only with kRegularised and kWithDifficulty
};

// A judgement of a baseline's answers rewritten to be long or short: what only length does to the judge.
struct GamedJudgement {
  double preference = 0;         // from 0 to 1 here, as alpaca_eval's df_gamed.csv has it
  double length_difference = 0;  // (baseline - other) / its standard deviation
  double difficulty = 0;
};

// The features of the logistic regression. The names are alpaca_eval's `glm_name`.
enum class LengthModel {
  kRegularised,     // "length_controlled_v1", the leaderboard's: with the gamed judgements beside the pairs
  kWithDifficulty,  // "length_controlled_noreg": length, instruction and model
  kMinimal,         // "length_controlled_minimal": length and model
};

struct LengthControlled {
  double win_rate = 0, standard_error = 0;
  double length_weight = 0, difficulty_weight = 0, model_weight = 0;  // of the regression
  double inverse_penalty = 0;  // C, which cross-validation chose among 10 from 1e-4 to 1e4
};

// P(the model's answer is preferred) = logistic(a tanh(d) + b difficulty + c), d the difference in length
// over its standard deviation, fitted with an L1 penalty and fractional labels; C by 5-fold cross-validation
// in which pair i of N (gamed judgements first) is of fold (N - 1 - i) mod 5; the rate is the mean over all
// pairs (those without a judgement, too) with d = 0. The numbers are those of alpaca_eval 0.6.6 with
// scikit-learn 1.9 to the last digits: the fit stops where its does, some 0.002 % from the optimum. NaN where
// fewer than 5 pairs are judged. Error (std::logic_error): gamed judgements without kRegularised, or none
// with it.
LengthControlled length_controlled_win_rate(const std::vector<JudgedPair>& pairs, LengthModel model,
                                            const std::vector<GamedJudgement>& gamed = {});

}  // namespace sdft
