// SPDX-License-Identifier: Apache-2.0
#include "formats/tensor_list.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats/text.h"

enum {
    NAMES_FACTOR = 16, // honest files take less than one byte of names for a byte of theirs
    COPIES_FACTOR = 4, // a model and its average, each transposed, and some more
    SPARE_BYTES = 256 * 1024
};

static size_t limit(size_t size, size_t factor) {
    return size > (SIZE_MAX - SPARE_BYTES) / factor ? SIZE_MAX : size * factor + SPARE_BYTES;
}

static Status out_of_memory(void) { return status_fail(STATUS_FAILED, "out of memory"); }

Status tensor_list_create(TensorList *list, size_t size) {
    *list = (TensorList){.arena = arena_create(),
                         .names_left = limit(size, NAMES_FACTOR),
                         .copies_left = limit(size, COPIES_FACTOR)};
    return list->arena != NULL ? STATUS_OK : out_of_memory();
}

void tensor_list_destroy(TensorList *list) {
    arena_destroy(list->arena);
    free(list->tensors);
    free(list->by_name);
    free(list->metadata);
    *list = (TensorList){0};
}

static Status take(TensorList *list, size_t bytes) {
    if (bytes > list->names_left) {
        return status_fail(STATUS_FAILED,
                           "the names of its values take more than %d times the file's size "
                           "(objects that hold each other many times?)",
                           NAMES_FACTOR);
    }
    list->names_left -= bytes;
    return STATUS_OK;
}

// The array with room for one more element, at least; NULL when memory is out.
static void *reserve(void *elements, int count, int *capacity, size_t element_size) {
    if (count < *capacity) {
        return elements;
    }
    int larger = *capacity + *capacity / 2 + 16;
    void *moved = realloc(elements, (size_t)larger * element_size);
    if (moved != NULL) {
        *capacity = larger;
    }
    return moved;
}

Status tensor_list_add(TensorList *list, Tensor tensor) {
    // While the array grows, the old and the new one are there together.
    TRY(take(list, 2 * sizeof tensor + sizeof(Tensor *)));
    Tensor *tensors = reserve(list->tensors, list->count, &list->capacity, sizeof tensor);
    if (tensors == NULL) {
        return out_of_memory();
    }
    list->tensors = tensors;
    list->tensors[list->count++] = tensor;
    return STATUS_OK;
}

Status tensor_list_add_metadata(TensorList *list, MetaEntry entry) {
    TRY(take(list, 2 * sizeof entry));
    MetaEntry *metadata =
        reserve(list->metadata, list->metadata_count, &list->metadata_capacity, sizeof entry);
    if (metadata == NULL) {
        return out_of_memory();
    }
    list->metadata = metadata;
    list->metadata[list->metadata_count++] = entry;
    return STATUS_OK;
}

Status tensor_list_text(TensorList *list, const char *text, size_t size, const char **out) {
    TRY(take(list, size + 1));
    char *copy = arena_alloc(list->arena, size + 1);
    if (copy == NULL) {
        return out_of_memory();
    }
    if (size > 0) {
        memcpy(copy, text, size);
    }
    copy[size] = '\0';
    *out = copy;
    return STATUS_OK;
}

Status tensor_list_copy(TensorList *list, const char *name, size_t bytes, void **out) {
    if (bytes > list->copies_left) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": its copy in order has %zu bytes, %zu are left of %d "
                           "times the file's size",
                           SHOWN(name), bytes, list->copies_left, COPIES_FACTOR);
    }
    list->copies_left -= bytes;
    *out = arena_alloc(list->arena, bytes);
    return *out != NULL ? STATUS_OK : out_of_memory();
}

static int compare_names(const void *left, const void *right) {
    return strcmp((*(const Tensor *const *)left)->name, (*(const Tensor *const *)right)->name);
}

// The metadata's order: by key, then by value.
static int compare_entries(const void *left, const void *right) {
    const MetaEntry *a = left, *b = right;
    int keys = strcmp(a->key, b->key);
    return keys != 0 ? keys : strcmp(a->value, b->value);
}

static int compare_keys(const void *left, const void *right) {
    return strcmp(((const MetaEntry *)left)->key, ((const MetaEntry *)right)->key);
}

Status tensor_list_finish(TensorList *list, bool keys_repeat) {
    if (list->count > 0) {
        list->by_name = calloc((size_t)list->count, sizeof(Tensor *));
        if (list->by_name == NULL) {
            return out_of_memory();
        }
        for (int i = 0; i < list->count; i++) {
            list->by_name[i] = &list->tensors[i];
        }
        qsort(list->by_name, (size_t)list->count, sizeof(Tensor *), compare_names);
    }
    for (int i = 1; i < list->count; i++) {
        if (compare_names(&list->by_name[i - 1], &list->by_name[i]) == 0) {
            return status_fail(STATUS_FAILED, "tensor \"%.*s\": is there twice, expected once",
                               SHOWN(list->by_name[i]->name));
        }
    }
    if (list->metadata_count > 0) {
        qsort(list->metadata, (size_t)list->metadata_count, sizeof(MetaEntry), compare_entries);
    }
    int kept = 0;
    for (int i = 0; i < list->metadata_count; i++) {
        if (kept == 0 || compare_keys(&list->metadata[kept - 1], &list->metadata[i]) != 0) {
            list->metadata[kept++] = list->metadata[i];
        } else if (!keys_repeat) {
            return status_fail(STATUS_FAILED, "metadata \"%.*s\": is there twice, expected once",
                               SHOWN(list->metadata[i].key));
        }
    }
    list->metadata_count = kept;
    return STATUS_OK;
}

const Tensor *tensor_list_find(const TensorList *list, const char *name) {
    const Tensor wanted = {.name = name}, *key = &wanted;
    const Tensor **found = list->count == 0 ? NULL
                                            : bsearch(&key, list->by_name, (size_t)list->count,
                                                      sizeof key, compare_names);
    return found != NULL ? *found : NULL;
}

const char *tensor_list_metadata(const TensorList *list, const char *key) {
    const MetaEntry wanted = {.key = key};
    const MetaEntry *found = list->metadata_count == 0
                                 ? NULL
                                 : bsearch(&wanted, list->metadata, (size_t)list->metadata_count,
                                           sizeof wanted, compare_keys);
    return found != NULL ? found->value : NULL;
}
