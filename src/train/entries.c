// SPDX-License-Identifier: Apache-2.0
#include "train/entries.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/checksum.h"
#include "train/number.h"

static const char CHECKSUM_KEY[] = "resnet.checksum";

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

void entries_add_tensor(Entries *entries, const char *name, int rank, const int32_t *dims,
                        const float *values) {
    assert(entries->tensor_count < entries->tensor_capacity && rank <= TENSOR_RANK_MAX);
    Tensor *tensor = &entries->tensors[entries->tensor_count++];
    *tensor = (Tensor){.name = arena_format(entries->arena, "%s", name),
                       .dtype = DTYPE_F32,
                       .rank = rank,
                       .elements = 1,
                       .data = values};
    for (int i = 0; i < rank; i++) {
        tensor->dims[i] = dims[i];
        tensor->elements *= (size_t)dims[i];
    }
    tensor->bytes = tensor->elements * sizeof(float);
    entries->failed |= tensor->name == NULL;
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

Status entries_verify(const Safetensors *file, const char *path) {
    const char *text = safetensors_metadata(file, CHECKSUM_KEY);
    if (text == NULL) {
        return STATUS_OK;
    }
    uint64_t state = CHECKSUM_START;
    for (int i = 0; i < safetensors_metadata_count(file); i++) {
        MetaEntry entry = safetensors_metadata_at(file, i);
        state = checksum_entry(state, &entry);
    }
    for (int i = 0; i < safetensors_count(file); i++) {
        state = checksum_tensor(state, safetensors_tensor(file, i));
    }
    NumberText found = number_bits(state);
    if (strcmp(text, found.text) != 0) {
        return status_fail(STATUS_FAILED,
                           "%s: is damaged: the checksum of its content is %s, but %.20s was "
                           "written with it",
                           path, found.text, text);
    }
    return STATUS_OK;
}

// "[64, 3, 7, 7]" of either kind of extents.
typedef struct ShapeText {
    char text[128];
} ShapeText;

static ShapeText shape_text(const int64_t *dims, int rank) {
    ShapeText shape = {"["};
    size_t at = 1;
    for (int i = 0; i < rank && at < sizeof shape.text; i++) {
        at += (size_t)snprintf(shape.text + at, sizeof shape.text - at, "%s%" PRId64,
                               i > 0 ? ", " : "", dims[i]);
    }
    if (at < sizeof shape.text) {
        snprintf(shape.text + at, sizeof shape.text - at, "]");
    }
    return shape;
}

static Status find_param(const Safetensors *file, const char *path, const char *prefix,
                         const Param *param, const Tensor **out) {
    char name[512];
    snprintf(name, sizeof name, "%s%s", prefix, param->name);
    const Tensor *tensor = safetensors_find(file, name);
    if (tensor == NULL) {
        return status_fail(STATUS_FAILED, "%s: tensor %s is missing", path, name);
    }
    int64_t dims[4];
    bool same = tensor->rank == param->rank;
    for (int i = 0; i < param->rank; i++) {
        dims[i] = param->dims[i];
        same = same && tensor->dims[i] == dims[i];
    }
    if (!same) {
        return status_fail(STATUS_FAILED, "%s: tensor %s has shape %s, expected %s", path, name,
                           shape_text(tensor->dims, tensor->rank).text,
                           shape_text(dims, param->rank).text);
    }
    *out = tensor;
    return STATUS_OK;
}

Status entries_check_param(const Safetensors *file, const char *path, const char *prefix,
                           const Param *param) {
    const Tensor *tensor = NULL;
    return find_param(file, path, prefix, param, &tensor);
}

Status entries_read_param(const Safetensors *file, const char *path, const char *prefix,
                          const Param *param, float *values) {
    const Tensor *tensor = NULL;
    TRY(find_param(file, path, prefix, param, &tensor));
    Status status = tensor_to_float(tensor, values);
    return status == STATUS_OK ? STATUS_OK : status_context(status, "%s", path);
}
