// SPDX-License-Identifier: Apache-2.0
// Replays damaged pickles through the fuzz target: every truncation, every byte in place of every
// other, and random programs of opcodes. Files named as arguments are replayed instead, which is
// how a finding of the fuzzer is looked at.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/random.h"
#include "fuzz/fuzz_pickle.c"
#include "fuzz/replay.h"

// A little of everything: containers, numbers, texts, calls, memo.
static const char GOOD[] =
    "\x80\x04}q\0(X\x01\0\0\0a]q\x01(K\x01M\x02\x01J\xff\xff\xff\xffG@\t!\xfbTD-\x18NeU\x01"
    "b\x8a\x03\0\0\x01\x8c\x01"
    "c\x88\x85r\x02\0\0\0\x8c\x01"
    "d\x8f(K\x01K\x02\x90\x8c\x01"
    "e\x8c\x01m\x8c\x01"
    "C\x93\x94)\x81}\x8c\x01xh\x02sb\x8c\x01"
    "f(\x8c\x07storageh\0tQ\x8c\x01g(K\x01K\x02l\x8c\x01hcm\nf\nK\x01K\x02\x86R\x8c\x01"
    "iI12\nL-3L\n\x86u.";

// In a block of exactly its size. Returns whether it was taken.
static bool replay(const uint8_t *bytes, size_t size) {
    uint8_t *copy = malloc(size > 0 ? size : 1);
    assert_non_null(copy);
    if (size > 0) {
        memcpy(copy, bytes, size);
    }
    assert_int_equal(LLVMFuzzerTestOneInput(copy, size), 0);
    Pickle *pickle;
    bool taken = pickle_read(copy, size, 0, &pickle) == STATUS_OK;
    pickle_free(pickle);
    free(copy);
    return taken;
}

static void test_truncations(void **state) {
    (void)state;
    assert_true(replay((const uint8_t *)GOOD, sizeof GOOD - 1));
    assert_true(replay((const uint8_t *)GOOD, sizeof GOOD)); // a byte behind is another pickle's
    for (size_t size = 0; size < sizeof GOOD - 1; size++) {
        assert_false(replay((const uint8_t *)GOOD, size));
    }
}

static void test_every_byte(void **state) {
    (void)state;
    uint8_t bytes[sizeof GOOD - 1];
    memcpy(bytes, GOOD, sizeof bytes);
    size_t refused = 0;
    for (size_t at = 0; at < sizeof bytes; at++) {
        for (int byte = 0; byte < 256; byte++) {
            bytes[at] = (uint8_t)byte;
            refused += !replay(bytes, sizeof bytes);
        }
        bytes[at] = (uint8_t)GOOD[at];
    }
    assert_true(refused > sizeof bytes * 256 / 4);
}

static void test_programs(void **state) {
    (void)state;
    enum { ROUNDS = 20000, LENGTH = 40 };
    static const char *const OPCODES[] = {
        "}",    "]",     ")",     "(",      "N",       "K\x01",   "0",     "1",
        "2",    "a",     "e",     "s",      "u",       "t",       "l",     "d",
        "o",    "R",     "b",     "Q",      "cm\nC\n", "im\nC\n", "\x81",  "\x85",
        "\x86", "\x87",  "\x88",  "\x8f",   "\x90",    "\x91",    "\x92",  "\x93",
        "\x94", "h\x01", "q\x01", "U\x01x", "g0\n",    "p1\n",    "S''\n", "\x8c\x01y",
    };
    for (uint64_t round = 0; round < ROUNDS; round++) {
        char program[LENGTH * 8] = "(N";
        uint32_t length = 1 + random_below(LENGTH, 1, RANDOM_TEST, round, 0);
        for (uint64_t i = 0; i < length; i++) {
            strcat(program, OPCODES[random_below(sizeof OPCODES / sizeof OPCODES[0], 1, RANDOM_TEST,
                                                 round, 1 + i)]);
        }
        strcat(program, "l.");
        replay((const uint8_t *)program, strlen(program));
    }
}

int main(int count, char **arguments) {
    if (count > 1) {
        return replay_files(count - 1, arguments + 1);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_truncations),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_programs),
    };
    return cmocka_run_group_tests_name("fuzz.replay_pickle", tests, NULL, NULL);
}
