// SPDX-License-Identifier: Apache-2.0
// Training on batches of the caller's own, and the layers that sessions and trainers time.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/random.h"
#include "resnet.h"

enum { SIDE = 16, VALUES = SIDE * SIDE * 3, CLASSES = 4, BATCH = 8 };

static float images[BATCH * VALUES];
static int32_t labels[BATCH];
static resnet_model *model;

static resnet_model *model_create(int classes) {
    resnet_model_options options;
    resnet_model_options_default(&options);
    options.classes = classes;
    options.height = options.width = SIDE;
    resnet_model *created = NULL;
    assert_int_equal(resnet_model_create("resnet20", &options, &created), RESNET_OK);
    return created;
}

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < BATCH * VALUES; i++) {
        images[i] = (float)random_normal(3, RANDOM_TEST, 0, (uint64_t)i);
    }
    for (int i = 0; i < BATCH; i++) {
        labels[i] = i % CLASSES;
    }
    model = model_create(CLASSES);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    resnet_model_free(model);
    return 0;
}

static resnet_trainer *trainer_create(int threads) {
    resnet_trainer_options options;
    resnet_trainer_options_default(&options);
    options.threads = threads;
    options.batch = BATCH;
    resnet_trainer *trainer = NULL;
    assert_int_equal(resnet_trainer_create(model, &options, &trainer), RESNET_OK);
    return trainer;
}

static void logits_of(const resnet_model *of, float *logits) {
    resnet_session_options options = {.threads = 1, .batch = BATCH};
    resnet_session *session = NULL;
    assert_int_equal(resnet_session_create(of, &options, &session), RESNET_OK);
    assert_int_equal(resnet_session_run(session, images, BATCH, logits), RESNET_OK);
    resnet_session_free(session);
}

static void steps_learn_by_heart(void **state) {
    (void)state;
    resnet_trainer *trainer = trainer_create(2);
    double first = 0, last = 0;
    assert_int_equal(resnet_trainer_step(trainer, images, labels, BATCH, 0.05, &first), RESNET_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(resnet_trainer_step(trainer, images, labels, BATCH, 0.05, &last),
                         RESNET_OK);
    }
    assert_true(first > 0.5 && last < first / 3);
    // A part of a batch is a step too.
    assert_int_equal(resnet_trainer_step(trainer, images, labels, 3, 0.05, &last), RESNET_OK);
    assert_true(isfinite(last));
    resnet_trainer_free(trainer);
}

static void steps_do_not_depend_on_threads_or_timing(void **state) {
    (void)state;
    resnet_trainer *plain = trainer_create(1), *timed = trainer_create(3);
    const int layers = resnet_trainer_layers(timed);
    double *seconds = calloc(2 * (size_t)layers, sizeof *seconds);
    assert_non_null(seconds);
    for (int i = 0; i < 3; i++) {
        double a = 0, b = 0;
        assert_int_equal(resnet_trainer_step(plain, images, labels, BATCH, 0.1, &a), RESNET_OK);
        assert_int_equal(resnet_trainer_step_timed(timed, images, labels, BATCH, 0.1, &b, seconds,
                                                   seconds + layers),
                         RESNET_OK);
        assert_memory_equal(&a, &b, sizeof a);
    }
    free(seconds);
    resnet_trainer_free(plain);
    resnet_trainer_free(timed);
}

static void what_was_learnt_is_stored(void **state) {
    (void)state;
    float before[BATCH * CLASSES], untouched[BATCH * CLASSES], after[BATCH * CLASSES];
    logits_of(model, before);
    resnet_trainer *trainer = trainer_create(1);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(resnet_trainer_step(trainer, images, labels, BATCH, 0.05, NULL),
                         RESNET_OK);
    }
    logits_of(model, untouched);
    assert_memory_equal(before, untouched, sizeof before);

    resnet_model *learnt = model_create(CLASSES), *other = model_create(CLASSES + 1);
    assert_int_equal(resnet_trainer_store(trainer, learnt), RESNET_OK);
    logits_of(learnt, after);
    for (int i = 0; i < BATCH; i++) {
        for (int c = 0; c < CLASSES; c++) {
            assert_true(after[i * CLASSES + c] <= after[i * CLASSES + labels[i]]);
        }
    }
    assert_int_equal(resnet_trainer_store(trainer, other), RESNET_USAGE);
    assert_string_equal(resnet_last_error(),
                        "the trained model has no parameter like resnet20's fc.weight");
    resnet_model_free(learnt);
    resnet_model_free(other);
    resnet_trainer_free(trainer);
}

// Weights in a mapped file are only read; what was learnt takes their place.
static void stores_over_a_mapped_file(void **state) {
    (void)state;
    char path[] = "/tmp/resnet-trainer-XXXXXX";
    const int file_number = mkstemp(path);
    assert_true(file_number >= 0);
    close(file_number);
    assert_int_equal(resnet_model_save(model, path), RESNET_OK);
    resnet_load_options load;
    resnet_load_options_default(&load);
    load.map = 1;
    resnet_model *mapped = NULL;
    assert_int_equal(resnet_model_load(path, &load, &mapped), RESNET_OK);
    float file[BATCH * CLASSES], own[BATCH * CLASSES], kept[BATCH * CLASSES];
    logits_of(mapped, file);
    logits_of(model, own);
    assert_memory_equal(file, own, sizeof file);

    resnet_trainer *trainer = trainer_create(1);
    assert_int_equal(resnet_trainer_step(trainer, images, labels, BATCH, 0.1, NULL), RESNET_OK);
    assert_int_equal(resnet_trainer_store(trainer, mapped), RESNET_OK);
    logits_of(mapped, own);
    assert_memory_not_equal(file, own, sizeof file);
    resnet_model_free(mapped);
    assert_int_equal(resnet_model_load(path, NULL, &mapped), RESNET_OK);
    logits_of(mapped, kept);
    assert_memory_equal(file, kept, sizeof file);
    resnet_model_free(mapped);
    resnet_trainer_free(trainer);
    unlink(path);
}

static void refusals_name_the_argument(void **state) {
    (void)state;
    resnet_trainer *trainer = NULL;
    resnet_trainer_options options;
    resnet_trainer_options_default(&options);
    options.batch = 0;
    assert_int_equal(resnet_trainer_create(model, &options, &trainer), RESNET_USAGE);
    assert_null(trainer);
    trainer = trainer_create(1);
    assert_int_equal(resnet_trainer_step(trainer, images, labels, BATCH + 1, 0.1, NULL),
                     RESNET_USAGE);
    assert_string_equal(resnet_last_error(), "a step of 9 images in a trainer for at most 8");
    labels[2] = CLASSES;
    assert_int_equal(resnet_trainer_step(trainer, images, labels, BATCH, 0.1, NULL), RESNET_USAGE);
    assert_string_equal(resnet_last_error(), "image 2 of the batch has label 4, not 0 to 3");
    labels[2] = 2;
    double loss = 0;
    const float kept = images[7];
    images[7] = INFINITY;
    assert_int_equal(resnet_trainer_step(trainer, images, labels, BATCH, 0.1, &loss),
                     RESNET_FAILED);
    assert_string_equal(resnet_last_error(), "the loss is not finite; try a smaller rate than 0.1");
    assert_false(isfinite(loss));
    images[7] = kept;
    assert_int_equal(resnet_trainer_step(trainer, images, labels, BATCH, 0.1, &loss), RESNET_OK);
    assert_true(isfinite(loss)); // the step that failed updated nothing
    resnet_trainer_free(trainer);

    double gflops = 0;
    assert_int_equal(resnet_measure_peak(1, "fp64", &gflops), RESNET_USAGE);
    assert_string_equal(resnet_last_error(),
                        "there is no precision 'fp64', only fp32, bf16 and int8");
}

static void session_layers_add_up(void **state) {
    (void)state;
    resnet_session_options options = {.threads = 1, .batch = BATCH};
    resnet_session *session = NULL;
    assert_int_equal(resnet_session_create(model, &options, &session), RESNET_OK);
    const int layers = resnet_session_layers(session);
    double *seconds = calloc((size_t)layers, sizeof *seconds);
    assert_non_null(seconds);
    float plain[BATCH * CLASSES], timed[BATCH * CLASSES];
    assert_int_equal(resnet_session_run(session, images, BATCH, plain), RESNET_OK);
    const double begin = clock_seconds();
    assert_int_equal(resnet_session_run_timed(session, images, BATCH, timed, seconds), RESNET_OK);
    const double whole = clock_seconds() - begin;
    assert_memory_equal(plain, timed, sizeof plain);

    resnet_summary summary;
    assert_int_equal(resnet_model_summary(model, 1, 1, &summary), RESNET_OK);
    double sum = 0;
    int64_t macs = 0;
    bool found = false;
    for (int i = 0; i < layers; i++) {
        resnet_fused_layer layer;
        assert_int_equal(resnet_session_layer(session, i, &layer), RESNET_OK);
        assert_true(seconds[i] >= 0);
        sum += seconds[i];
        macs += layer.macs;
        assert_int_equal(layer.macs > 0, layer.path != NULL);
        if (strcmp(layer.name, "layer2.0.conv1") == 0) {
            found = true;
            assert_string_equal(layer.op, "conv");
            assert_string_equal(layer.parts, "conv+norm+relu");
            assert_string_equal(layer.path, "direct");
            assert_true(layer.kernel == 3 && layer.stride == 2 && layer.channels == 32);
            assert_true(layer.height == SIDE / 2 && layer.width == SIDE / 2);
            // 16 channels of 16x16 read, 32 of 8x8 written; 3x3 weights and a norm's four vectors.
            assert_int_equal(layer.image_bytes, 4 * (16 * 16 * 16 + 32 * 8 * 8));
            assert_int_equal(layer.weight_bytes, 4 * (32 * 16 * 9 + 4 * 32));
        }
    }
    assert_true(found);
    assert_int_equal(macs, summary.macs);
    assert_true(sum > 0 && sum <= whole);
    assert_int_equal(resnet_session_run_timed(session, images, BATCH + 1, timed, seconds),
                     RESNET_USAGE);
    resnet_fused_layer layer;
    assert_int_equal(resnet_session_layer(session, layers, &layer), RESNET_USAGE);
    free(seconds);
    resnet_session_free(session);
}

static void roofs_are_measured(void **state) {
    (void)state;
    double one = 0, two = 0, memory = 0;
    assert_int_equal(resnet_measure_peak(1, "fp32", &one), RESNET_OK);
    assert_int_equal(resnet_measure_peak(2, "fp32", &two), RESNET_OK);
    assert_int_equal(resnet_measure_bandwidth(1, &memory), RESNET_OK);
    // No core since 2000 is slower, none faster. Two threads count the time that each had a core,
    // and may share one that has two threads.
    assert_true(one > 0.1 && one < 2000);
    assert_true(two > 0.8 * one && two < 3 * one);
    assert_true(memory > 0.05 && memory < 2000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_learn_by_heart),
        cmocka_unit_test(steps_do_not_depend_on_threads_or_timing),
        cmocka_unit_test(what_was_learnt_is_stored),
        cmocka_unit_test(stores_over_a_mapped_file),
        cmocka_unit_test(refusals_name_the_argument),
        cmocka_unit_test(session_layers_add_up),
        cmocka_unit_test(roofs_are_measured),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
