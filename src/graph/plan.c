// SPDX-License-Identifier: Apache-2.0
// Lifetimes, then places. Whatever lives in memory is a piece (graph/places.h): a value, a
// gradient, what forward puts aside. What works in place shares the piece of what it overwrites,
// and the piece lives as long as both.
#include "graph/plan.h"

#include <assert.h>
#include <string.h>

#include "graph/op.h"
#include "graph/places.h"

enum { PLACE_ALIGNMENT = 16, NO_PIECE = -1 };

// Far above any memory, far below where sums of sizes in bytes overflow.
static const size_t MOST_ELEMENTS = (size_t)1 << 56;

typedef struct Planner {
    const Graph *graph;
    Plan *plan;
    size_t batch;
    bool training, keep_values;
    int32_t end;        // the step after the last one
    bool *has_gradient; // of the node's output
    bool *has_backward; // the node takes part in the backward pass
    int32_t *last_use;  // of the node's value
    Piece *pieces;
    int32_t piece_count;
    int32_t *value, *gradient, *saved; // pieces by node; NO_PIECE where there is none
} Planner;

static int32_t backward_step(const Planner *planner, NodeId id) {
    return 2 * planner->graph->node_count - 1 - id;
}

static NodeId input_of(const Planner *planner, NodeId id, int k) {
    return planner->graph->nodes[id].input[k];
}

// Backward begins at the losses and reaches every node whose result a loss depends on, if a
// parameter lies in it or above it.
static void find_gradients(Planner *planner) {
    const Graph *graph = planner->graph;
    bool *needs = planner->plan->needs_gradient;
    for (NodeId i = 0; i < graph->node_count; i++) {
        needs[i] = graph->nodes[i].param[0] != PARAM_NONE;
        for (int k = 0; k < NODE_INPUTS; k++) {
            NodeId input = input_of(planner, i, k);
            needs[i] = needs[i] || (input != NODE_NONE && needs[input]);
        }
    }
    for (NodeId i = graph->node_count - 1; planner->training && i >= 0; i--) {
        bool begins = graph->nodes[i].op == OP_SOFTMAX_LOSS && needs[i];
        planner->has_backward[i] = begins || planner->has_gradient[i];
        for (int k = 0; planner->has_backward[i] && k < NODE_INPUTS; k++) {
            NodeId input = input_of(planner, i, k);
            // A later reader in the list is an earlier one in time.
            if (input != NODE_NONE && needs[input]) {
                planner->plan->first[i * NODE_INPUTS + k] = !planner->has_gradient[input];
                planner->has_gradient[input] = true;
            }
        }
    }
}

static void use_value(Planner *planner, NodeId id, int32_t step) {
    if (planner->last_use[id] < step) {
        planner->last_use[id] = step;
    }
}

static void find_last_uses(Planner *planner) {
    const Graph *graph = planner->graph;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        bool backward = planner->has_backward[i];
        use_value(planner, i, i);
        if (backward && (op_backward_reads(node) & READS_OUTPUT)) {
            use_value(planner, i, backward_step(planner, i));
        }
        for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
            use_value(planner, node->input[k], i);
            if (backward && op_backward_reads_input(node, k)) {
                use_value(planner, node->input[k], backward_step(planner, i));
            }
        }
        // What the caller reads afterwards; a training pass may also be looked at again from its
        // input on.
        bool read_at_end = i == graph->output || node->op == OP_SOFTMAX_LOSS ||
                           (planner->training && node->op == OP_INPUT);
        if (read_at_end || planner->keep_values) {
            use_value(planner, i, planner->end);
        }
    }
}

static int32_t piece_add(Planner *planner, size_t elements, int32_t first, int32_t last) {
    elements = (elements + PLACE_ALIGNMENT - 1) / PLACE_ALIGNMENT * PLACE_ALIGNMENT;
    planner->plan->sum += elements;
    planner->pieces[planner->piece_count] =
        (Piece){.elements = elements, .first = first, .last = last};
    return planner->piece_count++;
}

// The same piece lives on until `last`.
static int32_t piece_share(Planner *planner, int32_t piece, int32_t last) {
    planner->plan->sum += planner->pieces[piece].elements;
    if (planner->pieces[piece].last < last) {
        planner->pieces[piece].last = last;
    }
    return piece;
}

static size_t value_elements(const Planner *planner, NodeId id) {
    return planner->batch * node_elements(&planner->graph->nodes[id]);
}

static void add_values(Planner *planner) {
    const Graph *graph = planner->graph;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        NodeId input = node->input[0];
        bool over =
            op_row(node->op)->in_place && !planner->keep_values && planner->last_use[input] == i;
        planner->value[i] =
            over ? piece_share(planner, planner->value[input], planner->last_use[i])
                 : piece_add(planner, value_elements(planner, i), i, planner->last_use[i]);
        size_t saved = op_saved_elements(graph, node, (int)planner->batch);
        planner->saved[i] = NO_PIECE;
        if (planner->training && saved > 0) {
            int32_t last = planner->has_backward[i] ? backward_step(planner, i) : i;
            planner->saved[i] = piece_add(planner, saved, i, last);
        }
    }
}

// Whether the gradient of input k, written here first, may begin in the place of the gradient of
// the node's output.
static bool gradient_moves(const Planner *planner, NodeId id, int k) {
    const Node *node = &planner->graph->nodes[id];
    if (!planner->has_gradient[id] || !op_gradient_in_place(node, k)) {
        return false;
    }
    // Read twice by one node, a gradient is also added to, from a place that it overwrote.
    for (int other = 0; other < NODE_INPUTS; other++) {
        if (other != k && node->input[other] == node->input[k]) {
            return false;
        }
    }
    return true;
}

static void add_gradients(Planner *planner) {
    for (NodeId i = 0; i < planner->graph->node_count; i++) {
        planner->gradient[i] = NO_PIECE;
    }
    for (NodeId i = planner->graph->node_count - 1; i >= 0; i--) {
        for (int k = 0; planner->has_backward[i] && k < NODE_INPUTS; k++) {
            if (!planner->plan->first[i * NODE_INPUTS + k]) {
                continue;
            }
            NodeId input = input_of(planner, i, k);
            int32_t last = backward_step(planner, input);
            planner->gradient[input] = gradient_moves(planner, i, k)
                                           ? piece_share(planner, planner->gradient[i], last)
                                           : piece_add(planner, value_elements(planner, input),
                                                       backward_step(planner, i), last);
        }
    }
}

static int64_t *offsets_of(const Planner *planner, const int32_t *pieces, Arena *arena) {
    size_t nodes = (size_t)planner->graph->node_count;
    int64_t *offsets = arena_alloc(arena, nodes * sizeof *offsets);
    for (size_t i = 0; offsets != NULL && i < nodes; i++) {
        offsets[i] =
            pieces[i] == NO_PIECE ? PLAN_NOWHERE : (int64_t)planner->pieces[pieces[i]].offset;
    }
    return offsets;
}

static Status planner_run(Planner *planner, Arena *arena, Arena *scratch) {
    size_t nodes = (size_t)planner->graph->node_count;
    Plan *plan = planner->plan;
    plan->needs_gradient = arena_alloc(arena, nodes * sizeof *plan->needs_gradient);
    plan->first = arena_alloc(arena, nodes * NODE_INPUTS * sizeof *plan->first);
    planner->has_gradient = arena_alloc(scratch, nodes * sizeof *planner->has_gradient);
    planner->has_backward = arena_alloc(scratch, nodes * sizeof *planner->has_backward);
    planner->last_use = arena_alloc(scratch, nodes * sizeof *planner->last_use);
    planner->value = arena_alloc(scratch, nodes * sizeof *planner->value);
    planner->gradient = arena_alloc(scratch, nodes * sizeof *planner->gradient);
    planner->saved = arena_alloc(scratch, nodes * sizeof *planner->saved);
    planner->pieces = arena_alloc(scratch, 3 * nodes * sizeof *planner->pieces);
    if (plan->needs_gradient == NULL || plan->first == NULL || planner->has_gradient == NULL ||
        planner->has_backward == NULL || planner->last_use == NULL || planner->value == NULL ||
        planner->gradient == NULL || planner->saved == NULL || planner->pieces == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory to plan %zu nodes", nodes);
    }
    // Gradients and what is put aside are no larger than the values.
    size_t sum = 0;
    for (NodeId i = 0; i < planner->graph->node_count && sum <= MOST_ELEMENTS; i++) {
        sum += value_elements(planner, i);
    }
    if (sum > MOST_ELEMENTS) {
        return status_fail(STATUS_FAILED, "a batch of %zu takes more memory than there can be",
                           planner->batch);
    }
    find_gradients(planner);
    find_last_uses(planner);
    add_values(planner);
    add_gradients(planner);
    TRY(places_find(planner->pieces, planner->piece_count, scratch, &plan->elements));
    plan->value = offsets_of(planner, planner->value, arena);
    plan->gradient = offsets_of(planner, planner->gradient, arena);
    plan->saved = offsets_of(planner, planner->saved, arena);
    if (plan->value == NULL || plan->gradient == NULL || plan->saved == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a plan of %zu nodes", nodes);
    }
    return STATUS_OK;
}

Status plan_create(const Graph *graph, Arena *arena, int batch, bool training, bool keep_values,
                   Plan **out) {
    *out = NULL;
    TRY(graph_status(graph));
    assert(batch > 0 && graph->node_count > 0);
    Arena *scratch = arena_create();
    Plan *plan = arena_alloc(arena, sizeof *plan);
    if (scratch == NULL || plan == NULL) {
        arena_destroy(scratch);
        return status_fail(STATUS_FAILED, "cannot get memory for a plan");
    }
    Planner planner = {
        .graph = graph,
        .plan = plan,
        .batch = (size_t)batch,
        .training = training,
        .keep_values = keep_values,
        .end = (training ? 2 : 1) * graph->node_count,
    };
    Status status = planner_run(&planner, arena, scratch);
    arena_destroy(scratch);
    *out = status == STATUS_OK ? plan : NULL;
    return status;
}
