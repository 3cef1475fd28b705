// SPDX-License-Identifier: Apache-2.0
// Data sets of photographs: folders and lists, and the loader that decodes them with many threads.
#include "data/folder.h"
#include "data/pictures.h"

#include "data/loader.h"

enum { SIDE = 24, VALUES = SIDE * SIDE * 3 };

static const Preprocess preprocess = {.channels = 3,
                                      .height = SIDE,
                                      .width = SIDE,
                                      .resize = 28,
                                      .mean = {0.5F, 0.4F, 0.3F},
                                      .deviation = {0.2F, 0.3F, 0.4F}};

static void make_folder(const char *name) {
    char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0777), 0);
}

static void put(const char *name, int width, int height) {
    write_and_free(name, picture_jpeg(width, height, JCS_YCbCr, false));
}

static void make_folders(void) {
    make_folder("val");
    make_folder("val/b cat");
    make_folder("val/Zebra");
    make_folder("val/ant");
    put("val/ant/2.JPG", 40, 30);
    put("val/ant/10.jpeg", 30, 41);
    put("val/Zebra/x.png", 32, 32); // what is inside decides
    put("val/b cat/y.webp", 64, 24);
    put("val/b cat/.hidden.jpg", 8, 8);
    scratch_write(folder, "val/b cat/notes.txt", "no", 2);
    scratch_write(folder, "val/README.jpg", "no folder", 9);
}

static void folders(void **state) {
    (void)state;
    make_folders();
    Dataset *dataset;
    assert_int_equal(open_kind("folder", SPLIT_TEST, &dataset), STATUS_OK);
    assert_string_equal(dataset->name, "folder");
    assert_int_equal(dataset->classes, 3);
    assert_int_equal(dataset->count, 4);
    assert_null(dataset->pixels);
    assert_int_equal(dataset->channels + dataset->height + dataset->width, 0);
    static const char *const classes[] = {"Zebra", "ant", "b cat"};
    static const char *const paths[] = {"Zebra/x.png", "ant/10.jpeg", "ant/2.JPG", "b cat/y.webp"};
    static const int labels[] = {0, 1, 1, 2};
    for (int i = 0; i < 3; i++) {
        assert_string_equal(dataset->class_names[i], classes[i]);
    }
    for (int i = 0; i < 4; i++) {
        char path[2 * SCRATCH_PATH];
        snprintf(path, sizeof path, "%s/val/%s", folder, paths[i]);
        assert_string_equal(dataset->paths[i], path);
        assert_int_equal(dataset->labels[i], labels[i]);
    }
    dataset_close(dataset);
    expect_failure(open_kind("folder", SPLIT_TRAIN, &dataset), STATUS_FAILED,
                   "%s: has no folder train, expected train and val", folder);
}

static void wrong_folders(void **state) {
    (void)state;
    Dataset *dataset;
    make_folder("train");
    expect_failure(open_kind("folder", SPLIT_TRAIN, &dataset), STATUS_FAILED,
                   "%s/train: has no sub-folders, expected one for each class", folder);
    make_folder("train/a");
    expect_failure(open_kind("folder", SPLIT_TRAIN, &dataset), STATUS_FAILED,
                   "%s/train/a: has no pictures, expected some for its class (.jpg, .jpeg, .png, "
                   ".ppm, .pgm, .bmp or .webp)",
                   folder);
    expect_failure(dataset_open("folder:/there/is/none", SPLIT_TEST, &dataset), STATUS_FAILED,
                   "/there/is/none: there is no such folder");
    if (geteuid() != 0) {
        char path[2 * SCRATCH_PATH];
        snprintf(path, sizeof path, "%s/train/a", folder);
        assert_int_equal(chmod(path, 0), 0);
        expect_failure(open_kind("folder", SPLIT_TRAIN, &dataset), STATUS_FAILED,
                       "%s: cannot be read (Permission denied)", path);
        assert_int_equal(chmod(path, 0700), 0);
    }
}

static Status open_list(const char *text, Dataset **out) {
    scratch_write(folder, "list.txt", text, strlen(text));
    char spec[2 * SCRATCH_PATH];
    snprintf(spec, sizeof spec, "list:%s/list.txt", folder);
    return dataset_open(spec, SPLIT_TEST, out);
}

static void lists(void **state) {
    (void)state;
    Dataset *dataset;
    assert_int_equal(
        open_list("# pictures\n\n a.jpg\t7 cat, tabby\r\n/b/c.png 0\n  \nd/e.jpg 3", &dataset),
        STATUS_OK);
    assert_string_equal(dataset->name, "list");
    assert_int_equal(dataset->classes, 8);
    assert_int_equal(dataset->count, 3);
    assert_null(dataset->class_names);
    char path[2 * SCRATCH_PATH];
    snprintf(path, sizeof path, "%s/a.jpg", folder);
    assert_string_equal(dataset->paths[0], path);
    assert_string_equal(dataset->paths[1], "/b/c.png");
    snprintf(path, sizeof path, "%s/d/e.jpg", folder);
    assert_string_equal(dataset->paths[2], path);
    assert_int_equal(dataset->labels[0], 7);
    assert_int_equal(dataset->labels[1], 0);
    assert_int_equal(dataset->labels[2], 3);
    dataset_close(dataset);

    const char *wrong[][2] = {
        {"a 1\nb\n", "line 2 has label '', expected 0 to 999999"},
        {"a -1\n", "line 1 has label '-1', expected 0 to 999999"},
        {"a 1000000\n", "line 1 has label '1000000', expected 0 to 999999"},
        {"a 99999999999999999999\n",
         "line 1 has label '99999999999999999999', expected 0 to 999999"},
        {"a 1x\n", "line 1 has label '1x', expected 0 to 999999"},
        {"# nothing\n", "names no pictures, expected lines 'path label'"},
        {"", "names no pictures, expected lines 'path label'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_failure(open_list(wrong[i][0], &dataset), STATUS_FAILED, "%s/list.txt: %s", folder,
                       wrong[i][1]);
        assert_null(dataset);
    }
}

// ---- the loader --------------------------------------------------------------------------------

enum { PICTURES = 37, BATCH = 8 };

// Pictures of many sizes; every fifth is damaged or absent.
static Dataset *many_pictures(void) {
    Bytes list = {0};
    for (int i = 0; i < PICTURES; i++) {
        char name[32], line[64];
        snprintf(name, sizeof name, "%d.jpg", i);
        if (i % 10 == 4) {
            scratch_write(folder, name, "GIF8", 4);
        } else if (i % 10 != 9) {
            put(name, 24 + 3 * i, 90 - 2 * i);
        }
        int length = snprintf(line, sizeof line, "%s %d\n", name, i % 7);
        bytes_append(&list, line, (size_t)length);
    }
    bytes_append(&list, "", 1);
    Dataset *dataset;
    assert_int_equal(open_list((const char *)list.bytes, &dataset), STATUS_OK);
    bytes_free(&list);
    return dataset;
}

static void check_batch(const Dataset *dataset, const Batch *batch, Views views) {
    static float expected[10 * VALUES];
    size_t values = (size_t)views_count(views) * VALUES;
    for (int i = 0; i < batch->count; i++) {
        uint32_t n = batch->index[i];
        assert_int_equal(batch->labels[i], dataset->labels[n]);
        memset(expected, 0, sizeof expected);
        if (n % 5 != 4) {
            assert_null(batch->failures[i]);
            assert_int_equal(sample_load(dataset->paths[n], &preprocess, views, false, expected),
                             STATUS_OK);
        } else {
            char sentence[2 * SCRATCH_PATH + 200];
            snprintf(sentence, sizeof sentence, "%s: %s", dataset->paths[n],
                     n % 10 == 4 ? "begins with 47 49 46 38, expected a JPEG, PNG, WebP, BMP, PPM "
                                   "or PGM picture"
                                 : "cannot be opened (No such file or directory)");
            assert_non_null(batch->failures[i]);
            assert_string_equal(batch->failures[i], sentence);
        }
        assert_memory_equal(batch->pixels + (size_t)i * values, expected, values * sizeof(float));
    }
}

static void loaded_by_threads(void **state) {
    (void)state;
    Dataset *dataset = many_pictures();
    const int workers[] = {0, 1, 3, 8};
    for (int kind = 0; kind < 8; kind++) {
        LoaderOptions options = {.batch = BATCH,
                                 .workers = workers[kind % 4],
                                 .ahead = 1 + kind % 3,
                                 .shuffle = kind >= 4,
                                 .views = kind % 2 == 1 ? VIEWS_TEN_CROP : VIEWS_CENTER};
        Loader *loader;
        assert_int_equal(loader_create(dataset, &preprocess, &options, &loader), STATUS_OK);
        assert_int_equal(loader_batches(loader), 5);
        for (int round = 0; round < 3; round++) {
            loader_seek(loader, (uint64_t)round, 2 * round);
            for (int b = 2 * round; b < 5; b++) {
                Batch batch;
                loader_next(loader, &batch);
                assert_int_equal(batch.count, b < 4 ? BATCH : PICTURES - 4 * BATCH);
                check_batch(dataset, &batch, options.views);
            }
        }
        loader_destroy(loader);
    }
    dataset_close(dataset);
}

static void wrong_loaders(void **state) {
    (void)state;
    Dataset *dataset = many_pictures();
    Loader *loader;
    LoaderOptions options = {.batch = 1, .ahead = 1, .augment = {.flip = true}};
    expect_failure(loader_create(dataset, &preprocess, &options, &loader), STATUS_USAGE,
                   "photographs are read as they are, without augmentation");
    options.augment.flip = false;
    Preprocess two = preprocess;
    two.channels = 2;
    expect_failure(loader_create(dataset, &two, &options, &loader), STATUS_FAILED,
                   "photographs have 1 or 3 channels, but 2 are expected of them");
    dataset_close(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(folders),           IN_A_FOLDER(wrong_folders), IN_A_FOLDER(lists),
        IN_A_FOLDER(loaded_by_threads), IN_A_FOLDER(wrong_loaders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
