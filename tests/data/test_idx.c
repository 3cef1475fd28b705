// SPDX-License-Identifier: Apache-2.0
// MNIST's files made here in the format's own bytes, plain and gzipped: what is read is the formula
// that they were made by, and everything wrong with a file gets its sentence.
#include "data/scratch.h"

#include "data/folder.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(idx_is_read),
        IN_A_FOLDER(two_gzip_members_are_read),
        IN_A_FOLDER(wrong_idx_files),
        IN_A_FOLDER(wrong_gzip_files),
        cmocka_unit_test(published_fashion_mnist),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
