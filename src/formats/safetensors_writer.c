// SPDX-License-Identifier: Apache-2.0
// The writer of safetensors files. The header is built in memory first, because its length stands
// before it; tensors go to the disk straight from where they lie.
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "formats/safetensors.h"
#include "formats/text.h"

enum { LENGTH_BYTES = 8, BUFFER_ALIGNMENT = 64 };

// Adds a string in quotes. `what` and `path` are for the sentence.
static Status print_string(FILE *header, const char *text, const char *what, const char *path) {
    json_t *json = json_string(text);
    if (json == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be written (a %s is not UTF-8)", path, what);
    }
    int result = json_dumpf(json, header, JSON_ENCODE_ANY);
    json_decref(json);
    return result == 0 ? STATUS_OK
                       : status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", path);
}

static void check_tensor(const Tensor *tensor) {
    assert(tensor->rank >= 0 && tensor->rank <= TENSOR_RANK_MAX);
    size_t elements = 1;
    for (int i = 0; i < tensor->rank; i++) {
        assert(tensor->dims[i] >= 0);
        elements *= (size_t)tensor->dims[i];
    }
    assert(elements == tensor->elements);
    assert(tensor->bytes == elements * dtype_bytes(tensor->dtype));
    (void)elements;
}

static Status print_header(FILE *header, const char *path, const Tensor *tensors, int tensor_count,
                           const MetaEntry *metadata, int metadata_count) {
    const char *separator = "";
    fputc('{', header);
    if (metadata_count > 0) {
        fputs("\"__metadata__\":{", header);
        for (int i = 0; i < metadata_count; i++) {
            fputs(i > 0 ? "," : "", header);
            TRY(print_string(header, metadata[i].key, "metadata key", path));
            fputc(':', header);
            TRY(print_string(header, metadata[i].value, "metadata value", path));
        }
        fputc('}', header);
        separator = ",";
    }
    size_t begin = 0;
    for (int i = 0; i < tensor_count; i++) {
        const Tensor *tensor = &tensors[i];
        check_tensor(tensor);
        if (strcmp(tensor->name, "__metadata__") == 0) {
            return status_fail(STATUS_FAILED,
                               "%s: cannot be written (no tensor may be called __metadata__)",
                               path);
        }
        fputs(separator, header);
        TRY(print_string(header, tensor->name, "tensor's name", path));
        fprintf(header, ":{\"dtype\":\"%s\",\"shape\":[", dtype_name(tensor->dtype));
        for (int axis = 0; axis < tensor->rank; axis++) {
            fprintf(header, "%s%" PRId64, axis > 0 ? "," : "", tensor->dims[axis]);
        }
        fprintf(header, "],\"data_offsets\":[%zu,%zu]}", begin, begin + tensor->bytes);
        begin += tensor->bytes;
        separator = ",";
    }
    fputc('}', header);
    while ((LENGTH_BYTES + ftell(header)) % BUFFER_ALIGNMENT != 0) {
        fputc(' ', header);
    }
    return STATUS_OK;
}

static int compare_strings(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// `strings` is sorted here.
static Status check_unique(const char **strings, int count, const char *what, const char *path) {
    qsort(strings, (size_t)count, sizeof *strings, compare_strings);
    for (int i = 1; i < count; i++) {
        if (strcmp(strings[i - 1], strings[i]) == 0) {
            return status_fail(STATUS_FAILED, "%s: cannot be written (%s \"%.*s\" is there twice)",
                               path, what, SHOWN(strings[i]));
        }
    }
    return STATUS_OK;
}

// A file with two entries of one name would be refused when it is read.
static Status check_names(const char *path, const Tensor *tensors, int tensor_count,
                          const MetaEntry *metadata, int metadata_count) {
    size_t most = (size_t)(tensor_count > metadata_count ? tensor_count : metadata_count);
    const char **strings = calloc(most + 1, sizeof *strings); // never of no bytes
    if (strings == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", path);
    }
    for (int i = 0; i < metadata_count; i++) {
        strings[i] = metadata[i].key;
    }
    Status status = check_unique(strings, metadata_count, "metadata", path);
    if (status == STATUS_OK) {
        for (int i = 0; i < tensor_count; i++) {
            strings[i] = tensors[i].name;
        }
        status = check_unique(strings, tensor_count, "tensor", path);
    }
    free(strings);
    return status;
}

static Status write_file(const char *path, const char *header, size_t header_size,
                         const Tensor *tensors, int tensor_count) {
    if (header_size > SAFETENSORS_HEADER_MAX) {
        return status_fail(STATUS_FAILED,
                           "%s: cannot be written (its header would have %zu bytes, at most %d are "
                           "allowed)",
                           path, header_size, SAFETENSORS_HEADER_MAX);
    }
    FileWriter *writer;
    TRY(file_writer_open(path, &writer));
    uint64_t length = header_size;
    file_writer_write(writer, &length, sizeof length);
    file_writer_write(writer, header, header_size);
    for (int i = 0; i < tensor_count; i++) {
        file_writer_write(writer, tensors[i].data, tensors[i].bytes);
    }
    return file_writer_commit(writer);
}

Status safetensors_write(const char *path, const Tensor *tensors, int tensor_count,
                         const MetaEntry *metadata, int metadata_count) {
    TRY(check_names(path, tensors, tensor_count, metadata, metadata_count));
    char *text = NULL;
    size_t size = 0;
    FILE *header = open_memstream(&text, &size);
    if (header == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", path);
    }
    Status status = print_header(header, path, tensors, tensor_count, metadata, metadata_count);
    bool failed = ferror(header) != 0;
    failed |= fclose(header) != 0;
    if (status == STATUS_OK && failed) {
        status = status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", path);
    }
    if (status == STATUS_OK) {
        status = write_file(path, text, size, tensors, tensor_count);
    }
    free(text);
    return status;
}
