// SPDX-License-Identifier: Apache-2.0
#include "formats/tensor_entry.h"

#include <string.h>

#include "formats/text.h"

enum { ENTRY_MAX = 4096 }; // bytes of one tensor's description; real ones have about 80

static Status read_dtype(const json_t *json, Tensor *tensor) {
    if (!json_is_string(json)) {
        return status_fail(STATUS_FAILED, "tensor \"%.*s\": %s", SHOWN(tensor->name),
                           json == NULL ? "dtype is missing" : "dtype is no string, expected one");
    }
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (strcmp(json_string_value(json), dtype_name((Dtype)dtype)) == 0) {
            tensor->dtype = (Dtype)dtype;
            return STATUS_OK;
        }
    }
    return status_fail(STATUS_FAILED,
                       "tensor \"%.*s\": dtype is \"%.*s\", expected BOOL, U8 … U64, I8 … I64, "
                       "F16, BF16, F32 or F64",
                       SHOWN(tensor->name), SHOWN(json_string_value(json)));
}

// The shape, the number of elements and their bytes.
static Status read_shape(const json_t *json, Tensor *tensor) {
    if (!json_is_array(json)) {
        return status_fail(STATUS_FAILED, "tensor \"%.*s\": %s", SHOWN(tensor->name),
                           json == NULL ? "shape is missing" : "shape is no list, expected one");
    }
    size_t rank = json_array_size(json);
    if (rank > TENSOR_RANK_MAX) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": shape has %zu extents, at most %d expected",
                           SHOWN(tensor->name), rank, TENSOR_RANK_MAX);
    }
    tensor->rank = (int)rank;
    tensor->elements = 1;
    bool overflow = false;
    for (size_t i = 0; i < rank; i++) {
        const json_t *extent = json_array_get(json, i);
        if (!json_is_integer(extent) || json_integer_value(extent) < 0) {
            return status_fail(STATUS_FAILED,
                               "tensor \"%.*s\": extent %zu of the shape is no integer of at least "
                               "0, expected one",
                               SHOWN(tensor->name), i);
        }
        tensor->dims[i] = json_integer_value(extent);
        overflow |=
            __builtin_mul_overflow(tensor->elements, (size_t)tensor->dims[i], &tensor->elements);
    }
    overflow |=
        __builtin_mul_overflow(tensor->elements, dtype_bytes(tensor->dtype), &tensor->bytes);
    if (overflow) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": its shape has more elements than memory can hold",
                           SHOWN(tensor->name));
    }
    return STATUS_OK;
}

static Status read_offsets(const json_t *json, const unsigned char *buffer, size_t buffer_size,
                           Tensor *tensor) {
    const json_t *first = json_array_get(json, 0), *second = json_array_get(json, 1);
    if (json == NULL) {
        return status_fail(STATUS_FAILED, "tensor \"%.*s\": data_offsets is missing",
                           SHOWN(tensor->name));
    }
    if (json_array_size(json) != 2 || !json_is_integer(first) || !json_is_integer(second) ||
        json_integer_value(first) < 0) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": data_offsets is not [begin, end] with two integers of "
                           "at least 0",
                           SHOWN(tensor->name));
    }
    json_int_t begin = json_integer_value(first), end = json_integer_value(second);
    if (end < begin) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": ends at byte %" JSON_INTEGER_FORMAT
                           " of the buffer, before it begins at byte %" JSON_INTEGER_FORMAT,
                           SHOWN(tensor->name), end, begin);
    }
    if ((uintmax_t)end > buffer_size) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": ends at byte %" JSON_INTEGER_FORMAT
                           " of the buffer, which has %zu (is the file cut short?)",
                           SHOWN(tensor->name), end, buffer_size);
    }
    if ((size_t)(end - begin) != tensor->bytes) {
        return status_fail(
            STATUS_FAILED,
            "tensor \"%.*s\": has %" JSON_INTEGER_FORMAT " bytes, its shape of %s expects %zu",
            SHOWN(tensor->name), end - begin, dtype_name(tensor->dtype), tensor->bytes);
    }
    tensor->data = buffer + begin;
    return STATUS_OK;
}

static Status read_entry(json_t *json, const unsigned char *buffer, size_t buffer_size,
                         Tensor *tensor) {
    if (!json_is_object(json)) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": is no object, expected one with dtype, shape and "
                           "data_offsets",
                           SHOWN(tensor->name));
    }
    TRY(read_dtype(json_object_get(json, "dtype"), tensor));
    TRY(read_shape(json_object_get(json, "shape"), tensor));
    TRY(read_offsets(json_object_get(json, "data_offsets"), buffer, buffer_size, tensor));
    const char *key;
    json_t *value;
    json_object_foreach(json, key, value) {
        if (strcmp(key, "dtype") != 0 && strcmp(key, "shape") != 0 &&
            strcmp(key, "data_offsets") != 0) {
            return status_fail(STATUS_FAILED,
                               "tensor \"%.*s\": has \"%.*s\", expected dtype, shape and "
                               "data_offsets alone",
                               SHOWN(tensor->name), SHOWN(key));
        }
    }
    return STATUS_OK;
}

Status tensor_entry_read(JsonSpan span, const char *name, const unsigned char *buffer,
                         size_t buffer_size, Tensor *out) {
    if (span.size > ENTRY_MAX) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": its description has %zu bytes, at most %d expected",
                           SHOWN(name), span.size, ENTRY_MAX);
    }
    json_t *json;
    Status status = json_walk_value(span, &json);
    if (status != STATUS_OK) {
        return status_context(status, "tensor \"%.*s\"", SHOWN(name));
    }
    *out = (Tensor){.name = name};
    status = read_entry(json, buffer, buffer_size, out);
    json_decref(json);
    return status;
}
