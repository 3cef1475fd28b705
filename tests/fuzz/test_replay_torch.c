// SPDX-License-Identifier: Apache-2.0
// Replays damaged files of PyTorch through the fuzz target: every truncation and every flipped bit
// of some, and random splices of all. Files named as arguments are replayed instead, which is how a
// finding of the fuzzer is looked at.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/random.h"
#include "fuzz/fuzz_torch.c"
#include "fuzz/replay.h"

#define FOLDER "tests/formats/torch/"

// In a block of exactly its size. Returns whether the file was taken.
static bool replay(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    assert_int_equal(LLVMFuzzerTestOneInput(copy, size), 0);
    TensorFile *file;
    bool taken = tensor_file_parse(copy, size, "replay", &file) == STATUS_OK;
    tensor_file_close(file);
    free(copy);
    return taken;
}

// A copy of a file that can be damaged.
static uint8_t *read_file(const char *path, size_t *size) {
    FileBytes file;
    assert_int_equal(file_map(path, &file), STATUS_OK);
    uint8_t *copy = malloc(file.size);
    assert_non_null(copy);
    memcpy(copy, file.bytes, file.size);
    *size = file.size;
    file_unmap(&file);
    return copy;
}

static void test_truncations(void **state) {
    (void)state;
    static const char *const PATHS[] = {FOLDER "tensor-zip.pth", FOLDER "checkpoint-zip64.pth",
                                        FOLDER "views-legacy4.pth", FOLDER "module-legacy.pth"};
    for (int i = 0; i < 4; i++) {
        size_t whole;
        uint8_t *bytes = read_file(PATHS[i], &whole);
        assert_true(replay(bytes, whole));
        for (size_t size = 0; size < whole; size++) {
            assert_false(replay(bytes, size));
        }
        free(bytes);
    }
    // Behind the last member, a tar file has only zeros.
    size_t whole;
    uint8_t *bytes = read_file(FOLDER "tar-first.pth", &whole);
    size_t needed = whole;
    while (needed > 0 && bytes[needed - 1] == 0) {
        needed--;
    }
    for (size_t size = 0; size < needed; size += 7) {
        assert_false(replay(bytes, size));
    }
    assert_true(replay(bytes, needed));
    free(bytes);
}

// Under a checksum, every flipped bit of a record that is read is noticed.
static void test_flipped_bits(void **state) {
    (void)state;
    static const struct {
        const char *path;
        size_t step;    // in bits
        size_t refused; // of 100, at least
    } FILES[] = {
        {FOLDER "tensor-zip.pth", 1, 20},
        {FOLDER "views-legacy4.pth", 1, 20},
        {FOLDER "tar-first.pth", 11, 1},
    };
    for (int i = 0; i < 3; i++) {
        size_t size, refused = 0;
        uint8_t *bytes = read_file(FILES[i].path, &size);
        for (size_t bit = 0; bit < size * 8; bit += FILES[i].step) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            refused += !replay(bytes, size);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        if (refused * 100 < size * 8 / FILES[i].step * FILES[i].refused) {
            fail_msg("%s: %zu of %zu flipped bits were noticed", FILES[i].path, refused,
                     size * 8 / FILES[i].step);
        }
        free(bytes);
    }
}

// Where a text is, in a file that has it.
static size_t place_of(const uint8_t *bytes, size_t size, const char *text) {
    const uint8_t *found = memmem(bytes, size, text, strlen(text));
    assert_non_null(found);
    return (size_t)(found - bytes);
}

static void test_checksums(void **state) {
    (void)state;
    size_t size;
    uint8_t *bytes = read_file(FOLDER "tensor-zip.pth", &size);
    // The pickle begins 64 bytes into the file, and its STOP is before the next record.
    size_t begin = 64, end = place_of(bytes + begin, size - begin, "PK\7\x08") + begin;
    for (size_t at = begin; at < end; at++) {
        bytes[at] ^= 0x10;
        assert_false(replay(bytes, size));
        bytes[at] ^= 0x10;
    }
    const float two = 2;
    uint8_t pattern[8] = {0, 0, 0x80, 0x3f};
    memcpy(pattern + 4, &two, sizeof two);
    const uint8_t *data = memmem(bytes, size, pattern, sizeof pattern);
    assert_non_null(data);
    bytes[data - bytes] ^= 1;
    assert_false(replay(bytes, size));
    free(bytes);
}

// Pieces copied over others, and bytes that pickles give a meaning. Zip files without checksums, as
// with them hardly any splice would be looked at.
static void test_splices(void **state) {
    (void)state;
    enum { ROUNDS = 2000 };
    static const char *const PATHS[] = {FOLDER "views-unchecked.pth", FOLDER "views-legacy.pth",
                                        FOLDER "checkpoint-legacy.pth", FOLDER "tar-first.pth"};
    static const char MEANING[] = "().0128BCFGIJKLMNQRSTUVX]abcdeghijlopqrstu}\x80\x81\x85\x86\x87"
                                  "\x88\x89\x8a\x8c\x8f\x90\x91\x92\x93\x94\x95\xff\x7f\0\x01";
    for (uint64_t path = 0; path < 4; path++) {
        size_t size;
        uint8_t *good = read_file(PATHS[path], &size);
        // Most of a file is data; the pickles stand before.
        uint32_t reach = size < 3000 ? (uint32_t)size : 3000;
        uint8_t *bytes = malloc(size);
        assert_non_null(bytes);
        for (uint64_t round = 0; round < ROUNDS; round++) {
            memcpy(bytes, good, size);
            uint32_t edits = 1 + random_below(4, path, RANDOM_TEST, round, 0);
            for (uint64_t edit = 0; edit < edits; edit++) {
                uint64_t draw = 1 + 8 * edit;
                uint32_t to = random_below(reach, path, RANDOM_TEST, round, draw);
                if (random_below(2, path, RANDOM_TEST, round, draw + 1) == 0) {
                    uint32_t from = random_below(reach, path, RANDOM_TEST, round, draw + 2);
                    uint32_t most = reach - (from > to ? from : to);
                    uint32_t count =
                        1 + random_below(most < 60 ? most : 60, path, RANDOM_TEST, round, draw + 3);
                    memmove(bytes + to, bytes + from, count);
                } else {
                    bytes[to] = (uint8_t)MEANING[random_below(sizeof MEANING - 1, path, RANDOM_TEST,
                                                              round, draw + 4)];
                }
            }
            replay(bytes, size);
        }
        free(bytes);
        free(good);
    }
}

int main(int count, char **arguments) {
    if (count > 1) {
        return replay_files(count - 1, arguments + 1);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_checksums),
        cmocka_unit_test(test_splices),
    };
    return cmocka_run_group_tests_name("fuzz.replay_torch", tests, NULL, NULL);
}
