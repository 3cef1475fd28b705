// SPDX-License-Identifier: Apache-2.0
// Zip, legacy and tar files that lie about what is in them, each with the sentence that refuses it.
#include "formats/hostile.h"

#define FLOATS                                                                                     \
    "(U\x07storagectorch\nFloatStorage\nU\x01"                                                     \
    "0NK\x04tQ"
#define PICKLE "}U\x01wctorch._utils\n_rebuild_tensor_v2\n(" FLOATS "K\0K\x04\x85K\x01\x85\x89)tRs."

static const uint8_t DATA[64] = "sixteen bytes, and then some more of them for those who want it";
enum { DATA_BYTES = 16 };

// A record in place of an honest one, or besides; and what the file's end says.
// clang-format off
static const struct {
    const char *name;
    size_t size;
    ZipLie lie;
    const char *part;
} RECORDS[] = {
    {"a/data/0", DATA_BYTES, {0}, ""},
    {"a/data/0", DATA_BYTES - 4, {0}, "record \"a/data/0\" has 12 bytes, its number of elements"},
    {"a/data/0", DATA_BYTES + 4, {0}, "record \"a/data/0\" has 20 bytes, its number of elements"},
    {"a/data/0", 0, {0}, "record \"a/data/0\" has 0 bytes"},
    {"a/data/1", DATA_BYTES, {0}, "its storage \"a/data/0\" is no record of the file"},
    {"b/data/0", DATA_BYTES, {0}, "its storage \"a/data/0\" is no record of the file"},
    {"a/data/0", DATA_BYTES, {.method = 8}, "is compressed or encrypted"},
    {"a/data/0", DATA_BYTES, {.method = 12}, "is compressed or encrypted"},
    {"a/data/0", DATA_BYTES, {.method = 99}, "is compressed or encrypted"},
    {"a/data/0", DATA_BYTES, {.flags = 1}, "is compressed or encrypted"},
    {"a/data/0", DATA_BYTES, {.checksum = 1}, "record \"a/data/0\": its 16 bytes have the CRC-32"},
    {"a/data/0", DATA_BYTES, {.offset = 1}, "record \"a/data/0\": its header at byte "},
    {"a/data/0", DATA_BYTES, {.offset = 1 << 20}, "record \"a/data/0\": its header at byte "},
    {"a/data/0", DATA_BYTES, {.stored = 1 << 20, .size = 1 << 20}, "1048576 bytes stored as 1048576"},
    {"a/data/0", DATA_BYTES, {.stored = DATA_BYTES, .size = 1 << 30}, "1073741824 bytes stored as 16"},
    {"a/data/0", DATA_BYTES, {.stored = 1, .size = DATA_BYTES}, "16 bytes stored as 1 "},
    {"a/data/0", DATA_BYTES, {.stored = 60, .size = 60}, "record \"b\": overlaps record \"a/data/0\""},
    {"a/data/0", DATA_BYTES, {.stored = 0xffffffff, .size = 0xffffffff}, "entry 1 of 3 at byte 287"},
    {"a/data.pkl", DATA_BYTES, {0}, "record \"a/data.pkl\": is there twice"},
    {"b/data.pkl", DATA_BYTES, {0}, "expected one data.pkl"},
    {"data.pkl", DATA_BYTES, {0}, "expected one data.pkl"},
    {"../data/0", DATA_BYTES, {0}, "leads out of its folder"},
    {"..", DATA_BYTES, {0}, "leads out of its folder"},
    {"a/../../data/0", DATA_BYTES, {0}, "leads out of its folder"},
    {"a/data/..", DATA_BYTES, {0}, "leads out of its folder"},
    {"/etc/passwd", DATA_BYTES, {0}, "leads out of its folder"},
    {"..\\data", DATA_BYTES, {0}, "leads out of its folder"},
    {"a\xff/data/0", DATA_BYTES, {0}, "has a name that is not UTF-8"},
    {"a/data/0", DATA_BYTES, {.name_size = 4000}, "record \"a/data/0\""},
    {"a/byteorder", 3, {0}, "record \"a/byteorder\": is \"six\", expected \"little\""},
    {"a/byteorder", 0, {0}, "record \"a/byteorder\": is \"\", expected \"little\""},
};
// clang-format on

static void test_records(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof RECORDS / sizeof RECORDS[0]; i++) {
        ZipMaker zip = {0};
        zip_add(&zip, "a/data.pkl", BYTES_OF(PICKLE));
        zip_add_lie(&zip, RECORDS[i].name, DATA, RECORDS[i].size, RECORDS[i].lie);
        if (strstr(RECORDS[i].name, "data/") == NULL) {
            zip_add(&zip, "a/data/0", DATA, DATA_BYTES);
        }
        zip_add(&zip, "b", DATA, DATA_BYTES);
        Bytes file = zip_finish(&zip);
        bool refused = is_refused(file.bytes, file.size);
        const char *part = RECORDS[i].part;
        // A name that is longer than it is takes the rest of the directory with it.
        bool torn = RECORDS[i].lie.name_size != 0 && refused;
        if (refused != (part[0] != '\0') ||
            (refused && !torn && strstr(status_message(), part) == NULL)) {
            fail_msg("record %zu: expected \"%s\", found \"%s\"", i, part,
                     refused ? status_message() : "no refusal");
        }
        bytes_free(&file);
    }
}

static void test_directories(void **state) {
    (void)state;
    static const uint16_t COUNTS[] = {0, 1, 3, 100, 0xfffe};
    static const char *const PARTS[] = {
        "none of its 0 records is a data.pkl", "its storage \"a/data/0\" is no record of the file",
        "zip directory: its number of entries, 3, cannot be true",
        "zip directory: its number of entries, ", "zip directory: its number of entries, "};
    for (int i = 0; i < 5; i++) {
        ZipMaker zip = {0};
        zip_add(&zip, "a/data.pkl", BYTES_OF(PICKLE));
        zip_add(&zip, "a/data/0", DATA, DATA_BYTES);
        Bytes file = zip_finish_lie(&zip, COUNTS[i]);
        assert_refused(&file, PARTS[i]);
        bytes_free(&file);
    }
    // Two records that are one.
    ZipMaker zip = {0};
    zip_add(&zip, "a/data.pkl", BYTES_OF(PICKLE));
    size_t begin = zip.file.size;
    zip_add(&zip, "a/data/0", DATA, DATA_BYTES);
    zip_add_lie(&zip, "a/data/1", DATA, DATA_BYTES, (ZipLie){.offset = (uint32_t)begin});
    Bytes file = zip_finish(&zip);
    assert_refused(&file,
                   "record \"a/data/1\": its header at byte 130 cannot be read or is not what");
    bytes_free(&file);
    // No folder at all is as good as any.
    zip_add(&zip, "data.pkl", BYTES_OF(PICKLE));
    zip_add(&zip, "data/0", DATA, DATA_BYTES);
    file = zip_finish(&zip);
    assert_refused(&file, "");
    bytes_free(&file);
    // The pickle itself compressed: what it would unpack to is never looked at.
    zip_add_lie(&zip, "a/data.pkl", BYTES_OF(PICKLE), (ZipLie){.method = 8, .size = 1 << 30});
    file = zip_finish(&zip);
    assert_refused(&file, "record \"a/data.pkl\": is compressed or encrypted");
    bytes_free(&file);
}

// clang-format off
#define KEYS "]U\x01" "0a."
#define COUNT "\x04\0\0\0\0\0\0\0"
#define OTHER_CLASS "(U\x07storagecmine\nFloatStorage\nU\x01" "0NK\x04tQ."
#define BIG_SYSTEM "\x80\x02}U\x0dlittle_endian\x89s."

// Whole legacy files: everything behind the magic number.
static const struct {
    const char *bytes;
    size_t size;
    const char *part;
} LEGACY[] = {
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE KEYS COUNT "0123456789abcdef"), ""},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE KEYS COUNT "0123456789abcdef and more"), ""},
    {BYTES_OF("\x80\x02M\xe8\x03."), "byte 15: protocol 1000, expected 1001"},
    {BYTES_OF("\x80\x02N."), "byte 15: protocol 0, expected 1001"},
    {BYTES_OF(LEGACY_PROTOCOL BIG_SYSTEM), "byte 21: the system that wrote the file"},
    {BYTES_OF(LEGACY_PROTOCOL "}."), "byte 21: the system that wrote the file"},
    {BYTES_OF(LEGACY_PROTOCOL "K\x01."), "byte 21: the system that wrote the file"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE "}."), "keys are a dictionary, expected a list"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE "]K\0a."), "a storage's key is an integer"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE "]."), "is not among those behind the pickles"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE "]U\x01" "1a."), "storage \"1\" is none that a"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE "](U\x01" "0U\x01" "0e." COUNT "0123456789abcdef"),
     "storage \"0\" is there twice"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE KEYS), "begins here, but 0 bytes are left"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE KEYS "\x04\0\0"), "but 3 bytes are left"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE KEYS COUNT), "has 16 bytes, but 0 are left"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE KEYS COUNT "0123456789abcde"),
     "has 16 bytes, but 15 are left"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE KEYS "\x03\0\0\0\0\0\0\0" "0123456789abcdef"),
     "storage \"0\" has 3 elements, its tensors expect 4"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM PICKLE KEYS "\xff\xff\xff\xff\xff\xff\xff\xff"),
     "storage \"0\" has -1 elements, its tensors expect 4"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM OTHER_CLASS), "its class is \"FloatStorage\", expected"},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM
              "(" FLOATS "(U\x07storagectorch\nHalfStorage\nU\x01" "0NK\x04tQt."),
     "storage \"0\": has 4 elements of "},
    {BYTES_OF(LEGACY_PROTOCOL LEGACY_SYSTEM
              "(" FLOATS "(U\x07storagectorch\nFloatStorage\nU\x01" "0NK\x05tQt."),
     "storage \"0\": has "},
};
// clang-format on

static void test_legacy(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof LEGACY / sizeof LEGACY[0]; i++) {
        Bytes file = {0};
        bytes_add(&file, BYTES_OF(LEGACY_MAGIC));
        bytes_add(&file, LEGACY[i].bytes, LEGACY[i].size);
        assert_refused(&file, LEGACY[i].part);
        bytes_free(&file);
    }
}

// clang-format off
#define AXES "\x01\0\0\0" "\0\0\0\0" "\x04\0\0\0\0\0\0\0" "\x01\0\0\0\0\0\0\0" "\0\0\0\0\0\0\0\0"
#define TAR_STORAGE "(K\x07U\x03" "cpuctorch\nFloatStorage\nt." COUNT "0123456789abcdef"
#define TAR_TENSOR "(K\x08K\x07Nt." AXES

static const struct {
    const char *storages;
    size_t storages_size;
    const char *tensors;
    size_t tensors_size;
    const char *pickle;
    size_t pickle_size;
    const char *part;
} TARS[] = {
    {BYTES_OF("K\x01." TAR_STORAGE "]."), BYTES_OF("K\x01." TAR_TENSOR), BYTES_OF("U\1" "8Q."), ""},
    {BYTES_OF("K\x01." TAR_STORAGE "]."), BYTES_OF("K\x01." TAR_TENSOR), BYTES_OF("K\x08Q."), ""},
    {BYTES_OF("K\x01." TAR_STORAGE "](K\x09K\x07K\x01K\x02ta."),
     BYTES_OF("K\x01.(K\x08K\x09Nt.\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0"), BYTES_OF("K\x08Q."), ""},
    {BYTES_OF("K\x01." TAR_STORAGE "](K\x09K\x07K\x03K\x02ta."), BYTES_OF("K\0."), BYTES_OF("N."),
     "a view of elements 3 … + 2 of storage 7, which has 4"},
    {BYTES_OF("K\x01." TAR_STORAGE "](K\x09K\x08K\x03K\x02ta."), BYTES_OF("K\0."), BYTES_OF("N."),
     "a view of storage 8, which is not there"},
    {BYTES_OF("K\x01." TAR_STORAGE "](K\x07K\x07K\0K\x02ta."), BYTES_OF("K\0."), BYTES_OF("N."),
     "key 7 is there twice"},
    {BYTES_OF("K\x01." TAR_STORAGE "]N" "NNNNNNNNNNNN000000000000a."), BYTES_OF("K\0."),
     BYTES_OF("N."), "a view that is no (key, key, offset, count)"},
    {BYTES_OF("K\x01." TAR_STORAGE "](NNNNe."), BYTES_OF("K\0."), BYTES_OF("N."), "4 views in a"},
    {BYTES_OF("K\x02." TAR_STORAGE TAR_STORAGE "]."), BYTES_OF("K\0."), BYTES_OF("N."),
     "storages: key 7 is there twice"},
    {BYTES_OF("K\x02." TAR_STORAGE "]."), BYTES_OF("K\0."), BYTES_OF("N."), "storages at byte "},
    {BYTES_OF("J\xff\xff\xff\xff."), BYTES_OF("K\0."), BYTES_OF("N."), "-1 entries, expected"},
    {BYTES_OF("J\xff\xff\xff\x7f."), BYTES_OF("K\0."), BYTES_OF("N."), "2147483647 entries, expected"},
    {BYTES_OF("N."), BYTES_OF("K\0."), BYTES_OF("N."), "0 entries, expected 0 to 0"},
    {BYTES_OF("K\x01.(K\x07NNt." COUNT), BYTES_OF("K\0."), BYTES_OF("N."), "no (key, location, cl"},
    {BYTES_OF("K\x01.(K\x07U\x03" "cpuctorch\nFloatStorage\nt.\x05\0\0\0\0\0\0\0"),
     BYTES_OF("K\0."), BYTES_OF("N."), "5 elements of 4 bytes, but 0 are left"},
    {BYTES_OF("K\x01.(K\x07U\x03" "cpuctorch\nFloatStorage\nt.\xff\xff\xff\xff\xff\xff\xff\x7f"),
     BYTES_OF("K\0."), BYTES_OF("N."), "9223372036854775807 elements of 4 bytes"},
    {BYTES_OF("K\x01.(K\x07U\x03" "cpuctorch\nFloatStorage\nt.\x05\0"), BYTES_OF("K\0."),
     BYTES_OF("N."), "8 bytes expected, 2 are left"},
    {BYTES_OF("K\x01." TAR_STORAGE "]."), BYTES_OF("K\x01.(K\x08K\x06Nt." AXES), BYTES_OF("N."),
     "no (key, storage's key, class) of a tensor"},
    {BYTES_OF("K\x01." TAR_STORAGE "]."), BYTES_OF("K\x02." TAR_TENSOR TAR_TENSOR), BYTES_OF("N."),
     "tensors: key 8 is there twice"},
    {BYTES_OF("K\x01." TAR_STORAGE "]."), BYTES_OF("K\x01.(K\x08K\x07Nt.\x09\0\0\0\0\0\0\0"),
     BYTES_OF("N."), "a tensor of 9 axes"},
    {BYTES_OF("K\x01." TAR_STORAGE "]."), BYTES_OF("K\x01.(K\x08K\x07Nt.\xff\xff\xff\xff\0\0\0\0"),
     BYTES_OF("N."), "a tensor of -1 axes"},
    {BYTES_OF("K\x01." TAR_STORAGE "]."),
     BYTES_OF("K\x01.(K\x08K\x07Nt.\0\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"),
     BYTES_OF("K\x08Q."), "offset -1, expected none below 0"},
    {BYTES_OF("K\x01." TAR_STORAGE "]."),
     BYTES_OF("K\x01.(K\x08K\x07Nt.\0\0\0\0\0\0\0\0\x04\0\0\0\0\0\0\0"), BYTES_OF("K\x08Q."),
     "reaches to element 5 of a storage of 4"},
    {BYTES_OF("K\x01." TAR_STORAGE "]."), BYTES_OF("K\x01." TAR_TENSOR), BYTES_OF("K\x09Q."),
     "tensor \"\": key 9 is not among the tensors"},
    {BYTES_OF("K\x01." TAR_STORAGE "]."), BYTES_OF("K\x01." TAR_TENSOR),
     BYTES_OF("ctorch._utils\n_rebuild_tensor\n(" FLOATS "K\0))tR."), "expected a tensor by its key"},
};
// clang-format on

static Bytes make_tar(size_t i) {
    Bytes file = {0};
    tar_add(&file, "storages", TARS[i].storages, TARS[i].storages_size);
    tar_add(&file, "tensors", TARS[i].tensors, TARS[i].tensors_size);
    tar_add(&file, "pickle", TARS[i].pickle, TARS[i].pickle_size);
    return file;
}

static void test_tars(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof TARS / sizeof TARS[0]; i++) {
        Bytes file = make_tar(i);
        assert_refused(&file, TARS[i].part);
        bytes_free(&file);
    }
    Bytes file = make_tar(0);
    file.bytes[130] = 'x';
    assert_refused(&file, "byte 0: a tar header whose checksum is wrong");
    bytes_free(&file);
    tar_add(&file, "storages", BYTES_OF("K\0.]."));
    assert_refused(&file, "the tar file has no member \"tensors\"");
    bytes_free(&file);
}

// What is no tensor file at all, and what it is instead.
static void test_others(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *part;
    } OTHERS[] = {
        {BYTES_OF(""), "has 0 bytes that begin and end at byte 0"},
        {BYTES_OF("P"), "has 1 bytes that begin 50 at byte 0 (nothing known)"},
        {BYTES_OF("version https://git-lfs.github.com/spec/v1\n"), "a pointer of Git LFS"},
        {BYTES_OF("<!DOCTYPE html>"), "a page of the web"},
        {BYTES_OF("{\"a\": 1}"), "JSON text"},
        {BYTES_OF("\x1f\x8b\x08\0\0\0\0\0\0"), "compressed by gzip"},
        {BYTES_OF("\xfd"
                  "7zXZ\0\0"),
         "compressed by xz"},
        {BYTES_OF("BZh91AY"), "compressed by bzip2"},
        {BYTES_OF("\x28\xb5\x2f\xfd\0\0"), "compressed by zstd"},
        {BYTES_OF("\x89HDF\r\n\x1a\n"), "HDF5"},
        {BYTES_OF("GGUF\3\0\0\0"), "GGUF"},
        {BYTES_OF("\x93NUMPY\1\0"), "an array of NumPy"},
        {BYTES_OF("\x80\x02}q\0."),
         "byte 0: the pickle is a dictionary, expected the magic number"},
        {BYTES_OF("\x80\x04K\x01."), "byte 0: the pickle is an integer, expected the magic number"},
        {BYTES_OF("PK\3\4"), "zip directory: none found at the end of 4 bytes"},
        {BYTES_OF("PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"), "begin 50 4b 05 06"},
        {BYTES_OF("\x10\0\0\0\0\0\0\0{}"), "header length at byte 0 is 16, but 2 bytes follow"},
    };
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        Bytes file = {0};
        bytes_add(&file, OTHERS[i].bytes, OTHERS[i].size);
        assert_refused(&file, OTHERS[i].part);
        bytes_free(&file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records), cmocka_unit_test(test_directories),
        cmocka_unit_test(test_legacy),  cmocka_unit_test(test_tars),
        cmocka_unit_test(test_others),
    };
    return cmocka_run_group_tests_name("formats.torch_damaged", tests, NULL, NULL);
}
