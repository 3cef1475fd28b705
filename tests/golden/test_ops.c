// SPDX-License-Identifier: Apache-2.0
// Single ops of the reference backend against PyTorch: the conventions that finite differences
// cannot see, such as what an average divides by. The cases and their values are those of
// make_ops.py. Bound: 1e-13 of the largest magnitude, a few hundred roundings of a double.
#include "gradients/op_case.h"

#include "formats/safetensors.h"

static const OpCase CASES[] = {
    {"conv",
     {OP_CONV, .shape = {6, 3, 4},
      .conv = {.out_channels = 6,
               .kernel_height = 3,
               .kernel_width = 2,
               .stride = 2,
               .pad = 1,
               .groups = 2,
               .bias = true}},
     {{4, 5, 6}},
     2},
    {"norm", {OP_NORM, .shape = {3, 4, 5}, .norm = {1e-3F}}, {{3, 4, 5}}, 2},
    {"sigmoid", {OP_SIGMOID, .shape = {7, 1, 1}}, {{7, 1, 1}}, 3},
    {"max_pool",
     {OP_MAX_POOL, .shape = {3, 3, 4}, .pool = {.kernel = 3, .stride = 2, .pad = 1}},
     {{3, 6, 7}},
     2},
    {"max_pool_ceil",
     {OP_MAX_POOL, .shape = {3, 3, 4}, .pool = {.kernel = 3, .stride = 2, .ceil = true}},
     {{3, 6, 8}},
     2},
    {"avg_pool",
     {OP_AVG_POOL, .shape = {2, 3, 4},
      .pool = {.kernel = 3, .stride = 2, .pad = 1, .include_pad = true}},
     {{2, 5, 7}},
     2},
    {"avg_pool_inside",
     {OP_AVG_POOL, .shape = {2, 3, 4}, .pool = {.kernel = 3, .stride = 2, .pad = 1}},
     {{2, 5, 7}},
     2},
    {"avg_pool_ceil",
     {OP_AVG_POOL, .shape = {2, 4, 3},
      .pool = {.kernel = 3, .stride = 2, .pad = 1, .ceil = true, .include_pad = true}},
     {{2, 6, 5}},
     2},
    {"avg_pool_ceil_inside",
     {OP_AVG_POOL, .shape = {2, 4, 4}, .pool = {.kernel = 3, .stride = 2, .pad = 1, .ceil = true}},
     {{2, 6, 6}},
     2},
    {"linear", {OP_LINEAR, .shape = {4, 1, 1}}, {{3, 2, 4}}, 2},
    {"lrn_5", {OP_LRN, .shape = {9, 2, 3}, .lrn = {5, 0.7F, 0.75F, 1.5F}}, {{9, 2, 3}}, 2},
    {"lrn_4", {OP_LRN, .shape = {6, 2, 3}, .lrn = {4, 0.7F, 0.75F, 1.5F}}, {{6, 2, 3}}, 2},
    {"softmax_loss", {OP_SOFTMAX_LOSS, .shape = {1, 1, 1}, .loss = {0.3F, 0.1F}}, {{5, 1, 1}}, 3},
};

static void compare(const Safetensors *file, const char *name, const char *what, const double *ours,
                    size_t elements) {
    char key[64];
    snprintf(key, sizeof key, "%s.%s", name, what);
    const Tensor *tensor = safetensors_find(file, key);
    assert_non_null(tensor);
    assert_int_equal(tensor->dtype, DTYPE_F64);
    assert_int_equal(tensor->elements, elements);
    double *theirs = malloc(tensor->bytes);
    assert_non_null(theirs);
    memcpy(theirs, tensor->data, tensor->bytes);
    double largest = 0;
    for (size_t i = 0; i < elements; i++) {
        largest = fmax(largest, fabs(theirs[i]));
    }
    for (size_t i = 0; i < elements; i++) {
        if (!(fabs(ours[i] - theirs[i]) <= 1e-13 * largest)) {
            fail_msg("%s, element %zu: %.15g, PyTorch %.15g", key, i, ours[i], theirs[i]);
        }
    }
    free(theirs);
}

static void test_ops(void **state) {
    (void)state;
    Safetensors *file = NULL;
    assert_int_equal(safetensors_open("tests/golden/ops.safetensors", &file), STATUS_OK);
    assert_int_equal(safetensors_count(file), 2 * sizeof CASES / sizeof *CASES);
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        OpRun run;
        op_run_begin(&run, &CASES[i], PHASE_TRAINING);
        backend_reference_double.forward(&run.call);
        backend_reference_double.backward(&run.call);
        compare(file, CASES[i].name, "output", run.output, run.output_elements);
        compare(file, CASES[i].name, "gradient", run.input_gradient[0], run.input_elements[0]);
        op_run_end(&run);
    }
    safetensors_close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_ops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
