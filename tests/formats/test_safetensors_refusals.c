// SPDX-License-Identifier: Apache-2.0
// A table of malformed safetensors files, each with the sentence that refuses it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "formats/safetensors.h"

// clang-format off
static const struct {
    const char *header;
    size_t header_size; // 0: as long as the string
    size_t buffer_size; // so many zeros behind the header
    const char *sentence; // without the file's name; one that ends in '(' is a beginning, where
                          // jansson has the last word
} BAD[] = {
    // Not an object.
    {"", 0, 0, "header byte 0: it ends here, expected '{'"},
    {" ", 0, 0, "header byte 0: found 0x20, expected '{'"},
    {" {}", 0, 0, "header byte 0: found 0x20, expected '{'"},
    {"[]", 0, 0, "header byte 0: found '[', expected '{'"},
    {"\"a\"", 0, 0, "header byte 0: found '\"', expected '{'"},
    {"null", 0, 0, "header byte 0: found 'n', expected '{'"},
    {"\000{}", sizeof "\000{}" - 1, 0,
     "header byte 0: found 0x00, expected '{'"},
    {"{", 0, 0, "header byte 1: it ends here, expected a name in quotes or '}'"},
    {"}", 0, 0, "header byte 0: found '}', expected '{'"},
    {"{}}", 0, 0, "header byte 2: found '}', expected nothing after the last '}'"},
    {"{} x", 0, 0, "header byte 3: found 'x', expected nothing after the last '}'"},
    {"{}{}", 0, 0, "header byte 2: found '{', expected nothing after the last '}'"},
    {"{}\000", sizeof "{}\000" - 1, 0,
     "header byte 2: found 0x00, expected nothing after the last '}'"},
    {"{,}", 0, 0, "header byte 1: found ',', expected a name in quotes or '}'"},
    // The members of an object.
    {"{\"a\"}", 0, 4, "header byte 4: found '}', expected ':'"},
    {"{\"a\" {\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 5: found '{', expected ':'"},
    {"{\"a\":}", 0, 4, "header byte 5: found '}', expected a value"},
    {"{\"a\":,}", 0, 4, "header byte 5: found ',', expected a value"},
    {"{a:{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 1: found 'a', expected a name in quotes or '}'"},
    {"{'a':{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 1: found ''', expected a name in quotes or '}'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},}", 0, 4,
     "header byte 54: found '}', expected a name in quotes"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]} \"b\":0}", 0, 4,
     "header byte 54: found '\"', expected ',' or '}'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}", 0, 4,
     "header byte 53: it ends here, expected ',' or '}'"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]", 0, 4,
     "header byte 5: the value that begins here has no end"},
    {"{\"a", 0, 4, "header byte 1: the string that begins here has no end"},
    {"{\"a\\", 0, 4, "header byte 1: the string that begins here has no end"},
    {"{\"a\":\"", 0, 4, "header byte 5: the string that begins here has no end"},
    {"{\"a\":{\"x\":\"", 0, 4, "header byte 10: the string that begins here has no end"},
    {"{\"a\":]}", 0, 4, "header byte 5: found ']', expected a value"},
    {"{1:{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 1: found '1', expected a name in quotes or '}'"},
    {"{\"a\n\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 3: not valid JSON ("},
    {"{\"a\\u0000\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 10: not valid JSON (a string with U+0000)"},
    {"{\"a\\x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 5: not valid JSON ("},
    {"{\"\377\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 2: not valid JSON ("},
    {"{\"\300\200\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 2: not valid JSON ("},
    {"{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "header byte 9: not valid JSON ("},
    // An entry is no object, or no JSON.
    {"{\"a\":1}", 0, 4,
     "tensor \"a\": is no object, expected one with dtype, shape and data_offsets"},
    {"{\"a\":null}", 0, 4,
     "tensor \"a\": is no object, expected one with dtype, shape and data_offsets"},
    {"{\"a\":\"F32\"}", 0, 4,
     "tensor \"a\": is no object, expected one with dtype, shape and data_offsets"},
    {"{\"a\":[]}", 0, 4,
     "tensor \"a\": is no object, expected one with dtype, shape and data_offsets"},
    {"{\"a\":nul}", 0, 4, "tensor \"a\": header byte 8: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": header byte 32: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1},\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": header byte 31: not valid JSON ("},
    {"{\"a\":[}}", 0, 4, "tensor \"a\": header byte 7: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\" \"shape\":[1]}}", 0, 4,
     "tensor \"a\": header byte 27: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": header byte 27: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": header byte 39: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"strides\":[1]}}", 0, 4,
     "tensor \"a\": has \"strides\", expected dtype, shape and data_offsets alone"},
    {"{\"a\":{}}", 0, 4, "tensor \"a\": dtype is missing"},
    // The dtype.
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4, "tensor \"a\": dtype is missing"},
    {"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": dtype is no string, expected one"},
    {"{\"a\":{\"dtype\":null,\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": dtype is no string, expected one"},
    {"{\"a\":{\"dtype\":\"\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": dtype is \"\", expected BOOL, U8 … U64, I8 … I64, F16, BF16, F32 or F"
     "64"},
    {"{\"a\":{\"dtype\":\"f32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": dtype is \"f32\", expected BOOL, U8 … U64, I8 … I64, F16, BF16, F32 o"
     "r F64"},
    {"{\"a\":{\"dtype\":\"F32 \",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": dtype is \"F32 \", expected BOOL, U8 … U64, I8 … I64, F16, BF16, F32 "
     "or F64"},
    {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 1,
     "tensor \"a\": dtype is \"F8_E4M3\", expected BOOL, U8 … U64, I8 … I64, F16, BF16, F"
     "32 or F64"},
    {"{\"a\":{\"dtype\":\"C64\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 8,
     "tensor \"a\": dtype is \"C64\", expected BOOL, U8 … U64, I8 … I64, F16, BF16, F32 o"
     "r F64"},
    {"{\"a\":{\"dtype\":[\"F32\"],\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": dtype is no string, expected one"},
    // The shape.
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 0, 4, "tensor \"a\": shape is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": shape is no list, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":{\"x\":1},\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": shape is no list, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":null,\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": shape is no list, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": extent 0 of the shape is no integer of at least 0, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": extent 0 of the shape is no integer of at least 0, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[[1]],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": extent 0 of the shape is no integer of at least 0, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[null],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": extent 0 of the shape is no integer of at least 0, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[true],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": extent 0 of the shape is no integer of at least 0, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,-1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": extent 1 of the shape is no integer of at least 0, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[01],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": header byte 30: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1e0],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": extent 0 of the shape is no integer of at least 0, expected one"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[+1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": header byte 30: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775808],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": header byte 48: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9223372036854775807],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": its shape has more elements than memory can hold"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": its shape has more elements than memory can hold"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,4]}"
     "}", 0, 4,
     "tensor \"a\": its shape has more elements than memory can hold"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2147483648,2147483648,4],\"data_offsets\":[0,4"
     "]}}", 0, 4,
     "tensor \"a\": its shape has more elements than memory can hold"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,0],\"data_offsets\":[0,4"
     "]}}", 0, 0,
     "tensor \"a\": its shape has more elements than memory can hold"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": shape has 9 extents, at most 8 expected"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": has 4 bytes, its shape of F32 expects 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,8]}}", 0, 8,
     "tensor \"a\": has 8 bytes, its shape of F32 expects 4"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": has 4 bytes, its shape of F32 expects 0"},
    {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"a\": has 4 bytes, its shape of F64 expects 8"},
    // The offsets.
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 0, 4, "tensor \"a\": data_offsets is missing"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":4}}", 0, 4,
     "tensor \"a\": data_offsets is not [begin, end] with two integers of at least 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[]}}", 0, 4,
     "tensor \"a\": data_offsets is not [begin, end] with two integers of at least 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4]}}", 0, 4,
     "tensor \"a\": data_offsets is not [begin, end] with two integers of at least 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,8]}}", 0, 4,
     "tensor \"a\": data_offsets is not [begin, end] with two integers of at least 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.0]}}", 0, 4,
     "tensor \"a\": data_offsets is not [begin, end] with two integers of at least 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[\"0\",\"4\"]}}", 0, 4,
     "tensor \"a\": data_offsets is not [begin, end] with two integers of at least 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{\"0\":0,\"1\":4}}}", 0, 4,
     "tensor \"a\": data_offsets is not [begin, end] with two integers of at least 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[-4,0]}}", 0, 4,
     "tensor \"a\": data_offsets is not [begin, end] with two integers of at least 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,-4]}}", 0, 4,
     "tensor \"a\": ends at byte -4 of the buffer, before it begins at byte 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,0]}}", 0, 4,
     "tensor \"a\": ends at byte 0 of the buffer, before it begins at byte 4"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,5]}}", 0, 8,
     "tensor \"a\": has 5 bytes, its shape of F32 expects 4"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 3,
     "tensor \"a\": ends at byte 4 of the buffer, which has 3 (is the file cut short?)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 0, 4,
     "tensor \"a\": ends at byte 8 of the buffer, which has 4 (is the file cut short?)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,18446744073709551620]}}", 0, 4,
     "tensor \"a\": header byte 70: not valid JSON ("},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[9223372036854775800,92233"
     "72036854775804]}}", 0, 4,
     "tensor \"a\": ends at byte 9223372036854775804 of the buffer, which has 4 (is the f"
     "ile cut short?)"},
    // All tensors together.
    {"{}", 0, 1, "the buffer has 1 bytes, its tensors expect 0"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 5,
     "the buffer has 5 bytes, its tensors expect 4"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}", 0, 5,
     "tensor \"a\": begins at byte 1 of the buffer, expected 0, where the buffer begins ("
     "a hole)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\""
     "F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "tensor \"b\": begins at byte 0 of the buffer, expected 4, where \"a\" ends (an over"
     "lap)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\""
     "F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 0, 8,
     "tensor \"a\": is there twice, expected once"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"\\u0061\":{\"dtyp"
     "e\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 0, 8,
     "tensor \"a\": is there twice, expected once"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\""
     "F32\",\"shape\":[1],\"data_offsets\":[5,9]}}", 0, 9,
     "tensor \"b\": begins at byte 5 of the buffer, expected 4, where \"a\" ends (a hole)"},
    {"{\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[5,9]},\"a\":{\"dtype\":\""
     "F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 9,
     "tensor \"b\": begins at byte 5 of the buffer, expected 4, where \"a\" ends (a hole)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\""
     "F32\",\"shape\":[1],\"data_offsets\":[3,7]}}", 0, 7,
     "tensor \"b\": begins at byte 3 of the buffer, expected 4, where \"a\" ends (an over"
     "lap)"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\""
     "F32\",\"shape\":[0],\"data_offsets\":[2,2]}}", 0, 4,
     "tensor \"b\": begins at byte 2 of the buffer, expected 4, where \"a\" ends (an over"
     "lap)"},
    // The metadata.
    {"{\"__metadata__\":null}", 0, 0,
     "header byte 16: \"__metadata__\" is no object, expected one of strings"},
    {"{\"__metadata__\":[]}", 0, 0,
     "header byte 16: \"__metadata__\" is no object, expected one of strings"},
    {"{\"__metadata__\":\"x\"}", 0, 0,
     "header byte 16: \"__metadata__\" is no object, expected one of strings"},
    {"{\"__metadata__\":{\"k\":1}}", 0, 0, "metadata \"k\": is no string, expected one"},
    {"{\"__metadata__\":{\"k\":null}}", 0, 0, "metadata \"k\": is no string, expected one"},
    {"{\"__metadata__\":{\"k\":{\"l\":\"m\"}}}", 0, 0,
     "metadata \"k\": is no string, expected one"},
    {"{\"__metadata__\":{\"k\":[\"v\"]}}", 0, 0, "metadata \"k\": is no string, expected one"},
    {"{\"__metadata__\":{\"k\":\"v\",\"k\":\"v\"}}", 0, 0,
     "metadata \"k\": is there twice, expected once"},
    {"{\"__metadata__\":{\"k\":\"v\",}}", 0, 0,
     "header byte 25: found '}', expected a name in quotes"},
    {"{\"__metadata__\":{\"k\":\"\\u0000\"}}", 0, 0,
     "header byte 29: not valid JSON (a string with U+0000)"},
    {"{\"__metadata__\":{\"k\":\"\376\"}}", 0, 0, "header byte 22: not valid JSON ("},
    {"{\"__metadata__\":{\"k\":\"v\"},\"__metadata__\":{}}", 0, 0,
     "\"__metadata__\" is there twice, expected once"},
    {"{\"__metadata__\":{\"k\":\"v\"]}", 0, 0, "header byte 24: found ']', expected ',' or '}'"},
    {"{\"__metadata__\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 0, 4,
     "metadata \"shape\": is no string, expected one"},
    // Names that are long or hold escape codes.
    {"{\"\\u001b[31m\\nred\":1}", 0, 0,
     "tensor \"?[31m?red\": is no object, expected one with dtype, shape and data_offsets"},
    {"{\"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\":1}", 0, 0,
     "tensor \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\": is no object, expected one with d"
     "type, shape and data_offsets"},
    {"{\"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\303\251\":1}", 0, 0,
     "tensor \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn"
     "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\": is no object, expected one with dt"
     "ype, shape and data_offsets"},
};
// clang-format on

// Makes the file in a block of exactly its size, so that a sanitizer sees a read behind it.
static unsigned char *make_file(const char *header, size_t header_size, size_t buffer_size,
                                size_t *size) {
    *size = sizeof(uint64_t) + header_size + buffer_size;
    unsigned char *bytes = calloc(1, *size);
    assert_non_null(bytes);
    uint64_t length = header_size;
    memcpy(bytes, &length, sizeof length);
    memcpy(bytes + sizeof length, header, header_size);
    return bytes;
}

static void expect_refusal(const unsigned char *bytes, size_t size, const char *sentence) {
    Safetensors *file = (Safetensors *)&file;
    assert_int_equal(safetensors_parse(bytes, size, "weights.safetensors", &file), STATUS_FAILED);
    assert_null(file);
    char expected[1024];
    snprintf(expected, sizeof expected, "weights.safetensors: %s", sentence);
    if (sentence[strlen(sentence) - 1] == '(') {
        char beginning[1024];
        snprintf(beginning, sizeof beginning, "%.*s", (int)strlen(expected), status_message());
        assert_string_equal(beginning, expected);
    } else {
        assert_string_equal(status_message(), expected);
    }
}

static void test_table(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        size_t header_size = BAD[i].header_size != 0 ? BAD[i].header_size : strlen(BAD[i].header);
        size_t size;
        unsigned char *bytes = make_file(BAD[i].header, header_size, BAD[i].buffer_size, &size);
        expect_refusal(bytes, size, BAD[i].sentence);
        free(bytes);
    }
}

static void expect_length_refusal(uint64_t length, size_t size, const char *sentence) {
    unsigned char *bytes = calloc(1, size + 1);
    assert_non_null(bytes);
    memcpy(bytes, &length, size < sizeof length ? size : sizeof length);
    expect_refusal(bytes, size, sentence);
    free(bytes);
}

static void test_header_length(void **state) {
    (void)state;
    expect_length_refusal(0, 0,
                          "has 0 bytes, expected a safetensors file, which begins with 8 bytes of "
                          "header length");
    expect_length_refusal(0, 7,
                          "has 7 bytes, expected a safetensors file, which begins with 8 bytes of "
                          "header length");
    expect_length_refusal(3, 10,
                          "header length at byte 0 is 3, but 2 bytes follow (is the file cut "
                          "short?)");
    expect_length_refusal(100000000, 10,
                          "header length at byte 0 is 100000000, but 2 bytes follow (is the file "
                          "cut short?)");
    expect_length_refusal(100000001, 10,
                          "header length at byte 0 is 100000001, at most 100000000 expected (is "
                          "this a safetensors file?)");
    expect_length_refusal(UINT64_MAX, 10,
                          "header length at byte 0 is 18446744073709551615, at most 100000000 "
                          "expected (is this a safetensors file?)");
    // A zip archive, which is what a torch checkpoint is.
    expect_length_refusal(0x0000080804034b50, 64,
                          "header length at byte 0 is 8830520085328, at most 100000000 expected "
                          "(is this a safetensors file?)");
}

// What would make a parser of whole documents take many times the header's size.
static void test_huge_entries(void **state) {
    (void)state;
    enum { HEADER_BYTES = 1 << 20 };
    char *header = malloc(HEADER_BYTES + 1);
    assert_non_null(header);
    static const char *const FILLERS[] = {"[],", "{},", "1,", "["};
    for (size_t i = 0; i < sizeof FILLERS / sizeof *FILLERS; i++) {
        size_t size = (size_t)sprintf(header, "{\"a\":[");
        while (size + strlen(FILLERS[i]) + 5 < HEADER_BYTES) {
            size += (size_t)sprintf(header + size, "%s", FILLERS[i]);
        }
        bool open = strcmp(FILLERS[i], "[") == 0;
        size += (size_t)sprintf(header + size, open ? "" : "0]}");
        char sentence[128];
        if (open) {
            strcpy(sentence, "header byte 5: the value that begins here has no end");
        } else {
            snprintf(sentence, sizeof sentence,
                     "tensor \"a\": its description has %zu bytes, at most 4096 expected",
                     size - 6);
        }
        size_t file_size;
        unsigned char *bytes = make_file(header, size, 0, &file_size);
        expect_refusal(bytes, file_size, sentence);
        free(bytes);
    }
    free(header);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_header_length),
        cmocka_unit_test(test_huge_entries),
    };
    return cmocka_run_group_tests_name("formats.safetensors_refusals", tests, NULL, NULL);
}
