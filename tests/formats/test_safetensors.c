// SPDX-License-Identifier: Apache-2.0
// Round trips, the writer's bytes, and the widening of every floating dtype.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "formats/folder.h"
#include "formats/safetensors.h"

static const float WEIGHT[] = {1.0f, -2.5f, 0.0f, 3.25f, -0.0f, 1e-40f};
static const uint8_t MASK[] = {1, 0, 1};
static const int64_t STEP[] = {-7};

static const Tensor TENSORS[] = {
    {"layer1.0.conv1.weight", DTYPE_F32, 2, {2, 3}, 6, WEIGHT, 24},
    {"empty", DTYPE_F16, 3, {4, 0, 5}, 0, NULL, 0},
    {"masque \xc3\xa9 \"\\\n", DTYPE_BOOL, 1, {3}, 3, MASK, 3},
    {"num_batches_tracked", DTYPE_I64, 0, {0}, 1, STEP, 8},
};
static const MetaEntry METADATA[] = {
    {"format", "pt"}, {"empty", ""}, {"classes", "[\"caf\xc3\xa9\",\n \"\\\"]"}};
enum { TENSORS_COUNT = 4, METADATA_COUNT = 3 };

static void test_round_trip(void **state) {
    const char *path = folder_path(*state, "round.safetensors");
    assert_int_equal(safetensors_write(path, TENSORS, TENSORS_COUNT, METADATA, METADATA_COUNT),
                     STATUS_OK);
    Safetensors *file;
    assert_int_equal(safetensors_open(path, &file), STATUS_OK);
    assert_int_equal(safetensors_count(file), TENSORS_COUNT);
    for (int i = 0; i < TENSORS_COUNT; i++) {
        const Tensor *found = safetensors_find(file, TENSORS[i].name);
        assert_non_null(found);
        assert_ptr_equal(found, safetensors_tensor(file, i));
        assert_string_equal(found->name, TENSORS[i].name);
        assert_int_equal(found->dtype, TENSORS[i].dtype);
        assert_int_equal(found->rank, TENSORS[i].rank);
        assert_memory_equal(found->dims, TENSORS[i].dims, sizeof found->dims);
        assert_int_equal(found->elements, TENSORS[i].elements);
        assert_int_equal(found->bytes, TENSORS[i].bytes);
        if (found->bytes > 0) {
            assert_memory_equal(found->data, TENSORS[i].data, found->bytes);
        }
    }
    assert_null(safetensors_find(file, "layer1.0.conv1"));
    assert_null(safetensors_find(file, ""));
    assert_int_equal(safetensors_metadata_count(file), METADATA_COUNT);
    for (int i = 0; i < METADATA_COUNT; i++) {
        assert_string_equal(safetensors_metadata(file, METADATA[i].key), METADATA[i].value);
    }
    assert_null(safetensors_metadata(file, "missing"));
    assert_string_equal(safetensors_metadata_at(file, 0).key, "classes");
    assert_string_equal(safetensors_metadata_at(file, 2).key, "format");
    safetensors_close(file);
}

static void test_nothing(void **state) {
    const char *path = folder_path(*state, "nothing.safetensors");
    assert_int_equal(safetensors_write(path, NULL, 0, NULL, 0), STATUS_OK);
    Safetensors *file;
    assert_int_equal(safetensors_open(path, &file), STATUS_OK);
    assert_int_equal(safetensors_count(file), 0);
    assert_null(safetensors_find(file, "a"));
    assert_null(safetensors_metadata(file, "a"));
    safetensors_close(file);
    safetensors_close(NULL);
}

// Every byte of a file, spelled out; the reader takes back what another writer may do otherwise.
static void test_bytes(void **state) {
    static const char HEADER[] =
        "{\"__metadata__\":{\"k\":\"v\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2],"
        "\"data_offsets\":[0,8]},\"m\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[8,9]}}";
    static const float VALUES[] = {1.0f, -2.0f};
    static const uint8_t BYTE[] = {7};
    const Tensor tensors[] = {{"w", DTYPE_F32, 1, {2}, 2, VALUES, 8},
                              {"m", DTYPE_U8, 0, {0}, 1, BYTE, 1}};
    const MetaEntry metadata = {"k", "v"};
    const char *path = folder_path(*state, "bytes.safetensors");
    for (int repeat = 0; repeat < 2; repeat++) {
        assert_int_equal(safetensors_write(path, tensors, 2, &metadata, 1), STATUS_OK);
        FileBytes map;
        assert_int_equal(file_map(path, &map), STATUS_OK);
        assert_int_equal(map.size, 192 + 9);
        static const uint8_t LENGTH[8] = {184};
        static const uint8_t DATA[] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 7};
        assert_memory_equal(map.bytes, LENGTH, 8);
        assert_memory_equal(map.bytes + 8, HEADER, sizeof HEADER - 1);
        for (size_t i = 8 + sizeof HEADER - 1; i < 192; i++) {
            assert_int_equal(map.bytes[i], ' ');
        }
        assert_memory_equal(map.bytes + 192, DATA, sizeof DATA);
        file_unmap(&map);
    }
    assert_false(file_exists(folder_path(*state, "bytes.safetensors.partial")));
}

static void test_foreign_layout(void **state) {
    (void)state;
    // Spaces, members and entries in another order, escapes, an empty tensor between two.
    static const char HEADER[] =
        "{ \"b\" :\t{\"data_offsets\" : [ 1 , 3 ], \"shape\":[1,1], \"dtype\" : \"BF16\" },\r\n"
        "\"\\u0061\\u00e9\\ud83d\\ude00\":{\"shape\":[],\"dtype\":\"U8\",\"data_offsets\":[0,1]},"
        "\"none\":{\"shape\":[0,9223372036854775807],\"dtype\":\"F64\",\"data_offsets\":[1,1]},"
        "\"__metadata__\":{} } \n";
    unsigned char bytes[8 + sizeof HEADER - 1 + 3] = {sizeof HEADER - 1, (sizeof HEADER - 1) >> 8};
    memcpy(bytes + 8, HEADER, sizeof HEADER - 1);
    Safetensors *file;
    assert_int_equal(safetensors_parse(bytes, sizeof bytes, "memory", &file), STATUS_OK);
    assert_int_equal(safetensors_count(file), 3);
    assert_string_equal(safetensors_tensor(file, 0)->name, "a\xc3\xa9\xf0\x9f\x98\x80");
    assert_string_equal(safetensors_tensor(file, 1)->name, "none");
    assert_int_equal(safetensors_tensor(file, 1)->elements, 0);
    assert_string_equal(safetensors_tensor(file, 2)->name, "b");
    assert_ptr_equal(safetensors_tensor(file, 2)->data, bytes + sizeof bytes - 2);
    safetensors_close(file);
}

static void test_many_tensors(void **state) {
    enum { COUNT = 2000 };
    Tensor *tensors = calloc(COUNT, sizeof *tensors);
    char(*names)[16] = calloc(COUNT, sizeof *names);
    float *values = calloc(COUNT, sizeof *values);
    assert_true(tensors != NULL && names != NULL && values != NULL);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "%x", i * 7919 % COUNT);
        values[i] = (float)i;
        tensors[i] = (Tensor){names[i], DTYPE_F32, 1, {1}, 1, &values[i], sizeof(float)};
    }
    const char *path = folder_path(*state, "many.safetensors");
    assert_int_equal(safetensors_write(path, tensors, COUNT, NULL, 0), STATUS_OK);
    Safetensors *file;
    assert_int_equal(safetensors_open(path, &file), STATUS_OK);
    for (int i = 0; i < COUNT; i++) {
        float value;
        assert_int_equal(tensor_to_float(safetensors_find(file, names[i]), &value), STATUS_OK);
        assert_true(value == values[i]);
    }
    safetensors_close(file);
    free(values);
    free(names);
    free(tensors);
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

// All halves, by the definition in arithmetic: mantissa x 2^exponent.
static void test_half(void **state) {
    (void)state;
    for (uint32_t i = 0; i < 65536; i++) {
        uint16_t half = (uint16_t)i;
        unsigned char bytes[3];
        memcpy(bytes + 1, &half, sizeof half); // not aligned, as in a file
        const Tensor tensor = {"h", DTYPE_F16, 0, {0}, 1, bytes + 1, 2};
        float value;
        assert_int_equal(tensor_to_float(&tensor, &value), STATUS_OK);
        int exponent = (int)(i >> 10 & 31), mantissa = (int)(i & 1023);
        assert_int_equal(signbit(value) != 0, i >> 15);
        if (exponent == 31) {
            assert_true(mantissa == 0 ? isinf(value) : isnan(value));
        } else if (exponent == 0) {
            assert_true(fabsf(value) == ldexpf((float)mantissa, -24));
        } else {
            assert_true(fabsf(value) == ldexpf((float)(mantissa + 1024), exponent - 25));
        }
    }
}

static void test_other_floats(void **state) {
    (void)state;
    static const uint16_t BRAIN[] = {0x3f80, 0xc020, 0x0001, 0x7f80, 0x8000};
    static const uint32_t BRAIN_BITS[] = {0x3f800000, 0xc0200000, 0x00010000, 0x7f800000,
                                          0x80000000};
    static const double DOUBLE[] = {1.0, 0.1, -1e300, 1e-60, 16777217.0};
    static const uint32_t DOUBLE_BITS[] = {0x3f800000, 0x3dcccccd, 0xff800000, 0, 0x4b800000};
    float out[6];
    const Tensor brain = {"b", DTYPE_BF16, 1, {5}, 5, BRAIN, sizeof BRAIN};
    assert_int_equal(tensor_to_float(&brain, out), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(bits_of(out[i]), BRAIN_BITS[i]);
    }
    const Tensor wide = {"d", DTYPE_F64, 1, {5}, 5, DOUBLE, sizeof DOUBLE};
    assert_int_equal(tensor_to_float(&wide, out), STATUS_OK);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(bits_of(out[i]), DOUBLE_BITS[i]);
    }
    assert_int_equal(tensor_to_float(&TENSORS[0], out), STATUS_OK);
    assert_memory_equal(out, WEIGHT, sizeof WEIGHT);
    assert_int_equal(tensor_to_float(&TENSORS[3], out), STATUS_FAILED);
    assert_string_equal(status_message(),
                        "tensor \"num_batches_tracked\": dtype is I64, expected a "
                        "floating one (F32, F64, F16, BF16)");
}

static void test_dtypes(void **state) {
    (void)state;
    static const char *const NAMES[] = {"BOOL", "U8",  "I8",  "U16", "I16", "F16", "BF16",
                                        "U32",  "I32", "F32", "U64", "I64", "F64"};
    static const size_t BYTES[] = {1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 8, 8, 8};
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        assert_string_equal(dtype_name((Dtype)dtype), NAMES[dtype]);
        assert_int_equal(dtype_bytes((Dtype)dtype), BYTES[dtype]);
    }
}

static void expect_write_refusal(const char *path, const Tensor *tensors, int count,
                                 const MetaEntry *metadata, int metadata_count,
                                 const char *sentence) {
    char expected[512];
    snprintf(expected, sizeof expected, "%s: cannot be written (%s)", path, sentence);
    assert_int_equal(safetensors_write(path, tensors, count, metadata, metadata_count),
                     STATUS_FAILED);
    assert_string_equal(status_message(), expected);
}

static void test_write_refusals(void **state) {
    const Tensor twice[] = {{"a", DTYPE_F32, 1, {0}, 0, NULL, 0},
                            {"a", DTYPE_U8, 1, {0}, 0, NULL, 0}};
    const Tensor bytes = {"\xff", DTYPE_F32, 1, {0}, 0, NULL, 0};
    const Tensor reserved = {"__metadata__", DTYPE_F32, 1, {0}, 0, NULL, 0};
    const MetaEntry keys[] = {{"k", "1"}, {"k", "2"}}, key = {"\xff", ""}, value = {"k", "\xff"};
    const char *path = folder_path(*state, "refused.safetensors");
    expect_write_refusal(path, twice, 2, NULL, 0, "tensor \"a\" is there twice");
    expect_write_refusal(path, &bytes, 1, NULL, 0, "a tensor's name is not UTF-8");
    expect_write_refusal(path, &reserved, 1, NULL, 0, "no tensor may be called __metadata__");
    expect_write_refusal(path, NULL, 0, keys, 2, "metadata \"k\" is there twice");
    expect_write_refusal(path, NULL, 0, &key, 1, "a metadata key is not UTF-8");
    expect_write_refusal(path, NULL, 0, &value, 1, "a metadata value is not UTF-8");
    assert_false(file_exists(path));
    expect_write_refusal(folder_path(*state, "missing/x.safetensors"), TENSORS, 1, NULL, 0,
                         "No such file or directory");
}

// A disk that is full while saving leaves the earlier file whole.
static void test_full_disk(void **state) {
    if (access("/dev/full", W_OK) != 0) {
        skip();
    }
    const char *path = folder_path(*state, "kept.safetensors");
    assert_int_equal(safetensors_write(path, TENSORS, 1, NULL, 0), STATUS_OK);
    const char *partial = folder_path(*state, "kept.safetensors.partial");
    assert_int_equal(symlink("/dev/full", partial), 0);
    path = folder_path(*state, "kept.safetensors");
    expect_write_refusal(path, TENSORS, TENSORS_COUNT, NULL, 0, "No space left on device");
    Safetensors *file;
    assert_int_equal(safetensors_open(path, &file), STATUS_OK);
    assert_int_equal(safetensors_count(file), 1);
    safetensors_close(file);
}

static void test_open_refusals(void **state) {
    Safetensors *file;
    char expected[512];
    const char *path = folder_path(*state, "missing.safetensors");
    assert_int_equal(safetensors_open(path, &file), STATUS_FAILED);
    assert_null(file);
    snprintf(expected, sizeof expected, "%s: cannot be opened (No such file or directory)", path);
    assert_string_equal(status_message(), expected);

    path = folder_path(*state, "cut.safetensors");
    assert_int_equal(safetensors_write(path, TENSORS, TENSORS_COUNT, NULL, 0), STATUS_OK);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - 1), 0);
    assert_int_equal(safetensors_open(path, &file), STATUS_FAILED);
    assert_null(file);
    snprintf(expected, sizeof expected,
             "%s: tensor \"num_batches_tracked\": ends at byte 35 of the buffer, which has 34 (is "
             "the file cut short?)",
             path);
    assert_string_equal(status_message(), expected);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),     cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_bytes),          cmocka_unit_test(test_foreign_layout),
        cmocka_unit_test(test_many_tensors),   cmocka_unit_test(test_half),
        cmocka_unit_test(test_other_floats),   cmocka_unit_test(test_dtypes),
        cmocka_unit_test(test_write_refusals), cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_open_refusals),
    };
    return cmocka_run_group_tests_name("formats.safetensors", tests, folder_create, folder_remove);
}
