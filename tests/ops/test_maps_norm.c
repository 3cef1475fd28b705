// SPDX-License-Identifier: Apache-2.0
// The cpu backend's batch norm against the reference in double, with bounds from its arithmetic:
//
//   u     = 2^-24, the rounding of a float operation
//   sums  a chunk's float sums are at most 512 terms deep, and no deeper than there are rows, so
//         their error is below that number of u times the sum of magnitudes
//   moved = what the error of the mean, from its sum and from being kept as a float, moves the
//         normalised input
#include <math.h>

#include "maps.h"

static const double U = 0x1p-24;
static const double MOST_GRADIENT = 4; // of the output's gradients

enum { SCALE, SHIFT, RUNNING_MEAN, RUNNING_VARIANCE };

static void assert_within(const Case *c, const Backend *backend, const char *what, double expected,
                          double found, double bound) {
    if (!(fabs(expected - found) <= bound)) {
        fail_msg("%s, %s: %s is %.9g, expected %.9g within %.3g", c->name, backend->name, what,
                 found, expected, bound);
    }
}

static double sums_error(const Case *c) {
    double rows = c->batch * (double)c->node.shape.height * c->node.shape.width;
    return (fmin(rows, 512) + 8) * U;
}

typedef struct Channel {
    double scale, shift, mean, inverse, moved;
} Channel;

static Channel channel_of(const Case *c, const Result *expected, size_t channel) {
    size_t channels = (size_t)c->node.shape.channels;
    Channel result = {
        .scale = case_value(c, VALUE_PARAM + SCALE, channel, c->params[0][0], c->params[0][1]),
        .shift = case_value(c, VALUE_PARAM + SHIFT, channel, c->params[1][0], c->params[1][1]),
    };
    if (c->phase == PHASE_TRAINING) {
        result.mean = expected->values[RESULT_SAVED][channel];
        result.inverse = expected->values[RESULT_SAVED][channels + channel];
        result.moved = fabs(result.mean) * U * result.inverse + sums_error(c);
    } else {
        double variance = expected->values[RESULT_PARAM + RUNNING_VARIANCE][channel];
        result.mean = expected->values[RESULT_PARAM + RUNNING_MEAN][channel];
        result.inverse = 1 / sqrt(variance + (double)c->node.norm.epsilon);
    }
    return result;
}

static void check_statistics(const Case *c, const Backend *backend, const Result *expected,
                             const Result *result, size_t i) {
    size_t channels = (size_t)c->node.shape.channels;
    Channel channel = channel_of(c, expected, i);
    double sums = sums_error(c);
    double mean_bound = fabs(channel.mean) * U + sums / channel.inverse;
    assert_within(c, backend, "the mean", channel.mean, result->values[RESULT_SAVED][i],
                  mean_bound);
    assert_within(c, backend, "1/deviation", channel.inverse,
                  result->values[RESULT_SAVED][channels + i], channel.inverse * (sums + 2 * U));
    double running = expected->values[RESULT_PARAM + RUNNING_MEAN][i];
    assert_within(c, backend, "the running mean", running,
                  result->values[RESULT_PARAM + RUNNING_MEAN][i],
                  2 * U * (fabs(running) + fabs(channel.mean)) + mean_bound);
    running = expected->values[RESULT_PARAM + RUNNING_VARIANCE][i];
    assert_within(c, backend, "the running variance", running,
                  result->values[RESULT_PARAM + RUNNING_VARIANCE][i], running * (2 * sums + 2 * U));
    assert_true(isfinite(result->values[RESULT_PARAM + RUNNING_VARIANCE][i]));
}

static void check_double(const Case *c, const Backend *backend, const Result *result) {
    // Backward sees this run's output, so that an element near 0 has the same mask in both.
    Result expected = case_run(c, &backend_reference_double, NULL, result);
    size_t channels = (size_t)c->node.shape.channels;
    size_t elements = case_elements(c, c->node.shape);
    bool training = c->phase == PHASE_TRAINING;
    double sums = sums_error(c);
    for (size_t i = 0; i < channels && training; i++) {
        check_statistics(c, backend, &expected, result, i);
    }
    for (size_t i = 0; i < elements; i++) {
        Channel channel = channel_of(c, &expected, i % channels);
        double x = case_value(c, VALUE_INPUT, i, c->middle, c->width);
        double normal = fabs(x - channel.mean) * channel.inverse;
        double residual =
            c->inputs > 1 ? case_value(c, VALUE_INPUT + 1, i, c->middle, c->width) : 0;
        double y = expected.values[RESULT_OUTPUT][i];
        double bound = fabs(channel.scale) * (channel.moved + normal * (sums + 6 * U)) +
                       4 * U * (fabs(y) + fabs(channel.shift) + fabs(residual));
        assert_within(c, backend, "the output", y, result->values[RESULT_OUTPUT][i], bound);
        if (!training) {
            continue;
        }
        if (!c->unwanted[0]) {
            bound = fabs(channel.scale) * channel.inverse * MOST_GRADIENT *
                        ((2 + 2 * normal) * (2 * sums + 6 * U) + (2 + 2 * normal) * channel.moved) +
                    16 * U;
            assert_within(c, backend, "the input's gradient",
                          expected.values[RESULT_INPUT_GRADIENT][i],
                          result->values[RESULT_INPUT_GRADIENT][i], bound);
        }
        if (c->inputs > 1 && !c->unwanted[1]) { // masked, and added at the most once: exact
            assert_within(c, backend, "the residual's gradient",
                          (double)(float)expected.values[RESULT_INPUT_GRADIENT + 1][i],
                          result->values[RESULT_INPUT_GRADIENT + 1][i], 0);
        }
    }
    double magnitude = MOST_GRADIENT * (double)elements / (double)channels;
    for (size_t i = 0; i < channels && training; i++) {
        Channel channel = channel_of(c, &expected, i);
        assert_within(c, backend, "the scale's gradient", expected.values[RESULT_PARAM_GRADIENT][i],
                      result->values[RESULT_PARAM_GRADIENT][i],
                      magnitude * (sums + 8 * U + channel.moved));
        assert_within(c, backend, "the shift's gradient",
                      expected.values[RESULT_PARAM_GRADIENT + 1][i],
                      result->values[RESULT_PARAM_GRADIENT + 1][i], magnitude * sums);
    }
    result_free(&expected);
}

// The last is large enough to be written past the caches.
static const struct {
    int batch;
    Shape shape;
} shapes[] = {
    {1, {5, 1, 1}},    {2, {16, 1, 1}}, {4, {1, 7, 7}},   {3, {3, 33, 31}},  {5, {16, 16, 21}},
    {2, {10, 20, 30}}, {6, {70, 9, 9}}, {3, {300, 5, 5}}, {6, {48, 31, 31}},
};

static Case norm_case(size_t s, bool residual, bool relu) {
    Shape shape = shapes[s].shape;
    return (Case){
        .name = "norm",
        .node = {.op = OP_NORM, .shape = shape, .norm.epsilon = 1e-5F, .relu = relu},
        .input_shape = {shape, shape},
        .inputs = residual ? 2 : 1,
        .batch = shapes[s].batch,
        .phase = PHASE_TRAINING,
        .params = {{1, 0.5}, {0.2, 1}, {0.1, 0.5}, {1, 0.5}},
        .middle = 0.5,
        .width = 2,
        .fractions = true,
        .shared = NOT_SHARED,
    };
}

enum { SHAPES = sizeof shapes / sizeof shapes[0] };

static void test_training(void **state) {
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        for (int kind = 0; kind < 4; kind++) {
            Case c = norm_case(s, kind & 1, kind & 2);
            case_run_all(&c, false, check_double);
            c.accumulate[0] = true;
            c.shared = kind & 1 ? 1 : NOT_SHARED;
            case_run_all(&c, false, check_double);
        }
    }
}

static void test_accumulated_residual(void **state) {
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        for (int relu = 0; relu < 2; relu++) {
            Case c = norm_case(s, true, relu);
            c.accumulate[1] = true;
            case_run_all(&c, false, check_double);
            c.unwanted[0] = true;
            case_run_all(&c, false, check_double);
            c.accumulate[1] = false;
            case_run_all(&c, false, check_double);
            c.unwanted[0] = false;
            c.unwanted[1] = true;
            case_run_all(&c, false, check_double);
        }
    }
}

static void test_inference(void **state) {
    (void)state;
    for (size_t s = 0; s < SHAPES; s++) {
        for (int kind = 0; kind < 4; kind++) {
            Case c = norm_case(s, kind & 1, kind & 2);
            c.phase = PHASE_INFERENCE;
            case_run_all(&c, false, check_double);
        }
    }
}

// Where the mean is 1e5 deviations, a variance by E[x^2] - E[x]^2 in float would be nothing but
// rounding.
static void test_large_mean(void **state) {
    (void)state;
    for (size_t s = 2; s < SHAPES; s++) {
        Case c = norm_case(s, false, true);
        c.middle = 1000;
        c.width = 0.02;
        case_run_all(&c, false, check_double);
        c.middle = -3e-4;
        c.width = 1e-6;
        case_run_all(&c, false, check_double);
    }
}

// A first row far away from the others makes a bad pivot, which costs a few bits and no more.
static void test_outlier(void **state) {
    (void)state;
    enum { ROWS = 4096 };
    static float x[ROWS], y[ROWS];
    for (int i = 0; i < ROWS; i++) {
        x[i] = i == 0 ? 1e4F : (float)(i % 2);
    }
    double mean = 0, squares = 0;
    for (int i = 0; i < ROWS; i++) {
        mean += (double)x[i] / ROWS;
    }
    for (int i = 0; i < ROWS; i++) {
        squares += ((double)x[i] - mean) * ((double)x[i] - mean) / ROWS;
    }
    Shape shape = {1, 64, 64};
    Node node = {.op = OP_NORM, .input = {0, NODE_NONE, NODE_NONE, NODE_NONE}, .shape = shape};
    float scale = 1, shift = 0, running_mean = 0, running_variance = 1, saved[2];
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Backend *backend = backend_of((Isa)isa);
        if (backend == NULL) {
            continue;
        }
        Graph graph = {.nodes = &node, .node_count = 1};
        Guarded workspace =
            guarded_alloc(backend->workspace_size(&graph, &node, 1, PHASE_TRAINING, 1));
        Call call = {.node = &node,
                     .input_shape = {shape},
                     .batch = 1,
                     .phase = PHASE_TRAINING,
                     .input = {x},
                     .output = y,
                     .saved = saved,
                     .param = {&scale, &shift, &running_mean, &running_variance},
                     .norm_momentum = 1,
                     .workspace = workspace.bytes};
        backend->forward(&call);
        assert_true(fabs((double)saved[0] / mean - 1) < 520 * U);
        assert_true(fabs((double)running_variance / (squares * ROWS / (ROWS - 1)) - 1) <
                    64 * 520 * U);
        guarded_free(&workspace);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_training),  cmocka_unit_test(test_accumulated_residual),
        cmocka_unit_test(test_inference), cmocka_unit_test(test_large_mean),
        cmocka_unit_test(test_outlier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
