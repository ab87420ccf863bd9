// What a training's process holds at its peak on a CPU, foretold from shapes: of the weights, of what is
// trained and of the largest forward pass. Nothing is run. In bytes; N tokens, n of them learned, C width, F
// size of the mlp, H query and G key/value heads of D, V vocabulary, r rank.
//
// Trained values P: 4 P themselves (in full fine-tuning a copy beside the seed), 8 P moments, 4 P gradients.
// Gradients are there from the first backward pass of a step on: where the step is a single pass, they grow
// as activations go.
//
// Activations: what one forward pass keeps for its gradients, 4 bytes a number. A layer that a gradient
// passes through:
//   norms      N (C + 1) each: the input, and 1 / rms
//   attention  N (2 H D + 2 G D + H): queries, keys, values, what comes out, sums of the softmax; heads that
//              are normalised N (D + 1) more each
//   mlp        2 N F: gate and up; 3 N F with GELU; a mixture: F of its K experts a token, what they give
//              twice, 2 N K C, and N (2 E + 6 K) of the router
//   an update  N (in + r): A's input, where nothing else keeps it (with dropout: always), and A's output;
//              N out more with DoRA
//   trained    N in: the input of each linear layer, once
// With recomputation a layer keeps its input alone, N C, and one layer at a time all of the above.
//
// Beside them, whichever is more:
//   the head   its chunk of logits (ops::linear_cross_entropy 2^24 numbers; ops::linear_loss, for losses of
//              rows, about 12 times 2^22), the head in f32 or its gradients' bf16 where it is kept in less,
//              2 n C, and where it is trained its gradient
//   backward   the gradients of a layer's widest place, N (3 F + 2 C), and its largest weight in f32
//   the end    gradients of all that is trained, and a tied embedding's second time
#pragma once

#include "train/trainer.h"

namespace sdft {

// The pass that has the peak is counted with what is there besides; all in bytes.
struct MemoryNeed {
  int64_t weights = 0;      // of the seed
  int64_t trained = 0;      // values, moments and gradients of what is trained, and an objective's copies
  int64_t activations = 0;  // of the largest micro-batch
  int64_t head = 0;         // logits and losses, or what the backward pass needs besides
  int64_t process = 0;      // libraries, tokenizer, data

  int64_t total() const { return weights + trained + activations + head + process; }
};

// What is trained, as it is loaded: tensors may be without memory (model/skeleton.h).
struct TrainingShape {
  const Model& model;
  const Adapter* adapter;  // null: all weights are trained
  int64_t weight_bytes;    // of the seed
  int64_t process_bytes;   // of all else
  ObjectiveMemory objective = {false, 0, 0};
};

// Of a training with these passes, `recompute` as TrainOptions::gradient_checkpointing. The order counts:
// gradients are there from a step's second pass on.
MemoryNeed foretold_memory(const TrainingShape& shape, const TrainOptions& options,
                           const std::vector<PassShape>& passes, bool recompute);

}  // namespace sdft
