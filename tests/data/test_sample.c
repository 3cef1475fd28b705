// SPDX-License-Identifier: Apache-2.0
// Photographs on their way to the network: parts of pictures against whole ones, crops against
// torchvision's definition, and published bytes where they are there.
#include "data/folder.h"
#include "data/pictures.h"

#include <math.h>

#include "data/decoders.h"
#include "data/sample.h"

// Bytes come out as they are.
static Preprocess plain(int height, int width, int resize) {
    return (Preprocess){.channels = 3,
                        .height = height,
                        .width = width,
                        .resize = resize,
                        .scale = 1,
                        .deviation = {1, 1, 1}};
}

static const char *write_file(Bytes file) {
    static char path[2 * SCRATCH_PATH];
    scratch_write(folder, "picture", file.bytes, file.size);
    bytes_free(&file);
    snprintf(path, sizeof path, "%s/picture", folder);
    return path;
}

// ---- parts -------------------------------------------------------------------------------------

static Window middle(const void *context, int width, int height) {
    const uint64_t bits = *(const uint64_t *)context;
    Window window = {.left = (int)(bits % (uint64_t)width),
                     .top = (int)((bits >> 16) % (uint64_t)height)};
    window.width = 1 + (int)((bits >> 32) % (uint64_t)(width - window.left));
    window.height = 1 + (int)((bits >> 48) % (uint64_t)(height - window.top));
    return window;
}

static void parts_of_jpegs(void **state) {
    (void)state;
    static const JpegKind kinds[] = {
        {JCS_YCbCr, false, 1, 1, 0}, {JCS_YCbCr, false, 2, 1, 0}, {JCS_YCbCr, false, 2, 2, 0},
        {JCS_YCbCr, false, 1, 2, 0}, {JCS_YCbCr, false, 4, 1, 0}, {JCS_YCbCr, true, 2, 2, 0},
        {JCS_YCCK, false, 2, 2, 0},  {JCS_CMYK, false, 0, 0, 0},  {JCS_GRAYSCALE, false, 0, 0, 0},
    };
    static const int sizes[][2] = {{333, 217}, {64, 48}, {500, 7}, {3, 300}, {1, 1}};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
            Bytes file = picture_jpeg_of(sizes[s][0], sizes[s][1], kinds[k]);
            Image whole;
            assert_int_equal(image_decode("FILE", file.bytes, file.size, 0, false, &whole),
                             STATUS_OK);
            for (uint64_t n = 0; n < 20; n++) {
                uint64_t bits = random_bits(3, RANDOM_TEST, 9 * k + s, n);
                Window window = middle(&bits, whole.width, whole.height);
                Part part;
                assert_int_equal(image_decode_part("FILE", file.bytes, file.size, 0, false,
                                                   (Wish){middle, &bits}, &part),
                                 STATUS_OK);
                assert_int_equal(part.width, whole.width);
                assert_int_equal(part.height, whole.height);
                assert_true(part.left <= window.left && part.top <= window.top);
                assert_true(part.left + part.image.width >= window.left + window.width);
                assert_true(part.top + part.image.height >= window.top + window.height);
                size_t channels = (size_t)whole.channels;
                for (int y = window.top; y < window.top + window.height; y++) {
                    size_t at = (size_t)(y * whole.width + window.left) * channels;
                    size_t in_part =
                        (size_t)((y - part.top) * part.image.width + window.left - part.left) *
                        channels;
                    assert_memory_equal(whole.pixels + at, part.image.pixels + in_part,
                                        (size_t)window.width * channels);
                }
                image_free(&part.image);
            }
            image_free(&whole);
            bytes_free(&file);
        }
    }
}

// Damage behind the rows that are seen is damage all the same.
static void damage_out_of_sight(void **state) {
    (void)state;
    Bytes file = picture_jpeg_of(64, 300, (JpegKind){.stored = JCS_YCbCr});
    memcpy(file.bytes + file.size - 42, "\xff\xd9", 2);
    file.size -= 40;
    const char *path = write_file(file);
    Preprocess preprocess = plain(32, 32, 0);
    static float out[32 * 32 * 3];
    assert_int_equal(sample_load(path, &preprocess, VIEWS_CENTER, false, out), STATUS_FAILED);
    assert_non_null(strstr(status_message(), "(Corrupt JPEG data: premature end of data segment)"));
}

// ---- crops -------------------------------------------------------------------------------------

// Python's round(margin / 2), half to even.
static int crop_begin(int length, int crop) { return (int)nearbyint((length - crop) / 2.0); }

static int at(const Image *image, int y, int x, int c) {
    if (y < 0 || x < 0 || y >= image->height || x >= image->width) {
        return 0;
    }
    return image->pixels[(y * image->width + x) * 3 + c];
}

static void check_crop(const Image *resized, const Preprocess *p, int top, int left, bool mirrored,
                       const float *out) {
    for (int i = 0; i < p->height * p->width * 3; i++) {
        int y = i / 3 / p->width, x = left + i / 3 % p->width;
        x = mirrored ? resized->width - 1 - x : x;
        assert_true(out[i] == (float)at(resized, top + y, x, i % 3));
    }
}

// Both ways to the crop, and its definition.
static void check_center(int width, int height, const Preprocess *p) {
    Bytes file = picture_jpeg_of(width, height, (JpegKind){JCS_YCbCr, false, 2, 2, 0});
    Image image, resized;
    assert_int_equal(image_decode("FILE", file.bytes, file.size, 3, false, &image), STATUS_OK);
    int side = p->resize != 0 ? p->resize : p->height < p->width ? p->height : p->width;
    int to_width = width <= height ? side : (int)((double)side * width / height);
    int to_height = width <= height ? (int)((double)side * height / width) : side;
    assert_int_equal(image_resize(&image, to_width, to_height, p->interpolation, &resized),
                     STATUS_OK);
    size_t values = (size_t)p->height * (size_t)p->width * 3;
    float *part = malloc(values * sizeof *part), *whole = malloc(values * sizeof *whole);
    assert_non_null(part);
    assert_non_null(whole);
    assert_int_equal(sample_load(write_file(file), p, VIEWS_CENTER, false, part), STATUS_OK);
    assert_int_equal(sample_from_image("FILE", &image, p, VIEWS_CENTER, NULL, whole), STATUS_OK);
    assert_memory_equal(part, whole, values * sizeof *part);
    // torchvision pads on the left by the half rounded down, and then the margin is 0.
    int top =
        to_height < p->height ? -((p->height - to_height) / 2) : crop_begin(to_height, p->height);
    int left = to_width < p->width ? -((p->width - to_width) / 2) : crop_begin(to_width, p->width);
    check_crop(&resized, p, top, left, false, part);
    free(part);
    free(whole);
    image_free(&image);
    image_free(&resized);
}

static void center_crops(void **state) {
    (void)state;
    static const int sizes[][2] = {{333, 217}, {217, 334}, {60, 60}, {59, 61}, {7, 300},
                                   {700, 5},   {1, 90},    {120, 1}, {1, 1},   {41, 40}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int cubic = 0; cubic < 2; cubic++) {
            static const int shapes[][3] = {{28, 28, 32}, {32, 32, 0},  {31, 20, 45},
                                            {20, 33, 24}, {40, 40, 35}, {60, 60, 61}};
            for (int s = 0; s < 6; s++) {
                Preprocess p = plain(shapes[s][0], shapes[s][1], shapes[s][2]);
                p.interpolation = cubic ? INTERPOLATION_BICUBIC : INTERPOLATION_BILINEAR;
                check_center(sizes[i][0], sizes[i][1], &p);
            }
        }
    }
}

static Image random_image(int width, int height) {
    Image image = {.width = width, .height = height, .channels = 3};
    image.pixels = malloc((size_t)(width * height * 3));
    assert_non_null(image.pixels);
    for (int i = 0; i < width * height * 3; i++) {
        image.pixels[i] = (uint8_t)random_bits(8, RANDOM_TEST, 1, (uint64_t)i);
    }
    return image;
}

static void ten_crops(void **state) {
    (void)state;
    Image image = random_image(47, 32); // stays as it is
    Preprocess p = plain(20, 20, 32);
    static float out[10][20 * 20 * 3];
    assert_int_equal(sample_from_image("FILE", &image, &p, VIEWS_TEN_CROP, NULL, out[0]),
                     STATUS_OK);
    const int places[5][2] = {{0, 0}, {0, 27}, {12, 0}, {12, 27}, {6, 14}}; // 27 / 2 to even
    for (int view = 0; view < 10; view++) {
        check_crop(&image, &p, places[view % 5][0], places[view % 5][1], view >= 5, out[view]);
    }
    p = plain(20, 48, 32);
    expect_failure(sample_from_image("FILE", &image, &p, VIEWS_TEN_CROP, NULL, out[0]),
                   STATUS_FAILED,
                   "FILE: is 47x32 after resizing, too small for ten crops of 48x20");
    image_free(&image);
}

static void whole_pictures(void **state) {
    (void)state;
    Image image = random_image(47, 32), resized;
    Preprocess p = plain(20, 20, 99);
    int height, width;
    assert_int_equal(sample_whole_size("FILE", &image, 48, &height, &width), STATUS_OK);
    assert_int_equal(height, 48);
    assert_int_equal(width, 70);
    static float out[48 * 70 * 3];
    assert_int_equal(sample_whole("FILE", &image, &p, 48, NULL, out), STATUS_OK);
    assert_int_equal(image_resize(&image, 70, 48, INTERPOLATION_BILINEAR, &resized), STATUS_OK);
    p.height = 48;
    p.width = 70;
    check_crop(&resized, &p, 0, 0, false, out);
    image_free(&image);
    image_free(&resized);
    Image thin = {.width = 1, .height = 100000000, .channels = 3};
    expect_failure(sample_whole_size("FILE", &thin, 224, &height, &width), STATUS_FAILED,
                   "FILE: is 1x100000000, too long to be resized to a short side of 224");
}

// ---- stages ------------------------------------------------------------------------------------

static Status note_stage(void *user, const Stage *stage) {
    char *noted = user;
    snprintf(noted + strlen(noted), 256 - strlen(noted), "%s %d %dx%dx%d %s;", stage->name,
             stage->view, stage->height, stage->width, stage->channels,
             stage->values != NULL ? "values" : "bytes");
    return strcmp(stage->name, "input") == 0 ? status_fail(STATUS_FAILED, "the disk is full")
                                             : STATUS_OK;
}

static void stages(void **state) {
    (void)state;
    Image image = random_image(47, 32);
    Preprocess p = plain(20, 20, 24);
    static float out[20 * 20 * 3];
    char noted[256] = "";
    StageSink sink = {note_stage, noted};
    expect_failure(sample_from_image("FILE", &image, &p, VIEWS_CENTER, &sink, out), STATUS_FAILED,
                   "the disk is full");
    assert_string_equal(noted, "decoded 0 32x47x3 bytes;resized 0 24x35x3 bytes;"
                               "crop 0 20x20x3 bytes;input 0 20x20x3 values;");
    image_free(&image);
}

// ---- presets -----------------------------------------------------------------------------------

static void presets(void **state) {
    (void)state;
    const struct {
        const char *name;
        int resize;
        Interpolation interpolation;
        float first[3]; // of a pixel 10 20 30
    } rows[] = {
        {"torchvision",
         256,
         INTERPOLATION_BILINEAR,
         {(10.0F / 255 - 0.485F) / 0.229F, (20.0F / 255 - 0.456F) / 0.224F,
          (30.0F / 255 - 0.406F) / 0.225F}},
        {"torchvision-v2", 232, INTERPOLATION_BILINEAR, {0, 0, 0}},
        {"timm", 235, INTERPOLATION_BICUBIC, {0, 0, 0}},
        {"caffe", 256, INTERPOLATION_BILINEAR, {30 - 103.939F, 20 - 116.779F, 10 - 123.68F}},
        {"cifar", 0, INTERPOLATION_BILINEAR, {0, 0, 0}},
        {"inception",
         256,
         INTERPOLATION_BILINEAR,
         {(10.0F / 255 - 0.5F) / 0.5F, (20.0F / 255 - 0.5F) / 0.5F, (30.0F / 255 - 0.5F) / 0.5F}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Preprocess p;
        assert_int_equal(preprocess_preset(rows[i].name, 3, 224, 224, &p), STATUS_OK);
        assert_int_equal(p.resize, rows[i].resize);
        assert_int_equal(p.interpolation, rows[i].interpolation);
        p.height = p.width = 1;
        float out[3];
        preprocess_sample(&p, NULL, 0, 0, 0, (const uint8_t[]){10, 20, 30}, out);
        const float *expected = rows[rows[i].first[0] != 0 ? i : 0].first;
        for (int c = 0; c < 3; c++) {
            assert_true(out[c] == expected[c]);
        }
    }
    Preprocess p;
    expect_failure(preprocess_preset("keras", 3, 224, 224, &p), STATUS_USAGE,
                   "preprocessing 'keras' is unknown, expected torchvision, torchvision-v2, timm, "
                   "caffe, cifar or inception");
}

// ---- published bytes ---------------------------------------------------------------------------

static Bytes read_whole(const char *path) {
    Bytes file = {0};
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        skip();
    }
    static uint8_t chunk[1 << 16];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, stream)) > 0) {
        bytes_append(&file, chunk, got);
    }
    fclose(stream);
    return file;
}

// A member of a tar archive by the end of its name; NULL when there is none.
static const uint8_t *tar_member(const Bytes *tar, const char *name, size_t *size) {
    for (size_t place = 0; place + 512 <= tar->size;) {
        const char *header = (const char *)tar->bytes + place;
        *size = strtoul(header + 124, NULL, 8);
        size_t length = strnlen(header, 100), wanted = strlen(name);
        if (length >= wanted && memcmp(header + length - wanted, name, wanted) == 0) {
            return tar->bytes + place + 512;
        }
        place += 512 + (*size + 511) / 512 * 512;
    }
    return NULL;
}

// uint8 [10, 224, 224, 3] of Pillow 9.4 and torchvision.
static void published_crops(void **state) {
    (void)state;
    static const char *const names[] = {"n01440764_tench.JPEG",
                                        "n01860187_black_swan.JPEG",
                                        "n02097474_Tibetan_terrier.JPEG",
                                        "n02165105_tiger_beetle.JPEG",
                                        "n02669723_academic_gown.JPEG",
                                        "n03042490_cliff_dwelling.JPEG",
                                        "n03532672_hook.JPEG",
                                        "n03887697_paper_towel.JPEG",
                                        "n04243546_slot.JPEG",
                                        "n04562935_water_tower.JPEG"};
    enum { SIDE = 224, VALUES = SIDE * SIDE * 3 };
    Bytes golden = read_whole("../shared/data/golden/preprocess_u8_10.npy");
    Bytes tar = read_whole("../shared/data/imagenet-sample-100.tar");
    const uint8_t *expected = golden.bytes + golden.size - 10 * VALUES;
    Preprocess p = plain(SIDE, SIDE, 256);
    static float out[VALUES];
    int different = 0;
    for (int n = 0; n < 10; n++) {
        size_t size = 0;
        const uint8_t *bytes = tar_member(&tar, names[n], &size);
        assert_non_null(bytes);
        Bytes file = {0};
        bytes_append(&file, bytes, size);
        assert_int_equal(sample_load(write_file(file), &p, VIEWS_CENTER, false, out), STATUS_OK);
        for (int i = 0; i < VALUES; i++) {
            different += out[i] != (float)*expected++;
        }
    }
    assert_int_equal(different, 0);
    bytes_free(&golden);
    bytes_free(&tar);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_jpegs), cmocka_unit_test(damage_out_of_sight),
        cmocka_unit_test(center_crops),   cmocka_unit_test(ten_crops),
        cmocka_unit_test(whole_pictures), cmocka_unit_test(stages),
        cmocka_unit_test(presets),        cmocka_unit_test(published_crops),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
