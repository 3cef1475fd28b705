// SPDX-License-Identifier: Apache-2.0
#include "weights/entries.h"

#include <assert.h>
#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "weights/checksum.h"
#include "weights/shape_text.h"

static const char CHECKSUM_KEY[] = "resnet.checksum", SCALE_SUFFIX[] = "_scale";

enum { NAME_SIZE = 512 };

Status entries_create(int tensors, int metadata, Entries *out) {
    metadata++; // the checksum
    *out = (Entries){
        .arena = arena_create(), .tensor_capacity = tensors, .metadata_capacity = metadata};
    if (out->arena != NULL) {
        out->tensors = arena_alloc(out->arena, (size_t)(tensors + 1) * sizeof(Tensor));
        out->metadata = arena_alloc(out->arena, (size_t)metadata * sizeof(MetaEntry));
    }
    if (out->tensors == NULL || out->metadata == NULL) {
        entries_destroy(out);
        return status_fail(STATUS_FAILED, "cannot get memory for the names of %d tensors", tensors);
    }
    return STATUS_OK;
}

void entries_destroy(Entries *entries) {
    arena_destroy(entries->arena);
    *entries = (Entries){0};
}

static void add_tensor(Entries *entries, const char *name, Dtype dtype, int rank,
                       const int32_t *dims, const void *data) {
    assert(entries->tensor_count < entries->tensor_capacity && rank <= TENSOR_RANK_MAX);
    Tensor *tensor = &entries->tensors[entries->tensor_count++];
    *tensor = (Tensor){.name = arena_format(entries->arena, "%s", name),
                       .dtype = dtype,
                       .rank = rank,
                       .elements = 1,
                       .data = data};
    for (int i = 0; i < rank; i++) {
        tensor->dims[i] = dims[i];
        tensor->elements *= (size_t)dims[i];
    }
    tensor->bytes = tensor->elements * dtype_bytes(dtype);
    entries->failed |= tensor->name == NULL;
}

void entries_add_tensor(Entries *entries, const char *name, int rank, const int32_t *dims,
                        const float *values) {
    add_tensor(entries, name, DTYPE_F32, rank, dims, values);
}

void entries_add_bytes(Entries *entries, const char *name, int rank, const int32_t *dims,
                       const int8_t *bytes, const float *scales) {
    char scale_name[NAME_SIZE];
    snprintf(scale_name, sizeof scale_name, "%s%s", name, SCALE_SUFFIX);
    add_tensor(entries, name, DTYPE_I8, rank, dims, bytes);
    add_tensor(entries, scale_name, DTYPE_F32, 1, dims, scales);
}

void entries_add(Entries *entries, const char *key, const char *value) {
    assert(entries->metadata_count < entries->metadata_capacity);
    MetaEntry *entry = &entries->metadata[entries->metadata_count++];
    entry->key = arena_format(entries->arena, "%s", key);
    entry->value = arena_format(entries->arena, "%s", value);
    entries->failed |= entry->key == NULL || entry->value == NULL;
}

static uint64_t checksum_entry(uint64_t state, const MetaEntry *entry) {
    if (strcmp(entry->key, CHECKSUM_KEY) == 0) {
        return state;
    }
    return checksum_add_text(checksum_add_text(state, entry->key), entry->value);
}

static uint64_t checksum_tensor(uint64_t state, const Tensor *tensor) {
    state = checksum_add_text(state, tensor->name);
    state = checksum_add_text(state, dtype_name(tensor->dtype));
    state = checksum_add(state, tensor->dims, (size_t)tensor->rank * sizeof tensor->dims[0]);
    return checksum_add(state, tensor->data, tensor->bytes);
}

static int compare_keys(const void *a, const void *b) {
    return strcmp(((const MetaEntry *)a)->key, ((const MetaEntry *)b)->key);
}

Status entries_write(Entries *entries, const char *path) {
    if (entries->failed) {
        return status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", path);
    }
    qsort(entries->metadata, (size_t)entries->metadata_count, sizeof(MetaEntry), compare_keys);
    uint64_t state = CHECKSUM_START;
    for (int i = 0; i < entries->metadata_count; i++) {
        state = checksum_entry(state, &entries->metadata[i]);
    }
    for (int i = 0; i < entries->tensor_count; i++) {
        state = checksum_tensor(state, &entries->tensors[i]);
    }
    entries_add(entries, CHECKSUM_KEY, number_bits(state).text);
    if (entries->failed) {
        return status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", path);
    }
    return safetensors_write(path, entries->tensors, entries->tensor_count, entries->metadata,
                             entries->metadata_count);
}

Status entries_verify(const TensorFile *file) {
    const char *text = tensor_file_metadata(file, CHECKSUM_KEY);
    if (text == NULL) {
        return STATUS_OK;
    }
    uint64_t state = CHECKSUM_START;
    for (int i = 0; i < tensor_file_metadata_count(file); i++) {
        MetaEntry entry = tensor_file_metadata_at(file, i);
        state = checksum_entry(state, &entry);
    }
    for (int i = 0; i < tensor_file_count(file); i++) {
        state = checksum_tensor(state, tensor_file_tensor(file, i));
    }
    NumberText found = number_bits(state);
    if (strcmp(text, found.text) != 0) {
        return status_fail(STATUS_FAILED,
                           "is damaged: the checksum of its content is %s, but %.20s was "
                           "written with it",
                           found.text, text);
    }
    return STATUS_OK;
}

// The tensor `name`, which must have these extents.
static Status find_tensor(const TensorFile *file, const char *name, const Param *shape,
                          const Tensor **out) {
    const Tensor *tensor = tensor_file_find(file, name);
    if (tensor == NULL) {
        return status_fail(STATUS_FAILED, "tensor %s is missing", name);
    }
    bool same = tensor->rank == shape->rank;
    for (int i = 0; same && i < shape->rank; i++) {
        same = tensor->dims[i] == shape->dims[i];
    }
    if (!same) {
        return status_fail(STATUS_FAILED, "tensor %s has shape %s, expected %s", name,
                           shape_text(tensor->dims, tensor->rank).text,
                           shape_text_param(shape).text);
    }
    *out = tensor;
    return STATUS_OK;
}

// *scales: NULL for a tensor that is not of bytes.
static Status find_both(const TensorFile *file, const char *prefix, const Param *param,
                        const Tensor **out, const Tensor **scales) {
    char name[NAME_SIZE];
    *scales = NULL;
    snprintf(name, sizeof name, "%s%s", prefix, param->name);
    TRY(find_tensor(file, name, param, out));
    if ((*out)->dtype != DTYPE_I8) {
        return STATUS_OK;
    }
    Param shape = {.rank = 1, .dims = {param->dims[0]}};
    snprintf(name, sizeof name, "%s%s%s", prefix, param->name, SCALE_SUFFIX);
    return find_tensor(file, name, &shape, scales);
}

Status entries_find_param(const TensorFile *file, const char *prefix, const Param *param,
                          const Tensor **out) {
    const Tensor *scales = NULL;
    return find_both(file, prefix, param, out, &scales);
}

Status entries_check_param(const TensorFile *file, const char *prefix, const Param *param) {
    const Tensor *tensor = NULL;
    return entries_find_param(file, prefix, param, &tensor);
}

static Status read_bytes(const Tensor *tensor, const Tensor *scales, float *values) {
    size_t channels = scales->elements, count = tensor->elements / channels;
    const int8_t *bytes = tensor->data;
    float *widened = malloc(channels * sizeof *widened); // there is no place for them in `values`
    Status status = widened != NULL ? tensor_to_float(scales, widened)
                                    : status_fail(STATUS_FAILED, "cannot get memory for scales");
    for (size_t c = 0; c < channels && status == STATUS_OK; c++) {
        if (!(widened[c] >= 0 && widened[c] <= FLT_MAX / 128)) {
            status = status_fail(STATUS_FAILED,
                                 "tensor %s has the value %g at %zu, expected a scale from 0 up",
                                 scales->name, (double)widened[c], c);
        }
        for (size_t i = c * count; i < (c + 1) * count && status == STATUS_OK; i++) {
            values[i] = (float)bytes[i] * widened[c];
        }
    }
    free(widened);
    return status;
}

Status entries_read_param(const TensorFile *file, const char *prefix, const Param *param,
                          float *values) {
    const Tensor *tensor = NULL, *scales = NULL;
    TRY(find_both(file, prefix, param, &tensor, &scales));
    return scales != NULL ? read_bytes(tensor, scales, values) : tensor_to_float(tensor, values);
}

bool entries_are_scales(const TensorFile *file, const char *name) {
    char other[NAME_SIZE];
    size_t length = strlen(name), suffix = strlen(SCALE_SUFFIX);
    if (length <= suffix || length >= sizeof other ||
        strcmp(name + length - suffix, SCALE_SUFFIX) != 0) {
        return false;
    }
    snprintf(other, sizeof other, "%.*s", (int)(length - suffix), name);
    const Tensor *tensor = tensor_file_find(file, other);
    return tensor != NULL && tensor->dtype == DTYPE_I8;
}
