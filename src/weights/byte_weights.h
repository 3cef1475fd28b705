// SPDX-License-Identifier: Apache-2.0
// Weights as signed bytes with a scale for each output channel, the first extent of a parameter:
//
//     weight = byte * scale,  byte = -127 … 127,  one of each channel's bytes being 127 or -127
//
// A scale has 17 significant bits, so that the product with a byte of 7 is a float exactly. What is
// rounded once can be taken apart into the same bytes and scales again, and rounding it again
// changes nothing: a model whose weights were rounded is the same model before and after its file.
#ifndef RESNET_WEIGHTS_BYTE_WEIGHTS_H
#define RESNET_WEIGHTS_BYTE_WEIGHTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "graph/graph.h"

// Puts the nearest product in place of each of a parameter's values. The sentence, for values that
// are not finite, names the parameter.
Status byte_weights_round(const Param *param, float *values);

// bytes[elements] and scales[dims[0]] of values that were rounded; false: they were not. A channel
// of zeros has the scale 0.
bool byte_weights_split(const Param *param, const float *values, int8_t *bytes, float *scales);

#endif
