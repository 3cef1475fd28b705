// SPDX-License-Identifier: Apache-2.0
// SPECs, CIFAR's files made here in the format's own bytes, and what is done with an open data set:
// what is read is the formula that the files were made by, and everything wrong gets its sentence.
#include "data/scratch.h"

#include <math.h>

#include "data/folder.h"

static void make_folder(const char *name) {
    char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

// Three, one, two, one and one rows, and two for testing.
static void write_cifar10(const char *inner) {
    const int counts[] = {3, 1, 2, 1, 1};
    int first = 0;
    for (int i = 0; i < 5; i++) {
        char name[128];
        snprintf(name, sizeof name, "%s/data_batch_%d.bin", inner, i + 1);
        write_and_free(name, cifar_rows(1, 10, first, counts[i]));
        first += counts[i];
    }
    char name[128];
    snprintf(name, sizeof name, "%s/test_batch.bin", inner);
    write_and_free(name, cifar_rows(1, 10, 50, 2));
}

static void check_cifar(const Dataset *dataset, int classes, int first, uint32_t count) {
    assert_int_equal(dataset->count, count);
    assert_int_equal(dataset->channels, 3);
    assert_int_equal(dataset->height, 32);
    assert_int_equal(dataset->width, 32);
    assert_int_equal(dataset->classes, classes);
    const uint8_t *pixel = dataset->pixels;
    for (int n = 0; n < (int)count; n++) {
        assert_int_equal(dataset->labels[n], (first + n) % classes);
        for (int i = 0; i < 3072; i++) {
            uint8_t expected = table_pixel(first + n, i % 3, i / 96, i / 3 % 32);
            assert_int_equal(*pixel++, expected);
        }
    }
}

static void cifar10_is_read(void **state) {
    (void)state;
    make_folder("cifar-10-batches-bin");
    write_cifar10("cifar-10-batches-bin");
    Dataset *dataset;
    assert_int_equal(open_kind("cifar10", SPLIT_TRAIN, &dataset), STATUS_OK);
    check_cifar(dataset, 10, 0, 8);
    assert_string_equal(dataset->name, "cifar10");
    assert_string_equal(dataset->class_names[0], "airplane");
    assert_string_equal(dataset->class_names[9], "truck");
    dataset_close(dataset);

    const char *names = "a\r\nb b\n\nc\nd\ne\nf\ng\nh\ni\nlast";
    scratch_write(folder, "cifar-10-batches-bin/batches.meta.txt", names, strlen(names));
    assert_int_equal(open_kind("cifar10", SPLIT_TEST, &dataset), STATUS_OK);
    check_cifar(dataset, 10, 50, 2);
    assert_string_equal(dataset->class_names[0], "a");
    assert_string_equal(dataset->class_names[1], "b b");
    assert_string_equal(dataset->class_names[9], "last");
    dataset_close(dataset);
}

static void cifar100_is_read(void **state) {
    (void)state;
    write_and_free("train.bin", cifar_rows(2, 100, 0, 101));
    write_and_free("test.bin", cifar_rows(2, 100, 7, 3));
    Dataset *dataset;
    assert_int_equal(open_kind("cifar100", SPLIT_TRAIN, &dataset), STATUS_OK);
    check_cifar(dataset, 100, 0, 101);
    assert_string_equal(dataset->class_names[0], "apple");
    assert_string_equal(dataset->class_names[99], "worm");
    // The published order is the alphabet's.
    for (int i = 1; i < 100; i++) {
        assert_true(strcmp(dataset->class_names[i - 1], dataset->class_names[i]) < 0);
    }
    dataset_close(dataset);
    assert_int_equal(open_kind("cifar100", SPLIT_TEST, &dataset), STATUS_OK);
    check_cifar(dataset, 100, 7, 3);
    dataset_close(dataset);
}

// ---- what is wrong with a SPEC or a CIFAR file
// ---------------------------------------------------

#define KINDS "cifar10, cifar100, mnist, fashion-mnist, folder or list"

static void wrong_specs(void **state) {
    (void)state;
    Dataset *dataset;
    expect_failure(dataset_open("cifar10", SPLIT_TRAIN, &dataset), STATUS_USAGE,
                   "data 'cifar10' has no ':', expected KIND:DIR with KIND " KINDS);
    assert_null(dataset);
    expect_failure(dataset_open("cifar:x", SPLIT_TRAIN, &dataset), STATUS_USAGE,
                   "data 'cifar:x' is of unknown kind 'cifar', expected " KINDS);
    expect_failure(dataset_open(":x", SPLIT_TRAIN, &dataset), STATUS_USAGE,
                   "data ':x' is of unknown kind '', expected " KINDS);
    expect_failure(
        dataset_open("mnist:", SPLIT_TRAIN, &dataset), STATUS_USAGE,
        "data 'mnist:' has no folder or file after ':', expected KIND:DIR with KIND " KINDS);
    char spec[2 * SCRATCH_PATH];
    snprintf(spec, sizeof spec, "mnist:%s/absent", folder);
    expect_failure(dataset_open(spec, SPLIT_TRAIN, &dataset), STATUS_FAILED,
                   "%s: there is no such folder", spec + strlen("mnist:"));
}

static void missing_files(void **state) {
    (void)state;
    Dataset *dataset;
    expect_failure(open_kind("mnist", SPLIT_TEST, &dataset), STATUS_FAILED,
                   "%s: has no file t10k-images-idx3-ubyte or its .gz, which mnist's test split "
                   "needs",
                   folder);
    make_folder("cifar-10-batches-bin");
    expect_failure(open_kind("cifar10", SPLIT_TRAIN, &dataset), STATUS_FAILED,
                   "%s/cifar-10-batches-bin: has no file data_batch_1.bin, which cifar10's train "
                   "split needs",
                   folder);
    write_cifar10(".");
    char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/data_batch_3.bin", folder);
    assert_int_equal(remove(path), 0);
    expect_failure(open_kind("cifar10", SPLIT_TRAIN, &dataset), STATUS_FAILED,
                   "%s: has no file data_batch_3.bin, which cifar10's train split needs", folder);
}

static void wrong_cifar_files(void **state) {
    (void)state;
    Dataset *dataset;
    const char *name = "test_batch.bin";
    Bytes rows = cifar_rows(1, 10, 0, 3);
    const int sizes[] = {0, 1, 3072, 3 * 3073 - 1, 2 * 3073 + 1};
    for (int i = 0; i < 5; i++) {
        scratch_write(folder, name, rows.bytes, (size_t)sizes[i]);
        expect_failure(open_kind("cifar10", SPLIT_TEST, &dataset), STATUS_FAILED,
                       "%s/%s: has %d bytes, expected a multiple of 3073 (rows of 1 label byte and "
                       "32x32 RGB pixels)",
                       folder, name, sizes[i]);
    }
    rows.bytes[2 * 3073] = 10;
    scratch_write(folder, name, rows.bytes, rows.size);
    expect_failure(open_kind("cifar10", SPLIT_TEST, &dataset), STATUS_FAILED,
                   "%s/%s: row 2 (byte 6146) has label 10, expected 0 to 9", folder, name);
    bytes_free(&rows);

    rows = cifar_rows(2, 100, 0, 2);
    rows.bytes[3074 + 1] = 100;
    write_and_free("test.bin", rows);
    expect_failure(open_kind("cifar100", SPLIT_TEST, &dataset), STATUS_FAILED,
                   "%s/test.bin: row 1 (byte 3075) has label 100, expected 0 to 99", folder);
    write_and_free("test.bin", cifar_rows(1, 10, 0, 1));
    expect_failure(
        open_kind("cifar100", SPLIT_TEST, &dataset), STATUS_FAILED,
        "%s/test.bin: has 3073 bytes, expected a multiple of 3074 (rows of 2 label bytes "
        "and 32x32 RGB pixels)",
        folder);
}

static void wrong_class_names(void **state) {
    (void)state;
    write_cifar10(".");
    Dataset *dataset;
    scratch_write(folder, "batches.meta.txt", "a\nb\n", 4);
    expect_failure(open_kind("cifar10", SPLIT_TEST, &dataset), STATUS_FAILED,
                   "%s/batches.meta.txt: has 2 class names, expected 10", folder);
    scratch_write(folder, "batches.meta.txt", "a\nb\0\n", 5);
    expect_failure(open_kind("cifar10", SPLIT_TEST, &dataset), STATUS_FAILED,
                   "%s/batches.meta.txt: byte 3 is 0x00, expected text", folder);
    scratch_write(folder, "batches.meta.txt", "", 0);
    expect_failure(open_kind("cifar10", SPLIT_TEST, &dataset), STATUS_FAILED,
                   "%s/batches.meta.txt: has 0 class names, expected 10", folder);
}

// ---- on a data set that is open
// ------------------------------------------------------------------

static void samples_are_selected(void **state) {
    (void)state;
    write_cifar10(".");
    Dataset *dataset;
    assert_int_equal(open_kind("cifar10", SPLIT_TRAIN, &dataset), STATUS_OK);
    const uint32_t wrong[] = {0, 8};
    expect_failure(dataset_select(dataset, wrong, 2), STATUS_USAGE,
                   "cifar10: sample 8 was selected, but it has 8");
    const uint32_t chosen[] = {7, 2, 2, 0};
    assert_int_equal(dataset_select(dataset, chosen, 4), STATUS_OK);
    assert_int_equal(dataset->count, 4);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(dataset->labels[i], chosen[i]);
        assert_int_equal(dataset->pixels[3072 * i + 4], table_pixel((int)chosen[i], 1, 0, 1));
    }
    dataset_close(dataset);
}

static void statistics_are_exact(void **state) {
    (void)state;
    write_cifar10(".");
    Dataset *dataset;
    assert_int_equal(open_kind("cifar10", SPLIT_TRAIN, &dataset), STATUS_OK);
    float mean[3], deviation[3];
    dataset_channel_statistics(dataset, mean, deviation);
    for (int c = 0; c < 3; c++) {
        double sum = 0, squares = 0;
        for (int i = 0; i < 8 * 1024; i++) {
            sum += dataset->pixels[3 * i + c];
            squares += dataset->pixels[3 * i + c] * (double)dataset->pixels[3 * i + c];
        }
        double centre = sum / (8 * 1024);
        assert_true(fabs(mean[c] - centre / 255) < 1e-7);
        double expected = sqrt(squares / (8 * 1024) - centre * centre) / 255;
        assert_true(fabs(deviation[c] - expected) < 1e-6);
    }
    float *image = malloc(3072 * sizeof *image);
    assert_non_null(image);
    dataset_pixel_mean(dataset, image);
    for (int i = 0; i < 3072; i++) {
        int sum = 0;
        for (int n = 0; n < 8; n++) {
            sum += dataset->pixels[3072 * n + i];
        }
        assert_true(image[i] == (float)(sum / 8.0 / 255));
    }
    free(image);
    dataset_close(dataset);
}

// ---- the published data, where it is
// -------------------------------------------------------------

static void published_cifar10(void **state) {
    (void)state;
    const char *unpacked = getenv("RESNET_CIFAR10");
    if (unpacked == NULL) {
        skip();
    }
    char spec[2 * SCRATCH_PATH];
    snprintf(spec, sizeof spec, "cifar10:%s", unpacked);
    Dataset *dataset;
    assert_int_equal(dataset_open(spec, SPLIT_TRAIN, &dataset), STATUS_OK);
    assert_int_equal(dataset->count, 50000);
    float mean[3], deviation[3];
    dataset_channel_statistics(dataset, mean, deviation);
    const double means[] = {.4914, .4822, .4465}, deviations[] = {.2470, .2435, .2616};
    for (int c = 0; c < 3; c++) {
        assert_true(fabs(mean[c] - means[c]) < 5e-5);
        assert_true(fabs(deviation[c] - deviations[c]) < 5e-5);
    }
    dataset_close(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(cifar10_is_read),
        IN_A_FOLDER(cifar100_is_read),
        IN_A_FOLDER(wrong_specs),
        IN_A_FOLDER(missing_files),
        IN_A_FOLDER(wrong_cifar_files),
        IN_A_FOLDER(wrong_class_names),
        IN_A_FOLDER(samples_are_selected),
        IN_A_FOLDER(statistics_are_exact),
        cmocka_unit_test(published_cifar10),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
