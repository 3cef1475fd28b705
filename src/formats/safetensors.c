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

enum { LENGTH_BYTES = 8 };

struct Safetensors {
    FileBytes map; // empty when the bytes are someone else's
    Arena *arena;  // names and metadata
    Tensor *tensors;
    const Tensor **by_name;
    MetaEntry *metadata;
    int count, capacity, metadata_count, metadata_capacity;
    const unsigned char *buffer;
    size_t buffer_size;
};

// The array with room for one more element, at least; NULL when memory is out.
static void *reserve(void *elements, int count, int *capacity, size_t element_size) {
    if (count < *capacity) {
        return elements;
    }
    int larger = *capacity + *capacity / 2 + 16;
    void *moved = reallocarray(elements, (size_t)larger, element_size);
    if (moved != NULL) {
        *capacity = larger;
    }
    return moved;
}

static Status add_metadata(Safetensors *file, MetaEntry entry) {
    MetaEntry *metadata =
        reserve(file->metadata, file->metadata_count, &file->metadata_capacity, sizeof *metadata);
    if (metadata == NULL) {
        return status_fail(STATUS_FAILED, "out of memory");
    }
    file->metadata = metadata;
    file->metadata[file->metadata_count++] = entry;
    return STATUS_OK;
}

static Status add_tensor(Safetensors *file, Tensor tensor) {
    Tensor *tensors = reserve(file->tensors, file->count, &file->capacity, sizeof *tensors);
    if (tensors == NULL) {
        return status_fail(STATUS_FAILED, "out of memory");
    }
    file->tensors = tensors;
    file->tensors[file->count++] = tensor;
    return STATUS_OK;
}

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
        TRY(json_walk_next(&walk, file->arena, &more, &entry.key, &value));
        if (!more) {
            return STATUS_OK;
        }
        if (value.text[0] != '"') {
            return status_fail(STATUS_FAILED, "metadata \"%.*s\": is no string, expected one",
                               SHOWN(entry.key));
        }
        TRY(json_walk_string(value, file->arena, &entry.value));
        TRY(add_metadata(file, entry));
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
        TRY(json_walk_next(&walk, file->arena, &more, &key, &value));
        if (!more) {
            return STATUS_OK;
        }
        if (strcmp(key, "__metadata__") != 0) {
            Tensor tensor;
            TRY(tensor_entry_read(value, key, file->buffer, file->buffer_size, &tensor));
            TRY(add_tensor(file, tensor));
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

static int compare_names(const void *left, const void *right) {
    return strcmp((*(const Tensor *const *)left)->name, (*(const Tensor *const *)right)->name);
}

static int compare_keys(const void *left, const void *right) {
    return strcmp(((const MetaEntry *)left)->key, ((const MetaEntry *)right)->key);
}

static Status check_cover(const Safetensors *file) {
    size_t end = 0;
    for (int i = 0; i < file->count; i++) {
        const Tensor *tensor = &file->tensors[i];
        size_t begin = (size_t)((const unsigned char *)tensor->data - file->buffer);
        if (begin != end) {
            const char *before = i == 0 ? "the buffer begins" : file->tensors[i - 1].name;
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
static Status order(Safetensors *file) {
    if (file->count > 0) {
        qsort(file->tensors, (size_t)file->count, sizeof *file->tensors, compare_offsets);
        file->by_name = calloc((size_t)file->count, sizeof(Tensor *));
        if (file->by_name == NULL) {
            return status_fail(STATUS_FAILED, "out of memory");
        }
        for (int i = 0; i < file->count; i++) {
            file->by_name[i] = &file->tensors[i];
        }
        qsort(file->by_name, (size_t)file->count, sizeof(Tensor *), compare_names);
    }
    for (int i = 1; i < file->count; i++) {
        if (strcmp(file->by_name[i - 1]->name, file->by_name[i]->name) == 0) {
            return status_fail(STATUS_FAILED, "tensor \"%.*s\": is there twice, expected once",
                               SHOWN(file->by_name[i]->name));
        }
    }
    if (file->metadata_count > 0) {
        qsort(file->metadata, (size_t)file->metadata_count, sizeof *file->metadata, compare_keys);
    }
    for (int i = 1; i < file->metadata_count; i++) {
        if (strcmp(file->metadata[i - 1].key, file->metadata[i].key) == 0) {
            return status_fail(STATUS_FAILED, "metadata \"%.*s\": is there twice, expected once",
                               SHOWN(file->metadata[i].key));
        }
    }
    return STATUS_OK;
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
    TRY(order(file));
    return check_cover(file);
}

// The sentence may quote what a file says; a line break or an escape code in it stays out.
static Status refuse(Status status, const char *name) {
    char sentence[1024];
    size_t size = 0;
    for (const char *from = status_message(); *from != '\0' && size + 1 < sizeof sentence; from++) {
        unsigned char c = (unsigned char)*from;
        sentence[size++] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    sentence[size] = '\0';
    return status_fail(status, "%s: %s", name, sentence);
}

Status safetensors_parse(const void *bytes, size_t size, const char *name, Safetensors **out) {
    *out = NULL;
    Safetensors *file = calloc(1, sizeof *file);
    if (file != NULL) {
        file->arena = arena_create();
    }
    if (file == NULL || file->arena == NULL) {
        free(file);
        return status_fail(STATUS_FAILED, "%s: cannot be read (out of memory)", name);
    }
    Status status = read_all(file, bytes, size);
    if (status != STATUS_OK) {
        safetensors_close(file);
        return refuse(status, name);
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
    arena_destroy(file->arena);
    free(file->tensors);
    free(file->by_name);
    free(file->metadata);
    free(file);
}

int safetensors_count(const Safetensors *file) { return file->count; }

const Tensor *safetensors_tensor(const Safetensors *file, int index) {
    return &file->tensors[index];
}

const Tensor *safetensors_find(const Safetensors *file, const char *name) {
    const Tensor wanted = {.name = name}, *key = &wanted;
    const Tensor **found = file->count == 0 ? NULL
                                            : bsearch(&key, file->by_name, (size_t)file->count,
                                                      sizeof key, compare_names);
    return found != NULL ? *found : NULL;
}

const char *safetensors_metadata(const Safetensors *file, const char *key) {
    const MetaEntry wanted = {.key = key};
    const MetaEntry *found = file->metadata_count == 0
                                 ? NULL
                                 : bsearch(&wanted, file->metadata, (size_t)file->metadata_count,
                                           sizeof wanted, compare_keys);
    return found != NULL ? found->value : NULL;
}

int safetensors_metadata_count(const Safetensors *file) { return file->metadata_count; }

MetaEntry safetensors_metadata_at(const Safetensors *file, int index) {
    return file->metadata[index];
}
