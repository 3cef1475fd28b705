// SPDX-License-Identifier: Apache-2.0
// Data sets made here in the formats' own bytes: what is read is the formula that they were made
// by, and everything wrong with a file gets its sentence.
#include "data/scratch.h"

#include <math.h>

#include "base/arena.h"
#include "data/dataset.h"
#include "data/tables.h"

static char folder[SCRATCH_PATH];

static int set_up(void **state) {
    (void)state;
    scratch_create(folder);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(folder);
    return 0;
}

static Status open_kind(const char *kind, Split split, Dataset **out) {
    char spec[2 * SCRATCH_PATH];
    snprintf(spec, sizeof spec, "%s:%s", kind, folder);
    return dataset_open(spec, split, out);
}

static void write_and_free(const char *name, Bytes bytes) {
    scratch_write(folder, name, bytes.bytes, bytes.size);
    bytes_free(&bytes);
}

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

static void check_idx(const Dataset *dataset, uint32_t count) {
    assert_int_equal(dataset->count, count);
    assert_int_equal(dataset->channels, 1);
    assert_int_equal(dataset->height, 32);
    assert_int_equal(dataset->width, 32);
    const uint8_t *pixel = dataset->pixels;
    for (int n = 0; n < (int)count; n++) {
        assert_int_equal(dataset->labels[n], n % 10);
        for (int y = -2; y < 30; y++) {
            for (int x = -2; x < 30; x++) {
                bool inside = y >= 0 && y < 28 && x >= 0 && x < 28;
                assert_int_equal(*pixel++, inside ? table_pixel(n, 0, y, x) : 0);
            }
        }
    }
}

static void idx_is_read(void **state) {
    (void)state;
    write_and_free("t10k-images-idx3-ubyte", idx_images(12));
    write_and_free("t10k-labels-idx1-ubyte", idx_labels(12));
    Bytes images = idx_images(2000), labels = idx_labels(2000); // beyond the first piece's room
    write_and_free("train-images-idx3-ubyte.gz", gzip_bytes(&images));
    write_and_free("train-labels-idx1-ubyte.gz", gzip_bytes(&labels));
    bytes_free(&images);
    bytes_free(&labels);
    Dataset *dataset;
    assert_int_equal(open_kind("mnist", SPLIT_TEST, &dataset), STATUS_OK);
    check_idx(dataset, 12);
    assert_string_equal(dataset->class_names[7], "7");
    dataset_close(dataset);
    assert_int_equal(open_kind("fashion-mnist", SPLIT_TRAIN, &dataset), STATUS_OK);
    check_idx(dataset, 2000);
    assert_string_equal(dataset->name, "fashion-mnist");
    assert_string_equal(dataset->class_names[0], "T-shirt/top");
    assert_string_equal(dataset->class_names[9], "Ankle boot");
    dataset_close(dataset);
}

// gzip allows several members one after the other.
static void two_gzip_members_are_read(void **state) {
    (void)state;
    Bytes images = idx_images(3), labels = idx_labels(3);
    Bytes front = {.bytes = images.bytes, .size = 1000};
    Bytes back = {.bytes = images.bytes + 1000, .size = images.size - 1000};
    Bytes packed = gzip_bytes(&front), rest = gzip_bytes(&back);
    bytes_append(&packed, rest.bytes, rest.size);
    write_and_free("t10k-images-idx3-ubyte.gz", packed);
    write_and_free("t10k-labels-idx1-ubyte", labels);
    bytes_free(&rest);
    bytes_free(&images);
    Dataset *dataset;
    assert_int_equal(open_kind("mnist", SPLIT_TEST, &dataset), STATUS_OK);
    check_idx(dataset, 3);
    dataset_close(dataset);
}

// ---- what is wrong with a SPEC or a CIFAR file
// ---------------------------------------------------

#define KINDS "cifar10, cifar100, mnist or fashion-mnist"

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
    expect_failure(dataset_open("mnist:", SPLIT_TRAIN, &dataset), STATUS_USAGE,
                   "data 'mnist:' has no folder after ':', expected KIND:DIR with KIND " KINDS);
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

// ---- what is wrong with an IDX file
// --------------------------------------------------------------

#define IMAGES "t10k-images-idx3-ubyte"
#define LABELS "t10k-labels-idx1-ubyte"

static Status open_idx(Bytes images, Bytes labels) {
    write_and_free(IMAGES, images);
    write_and_free(LABELS, labels);
    Dataset *dataset;
    Status status = open_kind("mnist", SPLIT_TEST, &dataset);
    assert_null(dataset);
    return status;
}

static Bytes with_word(Bytes idx, size_t offset, uint32_t word) {
    Bytes bytes = {0};
    append_word(&bytes, word);
    memcpy(idx.bytes + offset, bytes.bytes, 4);
    bytes_free(&bytes);
    return idx;
}

// Cut off, or followed by zeros.
static Bytes with_size(Bytes idx, size_t size) {
    Bytes sized = {.bytes = calloc(size + 1, 1), .size = size};
    assert_non_null(sized.bytes);
    memcpy(sized.bytes, idx.bytes, size < idx.size ? size : idx.size);
    bytes_free(&idx);
    return sized;
}

static void wrong_idx_files(void **state) {
    (void)state;
    expect_failure(open_idx(with_size(idx_images(3), 15), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": has 15 bytes, expected a header of 16", folder);
    expect_failure(open_idx(with_size(idx_images(3), 0), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": has 0 bytes, expected a header of 16", folder);
    expect_failure(open_idx(idx_images(3), idx_images(3)), STATUS_FAILED,
                   "%s/" LABELS ": begins with 0x00000803, expected 0x00000801 (bytes in 1 "
                   "dimension)",
                   folder);
    expect_failure(open_idx(with_word(idx_images(3), 0, 0xd03), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": begins with 0x00000d03, expected 0x00000803 (bytes in 3 "
                   "dimensions)",
                   folder);
    expect_failure(open_idx(with_word(idx_images(3), 4, 0xffffffff), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": byte 4 announces 4294967295 images of 28x28, expected 1 to "
                   "10000000",
                   folder);
    expect_failure(open_idx(with_word(idx_images(3), 4, 0), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": byte 4 announces 0 images of 28x28, expected 1 to 10000000",
                   folder);
    expect_failure(open_idx(with_word(idx_images(3), 12, 32), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": byte 8 announces images of 28x32, expected 28x28", folder);
    // A header's word alone gets no memory: this one would be 7.8 GB.
    expect_failure(open_idx(with_word(idx_images(3), 4, 10000000), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": has 2368 bytes, expected 7840000016 (its header announces "
                   "10000000 images of 28x28)",
                   folder);
    expect_failure(open_idx(with_size(idx_images(3), 2367), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": has 2367 bytes, expected 2368 (its header announces 3 images of "
                   "28x28)",
                   folder);
    expect_failure(open_idx(with_size(idx_images(3), 2369), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES
                   ": has more than the 2368 bytes that its header announces (3 images "
                   "of 28x28)",
                   folder);
    expect_failure(open_idx(idx_images(3), with_size(idx_labels(3), 12)), STATUS_FAILED,
                   "%s/" LABELS ": has more than the 11 bytes that its header announces (3 labels)",
                   folder);
    expect_failure(open_idx(idx_images(3), idx_labels(4)), STATUS_FAILED,
                   "%s/" LABELS ": has 4 labels, expected 3 (%s/" IMAGES " has that many images)",
                   folder, folder);
    Bytes labels = idx_labels(3);
    labels.bytes[9] = 10;
    expect_failure(open_idx(idx_images(3), labels), STATUS_FAILED,
                   "%s/" LABELS ": item 1 (byte 9) has label 10, expected 0 to 9", folder);
}

static Bytes gzipped(Bytes plain) {
    Bytes packed = gzip_bytes(&plain);
    bytes_free(&plain);
    return packed;
}

static void wrong_gzip_files(void **state) {
    (void)state;
    Bytes labels = gzipped(idx_labels(3));
    int size = (int)labels.size;
    bytes_append(&labels, "junk", 4);
    expect_failure(open_idx(idx_images(3), labels), STATUS_FAILED,
                   "%s/" LABELS ": 4 bytes follow the gzip data that ends at byte %d", folder,
                   size);

    Bytes images = gzipped(idx_images(3));
    size = (int)images.size;
    for (int cut = 2; cut < size; cut += 1 + size / 9) {
        Status status = open_idx(with_size(gzipped(idx_images(3)), (size_t)cut), idx_labels(3));
        expect_failure(status, STATUS_FAILED, "%s/" IMAGES ": gzip data is cut off after %d bytes",
                       folder, cut);
    }
    images.bytes[size - 6] ^= 1; // in the checksum, which comes before the length
    expect_failure(open_idx(images, idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": gzip data is damaged near byte %d (incorrect data check)",
                   folder, size - 4);
    images = gzipped(idx_images(3));
    images.bytes[2] = 7;
    expect_failure(open_idx(images, idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": gzip data is damaged near byte 4 (unknown compression method)",
                   folder);
    expect_failure(open_idx(gzipped(with_size(idx_images(3), 2000)), idx_labels(3)), STATUS_FAILED,
                   "%s/" IMAGES ": has 2000 bytes expanded, expected 2368 (its header announces 3 "
                   "images of 28x28)",
                   folder);
    expect_failure(
        open_idx(gzipped(with_size(idx_images(3), 1 << 20)), idx_labels(3)), STATUS_FAILED,
        "%s/" IMAGES ": has more than the 2368 bytes that its header announces (3 images "
        "of 28x28)",
        folder);
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

static void published_fashion_mnist(void **state) {
    (void)state;
    const char *spec = "fashion-mnist:/usr/share/datasets/fashion-mnist"; // Debian's package
    if (access(strchr(spec, '/'), R_OK) != 0) {
        skip();
    }
    const uint32_t counts[] = {60000, 10000};
    for (int split = SPLIT_TRAIN; split <= SPLIT_TEST; split++) {
        Dataset *dataset;
        assert_int_equal(dataset_open(spec, (Split)split, &dataset), STATUS_OK);
        assert_int_equal(dataset->count, counts[split]);
        uint32_t classes[10] = {0};
        for (uint32_t i = 0; i < dataset->count; i++) {
            classes[dataset->labels[i]]++;
        }
        for (int c = 0; c < 10; c++) {
            assert_int_equal(classes[c], counts[split] / 10);
        }
        dataset_close(dataset);
    }
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(cifar10_is_read),
        IN_A_FOLDER(cifar100_is_read),
        IN_A_FOLDER(idx_is_read),
        IN_A_FOLDER(two_gzip_members_are_read),
        IN_A_FOLDER(wrong_specs),
        IN_A_FOLDER(missing_files),
        IN_A_FOLDER(wrong_cifar_files),
        IN_A_FOLDER(wrong_class_names),
        IN_A_FOLDER(wrong_idx_files),
        IN_A_FOLDER(wrong_gzip_files),
        IN_A_FOLDER(samples_are_selected),
        IN_A_FOLDER(statistics_are_exact),
        cmocka_unit_test(published_cifar10),
        cmocka_unit_test(published_fashion_mnist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
