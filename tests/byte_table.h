// SPDX-License-Identifier: Apache-2.0
// A quantisation from the ranges of values in one float run: nothing is clipped. (train/calibration
// does it well; this is for tests and benchmarks of what lies below it.)
#ifndef TESTS_BYTE_TABLE_H
#define TESTS_BYTE_TABLE_H

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "graph/quantize.h"
#include "network/network.h"

typedef struct ByteTable {
    Quantization table;
    Arena *arena;
} ByteTable;

// Whether node and input share their scale, because bytes are only moved between them.
static inline bool shares_scale(const Node *node) {
    return node->op == OP_MAX_POOL || node->op == OP_CONCAT || node->op == OP_PAD_SHORTCUT;
}

// `network`: float, fused, its values kept, after a pass over `count` samples; must outlive this.
static inline ByteTable byte_table(const Network *network, int count) {
    const Graph *graph = network_graph(network);
    const size_t nodes = (size_t)graph->node_count;
    ByteTable result = {.arena = arena_create()};
    float *most = arena_alloc(result.arena, nodes * sizeof *most);
    bool *negative = arena_alloc(result.arena, nodes * sizeof *negative);
    result.table.values = arena_alloc(result.arena, nodes * sizeof *result.table.values);
    result.table.float_nodes = arena_alloc(result.arena, nodes * sizeof *result.table.float_nodes);
    for (NodeId i = 0; i < graph->node_count; i++) {
        Shape shape;
        const float *values = network_value(network, graph->nodes[i].name, &shape);
        for (size_t e = 0; e < shape_elements(shape) * (size_t)count; e++) {
            most[i] = fmaxf(most[i], fabsf(values[e]));
            negative[i] |= values[e] < 0;
        }
    }
    for (bool changed = true; changed;) {
        changed = false;
        for (NodeId i = 0; i < graph->node_count; i++) {
            const Node *node = &graph->nodes[i];
            for (int k = 0; shares_scale(node) && k < NODE_INPUTS && node->input[k] != NODE_NONE;
                 k++) {
                const NodeId j = node->input[k];
                changed |= most[i] != most[j] || negative[i] != negative[j];
                most[i] = most[j] = fmaxf(most[i], most[j]);
                negative[i] = negative[j] = negative[i] || negative[j];
            }
        }
    }
    for (NodeId i = 0; i < graph->node_count; i++) {
        const float levels = negative[i] ? 127 : 255;
        result.table.values[i] = (QuantizedValue){.name = graph->nodes[i].name,
                                                  .scale = fmaxf(most[i], 1e-6f) / levels,
                                                  .zero = negative[i] ? 128 : 0};
    }
    result.table.value_count = graph->node_count;
    return result;
}

#endif
