// What becomes of a trained model without training it again. W0: the seed's weights, W: the tuned ones.
#pragma once

#include "model/lora.h"

namespace sdft {

// W0 + scale (W - W0): 0 the seed, 1 the tuned model. (Model soups, Wortsman et al. 2022; WiSE-FT, arXiv
// 2109.01903)
void scale_change(Model& tuned, const Model& seed, double scale);
// The same of an adapter: its updates and the whole weights that it brings.
void scale_change(Adapter& adapter, const Model& seed, double scale);

// Of each matrix the `ratio` of its weights with the largest |W - W0| / |W0| go back to W0 (forgetting-aware
// pruning, arXiv 2509.08255). Weights that did not change stay; norms and biases do, too.
void prune_change(Model& tuned, const Model& seed, double ratio);

}  // namespace sdft
