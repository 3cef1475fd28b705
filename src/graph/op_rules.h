// SPDX-License-Identifier: Apache-2.0
// What the op table's rows point to: shape rules (op_shapes.c) and parameters (op_params.c).
// Every other file goes through op.h.
#ifndef RESNET_GRAPH_OP_RULES_H
#define RESNET_GRAPH_OP_RULES_H

#include "graph/graph.h"

// Each sets node->shape from the inputs' shapes and the attributes, or poisons the graph with one
// sentence that begins with the node's name.
void op_infer_input(Graph *graph, Node *node);
void op_infer_conv(Graph *graph, Node *node);
void op_infer_same(Graph *graph, Node *node); // the shape of input[0]
void op_infer_add(Graph *graph, Node *node);
void op_infer_gate(Graph *graph, Node *node);
void op_infer_concat(Graph *graph, Node *node);
void op_infer_max_pool(Graph *graph, Node *node);
void op_infer_avg_pool(Graph *graph, Node *node);
void op_infer_global_pool(Graph *graph, Node *node);
void op_infer_linear(Graph *graph, Node *node);
void op_infer_pad_shortcut(Graph *graph, Node *node);
void op_infer_dropout(Graph *graph, Node *node);
void op_infer_lrn(Graph *graph, Node *node);
void op_infer_softmax_loss(Graph *graph, Node *node);

// Each adds parameters "NODE.weight" and so on to the graph and sets node->param. The node has its
// shape already.
void op_declare_conv(Graph *graph, Node *node);
void op_declare_norm(Graph *graph, Node *node);
void op_declare_linear(Graph *graph, Node *node);

#endif
