// SPDX-License-Identifier: Apache-2.0
// The loader's batches are the same whatever the threads, and wherever one begins to read.
#include "data/scratch.h"

#include <malloc.h>

#include "base/random.h"
#include "data/loader.h"

enum { SAMPLES = 103, SIDE = 8, VALUES = SIDE * SIDE * 3, BATCH = 10 };

static uint8_t pixels[SAMPLES * VALUES];
static int32_t labels[SAMPLES];
static Dataset dataset = {
    .name = "made up",
    .channels = 3,
    .height = SIDE,
    .width = SIDE,
    .classes = 10,
    .count = SAMPLES,
    .pixels = pixels,
    .labels = labels,
};
static const Preprocess preprocess = {
    .channels = 3,
    .height = SIDE,
    .width = SIDE,
    .mean = {0.5F, 0.25F, 0.125F},
    .deviation = {0.5F, 1, 2},
};
static const LoaderOptions training = {
    .batch = BATCH,
    .shuffle = true,
    .augment = {.pad = 2, .flip = true},
    .seed = 11,
    .ahead = 2,
};

static int set_up(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof pixels; i++) {
        pixels[i] = (uint8_t)random_bits(2, RANDOM_TEST, 0, i);
    }
    for (int n = 0; n < SAMPLES; n++) {
        labels[n] = n % 10;
    }
    return 0;
}

static Loader *make(LoaderOptions options) {
    Loader *loader;
    assert_int_equal(loader_create(&dataset, &preprocess, &options, &loader), STATUS_OK);
    return loader;
}

static uint64_t hash_batch(const Batch *batch) {
    size_t count = (size_t)batch->count;
    uint64_t hash = hash_bytes(batch->pixels, count * VALUES * sizeof(float));
    hash = hash * 31 + hash_bytes(batch->labels, count * sizeof(int32_t));
    hash = hash * 31 + hash_bytes(batch->index, count * sizeof(uint32_t));
    return hash * 31 + count;
}

static void batches_are_the_samples(void **state) {
    (void)state;
    static float expected[VALUES];
    for (int workers = 0; workers < 3; workers++) {
        LoaderOptions options = training;
        options.workers = workers;
        Loader *loader = make(options);
        assert_int_equal(loader_batches(loader), 11);
        loader_seek(loader, 0, 0);
        for (uint64_t epoch = 0; epoch < 3; epoch++) {
            uint32_t order[SAMPLES];
            random_permutation(order, SAMPLES, options.seed, RANDOM_ORDER, epoch);
            uint32_t position = 0;
            for (int b = 0; b < 11; b++) {
                Batch batch;
                loader_next(loader, &batch);
                assert_int_equal(batch.count, b < 10 ? 10 : 3);
                for (int i = 0; i < batch.count; i++, position++) {
                    uint32_t sample = batch.index[i];
                    assert_int_equal(sample, order[position]);
                    assert_int_equal(batch.labels[i], labels[sample]);
                    preprocess_sample(&preprocess, &options.augment, options.seed, epoch, sample,
                                      pixels + sample * VALUES, expected);
                    assert_memory_equal(batch.pixels + i * VALUES, expected, sizeof expected);
                }
            }
        }
        loader_destroy(loader);
    }
}

static void cuts_are_smaller(void **state) {
    (void)state;
    enum { CUT = 5 * 6 * 3 };
    static float expected[CUT];
    LoaderOptions options = training;
    options.augment.height = 5;
    options.augment.width = 6;
    options.workers = 1;
    Loader *loader = make(options);
    loader_seek(loader, 2, 10);
    Batch batch;
    loader_next(loader, &batch);
    assert_int_equal(batch.count, 3);
    for (int i = 0; i < batch.count; i++) {
        preprocess_sample(&preprocess, &options.augment, options.seed, 2, batch.index[i],
                          pixels + batch.index[i] * VALUES, expected);
        assert_memory_equal(batch.pixels + i * CUT, expected, sizeof expected);
    }
    loader_destroy(loader);
}

static void data_order(void **state) {
    (void)state;
    LoaderOptions options = {.batch = 50, .drop_last = true, .workers = 1, .ahead = 1};
    Loader *loader = make(options);
    assert_int_equal(loader_batches(loader), 2);
    loader_seek(loader, 5, 1);
    for (int b = 1; b < 6; b++) {
        Batch batch;
        loader_next(loader, &batch);
        assert_int_equal(batch.count, 50);
        for (int i = 0; i < 50; i++) {
            assert_int_equal(batch.index[i], 50 * (b % 2) + i);
        }
    }
    loader_destroy(loader);
}

static void a_batch_above_the_data(void **state) {
    (void)state;
    LoaderOptions options = training;
    options.batch = 1000;
    options.workers = 2;
    options.ahead = 7; // many epochs ahead
    Loader *loader = make(options);
    assert_int_equal(loader_batches(loader), 1);
    loader_seek(loader, 0, 0);
    for (uint64_t epoch = 0; epoch < 20; epoch++) {
        uint32_t order[SAMPLES];
        random_permutation(order, SAMPLES, options.seed, RANDOM_ORDER, epoch);
        Batch batch;
        loader_next(loader, &batch);
        assert_int_equal(batch.count, SAMPLES);
        assert_memory_equal(batch.index, order, sizeof order);
    }
    loader_destroy(loader);
}

// Three epochs of hashes, by no worker; then the same by others, read from many places.
static void any_threads_and_seeks(void **state) {
    (void)state;
    enum { BATCHES = 11, ALL = 3 * BATCHES };
    uint64_t expected[ALL];
    Loader *loader = make(training);
    loader_seek(loader, 0, 0);
    for (int b = 0; b < ALL; b++) {
        Batch batch;
        loader_next(loader, &batch);
        expected[b] = hash_batch(&batch);
    }
    loader_destroy(loader);

    const int workers[] = {0, 1, 3, 3, 8};
    const int ahead[] = {1, 1, 2, 5, 30};
    for (int kind = 0; kind < 5; kind++) {
        LoaderOptions options = training;
        options.workers = workers[kind];
        options.ahead = ahead[kind];
        loader = make(options);
        for (uint64_t round = 0; round < 60; round++) {
            uint64_t draw = random_bits(4, RANDOM_TEST, (uint64_t)kind, round);
            int b = (int)(draw % ALL);
            loader_seek(loader, (uint64_t)(b / BATCHES), b % BATCHES);
            for (int steps = (int)(draw >> 32) % 9; steps > 0 && b < ALL; steps--, b++) {
                Batch batch;
                loader_next(loader, &batch);
                assert_true(hash_batch(&batch) == expected[b]);
            }
        }
        loader_destroy(loader);
    }
}

// A batch stays as it is until the next call, while others are being made.
static void a_batch_stays_valid(void **state) {
    (void)state;
    LoaderOptions options = training;
    options.workers = 3;
    options.ahead = 1;
    Loader *loader = make(options);
    loader_seek(loader, 0, 0);
    for (int b = 0; b < 20; b++) {
        Batch batch;
        loader_next(loader, &batch);
        uint64_t hash = hash_batch(&batch);
        usleep(1000);
        assert_true(hash_batch(&batch) == hash);
    }
    loader_destroy(loader);
}

static void nothing_is_allocated_after_create(void **state) {
    (void)state;
    LoaderOptions options = training;
    options.workers = 2;
    Loader *loader = make(options);
    struct mallinfo2 before = mallinfo2();
    for (int round = 0; round < 5; round++) {
        loader_seek(loader, (uint64_t)round, 3);
        for (int b = 0; b < 30; b++) {
            Batch batch;
            loader_next(loader, &batch);
        }
    }
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(after.uordblks, before.uordblks);
    loader_destroy(loader);
}

static void a_loader_that_was_never_read(void **state) {
    (void)state;
    LoaderOptions options = training;
    options.workers = 3;
    loader_destroy(make(options));
    Loader *loader = make(options);
    loader_seek(loader, 1, 10);
    loader_seek(loader, 2, 0);
    loader_destroy(loader);
    loader_destroy(NULL);
}

static void wrong_options(void **state) {
    (void)state;
    Loader *loader;
    LoaderOptions options = training;
    options.batch = 0;
    expect_failure(loader_create(&dataset, &preprocess, &options, &loader), STATUS_USAGE,
                   "batch size is 0, expected at least 1");
    options = training;
    options.workers = -1;
    expect_failure(loader_create(&dataset, &preprocess, &options, &loader), STATUS_USAGE,
                   "-1 loader threads asked for, expected 0 to 256");
    options = training;
    options.ahead = 0;
    expect_failure(loader_create(&dataset, &preprocess, &options, &loader), STATUS_USAGE,
                   "0 batches ahead asked for, expected 1 to 1024");
    options = training;
    options.augment.pad = 2000;
    expect_failure(loader_create(&dataset, &preprocess, &options, &loader), STATUS_USAGE,
                   "augmentation pads by 2000 pixels, expected 0 to 1024");
    options = training;
    options.augment.height = 9;
    expect_failure(loader_create(&dataset, &preprocess, &options, &loader), STATUS_USAGE,
                   "cuts of 9x0 asked for from images of 8x8");
    options = training;
    options.drop_last = true;
    options.batch = 104;
    expect_failure(loader_create(&dataset, &preprocess, &options, &loader), STATUS_FAILED,
                   "made up has 103 samples, expected at least 104 for a batch");
    Preprocess grey = preprocess;
    grey.channels = 1;
    expect_failure(loader_create(&dataset, &grey, &training, &loader), STATUS_FAILED,
                   "made up has images of 3x8x8, expected 1x8x8");
    assert_null(loader);
    Dataset empty = dataset;
    empty.count = 0;
    expect_failure(loader_create(&empty, &preprocess, &training, &loader), STATUS_FAILED,
                   "made up has 0 samples, expected at least 1 for a batch");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_are_the_samples),
        cmocka_unit_test(cuts_are_smaller),
        cmocka_unit_test(data_order),
        cmocka_unit_test(a_batch_above_the_data),
        cmocka_unit_test(any_threads_and_seeks),
        cmocka_unit_test(a_batch_stays_valid),
        cmocka_unit_test(nothing_is_allocated_after_create),
        cmocka_unit_test(a_loader_that_was_never_read),
        cmocka_unit_test(wrong_options),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
