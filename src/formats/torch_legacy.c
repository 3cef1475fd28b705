// SPDX-License-Identifier: Apache-2.0
// PyTorch's files before 1.6, and of torch.save(…, _use_new_zipfile_serialization=False): pickles
// one behind the other, then the storages.
//
//     | magic | 1001 | system | the object | [key, …] | count, elements | count, elements | …
//
// The counts have 64 bits. How large an element is, only the object's references to storages say,
// so these are gathered first.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "formats/text.h"
#include "formats/torch_objects.h"
#include "formats/torch_readers.h"

enum { PROTOCOL = 1001, COUNT_BYTES = 8 };

// 0x1950a86a20f9469cfc6c
static const char MAGIC[] = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

typedef struct Stored {
    TorchReference reference;
    TorchStorage storage; // bytes NULL until it is found behind the pickles
} Stored;

typedef struct Legacy {
    const uint8_t *bytes;
    size_t size, at;
    Stored *stored; // by key
    size_t count, capacity;
} Legacy;

static Status read_pickle(Legacy *legacy, const char *what, Pickle **out) {
    Status status =
        pickle_read(legacy->bytes + legacy->at, legacy->size - legacy->at, legacy->at, out);
    if (status != STATUS_OK) {
        return status_context(status, "%s", what);
    }
    legacy->at += pickle_size(*out);
    return STATUS_OK;
}

static Status read_magic(Legacy *legacy) {
    Pickle *pickle;
    TRY(read_pickle(legacy, "magic number", &pickle));
    bool right = pickle_kind(pickle, pickle_root(pickle)) == PICKLE_LONG &&
                 pickle_text_equal(pickle_text(pickle, pickle_root(pickle)), MAGIC);
    PickleKind kind = pickle_kind(pickle, pickle_root(pickle));
    pickle_free(pickle);
    if (!right) {
        return status_fail(STATUS_FAILED,
                           "byte 0: the pickle is %s, expected the magic number of PyTorch's files "
                           "(was it made by pickle rather than by torch.save?)",
                           pickle_kind_name(kind));
    }
    return STATUS_OK;
}

static Status read_protocol(Legacy *legacy) {
    Pickle *pickle;
    size_t begin = legacy->at;
    int64_t protocol;
    TRY(read_pickle(legacy, "protocol", &pickle));
    bool right = pickle_integer(pickle, pickle_root(pickle), &protocol) && protocol == PROTOCOL;
    pickle_free(pickle);
    if (!right) {
        return status_fail(STATUS_FAILED, "byte %zu: protocol %" PRId64 ", expected %d", begin,
                           protocol, PROTOCOL);
    }
    return STATUS_OK;
}

static Status read_system(Legacy *legacy) {
    Pickle *pickle;
    size_t begin = legacy->at;
    TRY(read_pickle(legacy, "system", &pickle));
    PickleValue little = pickle_find(pickle, pickle_root(pickle), "little_endian");
    bool right = pickle_bool(pickle, little);
    pickle_free(pickle);
    if (!right) {
        return status_fail(STATUS_FAILED,
                           "byte %zu: the system that wrote the file is not known to be "
                           "little-endian, expected one that is",
                           begin);
    }
    return STATUS_OK;
}

static int compare_texts(PickleText a, PickleText b) {
    size_t both = a.size < b.size ? a.size : b.size;
    int order = both > 0 ? memcmp(a.text, b.text, both) : 0;
    return order != 0 ? order : a.size < b.size ? -1 : a.size > b.size;
}

static int compare_stored(const void *left, const void *right) {
    return compare_texts(((const Stored *)left)->reference.key,
                         ((const Stored *)right)->reference.key);
}

static Stored *find_stored(const Legacy *legacy, PickleText key) {
    const Stored wanted = {.reference.key = key};
    return legacy->count == 0
               ? NULL
               : bsearch(&wanted, legacy->stored, legacy->count, sizeof wanted, compare_stored);
}

// Orders by key and keeps one of each: references that share a key must mean the same.
static Status merge_stored(Legacy *legacy) {
    if (legacy->count == 0) {
        return STATUS_OK;
    }
    qsort(legacy->stored, legacy->count, sizeof *legacy->stored, compare_stored);
    size_t kept = 0;
    for (size_t i = 1; i < legacy->count; i++) {
        const TorchReference *a = &legacy->stored[kept].reference;
        const TorchReference *b = &legacy->stored[i].reference;
        if (compare_stored(&legacy->stored[kept], &legacy->stored[i]) != 0) {
            legacy->stored[++kept] = legacy->stored[i];
        } else if (a->element_bytes != b->element_bytes || a->count != b->count) {
            return status_fail(STATUS_FAILED,
                               "storage \"%.*s\": has %" PRId64
                               " elements of %zu bytes and %" PRId64 " of %zu, expected one size",
                               SHOWN_TEXT(a->key), a->count, a->element_bytes, b->count,
                               b->element_bytes);
        }
    }
    legacy->count = kept + 1;
    return STATUS_OK;
}

// Many references may name one storage, so memory is taken for as many as there are keys.
static Status add_stored(Legacy *legacy, const TorchReference *reference) {
    if (legacy->count == legacy->capacity) {
        TRY(merge_stored(legacy));
        if (legacy->count >= legacy->capacity / 2) {
            size_t larger = legacy->capacity + legacy->capacity / 2 + 16;
            Stored *moved = realloc(legacy->stored, larger * sizeof *moved);
            if (moved == NULL) {
                return status_fail(STATUS_FAILED, "out of memory");
            }
            legacy->stored = moved;
            legacy->capacity = larger;
        }
    }
    legacy->stored[legacy->count++] = (Stored){.reference = *reference};
    return STATUS_OK;
}

static Status gather(Legacy *legacy, const Pickle *object) {
    for (PickleValue value = 1; value <= pickle_value_count(object); value++) {
        if (pickle_kind(object, value) != PICKLE_PERSISTENT) {
            continue;
        }
        bool is_storage;
        TorchReference reference;
        TRY(torch_reference_read(object, value, &is_storage, &reference));
        if (!is_storage) {
            continue;
        }
        if (!reference.known) {
            return status_fail(STATUS_FAILED,
                               "storage \"%.*s\": its class is \"%.*s\", expected one of PyTorch's",
                               SHOWN_TEXT(reference.key), SHOWN_TEXT(reference.class_name));
        }
        TRY(add_stored(legacy, &reference));
    }
    return merge_stored(legacy);
}

static Status read_storage(Legacy *legacy, PickleText key) {
    Stored *stored = find_stored(legacy, key);
    if (stored == NULL || stored->storage.bytes != NULL) {
        return status_fail(STATUS_FAILED, "byte %zu: storage \"%.*s\" %s", legacy->at,
                           SHOWN_TEXT(key),
                           stored == NULL ? "is none that a tensor has, expected one"
                                          : "is there twice, expected once");
    }
    if (legacy->size - legacy->at < COUNT_BYTES) {
        return status_fail(STATUS_FAILED,
                           "byte %zu: storage \"%.*s\" begins here, but %zu bytes are left (cut "
                           "short?)",
                           legacy->at, SHOWN_TEXT(key), legacy->size - legacy->at);
    }
    int64_t count;
    memcpy(&count, legacy->bytes + legacy->at, COUNT_BYTES);
    const TorchReference *reference = &stored->reference;
    if (count != reference->count) {
        return status_fail(STATUS_FAILED,
                           "byte %zu: storage \"%.*s\" has %" PRId64
                           " elements, its tensors expect %" PRId64,
                           legacy->at, SHOWN_TEXT(key), count, reference->count);
    }
    legacy->at += COUNT_BYTES;
    size_t bytes = (size_t)count * reference->element_bytes;
    if (bytes > legacy->size - legacy->at) {
        return status_fail(
            STATUS_FAILED,
            "byte %zu: storage \"%.*s\" has %zu bytes, but %zu are left (cut short?)", legacy->at,
            SHOWN_TEXT(key), bytes, legacy->size - legacy->at);
    }
    stored->storage = (TorchStorage){.bytes = legacy->bytes + legacy->at, .size = bytes};
    legacy->at += bytes;
    return STATUS_OK;
}

static Status read_storages(Legacy *legacy, const Pickle *keys, size_t begin) {
    PickleValue root = pickle_root(keys), key;
    if (pickle_kind(keys, root) != PICKLE_LIST) {
        return status_fail(STATUS_FAILED, "byte %zu: the storages' keys are %s, expected a list",
                           begin, pickle_kind_name(pickle_kind(keys, root)));
    }
    PickleWalk walk = pickle_walk(keys, root);
    while (pickle_next(&walk, &key)) {
        if (pickle_kind(keys, key) != PICKLE_TEXT) {
            return status_fail(STATUS_FAILED, "byte %zu: a storage's key is %s, expected a text",
                               begin, pickle_kind_name(pickle_kind(keys, key)));
        }
        TRY(read_storage(legacy, pickle_text(keys, key)));
    }
    return STATUS_OK;
}

static Status find_storage(void *context, PickleText key, size_t bytes, TorchStorage *out) {
    (void)bytes; // which every reference was checked to agree on
    const Stored *stored = find_stored(context, key);
    if (stored == NULL || stored->storage.bytes == NULL) {
        return status_fail(STATUS_FAILED,
                           "its storage \"%.*s\" is not among those behind the pickles",
                           SHOWN_TEXT(key));
    }
    *out = stored->storage;
    return STATUS_OK;
}

static Status read_object(Legacy *legacy, const Pickle *object, TensorList *list) {
    TRY(gather(legacy, object));
    Pickle *keys;
    size_t begin = legacy->at;
    TRY(read_pickle(legacy, "keys", &keys));
    Status status = read_storages(legacy, keys, begin);
    pickle_free(keys);
    TRY(status);
    const TorchSource source = {.context = legacy, .storage = find_storage};
    return torch_objects_list(object, &source, list);
}

Status torch_legacy_read(const uint8_t *bytes, size_t size, TensorList *list) {
    Legacy legacy = {.bytes = bytes, .size = size};
    Pickle *object;
    TRY(read_magic(&legacy));
    TRY(read_protocol(&legacy));
    TRY(read_system(&legacy));
    TRY(read_pickle(&legacy, "object", &object));
    Status status = read_object(&legacy, object, list);
    pickle_free(object);
    free(legacy.stored);
    return status;
}
