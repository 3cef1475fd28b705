// SPDX-License-Identifier: Apache-2.0
// The cpu backend's ops with powers, exponentials and divisions, on fractions: against the
// reference in double, within a few roundings of their float results (they compute in double
// inside); and the draws of dropout.
#include <math.h>

#include "maps.h"

static const double U = 0x1p-24;

// Every result within `8 u` of its own size and of the size of what was added up.
static void check_double(const Case *c, const Backend *backend, const Result *result) {
    Result expected = case_run(c, &backend_reference_double, NULL, NULL);
    for (int which = 0; which < RESULTS; which++) {
        double size = 0;
        for (size_t i = 0; i < expected.counts[which]; i++) {
            size = fmax(size, fabs(expected.values[which][i]));
        }
        for (size_t i = 0; i < expected.counts[which]; i++) {
            double e = expected.values[which][i], r = result->values[which][i];
            if (!(fabs(e - r) <= 8 * U * (fabs(e) + 0.25 * size))) {
                fail_msg("%s, %s: result %d, element %zu is %.9g, expected %.9g", c->name,
                         backend->name, which, i, r, e);
            }
        }
    }
    result_free(&expected);
}

static Case smooth_case(const char *name, Node node, Shape input, int batch) {
    return (Case){.name = name,
                  .node = node,
                  .input_shape = {input},
                  .inputs = 1,
                  .batch = batch,
                  .phase = PHASE_TRAINING,
                  .width = 3,
                  .fractions = true,
                  .shared = NOT_SHARED};
}

static void run_both(Case c) {
    case_run_all(&c, true, check_double);
    c.accumulate[0] = true;
    case_run_all(&c, true, check_double);
    c.phase = PHASE_INFERENCE;
    case_run_all(&c, true, check_double);
}

static void test_sigmoid(void **state) {
    (void)state;
    Shape shape = {19, 5, 3};
    Case c = smooth_case("sigmoid", (Node){.op = OP_SIGMOID, .shape = shape}, shape, 4);
    run_both(c);
    c.width = 200; // both ends: 0 and 1, without a NaN
    run_both(c);
}

static void test_lrn(void **state) {
    (void)state;
    const LrnAttr attrs[] = {
        {5, 1e-4F, 0.75F, 2}, {5, 1e-1F, 0.75F, 1}, {4, 0.5F, 0.6F, 1.5F}, {1, 1, 1, 1}};
    const Shape inputs[] = {{1, 2, 3}, {3, 4, 4}, {96, 7, 5}};
    for (size_t a = 0; a < sizeof attrs / sizeof attrs[0]; a++) {
        for (size_t s = 0; s < sizeof inputs / sizeof inputs[0]; s++) {
            Node node = {.op = OP_LRN, .shape = inputs[s], .lrn = attrs[a]};
            run_both(smooth_case("lrn", node, inputs[s], 3));
        }
    }
}

static void test_softmax_loss(void **state) {
    (void)state;
    for (int classes = 1; classes <= 1000; classes = classes * 10) {
        for (int smooth = 0; smooth < 2; smooth++) {
            LossAttr attr = {.weight = 0.3F, .smoothing = smooth ? 0.1F : 0};
            Node node = {.op = OP_SOFTMAX_LOSS, .shape = {1, 1, 1}, .loss = attr};
            Case c = smooth_case("softmax_loss", node, (Shape){classes, 1, 1}, 37);
            run_both(c);
            c.middle = 1000; // e^1000 is no float
            c.width = 50;
            run_both(c);
        }
    }
}

// A NaN logit is seen in the loss.
static void test_nan_loss(void **state) {
    (void)state;
    float x[3] = {1, (float)strtod("nan", NULL), 2}, loss = 0;
    int32_t label = 0;
    Node node = {.op = OP_SOFTMAX_LOSS,
                 .input = {0, NODE_NONE, NODE_NONE, NODE_NONE},
                 .shape = {1, 1, 1},
                 .loss.weight = 1};
    const Backend *backend = backend_of(ISA_PORTABLE);
    Call call = {.node = &node,
                 .input_shape = {{3, 1, 1}},
                 .batch = 1,
                 .input = {x},
                 .output = &loss,
                 .labels = &label};
    backend->forward(&call);
    assert_true(loss != loss);
}

// Average pools by odd divisors that add to what is there: the order of additions is the backend's.
static void test_average(void **state) {
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        PoolAttr pool = {
            .kernel = 3, .stride = 2, .pad = 1, .ceil = kind & 1, .include_pad = kind & 2};
        int out = kind & 1 ? 5 : 4;
        Node node = {.op = OP_AVG_POOL, .shape = {21, out, out}, .pool = pool};
        run_both(smooth_case("avg_pool", node, (Shape){21, 8, 8}, 2));
    }
    // Adaptive windows: of a whole image, even ones, overlapping ones, more windows than pixels.
    const int windows[] = {1, 4, 5, 11};
    for (int kind = 0; kind < 4; kind++) {
        Node node = {.op = OP_AVG_POOL,
                     .shape = {21, windows[kind], windows[kind]},
                     .pool = {.adaptive = windows[kind]}};
        run_both(smooth_case("avg_pool", node, (Shape){21, 8, 9}, 2));
    }
}

// About `rate` of the elements are 0, the others 1/(1-rate); other samples, iterations and nodes
// draw differently, and a shard draws what the whole batch does.
static void test_dropout(void **state) {
    (void)state;
    enum { SAMPLES = 8, ELEMENTS = 2048 };
    static float x[SAMPLES * ELEMENTS], y[SAMPLES * ELEMENTS], shard[2 * ELEMENTS];
    for (int i = 0; i < SAMPLES * ELEMENTS; i++) {
        x[i] = 1;
    }
    Node node = {.op = OP_DROPOUT,
                 .input = {0, NODE_NONE, NODE_NONE, NODE_NONE},
                 .shape = {ELEMENTS, 1, 1},
                 .dropout.rate = 0.25F};
    const Backend *backend = backend_of(ISA_PORTABLE);
    Call call = {.node = &node,
                 .input_shape = {{ELEMENTS, 1, 1}},
                 .batch = SAMPLES,
                 .phase = PHASE_TRAINING,
                 .input = {x},
                 .output = y,
                 .seed = 1,
                 .iteration = 4,
                 .node_index = 2};
    backend->forward(&call);
    int dropped = 0, equal = 0;
    for (int i = 0; i < SAMPLES * ELEMENTS; i++) {
        assert_true(y[i] == 0 || y[i] == (float)(1 / 0.75));
        dropped += y[i] == 0;
        equal += i >= ELEMENTS && y[i] == y[i - ELEMENTS];
    }
    assert_in_range(dropped, SAMPLES * ELEMENTS * 0.23, SAMPLES * ELEMENTS * 0.27);
    assert_in_range(equal, (SAMPLES - 1) * ELEMENTS * 0.5, (SAMPLES - 1) * ELEMENTS * 0.75);
    call.first_sample = 3;
    call.batch = 2;
    call.output = shard;
    backend->forward(&call);
    assert_memory_equal(shard, y + 3 * ELEMENTS, sizeof shard);
    call.iteration = 5;
    backend->forward(&call);
    assert_memory_not_equal(shard, y + 3 * ELEMENTS, sizeof shard);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sigmoid),      cmocka_unit_test(test_lrn),
        cmocka_unit_test(test_softmax_loss), cmocka_unit_test(test_nan_loss),
        cmocka_unit_test(test_average),      cmocka_unit_test(test_dropout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
