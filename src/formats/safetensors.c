// SPDX-License-Identifier: Apache-2.0
// The reader of safetensors files. Nothing in the file is believed before it is checked:
//
//     0        8                     8 + N                           size
//     | N, u64 | {"name":{…},…} JSON | tensor | tensor | … | tensor |
//
// 1. each header entry by itself: dtype, shape without overflow, bytes equal to shape x dtype;
// 2. then all together: in order of offset they cover the buffer without hole or overlap, and no
//    two have one name.
// The header is walked entry by entry, so that memory stays a small multiple of its size.
#include "formats/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/json_walk.h"
#include "formats/tensor_entry.h"
#include "formats/tensor_list.h"
#include "formats/text.h"

enum { LENGTH_BYTES = 8 };

struct Safetensors {
    FileBytes map; // empty when the bytes are someone else's
    TensorList list;
    const unsigned char *buffer;
    size_t buffer_size;
};

static Status read_metadata(Safetensors *file, JsonSpan object) {
    if (object.text[0] != '{') {
        return status_fail(
            STATUS_FAILED,
            "header byte %zu: \"__metadata__\" is no object, expected one of strings",
            object.offset);
    }
    JsonWalk walk;
    TRY(json_walk_begin(object, &walk));
    for (;;) {
        MetaEntry entry;
        JsonSpan value;
        bool more;
        TRY(json_walk_next(&walk, file->list.arena, &more, &entry.key, &value));
        if (!more) {
            return STATUS_OK;
        }
        if (value.text[0] != '"') {
            return status_fail(STATUS_FAILED, "metadata \"%.*s\": is no string, expected one",
                               SHOWN(entry.key));
        }
        TRY(json_walk_string(value, file->list.arena, &entry.value));
        TRY(tensor_list_add_metadata(&file->list, entry));
    }
}

static Status read_header(Safetensors *file, JsonSpan header) {
    JsonWalk walk;
    TRY(json_walk_begin(header, &walk));
    bool metadata_seen = false;
    for (;;) {
        const char *key;
        JsonSpan value;
        bool more;
        TRY(json_walk_next(&walk, file->list.arena, &more, &key, &value));
        if (!more) {
            return STATUS_OK;
        }
        if (strcmp(key, "__metadata__") != 0) {
            Tensor tensor;
            TRY(tensor_entry_read(value, key, file->buffer, file->buffer_size, &tensor));
            TRY(tensor_list_add(&file->list, tensor));
        } else if (metadata_seen) {
            return status_fail(STATUS_FAILED, "\"__metadata__\" is there twice, expected once");
        } else {
            metadata_seen = true;
            TRY(read_metadata(file, value));
        }
    }
}

// Empty tensors come before the one that begins where they stand.
static int compare_offsets(const void *left, const void *right) {
    const Tensor *a = left, *b = right;
    uintptr_t a_begin = (uintptr_t)a->data, b_begin = (uintptr_t)b->data;
    if (a_begin != b_begin) {
        return a_begin < b_begin ? -1 : 1;
    }
    if (a->bytes != b->bytes) {
        return a->bytes < b->bytes ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

static Status check_cover(const Safetensors *file) {
    const TensorList *list = &file->list;
    size_t end = 0;
    for (int i = 0; i < list->count; i++) {
        const Tensor *tensor = &list->tensors[i];
        size_t begin = (size_t)((const unsigned char *)tensor->data - file->buffer);
        if (begin != end) {
            const char *before = i == 0 ? "the buffer begins" : list->tensors[i - 1].name;
            return status_fail(STATUS_FAILED,
                               "tensor \"%.*s\": begins at byte %zu of the buffer, expected %zu, "
                               "where %s%.*s%s (%s)",
                               SHOWN(tensor->name), begin, end, i == 0 ? "" : "\"", SHOWN(before),
                               i == 0 ? "" : "\" ends", begin > end ? "a hole" : "an overlap");
        }
        end += tensor->bytes;
    }
    if (end != file->buffer_size) {
        return status_fail(STATUS_FAILED, "the buffer has %zu bytes, its tensors expect %zu",
                           file->buffer_size, end);
    }
    return STATUS_OK;
}

// Orders the tensors by offset and, apart, by name; the metadata by key.
static Status order(TensorList *list) {
    if (list->count > 0) {
        qsort(list->tensors, (size_t)list->count, sizeof *list->tensors, compare_offsets);
    }
    return tensor_list_finish(list, false);
}

static Status read_all(Safetensors *file, const unsigned char *bytes, size_t size) {
    if (size < LENGTH_BYTES) {
        return status_fail(STATUS_FAILED,
                           "has %zu bytes, expected a safetensors file, which begins with 8 bytes "
                           "of header length",
                           size);
    }
    uint64_t header_size;
    memcpy(&header_size, bytes, sizeof header_size);
    if (header_size > SAFETENSORS_HEADER_MAX) {
        return status_fail(STATUS_FAILED,
                           "header length at byte 0 is %" PRIu64 ", at most %d expected (is this a "
                           "safetensors file?)",
                           header_size, SAFETENSORS_HEADER_MAX);
    }
    if (header_size > size - LENGTH_BYTES) {
        return status_fail(STATUS_FAILED,
                           "header length at byte 0 is %" PRIu64 ", but %zu bytes follow (is the "
                           "file cut short?)",
                           header_size, size - LENGTH_BYTES);
    }
    file->buffer = bytes + LENGTH_BYTES + header_size;
    file->buffer_size = size - LENGTH_BYTES - (size_t)header_size;
    TRY(read_header(
        file, (JsonSpan){.text = (const char *)bytes + LENGTH_BYTES, .size = (size_t)header_size}));
    TRY(order(&file->list));
    return check_cover(file);
}

Status safetensors_parse(const void *bytes, size_t size, const char *name, Safetensors **out) {
    *out = NULL;
    Safetensors *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be read (out of memory)", name);
    }
    Status status = tensor_list_create(&file->list, size);
    if (status == STATUS_OK) {
        status = read_all(file, bytes, size);
    }
    if (status != STATUS_OK) {
        safetensors_close(file);
        return sentence_of_file(status, name);
    }
    *out = file;
    return STATUS_OK;
}

Status safetensors_open(const char *path, Safetensors **out) {
    *out = NULL;
    FileBytes map;
    TRY(file_map(path, &map));
    Status status = safetensors_parse(map.bytes, map.size, path, out);
    if (status != STATUS_OK) {
        file_unmap(&map);
        return status;
    }
    (*out)->map = map;
    return STATUS_OK;
}

void safetensors_close(Safetensors *file) {
    if (file == NULL) {
        return;
    }
    file_unmap(&file->map);
    tensor_list_destroy(&file->list);
    free(file);
}

const TensorList *safetensors_list(const Safetensors *file) { return &file->list; }

int safetensors_count(const Safetensors *file) { return file->list.count; }

const Tensor *safetensors_tensor(const Safetensors *file, int index) {
    return &file->list.tensors[index];
}

const Tensor *safetensors_find(const Safetensors *file, const char *name) {
    return tensor_list_find(&file->list, name);
}

const char *safetensors_metadata(const Safetensors *file, const char *key) {
    return tensor_list_metadata(&file->list, key);
}

int safetensors_metadata_count(const Safetensors *file) { return file->list.metadata_count; }

MetaEntry safetensors_metadata_at(const Safetensors *file, int index) {
    return file->list.metadata[index];
}
