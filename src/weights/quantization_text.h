// SPDX-License-Identifier: Apache-2.0
// A model's quantisation as a line of metadata in its file, in JSON:
//
//     {"values": [{"name": "input", "scale": 0.0207, "zero": 128}, ...], "float": ["fc"]}
//
// `values` has every node of the fused graph, `float` those that stay in float.
#ifndef RESNET_WEIGHTS_QUANTIZATION_TEXT_H
#define RESNET_WEIGHTS_QUANTIZATION_TEXT_H

#include "base/arena.h"
#include "graph/quantize.h"

#define QUANTIZATION_KEY "resnet.quantization"

// *text is to be freed.
Status quantization_print(const Quantization *table, char **text);
// Checks the text against the model's own graph: each node of its fused form must have one scale,
// finite and above 0, with zero 0 or 128. Sentences do not name the file. All of *out lives in
// `arena`.
Status quantization_parse(const char *text, const Graph *graph, Arena *arena, Quantization *out);

#endif
