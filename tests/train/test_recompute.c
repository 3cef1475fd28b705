// SPDX-License-Identifier: Apache-2.0
// Recomputation changes memory and time, and nothing else: not a bit of the losses, the gradients
// and the running statistics of any kind of net, nor of a checkpoint, for any number of threads,
// and also where a training goes on with it that began without.
#include "passes.h"
#include "scratch_training.h"

enum { BATCH = 3 };

static void compare(const char *model, const Graph *graph, const Backend *backend, bool fuse) {
    NetworkOptions options = {
        .backend = backend, .batch = BATCH, .phase = PHASE_TRAINING, .fuse = fuse};
    Passes plain = passes_run(graph, options, 1);
    options.recompute = true;
    for (int threads = 1; threads <= 2; threads++) {
        Passes less = passes_run(graph, options, threads);
        if (!passes_same(graph, BATCH, &plain, &less)) {
            fail_msg("%s, %s, %d threads, %s: other bits", model, backend->name, threads,
                     fuse ? "fused" : "plain");
        }
        assert_true(threads > 1 || less.bytes < plain.bytes);
        passes_free(&less);
    }
    passes_free(&plain);
}

// Basic blocks, no shortcuts, bottlenecks that begin with a norm, squeeze-excite, inceptions with
// auxiliary heads and dropout.
static void test_models(void **state) {
    (void)state;
    static const struct {
        const char *model;
        int extent;
    } ROWS[] = {{"resnet20", 16},
                {"plain20", 16},
                {"preresnet164", 8},
                {"seresnet18", 32},
                {"googlenet", 32}};
    const Backend *cpu = NULL;
    require(backend_cpu(&cpu));
    for (size_t r = 0; r < sizeof ROWS / sizeof *ROWS; r++) {
        const ModelOptions options = {
            .input = {3, ROWS[r].extent, ROWS[r].extent}, .classes = 10, .loss = true};
        Graph *graph = NULL;
        require(model_build(ROWS[r].model, &options, &graph));
        compare(ROWS[r].model, graph, cpu, true);
        if (r == 0) {
            compare(ROWS[r].model, graph, cpu, false);
            compare(ROWS[r].model, graph, &backend_reference, true);
        }
        graph_destroy(graph);
    }
}

// Whole trainings, one of which is stopped and goes on with the other setting.
static void test_checkpoints(void **state) {
    (void)state;
    static const struct {
        const char *out;
        int threads, shard;
        bool first, then; // recompute
    } ROWS[] = {{"never", 2, 0, false, false},   {"always", 1, 0, true, true},
                {"later", 2, 0, false, true},    {"first", 2, 0, true, false},
                {"shards", 2, 12, false, false}, {"shards-less", 1, 12, true, true}};
    for (size_t r = 0; r < sizeof ROWS / sizeof *ROWS; r++) {
        TrainOptions options = scratch_training("resnet20", ROWS[r].out);
        options.batch = 32;
        options.iterations = 6;
        options.threads = ROWS[r].threads;
        options.shard = ROWS[r].shard;
        options.recompute = ROWS[r].first;
        options.stop_after = 3;
        assert_int_equal(train_run(&options, NULL, NULL), STATUS_INTERRUPTED);
        options.resume = 1;
        options.stop_after = 0;
        options.recompute = ROWS[r].then;
        require(train_run(&options, NULL, NULL));
    }
    static const char *const SAME[][2] = {
        {"never", "always"}, {"never", "later"}, {"never", "first"}, {"shards", "shards-less"}};
    for (size_t i = 0; i < sizeof SAME / sizeof *SAME; i++) {
        char a[64], b[64];
        snprintf(a, sizeof a, "%s/checkpoint.safetensors", SAME[i][0]);
        snprintf(b, sizeof b, "%s/checkpoint.safetensors", SAME[i][1]);
        if (!files_equal(scratch_path(a), scratch_path(b))) {
            fail_msg("%s and %s have other bytes", a, b);
        }
    }
    assert_false(files_equal(scratch_path("never/checkpoint.safetensors"),
                             scratch_path("shards/checkpoint.safetensors")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),
        cmocka_unit_test(test_checkpoints),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
