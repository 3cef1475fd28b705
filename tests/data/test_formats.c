// SPDX-License-Identifier: Apache-2.0
// WebP, gzip and standard input around a picture, and EXIF orientations.
#include "data/folder.h"
#include "data/pictures.h"
#include "data/tables.h"

#include <fcntl.h>

#include "data/decoders.h"

enum { WIDTH = 21, HEIGHT = 13 };

static Status decode(const Bytes *file, bool exif, Image *image) {
    return image_decode("FILE", file->bytes, file->size, 0, exif, image);
}

static void webp(void **state) {
    (void)state;
    for (int lossless = 0; lossless < 2; lossless++) {
        Bytes file = picture_webp(WIDTH, HEIGHT, lossless == 1);
        Image image;
        assert_int_equal(decode(&file, false, &image), STATUS_OK);
        assert_int_equal(image.width, WIDTH);
        assert_int_equal(image.height, HEIGHT);
        assert_int_equal(image.channels, 3);
        for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
            int expected = picture_value(i / 3 % WIDTH, i / 3 / WIDTH, i % 3);
            assert_in_range(image.pixels[i] + 60 - expected, lossless ? 60 : 0,
                            lossless ? 60 : 120);
        }
        image_free(&image);
        size_t whole = file.size;
        for (file.size = 12; file.size < whole; file.size++) {
            expect_failure(decode(&file, false, &image), STATUS_FAILED,
                           "FILE: is a damaged WebP of %zu bytes (%s)", file.size,
                           "the file ends too early");
            assert_null(image.pixels);
        }
        bytes_free(&file);
    }
    const uint8_t animated[] = "RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x14\0\0\x0c\0\0";
    Bytes file = {.bytes = (uint8_t *)animated, .size = sizeof animated - 1};
    Image image;
    expect_failure(decode(&file, false, &image), STATUS_FAILED,
                   "FILE: is an animated WebP, expected a single picture");
}

static void inside_gzip(void **state) {
    (void)state;
    Bytes plain = picture_jpeg(WIDTH, HEIGHT, JCS_YCbCr, false);
    Bytes packed = gzip_bytes(&plain);
    Image image, expected;
    assert_int_equal(decode(&plain, false, &expected), STATUS_OK);
    assert_int_equal(decode(&packed, false, &image), STATUS_OK);
    assert_memory_equal(image.pixels, expected.pixels, WIDTH * HEIGHT * 3);
    image_free(&image);
    packed.size -= 5;
    expect_failure(decode(&packed, false, &image), STATUS_FAILED,
                   "FILE: gzip data is cut off after %zu bytes", packed.size);
    assert_null(image.pixels);
    image_free(&expected);
    bytes_free(&plain);
    bytes_free(&packed);
}

// More than a picture may have, which deflate makes a thousand times smaller.
static void a_bomb(void **state) {
    (void)state;
    enum { CHUNK = 1 << 20 };
    static uint8_t zeros[CHUNK];
    z_stream stream = {0};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    static uint8_t out[CHUNK];
    Bytes bomb = {0};
    for (int i = 0; i <= IMAGE_BYTES_MAX / CHUNK; i++) {
        stream.next_in = zeros;
        stream.avail_in = CHUNK;
        stream.next_out = out;
        stream.avail_out = CHUNK;
        deflate(&stream, i == IMAGE_BYTES_MAX / CHUNK ? Z_FINISH : Z_NO_FLUSH);
        bytes_append(&bomb, out, CHUNK - stream.avail_out);
    }
    deflateEnd(&stream);
    Image image;
    expect_failure(decode(&bomb, false, &image), STATUS_FAILED,
                   "FILE: holds more than 268435456 bytes, the most for a picture");
    bytes_free(&bomb);
}

static void standard_input(void **state) {
    (void)state;
    Bytes file = picture_pnm("P6 21 13 255\n", WIDTH, HEIGHT, 3);
    scratch_write(folder, "picture", file.bytes, file.size);
    char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/picture", folder);
    int before = dup(STDIN_FILENO);
    int descriptor = open(path, O_RDONLY);
    assert_int_equal(dup2(descriptor, STDIN_FILENO), STDIN_FILENO);
    close(descriptor);
    Image image;
    assert_int_equal(image_read("-", 0, false, &image), STATUS_OK);
    assert_int_equal(image.width, WIDTH);
    image_free(&image);
    expect_failure(image_read("-", 0, false, &image), STATUS_FAILED,
                   "standard input: begins with nothing, expected a JPEG, PNG, WebP, BMP, PPM or "
                   "PGM picture");
    if (before >= 0) {
        dup2(before, STDIN_FILENO);
        close(before);
    }
    bytes_free(&file);
}

// ---- orientation -------------------------------------------------------------------------------

// Where the upright picture's pixel (y, x) is stored (EXIF 2.3, tag 274: the sides where the stored
// row 0 and column 0 are).
static int stored_place(int orientation, int y, int x) {
    switch (orientation) {
    case 2: // top, right
        return y * WIDTH + WIDTH - 1 - x;
    case 3: // bottom, right
        return (HEIGHT - 1 - y) * WIDTH + WIDTH - 1 - x;
    case 4: // bottom, left
        return (HEIGHT - 1 - y) * WIDTH + x;
    case 5: // left, top
        return x * WIDTH + y;
    case 6: // right, top
        return (HEIGHT - 1 - x) * WIDTH + y;
    case 7: // right, bottom
        return (HEIGHT - 1 - x) * WIDTH + WIDTH - 1 - y;
    case 8: // left, bottom
        return x * WIDTH + WIDTH - 1 - y;
    default:
        return y * WIDTH + x;
    }
}

static void orientations(void **state) {
    (void)state;
    for (int orientation = 0; orientation <= 9; orientation++) {
        Bytes file = picture_jpeg_of(WIDTH, HEIGHT,
                                     (JpegKind){.stored = JCS_YCbCr, .orientation = orientation});
        assert_int_equal(exif_orientation(file.bytes, file.size),
                         orientation >= 1 && orientation <= 8 ? orientation : 1);
        Image stored, upright;
        assert_int_equal(decode(&file, false, &stored), STATUS_OK);
        assert_int_equal(decode(&file, true, &upright), STATUS_OK);
        bool turned = orientation >= 5 && orientation <= 8;
        assert_int_equal(stored.width, WIDTH);
        assert_int_equal(upright.width, turned ? HEIGHT : WIDTH);
        assert_int_equal(upright.height, turned ? WIDTH : HEIGHT);
        for (int y = 0; y < upright.height; y++) {
            for (int x = 0; x < upright.width; x++) {
                assert_memory_equal(upright.pixels + 3 * (y * upright.width + x),
                                    stored.pixels + 3 * stored_place(orientation, y, x), 3);
            }
        }
        image_free(&stored);
        image_free(&upright);
        bytes_free(&file);
    }
}

// "II" instead of "MM", in the chunks of PNG and WebP.
static void other_blocks(void **state) {
    (void)state;
    static const char tiff[] = "II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";
    Bytes png = {0}, webp_file = {0};
    bytes_append(&png, "\x89PNG\r\n\x1a\n\0\0\0\0junkCRC.\0\0\0\x1a", 24);
    bytes_append(&png, "eXIf", 4);
    bytes_append(&png, tiff, 26);
    bytes_append(&png, "CRC.", 4);
    bytes_append(&webp_file, "RIFF....WEBPjunk\x03\0\0\0abc.EXIF\x1a\0\0\0", 32);
    bytes_append(&webp_file, tiff, 26);
    assert_int_equal(exif_orientation(png.bytes, png.size), 6);
    assert_int_equal(exif_orientation(webp_file.bytes, webp_file.size), 6);
    for (size_t size = 0; size < png.size - 8; size++) {
        assert_int_equal(exif_orientation(png.bytes, size), 1);
    }
    for (size_t size = 0; size < webp_file.size; size++) {
        assert_int_equal(exif_orientation(webp_file.bytes, size), 1);
    }
    bytes_free(&png);
    bytes_free(&webp_file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(webp),         cmocka_unit_test(inside_gzip),
        cmocka_unit_test(a_bomb),       cmocka_unit_test(standard_input),
        cmocka_unit_test(orientations), cmocka_unit_test(other_blocks),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
