// SPDX-License-Identifier: Apache-2.0
// Replays damaged safetensors files through the fuzz target: every truncation and every flipped bit
// of a good one, and random splices of its header. Files named as arguments are replayed instead,
// which is how a finding of the fuzzer is looked at.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/random.h"
#include "fuzz/fuzz_safetensors.c"
#include "fuzz/replay.h"

static const char HEADER[] =
    "{\"__metadata__\":{\"format\":\"pt\",\"note\":\"caf\\u00e9 \\\"x\\\"\"},"
    "\"conv1.weight\":{\"dtype\":\"F32\",\"shape\":[2,1,3],\"data_offsets\":[0,24]},"
    "\"half\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[24,30]},"
    "\"none\":{\"dtype\":\"F64\",\"shape\":[0,4],\"data_offsets\":[30,30]},"
    "\"brain\":{\"dtype\":\"BF16\",\"shape\":[1,1],\"data_offsets\":[30,32]},"
    "\"count\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[32,40]}}  ";
enum { HEADER_BYTES = sizeof HEADER - 1, BUFFER_BYTES = 40 };
enum { FILE_BYTES = 8 + HEADER_BYTES + BUFFER_BYTES };

static void make_good(unsigned char bytes[FILE_BYTES]) {
    uint64_t length = HEADER_BYTES;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, HEADER, HEADER_BYTES);
    for (int i = 0; i < BUFFER_BYTES; i++) {
        bytes[8 + HEADER_BYTES + i] = (unsigned char)(i * 37);
    }
}

// In a block of exactly its size. Returns whether the file was taken.
static bool replay(const unsigned char *bytes, size_t size) {
    unsigned char *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    assert_int_equal(LLVMFuzzerTestOneInput(copy, size), 0);
    Safetensors *file;
    bool taken = safetensors_parse(copy, size, "replay", &file) == STATUS_OK;
    safetensors_close(file);
    free(copy);
    return taken;
}

static void test_truncations(void **state) {
    (void)state;
    unsigned char bytes[FILE_BYTES + 1] = {0};
    make_good(bytes);
    assert_true(replay(bytes, FILE_BYTES));
    for (size_t size = 0; size < FILE_BYTES; size++) {
        assert_false(replay(bytes, size));
    }
    assert_false(replay(bytes, FILE_BYTES + 1));
}

// A flipped bit of the buffer is another value; one of the length is always noticed; one of the
// header may be (a letter of a name is not).
static void test_flipped_bits(void **state) {
    (void)state;
    unsigned char bytes[FILE_BYTES];
    make_good(bytes);
    int refused = 0;
    for (size_t bit = 0; bit < FILE_BYTES * 8; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        bool taken = replay(bytes, FILE_BYTES);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (bit / 8 < 8) {
            assert_false(taken);
        } else if (bit / 8 >= 8 + HEADER_BYTES) {
            assert_true(taken);
        }
        refused += !taken;
    }
    assert_true(refused > HEADER_BYTES * 8 / 2);
}

// Pieces of the header copied over others, and bytes that JSON gives a meaning.
static void test_splices(void **state) {
    (void)state;
    enum { ROUNDS = 20000 };
    static const char MEANING[] = "{}[]\",:\\0123456789-+.eE nulltruefalse\t\n\0\x7f\x80\xc3\xff";
    for (uint64_t round = 0; round < ROUNDS; round++) {
        unsigned char bytes[FILE_BYTES];
        make_good(bytes);
        uint32_t edits = 1 + random_below(4, 1, RANDOM_TEST, round, 0);
        for (uint64_t edit = 0; edit < edits; edit++) {
            uint64_t draw = 1 + 8 * edit;
            uint32_t to = random_below(HEADER_BYTES, 1, RANDOM_TEST, round, draw);
            if (random_below(2, 1, RANDOM_TEST, round, draw + 1) == 0) {
                uint32_t from = random_below(HEADER_BYTES, 1, RANDOM_TEST, round, draw + 2);
                uint32_t most = HEADER_BYTES - (from > to ? from : to);
                uint32_t size =
                    1 + random_below(most < 60 ? most : 60, 1, RANDOM_TEST, round, draw + 3);
                memmove(bytes + 8 + to, bytes + 8 + from, size);
            } else {
                bytes[8 + to] = (unsigned char)
                    MEANING[random_below(sizeof MEANING - 1, 1, RANDOM_TEST, round, draw + 4)];
            }
        }
        replay(bytes, FILE_BYTES);
    }
}

int main(int count, char **arguments) {
    if (count > 1) {
        return replay_files(count - 1, arguments + 1);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_splices),
    };
    return cmocka_run_group_tests_name("fuzz.replay_formats", tests, NULL, NULL);
}
