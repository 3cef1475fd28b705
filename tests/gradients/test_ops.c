// SPDX-License-Identifier: Apache-2.0
// Every op of the reference backend: gradients against finite differences, the fused forms against
// their parts, and the conventions that a derivative does not show.
#include "gradients/op_checks.h"

#define CONV(out, kernel_h, kernel_w, step, edge, group_count, with_bias)                          \
    .conv = {.out_channels = (out),                                                                \
             .kernel_height = (kernel_h),                                                          \
             .kernel_width = (kernel_w),                                                           \
             .stride = (step),                                                                     \
             .pad = (edge),                                                                        \
             .groups = (group_count),                                                              \
             .bias = (with_bias)}
#define POOL(size, step, edge, up, with_pad)                                                       \
    .pool = {.kernel = (size),                                                                     \
             .stride = (step),                                                                     \
             .pad = (edge),                                                                        \
             .ceil = (up),                                                                         \
             .include_pad = (with_pad)}

static const OpCase CASES[] = {
    {"conv 3x3", {OP_CONV, .shape = {4, 5, 6}, CONV(4, 3, 3, 1, 1, 1, false)}, {{3, 5, 6}}, 2},
    {"conv 3x3 bias", {OP_CONV, .shape = {2, 4, 4}, CONV(2, 3, 3, 1, 1, 0, true)}, {{5, 4, 4}}, 3},
    {"conv 3x3/2", {OP_CONV, .shape = {4, 3, 3}, CONV(4, 3, 3, 2, 1, 1, false)}, {{3, 5, 6}}, 2},
    {"conv 1x1/2", {OP_CONV, .shape = {5, 3, 2}, CONV(5, 1, 1, 2, 0, 1, false)}, {{4, 5, 4}}, 2},
    {"conv 7x7/2 pad 3",
     {OP_CONV, .shape = {2, 3, 2}, CONV(2, 7, 7, 2, 3, 1, true)},
     {{3, 5, 4}},
     1},
    {"conv 3x1 stride 3",
     {OP_CONV, .shape = {3, 3, 3}, CONV(3, 3, 1, 3, 1, 1, true)},
     {{2, 7, 6}},
     2},
    {"conv 1x5", {OP_CONV, .shape = {3, 2, 1}, CONV(3, 1, 5, 1, 0, 1, false)}, {{2, 2, 5}}, 2},
    {"conv 2x2 even", {OP_CONV, .shape = {3, 4, 5}, CONV(3, 2, 2, 1, 1, 1, false)}, {{2, 3, 4}}, 2},
    {"conv groups", {OP_CONV, .shape = {6, 4, 4}, CONV(6, 3, 3, 1, 1, 2, true)}, {{4, 4, 4}}, 2},
    {"conv depthwise",
     {OP_CONV, .shape = {6, 2, 2}, CONV(6, 3, 3, 2, 1, 3, false)},
     {{3, 4, 4}},
     2},
    {"conv on one pixel",
     {OP_CONV, .shape = {3, 1, 1}, CONV(3, 3, 3, 1, 1, 1, true)},
     {{4, 1, 1}},
     1},
    {"conv + residual, relu",
     {OP_CONV, .shape = {3, 4, 4}, CONV(3, 3, 3, 1, 1, 1, true), .relu = true},
     {{2, 4, 4}, {3, 4, 4}},
     2},
    {"norm", {OP_NORM, .shape = {3, 4, 5}, .norm = {1e-5F}}, {{3, 4, 5}}, 2},
    {"norm of vectors", {OP_NORM, .shape = {4, 1, 1}, .norm = {1e-5F}}, {{4, 1, 1}}, 5},
    {"norm relu", {OP_NORM, .shape = {3, 3, 3}, .norm = {1e-5F}, .relu = true}, {{3, 3, 3}}, 2},
    {"norm + residual", {OP_NORM, .shape = {3, 3, 3}, .norm = {1e-5F}}, {{3, 3, 3}, {3, 3, 3}}, 2},
    {"norm + residual, relu",
     {OP_NORM, .shape = {3, 4, 3}, .norm = {1e-3F}, .relu = true},
     {{3, 4, 3}, {3, 4, 3}},
     3},
    {"relu", {OP_RELU, .shape = {3, 4, 5}}, {{3, 4, 5}}, 3},
    {"sigmoid", {OP_SIGMOID, .shape = {7, 1, 1}}, {{7, 1, 1}}, 3},
    {"add", {OP_ADD, .shape = {3, 4, 5}}, {{3, 4, 5}, {3, 4, 5}}, 2},
    {"add relu", {OP_ADD, .shape = {3, 4, 5}, .relu = true}, {{3, 4, 5}, {3, 4, 5}}, 2},
    {"gate", {OP_GATE, .shape = {5, 3, 4}}, {{5, 3, 4}, {5, 1, 1}}, 3},
    {"concat of 2", {OP_CONCAT, .shape = {5, 3, 2}}, {{4, 3, 2}, {1, 3, 2}}, 2},
    {"concat of 4",
     {OP_CONCAT, .shape = {10, 2, 3}},
     {{1, 2, 3}, {4, 2, 3}, {2, 2, 3}, {3, 2, 3}},
     2},
    {"max_pool 3/2 pad 1",
     {OP_MAX_POOL, .shape = {3, 3, 4}, POOL(3, 2, 1, false, false)},
     {{3, 6, 7}},
     2},
    {"max_pool 2/2",
     {OP_MAX_POOL, .shape = {2, 2, 3}, POOL(2, 2, 0, false, false)},
     {{2, 5, 6}},
     2},
    {"max_pool 3/2 ceil",
     {OP_MAX_POOL, .shape = {2, 3, 3}, POOL(3, 2, 0, true, false)},
     {{2, 6, 6}},
     2},
    {"max_pool 3/1 pad 1",
     {OP_MAX_POOL, .shape = {2, 4, 3}, POOL(3, 1, 1, false, false)},
     {{2, 4, 3}},
     2},
    {"avg_pool 2/2", {OP_AVG_POOL, .shape = {3, 2, 3}, POOL(2, 2, 0, false, true)}, {{3, 4, 6}}, 2},
    {"avg_pool 3/2 pad",
     {OP_AVG_POOL, .shape = {2, 3, 4}, POOL(3, 2, 1, false, true)},
     {{2, 5, 7}},
     2},
    {"avg_pool 3/2 inside",
     {OP_AVG_POOL, .shape = {2, 3, 4}, POOL(3, 2, 1, false, false)},
     {{2, 5, 7}},
     2},
    {"avg_pool 3/2 ceil",
     {OP_AVG_POOL, .shape = {2, 4, 3}, POOL(3, 2, 1, true, true)},
     {{2, 6, 5}},
     2},
    {"avg_pool 3/2 ceil inside",
     {OP_AVG_POOL, .shape = {2, 3, 3}, POOL(3, 2, 0, true, false)},
     {{2, 6, 6}},
     2},
    {"avg_pool adaptive, fewer",
     {OP_AVG_POOL, .shape = {2, 4, 4}, .pool = {.adaptive = 4}},
     {{2, 6, 7}},
     2},
    {"avg_pool adaptive, more",
     {OP_AVG_POOL, .shape = {3, 5, 5}, .pool = {.adaptive = 5}},
     {{3, 2, 5}},
     2},
    {"global_pool", {OP_GLOBAL_POOL, .shape = {5, 1, 1}}, {{5, 3, 4}}, 3},
    {"linear", {OP_LINEAR, .shape = {4, 1, 1}}, {{6, 1, 1}}, 3},
    {"linear of an image", {OP_LINEAR, .shape = {4, 1, 1}}, {{3, 2, 4}}, 2},
    {"pad_shortcut", {OP_PAD_SHORTCUT, .shape = {8, 2, 3}, .pad_shortcut = {8, 2}}, {{4, 4, 6}}, 2},
    {"pad_shortcut odd",
     {OP_PAD_SHORTCUT, .shape = {7, 3, 2}, .pad_shortcut = {7, 2}},
     {{4, 5, 3}},
     2},
    {"pad_shortcut stride 1",
     {OP_PAD_SHORTCUT, .shape = {6, 3, 2}, .pad_shortcut = {6, 1}},
     {{2, 3, 2}},
     2},
    {"dropout", {OP_DROPOUT, .shape = {6, 4, 2}, .dropout = {0.4F}}, {{6, 4, 2}}, 3},
    {"lrn 5", {OP_LRN, .shape = {9, 2, 2}, .lrn = {5, 0.7F, 0.75F, 1.0F}}, {{9, 2, 2}}, 2},
    {"lrn 4 of 3", {OP_LRN, .shape = {3, 2, 2}, .lrn = {4, 1e-4F, 0.5F, 2.0F}}, {{3, 2, 2}}, 2},
    {"softmax_loss", {OP_SOFTMAX_LOSS, .shape = {1, 1, 1}, .loss = {1.0F, 0.0F}}, {{6, 1, 1}}, 4},
    {"softmax_loss smoothed",
     {OP_SOFTMAX_LOSS, .shape = {1, 1, 1}, .loss = {0.3F, 0.1F}},
     {{5, 1, 1}},
     3},
};

static void test_finite_differences(void **state) {
    (void)state;
    KinkCount count = {0, 0};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        check_op(&CASES[i], &count);
    }
    assert_true(count.checked > 3000);
    assert_true(count.skipped * 50 < count.checked);
}

static void test_every_op_has_a_case(void **state) {
    (void)state;
    // Bytes exist in inference only.
    bool seen[OP_COUNT] = {[OP_INPUT] = true, [OP_QUANTIZE] = true, [OP_DEQUANTIZE] = true};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        seen[CASES[i].node.op] = true;
    }
    for (int op = 0; op < OP_COUNT; op++) {
        if (!seen[op]) {
            fail_msg("op %s has no gradient case", op_row((OpKind)op)->name);
        }
    }
}

// conv -> norm -> add -> relu, one node each, against the one fused convolution.
static void test_fused_convolution(void **state) {
    (void)state;
    const OpCase fused = {"fused",
                          {OP_CONV, .shape = {4, 3, 3}, CONV(4, 3, 3, 2, 1, 2, true), .relu = true,
                           .folded_norm = true, .folded_epsilon = 1e-3F},
                          {{6, 5, 5}, {4, 3, 3}},
                          2};
    OpCase conv = fused, norm = {"norm", {OP_NORM, .shape = {4, 3, 3}}, {{4, 3, 3}}, 2};
    OpCase add = {"add", {OP_ADD, .shape = {4, 3, 3}}, {{4, 3, 3}, {4, 3, 3}}, 2};
    conv.node.relu = conv.node.folded_norm = false;
    conv.input_shape[1] = (Shape){0, 0, 0};
    norm.node.norm.epsilon = 1e-3F;
    OpRun whole, parts[3];
    op_run_begin(&whole, &fused, PHASE_INFERENCE);
    op_run_begin(&parts[0], &conv, PHASE_INFERENCE);
    op_run_begin(&parts[1], &norm, PHASE_INFERENCE);
    op_run_begin(&parts[2], &add, PHASE_INFERENCE);
    for (size_t c = 0; c < whole.param_elements[5]; c++) {
        whole.param[5][c] = fabs(whole.param[5][c]) + 0.1;
    }
    for (int k = 0; k < 4; k++) {
        parts[1].call.param[k] = whole.param[2 + k];
    }
    parts[1].call.input[0] = parts[0].output;
    parts[2].call.input[0] = parts[1].output;
    parts[2].call.input[1] = whole.input[1];
    backend_reference_double.forward(&whole.call);
    for (int k = 0; k < 3; k++) {
        backend_reference_double.forward(&parts[k].call);
    }
    size_t positive = 0;
    for (size_t i = 0; i < whole.output_elements; i++) {
        assert_true(fabs(whole.output[i] - fmax(parts[2].output[i], 0)) <= 1e-14);
        positive += whole.output[i] > 0;
    }
    assert_true(positive > 0 && positive < whole.output_elements);
    op_run_end(&whole);
    for (int k = 0; k < 3; k++) {
        op_run_end(&parts[k]);
    }
}

// A batch of one value for each channel: nothing to divide by, and still finite.
static void test_norm_of_one_value(void **state) {
    (void)state;
    const OpCase one = {"norm", {OP_NORM, .shape = {2, 1, 1}, .norm = {1e-5F}}, {{2, 1, 1}}, 1};
    OpRun run;
    op_run_begin(&run, &one, PHASE_TRAINING);
    double mean = run.param[2][0], variance = run.param[3][0];
    double momentum = (double)0.1F;
    backend_reference_double.forward(&run.call);
    assert_true(run.output[0] == run.param[1][0]);
    assert_true(fabs(run.param[2][0] - ((1 - momentum) * mean + momentum * run.input[0][0])) <=
                1e-15);
    assert_true(fabs(run.param[3][0] - (1 - momentum) * variance) <= 1e-15);
    op_run_end(&run);
}

// Of two values, 1 and 3: mean 2, biased variance 1, unbiased variance 2.
static void test_norm_statistics(void **state) {
    (void)state;
    const OpCase two = {"norm", {OP_NORM, .shape = {1, 1, 2}, .norm = {0}}, {{1, 1, 2}}, 1};
    OpRun run;
    op_run_begin(&run, &two, PHASE_TRAINING);
    run.input[0][0] = 1;
    run.input[0][1] = 3;
    run.param[0][0] = 10;
    run.param[1][0] = 5;
    run.param[2][0] = 4;
    run.param[3][0] = 6;
    run.call.norm_momentum = 0.5F;
    backend_reference_double.forward(&run.call);
    assert_true(run.output[0] == -5 && run.output[1] == 15);
    assert_true(run.param[2][0] == 3 && run.param[3][0] == 4);
    op_run_end(&run);
}

static void test_max_pool_ties_and_nan(void **state) {
    (void)state;
    const OpCase pool = {
        "max_pool", {OP_MAX_POOL, .shape = {1, 1, 2}, POOL(2, 2, 0, false, false)}, {{1, 2, 4}}, 1};
    OpRun run;
    op_run_begin(&run, &pool, PHASE_TRAINING);
    const double x[8] = {1, 2, NAN, 9, 2, 2, 3, 3};
    memcpy(run.input[0], x, sizeof x);
    backend_reference_double.forward(&run.call);
    assert_true(run.output[0] == 2 && isnan(run.output[1]));
    backend_reference_double.backward(&run.call);
    for (int i = 0; i < 8; i++) {
        double expected = i == 1 ? run.output_gradient[0] : i == 2 ? run.output_gradient[1] : 0;
        assert_true(run.input_gradient[0][i] == expected);
    }
    op_run_end(&run);
}

static void test_nan_passes_relu(void **state) {
    (void)state;
    const OpCase relu = {"relu", {OP_RELU, .shape = {3, 1, 1}}, {{3, 1, 1}}, 1};
    OpRun run;
    op_run_begin(&run, &relu, PHASE_INFERENCE);
    const double x[3] = {NAN, -1, 2};
    memcpy(run.input[0], x, sizeof x);
    backend_reference_double.forward(&run.call);
    assert_true(isnan(run.output[0]) && run.output[1] == 0 && run.output[2] == 2);
    op_run_end(&run);
}

// Dropout of a sample depends on its place in the whole batch, not on the call it comes in; in
// inference it does nothing.
static void test_dropout_of_shards(void **state) {
    (void)state;
    const OpCase all = {
        "all", {OP_DROPOUT, .shape = {50, 2, 1}, .dropout = {0.3F}}, {{50, 2, 1}}, 4};
    OpCase last = all;
    last.batch = 1;
    OpRun whole, shard;
    op_run_begin(&whole, &all, PHASE_TRAINING);
    op_run_begin(&shard, &last, PHASE_TRAINING);
    memcpy(shard.input[0], whole.input[0] + 300, 100 * sizeof(double));
    shard.call.first_sample = whole.call.first_sample + 3;
    backend_reference_double.forward(&whole.call);
    backend_reference_double.forward(&shard.call);
    assert_memory_equal(whole.output + 300, shard.output, 100 * sizeof(double));
    int dropped = 0;
    for (size_t i = 0; i < whole.output_elements; i++) {
        double kept = whole.input[0][i] / (1 - (double)0.3F);
        dropped += whole.output[i] == 0;
        assert_true(whole.output[i] == 0 || fabs(whole.output[i] - kept) <= 1e-15);
    }
    assert_in_range(dropped, 80, 160); // 120 expected of 400, deviation 9
    whole.call.phase = PHASE_INFERENCE;
    backend_reference_double.forward(&whole.call);
    assert_memory_equal(whole.output, whole.input[0], whole.output_elements * sizeof(double));
    op_run_end(&whole);
    op_run_end(&shard);
}

// Two classes with logits 1000 apart: no overflow, and the loss is the difference.
static void test_loss_of_large_logits(void **state) {
    (void)state;
    const OpCase loss = {
        "loss", {OP_SOFTMAX_LOSS, .shape = {1, 1, 1}, .loss = {0.5F, 0.0F}}, {{2, 1, 1}}, 1};
    OpRun run;
    op_run_begin(&run, &loss, PHASE_TRAINING);
    run.input[0][0] = 2000;
    run.input[0][1] = 1000;
    run.labels[0] = 1;
    backend_reference_double.forward(&run.call);
    assert_true(run.output[0] == 500);
    backend_reference_double.backward(&run.call);
    assert_true(run.input_gradient[0][0] == 0.125 && run.input_gradient[0][1] == -0.125);
    op_run_end(&run);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_op_has_a_case),  cmocka_unit_test(test_finite_differences),
        cmocka_unit_test(test_fused_convolution),    cmocka_unit_test(test_norm_of_one_value),
        cmocka_unit_test(test_norm_statistics),      cmocka_unit_test(test_max_pool_ties_and_nan),
        cmocka_unit_test(test_nan_passes_relu),      cmocka_unit_test(test_dropout_of_shards),
        cmocka_unit_test(test_loss_of_large_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
