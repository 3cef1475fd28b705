// SPDX-License-Identifier: Apache-2.0
// Lifetimes, then places. Whatever lives in memory is a piece (graph/places.h): a value, a
// gradient, what forward puts aside. What works in place shares the piece of what it overwrites,
// and the piece lives as long as both.
#include "graph/plan.h"

#include <assert.h>
#include <string.h>

#include "graph/op.h"
#include "graph/places.h"
#include "graph/segments.h"

enum { PLACE_ALIGNMENT = 16, NO_PIECE = -1, PIECES_A_NODE = 4 };

// Far above any memory, far below where sums of sizes in bytes overflow.
static const size_t MOST_ELEMENTS = (size_t)1 << 56;

typedef struct Planner {
    const Graph *graph;
    Plan *plan;
    size_t batch;
    bool training, keep_values, recompute;
    bool *has_gradient; // of the node's output
    bool *has_backward; // the node takes part in the backward pass
    int *late_reads;    // LateReads of the node's value
    // Steps by node: node i runs forward at i, backward at backward_step[i], and where plan->again
    // says so forward again at again_step[i].
    int32_t *backward_step, *again_step;
    int32_t end;                       // the step after the last one
    int32_t *last_use, *last_late_use; // of the node's value, of the one that is computed again
    Piece *pieces;
    int32_t piece_count;
    int32_t *value, *late, *gradient, *saved; // pieces by node; NO_PIECE where there is none
} Planner;

// Who reads a value after the first forward pass.
typedef enum LateReads { LATE_NEVER = 0, LATE_IN_SEGMENT = 1, LATE_IN_ANOTHER = 2 } LateReads;

static NodeId input_of(const Planner *planner, NodeId id, int k) {
    return planner->graph->nodes[id].input[k];
}

static bool node_begins_backward(const Node *node) { return node->op == OP_SOFTMAX_LOSS; }

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
        bool begins = node_begins_backward(&graph->nodes[i]) && needs[i];
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

// Whether backward of the node, or running it again, reads its input k.
static bool reads_late(const Planner *planner, NodeId id, int k) {
    return planner->plan->again[id] ||
           (planner->has_backward[id] && op_backward_reads_input(&planner->graph->nodes[id], k));
}

// What the caller reads afterwards; a training pass may also be looked at again from its input on.
static bool read_at_end(const Planner *planner, NodeId id) {
    const Node *node = &planner->graph->nodes[id];
    return id == planner->graph->output || node_begins_backward(node) ||
           (planner->training && node->op == OP_INPUT) || planner->keep_values;
}

// Which nodes run again, found from the last one on, as that depends on readers.
static void find_again(Planner *planner) {
    const Plan *plan = planner->plan;
    for (int32_t s = plan->segment_count - 1; s >= 0; s--) {
        for (NodeId i = plan->segment[s + 1] - 1; i >= plan->segment[s]; i--) {
            const Node *node = &planner->graph->nodes[i];
            bool kept = s == plan->segment_count - 1 || read_at_end(planner, i) ||
                        (planner->late_reads[i] & LATE_IN_ANOTHER) != 0;
            bool own = planner->has_backward[i] && (op_backward_reads(node) & READS_OUTPUT) != 0;
            plan->again[i] = !kept && (own || planner->late_reads[i] == LATE_IN_SEGMENT);
            for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
                if (reads_late(planner, i, k)) {
                    planner->late_reads[node->input[k]] |=
                        node->input[k] >= plan->segment[s] ? LATE_IN_SEGMENT : LATE_IN_ANOTHER;
                }
            }
        }
    }
}

// The first writer of a gradient in the order of time is the value's last reader in the list, so
// where that is the next node, it is the only one.
static bool is_pair(const Planner *planner, NodeId id) {
    const Graph *graph = planner->graph;
    const NodeId next = id + 1;
    return next < graph->node_count && planner->has_backward[next] && planner->has_backward[id] &&
           graph->nodes[id].op == OP_CONV && graph->nodes[id].shape.channels <= PAIR_CHANNELS &&
           graph->nodes[next].op == OP_NORM && input_of(planner, next, 0) == id &&
           input_of(planner, next, 1) != id && planner->plan->first[next * NODE_INPUTS];
}

static void find_steps(Planner *planner) {
    const Plan *plan = planner->plan;
    int32_t step = planner->graph->node_count;
    for (int32_t s = plan->segment_count - 1; planner->training && s >= 0; s--) {
        for (NodeId i = plan->segment[s]; i < plan->segment[s + 1]; i++) {
            planner->again_step[i] = plan->again[i] ? step++ : i;
        }
        for (NodeId i = plan->segment[s + 1] - 1; i >= plan->segment[s]; i--) {
            plan->pair[i] = i + 1 < plan->segment[s + 1] && is_pair(planner, i);
            planner->backward_step[i] = plan->pair[i] ? step - 1 : step++;
        }
    }
    planner->end = step;
}

static void use_value(Planner *planner, NodeId id, int32_t step) {
    if (planner->last_use[id] < step) {
        planner->last_use[id] = step;
    }
}

// A use after the first forward pass.
static void use_late(Planner *planner, NodeId id, int32_t step) {
    int32_t *last = planner->plan->again[id] ? planner->last_late_use : planner->last_use;
    if (last[id] < step) {
        last[id] = step;
    }
}

static void find_last_uses(Planner *planner) {
    const Graph *graph = planner->graph;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        bool backward = planner->has_backward[i], again = planner->plan->again[i];
        use_value(planner, i, i);
        if (again) {
            use_late(planner, i, planner->again_step[i]);
        }
        if (backward && (op_backward_reads(node) & READS_OUTPUT)) {
            use_late(planner, i, planner->backward_step[i]);
        }
        for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
            use_value(planner, node->input[k], i);
            if (again) {
                use_late(planner, node->input[k], planner->again_step[i]);
            }
            if (backward && op_backward_reads_input(node, k)) {
                use_late(planner, node->input[k], planner->backward_step[i]);
            }
        }
        if (read_at_end(planner, i)) {
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

// The piece of a value that node `id` writes at `step` and that is last used at `last`: over that
// of its input, which is last used at `input_last`, where that may be.
static int32_t value_piece(Planner *planner, NodeId id, int32_t step, int32_t last, int32_t input,
                           int32_t input_last) {
    bool over = op_row(planner->graph->nodes[id].op)->in_place && !planner->keep_values &&
                input_last == step;
    return over ? piece_share(planner, input, last)
                : piece_add(planner, value_elements(planner, id), step, last);
}

static void add_values(Planner *planner) {
    const Graph *graph = planner->graph;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        NodeId input = node->input[0];
        bool has_input = input != NODE_NONE;
        planner->value[i] = value_piece(planner, i, i, planner->last_use[i],
                                        has_input ? planner->value[input] : NO_PIECE,
                                        has_input ? planner->last_use[input] : NO_PIECE);
        size_t saved = op_saved_elements(graph, node, (int)planner->batch);
        planner->saved[i] = NO_PIECE;
        if (planner->training && saved > 0) {
            // Written again, with the same bits, where the node runs again.
            int32_t last =
                planner->has_backward[i] ? planner->backward_step[i] : planner->again_step[i];
            planner->saved[i] = piece_add(planner, saved, i, last);
        }
    }
}

static void add_late_values(Planner *planner) {
    const bool *again = planner->plan->again;
    for (NodeId i = 0; i < planner->graph->node_count; i++) {
        planner->late[i] = planner->value[i];
        if (again[i]) { // not the input, which is kept
            NodeId input = planner->graph->nodes[i].input[0];
            int32_t input_last =
                again[input] ? planner->last_late_use[input] : planner->last_use[input];
            planner->late[i] =
                value_piece(planner, i, planner->again_step[i], planner->last_late_use[i],
                            planner->late[input], input_last);
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
            int32_t last = planner->backward_step[input];
            planner->gradient[input] = gradient_moves(planner, i, k)
                                           ? piece_share(planner, planner->gradient[i], last)
                                           : piece_add(planner, value_elements(planner, input),
                                                       planner->backward_step[i], last);
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

// Zeros for every node, and for a few of them in a row.
static void *by_node(const Planner *planner, Arena *arena, size_t size) {
    return arena_alloc(arena, (size_t)(planner->graph->node_count + 1) * size);
}

static bool planner_allocate(Planner *planner, Arena *arena, Arena *scratch) {
    Plan *plan = planner->plan;
    plan->needs_gradient = by_node(planner, arena, sizeof *plan->needs_gradient);
    plan->first = by_node(planner, arena, NODE_INPUTS * sizeof *plan->first);
    plan->again = by_node(planner, arena, sizeof *plan->again);
    plan->segment = by_node(planner, arena, sizeof *plan->segment);
    plan->pair = by_node(planner, arena, sizeof *plan->pair);
    planner->has_gradient = by_node(planner, scratch, sizeof *planner->has_gradient);
    planner->has_backward = by_node(planner, scratch, sizeof *planner->has_backward);
    planner->late_reads = by_node(planner, scratch, sizeof *planner->late_reads);
    planner->pieces = by_node(planner, scratch, PIECES_A_NODE * sizeof *planner->pieces);
    bool all = plan->needs_gradient != NULL && plan->first != NULL && plan->again != NULL &&
               plan->segment != NULL && plan->pair != NULL && planner->has_gradient != NULL &&
               planner->has_backward != NULL && planner->late_reads != NULL &&
               planner->pieces != NULL;
    int32_t **numbers[] = {&planner->backward_step, &planner->again_step, &planner->last_use,
                           &planner->last_late_use, &planner->value,      &planner->late,
                           &planner->gradient,      &planner->saved};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        *numbers[i] = by_node(planner, scratch, sizeof **numbers[i]);
        all = all && *numbers[i] != NULL;
    }
    return all;
}

static void find_segments(Planner *planner) {
    Plan *plan = planner->plan;
    if (planner->training && planner->recompute) {
        // The last readers' place is free until the pieces are found.
        plan->segment_count = segments_find(planner->graph, plan->segment, planner->value);
    } else {
        plan->segment_count = 1;
        plan->segment[1] = planner->graph->node_count;
    }
}

static Status planner_run(Planner *planner, Arena *arena, Arena *scratch) {
    size_t nodes = (size_t)planner->graph->node_count;
    Plan *plan = planner->plan;
    if (!planner_allocate(planner, arena, scratch)) {
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
    find_segments(planner);
    find_again(planner);
    find_steps(planner);
    find_last_uses(planner);
    add_values(planner);
    add_late_values(planner);
    add_gradients(planner);
    TRY(places_find(planner->pieces, planner->piece_count, scratch, &plan->elements));
    plan->value = offsets_of(planner, planner->value, arena);
    plan->late_value = offsets_of(planner, planner->late, arena);
    plan->gradient = offsets_of(planner, planner->gradient, arena);
    plan->saved = offsets_of(planner, planner->saved, arena);
    if (plan->value == NULL || plan->late_value == NULL || plan->gradient == NULL ||
        plan->saved == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a plan of %zu nodes", nodes);
    }
    return STATUS_OK;
}

Status plan_create(const Graph *graph, Arena *arena, const PlanOptions *options, Plan **out) {
    *out = NULL;
    TRY(graph_status(graph));
    assert(options->batch > 0 && graph->node_count > 0);
    Arena *scratch = arena_create();
    Plan *plan = arena_alloc(arena, sizeof *plan);
    if (scratch == NULL || plan == NULL) {
        arena_destroy(scratch);
        return status_fail(STATUS_FAILED, "cannot get memory for a plan");
    }
    Planner planner = {
        .graph = graph,
        .plan = plan,
        .batch = (size_t)options->batch,
        .training = options->training,
        .keep_values = options->keep_values,
        .recompute = options->recompute,
    };
    Status status = planner_run(&planner, arena, scratch);
    arena_destroy(scratch);
    *out = status == STATUS_OK ? plan : NULL;
    return status;
}
