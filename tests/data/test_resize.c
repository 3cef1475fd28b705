// SPDX-License-Identifier: Apache-2.0
// Resizing: hashes of results that were compared with Pillow's, pixel for pixel, when they were
// pinned (Image.resize(size, BILINEAR) of Pillow 12); and what holds for every picture.
#include "data/scratch.h"

#include "base/random.h"
#include "data/image.h"

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
    uint64_t hash;
} Case;

static const Case cases[] = {
    {3, 640, 427, 341, 227, 0xe4ad0cd2123a4e58U}, {3, 427, 640, 256, 383, 0xd7e91b23e859f6fcU},
    {3, 100, 80, 32, 32, 0x8498e2ee5b48f513U},    {1, 28, 28, 32, 32, 0x513a963d3149b4b2U},
    {1, 31, 77, 64, 9, 0xac7f908aee0ef99aU},      {3, 33, 21, 224, 200, 0x5ceb3fff207c7efbU},
    {3, 1, 1, 8, 5, 0xb60c7b41bbd5a9fdU},         {3, 300, 7, 1, 1, 0x23ae0e1ad9b4e2c1U},
    {1, 9, 300, 9, 41, 0x37f8a7d5cfbc0000U},      {1, 300, 9, 41, 9, 0x5384bb39264b80daU},
};

static void as_pillow(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Case *c = &cases[i];
        Image image = make(c->width, c->height, c->channels), out;
        assert_int_equal(image_resize(&image, c->to_width, c->to_height, &out), STATUS_OK);
        assert_int_equal(out.width, c->to_width);
        assert_int_equal(out.height, c->to_height);
        assert_int_equal(out.channels, c->channels);
        size_t size = (size_t)c->to_width * (size_t)c->to_height * (size_t)c->channels;
        assert_int_equal(hash_bytes(out.pixels, size), c->hash);
        image_free(&image);
        image_free(&out);
    }
}

// Worked by hand: 4 -> 2 has support 2, weights 1/4 3/4 3/4 of what is inside, each divided by its
// sum: (3·0 + 3·40 + 80)/7 and (40 + 3·80 + 3·120)/7.
static void by_hand(void **state) {
    (void)state;
    Image image = {.width = 4, .height = 1, .channels = 1, .pixels = (uint8_t[]){0, 40, 80, 120}};
    Image out;
    assert_int_equal(image_resize(&image, 2, 1, &out), STATUS_OK);
    assert_int_equal(out.pixels[0], 29);
    assert_int_equal(out.pixels[1], 91);
    image_free(&out);
    // 2 -> 4 interpolates between the centres: 0, 1/4, 3/4, 1.
    image.width = 2;
    assert_int_equal(image_resize(&image, 4, 1, &out), STATUS_OK);
    assert_memory_equal(out.pixels, ((const uint8_t[]){0, 10, 30, 40}), 4);
    image_free(&out);
}

static void flat_stays_flat(void **state) {
    (void)state;
    for (int value = 0; value < 256; value += 15) {
        Image image = make(37, 23, 3), out;
        memset(image.pixels, value, 37 * 23 * 3);
        assert_int_equal(image_resize(&image, 5 + value, 300 - value, &out), STATUS_OK);
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
    assert_int_equal(image_resize(&image, 19, 7, &out), STATUS_OK);
    assert_ptr_not_equal(image.pixels, out.pixels);
    assert_memory_equal(image.pixels, out.pixels, 19 * 7 * 3);
    image_free(&image);
    image_free(&out);
}

static void impossible_sizes(void **state) {
    (void)state;
    Image image = make(3, 2, 1), out;
    expect_failure(image_resize(&image, 0, 5, &out), STATUS_USAGE,
                   "a picture was to be resized to 0x5, expected at least 1x1");
    expect_failure(image_resize(&image, 3, 100000000, &out), STATUS_FAILED,
                   "the resized picture: is 3x100000000, expected 1 to 100000000 pixels in all");
    assert_null(out.pixels);
    image_free(&image);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pillow),        cmocka_unit_test(by_hand),
        cmocka_unit_test(flat_stays_flat),  cmocka_unit_test(the_same_size_is_a_copy),
        cmocka_unit_test(impossible_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
