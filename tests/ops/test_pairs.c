// SPDX-License-Identifier: Apache-2.0
// Convolutions that train together with the norm behind them give the bits that they give apart, on
// every instruction set, with any number of threads, whether or not the batch suits.
#include "base/cpu.h"
#include "models/models.h"
#include "passes.h"

static const Backend *inner; // what the counting one calls
static int forward_pairs, backward_pairs, kept;

static void count_forward(const Call *conv, const Call *norm) {
    forward_pairs++;
    inner->forward_pair(conv, norm);
}

// A pair that leaves dy nowhere leaves what lies in its place as it was.
static void count_backward(const Call *conv, const Call *norm) {
    const size_t bytes = (size_t)conv->batch * shape_elements(conv->node->shape) * sizeof(float);
    void *before = malloc(bytes);
    assert_non_null(before);
    memcpy(before, conv->output_gradient, bytes);
    inner->backward_pair(conv, norm);
    backward_pairs++;
    kept += memcmp(before, conv->output_gradient, bytes) == 0;
    free(before);
}

// `pairs` of the model; `together`: some of them work piece by piece with the whole batch.
static void compare(const char *model, int pairs, int extent, int batch, bool together) {
    Graph *graph = NULL;
    const ModelOptions options = {.input = {3, extent, extent}, .loss = true};
    require(model_build(model, &options, &graph));
    Backend apart = *inner, counting = *inner;
    apart.forward_pair = apart.backward_pair = NULL;
    counting.forward_pair = count_forward;
    counting.backward_pair = count_backward;
    NetworkOptions network = {
        .backend = &apart, .batch = batch, .phase = PHASE_TRAINING, .fuse = true};
    Passes expected = passes_run(graph, network, 1);
    network.backend = &counting;
    for (int threads = 1; threads <= 3; threads += 2) {
        forward_pairs = backward_pairs = kept = 0;
        Passes found = passes_run(graph, network, threads);
        assert_int_equal(forward_pairs, PASSES * pairs);
        assert_int_equal(backward_pairs, PASSES * pairs);
        assert_true(together ? kept >= 5 : kept == 0);
        if (!passes_same(graph, batch, &expected, &found)) {
            fail_msg("%s, %s, images of %d, batch %d, %d threads: other bits", model, inner->name,
                     extent, batch, threads);
        }
        passes_free(&found);
    }
    passes_free(&expected);
    graph_destroy(graph);
}

// Batches that tasks share evenly, one that they do not, images whose chunks are no whole images.
static void test_same_bits(void **state) {
    (void)state;
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (!isa_supported((Isa)isa)) {
            continue;
        }
        setenv("RESNET_ISA", isa_name((Isa)isa), 1);
        require(backend_cpu(&inner));
        // A shortcut stands between one convolution and its norm.
        compare("resnet20", 12, 32, 16, true);
        compare("plain20", 13, 24, 32, true);
        compare("resnet20", 12, 20, 19, false);
    }
    unsetenv("RESNET_ISA");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
