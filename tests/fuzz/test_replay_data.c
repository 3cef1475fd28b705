// SPDX-License-Identifier: Apache-2.0
// Replays a corpus through the fuzz targets of src/data: good files of every format, and each of
// them cut off at many lengths, with bits flipped, with bytes overwritten, and spliced together.
#include "data/pictures.h"
#include "data/tables.h"

#define LLVMFuzzerTestOneInput fuzz_image
#include "fuzz/fuzz_image.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_idx
#include "fuzz/fuzz_idx.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_cifar
#include "fuzz/fuzz_cifar.c"
#undef LLVMFuzzerTestOneInput
#define LLVMFuzzerTestOneInput fuzz_list
#include "fuzz/fuzz_list.c"
#undef LLVMFuzzerTestOneInput

typedef int FuzzTarget(const uint8_t *bytes, size_t size);

enum { CUTS = 64, FLIPS = 100, OVERWRITES = 50 };

// In a block of exactly its size, so that AddressSanitizer sees a read beyond it.
static void replay(FuzzTarget *target, const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size);
    assert_true(copy != NULL || size == 0);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    assert_int_equal(target(copy, size), 0);
    free(copy);
}

static uint64_t draw(uint64_t file, uint64_t number) {
    return random_bits(6, RANDOM_TEST, file, number);
}

// Frees the good file.
static void replay_damaged(FuzzTarget *target, uint64_t file, Bytes good) {
    replay(target, good.bytes, good.size);
    for (size_t i = 0; i < CUTS; i++) { // both ends closely, and evenly between
        replay(target, good.bytes, i < good.size ? i : good.size);
        replay(target, good.bytes, good.size > i ? good.size - i : 0);
        replay(target, good.bytes, good.size * i / CUTS);
    }
    Bytes bad = {0};
    bytes_append(&bad, good.bytes, good.size);
    for (uint64_t i = 0; i < FLIPS; i++) {
        // Half of them in the first bytes, where the structure is.
        uint64_t bits = draw(file, i);
        size_t range = i % 2 == 0 && bad.size > 200 ? 200 : bad.size;
        bad.bytes[bits % range] ^= (uint8_t)(1 << (bits >> 61));
        replay(target, bad.bytes, bad.size);
        memcpy(bad.bytes, good.bytes, good.size);
    }
    for (uint64_t i = 0; i < OVERWRITES; i++) {
        uint64_t bits = draw(file, FLIPS + i);
        size_t length = 1 + (bits >> 56) % 8;
        for (size_t k = 0; k < length; k++) {
            bad.bytes[(bits + k) % bad.size] = (uint8_t)(i % 3 == 0 ? 0xff : bits >> (8 * k));
        }
        replay(target, bad.bytes, bad.size);
        if (i % 5 == 4) {
            memcpy(bad.bytes, good.bytes, good.size);
        }
    }
    // Its front, then its own back again.
    memcpy(bad.bytes, good.bytes, good.size);
    bad.size = good.size / 2;
    bytes_append(&bad, good.bytes + good.size / 4, good.size - good.size / 4);
    replay(target, bad.bytes, bad.size);
    bytes_free(&bad);
    bytes_free(&good);
}

static void pictures(void **state) {
    (void)state;
    replay_damaged(fuzz_image, 0, picture_png(21, 13, 8, PNG_COLOR_TYPE_RGB, false));
    replay_damaged(fuzz_image, 1, picture_png(21, 13, 16, PNG_COLOR_TYPE_RGB_ALPHA, true));
    replay_damaged(fuzz_image, 2, picture_png(21, 13, 4, PNG_COLOR_TYPE_PALETTE, false));
    replay_damaged(fuzz_image, 3, picture_png(21, 13, 1, PNG_COLOR_TYPE_GRAY, true));
    replay_damaged(fuzz_image, 4, picture_jpeg(21, 13, JCS_YCbCr, false));
    replay_damaged(fuzz_image, 5, picture_jpeg(21, 13, JCS_YCbCr, true));
    replay_damaged(fuzz_image, 6, picture_jpeg(21, 13, JCS_GRAYSCALE, false));
    replay_damaged(fuzz_image, 7, picture_jpeg(21, 13, JCS_YCCK, true));
    replay_damaged(fuzz_image, 8, picture_pnm("P6 # small\n21 13 255\n", 21, 13, 3));
    replay_damaged(fuzz_image, 9, picture_pnm("P5\n21\n13\n255\n", 21, 13, 1));
    replay_damaged(fuzz_image, 11, picture_webp(21, 13, true));
    replay_damaged(fuzz_image, 12, picture_webp(21, 13, false));
    replay_damaged(fuzz_image, 13, picture_jpeg_of(61, 43, (JpegKind){JCS_YCbCr, false, 2, 2, 6}));
    replay_damaged(fuzz_image, 14, picture_jpeg_of(61, 43, (JpegKind){JCS_YCbCr, true, 2, 1, 3}));
    Bytes plain = picture_jpeg(21, 13, JCS_YCbCr, false);
    replay_damaged(fuzz_image, 15, gzip_bytes(&plain));
    bytes_free(&plain);
}

static void bmp_pictures(void **state) {
    (void)state;
    const int depths[] = {1, 4, 8, 16, 24, 32};
    for (uint64_t i = 0; i < 6; i++) {
        replay_damaged(fuzz_image, 50 + i,
                       picture_bmp(21, 13, (BmpKind){.bits = depths[i], .header = 40}));
    }
    replay_damaged(fuzz_image, 56, picture_bmp(21, -13, (BmpKind){.bits = 8, .header = 12}));
    replay_damaged(
        fuzz_image, 57,
        picture_bmp(
            21, 13,
            (BmpKind){.bits = 16, .compression = 3, .header = 40, .masks = {0xf800, 0x7e0, 0x1f}}));
    replay_damaged(fuzz_image, 58,
                   picture_bmp(21, 13, (BmpKind){.bits = 8, .compression = 1, .header = 40}));
}

static void lists(void **state) {
    (void)state;
    static const char text[] = "# a comment\na.jpg 7 cat\r\n\n  /b/c.png\t0\nd/e.jpg 12\nf 999999";
    Bytes list = {0};
    bytes_append(&list, text, sizeof text - 1);
    replay_damaged(fuzz_list, 40, list);
}

// A PNG whose checksums are right again after the damage, which otherwise stop it at the door.
static void pictures_with_repaired_checksums(void **state) {
    (void)state;
    Bytes good = picture_png(21, 13, 8, PNG_COLOR_TYPE_PALETTE, true);
    for (uint64_t i = 0; i < 300; i++) {
        Bytes bad = {0};
        bytes_append(&bad, good.bytes, good.size);
        uint64_t bits = draw(10, i);
        bad.bytes[8 + bits % (bad.size - 8)] ^= (uint8_t)(1 << (bits >> 61));
        for (size_t at = 8; at + 12 <= bad.size;) {
            uint8_t *chunk = bad.bytes + at;
            size_t length =
                (size_t)chunk[0] << 24 | (size_t)chunk[1] << 16 | (size_t)chunk[2] << 8 | chunk[3];
            if (length > bad.size - at - 12) {
                break;
            }
            uint32_t check = (uint32_t)crc32(0, chunk + 4, (uInt)length + 4);
            for (int k = 0; k < 4; k++) {
                chunk[8 + length + (size_t)k] = (uint8_t)(check >> (24 - 8 * k));
            }
            at += length + 12;
        }
        replay(fuzz_image, bad.bytes, bad.size);
        bytes_free(&bad);
    }
    bytes_free(&good);
}

static Bytes idx_pair(bool gzipped) {
    Bytes images = idx_images(4), labels = idx_labels(4);
    if (gzipped) {
        Bytes plain = images;
        images = gzip_bytes(&plain);
        bytes_free(&plain);
        plain = labels;
        labels = gzip_bytes(&plain);
        bytes_free(&plain);
    }
    Bytes pair = {0};
    uint8_t length[4] = {(uint8_t)images.size, (uint8_t)(images.size >> 8)};
    bytes_append(&pair, length, 4);
    bytes_append(&pair, images.bytes, images.size);
    bytes_append(&pair, labels.bytes, labels.size);
    bytes_free(&images);
    bytes_free(&labels);
    return pair;
}

static void idx_files(void **state) {
    (void)state;
    replay_damaged(fuzz_idx, 20, idx_pair(false));
    replay_damaged(fuzz_idx, 21, idx_pair(true));
}

static void cifar_files(void **state) {
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        Bytes rows = cifar_rows(1 + kind, kind == 0 ? 10 : 100, 0, 3);
        uint8_t first = (uint8_t)kind;
        Bytes file = {0};
        bytes_append(&file, &first, 1);
        bytes_append(&file, rows.bytes, rows.size);
        bytes_free(&rows);
        replay_damaged(fuzz_cifar, 30 + (uint64_t)kind, file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pictures),     cmocka_unit_test(pictures_with_repaired_checksums),
        cmocka_unit_test(idx_files),    cmocka_unit_test(cifar_files),
        cmocka_unit_test(bmp_pictures), cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
