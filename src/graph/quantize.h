// SPDX-License-Identifier: Apache-2.0
// Quantisation: the same network with most of its values held as bytes. Models stay plain; this
// pass rewrites a fused graph, and what its nodes compute then is in backend/int8.h.
//
//     float -> quantize -> conv -> max_pool -> conv, conv ... -> global_pool -> linear -> float
//
// Which ops know bytes:
//
//     conv, linear   read bytes, when they are not kept in float; a convolution's result is bytes
//                    where a reader wants bytes, else float; its residual is bytes too
//     max_pool, pad_shortcut, concat
//                    bytes to bytes of the same scale and zero, where a reader wants bytes
//     global_pool    bytes to float
//
// All others compute in float. OP_QUANTIZE and OP_DEQUANTIZE stand between, at most one of them for
// each value.
#ifndef RESNET_GRAPH_QUANTIZE_H
#define RESNET_GRAPH_QUANTIZE_H

#include "graph/graph.h"

// How a node's value is held as bytes: value = scale * (byte - zero).
typedef struct QuantizedValue {
    const char *name; // of the node in the fused graph
    float scale;      // above 0
    int32_t zero;     // 0: the value is never below 0; or 128
} QuantizedValue;

typedef struct Quantization {
    QuantizedValue *values; // values without an entry stay float
    int32_t value_count;
    const char **float_nodes; // convolutions and linear layers that compute in float
    int32_t float_count;
} Quantization;

enum {
    // Most products in one sum of a layer in bytes: 255 * 127 * 32768 is below 2^30. Layers with
    // more of them stay in float, and so do those whose groups are no multiple of 4 channels.
    QUANTIZED_DEPTH_MAX = 32768
};

// A new graph (destroy it with graph_destroy(); the old one is unchanged and may go first) from one
// that was fused for inference. Nodes keep their names; a conversion is called "NODE.quantize" or
// "NODE.dequantize". Fails when the table names a node that the graph has not, or has a scale or
// zero that cannot be.
Status graph_quantize(const Graph *fused, const Quantization *table, Graph **out);

#endif
