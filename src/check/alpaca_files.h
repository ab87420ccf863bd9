// The files of AlpacaEval (Li et al. 2023; alpaca_eval 0.6), both ways. Errors (kInput) name file, entry and
// field. Thread safe.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "eval/length_controlled.h"

namespace sdft {

// model_outputs.json, reference_outputs.json: what one model answered, an entry an instruction.
struct ModelOutput {
  std::string instruction, output;
  std::string generator = {};  // the model's name; "" where the file does not say
  std::string dataset = {};    // which part of the evaluation set; ""
};
std::vector<ModelOutput> read_model_outputs(const std::filesystem::path& path);
void write_model_outputs(const std::filesystem::path& path, const std::vector<ModelOutput>& outputs);

// annotations.json: a judge's preferences. output_1 is the baseline's.
struct Annotation {
  std::string instruction, output_1, output_2;
  std::string generator_1 = {}, generator_2 = {};
  std::string annotator = {};  // the judge's name
  double preference = 0;       // from 1 to 2 as in JudgedPair; 0 in a file is 1.5; null is NaN, no judgement
  std::string dataset = {};
};
std::vector<Annotation> read_annotations(const std::filesystem::path& path);
void write_annotations(const std::filesystem::path& path, const std::vector<Annotation>& annotations);

// Outputs of a model beside the baseline's, by instruction and, where one occurs several times, in order; in
// the baseline's order. The baseline may answer more. preference is NaN. Error(kInput), naming `where`, the
// first instruction that the baseline lacks.
std::vector<Annotation> paired(const std::vector<ModelOutput>& baseline,
                               const std::vector<ModelOutput>& outputs, const std::string& where);

// df_gamed.csv of the data set tatsu-lab/alpaca_eval on the Hugging Face hub, without which there is no
// "length_controlled_v1": judgements of gamed baselines, and how difficult each instruction is.
struct LengthReference {
  std::vector<GamedJudgement> gamed;
  std::vector<double> difficulty;  // by the instruction's place in the evaluation set
};
LengthReference read_length_reference(const std::filesystem::path& path);

// What the regression needs of annotations, whose places are those of `reference` (null: difficulties stay
// 0). Error(kInput), naming `where`: more annotations than difficulties.
std::vector<JudgedPair> judged_pairs(const std::vector<Annotation>& annotations,
                                     const LengthReference* reference, const std::string& where);

// leaderboard.csv: a row a model. Rates are in percent there and fractions here; NaN is what the file leaves
// out.
struct LeaderboardRow {
  std::string name;
  WinRate rate;
  double average_length = 0;  // of the model's outputs, in characters
  double length_controlled_win_rate = 0, length_controlled_standard_error = 0;
  std::string mode = "community";
};
std::vector<LeaderboardRow> read_leaderboard(const std::filesystem::path& path);
void write_leaderboard(const std::filesystem::path& path, const std::vector<LeaderboardRow>& rows);

}  // namespace sdft
