// SPDX-License-Identifier: Apache-2.0
// The builders: each fills a node's attributes and hands it to node_add(), which names it, lets its
// op's row find the shape and declare the parameters, and appends it to the list.
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "graph/graph.h"
#include "graph/op.h"

// Largest value of one sample, so that element counts fit an int wherever they are looped over.
static const uint64_t MOST_ELEMENTS = INT32_MAX;

static Node node_of(OpKind op, NodeId x) {
    Node node = {.op = op};
    for (int k = 0; k < NODE_INPUTS; k++) {
        node.input[k] = NODE_NONE;
    }
    node.input[0] = x;
    for (int k = 0; k < NODE_PARAMS; k++) {
        node.param[k] = PARAM_NONE;
    }
    return node;
}

// The slot of a node's name, or the empty one where it would go. A table: building asks for every
// name, and weights_identify() builds every network.
static int32_t *name_slot(const Graph *graph, const char *name) {
    const uint32_t mask = graph->name_slot_count - 1;
    uint32_t slot = (uint32_t)random_hash(name) & mask;
    for (int32_t id; (id = graph->name_slots[slot]) != 0; slot = (slot + 1) & mask) {
        if (strcmp(graph->nodes[id - 1].name, name) == 0) {
            break;
        }
    }
    return &graph->name_slots[slot];
}

// Keeps at least half of the slots empty when one more name comes; false: memory is out.
static bool names_reserve(Graph *graph) {
    const uint32_t wanted = 2 * ((uint32_t)graph->node_count + 1);
    if (wanted <= graph->name_slot_count) {
        return true;
    }
    uint32_t count = 256;
    while (count < 2 * wanted) {
        count *= 2;
    }
    graph->name_slots = arena_alloc(graph->arena, count * sizeof *graph->name_slots);
    graph->name_slot_count = graph->name_slots != NULL ? count : 0;
    for (NodeId i = 0; graph->name_slots != NULL && i < graph->node_count; i++) {
        *name_slot(graph, graph->nodes[i].name) = i + 1;
    }
    return graph->name_slots != NULL;
}

static bool name_is_taken(const Graph *graph, const char *name) {
    return *name_slot(graph, name) != 0;
}

// The whole name: SCOPE.NAME, or INPUT.OP with a number where an input has several such readers.
static const char *node_name(Graph *graph, const Node *node, const char *name) {
    const char *op = op_row(node->op)->name;
    if (name != NULL) {
        const char *whole = arena_format(graph->arena, "%s%s", graph->scope, name);
        if (whole != NULL && name_is_taken(graph, whole)) {
            graph_fail(graph, "%s: a second node of that name", whole);
        }
        return whole;
    }
    if (node->input[0] == NODE_NONE) {
        return op;
    }
    const char *input = graph->nodes[node->input[0]].name;
    const char *whole = arena_format(graph->arena, "%s.%s", input, op);
    for (int number = 2; whole != NULL && name_is_taken(graph, whole); number++) {
        whole = arena_format(graph->arena, "%s.%s%d", input, op, number);
    }
    return whole;
}

static bool shape_fits(Shape shape) {
    uint64_t plane = (uint64_t)shape.height * (uint64_t)shape.width;
    return plane <= MOST_ELEMENTS && plane * (uint64_t)shape.channels <= MOST_ELEMENTS;
}

static NodeId node_append(Graph *graph, const Node *node) {
    if (graph->node_count == graph->node_capacity) {
        int32_t capacity = graph->node_capacity == 0 ? 64 : 2 * graph->node_capacity;
        Node *nodes = arena_alloc(graph->arena, (size_t)capacity * sizeof *nodes);
        if (nodes == NULL) {
            return graph_fail(graph, "%s: cannot get memory for the node", node->name);
        }
        if (graph->node_count > 0) {
            memcpy(nodes, graph->nodes, (size_t)graph->node_count * sizeof *nodes);
        }
        graph->nodes = nodes;
        graph->node_capacity = capacity;
    }
    graph->nodes[graph->node_count] = *node;
    *name_slot(graph, node->name) = graph->node_count + 1;
    return graph->node_count++;
}

// `inputs`: how many the op needs.
static NodeId node_add(Graph *graph, Node node, int inputs, const char *name) {
    if (graph->error != NULL) {
        return NODE_NONE;
    }
    const OpRow *row = op_row(node.op);
    for (int k = 0; k < inputs; k++) {
        assert(node.input[k] < graph->node_count);
        if (node.input[k] < 0) {
            return graph_fail(graph, "%s%s: its input %d does not exist", graph->scope,
                              name != NULL ? name : row->name, k);
        }
    }
    node.name = names_reserve(graph) ? node_name(graph, &node, name) : NULL;
    if (node.name == NULL) {
        return graph_fail(graph, "%s: cannot get memory for its name", row->name);
    }
    if (graph->error == NULL) {
        row->infer(graph, &node);
    }
    if (graph->error == NULL && !shape_fits(node.shape)) {
        graph_fail(graph, "%s: %dx%dx%d is more than %llu elements", node.name, node.shape.channels,
                   node.shape.height, node.shape.width, (unsigned long long)MOST_ELEMENTS);
    }
    if (graph->error == NULL && row->declare != NULL) {
        row->declare(graph, &node);
    }
    return graph->error == NULL ? node_append(graph, &node) : NODE_NONE;
}

NodeId graph_input(Graph *graph, Shape shape) {
    if (graph->error == NULL && graph->input != NODE_NONE) {
        return graph_fail(graph, "input: a graph has one input and this would be the second");
    }
    Node node = node_of(OP_INPUT, NODE_NONE);
    node.shape = shape;
    graph->input = node_add(graph, node, 0, NULL);
    return graph->input;
}

NodeId graph_conv(Graph *graph, NodeId x, ConvAttr attr, const char *name) {
    Node node = node_of(OP_CONV, x);
    node.conv = attr;
    if (node.conv.groups == 0) {
        node.conv.groups = 1;
    }
    return node_add(graph, node, 1, name);
}

NodeId graph_norm(Graph *graph, NodeId x, const char *name) {
    Node node = node_of(OP_NORM, x);
    node.norm.epsilon = 1e-5f;
    return node_add(graph, node, 1, name);
}

NodeId graph_relu(Graph *graph, NodeId x) { return node_add(graph, node_of(OP_RELU, x), 1, NULL); }

NodeId graph_sigmoid(Graph *graph, NodeId x) {
    return node_add(graph, node_of(OP_SIGMOID, x), 1, NULL);
}

NodeId graph_add(Graph *graph, NodeId a, NodeId b, const char *name) {
    Node node = node_of(OP_ADD, a);
    node.input[1] = b;
    return node_add(graph, node, 2, name);
}

NodeId graph_gate(Graph *graph, NodeId x, NodeId factors, const char *name) {
    Node node = node_of(OP_GATE, x);
    node.input[1] = factors;
    return node_add(graph, node, 2, name);
}

NodeId graph_concat(Graph *graph, const NodeId *inputs, int count, const char *name) {
    assert(count >= 2 && count <= NODE_INPUTS);
    Node node = node_of(OP_CONCAT, inputs[0]);
    for (int k = 1; k < count; k++) {
        node.input[k] = inputs[k];
    }
    return node_add(graph, node, count, name);
}

NodeId graph_max_pool(Graph *graph, NodeId x, PoolAttr attr, const char *name) {
    Node node = node_of(OP_MAX_POOL, x);
    node.pool = attr;
    return node_add(graph, node, 1, name);
}

NodeId graph_avg_pool(Graph *graph, NodeId x, PoolAttr attr, const char *name) {
    Node node = node_of(OP_AVG_POOL, x);
    node.pool = attr;
    return node_add(graph, node, 1, name);
}

NodeId graph_global_pool(Graph *graph, NodeId x) {
    return node_add(graph, node_of(OP_GLOBAL_POOL, x), 1, NULL);
}

NodeId graph_linear(Graph *graph, NodeId x, int out_features, const char *name) {
    Node node = node_of(OP_LINEAR, x);
    node.shape = (Shape){out_features, 1, 1};
    return node_add(graph, node, 1, name);
}

NodeId graph_pad_shortcut(Graph *graph, NodeId x, PadShortcutAttr attr, const char *name) {
    Node node = node_of(OP_PAD_SHORTCUT, x);
    node.pad_shortcut = attr;
    return node_add(graph, node, 1, name);
}

NodeId graph_dropout(Graph *graph, NodeId x, float rate, const char *name) {
    Node node = node_of(OP_DROPOUT, x);
    node.dropout.rate = rate;
    return node_add(graph, node, 1, name);
}

NodeId graph_lrn(Graph *graph, NodeId x, LrnAttr attr, const char *name) {
    Node node = node_of(OP_LRN, x);
    node.lrn = attr;
    return node_add(graph, node, 1, name);
}

NodeId graph_softmax_loss(Graph *graph, NodeId logits, LossAttr attr, const char *name) {
    Node node = node_of(OP_SOFTMAX_LOSS, logits);
    node.loss = attr;
    return node_add(graph, node, 1, name);
}
