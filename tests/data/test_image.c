// SPDX-License-Identifier: Apache-2.0
// Pictures of every encoding, made here: what is read is what was written, in the conversions that
// Pillow's convert("RGB") and convert("L") make; damaged ones get their sentence.
#include "data/folder.h"
#include "data/pictures.h"

#include "data/decoders.h"

enum { WIDTH = 21, HEIGHT = 13 };

static Status read_bytes(Bytes file, int channels, Image *image) {
    Status status = image_decode("FILE", file.bytes, file.size, channels, false, image);
    bytes_free(&file);
    return status;
}

// ---- PNG ---------------------------------------------------------------------------------------

// What a stored row of picture_png() means at x, c (c counts the stored channels).
static int stored(int bits, int channels, int y, int x, int c) {
    uint8_t row[1024];
    picture_png_row(row, sizeof row, y);
    int i = x * channels + c;
    if (bits == 16) {
        return row[2 * i];
    }
    int shift = 8 - bits - i * bits % 8;
    return row[i * bits / 8] >> shift & ((1 << bits) - 1);
}

static void check_png(int bits, int type, bool interlaced) {
    Image image;
    assert_int_equal(read_bytes(picture_png(WIDTH, HEIGHT, bits, type, interlaced), 0, &image),
                     STATUS_OK);
    bool palette = type == PNG_COLOR_TYPE_PALETTE;
    bool colour = (type & PNG_COLOR_MASK_COLOR) != 0;
    int channels = palette ? 1 : (colour ? 3 : 1) + ((type & PNG_COLOR_MASK_ALPHA) != 0);
    assert_int_equal(image.width, WIDTH);
    assert_int_equal(image.height, HEIGHT);
    assert_int_equal(image.channels, colour ? 3 : 1);
    const uint8_t *pixel = image.pixels;
    for (int y = 0; y < HEIGHT; y++) {
        for (int x = 0; x < WIDTH; x++) {
            for (int c = 0; c < image.channels; c++) {
                int expected = stored(bits, channels, y, x, palette ? 0 : c);
                if (palette) {
                    expected = (const int[]){expected + 1, 2 * expected + 5, 255 - expected}[c];
                } else if (bits < 8) {
                    expected = expected * 255 / ((1 << bits) - 1);
                }
                assert_int_equal(*pixel++, (uint8_t)expected);
            }
        }
    }
    image_free(&image);
}

static void png_of_every_type(void **state) {
    (void)state;
    for (int interlaced = 0; interlaced < 2; interlaced++) {
        for (int bits = 1; bits <= 16; bits *= 2) {
            check_png(bits, PNG_COLOR_TYPE_GRAY, interlaced == 1);
            if (bits <= 8) {
                check_png(bits, PNG_COLOR_TYPE_PALETTE, interlaced == 1);
            }
            if (bits >= 8) {
                check_png(bits, PNG_COLOR_TYPE_GRAY_ALPHA, interlaced == 1);
                check_png(bits, PNG_COLOR_TYPE_RGB, interlaced == 1);
                check_png(bits, PNG_COLOR_TYPE_RGB_ALPHA, interlaced == 1);
            }
        }
    }
}

// A picture whose header says `side` x `side`, with a checksum that agrees.
static Bytes png_with_side(uint32_t side) {
    Bytes file = picture_png(WIDTH, HEIGHT, 8, PNG_COLOR_TYPE_RGB, false);
    for (int i = 0; i < 8; i++) {
        file.bytes[16 + i] = (uint8_t)(side >> (24 - i % 4 * 8));
    }
    uint32_t check = (uint32_t)crc32(0, file.bytes + 12, 17);
    for (int i = 0; i < 4; i++) {
        file.bytes[29 + i] = (uint8_t)(check >> (24 - i * 8));
    }
    return file;
}

static void damaged_png(void **state) {
    (void)state;
    Image image;
    Bytes whole = picture_png(WIDTH, HEIGHT, 8, PNG_COLOR_TYPE_RGB, false);
    for (size_t size = 8; size < whole.size; size++) {
        expect_failure(image_decode("FILE", whole.bytes, size, 0, false, &image), STATUS_FAILED,
                       "FILE: is a damaged PNG, at byte %zu of %zu (the file ends too early)", size,
                       size);
        assert_null(image.pixels);
    }
    whole.bytes[60] ^= 1;
    assert_int_equal(image_decode("FILE", whole.bytes, whole.size, 0, false, &image),
                     STATUS_FAILED);
    assert_non_null(strstr(status_message(), "FILE: is a damaged PNG, at byte"));
    whole.bytes[16] = 0x80; // a width above 2^31
    expect_failure(read_bytes(whole, 0, &image), STATUS_FAILED,
                   "FILE: is a damaged PNG, at byte 33 of %zu (IHDR: CRC error)", whole.size);
    size_t size = whole.size;
    expect_failure(read_bytes(png_with_side(0), 0, &image), STATUS_FAILED,
                   "FILE: is a damaged PNG, at byte 33 of %zu (Invalid IHDR data)", size);
    expect_failure(read_bytes(png_with_side(10000), 0, &image), STATUS_FAILED,
                   "FILE: is a damaged PNG, at byte 41 of %zu (the file is too short for its width "
                   "and height)",
                   size);
    expect_failure(read_bytes(png_with_side(0x7fffffff), 0, &image), STATUS_FAILED,
                   "FILE: is a damaged PNG, at byte 33 of %zu (Invalid IHDR data)", size);
}

// ---- JPEG --------------------------------------------------------------------------------------

static void jpeg_of_every_colour(void **state) {
    (void)state;
    const J_COLOR_SPACE spaces[] = {JCS_GRAYSCALE, JCS_YCbCr, JCS_RGB, JCS_CMYK, JCS_YCCK};
    for (int i = 0; i < 10; i++) {
        J_COLOR_SPACE space = spaces[i / 2];
        Image image;
        assert_int_equal(read_bytes(picture_jpeg(WIDTH, HEIGHT, space, i % 2 == 1), 0, &image),
                         STATUS_OK);
        assert_int_equal(image.width, WIDTH);
        assert_int_equal(image.height, HEIGHT);
        assert_int_equal(image.channels, space == JCS_GRAYSCALE ? 1 : 3);
        const uint8_t *pixel = image.pixels;
        for (int y = 0; y < HEIGHT; y++) {
            for (int x = 0; x < WIDTH; x++) {
                for (int c = 0; c < image.channels; c++) {
                    int expected = picture_value(x, y, c);
                    if (space == JCS_CMYK || space == JCS_YCCK) {
                        expected = (255 - expected) * (255 - 30) / 255;
                    }
                    assert_in_range(*pixel++ + 4 - expected, 0, 8); // quality 100: nearly exact
                }
            }
        }
        image_free(&image);
    }
}

static void damaged_jpeg(void **state) {
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        Bytes whole = picture_jpeg(WIDTH, HEIGHT, JCS_YCbCr, progressive == 1);
        Image image;
        for (size_t size = 3; size < whole.size; size++) {
            assert_int_equal(image_decode("FILE", whole.bytes, size, 0, false, &image),
                             STATUS_FAILED);
            char sentence[128];
            snprintf(sentence, sizeof sentence,
                     "FILE: is a damaged JPEG of %zu bytes (Premature end of JPEG file)", size);
            assert_string_equal(status_message(), sentence);
            assert_null(image.pixels);
        }
        // The middle is missing, the end marker is there.
        memcpy(whole.bytes + whole.size - 22, "\xff\xd9", 2);
        whole.size -= 20;
        expect_failure(read_bytes(whole, 0, &image), STATUS_FAILED,
                       "FILE: is a damaged JPEG of %zu bytes (Corrupt JPEG data: premature end of "
                       "data segment)",
                       whole.size);
    }
}

// A frame header's height and width are 5 bytes behind its marker.
static void large_jpeg(void **state) {
    (void)state;
    Bytes file = picture_jpeg(WIDTH, HEIGHT, JCS_GRAYSCALE, false);
    uint8_t *frame = file.bytes;
    while (frame[0] != 0xff || frame[1] != 0xc0) {
        frame++;
    }
    memcpy(frame + 5, "\x20\x00\x30\x00", 4);
    Image image;
    expect_failure(image_decode("FILE", file.bytes, file.size, 0, false, &image), STATUS_FAILED,
                   "FILE: has %zu bytes, too few for its 12288x8192 pixels", file.size);
    memcpy(frame + 5, "\x40\x00\x40\x00", 4);
    file.bytes = realloc(file.bytes, 1 << 20); // enough bytes for that many pixels
    assert_non_null(file.bytes);
    memset(file.bytes + file.size, 0, (1 << 20) - file.size);
    file.size = 1 << 20;
    expect_failure(read_bytes(file, 0, &image), STATUS_FAILED,
                   "FILE: is 16384x16384, expected 1 to 100000000 pixels in all");
}

// ---- PPM and PGM -------------------------------------------------------------------------------

static void pnm_is_read(void **state) {
    (void)state;
    const char *headers[] = {"P6 21 13 255\n",
                             "P6\n# a comment\n21\t13# another\n# and more\n 255\r",
                             "P5\n21 13\n255 "};
    for (int i = 0; i < 3; i++) {
        int channels = i == 2 ? 1 : 3;
        Bytes file = picture_pnm(headers[i], WIDTH, HEIGHT, channels);
        bytes_append(&file, "more", 4); // which is ignored
        Image image;
        assert_int_equal(read_bytes(file, 0, &image), STATUS_OK);
        assert_int_equal(image.width, WIDTH);
        assert_int_equal(image.height, HEIGHT);
        assert_int_equal(image.channels, channels);
        const uint8_t *pixel = image.pixels;
        for (int y = 0; y < HEIGHT; y++) {
            for (int x = 0; x < WIDTH; x++) {
                for (int c = 0; c < channels; c++) {
                    assert_int_equal(*pixel++, picture_value(x, y, c));
                }
            }
        }
        image_free(&image);
    }
}

static Status read_text(const char *text) {
    Image image;
    Status status = image_decode("FILE", (const uint8_t *)text, strlen(text), 0, false, &image);
    assert_null(image.pixels);
    return status;
}

static void damaged_pnm(void **state) {
    (void)state;
    expect_failure(read_text("P6 4 4 255\n123"), STATUS_FAILED,
                   "FILE: has 3 bytes of pixels, expected 48 (4x4x3)");
    expect_failure(read_text("P5"), STATUS_FAILED,
                   "FILE: byte 2 of 2 is in the header, expected white space and then its width");
    expect_failure(read_text("P54 4 255\n"), STATUS_FAILED,
                   "FILE: byte 2 of 10 is in the header, expected white space and then its width");
    expect_failure(read_text("P5 4 -4 255\n"), STATUS_FAILED,
                   "FILE: byte 5 of 12 is in the header, expected white space and then its height");
    expect_failure(read_text("P5 4 4 # 255"), STATUS_FAILED,
                   "FILE: byte 12 of 12 is in the header, expected white space and then its "
                   "highest value");
    expect_failure(read_text("P5 1 1 65535\n  "), STATUS_FAILED,
                   "FILE: has highest value 65535, expected 255 and then white space");
    expect_failure(read_text("P5 1 1 255"), STATUS_FAILED,
                   "FILE: has highest value 255, expected 255 and then white space");
    expect_failure(read_text("P5 0 1 255\n"), STATUS_FAILED,
                   "FILE: is 0x1, expected 1 to 100000000 pixels in all");
    expect_failure(read_text("P5 100000 100000 255\n"), STATUS_FAILED,
                   "FILE: is 100000x100000, expected 1 to 100000000 pixels in all");
    expect_failure(read_text("P5 10000 10000 255\n"), STATUS_FAILED,
                   "FILE: has 0 bytes of pixels, expected 100000000 (10000x10000x1)");
    expect_failure(
        read_text("P5 99999999999999999999999 1 255\n"), STATUS_FAILED,
        "FILE: byte 12 of 33 is in the header, expected white space and then its height");
}

// ---- any format --------------------------------------------------------------------------------

static void other_files(void **state) {
    (void)state;
    expect_failure(
        read_text(""), STATUS_FAILED,
        "FILE: begins with nothing, expected a JPEG, PNG, WebP, BMP, PPM or PGM picture");
    expect_failure(read_text("P"), STATUS_FAILED,
                   "FILE: begins with 50, expected a JPEG, PNG, WebP, BMP, PPM or PGM picture");
    expect_failure(
        read_text("GIF89a"), STATUS_FAILED,
        "FILE: begins with 47 49 46 38, expected a JPEG, PNG, WebP, BMP, PPM or PGM picture");
    Image image;
    expect_failure(image_decode("FILE", (const uint8_t *)"P5 1 1 255\n!", 12, 2, false, &image),
                   STATUS_USAGE, "FILE: 2 channels asked for, expected 0, 1 or 3");
    char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/absent.png", folder);
    expect_failure(image_read(path, 0, false, &image), STATUS_FAILED,
                   "%s: cannot be opened (No such file or directory)", path);
    expect_failure(image_read(folder, 0, false, &image), STATUS_FAILED,
                   "%s: is a folder, not a file", folder);
}

static void channels_are_converted(void **state) {
    (void)state;
    Image rgb, grey;
    assert_int_equal(read_bytes(picture_pnm("P6 21 13 255\n", WIDTH, HEIGHT, 3), 3, &rgb),
                     STATUS_OK);
    assert_int_equal(read_bytes(picture_pnm("P6 21 13 255\n", WIDTH, HEIGHT, 3), 1, &grey),
                     STATUS_OK);
    assert_int_equal(rgb.channels, 3);
    assert_int_equal(grey.channels, 1);
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        const uint8_t *p = rgb.pixels + 3 * i;
        assert_int_equal(grey.pixels[i], (19595 * p[0] + 38470 * p[1] + 7471 * p[2] + 32768) >> 16);
    }
    image_free(&rgb);
    image_free(&grey);
    assert_int_equal(read_bytes(picture_pnm("P5 21 13 255\n", WIDTH, HEIGHT, 1), 3, &rgb),
                     STATUS_OK);
    assert_int_equal(rgb.channels, 3);
    for (int i = 0; i < WIDTH * HEIGHT * 3; i++) {
        assert_int_equal(rgb.pixels[i], picture_value(i / 3 % WIDTH, i / 3 / WIDTH, 0));
    }
    image_free(&rgb);
}

static void png_is_written(void **state) {
    (void)state;
    char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/picture.png", folder);
    for (int channels = 1; channels <= 3; channels += 2) {
        Image image, again;
        Bytes file = picture_pnm(channels == 3 ? "P6 21 13 255\n" : "P5 21 13 255\n", WIDTH, HEIGHT,
                                 channels);
        assert_int_equal(read_bytes(file, 0, &image), STATUS_OK);
        assert_int_equal(image_write_png(path, &image), STATUS_OK);
        assert_int_equal(image_read(path, 0, false, &again), STATUS_OK);
        assert_int_equal(again.width, WIDTH);
        assert_int_equal(again.height, HEIGHT);
        assert_int_equal(again.channels, channels);
        assert_memory_equal(again.pixels, image.pixels, (size_t)(WIDTH * HEIGHT * channels));
        image_free(&image);
        image_free(&again);
    }
    Image strange = {.width = 1, .height = 1, .channels = 2, .pixels = (uint8_t[]){0, 0}};
    expect_failure(image_write_png(path, &strange), STATUS_USAGE,
                   "%s: a picture of 1x1 with 2 channels was to be written, expected at least 1x1 "
                   "with 1 or 3",
                   path);
    strange.channels = 1;
    snprintf(path, sizeof path, "%s/absent/picture.png", folder);
    expect_failure(image_write_png(path, &strange), STATUS_FAILED,
                   "%s: cannot be written (No such file or directory)", path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(png_of_every_type),
        cmocka_unit_test(damaged_png),
        cmocka_unit_test(jpeg_of_every_colour),
        cmocka_unit_test(damaged_jpeg),
        cmocka_unit_test(large_jpeg),
        cmocka_unit_test(pnm_is_read),
        cmocka_unit_test(damaged_pnm),
        cmocka_unit_test(other_files),
        cmocka_unit_test(channels_are_converted),
        cmocka_unit_test(png_is_written),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
