// SPDX-License-Identifier: Apache-2.0
// Photographs through the public functions: one view and several, one picture and a data set.
#include "data/pictures.h"

#include <math.h>

#include "data/sample.h"
#include "resnet.h"
#include "train/evaluate.h"

enum { CLASSES = 10, SIDE = 32, VALUES = SIDE * SIDE * 3 };

static char folder[SCRATCH_PATH];
static resnet_model *model;
static resnet_session *session;

static const char *path_of(const char *name) {
    static char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void put(const char *name, int width, int height) {
    Bytes file = picture_jpeg_of(width, height, (JpegKind){JCS_YCbCr, false, 2, 2, 6});
    scratch_write(folder, name, file.bytes, file.size);
    bytes_free(&file);
}

static void make_folder(const char *name) { assert_int_equal(mkdir(path_of(name), 0777), 0); }

// Class 1 has a picture that is none.
static int set_up(void **state) {
    (void)state;
    scratch_create(folder);
    make_folder("val");
    for (int c = 0; c < CLASSES; c++) {
        char name[64];
        snprintf(name, sizeof name, "val/%d", c);
        make_folder(name);
        snprintf(name, sizeof name, "val/%d/a.jpg", c);
        put(name, 40 + 9 * c, 90 - 5 * c);
    }
    scratch_write(folder, "val/1/b.jpg", "GIF8", 4);
    put("one.jpg", 70, 51);
    assert_int_equal(resnet_model_create("resnet20", NULL, &model), RESNET_OK);
    resnet_session_options options = {.threads = 2, .batch = 4};
    assert_int_equal(resnet_session_create(model, &options, &session), RESNET_OK);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    resnet_session_free(session);
    resnet_model_free(model);
    scratch_remove(folder);
    return 0;
}

static void expected_views(const char *name, Views views, bool exif, float *probabilities) {
    Preprocess preprocess;
    static float images[10 * VALUES], logits[10 * CLASSES];
    assert_int_equal(preprocess_preset("cifar", 3, SIDE, SIDE, &preprocess), STATUS_OK);
    assert_int_equal(sample_load(path_of(name), &preprocess, views, exif, images), STATUS_OK);
    int count = views_count(views);
    resnet_session_run(session, images, count, logits);
    double sum[CLASSES] = {0};
    for (int i = 0; i < count; i++) {
        float one[CLASSES];
        logits_softmax(logits + i * CLASSES, CLASSES, one);
        for (int c = 0; c < CLASSES; c++) {
            sum[c] += one[c];
        }
    }
    for (int c = 0; c < CLASSES; c++) {
        probabilities[c] = (float)(sum[c] / count);
    }
}

static void expect_near(const float *found, const float *expected) {
    for (int c = 0; c < CLASSES; c++) {
        assert_true(fabsf(found[c] - expected[c]) < 1e-6F);
    }
}

static void one_picture(void **state) {
    (void)state;
    float found[CLASSES], upright[CLASSES], expected[CLASSES];
    for (int ten = 0; ten < 2; ten++) {
        resnet_predict_options options;
        resnet_predict_options_default(&options);
        options.views = ten ? RESNET_VIEWS_TEN_CROP : RESNET_VIEWS_CENTER;
        Views views = ten ? VIEWS_TEN_CROP : VIEWS_CENTER;
        assert_int_equal(resnet_session_predict_file(session, path_of("one.jpg"), &options, found),
                         RESNET_OK);
        expected_views("one.jpg", views, false, expected);
        expect_near(found, expected);
        options.exif = 1;
        assert_int_equal(
            resnet_session_predict_file(session, path_of("one.jpg"), &options, upright), RESNET_OK);
        expected_views("one.jpg", views, true, expected);
        expect_near(upright, expected);
        assert_memory_not_equal(found, upright, sizeof found);
    }
    assert_int_equal(resnet_session_predict_file(session, path_of("none.jpg"), NULL, found),
                     RESNET_FAILED);
}

// The crop is the whole picture when that is square, so that the scales agree with networks made
// for their sizes.
static void several_scales(void **state) {
    (void)state;
    static const int sides[] = {224, 256, 384, 480, 640};
    Bytes file = picture_jpeg(32, 32, JCS_YCbCr, false);
    scratch_write(folder, "square.jpg", file.bytes, file.size);
    bytes_free(&file);
    assert_int_equal(resnet_model_save(model, path_of("model.safetensors")), RESNET_OK);
    double sum[CLASSES] = {0};
    for (int i = 0; i < 5; i++) {
        resnet_model_options options;
        resnet_model_options_default(&options); // the same seed: the same weights
        options.height = options.width = sides[i];
        resnet_model *large = NULL;
        resnet_session *run = NULL;
        assert_int_equal(resnet_model_create("resnet20", &options, &large), RESNET_OK);
        // The preset for large inputs would crop.
        Preprocess preprocess;
        assert_int_equal(preprocess_preset("cifar", 3, sides[i], sides[i], &preprocess), STATUS_OK);
        size_t values = (size_t)sides[i] * (size_t)sides[i] * 3;
        float *image = malloc(values * sizeof *image), logits[CLASSES], one[CLASSES];
        assert_non_null(image);
        assert_int_equal(
            sample_load(path_of("square.jpg"), &preprocess, VIEWS_CENTER, false, image), STATUS_OK);
        assert_int_equal(resnet_session_create(large, NULL, &run), RESNET_OK);
        resnet_session_run(run, image, 1, logits);
        logits_softmax(logits, CLASSES, one);
        for (int c = 0; c < CLASSES; c++) {
            sum[c] += one[c];
        }
        resnet_session_free(run);
        resnet_model_free(large);
        free(image);
    }
    resnet_predict_options options = {.views = RESNET_VIEWS_MULTI_SCALE};
    float found[CLASSES], expected[CLASSES];
    assert_int_equal(resnet_session_predict_file(session, path_of("square.jpg"), &options, found),
                     RESNET_OK);
    for (int c = 0; c < CLASSES; c++) {
        expected[c] = (float)(sum[c] / 5);
    }
    expect_near(found, expected);
}

static void is_there(const char *folder_name, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder_name, name);
    struct stat info;
    assert_int_equal(stat(path_of(path), &info), 0);
    assert_true(info.st_size > 0);
}

static void stages_are_written(void **state) {
    (void)state;
    char out[SCRATCH_PATH + 16];
    snprintf(out, sizeof out, "%s/why/one", folder);
    resnet_predict_options options = {.explain = out};
    float plain[CLASSES], explained[CLASSES];
    assert_int_equal(resnet_session_predict_file(session, path_of("one.jpg"), NULL, plain),
                     RESNET_OK);
    assert_int_equal(resnet_session_predict_file(session, path_of("one.jpg"), &options, explained),
                     RESNET_OK);
    expect_near(explained, plain);
    static const char *const names[] = {"1-decoded", "2-resized", "3-crop", "4-input"};
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.png", names[i]);
        is_there("why/one", name);
        snprintf(name, sizeof name, "%s.npy", names[i]);
        is_there("why/one", name);
    }
    options.views = RESNET_VIEWS_TEN_CROP;
    assert_int_equal(resnet_session_predict_file(session, path_of("one.jpg"), &options, explained),
                     RESNET_OK);
    is_there("why/one", "3-crop-9.png");
}

// ---- data sets ---------------------------------------------------------------------------------

// What the caller of an evaluation is told on its way.
typedef struct Told {
    char failures[2048];
    resnet_evaluation last;
    int count, calls;
} Told;

static void note_failure(void *user, const char *sentence) {
    Told *told = user;
    size_t used = strlen(told->failures);
    snprintf(told->failures + used, sizeof told->failures - used, "%s;", sentence);
}

static void note_progress(void *user, const resnet_evaluation *so_far, int count) {
    Told *told = user;
    int seen = so_far->samples + so_far->failed, before = told->last.samples + told->last.failed;
    assert_in_range(seen, before + 1, count);
    assert_in_range(so_far->correct, 0, so_far->samples);
    assert_true(so_far->seconds >= told->last.seconds);
    told->last = *so_far;
    told->count = count;
    told->calls++;
}

static resnet_status evaluate(const char *spec, resnet_views views, Told *told,
                              resnet_evaluation *out) {
    resnet_data *data = NULL;
    assert_int_equal(resnet_data_open(spec, "test", &data), RESNET_OK);
    *told = (Told){.calls = 0};
    resnet_evaluate_options options;
    resnet_evaluate_options_default(&options);
    options.views = views;
    options.logits = path_of("logits.npy");
    options.failure = note_failure;
    options.progress = note_progress;
    options.user = told;
    resnet_status status = resnet_session_evaluate(session, data, &options, out);
    if (status == RESNET_OK) {
        assert_int_equal(told->count, resnet_data_count(data));
        assert_int_equal(told->last.samples, out->samples);
        assert_int_equal(told->last.correct, out->correct);
        assert_int_equal(told->last.failed, out->failed);
        assert_true(told->last.loss == out->loss);
    }
    resnet_data_free(data);
    return status;
}

// Row `row` of the `rows` that evaluate() wrote, as probabilities.
static void logits_row(int row, int rows, float *probabilities) {
    float logits[CLASSES];
    FILE *file = fopen(path_of("logits.npy"), "rb");
    assert_non_null(file);
    long end = (long)((rows - row) * CLASSES * (int)sizeof(float));
    assert_int_equal(fseek(file, -end, SEEK_END), 0);
    assert_int_equal(fread(logits, sizeof(float), CLASSES, file), CLASSES);
    fclose(file);
    if (isnan(logits[0])) {
        probabilities[0] = NAN;
    } else {
        logits_softmax(logits, CLASSES, probabilities);
    }
}

static void a_folder(void **state) {
    (void)state;
    char spec[2 * SCRATCH_PATH], sentence[2 * SCRATCH_PATH + 128];
    Told told;
    snprintf(spec, sizeof spec, "folder:%s", folder);
    snprintf(sentence, sizeof sentence,
             "%s: begins with 47 49 46 38, expected a JPEG, PNG, WebP, BMP, PPM or PGM picture;",
             path_of("val/1/b.jpg"));
    const resnet_views views[] = {RESNET_VIEWS_CENTER, RESNET_VIEWS_TEN_CROP};
    for (int v = 0; v < 2; v++) {
        resnet_evaluation result;
        assert_int_equal(evaluate(spec, views[v], &told, &result), RESNET_OK);
        assert_int_equal(result.samples, CLASSES);
        assert_int_equal(result.failed, 1);
        assert_string_equal(told.failures, sentence);
        assert_int_equal(told.calls, v == 0 ? 3 : 11);
        assert_true(result.loss > 0);
        int correct = 0;
        for (int row = 0; row <= CLASSES; row++) { // row 2 is the picture that is none
            float found[CLASSES], expected[CLASSES];
            logits_row(row, CLASSES + 1, found);
            if (row == 2) {
                assert_true(isnan(found[0]));
                continue;
            }
            int label = row > 2 ? row - 1 : row;
            char name[64];
            snprintf(name, sizeof name, "val/%d/a.jpg", label);
            resnet_predict_options options = {.views = views[v]};
            assert_int_equal(
                resnet_session_predict_file(session, path_of(name), &options, expected), RESNET_OK);
            expect_near(found, expected);
            int best = 0;
            for (int c = 1; c < CLASSES; c++) {
                best = expected[c] > expected[best] ? c : best;
            }
            correct += best == label;
        }
        assert_int_equal(result.correct, correct);
    }
}

static void a_list(void **state) {
    (void)state;
    static const char text[] = "val/0/a.jpg 3\nval/4/a.jpg 0\n";
    scratch_write(folder, "few.txt", text, sizeof text - 1);
    char spec[2 * SCRATCH_PATH];
    Told told;
    resnet_evaluation result;
    snprintf(spec, sizeof spec, "list:%s/few.txt", folder);
    assert_int_equal(evaluate(spec, RESNET_VIEWS_CENTER, &told, &result), RESNET_OK);
    assert_int_equal(result.samples, 2);
    resnet_data *data = NULL;
    assert_int_equal(resnet_data_open(spec, "test", &data), RESNET_OK);
    assert_null(resnet_data_class_name(data, 0));
    assert_int_equal(resnet_data_classes(data), 4);
    int channels, height, width;
    resnet_data_shape(data, &channels, &height, &width);
    assert_int_equal(channels + height + width, 0);
    assert_int_equal(resnet_data_write_png(data, 1, path_of("out.png")), RESNET_OK);
    resnet_data_free(data);
    Image image;
    assert_int_equal(image_read(path_of("out.png"), 0, false, &image), STATUS_OK);
    assert_int_equal(image.width, 40 + 9 * 4);
    image_free(&image);
    scratch_write(folder, "few.txt", "val/0/a.jpg 10\n", 15);
    assert_int_equal(evaluate(spec, RESNET_VIEWS_CENTER, &told, &result), RESNET_FAILED);
    assert_string_equal(resnet_last_error(), "the weights are for 10 classes, but the list has 11");
}

static void a_list_at_several_scales(void **state) {
    (void)state;
    static const char text[] = "val/1/b.jpg 1\nval/2/a.jpg 2\n";
    scratch_write(folder, "scales.txt", text, sizeof text - 1);
    char spec[2 * SCRATCH_PATH];
    Told told;
    resnet_evaluation result;
    snprintf(spec, sizeof spec, "list:%s/scales.txt", folder);
    assert_int_equal(evaluate(spec, RESNET_VIEWS_MULTI_SCALE, &told, &result), RESNET_OK);
    assert_int_equal(result.samples, 1);
    assert_int_equal(result.failed, 1);
    assert_non_null(strstr(told.failures, "val/1/b.jpg: begins with 47 49 46 38"));
    float found[CLASSES], expected[CLASSES];
    logits_row(0, 2, found);
    assert_true(isnan(found[0]));
    logits_row(1, 2, found);
    resnet_predict_options options = {.views = RESNET_VIEWS_MULTI_SCALE};
    assert_int_equal(
        resnet_session_predict_file(session, path_of("val/2/a.jpg"), &options, expected),
        RESNET_OK);
    expect_near(found, expected);
}

static void no_training(void **state) {
    (void)state;
    static const char text[] = "val/0/a.jpg 3\n";
    scratch_write(folder, "train.txt", text, sizeof text - 1);
    char spec[2 * SCRATCH_PATH], out[2 * SCRATCH_PATH];
    snprintf(spec, sizeof spec, "list:%s/train.txt", folder);
    snprintf(out, sizeof out, "%s/run", folder);
    resnet_train_options options;
    resnet_train_options_default(&options);
    options.model = "resnet20";
    options.data = spec;
    options.out = out;
    assert_int_equal(resnet_train(&options, NULL, NULL), RESNET_USAGE);
    assert_non_null(strstr(resnet_last_error(), "' are photographs in files"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_picture),
        cmocka_unit_test(several_scales),
        cmocka_unit_test(stages_are_written),
        cmocka_unit_test(a_folder),
        cmocka_unit_test(a_list),
        cmocka_unit_test(a_list_at_several_scales),
        cmocka_unit_test(no_training),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
