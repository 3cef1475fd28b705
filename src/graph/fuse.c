// SPDX-License-Identifier: Apache-2.0
// Fusion in one walk over the list. Each node either begins a group or joins the group of the node
// it reads; a group becomes one node of the new graph. A group stands where its last part stood,
// which keeps the list topological: all that its parts read came before them, and nobody else
// reads what is inside.
//
//     conv1  bn1  pad_shortcut  add  relu        groups {conv1, bn1, add, relu} and {pad_shortcut}
//                                                new list: pad_shortcut, relu (a fused conv)
#include "graph/fuse.h"

#include <assert.h>
#include <string.h>

typedef struct Fusion {
    const Graph *graph;
    Graph *result;
    FuseFor purpose;
    bool *alive;      // whether a node is in the result at all
    NodeId *source;   // whose value stands for the node's: itself, or what a dropped dropout reads
    int32_t *readers; // edges from nodes that are alive, to sources
    NodeId output;    // source of the graph's output
    NodeId *tail;     // by a group's first node: its last part so far; NODE_NONE for joined nodes
    NodeId *head;     // by any node that is alive: the first node of its group
    Node *fused;      // by a group's first node: what the group becomes, with old ids
    NodeId *moved;    // by a group's last part: its id in the result
} Fusion;

static bool is_dropped(const Fusion *fusion, NodeId id) {
    return fusion->purpose == FUSE_FOR_INFERENCE && fusion->graph->nodes[id].op == OP_DROPOUT;
}

// Which nodes stay, whose values they read, and how often each value is read.
static void find_readers(Fusion *fusion) {
    const Graph *graph = fusion->graph;
    for (NodeId i = 0; i < graph->node_count; i++) {
        fusion->source[i] = is_dropped(fusion, i) ? fusion->source[graph->nodes[i].input[0]] : i;
        // Training computes everything, inference what its output needs.
        fusion->alive[i] = fusion->purpose == FUSE_FOR_TRAINING || i == graph->input;
    }
    fusion->output = fusion->source[graph->output];
    fusion->alive[fusion->output] = true;
    for (NodeId i = graph->node_count - 1; i >= 0; i--) {
        for (int k = 0; fusion->alive[i] && k < NODE_INPUTS; k++) {
            NodeId input = graph->nodes[i].input[k];
            if (input != NODE_NONE) {
                fusion->alive[fusion->source[input]] = true;
                fusion->readers[fusion->source[input]]++;
            }
        }
    }
}

// The group whose result `value` is, when a next part may take that result in; else NODE_NONE.
static NodeId open_group(const Fusion *fusion, NodeId value) {
    NodeId head = fusion->head[value];
    bool last = fusion->tail[head] == value;
    bool single = fusion->readers[value] == 1 && value != fusion->output;
    return last && single && !fusion->fused[head].relu ? head : NODE_NONE;
}

static bool has_residual(const Node *node) {
    return (node->op == OP_CONV || node->op == OP_NORM) && node->input[1] != NODE_NONE;
}

static bool fuses_conv(const Fusion *fusion, const Node *node) {
    return fusion->purpose == FUSE_FOR_INFERENCE && node->op == OP_CONV;
}

static void join(Fusion *fusion, NodeId part, NodeId head) {
    fusion->head[part] = head;
    fusion->tail[head] = part;
    fusion->tail[part] = NODE_NONE;
    fusion->fused[head].name = fusion->graph->nodes[part].name;
    fusion->fused[head].first = fusion->graph->nodes[head].name;
}

static void join_norm(Fusion *fusion, NodeId id) {
    const Node *norm = &fusion->fused[id];
    NodeId head = open_group(fusion, norm->input[0]);
    if (head == NODE_NONE || norm->relu || has_residual(norm)) {
        return;
    }
    Node *conv = &fusion->fused[head];
    if (!fuses_conv(fusion, conv) || conv->folded_norm || has_residual(conv)) {
        return;
    }
    conv->folded_norm = true;
    conv->folded_epsilon = norm->norm.epsilon;
    memcpy(&conv->param[2], norm->param, 4 * sizeof conv->param[0]);
    join(fusion, id, head);
}

// The group that may take in the sum of its result, operand k of an add, and the other operand.
static NodeId adding_group(const Fusion *fusion, const Node *add, int k) {
    NodeId head = open_group(fusion, add->input[k]);
    if (head == NODE_NONE) {
        return NODE_NONE;
    }
    const Node *node = &fusion->fused[head];
    bool able = fuses_conv(fusion, node) || node->op == OP_NORM;
    // A norm that also adds its own input would write one gradient twice.
    bool own_input = fusion->purpose == FUSE_FOR_TRAINING && node->input[0] == add->input[1 - k];
    return able && !has_residual(node) && !own_input ? head : NODE_NONE;
}

static void join_add(Fusion *fusion, NodeId id) {
    const Node *add = &fusion->fused[id];
    NodeId a = adding_group(fusion, add, 0), b = adding_group(fusion, add, 1);
    if (add->relu || (a == NODE_NONE && b == NODE_NONE)) {
        return;
    }
    // Of two the one that is computed later, so that the other's result is there.
    int k = b > a ? 1 : 0;
    NodeId head = k == 1 ? b : a;
    fusion->fused[head].input[1] = add->input[1 - k];
    join(fusion, id, head);
}

static void join_relu(Fusion *fusion, NodeId id) {
    NodeId head = open_group(fusion, fusion->fused[id].input[0]);
    if (head == NODE_NONE) {
        return;
    }
    Node *node = &fusion->fused[head];
    if (!fuses_conv(fusion, node) && node->op != OP_NORM && node->op != OP_ADD) {
        return;
    }
    node->relu = true;
    join(fusion, id, head);
}

static void join_group(Fusion *fusion, NodeId id) {
    switch (fusion->graph->nodes[id].op) {
    case OP_NORM:
        join_norm(fusion, id);
        break;
    case OP_ADD:
        join_add(fusion, id);
        break;
    case OP_RELU:
        join_relu(fusion, id);
        break;
    default:
        break;
    }
}

static void find_groups(Fusion *fusion) {
    for (NodeId i = 0; i < fusion->graph->node_count; i++) {
        if (!fusion->alive[i]) {
            continue;
        }
        Node *node = &fusion->fused[i];
        *node = fusion->graph->nodes[i];
        for (int k = 0; k < NODE_INPUTS; k++) {
            if (node->input[k] != NODE_NONE) {
                node->input[k] = fusion->source[node->input[k]];
            }
        }
        fusion->head[i] = fusion->tail[i] = i;
        join_group(fusion, i);
    }
}

// Writes each group where its last part stands.
static void emit_nodes(Fusion *fusion) {
    Graph *result = fusion->result;
    for (NodeId i = 0; i < fusion->graph->node_count; i++) {
        if (!fusion->alive[i] || fusion->tail[fusion->head[i]] != i) {
            continue;
        }
        Node node = fusion->fused[fusion->head[i]];
        for (int k = 0; k < NODE_INPUTS; k++) {
            if (node.input[k] != NODE_NONE) {
                node.input[k] = fusion->moved[node.input[k]];
                assert(node.input[k] < result->node_count);
            }
        }
        fusion->moved[i] = result->node_count;
        result->nodes[result->node_count++] = node;
    }
    result->input = fusion->moved[fusion->graph->input];
    result->output = fusion->moved[fusion->output];
}

// Takes the lists, which live in `scratch`, and the new graph's arrays; false: memory is out.
static bool fusion_allocate(Fusion *fusion, Arena *scratch) {
    const Graph *graph = fusion->graph;
    size_t nodes = (size_t)graph->node_count;
    fusion->alive = arena_alloc(scratch, nodes * sizeof *fusion->alive);
    fusion->source = arena_alloc(scratch, nodes * sizeof *fusion->source);
    fusion->readers = arena_alloc(scratch, nodes * sizeof *fusion->readers);
    fusion->tail = arena_alloc(scratch, nodes * sizeof *fusion->tail);
    fusion->head = arena_alloc(scratch, nodes * sizeof *fusion->head);
    fusion->fused = arena_alloc(scratch, nodes * sizeof *fusion->fused);
    fusion->moved = arena_alloc(scratch, nodes * sizeof *fusion->moved);
    Graph *result = fusion->result;
    result->nodes = arena_alloc(result->arena, nodes * sizeof *result->nodes);
    result->node_capacity = graph->node_count;
    return fusion->alive != NULL && fusion->source != NULL && fusion->readers != NULL &&
           fusion->tail != NULL && fusion->head != NULL && fusion->fused != NULL &&
           fusion->moved != NULL && result->nodes != NULL;
}

Status graph_fuse(const Graph *graph, FuseFor purpose, Graph **out) {
    *out = NULL;
    TRY(graph_status(graph));
    assert(graph->input != NODE_NONE && graph->output != NODE_NONE);
    Arena *scratch = arena_create();
    Fusion fusion = {.graph = graph, .result = graph_create(), .purpose = purpose};
    bool done = scratch != NULL && fusion.result != NULL && fusion_allocate(&fusion, scratch);
    if (done) {
        find_readers(&fusion);
        find_groups(&fusion);
        emit_nodes(&fusion);
        done = graph_detach(fusion.result, graph);
    }
    arena_destroy(scratch);
    if (!done) {
        graph_destroy(fusion.result);
        return status_fail(STATUS_FAILED, "cannot get memory to fuse a graph");
    }
    *out = fusion.result;
    return STATUS_OK;
}
