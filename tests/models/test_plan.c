// SPDX-License-Identifier: Apache-2.0
// Plans against a simulation of memory. It knows nothing of lifetimes: it walks the passes, writes
// the name of its owner into every cell of a result, and looks at every read whether the owner is
// still there. What each op reads and where it may write in place is written down here once more.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/fuse.h"
#include "graph/op.h"
#include "graph/plan.h"
#include "graph/quantize.h"
#include "models/models.h"
#include "small_nets.h"

enum { CELL = 16 }; // elements; every offset is a multiple

typedef enum Kind { VALUE, GRADIENT, SAVED, KINDS } Kind;

typedef struct Simulation {
    const Graph *graph;
    const Plan *plan;
    int batch;
    int32_t *owner; // by cell
    bool *backward; // by node
    bool late;      // in the backward pass
} Simulation;

static size_t elements_of(const Simulation *s, Kind kind, NodeId id) {
    const Node *node = &s->graph->nodes[id];
    return kind == SAVED ? op_saved_elements(s->graph, node, s->batch)
                         : (size_t)s->batch * node_elements(node);
}

static int64_t offset_of(const Simulation *s, Kind kind, NodeId id) {
    return kind == VALUE      ? (s->late ? s->plan->late_value : s->plan->value)[id]
           : kind == GRADIENT ? s->plan->gradient[id]
                              : s->plan->saved[id];
}

static int32_t owner_name(Kind kind, NodeId id) { return 1 + KINDS * id + (int32_t)kind; }

static void reads(const Simulation *s, Kind kind, NodeId id, NodeId reader) {
    int64_t offset = offset_of(s, kind, id);
    assert_true(offset >= 0);
    size_t cells = (elements_of(s, kind, id) + CELL - 1) / CELL;
    for (size_t i = 0; i < cells; i++) {
        if (s->owner[(size_t)offset / CELL + i] != owner_name(kind, id)) {
            fail_msg("%s reads kind %d of %s, which was overwritten", s->graph->nodes[reader].name,
                     kind, s->graph->nodes[id].name);
        }
    }
}

static void writes(Simulation *s, Kind kind, NodeId id) {
    int64_t offset = offset_of(s, kind, id);
    size_t elements = elements_of(s, kind, id);
    assert_true(offset >= 0 && offset % CELL == 0);
    assert_true((size_t)offset + elements <= s->plan->elements);
    for (size_t i = 0; i < (elements + CELL - 1) / CELL; i++) {
        s->owner[(size_t)offset / CELL + i] = owner_name(kind, id);
    }
}

static bool overlap(const Simulation *s, Kind kind_a, NodeId a, Kind kind_b, NodeId b) {
    int64_t begin_a = offset_of(s, kind_a, a), begin_b = offset_of(s, kind_b, b);
    return begin_a < begin_b + (int64_t)elements_of(s, kind_b, b) &&
           begin_b < begin_a + (int64_t)elements_of(s, kind_a, a);
}

static bool value_may_replace_input(OpKind op, int k) {
    return k == 0 && (op == OP_NORM || op == OP_RELU || op == OP_SIGMOID || op == OP_ADD ||
                      op == OP_GATE || op == OP_DROPOUT);
}

static bool gradient_may_be_replaced(OpKind op, int k) {
    return (k == 0 && (op == OP_ADD || op == OP_RELU || op == OP_SIGMOID || op == OP_DROPOUT)) ||
           (k == 1 && (op == OP_NORM || op == OP_CONV));
}

static void forward(Simulation *s, NodeId id, bool training) {
    const Node *node = &s->graph->nodes[id];
    for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
        reads(s, VALUE, node->input[k], id);
        if (overlap(s, VALUE, id, VALUE, node->input[k])) {
            bool same = node->input[k] == node->input[0];
            assert_true(value_may_replace_input(node->op, same ? 0 : k));
            assert_int_equal(offset_of(s, VALUE, id), offset_of(s, VALUE, node->input[k]));
        }
    }
    writes(s, VALUE, id);
    if (training && elements_of(s, SAVED, id) > 0) {
        writes(s, SAVED, id);
        reads(s, VALUE, id, id);
        for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
            assert_false(overlap(s, SAVED, id, VALUE, node->input[k]));
        }
    } else {
        assert_int_equal(s->plan->saved[id], PLAN_NOWHERE);
    }
}

static void read_values(const Simulation *s, NodeId id) {
    const Node *node = &s->graph->nodes[id];
    switch (node->op) {
    case OP_NORM:
        reads(s, SAVED, id, id);
        reads(s, VALUE, node->input[0], id);
        break;
    case OP_CONV:
    case OP_LINEAR:
        reads(s, VALUE, node->input[0], id);
        break;
    case OP_GATE:
        reads(s, VALUE, node->input[0], id);
        reads(s, VALUE, node->input[1], id);
        break;
    case OP_LRN:
        reads(s, VALUE, node->input[0], id);
        reads(s, VALUE, id, id);
        break;
    case OP_RELU:
    case OP_SIGMOID:
        reads(s, VALUE, id, id);
        break;
    case OP_MAX_POOL:
    case OP_SOFTMAX_LOSS:
        reads(s, SAVED, id, id);
        break;
    default:
        break;
    }
    if (node->relu) {
        reads(s, VALUE, id, id);
    }
}

// Whether the gradient of input k is written by node `id` at all.
static bool has_target(const Simulation *s, NodeId id, int k) {
    NodeId input = s->graph->nodes[id].input[k];
    return input != NODE_NONE && s->plan->needs_gradient[input];
}

static void backward(Simulation *s, NodeId id) {
    const Node *node = &s->graph->nodes[id];
    read_values(s, id);
    if (node->op != OP_SOFTMAX_LOSS) {
        reads(s, GRADIENT, id, id);
    }
    for (int k = 0; k < NODE_INPUTS; k++) {
        if (!has_target(s, id, k)) {
            continue;
        }
        NodeId input = node->input[k];
        bool first = s->plan->first[id * NODE_INPUTS + k];
        if (node->op != OP_SOFTMAX_LOSS && overlap(s, GRADIENT, id, GRADIENT, input)) {
            assert_true(first && gradient_may_be_replaced(node->op, k));
            assert_int_equal(s->plan->gradient[id], s->plan->gradient[input]);
            for (int other = 0; other < NODE_INPUTS; other++) {
                assert_true(other == k || node->input[other] != input);
            }
        }
        if (first) {
            assert_false(s->backward[input]);
            s->backward[input] = true;
            writes(s, GRADIENT, input);
        } else {
            reads(s, GRADIENT, input, id);
        }
    }
    // What it wrote must not lie over what it wrote or still reads.
    bool moved = false;
    for (int k = 0; k < NODE_INPUTS; k++) {
        if (has_target(s, id, k)) {
            reads(s, GRADIENT, node->input[k], id);
            moved |= s->plan->gradient[node->input[k]] == s->plan->gradient[id];
        }
    }
    read_values(s, id);
    if (node->op != OP_SOFTMAX_LOSS && !moved) {
        reads(s, GRADIENT, id, id);
    }
}

static void read_at_end(const Simulation *s, bool keep_values) {
    for (NodeId i = 0; i < s->graph->node_count; i++) {
        if (keep_values || i == s->graph->output || s->graph->nodes[i].op == OP_SOFTMAX_LOSS) {
            reads(s, VALUE, i, i);
        }
    }
}

// A segment's backward pass, behind what runs forward again for it.
static void segment_backward(Simulation *s, int32_t segment) {
    const Plan *plan = s->plan;
    for (NodeId i = plan->segment[segment]; i < plan->segment[segment + 1]; i++) {
        if (plan->again[i]) {
            forward(s, i, true);
        }
    }
    for (NodeId i = plan->segment[segment + 1] - 1; i >= plan->segment[segment]; i--) {
        bool begins = s->graph->nodes[i].op == OP_SOFTMAX_LOSS && plan->needs_gradient[i];
        bool arrived = s->backward[i];
        assert_int_equal(plan->gradient[i] != PLAN_NOWHERE, arrived);
        if (begins || arrived) {
            backward(s, i);
        }
    }
}

// Segments are the whole list, one after the other; without recomputation nothing runs again.
static void check_segments(const Graph *graph, const Plan *plan, const PlanOptions *options) {
    assert_int_equal(plan->segment[0], 0);
    assert_int_equal(plan->segment[plan->segment_count], graph->node_count);
    for (int32_t s = 0; s < plan->segment_count; s++) {
        assert_true(plan->segment[s] < plan->segment[s + 1]);
    }
    bool again = options->training && options->recompute && !options->keep_values;
    for (NodeId i = 0; i < graph->node_count; i++) {
        assert_true(again || !plan->again[i]);
        assert_true(plan->again[i] || plan->late_value[i] == plan->value[i]);
    }
}

static void simulate(const Graph *graph, const PlanOptions *options) {
    Arena *arena = arena_create();
    Plan *plan = NULL;
    assert_int_equal(plan_create(graph, arena, options, &plan), STATUS_OK);
    check_segments(graph, plan, options);
    assert_true(plan->elements % CELL == 0 && plan->elements <= plan->sum);
    Simulation s = {.graph = graph, .plan = plan, .batch = options->batch};
    s.owner = calloc(plan->elements / CELL + 1, sizeof *s.owner);
    s.backward = calloc((size_t)graph->node_count, sizeof *s.backward);
    assert_true(s.owner != NULL && s.backward != NULL);
    for (NodeId i = 0; i < graph->node_count; i++) {
        forward(&s, i, options->training);
    }
    s.late = true;
    for (int32_t i = plan->segment_count - 1; options->training && i >= 0; i--) {
        segment_backward(&s, i);
    }
    read_at_end(&s, options->keep_values);
    free(s.owner);
    free(s.backward);
    arena_destroy(arena);
}

// With all values as bytes that can be.
static void simulate_bytes(const Graph *inference, int batch) {
    Graph *graph = NULL;
    Quantization table = {.values = calloc((size_t)inference->node_count, sizeof *table.values)};
    assert_non_null(table.values);
    for (NodeId i = 0; i < inference->node_count; i++) {
        table.values[table.value_count++] = (QuantizedValue){inference->nodes[i].name, 1, 0};
    }
    assert_int_equal(graph_quantize(inference, &table, &graph), STATUS_OK);
    simulate(graph, &(PlanOptions){.batch = batch});
    simulate(graph, &(PlanOptions){.batch = batch, .keep_values = true});
    graph_destroy(graph);
    free(table.values);
}

// Plain and fused, for inference and training, with and without keeping values and recomputation.
static void simulate_all(const Graph *graph, int batch) {
    Graph *inference = NULL, *training = NULL;
    assert_int_equal(graph_fuse(graph, FUSE_FOR_INFERENCE, &inference), STATUS_OK);
    assert_int_equal(graph_fuse(graph, FUSE_FOR_TRAINING, &training), STATUS_OK);
    for (int keep = 0; keep < 2; keep++) {
        PlanOptions options = {.batch = batch, .keep_values = keep == 1};
        simulate(graph, &options);
        simulate(inference, &options);
        simulate(training, &options);
        options.training = true;
        for (int recompute = 0; recompute < 2; recompute++) {
            options.recompute = recompute == 1;
            simulate(graph, &options);
            simulate(training, &options);
        }
    }
    simulate_bytes(inference, batch);
    graph_destroy(inference);
    graph_destroy(training);
}

static void every_model_keeps_what_it_reads(void **state) {
    (void)state;
    const ModelInfo *info = NULL;
    for (int index = 0; (info = model_info(index)) != NULL; index++) {
        for (Shortcut shortcut = SHORTCUT_NONE; shortcut <= SHORTCUT_PROJECT_ALL; shortcut++) {
            // Extents that keep the simulation small; sizes still fall from stage to stage.
            ModelOptions options = {.shortcut = shortcut, .loss = true};
            int extent = info->input.height > 32 ? 80 : 20;
            options.input = (Shape){3, extent, extent + 4};
            Graph *graph = NULL;
            if (model_resolve(info->name, &options) != STATUS_OK) {
                continue; // nets that have no such shortcut
            }
            assert_int_equal(model_build(info->name, &options, &graph), STATUS_OK);
            simulate_all(graph, 2);
            graph_destroy(graph);
        }
    }
}

static void small_nets_keep_what_they_read(void **state) {
    (void)state;
    for (int i = 0; i < SMALL_NET_COUNT; i++) {
        Graph *graph = SMALL_NETS[i]();
        assert_int_equal(graph_status(graph), STATUS_OK);
        for (int batch = 1; batch <= 3; batch++) {
            simulate_all(graph, batch);
        }
        graph_destroy(graph);
    }
}

// Without a loss there is nothing to go back from.
static void no_loss_has_no_gradients(void **state) {
    (void)state;
    Graph *graph = NULL;
    assert_int_equal(model_build("resnet20", NULL, &graph), STATUS_OK);
    simulate_all(graph, 1);
    Arena *arena = arena_create();
    Plan *plan = NULL;
    assert_int_equal(plan_create(graph, arena, &(PlanOptions){.batch = 1, .training = true}, &plan),
                     STATUS_OK);
    for (NodeId i = 0; i < graph->node_count; i++) {
        assert_int_equal(plan->gradient[i], PLAN_NOWHERE);
    }
    arena_destroy(arena);
    graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_model_keeps_what_it_reads),
        cmocka_unit_test(small_nets_keep_what_they_read),
        cmocka_unit_test(no_loss_has_no_gradients),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
