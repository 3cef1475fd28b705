// SPDX-License-Identifier: Apache-2.0
#include "weights/entries.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "weights/checksum.h"
#include "weights/shape_text.h"

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

Status entries_find_param(const TensorFile *file, const char *prefix, const Param *param,
                          const Tensor **out) {
    char name[512];
    snprintf(name, sizeof name, "%s%s", prefix, param->name);
    const Tensor *tensor = tensor_file_find(file, name);
    if (tensor == NULL) {
        return status_fail(STATUS_FAILED, "tensor %s is missing", name);
    }
    bool same = tensor->rank == param->rank;
    for (int i = 0; same && i < param->rank; i++) {
        same = tensor->dims[i] == param->dims[i];
    }
    if (!same) {
        return status_fail(STATUS_FAILED, "tensor %s has shape %s, expected %s", name,
                           shape_text(tensor->dims, tensor->rank).text,
                           shape_text_param(param).text);
    }
    *out = tensor;
    return STATUS_OK;
}

Status entries_check_param(const TensorFile *file, const char *prefix, const Param *param) {
    const Tensor *tensor = NULL;
    return entries_find_param(file, prefix, param, &tensor);
}

Status entries_read_param(const TensorFile *file, const char *prefix, const Param *param,
                          float *values) {
    const Tensor *tensor = NULL;
    TRY(entries_find_param(file, prefix, param, &tensor));
    return tensor_to_float(tensor, values);
}
