// SPDX-License-Identifier: Apache-2.0
// Resizing: hashes of results that were compared with Pillow's, pixel for pixel, when they were
// pinned (Image.resize(size, BILINEAR) and BICUBIC of Pillow 12); what holds for every picture; and
// the vector passes against the plain ones.
#include "data/scratch.h"

#include "base/cpu.h"
#include "base/random.h"
#include "data/image.h"
#include "data/resize_pass.h"

static Image make(int width, int height, int channels) {
    Image image = {.width = width, .height = height, .channels = channels};
    size_t size = (size_t)width * (size_t)height * (size_t)channels;
    image.pixels = malloc(size);
    assert_non_null(image.pixels);
    for (size_t i = 0; i < size; i++) {
        image.pixels[i] = (uint8_t)random_bits(8, RANDOM_TEST, 0, i);
    }
    return image;
}

typedef struct Case {
    int channels, width, height, to_width, to_height;
    uint64_t hash, cubic;
} Case;

static const Case cases[] = {
    {3, 640, 427, 341, 227, 0xe4ad0cd2123a4e58U, 0xfd99eabb5bf96e44U},
    {3, 427, 640, 256, 383, 0xd7e91b23e859f6fcU, 0x256092d692fabf01U},
    {3, 100, 80, 32, 32, 0x8498e2ee5b48f513U, 0x5ca2cf787411b7dfU},
    {1, 28, 28, 32, 32, 0x513a963d3149b4b2U, 0xb762183c859a8478U},
    {1, 31, 77, 64, 9, 0xac7f908aee0ef99aU, 0x9ba3fbe66e9cef35U},
    {3, 33, 21, 224, 200, 0x5ceb3fff207c7efbU, 0x61454cebe77c3a3fU},
    {3, 1, 1, 8, 5, 0xb60c7b41bbd5a9fdU, 0xb60c7b41bbd5a9fdU},
    {3, 300, 7, 1, 1, 0x23ae0e1ad9b4e2c1U, 0x23ae0e1ad9b4e2c1U},
    {1, 9, 300, 9, 41, 0x37f8a7d5cfbc0000U, 0x661faf625f535ad1U},
    {1, 300, 9, 41, 9, 0x5384bb39264b80daU, 0xd86ec467ba45f70eU},
};

static void as_pillow(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Case *c = &cases[i];
        Image image = make(c->width, c->height, c->channels);
        for (int cubic = 0; cubic < 2; cubic++) {
            Image out;
            Interpolation interpolation = cubic ? INTERPOLATION_BICUBIC : INTERPOLATION_BILINEAR;
            assert_int_equal(image_resize(&image, c->to_width, c->to_height, interpolation, &out),
                             STATUS_OK);
            assert_int_equal(out.width, c->to_width);
            assert_int_equal(out.height, c->to_height);
            assert_int_equal(out.channels, c->channels);
            size_t size = (size_t)c->to_width * (size_t)c->to_height * (size_t)c->channels;
            assert_int_equal(hash_bytes(out.pixels, size), cubic ? c->cubic : c->hash);
            image_free(&out);
        }
        image_free(&image);
    }
}

// Worked by hand: 4 -> 2 has support 2, weights 1/4 3/4 3/4 of what is inside, each divided by its
// sum: (3·0 + 3·40 + 80)/7 and (40 + 3·80 + 3·120)/7.
static void by_hand(void **state) {
    (void)state;
    Image image = {.width = 4, .height = 1, .channels = 1, .pixels = (uint8_t[]){0, 40, 80, 120}};
    Image out;
    assert_int_equal(image_resize(&image, 2, 1, INTERPOLATION_BILINEAR, &out), STATUS_OK);
    assert_int_equal(out.pixels[0], 29);
    assert_int_equal(out.pixels[1], 91);
    image_free(&out);
    // 2 -> 4 interpolates between the centres: 0, 1/4, 3/4, 1.
    image.width = 2;
    assert_int_equal(image_resize(&image, 4, 1, INTERPOLATION_BILINEAR, &out), STATUS_OK);
    assert_memory_equal(out.pixels, ((const uint8_t[]){0, 10, 30, 40}), 4);
    image_free(&out);
}

static void flat_stays_flat(void **state) {
    (void)state;
    for (int value = 0; value < 256; value += 15) {
        Image image = make(37, 23, 3), out;
        memset(image.pixels, value, 37 * 23 * 3);
        assert_int_equal(image_resize(&image, 5 + value, 300 - value, INTERPOLATION_BILINEAR, &out),
                         STATUS_OK);
        size_t size = (size_t)out.width * (size_t)out.height * 3;
        assert_int_equal(out.pixels[0], value);
        assert_memory_equal(out.pixels, out.pixels + 1, size - 1);
        image_free(&image);
        image_free(&out);
    }
}

static void the_same_size_is_a_copy(void **state) {
    (void)state;
    Image image = make(19, 7, 3), out;
    assert_int_equal(image_resize(&image, 19, 7, INTERPOLATION_BILINEAR, &out), STATUS_OK);
    assert_ptr_not_equal(image.pixels, out.pixels);
    assert_memory_equal(image.pixels, out.pixels, 19 * 7 * 3);
    image_free(&image);
    image_free(&out);
}

static void impossible_sizes(void **state) {
    (void)state;
    Image image = make(3, 2, 1), out;
    expect_failure(image_resize(&image, 0, 5, INTERPOLATION_BILINEAR, &out), STATUS_USAGE,
                   "a picture was to be resized to 0x5, expected at least 1x1");
    expect_failure(image_resize(&image, 3, 100000000, INTERPOLATION_BILINEAR, &out), STATUS_FAILED,
                   "the resized picture: is 3x100000000, expected 1 to 100000000 pixels in all");
    assert_null(out.pixels);
    image_free(&image);
}

static const ResizePasses *fast_passes(void) {
#if defined(__x86_64__)
    if (isa_supported(ISA_AVX2)) {
        return &resize_passes_avx2;
    }
#endif
    skip();
    return NULL;
}

// Any weights, of both signs, whose sums fit; rows that end with their block.
static void vector_passes(void **state) {
    (void)state;
    const ResizePasses *fast = fast_passes();
    enum { TARGETS = 50, TAPS = 12, SOURCE = 40, ROWS = TAPS };
    int first[TARGETS], count[TARGETS];
    static int32_t weight[TARGETS * TAPS], pairs[TARGETS * TAPS];
    Axis axis = {TARGETS, TAPS, first, count, weight, pairs};
    for (uint64_t round = 0; round < 50; round++) {
        memset(weight, 0, sizeof weight);
        for (int i = 0; i < TARGETS; i++) {
            uint64_t bits = random_bits(3, RANDOM_TEST, round, (uint64_t)i);
            count[i] = 1 + (int)(bits % TAPS);
            first[i] = (int)((bits >> 8) % (uint64_t)(SOURCE - count[i] + 1));
            for (int j = 0; j < count[i]; j++) {
                uint64_t draw = random_bits(4, RANDOM_TEST, round, (uint64_t)(i * TAPS + j));
                weight[i * TAPS + j] = (int32_t)(draw % (1U << 20)) - (1 << 19);
            }
            for (int k = 0; k < TAPS; k += 4) {
                resize_split_weights(weight + i * TAPS + k, pairs + i * TAPS + k);
            }
        }
        for (int channels = 1; channels <= 3; channels += 2) {
            Image image = make(SOURCE, ROWS, channels);
            size_t row = (size_t)(SOURCE * channels);
            const uint8_t *end = image.pixels + ROWS * row;
            uint8_t expected[TARGETS * 3], found[TARGETS * 3];
            for (size_t y = 0; y < ROWS; y++) {
                const uint8_t *from = image.pixels + y * row;
                resize_passes_portable.row(&axis, from, end, channels, expected);
                fast->row(&axis, from, end, channels, found);
                assert_memory_equal(expected, found, (size_t)(TARGETS * channels));
            }
            for (int i = 0; i < TARGETS; i++) {
                resize_passes_portable.columns(&axis, i, image.pixels, row, row, expected);
                fast->columns(&axis, i, image.pixels, row, row, found);
                assert_memory_equal(expected, found, row);
            }
            image_free(&image);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pillow),        cmocka_unit_test(by_hand),
        cmocka_unit_test(flat_stays_flat),  cmocka_unit_test(the_same_size_is_a_copy),
        cmocka_unit_test(impossible_sizes), cmocka_unit_test(vector_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
