// SPDX-License-Identifier: Apache-2.0
// A table of hostile pickles, each put into both forms of PyTorch's files, with the sentence that
// refuses it.
#include "formats/hostile.h"

#define TEXT(length, text) "U" length text
#define STORAGE(class, numel)                                                                      \
    "(" TEXT("\x07", "storage") "ctorch\n" class "\n" TEXT("\x01", "0") TEXT("\x03", "cpu") numel  \
        "tQ"
#define FLOATS STORAGE("FloatStorage", "K\x10")
#define CALL "ctorch._utils\n_rebuild_tensor_v2\n("
#define REST "\x89)tR"
// The dictionary {"w": tensor}.
#define NAMED(tensor) "}" TEXT("\x01", "w") tensor "s."
#define TENSOR(offset, size, stride) NAMED(CALL FLOATS offset size stride REST)
#define TWO_TO_40                                                                                  \
    "\x8a\x06"                                                                                     \
    "\0\0\0\0\0\x01"

// clang-format off
static const struct {
    const char *pickle;
    size_t size;
    const char *part; // of the sentence; "" when it must be read
} PICKLES[] = {
    // Honest, so that the others are refused for what is wrong with them.
    {BYTES_OF(TENSOR("K\0", "K\x04K\x04\x86", "K\x04K\x01\x86")), ""},
    {BYTES_OF(TENSOR("K\0", "K\x04K\x04\x86", "K\x01K\x04\x86")), ""},
    {BYTES_OF(TENSOR("K\x0f", ")", ")")), ""},
    {BYTES_OF(TENSOR("K\0", "ctorch\nSize\nK\x10\x85\x85R", "K\x01\x85")), ""},
    {BYTES_OF(NAMED("(" TEXT("\x01", "a") "ctorch\nFloatStorage\nt")), ""},
    // The stack.
    {BYTES_OF("."), "the stack is empty, expected a value"},
    {BYTES_OF("}}."), "STOP with 1 values left on the stack"},
    {BYTES_OF("(."), "found a mark on the stack"},
    {BYTES_OF("0."), "the stack is empty"},
    {BYTES_OF("1."), "there is no mark on the stack"},
    {BYTES_OF("2."), "the stack is empty"},
    {BYTES_OF("t."), "there is no mark on the stack"},
    {BYTES_OF("l."), "there is no mark on the stack"},
    {BYTES_OF("d."), "there is no mark on the stack"},
    {BYTES_OF("\x91."), "there is no mark on the stack"},
    {BYTES_OF("(N}d."), ""},
    {BYTES_OF("(Nd."), "a dictionary of 1 values, expected pairs"},
    {BYTES_OF("\x85."), "the stack has 0 values, expected 1"},
    {BYTES_OF("N\x86."), "the stack has 1 values, expected 2"},
    {BYTES_OF("NN\x87."), "the stack has 2 values, expected 3"},
    {BYTES_OF("N(N\x86."), "found a mark on the stack"},
    {BYTES_OF("(0N."), ""},
    {BYTES_OF("b."), "the stack is empty"},
    {BYTES_OF("Nb."), "the stack is empty"},
    {BYTES_OF("R."), "the stack is empty"},
    {BYTES_OF(")R."), "the stack is empty"},
    {BYTES_OF("Q."), "the stack is empty"},
    {BYTES_OF("\x93."), "the stack is empty"},
    {BYTES_OF("o."), "there is no mark on the stack"},
    {BYTES_OF("(o."), "OBJ with nothing above the mark"},
    {BYTES_OF("\x92."), "the stack is empty"},
    {BYTES_OF("iposix\nsystem\n."), "there is no mark on the stack"},
    // What a container is.
    {BYTES_OF("a."), "the stack has 0 values, expected 1"},
    {BYTES_OF("Na."), "APPEND with nothing below"},
    {BYTES_OF(")Na."), "APPEND on a tuple, expected a list"},
    {BYTES_OF("}Na."), "APPEND on a dictionary, expected a list"},
    {BYTES_OF("K\x01Na."), "APPEND on an integer, expected a list"},
    {BYTES_OF("(Na."), "APPEND on a mark"},
    {BYTES_OF("e."), "there is no mark on the stack"},
    {BYTES_OF("(Ne."), "APPENDS with nothing below"},
    {BYTES_OF(")(Ne."), "APPENDS on a tuple, expected a list"},
    {BYTES_OF("((Ne."), "APPENDS on a mark"},
    {BYTES_OF("NNs."), "SETITEM with nothing below"},
    {BYTES_OF(")NNs."), "SETITEM on a tuple, expected a dictionary"},
    {BYTES_OF("]NNs."), "SETITEM on a list, expected a dictionary"},
    {BYTES_OF("NNNs."), "SETITEM on None, expected a dictionary"},
    {BYTES_OF("(NNs."), "SETITEM on a mark"},
    {BYTES_OF("u."), "there is no mark on the stack"},
    {BYTES_OF("}(Nu."), "SETITEMS of 1 values, expected pairs"},
    {BYTES_OF("(NNu."), "SETITEMS with nothing below"},
    {BYTES_OF(")(NNu."), "SETITEMS on a tuple, expected a dictionary"},
    {BYTES_OF("((NNu."), "SETITEMS on a mark"},
    {BYTES_OF(TEXT("\x01", "a") "(NNu."), "SETITEMS on a text, expected a dictionary"},
    {BYTES_OF("cposix\nsystem\n(NNu."), "SETITEMS on a class, expected a dictionary"},
    {BYTES_OF("\x90."), "there is no mark on the stack"},
    {BYTES_OF("](N\x90."), "ADDITEMS on a list, expected a set"},
    {BYTES_OF("(N\x90."), "ADDITEMS with nothing below"},
    {BYTES_OF("\x8f(NN\x90."), ""},
    // Calls.
    {BYTES_OF("N)R."), "REDUCE calls None, expected a class or function"},
    {BYTES_OF("])R."), "REDUCE calls a list"},
    {BYTES_OF("cposix\nsystem\n]R."), "REDUCE with a list as arguments, expected a tuple"},
    {BYTES_OF("cposix\nsystem\nNR."), "REDUCE with None as arguments"},
    {BYTES_OF("N)\x81."), "NEWOBJ calls None"},
    {BYTES_OF("cposix\nsystem\nN\x81."), "NEWOBJ with None as arguments"},
    {BYTES_OF("cposix\nsystem\nN}\x92."), "NEWOBJ_EX with None as arguments"},
    {BYTES_OF("(NNo."), "OBJ calls None"},
    {BYTES_OF("cposix\nsystem\nU\x02id\x85R."), "a whole object \"posix.system\""},
    {BYTES_OF("U\x05posixU\x06system\x93U\x02id\x85R."), "a whole object \"posix.system\""},
    {BYTES_OF("(U\x02idiposix\nsystem\n."), "a whole object \"posix.system\""},
    {BYTES_OF("(cposix\nsystem\nU\x02ido."), "a whole object \"posix.system\""},
    {BYTES_OF("cbuiltins\neval\n\x8c\x01x\x85R."), "a whole object \"builtins.eval\""},
    {BYTES_OF("cbuiltins\nexec\n\x8c\x01x\x85\x81}b."), "a whole object \"builtins.exec\""},
    {BYTES_OF("NK\x01\x93."), "a class named by None and an integer"},
    {BYTES_OF("}}b."), "BUILD on a dictionary, expected an object"},
    {BYTES_OF(")}b."), "BUILD on a tuple, expected an object"},
    {BYTES_OF("cposix\nsystem\n}b."), "BUILD on a class, expected an object"},
    // Arguments of opcodes.
    {BYTES_OF("\x80\x01}."), "protocol 1, expected 2 to 5"},
    {BYTES_OF("\x80\x06}."), "protocol 6, expected 2 to 5"},
    {BYTES_OF("\xff."), "opcode 0xff, expected one"},
    {BYTES_OF("\x82\x01."), "opcode 0x82"},
    {BYTES_OF("\x97."), "opcode 0x97"},
    {BYTES_OF("\x98."), "opcode 0x98"},
    {BYTES_OF("z."), "opcode 0x7a"},
    {BYTES_OF("\0."), "opcode 0x00"},
    {BYTES_OF("\x8b\xff\xff\xff\xff."), "its argument has 4294967295 bytes"},
    {BYTES_OF("\x8b\xff\xff\xff\x7f."), "its argument has 2147483647 bytes"},
    {BYTES_OF("\x8a\xff."), "its argument has 255 bytes"},
    {BYTES_OF("X\xff\xff\xff\xff."), "its argument has 4294967295 bytes"},
    {BYTES_OF("T\xff\xff\xff\xff."), "its argument has 4294967295 bytes"},
    {BYTES_OF("B\xff\xff\xff\xff."), "its argument has 4294967295 bytes"},
    {BYTES_OF("\x8d\xff\xff\xff\xff\xff\xff\xff\xff."), "its argument has 18446744073709551615 by"},
    {BYTES_OF("\x8e\0\0\0\0\0\0\0\x80."), "its argument has 9223372036854775808 bytes"},
    {BYTES_OF("\x96\0\0\0\0\0\0\0\x80."), "its argument has 9223372036854775808 bytes"},
    {BYTES_OF("\x95\xff\xff\xff\xff\xff\xff\xff\xff."), "a frame of 18446744073709551615 bytes"},
    {BYTES_OF("I12x\n."), "a line that is no number"},
    {BYTES_OF("I\n."), "a line that is no number"},
    {BYTES_OF("L123456789012345678901234567890L\n."), "a line that is no number"},
    {BYTES_OF("Fx\n."), "a line that is no number"},
    {BYTES_OF("Sx\n."), "a text without quotes"},
    {BYTES_OF("S'\n."), "a text without quotes"},
    {BYTES_OF("S'x\"\n."), "a text without quotes"},
    // The memo.
    {BYTES_OF("h\0."), "memo index 0 has nothing"},
    {BYTES_OF("}q\x01h\0."), "memo index 0 has nothing"},
    {BYTES_OF("j\xff\xff\xff\xff."), "memo index 4294967295 has nothing"},
    {BYTES_OF("}r\xff\xff\xff\xff."), "memo index 4294967295, at most 6 expected here"},
    {BYTES_OF("}r\0\0\0\x10."), "memo index 268435456, at most 6 expected here"},
    {BYTES_OF("q\0."), "the stack is empty"},
    {BYTES_OF("(q\0."), "found a mark on the stack"},
    {BYTES_OF("\x94."), "the stack is empty"},
    {BYTES_OF("}p-1\n."), "a memo index that is no number"},
    {BYTES_OF("}px\n."), "a memo index that is no number"},
    {BYTES_OF("}p99999999999999999999\n."), "a memo index that is no number"},
    {BYTES_OF("g0\n."), "memo index 0 has nothing"},
    // Objects that hold themselves.
    {BYTES_OF("}q\0U\x01" "ah\0s."), ""},
    {BYTES_OF("]q\0h\0a."), ""},
    {BYTES_OF("}q\0U\x01" "a]q\x01h\0ah\x01" "as."), ""},
    {BYTES_OF("ccollections\nOrderedDict\n)Rq\0U\x01" "ah\0s."), ""},
    {BYTES_OF("cm\nC\n)\x81q\0}U\x01" "ah\0sb."), "a whole object \"m.C\""},
    {BYTES_OF("cm\nC\n)\x81q\0}U\x08_modules}U\x01" "ah\0ssb."), "a whole object \"m.C\""},
    {BYTES_OF("ccollections\nOrderedDict\n](K\x01K\x02K\x03\x87" "e\x85R."), "is no pair"},
    {BYTES_OF("ccollections\nOrderedDict\n]N" "a\x85R."), "is no pair"},
    // Offset, size, stride.
    {BYTES_OF(TENSOR("K\x01", "K\x04K\x04\x86", "K\x04K\x01\x86")),
     "tensor \"w\": reaches to element 17 of a storage of 16"},
    {BYTES_OF(TENSOR("K\x10", ")", ")")), "tensor \"w\": reaches to element 17"},
    {BYTES_OF(TENSOR("K\0", "K\x11\x85", "K\x01\x85")), "reaches to element 17"},
    {BYTES_OF(TENSOR("K\0", "K\x09\x85", "K\x02\x85")), "reaches to element 17"},
    {BYTES_OF(TENSOR("K\0", "K\x02K\x02\x86", "K\x0fK\x01\x86")), "reaches to element 17"},
    {BYTES_OF(TENSOR("J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85")), "its offset is an integer (-1)"},
    {BYTES_OF(TENSOR("N", "K\x01\x85", "K\x01\x85")), "its offset is None"},
    {BYTES_OF(TENSOR("G\0\0\0\0\0\0\0\0", "K\x01\x85", "K\x01\x85")), "its offset is a number"},
    {BYTES_OF(TENSOR("\x8a\x09\0\0\0\0\0\0\0\0\x01", ")", ")")), "its offset is a big integer"},
    {BYTES_OF(TENSOR("K\0", "J\xff\xff\xff\xff\x85", "K\x01\x85")), "its size holds -1"},
    {BYTES_OF(TENSOR("K\0", "K\x01\x85", "J\xff\xff\xff\xff\x85")), "its stride holds -1"},
    {BYTES_OF(TENSOR("K\0", "K\x01\x85", ")")), "it has 1 sizes and 0 strides"},
    {BYTES_OF(TENSOR("K\0", ")", "K\x01\x85")), "it has 0 sizes and 1 strides"},
    {BYTES_OF(TENSOR("K\0", "]", "K\x01\x85")), "its size is a list, expected a tuple"},
    {BYTES_OF(TENSOR("K\0", "N", "K\x01\x85")), "its size is None"},
    {BYTES_OF(TENSOR("K\0", "K\x01\x85", "N")), "its stride is None"},
    {BYTES_OF(TENSOR("K\0", "N\x85", "K\x01\x85")), "its size holds None"},
    {BYTES_OF(TENSOR("K\0", "K\x01\x85", "U\x01" "1\x85")), "its stride holds a text"},
    {BYTES_OF(TENSOR("K\0", "(K\1K\1K\1K\1K\1K\1K\1K\1K\1t", ")")), "its size has 9 axes"},
    {BYTES_OF(TENSOR("K\0", TWO_TO_40 TWO_TO_40 "\x86", "K\0K\0\x86")), "beyond 64 bits"},
    {BYTES_OF(TENSOR("K\0", TWO_TO_40 TWO_TO_40 "K\0\x87", "K\0K\0K\0\x87")), "beyond 64 bits"},
    {BYTES_OF(TENSOR("K\0", TWO_TO_40 "\x85", TWO_TO_40 "\x85")), "beyond 64 bits"},
    {BYTES_OF(TENSOR("\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", "K\x02\x85",
                     "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x85")), "reaches to element"},
    {BYTES_OF(TENSOR("K\0", TWO_TO_40 "\x85", "K\0\x85")), "tensor \"w\": its copy in order has"},
    {BYTES_OF(TENSOR("K\0", "J\0\0\x10\0\x85", "K\0\x85")), "its copy in order has 4194304 bytes"},
    // The storage.
    {BYTES_OF(NAMED(CALL "N" "K\0))" REST)), "its data is None, expected a reference"},
    {BYTES_OF(NAMED(CALL "NQ" "K\0))" REST)), "its data is a storage, expected a reference"},
    {BYTES_OF(NAMED(CALL "U\x01" "0Q" "K\0))" REST)), "expected a reference to a storage"},
    {BYTES_OF(NAMED("ctorch._utils\n_rebuild_tensor_v2\n)R")), "its data is nothing"},
    {BYTES_OF(NAMED(CALL STORAGE("FloatStorage", "N") "K\0))" REST)), "has no number of elements"},
    {BYTES_OF(NAMED(CALL STORAGE("FloatStorage", "J\xff\xff\xff\xff") "K\0))" REST)), ", or -1,"},
    {BYTES_OF(NAMED(CALL STORAGE("DoubleStorage", "\x8a\x08\0\0\0\0\0\0\0\x40") "K\0))" REST)),
     "has no number of elements, or 4611686018427387904"},
    {BYTES_OF(NAMED(CALL "(U\x07storagectorch\nFloatStorage\nK\0NK\x10tQK\0))" REST)),
     "a storage's key is an integer, expected a text"},
    {BYTES_OF(NAMED(CALL "(U\x07storagetQK\0))" REST)), "a storage's key is nothing"},
    {BYTES_OF(NAMED(CALL "(U\x07storagectorch\nFloatStorage\nU\x01" "0NK\x10(U\1vK\x0fK\x02ttQK\0))"
                    REST)), "elements 15 … + 2 of it are asked for, but it has 16"},
    {BYTES_OF(NAMED(CALL "(U\x07storagectorch\nFloatStorage\nU\x01" "0NK\x10(U\1vK\x0fNttQK\0))"
                    REST)), "of it are asked for"},
    {BYTES_OF(NAMED(CALL "(U\x07storagectorch\nFloatStorage\nU\x01" "0NK\x10(U\1vK\x0fK\x01ttQK\x01))"
                    REST)), "reaches to element 2 of a storage of 1"},
    {BYTES_OF(NAMED(CALL "(U\x07storagectorch\nFloatStorage\nU\x01" "0NK\x10(U\1vK\x0fK\x01ttQK\x00))"
                    REST)), ""},
    // Names.
    {BYTES_OF("}(U\x01w" CALL FLOATS "K\0))" REST "U\x01w" CALL FLOATS "K\0))" REST "u."),
     "tensor \"w\": is there twice"},
    {BYTES_OF("}(K\x01" CALL FLOATS "K\0))" REST "U\x01" "1" CALL FLOATS "K\0))" REST "u."),
     "tensor \"1\": is there twice"},
    {BYTES_OF("}U\x01\xff" CALL FLOATS "K\0))" REST "s."), "its name is not UTF-8"},
    {BYTES_OF("}U\x02\xc0\x80" CALL FLOATS "K\0))" REST "s."), "its name is not UTF-8"},
    {BYTES_OF("}U\x03\xed\xa0\x80" CALL FLOATS "K\0))" REST "s."), "its name is not UTF-8"},
    {BYTES_OF("}U\x02w\0" CALL FLOATS "K\0))" REST "s."), "its name is not UTF-8"},
    {BYTES_OF("}U\x02\n\x1b" CALL FLOATS "K\x10))" REST "s."), "tensor \"??\": reaches"},
};
// clang-format on

enum { PICKLE_COUNT = sizeof PICKLES / sizeof PICKLES[0] };

static const uint8_t DATA[64] = {0};

static Bytes in_zip(const char *pickle, size_t size) {
    ZipMaker zip = {0};
    zip_add(&zip, "a/data.pkl", pickle, size);
    zip_add(&zip, "a/data/0", DATA, sizeof DATA);
    return zip_finish(&zip);
}

// As the object of a legacy file. The key's storage is there when the pickle refers to it.
static Bytes in_legacy(const char *pickle, size_t size) {
    Bytes file = {0};
    legacy_begin(&file);
    bytes_add(&file, pickle, size);
    if (memmem(pickle, size, BYTES_OF("K\x10tQ")) != NULL ||
        memmem(pickle, size, BYTES_OF("ttQ")) != NULL) {
        bytes_add(&file, BYTES_OF("]U\x01"
                                  "0a."));
        bytes_number(&file, sizeof DATA / 4, 8);
        bytes_add(&file, DATA, sizeof DATA);
    } else {
        bytes_add(&file, BYTES_OF("]."));
    }
    return file;
}

static void test_in_zip(void **state) {
    (void)state;
    for (int i = 0; i < PICKLE_COUNT; i++) {
        Bytes file = in_zip(PICKLES[i].pickle, PICKLES[i].size);
        assert_refused(&file, PICKLES[i].part);
        bytes_free(&file);
    }
}

// What is a length to one pickle may be the bytes of the next, so the sentence may be another.
static void test_in_legacy(void **state) {
    (void)state;
    int other = 0;
    for (int i = 0; i < PICKLE_COUNT; i++) {
        Bytes file = in_legacy(PICKLES[i].pickle, PICKLES[i].size);
        bool refused = is_refused(file.bytes, file.size);
        if (refused != (PICKLES[i].part[0] != '\0')) {
            fail_msg("pickle %d: expected \"%s\", found \"%s\"", i, PICKLES[i].part,
                     refused ? status_message() : "no refusal");
        }
        other += refused && strstr(status_message(), PICKLES[i].part) == NULL;
        bytes_free(&file);
    }
    assert_in_range(other, 0, 12);
}

// Every beginning of every pickle of the table.
static void test_truncated(void **state) {
    (void)state;
    for (int i = 0; i < PICKLE_COUNT; i++) {
        for (size_t size = 0; size < PICKLES[i].size; size++) {
            Bytes file = in_zip(PICKLES[i].pickle, size);
            bool stopped = size > 0 && memchr(PICKLES[i].pickle, '.', size) != NULL;
            if (!stopped) {
                assert_true(is_refused(file.bytes, file.size));
            } else {
                is_refused(file.bytes, file.size);
            }
            bytes_free(&file);
        }
    }
    print_message("%d hostile pickles were refused\n", hostile_refused);
    assert_true(hostile_refused >= 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_zip),
        cmocka_unit_test(test_in_legacy),
        cmocka_unit_test(test_truncated),
    };
    return cmocka_run_group_tests_name("formats.torch_pickles", tests, NULL, NULL);
}
