// SPDX-License-Identifier: Apache-2.0
// How good plans are: what is shared, how much memory is left, how long planning takes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "graph/fuse.h"
#include "graph/plan.h"
#include "models/models.h"

static NodeId find_node(const Graph *graph, const char *name) {
    for (NodeId i = 0; i < graph->node_count; i++) {
        if (strcmp(graph->nodes[i].name, name) == 0) {
            return i;
        }
    }
    fail_msg("no node %s", name);
    return NODE_NONE;
}

static void elementwise_ops_share_places(void **state) {
    (void)state;
    Graph *graph = NULL, *fused = NULL;
    ModelOptions options = {.loss = true};
    assert_int_equal(model_build("resnet20", &options, &graph), STATUS_OK);
    assert_int_equal(graph_fuse(graph, FUSE_FOR_TRAINING, &fused), STATUS_OK);
    Arena *arena = arena_create();
    Plan *plan = NULL;
    // relu over norm; its gradient over relu's.
    assert_int_equal(plan_create(graph, arena, &(PlanOptions){.batch = 4, .training = true}, &plan),
                     STATUS_OK);
    NodeId relu = find_node(graph, "layer1.0.bn1.relu"), norm = find_node(graph, "layer1.0.bn1");
    assert_int_equal(plan->value[relu], plan->value[norm]);
    assert_int_equal(plan->gradient[relu], plan->gradient[norm]);
    // A relu's output is the shortcut and the next convolution's input: no overwriting.
    NodeId add = find_node(graph, "layer1.1.add"), before = find_node(graph, "layer1.0.add.relu");
    assert_int_not_equal(plan->value[add], plan->value[before]);
    // In the fused net the residual's gradient begins where the block's result's gradient was.
    assert_int_equal(plan_create(fused, arena, &(PlanOptions){.batch = 4, .training = true}, &plan),
                     STATUS_OK);
    NodeId block = find_node(fused, "layer1.1.add.relu");
    assert_int_equal(fused->nodes[block].input[1], find_node(fused, "layer1.0.add.relu"));
    assert_int_equal(plan->gradient[block], plan->gradient[fused->nodes[block].input[1]]);
    assert_true(plan->first[block * NODE_INPUTS + 1]);
    assert_int_equal(plan->gradient[fused->input], PLAN_NOWHERE);
    arena_destroy(arena);
    graph_destroy(fused);
    graph_destroy(graph);
}

// Elements of the block; what they would be without sharing in *sum, segments in *segments.
static size_t planned_as(const char *model, FuseFor purpose, const PlanOptions *options,
                         size_t *sum, int32_t *segments) {
    Graph *graph = NULL, *fused = NULL;
    const ModelOptions build = {.loss = purpose == FUSE_FOR_TRAINING};
    Arena *arena = arena_create();
    Plan *plan = NULL;
    assert_int_equal(model_build(model, &build, &graph), STATUS_OK);
    assert_int_equal(graph_fuse(graph, purpose, &fused), STATUS_OK);
    assert_int_equal(plan_create(fused, arena, options, &plan), STATUS_OK);
    size_t elements = plan->elements;
    *sum = plan->sum;
    *segments = plan->segment_count;
    arena_destroy(arena);
    graph_destroy(fused);
    graph_destroy(graph);
    return elements;
}

static size_t planned(const char *model, FuseFor purpose, int batch, size_t *sum) {
    const PlanOptions options = {.batch = batch, .training = purpose == FUSE_FOR_TRAINING};
    int32_t segments = 0;
    size_t elements = planned_as(model, purpose, &options, sum, &segments);
    assert_int_equal(segments, 1);
    return elements;
}

// At its widest, inference of resnet50 holds the input and the result of a bottleneck's last
// convolution and what that reads: 256x56x56, 256x56x56 and 64x56x56.
static void inference_memory_is_small(void **state) {
    (void)state;
    size_t sum = 0;
    size_t elements = planned("resnet50", FUSE_FOR_INFERENCE, 1, &sum);
    assert_true(elements * sizeof(float) < 12000000);
    assert_true(elements >= (256 + 256 + 64) * 56 * 56);
    assert_true(sum > 5 * elements);
}

static void training_memory_grows_with_the_batch(void **state) {
    (void)state;
    size_t sum = 0;
    size_t one = planned("resnet20", FUSE_FOR_TRAINING, 1, &sum);
    size_t many = planned("resnet20", FUSE_FOR_TRAINING, 64, &sum);
    assert_true(many > 60 * one && many <= 64 * one);
    assert_true(many < sum);
}

static void deepest_net_is_planned_quickly(void **state) {
    (void)state;
    clock_t begin = clock();
    ModelOptions options = {.loss = true};
    Graph *graph = NULL, *fused = NULL;
    assert_int_equal(model_build("resnet1202", &options, &graph), STATUS_OK);
    clock_t built = clock();
    assert_int_equal(graph_fuse(graph, FUSE_FOR_TRAINING, &fused), STATUS_OK);
    Arena *arena = arena_create();
    Plan *plan = NULL;
    assert_int_equal(
        plan_create(fused, arena, &(PlanOptions){.batch = 128, .training = true}, &plan),
        STATUS_OK);
    clock_t fused_planned = clock();
    assert_int_equal(
        plan_create(graph, arena, &(PlanOptions){.batch = 128, .training = true}, &plan),
        STATUS_OK);
    clock_t plain_planned = clock();
    print_message("built %.3f s, fused and planned %.3f s, plain planned %.3f s\n",
                  (double)(built - begin) / CLOCKS_PER_SEC,
                  (double)(fused_planned - built) / CLOCKS_PER_SEC,
                  (double)(plain_planned - fused_planned) / CLOCKS_PER_SEC);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    assert_true(plain_planned - begin < CLOCKS_PER_SEC);
#endif
    arena_destroy(arena);
    graph_destroy(fused);
    graph_destroy(graph);
}

static void plans_are_the_same_again(void **state) {
    (void)state;
    ModelOptions options = {.loss = true};
    Graph *graph = NULL;
    assert_int_equal(model_build("resnet56", &options, &graph), STATUS_OK);
    Arena *arena = arena_create();
    Plan *a = NULL, *b = NULL;
    assert_int_equal(plan_create(graph, arena, &(PlanOptions){.batch = 8, .training = true}, &a),
                     STATUS_OK);
    assert_int_equal(plan_create(graph, arena, &(PlanOptions){.batch = 8, .training = true}, &b),
                     STATUS_OK);
    size_t bytes = (size_t)graph->node_count * sizeof *a->value;
    assert_memory_equal(a->value, b->value, bytes);
    assert_memory_equal(a->gradient, b->gradient, bytes);
    assert_memory_equal(a->saved, b->saved, bytes);
    arena_destroy(arena);
    graph_destroy(graph);
}

static void absurd_batch_is_refused(void **state) {
    (void)state;
    ModelOptions options = {.input = {3, 20000, 20000}};
    Graph *graph = NULL;
    assert_int_equal(model_build("resnet20", &options, &graph), STATUS_FAILED);
    assert_non_null(strstr(status_message(), "elements"));
    options.input = (Shape){3, 8000, 8000};
    assert_int_equal(model_build("resnet20", &options, &graph), STATUS_OK);
    Arena *arena = arena_create();
    Plan *plan = NULL;
    assert_int_equal(plan_create(graph, arena, &(PlanOptions){.batch = INT32_MAX}, &plan),
                     STATUS_FAILED);
    assert_null(plan);
    assert_non_null(strstr(status_message(), "2147483647"));
    arena_destroy(arena);
    graph_destroy(graph);
}

// A segment is a block, with what lies before the first or behind the last one apart or along; of a
// net without shortcuts two convolutions.
static void recomputation_saves_memory(void **state) {
    (void)state;
    static const struct {
        const char *model;
        int32_t segments;
        double most; // of what is planned without
    } ROWS[] = {{"resnet56", 28, 0.29},  {"resnet110", 55, 0.27}, {"plain56", 28, 0.27},
                {"resnet18", 9, 0.65},   {"resnet50", 17, 0.31},  {"preresnet110", 55, 0.27},
                {"googlenet", 12, 0.37}, {"vgg16", 7, 0.65}};
    for (size_t r = 0; r < sizeof ROWS / sizeof *ROWS; r++) {
        PlanOptions options = {.batch = 32, .training = true};
        size_t sum = 0;
        int32_t segments = 0;
        size_t all = planned_as(ROWS[r].model, FUSE_FOR_TRAINING, &options, &sum, &segments);
        options.recompute = true;
        size_t less = planned_as(ROWS[r].model, FUSE_FOR_TRAINING, &options, &sum, &segments);
        double part = (double)less / (double)all;
        print_message("%s: %.3f of the memory, %d segments\n", ROWS[r].model, part, segments);
        assert_int_equal(segments, ROWS[r].segments);
        assert_true(part < ROWS[r].most);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elementwise_ops_share_places),
        cmocka_unit_test(inference_memory_is_small),
        cmocka_unit_test(training_memory_grows_with_the_batch),
        cmocka_unit_test(deepest_net_is_planned_quickly),
        cmocka_unit_test(recomputation_saves_memory),
        cmocka_unit_test(plans_are_the_same_again),
        cmocka_unit_test(absurd_batch_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
