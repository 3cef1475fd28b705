// SPDX-License-Identifier: Apache-2.0
// Ops on bytes but for layers: conversions, pooling, concatenation, padded shortcuts.
#include "int8_case.h"

static void test_max_pool(void **state) {
    (void)state;
    const PoolAttr pools[] = {{.kernel = 3, .stride = 2, .pad = 1}, {.kernel = 2, .stride = 2}};
    const int channels[] = {64, 3, 150, 16};
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        for (int p = 0; p < 2; p++) {
            const int size = (9 + 2 * pools[p].pad - pools[p].kernel) / 2 + 1;
            ByteCase c = {.name = "max_pool",
                          .op = OP_MAX_POOL,
                          .in = {{channels[i], 9, 9}},
                          .out = {channels[i], size, size},
                          .inputs = 1,
                          .batch = 2,
                          .pool = pools[p],
                          .bytes = true};
            check_case(&c);
        }
    }
}

static void test_others(void **state) {
    (void)state;
    const int channels[] = {64, 3, 21, 1};
    for (size_t i = 0; i < sizeof channels / sizeof channels[0]; i++) {
        const Shape shape = {channels[i], 9, 11};
        for (int32_t zero = 0; zero <= 128; zero += 128) {
            ByteCase c = {.name = "quantize",
                          .op = OP_QUANTIZE,
                          .in = {shape},
                          .out = shape,
                          .inputs = 1,
                          .batch = 3,
                          .bytes = true,
                          .out_zero = zero,
                          .out_scale = 0.02f};
            check_case(&c);
            c.name = "dequantize";
            c.op = OP_DEQUANTIZE;
            c.bytes = false;
            c.zero[0] = zero;
            c.in_scale = 0.03f;
            check_case(&c);
            c.name = "global_pool";
            c.op = OP_GLOBAL_POOL;
            c.out = (Shape){channels[i], 1, 1};
            check_case(&c);
            c.name = "concat";
            c.op = OP_CONCAT;
            c.inputs = 3;
            c.in[1] = (Shape){5, 9, 11};
            c.in[2] = (Shape){32, 9, 11};
            c.bytes = true;
            c.out = (Shape){channels[i] + 37, 9, 11};
            check_case(&c);
            c.name = "pad_shortcut";
            c.op = OP_PAD_SHORTCUT;
            c.inputs = 1;
            c.stride = 2;
            c.out_zero = zero;
            c.out = (Shape){channels[i] * 2 + 3, 5, 6};
            check_case(&c);
        }
    }
}

// Ties go to the even neighbour, what does not fit is cut, NaN is the lowest value.
static void test_rounding(void **state) {
    (void)state;
    const float inputs[] = {0.5f, 1.5f,   2.5f,   -0.5f,  300,    -300,    INFINITY, -INFINITY,
                            NAN,  254.5f, 255.5f, 126.5f, 127.5f, -127.5f, -128.5f,  3};
    const uint8_t unsigned_bytes[] = {0, 2, 2, 0, 255, 0, 255, 0, 0, 254, 255, 126, 128, 0, 0, 3};
    const uint8_t signed_bytes[] = {128, 130, 130, 128, 255, 0, 255, 0,
                                    0,   255, 255, 254, 255, 0, 0,   131};
    for (int isa = -1; isa < ISA_COUNT; isa++) {
        const Backend *backend = isa < 0 ? &backend_reference : backend_of((Isa)isa);
        for (int32_t zero = 0; backend != NULL && zero <= 128; zero += 128) {
            ByteCase c = {.name = "rounding",
                          .op = OP_QUANTIZE,
                          .in = {{16, 1, 1}},
                          .out = {16, 1, 1},
                          .inputs = 1,
                          .batch = 1,
                          .bytes = true,
                          .out_zero = zero,
                          .out_scale = 1};
            Values v;
            values_create(&c, backend, NULL, &v);
            memcpy(v.input[0].bytes, inputs, sizeof inputs);
            backend->forward(&v.call);
            for (size_t i = 0; i < 16; i++) {
                assert_int_equal(v.output.bytes[i], (zero == 0 ? unsigned_bytes : signed_bytes)[i]);
            }
            values_destroy(&v);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_max_pool),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_rounding),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
