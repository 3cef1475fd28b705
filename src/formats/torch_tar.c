// SPDX-License-Identifier: Apache-2.0
// The files of PyTorch's very first releases: a tar file of three members.
//
//     storages   n, n × ((key, location, class), count, elements), [(key, of key, offset, count),
//     …] tensors    n, n × ((key, storage's key, class), rank, 0, sizes, strides, offset) pickle
//     the object, with the keys of tensors
//
// What is in parentheses or brackets, and n, are pickles; count, sizes, strides and offset are
// numbers of 64 bits, rank and the 0 behind it of 32.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "formats/text.h"
#include "formats/torch_objects.h"
#include "formats/torch_readers.h"

enum { PART_BYTES = 10 }; // at least, of a view: a tuple of four numbers
enum { BLOCK = 512, SIZE_AT = 124, SIZE_DIGITS = 12, SUM_AT = 148, SUM_DIGITS = 8 };

typedef struct Entry {
    int64_t key;
    TorchReference class;
    TorchView view; // of a storage: only its bytes
} Entry;

typedef struct Entries {
    Entry *entries; // by key
    size_t count, capacity;
} Entries;

// A member, read from its begin to its end.
typedef struct Member {
    const char *name;
    const uint8_t *bytes; // the file's
    size_t at, end;
} Member;

typedef struct Tar {
    Entries storages, tensors;
} Tar;

static Status take(Member *member, size_t size, void *out) {
    if (size > member->end - member->at) {
        return status_fail(STATUS_FAILED, "%s at byte %zu: %zu bytes expected, %zu are left",
                           member->name, member->at, size, member->end - member->at);
    }
    memcpy(out, member->bytes + member->at, size);
    member->at += size;
    return STATUS_OK;
}

static Status read_pickle(Member *member, Pickle **out) {
    Status status =
        pickle_read(member->bytes + member->at, member->end - member->at, member->at, out);
    if (status != STATUS_OK) {
        return status_context(status, "%s", member->name);
    }
    member->at += pickle_size(*out);
    return STATUS_OK;
}

// How many entries follow, of which each has at least one byte.
static Status read_count(Member *member, int64_t *out) {
    Pickle *pickle;
    size_t begin = member->at;
    TRY(read_pickle(member, &pickle));
    bool right = pickle_integer(pickle, pickle_root(pickle), out);
    pickle_free(pickle);
    if (!right || *out < 0 || (uint64_t)*out > member->end - member->at) {
        return status_fail(STATUS_FAILED, "%s at byte %zu: %" PRId64 " entries, expected 0 to %zu",
                           member->name, begin, *out, member->end - member->at);
    }
    return STATUS_OK;
}

// Keys are integers, or texts of integers.
static bool read_key(const Pickle *pickle, PickleValue value, int64_t *out) {
    PickleText text = pickle_text(pickle, value);
    char digits[32] = "";
    if (pickle_kind(pickle, value) == PICKLE_TEXT && text.size < sizeof digits) {
        memcpy(digits, text.text, text.size);
        return number_parse_integer(digits, out);
    }
    return pickle_integer(pickle, value, out);
}

static int compare_entries(const void *left, const void *right) {
    int64_t a = ((const Entry *)left)->key, b = ((const Entry *)right)->key;
    return a < b ? -1 : a > b;
}

static const Entry *find_entry(const Entries *entries, int64_t key) {
    const Entry wanted = {.key = key};
    return entries->count == 0
               ? NULL
               : bsearch(&wanted, entries->entries, entries->count, sizeof wanted, compare_entries);
}

static Status add_entry(Entries *entries, const Entry *entry) {
    if (entries->count == entries->capacity) {
        size_t larger = entries->capacity + entries->capacity / 2 + 16;
        Entry *moved = realloc(entries->entries, larger * sizeof *moved);
        if (moved == NULL) {
            return status_fail(STATUS_FAILED, "out of memory");
        }
        entries->entries = moved;
        entries->capacity = larger;
    }
    entries->entries[entries->count++] = *entry;
    return STATUS_OK;
}

static Status order(Entries *entries, const char *what) {
    if (entries->count > 0) {
        qsort(entries->entries, entries->count, sizeof(Entry), compare_entries);
    }
    for (size_t i = 1; i < entries->count; i++) {
        if (entries->entries[i - 1].key == entries->entries[i].key) {
            return status_fail(STATUS_FAILED, "%s: key %" PRId64 " is there twice, expected once",
                               what, entries->entries[i].key);
        }
    }
    return STATUS_OK;
}

static Status read_storage(Member *member, Entry *entry) {
    Pickle *pickle;
    size_t begin = member->at, bytes;
    TRY(read_pickle(member, &pickle));
    PickleValue root = pickle_root(pickle);
    bool right = read_key(pickle, pickle_element(pickle, root, 0), &entry->key);
    torch_storage_class(pickle, pickle_element(pickle, root, 2), &entry->class);
    entry->class.class_name = (PickleText){.text = ""}; // it goes with the pickle
    pickle_free(pickle);
    if (!right || !entry->class.known) {
        return status_fail(STATUS_FAILED,
                           "%s at byte %zu: no (key, location, class) of a storage, expected one",
                           member->name, begin);
    }
    int64_t count;
    begin = member->at;
    TRY(take(member, sizeof count, &count));
    if (count < 0 || __builtin_mul_overflow((size_t)count, entry->class.element_bytes, &bytes) ||
        bytes > member->end - member->at) {
        return status_fail(
            STATUS_FAILED, "%s at byte %zu: %" PRId64 " elements of %zu bytes, but %zu are left",
            member->name, begin, count, entry->class.element_bytes, member->end - member->at);
    }
    entry->view.dtype = entry->class.dtype;
    entry->view.storage = (TorchStorage){member->bytes + member->at, bytes};
    member->at += bytes;
    return STATUS_OK;
}

// A part of a storage, under a key of its own.
static Status read_part(const Pickle *pickle, PickleValue tuple, const Entries *roots, Entry *out) {
    int64_t key, root_key, offset, count;
    if (!read_key(pickle, pickle_element(pickle, tuple, 0), &key) ||
        !read_key(pickle, pickle_element(pickle, tuple, 1), &root_key) ||
        !pickle_integer(pickle, pickle_element(pickle, tuple, 2), &offset) ||
        !pickle_integer(pickle, pickle_element(pickle, tuple, 3), &count)) {
        return status_fail(STATUS_FAILED, "a view that is no (key, key, offset, count)");
    }
    const Entry *root = find_entry(roots, root_key);
    if (root == NULL) {
        return status_fail(STATUS_FAILED, "a view of storage %" PRId64 ", which is not there",
                           root_key);
    }
    const size_t element = root->class.element_bytes;
    size_t whole = root->view.storage.size / element;
    if (offset < 0 || count < 0 || (size_t)offset > whole ||
        (size_t)count > whole - (size_t)offset) {
        return status_fail(STATUS_FAILED,
                           "a view of elements %" PRId64 " … + %" PRId64 " of storage %" PRId64
                           ", which has %zu",
                           offset, count, root_key, whole);
    }
    *out = *root;
    out->key = key;
    out->view.storage.bytes += (size_t)offset * element;
    out->view.storage.size = (size_t)count * element;
    return STATUS_OK;
}

static Status read_parts(Tar *tar, Member *member) {
    Pickle *pickle;
    size_t begin = member->at, roots = tar->storages.count;
    TRY(read_pickle(member, &pickle));
    PickleValue tuple;
    PickleWalk walk = pickle_walk(pickle, pickle_root(pickle));
    Status status = STATUS_OK;
    if (pickle_count(pickle, pickle_root(pickle)) > pickle_size(pickle) / PART_BYTES) {
        status = status_fail(STATUS_FAILED, "%s at byte %zu: %u views in a pickle of %zu bytes",
                             member->name, begin, pickle_count(pickle, pickle_root(pickle)),
                             pickle_size(pickle));
    }
    while (status == STATUS_OK && pickle_next(&walk, &tuple)) {
        // Those added before are not looked at: a view is of a root.
        const Entries whole = {.entries = tar->storages.entries, .count = roots};
        Entry part;
        status = read_part(pickle, tuple, &whole, &part);
        if (status != STATUS_OK) {
            status_context(status, "%s at byte %zu", member->name, begin);
        } else {
            status = add_entry(&tar->storages, &part);
        }
    }
    pickle_free(pickle);
    return status;
}

static Status read_storages(Tar *tar, Member *member) {
    int64_t count;
    TRY(read_count(member, &count));
    for (int64_t i = 0; i < count; i++) {
        Entry entry = {0};
        TRY(read_storage(member, &entry));
        TRY(add_entry(&tar->storages, &entry));
    }
    TRY(order(&tar->storages, member->name));
    TRY(read_parts(tar, member));
    return order(&tar->storages, member->name);
}

static Status read_tensor(const Tar *tar, Member *member, Entry *out) {
    Pickle *pickle;
    size_t begin = member->at;
    int64_t key, storage_key;
    TRY(read_pickle(member, &pickle));
    PickleValue root = pickle_root(pickle);
    bool right = read_key(pickle, pickle_element(pickle, root, 0), &key) &&
                 read_key(pickle, pickle_element(pickle, root, 1), &storage_key);
    pickle_free(pickle);
    const Entry *storage = right ? find_entry(&tar->storages, storage_key) : NULL;
    if (storage == NULL) {
        return status_fail(STATUS_FAILED,
                           "%s at byte %zu: no (key, storage's key, class) of a tensor whose "
                           "storage is there",
                           member->name, begin);
    }
    *out = *storage;
    out->key = key;
    begin = member->at;
    int32_t rank[2];
    TRY(take(member, sizeof rank, rank));
    if (rank[0] < 0 || rank[0] > TENSOR_RANK_MAX) {
        return status_fail(STATUS_FAILED, "%s at byte %zu: a tensor of %d axes, expected 0 to %d",
                           member->name, begin, rank[0], TENSOR_RANK_MAX);
    }
    size_t bytes = (size_t)rank[0] * sizeof(int64_t);
    out->view.rank = rank[0];
    TRY(take(member, bytes, out->view.sizes));
    TRY(take(member, bytes, out->view.strides));
    return take(member, sizeof out->view.offset, &out->view.offset);
}

static Status read_tensors(Tar *tar, Member *member) {
    int64_t count;
    TRY(read_count(member, &count));
    for (int64_t i = 0; i < count; i++) {
        Entry entry;
        TRY(read_tensor(tar, member, &entry));
        TRY(add_entry(&tar->tensors, &entry));
    }
    return order(&tar->tensors, member->name);
}

static Status find_tensor(void *context, const Pickle *pickle, PickleValue id, bool *found,
                          TorchView *out) {
    const Tar *tar = context;
    int64_t key;
    *found = false;
    if (!read_key(pickle, id, &key)) {
        return STATUS_OK; // a class
    }
    const Entry *tensor = find_entry(&tar->tensors, key);
    if (tensor == NULL && find_entry(&tar->storages, key) == NULL) {
        return status_fail(STATUS_FAILED, "key %" PRId64 " is not among the tensors", key);
    }
    if (tensor != NULL && tensor->class.readable) {
        *found = true;
        *out = tensor->view;
    }
    return STATUS_OK;
}

static Status no_storage(void *context, PickleText key, size_t bytes, TorchStorage *out) {
    (void)context, (void)bytes, (void)out;
    return status_fail(STATUS_FAILED,
                       "its storage is \"%.*s\", expected a tensor by its key in a file of this "
                       "age",
                       SHOWN_TEXT(key));
}

static bool read_octal(const uint8_t *digits, size_t count, uint64_t *out) {
    *out = 0;
    size_t i = 0;
    while (i < count && digits[i] == ' ') {
        i++;
    }
    for (; i < count && digits[i] >= '0' && digits[i] <= '7'; i++) {
        *out = *out * 8 + (uint64_t)(digits[i] - '0');
    }
    return i == count || digits[i] == '\0' || digits[i] == ' ';
}

// The header's sum, its own digits counted as spaces.
static uint64_t header_sum(const uint8_t *header) {
    uint64_t sum = 0;
    for (size_t i = 0; i < BLOCK; i++) {
        sum += i >= SUM_AT && i < SUM_AT + SUM_DIGITS ? ' ' : header[i];
    }
    return sum;
}

static Status find_member(const uint8_t *bytes, size_t size, const char *name, Member *out) {
    for (size_t at = 0; at + BLOCK <= size && bytes[at] != '\0';) {
        const uint8_t *header = bytes + at;
        uint64_t length, sum;
        if (!read_octal(header + SIZE_AT, SIZE_DIGITS, &length) ||
            !read_octal(header + SUM_AT, SUM_DIGITS, &sum) || sum != header_sum(header)) {
            return status_fail(STATUS_FAILED,
                               "byte %zu: a tar header whose checksum is wrong (damaged?)", at);
        }
        at += BLOCK;
        if (length > size - at) {
            return status_fail(STATUS_FAILED,
                               "byte %zu: a tar member of %" PRIu64 " bytes, but %zu are left (cut "
                               "short?)",
                               at, length, size - at);
        }
        if (strncmp((const char *)header, name, strlen(name) + 1) == 0) {
            *out = (Member){.name = name, .bytes = bytes, .at = at, .end = at + (size_t)length};
            return STATUS_OK;
        }
        size_t padded = ((size_t)length + BLOCK - 1) / BLOCK * BLOCK;
        at = padded > size - at ? size : at + padded;
    }
    return status_fail(STATUS_FAILED,
                       "the tar file has no member \"%s\", expected storages, tensors and pickle "
                       "as PyTorch's first releases wrote them",
                       name);
}

static Status read_members(Tar *tar, const uint8_t *bytes, size_t size, TensorList *list) {
    Member storages, tensors, object;
    TRY(find_member(bytes, size, "storages", &storages));
    TRY(find_member(bytes, size, "tensors", &tensors));
    TRY(find_member(bytes, size, "pickle", &object));
    TRY(read_storages(tar, &storages));
    TRY(read_tensors(tar, &tensors));
    Pickle *pickle;
    TRY(read_pickle(&object, &pickle));
    const TorchSource source = {.context = tar, .storage = no_storage, .tensor = find_tensor};
    Status status = torch_objects_list(pickle, &source, list);
    pickle_free(pickle);
    return status;
}

Status torch_tar_read(const uint8_t *bytes, size_t size, TensorList *list) {
    Tar tar = {0};
    Status status = read_members(&tar, bytes, size, list);
    free(tar.storages.entries);
    free(tar.tensors.entries);
    return status;
}
