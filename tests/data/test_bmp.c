// SPDX-License-Identifier: Apache-2.0
// BMP of every depth against the definition, pixel by pixel; damaged ones get their sentence.
#include "data/pictures.h"

#include "data/decoders.h"

enum { WIDTH = 21, HEIGHT = 13 };

static Status read_bytes(Bytes file, Image *image) {
    Status status = image_decode("FILE", file.bytes, file.size, 0, false, image);
    bytes_free(&file);
    return status;
}

static uint32_t little(const uint8_t *bytes, int count) {
    uint32_t value = 0;
    for (int i = 0; i < count; i++) {
        value |= (uint32_t)bytes[i] << 8 * i;
    }
    return value;
}

// Red, green or blue of column x of a stored row.
static int expected_value(const BmpKind *kind, const uint8_t *row, int x, int c) {
    if (kind->bits <= 8) {
        int shift = 8 - kind->bits - x * kind->bits % 8;
        int index = row[x * kind->bits / 8] >> shift & ((1 << kind->bits) - 1);
        int colours = kind->colours > 0 ? kind->colours : 1 << kind->bits;
        return index < colours ? (uint8_t)(index * (c + 1)) : 0;
    }
    if (kind->bits == 24 || (kind->bits == 32 && kind->compression == 0)) {
        return row[x * kind->bits / 8 + 2 - c];
    }
    uint32_t masks[3] = {0x7c00, 0x3e0, 0x1f};
    if (kind->compression == 3) {
        memcpy(masks, kind->masks, sizeof masks);
    }
    uint32_t mask = masks[c], value = little(row + x * kind->bits / 8, kind->bits / 8) & mask;
    while ((mask & 1) == 0) {
        mask >>= 1;
        value >>= 1;
    }
    return (int)(value * 255 / mask);
}

static void check(BmpKind kind, int height) {
    Image image;
    assert_int_equal(read_bytes(picture_bmp(WIDTH, height, kind), &image), STATUS_OK);
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, HEIGHT);
    assert_int_equal(image.channels, 3);
    for (int y = 0; y < HEIGHT; y++) {
        uint8_t row[1024];
        picture_png_row(row, sizeof row, height < 0 ? y : HEIGHT - 1 - y);
        for (int x = 0; x < WIDTH; x++) {
            for (int c = 0; c < 3; c++) {
                assert_int_equal(image.pixels[(y * WIDTH + x) * 3 + c],
                                 expected_value(&kind, row, x, c));
            }
        }
    }
    image_free(&image);
}

static void bmp_of_every_depth(void **state) {
    (void)state;
    const int depths[] = {1, 4, 8, 16, 24, 32};
    const int headers[] = {40, 52, 56, 64, 108, 124};
    for (int i = 0; i < 6; i++) {
        for (int h = 0; h < 6; h++) {
            check((BmpKind){.bits = depths[i], .header = headers[h]}, HEIGHT);
            check((BmpKind){.bits = depths[i], .header = headers[h]}, -HEIGHT);
        }
        if (depths[i] != 16 && depths[i] != 32) {
            check((BmpKind){.bits = depths[i], .header = 12}, HEIGHT);
        }
    }
    check((BmpKind){.bits = 8, .header = 40, .colours = 100}, HEIGHT);
    check((BmpKind){.bits = 4, .header = 40, .colours = 3}, HEIGHT);
}

static void masks(void **state) {
    (void)state;
    const BmpKind kinds[] = {
        {.bits = 16, .masks = {0xf800, 0x7e0, 0x1f}},
        {.bits = 16, .masks = {0x7c00, 0x3e0, 0x1f}},
        {.bits = 32, .masks = {0xff0000, 0xff00, 0xff}},
        {.bits = 32, .masks = {0xff, 0xff00, 0xff0000}},
        {.bits = 32, .masks = {0xff000000, 0xff0000, 0xff00}},
    };
    for (int i = 0; i < 5; i++) {
        for (int header = 40; header <= 124; header += 84) {
            BmpKind kind = kinds[i];
            kind.compression = 3;
            kind.header = header;
            check(kind, HEIGHT);
        }
    }
    Image image;
    BmpKind strange = {.bits = 32, .compression = 3, .header = 40, .masks = {0x3ff, 0xff00, 0xff}};
    expect_failure(read_bytes(picture_bmp(1, 1, strange), &image), STATUS_FAILED,
                   "FILE: has masks 3ff, ff00, ff for 32 bits, expected whole bytes or 5-5-5 or "
                   "5-6-5 bits");
    BmpKind twice = {.bits = 32, .compression = 3, .header = 40, .masks = {0xff, 0xff00, 0xff}};
    assert_int_equal(read_bytes(picture_bmp(1, 1, twice), &image), STATUS_FAILED);
}

// Three rows of four from the bottom: a run of 4; two literals and a filling byte after a step of
// one; the end of the picture in the third.
static void run_lengths(void **state) {
    (void)state;
    Bytes file = picture_bmp(4, 3, (BmpKind){.bits = 8, .compression = 1, .header = 40});
    file.size -= 12;
    static const uint8_t runs[] = {4, 7, 0, 0, 0, 2, 1, 0, 0, 3, 9, 8, 5, 0, 0, 0, 1, 6, 0, 1};
    bytes_append(&file, runs, sizeof runs);
    Image image;
    assert_int_equal(image_decode("FILE", file.bytes, file.size, 0, false, &image), STATUS_OK);
    static const uint8_t indices[] = {6, 0, 0, 0, 0, 9, 8, 5, 7, 7, 7, 7};
    for (int i = 0; i < 12; i++) {
        for (int c = 0; c < 3; c++) {
            assert_int_equal(image.pixels[3 * i + c], indices[i] * (c + 1));
        }
    }
    image_free(&image);
    file.size -= 3;
    expect_failure(image_decode("FILE", file.bytes, file.size, 0, false, &image), STATUS_FAILED,
                   "FILE: has %zu bytes, but its pixels end at byte %zu", file.size, file.size + 1);
    assert_null(image.pixels);
    bytes_free(&file);
}

static void set_word(Bytes *file, size_t at, uint32_t value) {
    for (int i = 0; i < 4; i++) {
        file->bytes[at + (size_t)i] = (uint8_t)(value >> 8 * i);
    }
}

static Status read_with(size_t at, uint32_t value) {
    Image image;
    Bytes file = picture_bmp(WIDTH, HEIGHT, (BmpKind){.bits = 8, .header = 40});
    set_word(&file, at, value);
    Status status = read_bytes(file, &image);
    assert_null(image.pixels);
    return status;
}

static void damaged_bmp(void **state) {
    (void)state;
    Bytes whole = picture_bmp(WIDTH, HEIGHT, (BmpKind){.bits = 24, .header = 40});
    Image image;
    for (size_t size = 2; size < whole.size; size++) {
        // Rows are filled to four bytes, which the last row may lack.
        Status status = image_decode("FILE", whole.bytes, size, 0, false, &image);
        assert_int_equal(status, size >= whole.size - 1 ? STATUS_OK : STATUS_FAILED);
        image_free(&image);
    }
    bytes_free(&whole);
    size_t size = 14 + 40 + 1024 + 24 * HEIGHT;
    expect_failure(read_with(10, 5000), STATUS_FAILED,
                   "FILE: has %zu bytes, but its pixels begin at byte 5000", size);
    expect_failure(read_with(14, 16), STATUS_FAILED,
                   "FILE: has a header of 16 bytes, expected 12 or from 40 to 124");
    expect_failure(read_with(18, 0), STATUS_FAILED,
                   "FILE: is 0x13, expected 1 to 100000000 pixels in all");
    expect_failure(read_with(22, 0x80000000), STATUS_FAILED,
                   "FILE: is 21x2147483648, expected 1 to 100000000 pixels in all");
    expect_failure(read_with(18, 100000), STATUS_FAILED,
                   "FILE: has %zu bytes, but its pixels end at byte %d", size, 1078 + 1300000);
    expect_failure(read_with(30, 2), STATUS_FAILED,
                   "FILE: has 8 bits a pixel in compression 2, expected 1, 4, 8, 16, 24 or 32 "
                   "without, or 8 in run-length coding (1)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bmp_of_every_depth),
        cmocka_unit_test(masks),
        cmocka_unit_test(run_lengths),
        cmocka_unit_test(damaged_bmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
