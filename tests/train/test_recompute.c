// SPDX-License-Identifier: Apache-2.0
// Recomputation changes memory and time, and nothing else: not a bit of the losses, the gradients
// and the running statistics of any kind of net, nor of a checkpoint, for any number of threads,
// and also where a training goes on with it that began without.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network/network.h"
#include "scratch_training.h"

enum { BATCH = 3, PASSES = 2 };

// What passes leave behind.
typedef struct Outcome {
    float *gradients, *running;
    double loss[PASSES][BATCH];
    size_t bytes;
} Outcome;

static void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

static float *copy(const float *from, size_t elements) {
    float *to = malloc((elements + 1) * sizeof *to);
    assert_non_null(to);
    memcpy(to, from, elements * sizeof *to);
    return to;
}

// The passes differ in their input, their momentum and their draws for dropout, and the last one is
// short of a sample.
static Outcome run_passes(const Graph *graph, const Backend *backend, int threads, bool fuse,
                          bool recompute) {
    Outcome out = {0};
    Threads *pool = NULL;
    Parameters *parameters = NULL;
    Network *network = NULL;
    NetworkOptions options = {.backend = backend,
                              .batch = BATCH,
                              .phase = PHASE_TRAINING,
                              .fuse = fuse,
                              .recompute = recompute};
    require(threads_create(threads, &pool));
    options.threads = pool;
    require(parameters_create(graph, sizeof(float), true, &parameters));
    parameters_init(parameters, graph, 5);
    require(network_bytes(graph, &options, &out.bytes));
    require(network_create(graph, parameters, &options, &network));
    const size_t sample = shape_elements(graph_shape(graph, graph->input));
    for (int p = 0; p < PASSES; p++) {
        float *input = network_input(network);
        for (size_t i = 0; i < BATCH * sample; i++) {
            input[i] = (float)random_normal(2, RANDOM_TEST, (uint64_t)p, i);
        }
        for (int i = 0; i < BATCH; i++) {
            network_labels(network)[i] = 2 * i + p;
        }
        const PassOptions pass = {.count = BATCH - p,
                                  .norm_momentum = 0.1f * (float)(p + 1),
                                  .loss_scale = 0.5f,
                                  .seed = 3,
                                  .iteration = (uint64_t)p};
        network_forward(network, &pass);
        for (int i = 0; i < pass.count; i++) {
            out.loss[p][i] = network_loss(network, i);
        }
        network_backward(network, &pass);
    }
    out.gradients = copy(parameters->gradients, graph->trainable_elements);
    out.running = copy(parameters->running, graph->running_elements);
    network_destroy(network);
    parameters_destroy(parameters);
    threads_destroy(pool);
    return out;
}

static void outcome_free(Outcome *outcome) {
    free(outcome->gradients);
    free(outcome->running);
}

static void compare(const char *model, const Graph *graph, const Backend *backend, bool fuse) {
    Outcome plain = run_passes(graph, backend, 1, fuse, false);
    for (int threads = 1; threads <= 2; threads++) {
        Outcome less = run_passes(graph, backend, threads, fuse, true);
        bool same =
            memcmp(plain.gradients, less.gradients, graph->trainable_elements * sizeof(float)) == 0;
        same = same &&
               memcmp(plain.running, less.running, graph->running_elements * sizeof(float)) == 0;
        same = same && memcmp(plain.loss, less.loss, sizeof plain.loss) == 0;
        if (!same) {
            fail_msg("%s, %s, %d threads, %s: other bits", model, backend->name, threads,
                     fuse ? "fused" : "plain");
        }
        assert_true(threads > 1 || less.bytes < plain.bytes);
        outcome_free(&less);
    }
    outcome_free(&plain);
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
