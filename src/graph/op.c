// SPDX-License-Identifier: Apache-2.0
// The op table and the questions that it answers.
#include "graph/op.h"

#include <assert.h>

#include "graph/op_rules.h"

static uint64_t conv_macs(const Graph *graph, const Node *node) {
    const ConvAttr *conv = &node->conv;
    uint64_t in = (uint64_t)(graph_shape(graph, node->input[0]).channels / conv->groups);
    uint64_t window = (uint64_t)conv->kernel_height * (uint64_t)conv->kernel_width;
    return shape_elements(node->shape) * window * in;
}

static uint64_t linear_macs(const Graph *graph, const Node *node) {
    return shape_elements(graph_shape(graph, node->input[0])) * (uint64_t)node->shape.channels;
}

// Mean and 1/sqrt(variance + epsilon) of the batch.
static size_t norm_saved(const Graph *graph, const Node *node, int batch) {
    (void)graph;
    (void)batch;
    return 2 * (size_t)node->shape.channels;
}

// The place of each maximum in its window, in bytes.
static size_t max_pool_saved(const Graph *graph, const Node *node, int batch) {
    (void)graph;
    return ((size_t)batch * shape_elements(node->shape) + 3) / 4;
}

// The probabilities.
static size_t softmax_loss_saved(const Graph *graph, const Node *node, int batch) {
    return (size_t)batch * shape_elements(graph_shape(graph, node->input[0]));
}

static const OpRow ROWS[OP_COUNT] = {
    [OP_INPUT] = {.name = "input", .infer = op_infer_input},
    [OP_CONV] = {.name = "conv",
                 .infer = op_infer_conv,
                 .declare = op_declare_conv,
                 .macs = conv_macs,
                 .backward_reads = READS_INPUT},
    [OP_NORM] = {.name = "norm",
                 .infer = op_infer_same,
                 .declare = op_declare_norm,
                 .saved = norm_saved,
                 .backward_reads = READS_INPUT | READS_SAVED,
                 .in_place = true},
    [OP_RELU] = {.name = "relu",
                 .infer = op_infer_same,
                 .backward_reads = READS_OUTPUT,
                 .in_place = true},
    [OP_SIGMOID] = {.name = "sigmoid",
                    .infer = op_infer_same,
                    .backward_reads = READS_OUTPUT,
                    .in_place = true},
    [OP_ADD] = {.name = "add", .infer = op_infer_add, .in_place = true},
    [OP_GATE] = {.name = "gate",
                 .infer = op_infer_gate,
                 .backward_reads = READS_INPUT,
                 .in_place = true},
    [OP_CONCAT] = {.name = "concat", .infer = op_infer_concat},
    [OP_MAX_POOL] = {.name = "max_pool",
                     .infer = op_infer_max_pool,
                     .saved = max_pool_saved,
                     .backward_reads = READS_SAVED},
    [OP_AVG_POOL] = {.name = "avg_pool", .infer = op_infer_avg_pool},
    [OP_GLOBAL_POOL] = {.name = "global_pool", .infer = op_infer_global_pool},
    [OP_LINEAR] = {.name = "linear",
                   .infer = op_infer_linear,
                   .declare = op_declare_linear,
                   .macs = linear_macs,
                   .backward_reads = READS_INPUT},
    [OP_PAD_SHORTCUT] = {.name = "pad_shortcut", .infer = op_infer_pad_shortcut},
    [OP_DROPOUT] = {.name = "dropout", .infer = op_infer_dropout, .in_place = true},
    [OP_LRN] = {.name = "lrn", .infer = op_infer_lrn, .backward_reads = READS_INPUT | READS_OUTPUT},
    [OP_QUANTIZE] = {.name = "quantize", .infer = op_infer_same},
    [OP_DEQUANTIZE] = {.name = "dequantize", .infer = op_infer_same},
    [OP_SOFTMAX_LOSS] = {.name = "softmax_loss",
                         .infer = op_infer_softmax_loss,
                         .saved = softmax_loss_saved,
                         .backward_reads = READS_SAVED},
};

const OpRow *op_row(OpKind kind) {
    assert(kind >= 0 && kind < OP_COUNT);
    return &ROWS[kind];
}

uint64_t op_macs(const Graph *graph, NodeId node) {
    const OpRow *row = op_row(graph->nodes[node].op);
    return row->macs == NULL ? 0 : row->macs(graph, &graph->nodes[node]);
}

uint64_t graph_macs(const Graph *graph) {
    uint64_t sum = 0;
    for (NodeId i = 0; i < graph->node_count; i++) {
        sum += op_macs(graph, i);
    }
    return sum;
}

uint64_t graph_parameters(const Graph *graph) {
    uint64_t sum = 0;
    for (ParamId p = 0; p < graph->param_count; p++) {
        sum += param_is_running(graph->params[p].role) ? 0 : graph->params[p].elements;
    }
    return sum;
}

int op_backward_reads(const Node *node) {
    return op_row(node->op)->backward_reads | (node->relu ? READS_OUTPUT : READS_NOTHING);
}

bool op_backward_reads_input(const Node *node, int index) {
    bool residual = index == 1 && (node->op == OP_CONV || node->op == OP_NORM);
    return (op_backward_reads(node) & READS_INPUT) != 0 && !residual;
}

size_t op_saved_elements(const Graph *graph, const Node *node, int batch) {
    const OpRow *row = op_row(node->op);
    return row->saved == NULL ? 0 : row->saved(graph, node, batch);
}

bool op_gradient_in_place(const Node *node, int index) {
    switch (node->op) {
    case OP_ADD:
    case OP_RELU:
    case OP_SIGMOID:
    case OP_DROPOUT:
        return index == 0;
    case OP_CONV:
    case OP_NORM:
        return index == 1;
    default:
        return false;
    }
}
