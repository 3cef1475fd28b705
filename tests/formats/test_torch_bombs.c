// SPDX-License-Identifier: Apache-2.0
// Files that ask for far more memory or time than their size: whatever the reader makes of them, it
// takes at most MEMORY_FACTOR times the file's size and MEMORY_SPARE, and comes to an end.
#include "formats/hostile.h"

enum { MEGABYTE = 1 << 20 };

#define TENSOR                                                                                     \
    "ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x01"                 \
    "0NK\x10tQK\0K\x10\x85K\x01\x85\x89)tR"

// A pickle: `begin`, then `step` until there are `size` bytes, then `end`.
static Bytes repeated(const char *begin, size_t begin_size, const char *step, size_t step_size,
                      const char *end, size_t end_size, size_t size) {
    Bytes pickle = {0};
    bytes_add(&pickle, begin, begin_size);
    while (pickle.size < size) {
        bytes_add(&pickle, step, step_size);
    }
    bytes_add(&pickle, end, end_size);
    return pickle;
}

// Frees the pickle.
static Bytes in_zip(Bytes *pickle) {
    static const uint8_t data[64] = {0};
    ZipMaker zip = {0};
    zip_add(&zip, "a/data.pkl", pickle->bytes, pickle->size);
    zip_add(&zip, "a/data/0", data, sizeof data);
    bytes_free(pickle);
    return zip_finish(&zip);
}

static const struct {
    const char *begin;
    size_t begin_size;
    const char *step;
    size_t step_size;
    const char *end;
    size_t end_size;
    const char *part; // of the sentence; "" when it is read
} BOMBS[] = {
    // Many values.
    {BYTES_OF("("), BYTES_OF("}"), BYTES_OF("t."), ""},
    {BYTES_OF("("), BYTES_OF("N"), BYTES_OF("l."), ""},
    {BYTES_OF("("), BYTES_OF("K\x01"), BYTES_OF("t."), ""},
    {BYTES_OF("("), BYTES_OF("\x88"), BYTES_OF("t."), ""},
    {BYTES_OF("("), BYTES_OF("c\n\n"), BYTES_OF("t."), ""},
    {BYTES_OF("("), BYTES_OF("c\n\n)R"), BYTES_OF("t."), "a whole object \".\""},
    {BYTES_OF("("), BYTES_OF("NQ"), BYTES_OF("t."), ""},
    {BYTES_OF("(N"), BYTES_OF("2"), BYTES_OF("t."), ""},
    {BYTES_OF("(]q\0"), BYTES_OF("h\0"), BYTES_OF("t."), ""},
    {BYTES_OF("}"), BYTES_OF("NNs"), BYTES_OF("."), ""},
    {BYTES_OF("]"), BYTES_OF("Na"), BYTES_OF("."), ""},
    {BYTES_OF("N"), BYTES_OF("\x94"), BYTES_OF("."), ""},
    {BYTES_OF("(U\x01x"), BYTES_OF("2"), BYTES_OF("t."), ""},
    {BYTES_OF("(U\x01x"), BYTES_OF("2"), BYTES_OF("l\x85\x85\x85\x85."), ""},
    {BYTES_OF("(I01\n"), BYTES_OF("2"), BYTES_OF("\x91."), ""},
    // Deep ones.
    {BYTES_OF(""), BYTES_OF("("), BYTES_OF("."), "found a mark on the stack"},
    {BYTES_OF("N"), BYTES_OF("\x85"), BYTES_OF("."), "is nested deeper than 100"},
    {BYTES_OF("}"), BYTES_OF("U\x01x2s"), BYTES_OF("."), ""},
    {BYTES_OF("cm\nC\n"), BYTES_OF(")R"), BYTES_OF("."), "a whole object"},
    {BYTES_OF("]"),
     BYTES_OF("q\x01"
              "0]h\x01"
              "a"),
     BYTES_OF("."), "is nested deeper than 100"},
    {BYTES_OF("}"),
     BYTES_OF("q\x01"
              "0}U\x01kh\x01s"),
     BYTES_OF("."), "is nested deeper than 100"},
    // A tensor under very many names.
    {BYTES_OF("]q\0(" TENSOR), BYTES_OF("2"), BYTES_OF("e."), "the names of its values take more"},
    {BYTES_OF("}(K\0" TENSOR "q\x01"), BYTES_OF("K\x01h\x01"), BYTES_OF("u."),
     "the names of its values take more"},
};

static void test_repeated(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof BOMBS / sizeof BOMBS[0]; i++) {
        for (size_t size = 16; size <= MEGABYTE; size *= 16) {
            Bytes pickle = repeated(BOMBS[i].begin, BOMBS[i].begin_size, BOMBS[i].step,
                                    BOMBS[i].step_size, BOMBS[i].end, BOMBS[i].end_size, size);
            Bytes file = in_zip(&pickle);
            bool refused = is_refused(file.bytes, file.size);
            const char *part = BOMBS[i].part;
            if (size == MEGABYTE && (refused != (part[0] != '\0') ||
                                     (refused && strstr(status_message(), part) == NULL))) {
                fail_msg("bomb %zu: expected \"%s\", found \"%s\"", i, part,
                         refused ? status_message() : "no refusal");
            }
            bytes_free(&file);
        }
    }
}

// Lists of two that hold the same list twice, 60 deep: 2^60 paths.
static void test_doubling(void **state) {
    (void)state;
    static const char *const STEPS[] = {"q\x01](h\x01h\x01"
                                        "e",
                                        "q\x01(h\x01h\x01"
                                        "t",
                                        "q\x01}(U\x01"
                                        "ah\x01U\x01"
                                        "bh\x01u",
                                        "q\x01"
                                        "ccollections\nOrderedDict\n)R(U\x01"
                                        "ah\x01U\x01"
                                        "bh\x01u"};
    static const char *const LEAVES[] = {"K\x01", TENSOR, "]"};
    for (int step = 0; step < 4; step++) {
        for (int leaf = 0; leaf < 3; leaf++) {
            Bytes pickle = {0};
            if (leaf == 1) {
                bytes_add(&pickle, BYTES_OF(TENSOR));
            } else {
                bytes_text(&pickle, LEAVES[leaf]);
            }
            for (int i = 0; i < 60; i++) {
                bytes_text(&pickle, STEPS[step]);
            }
            bytes_text(&pickle, ".");
            Bytes file = in_zip(&pickle);
            assert_true(is_refused(file.bytes, file.size));
            bytes_free(&file);
        }
    }
}

// Every list holds every other one: the paths through them are as many as permutations.
static void test_all_in_all(void **state) {
    (void)state;
    enum { LISTS = 40 };
    Bytes pickle = {0};
    for (uint8_t i = 0; i < LISTS; i++) {
        bytes_text(&pickle, "]q");
        bytes_number(&pickle, i, 1);
        bytes_text(&pickle, "0");
    }
    for (uint8_t i = 0; i < LISTS; i++) {
        bytes_text(&pickle, "h");
        bytes_number(&pickle, i, 1);
        bytes_text(&pickle, "(");
        for (uint8_t j = 0; j < LISTS; j++) {
            bytes_text(&pickle, "h");
            bytes_number(&pickle, j, 1);
        }
        bytes_text(&pickle, "e0");
    }
    bytes_add(&pickle, BYTES_OF("h\0."));
    Bytes file = in_zip(&pickle);
    assert_refused(&file, "the objects of the pickle hold each other so often");
    bytes_free(&file);
}

// A module of very many attributes, held by very many: each time all would be searched.
static void test_large_state(void **state) {
    (void)state;
    Bytes pickle = {0};
    bytes_text(&pickle, "(cm\nC\n)R}U\x08_modules}s(");
    for (int i = 0; i < MEGABYTE / 8; i++) {
        bytes_text(&pickle, "NN");
    }
    bytes_add(&pickle, BYTES_OF("ubq\0"));
    for (int i = 0; i < MEGABYTE / 4; i++) {
        bytes_add(&pickle, BYTES_OF("h\0"));
    }
    bytes_text(&pickle, "t.");
    Bytes file = in_zip(&pickle);
    assert_refused(&file, "the objects of the pickle hold each other so often");
    bytes_free(&file);
}

// One long key, as often as a path may hold it.
static void test_long_names(void **state) {
    (void)state;
    Bytes pickle = {0};
    char key[5000];
    memset(key, 'k', sizeof key);
    bytes_text(&pickle, "X");
    bytes_number(&pickle, sizeof key, 4);
    bytes_add(&pickle, key, sizeof key);
    bytes_add(&pickle, BYTES_OF("q\0"
                                "0}h\0K\x01s."));
    Bytes file = in_zip(&pickle);
    assert_refused(&file, "goes on with 5000 bytes, at most 4096 expected");
    bytes_free(&file);
    // 4000 bytes for each of many numbers.
    bytes_text(&pickle, "X");
    bytes_number(&pickle, 4000, 4);
    bytes_add(&pickle, key, 4000);
    bytes_add(&pickle, BYTES_OF("q\0"
                                "0}h\0("));
    for (int i = 0; i < 20000; i++) {
        bytes_add(&pickle, BYTES_OF("K\x01"));
    }
    bytes_text(&pickle, "ts.");
    file = in_zip(&pickle);
    assert_refused(&file, "the names of its values take more than");
    bytes_free(&file);
}

// Views that repeat an element: a few may, all together may not.
static void test_expanded(void **state) {
    (void)state;
    Bytes pickle = {0};
    bytes_text(&pickle, "](");
    for (int i = 0; i < 100; i++) {
        bytes_add(&pickle, BYTES_OF("ctorch._utils\n_rebuild_tensor\n((U\x07storagectorch\n"
                                    "FloatStorage\nU\x01"
                                    "0NK\x10tQK\0M\0\x40\x85K\0\x85tR"));
    }
    bytes_text(&pickle, "e.");
    Bytes file = in_zip(&pickle);
    assert_refused(&file, "its copy in order has 65536 bytes, ");
    bytes_free(&file);
}

// Legacy files and tar files whose tables are large.
static void test_references(void **state) {
    (void)state;
    Bytes file = {0};
    legacy_begin(&file);
    bytes_add(&file, BYTES_OF("((U\x07storagectorch\nFloatStorage\nU\x01"
                              "0NK\x10t"));
    for (int i = 0; i < MEGABYTE / 3; i++) {
        bytes_text(&file, "2Q0");
    }
    bytes_add(&file, BYTES_OF("t.]."));
    assert_refused(&file, "");
    bytes_free(&file);
    Bytes storages = {0};
    bytes_add(&storages, BYTES_OF("K\x01.(K\x07Nctorch\nFloatStorage\nt.\0\0\0\0\0\0\0\0"));
    bytes_add(&storages, BYTES_OF("]((K\x09K\x07K\0K\0t"));
    for (int i = 0; i < MEGABYTE; i++) {
        bytes_text(&storages, "2");
    }
    bytes_add(&storages, BYTES_OF("e."));
    tar_add(&file, "storages", storages.bytes, storages.size);
    tar_add(&file, "tensors", BYTES_OF("K\0."));
    tar_add(&file, "pickle", BYTES_OF("N."));
    assert_refused(&file, "views in a pickle of");
    bytes_free(&file);
    bytes_free(&storages);
}

// Many records of a zip file, none of which is needed.
static void test_records(void **state) {
    (void)state;
    ZipMaker zip = {0};
    zip_add(&zip, "data.pkl", BYTES_OF("}."));
    for (int i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof name, "%x", i);
        zip_add(&zip, name, "", 0);
    }
    Bytes file = zip_finish(&zip);
    assert_refused(&file, "");
    bytes_free(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repeated),   cmocka_unit_test(test_doubling),
        cmocka_unit_test(test_all_in_all), cmocka_unit_test(test_large_state),
        cmocka_unit_test(test_long_names), cmocka_unit_test(test_expanded),
        cmocka_unit_test(test_references), cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests_name("formats.torch_bombs", tests, NULL, NULL);
}
