// SPDX-License-Identifier: Apache-2.0
// Convolutions and linear layers on bytes: every instruction set and number of threads gives the
// integers of the reference, and the reference what the formulas of backend/int8.h say.
#include "backend/cpu/kernels/int8_kernels.h"
#include "int8_case.h"

static ByteCase conv_case(const char *name, int channels, int height, int width, int out_channels,
                          int kernel, int stride, int pad) {
    return (ByteCase){.name = name,
                      .op = OP_CONV,
                      .in = {{channels, height, width}},
                      .out = {out_channels, (height + 2 * pad - kernel) / stride + 1,
                              (width + 2 * pad - kernel) / stride + 1},
                      .inputs = 1,
                      .batch = 2,
                      .conv = {out_channels, kernel, kernel, stride, pad, 1, false},
                      .bytes = true,
                      .relu = true,
                      .norm = true,
                      .weights = 0.2f,
                      .offsets = 0.4f,
                      .in_scale = 0.031f,
                      .out_scale = 0.05f};
}

static void test_layers(void **state) {
    (void)state;
    ByteCase cases[] = {
        conv_case("3x3", 64, 9, 14, 32, 3, 1, 1),
        conv_case("3x3 of two blocks", 72, 7, 7, 48, 3, 1, 1),
        conv_case("3x3 stride 2", 20, 11, 13, 40, 3, 2, 1),
        conv_case("1x1", 128, 5, 6, 70, 1, 1, 0),
        conv_case("1x1 stride 2", 64, 9, 9, 64, 1, 2, 0),
        conv_case("7x7 of an image", 3, 31, 30, 24, 7, 2, 3),
        conv_case("3x3 of an image, wide", 3, 4, 130, 16, 3, 1, 1),
        conv_case("5x5, odd channels", 7, 8, 9, 11, 5, 1, 2),
        conv_case("3x3, one channel", 1, 6, 6, 5, 3, 1, 1),
        conv_case("2x2 stride 3", 8, 9, 9, 16, 2, 3, 0),
        conv_case("3x3 many rows", 64, 40, 17, 33, 3, 1, 1),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ByteCase c = cases[i];
        for (int variant = 0; variant < 6; variant++) {
            c.zero[0] = variant % 2 == 0 ? 0 : 128;
            c.out_zero = variant % 3 == 0 ? 0 : 128;
            c.relu = variant != 1 && variant != 4;
            c.norm = variant < 4;
            c.bias = c.conv.bias = variant >= 3;
            c.bytes = variant != 2;
            c.batch = variant == 5 ? 1 : 2;
            c.residual = variant == 1 || variant == 2 || variant == 3;
            c.inputs = c.residual ? 2 : 1;
            c.in[1] = c.out;
            c.zero[1] = variant == 3 ? 128 : 0;
            check_case(&c);
        }
    }
}

static void test_groups(void **state) {
    (void)state;
    ByteCase c = conv_case("3x3, groups of 4", 24, 8, 8, 36, 3, 1, 1);
    c.conv.groups = 6;
    check_case(&c);
    c = conv_case("1x1, groups of 64", 128, 7, 7, 128, 1, 1, 0);
    c.conv.groups = 2;
    check_case(&c);
}

static void test_linear(void **state) {
    (void)state;
    const Shape shapes[] = {{512, 1, 1}, {10, 1, 1}, {6, 3, 5}, {2045, 4, 4}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        ByteCase c = {.name = "linear",
                      .op = OP_LINEAR,
                      .in = {shapes[i]},
                      .out = {37, 1, 1},
                      .inputs = 1,
                      .bias = true,
                      .weights = 0.1f,
                      .offsets = 0.5f,
                      .in_scale = 0.03f};
        for (c.batch = 1; c.batch < 6; c.batch += 4) {
            check_case(&c);
            c.zero[0] = 128;
            check_case(&c);
        }
    }
}

// Winograd's sums are known up to a multiple of 2^26 (kernels/int8_winograd.c). 228 channels of the
// largest weights are the most that this is enough for; with one more, the direct sum is taken.
static void test_remainders(void **state) {
    (void)state;
    for (int channels = 228; channels <= 232; channels += 4) {
        assert_int_equal(127 * 9 * channels < INT8_WINOGRAD_MAGNITUDE, channels == 228);
        ByteCase c = conv_case("the largest sums of a 3x3", channels, 12, 12, 33, 3, 1, 1);
        c.norm = c.relu = false;
        c.alike = true;
        c.out_scale = 60;
        c.out_zero = 128;
        for (c.zero[0] = 0; c.zero[0] <= 128; c.zero[0] += 128) {
            c.alike = true;
            check_case(&c);
            c.alike = false;
            check_case(&c);
        }
    }
}

// Sums as large as they can be: all bytes 255, all weights alike, a huge offset.
static void test_extremes(void **state) {
    (void)state;
    ByteCase c = conv_case("the largest sums", 2048, 4, 4, 17, 4, 1, 0);
    c.norm = false;
    c.bias = c.conv.bias = true;
    c.offsets = 1e9f;
    c.inputs = 2;
    c.in[1] = c.out;
    c.in_scale = 1e-3f;
    c.alike = true;
    for (int relu = 0; relu < 2; relu++) {
        c.relu = relu;
        c.out_zero = relu ? 0 : 128;
        check_case(&c);
        c.out_scale = 1e6f;
    }
}

// ---- what the integers mean ---------------------------------------------------------------------

// Against the sum in double of the values that bytes stand for: the weights' rounding apart, which
// is undone here, a byte is off by at most half of one, and a little for the residual's factor.
static void test_meaning(void **state) {
    (void)state;
    ByteCase c = conv_case("meaning", 20, 6, 7, 9, 3, 1, 1);
    c.inputs = 2;
    c.in[1] = c.out;
    c.zero[0] = 128;
    c.zero[1] = 128;
    c.out_zero = 128;
    c.relu = false;
    Values v;
    run(&c, &backend_reference, NULL, &v);
    double worst = 0;
    for (int o = 0; o < c.out.channels; o++) {
        const float *weights = (const float *)(const void *)v.param[0].bytes + o * 180;
        double values[PARAMS], largest = 0;
        for (int p = 2; p < PARAMS; p++) {
            values[p] = (double)((const float *)(const void *)v.param[p].bytes)[o];
        }
        const double factor = values[2] / sqrt(values[5] + (double)1e-5f);
        for (int i = 0; i < 180; i++) {
            largest = fmax(largest, fabs((double)weights[i]));
        }
        for (int pixel = 0; pixel < 42; pixel++) {
            double sum = 0;
            for (int i = 0; i < 180; i++) {
                const int channel = i / 9, y = pixel / 7 + i % 9 / 3 - 1, x = pixel % 7 + i % 3 - 1;
                if (y >= 0 && y < 6 && x >= 0 && x < 7 && largest > 1e-6) {
                    const double q = nearbyint((double)weights[i] / largest * 127);
                    sum += q * largest / 127 * (double)c.in_scale *
                           (v.input[0].bytes[(y * 7 + x) * 20 + channel] - 128);
                }
            }
            double value = (sum - values[4]) * factor + values[3];
            value += (double)0.043f * (v.input[1].bytes[pixel * 12 + o] - 128);
            const double byte = fmin(fmax(value / (double)c.out_scale + 128, 0), 255);
            worst = fmax(worst, fabs(byte - v.output.bytes[pixel * 12 + o]));
        }
    }
    print_message("largest difference: %.3f of a byte\n", worst);
    assert_true(worst > 0.3 && worst < 0.55);
    values_destroy(&v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers),   cmocka_unit_test(test_groups),
        cmocka_unit_test(test_linear),   cmocka_unit_test(test_remainders),
        cmocka_unit_test(test_extremes), cmocka_unit_test(test_meaning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
