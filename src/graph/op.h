// SPDX-License-Identifier: Apache-2.0
// The op table: what every operation means, without how it runs. A new op is one row here.
#ifndef RESNET_GRAPH_OP_H
#define RESNET_GRAPH_OP_H

#include "graph/graph.h"

// What the backward pass of an op reads besides the gradient of its output.
typedef enum OpReads {
    READS_NOTHING = 0,
    READS_INPUT = 1,  // its input values
    READS_OUTPUT = 2, // its own result
    READS_SAVED = 4   // what its forward pass put aside (op_saved_elements)
} OpReads;

typedef struct OpRow {
    const char *name; // "conv", "max_pool"
    // Sets node->shape from the inputs' shapes and the attributes, or poisons the graph.
    void (*infer)(Graph *graph, Node *node);
    // Adds the node's parameters to the graph; NULL for none. Called after infer.
    void (*declare)(Graph *graph, Node *node);
    // Multiply-adds for one sample (the paper's FLOPs); NULL for none. Only conv and linear count.
    uint64_t (*macs)(const Graph *graph, const Node *node);
    // Elements put aside by the forward pass of a training step for a batch of that size; NULL:
    // none.
    size_t (*saved)(const Graph *graph, const Node *node, int batch);
    // OpReads flags of the unfused op. See op_backward_reads() for a node.
    int backward_reads;
    // The output may take the place of input[0] (elementwise ops).
    bool in_place;
} OpRow;

const OpRow *op_row(OpKind kind);

// Multiply-adds of a node, of a graph; trainable parameters of a graph (padding apart).
uint64_t op_macs(const Graph *graph, NodeId node);
uint64_t graph_macs(const Graph *graph);
uint64_t graph_parameters(const Graph *graph);

// OpReads flags of this very node: a fused relu adds READS_OUTPUT (its mask is output > 0).
int op_backward_reads(const Node *node);
// Whether READS_INPUT means input `index`: a fused residual is only added, so nobody reads it
// again.
bool op_backward_reads_input(const Node *node, int index);

// Elements that the node's forward pass puts aside for its backward pass.
// norm: 2*channels (mean, 1/sqrt(variance+epsilon)); max_pool: one index an output element, as one
// byte each, counted in whole elements of 4 bytes; softmax_loss: the probabilities; others none.
size_t op_saved_elements(const Graph *graph, const Node *node, int batch);

// Input `index`'s gradient may simply take the place of the output's gradient in memory, because
// backward reads each element before it writes that element: add (input 0), relu, sigmoid, dropout,
// and for a fused norm, conv or add the residual, input[1] (for add: input 0).
bool op_gradient_in_place(const Node *node, int index);

#endif
