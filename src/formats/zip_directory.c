// SPDX-License-Identifier: Apache-2.0
// A zip file is read from its end:
//
//     | header, record | header, record | … | directory | end |        offsets and counts of 32
//     bits | header, record | header, record | … | directory | end 64 | locator | end |       and
//     of 64
//
// Where a number of 32 bits is all ones, that of zip64 counts: in "end 64", or in the extra field
// of an entry. minizip is not used for it, because its version 1.1 leaves those of entries unread
// where an unsigned long has 64 bits.
#include "formats/zip_directory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/arena.h"
#include "formats/text.h"

enum {
    NAME_MAX_BYTES = 1024,
    HEADER_BYTES = 30,
    ENTRY_BYTES = 46,
    END_BYTES = 22,
    COMMENT_MAX = 0xffff,
    LOCATOR_BYTES = 20,
    END64_BYTES = 56,
    FLAG_ENCRYPTED = 1,
    FLAG_SIZES_BEHIND = 8, // the header does not know checksum and sizes
    EXTRA_ZIP64 = 1
};

struct ZipDirectory {
    Arena *arena; // names
    ZipRecord *records;
    size_t count;
};

// The directory within the file.
typedef struct Extent {
    uint64_t begin, size, entries;
} Extent;

typedef struct Entry {
    const uint8_t *name;
    size_t name_size;
    uint16_t flags, method;
    uint32_t checksum;
    uint64_t stored, size, offset;
} Entry;

static uint64_t number_at(const uint8_t *bytes, size_t size) {
    uint64_t number = 0;
    memcpy(&number, bytes, size);
    return number;
}

static bool begins_with(const uint8_t *bytes, const char *signature) {
    return memcmp(bytes, signature, 4) == 0;
}

// The end's place, or NULL: it is the last that leaves exactly its comment behind.
static const uint8_t *find_end(const uint8_t *bytes, size_t size) {
    for (size_t comment = 0; comment <= COMMENT_MAX && END_BYTES + comment <= size; comment++) {
        const uint8_t *end = bytes + size - END_BYTES - comment;
        if (begins_with(end, "PK\5\6") && number_at(end + 20, 2) == comment) {
            return end;
        }
    }
    return NULL;
}

static Status find_extent(const uint8_t *bytes, size_t size, Extent *out) {
    *out = (Extent){0};
    const uint8_t *end = find_end(bytes, size);
    if (end == NULL) {
        return status_fail(STATUS_FAILED,
                           "zip directory: none found at the end of %zu bytes (cut short?)", size);
    }
    *out = (Extent){.begin = number_at(end + 16, 4),
                    .size = number_at(end + 12, 4),
                    .entries = number_at(end + 10, 2)};
    size_t limit = (size_t)(end - bytes);
    if (limit >= LOCATOR_BYTES && begins_with(end - LOCATOR_BYTES, "PK\6\7")) {
        uint64_t at = number_at(end - LOCATOR_BYTES + 8, 8);
        limit -= LOCATOR_BYTES;
        if (limit < END64_BYTES || at > limit - END64_BYTES || !begins_with(bytes + at, "PK\6\6")) {
            return status_fail(STATUS_FAILED,
                               "zip directory: its zip64 end is not at byte %" PRIu64, at);
        }
        const uint8_t *end64 = bytes + at;
        limit = (size_t)at;
        out->entries = out->entries == UINT16_MAX ? number_at(end64 + 32, 8) : out->entries;
        out->size = out->size == UINT32_MAX ? number_at(end64 + 40, 8) : out->size;
        out->begin = out->begin == UINT32_MAX ? number_at(end64 + 48, 8) : out->begin;
    }
    if (out->begin > limit || out->size > limit - out->begin) {
        return status_fail(STATUS_FAILED,
                           "zip directory: %" PRIu64 " bytes at byte %" PRIu64
                           ", but its end is at byte %zu",
                           out->size, out->begin, limit);
    }
    if (out->entries > out->size / ENTRY_BYTES) {
        return status_fail(STATUS_FAILED,
                           "zip directory: its number of entries, %" PRIu64
                           ", cannot be true for its %" PRIu64 " bytes",
                           out->entries, out->size);
    }
    return STATUS_OK;
}

// The numbers of an entry that did not fit into 32 bits, in this order.
static bool read_zip64(const uint8_t *extra, size_t size, Entry *entry) {
    uint64_t *const numbers[] = {&entry->size, &entry->stored, &entry->offset};
    bool needed =
        entry->size == UINT32_MAX || entry->stored == UINT32_MAX || entry->offset == UINT32_MAX;
    for (size_t at = 0; needed && size - at >= 4;) {
        size_t field = (size_t)number_at(extra + at + 2, 2), used = 0;
        const uint8_t *data = extra + at + 4;
        if (field > size - at - 4) {
            return false;
        }
        for (int i = 0; i < 3 && number_at(extra + at, 2) == EXTRA_ZIP64; i++) {
            if (*numbers[i] == UINT32_MAX) {
                if (field - used < 8) {
                    return false;
                }
                *numbers[i] = number_at(data + used, 8);
                used += 8;
            }
        }
        needed = needed && used == 0;
        at += 4 + field;
    }
    return !needed;
}

// The entry at *at, behind which *at then is.
static bool read_entry(const uint8_t *bytes, uint64_t *at, uint64_t end, Entry *out) {
    if (end - *at < ENTRY_BYTES || !begins_with(bytes + *at, "PK\1\2")) {
        return false;
    }
    const uint8_t *entry = bytes + *at;
    size_t extra = (size_t)number_at(entry + 30, 2), comment = (size_t)number_at(entry + 32, 2);
    *out = (Entry){
        .name = entry + ENTRY_BYTES,
        .name_size = (size_t)number_at(entry + 28, 2),
        .flags = (uint16_t)number_at(entry + 8, 2),
        .method = (uint16_t)number_at(entry + 10, 2),
        .checksum = (uint32_t)number_at(entry + 16, 4),
        .stored = number_at(entry + 20, 4),
        .size = number_at(entry + 24, 4),
        .offset = number_at(entry + 42, 4),
    };
    if (out->name_size + extra + comment > end - *at - ENTRY_BYTES ||
        !read_zip64(out->name + out->name_size, extra, out)) {
        return false;
    }
    *at += ENTRY_BYTES + out->name_size + extra + comment;
    return true;
}

// "../weights" could end up anywhere for those who unpack; PyTorch writes no such name.
static bool leads_out(const char *name) {
    if (name[0] == '/' || strchr(name, '\\') != NULL) {
        return true;
    }
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0')) {
            return true;
        }
    }
    return false;
}

static Status read_name(Arena *arena, const Entry *entry, size_t index, const char **out) {
    if (entry->name_size >= NAME_MAX_BYTES) {
        return status_fail(STATUS_FAILED,
                           "zip directory: entry %zu has a name of %zu bytes, at most %d expected",
                           index, entry->name_size, NAME_MAX_BYTES - 1);
    }
    char *name = arena_alloc(arena, entry->name_size + 1);
    if (name == NULL) {
        return status_fail(STATUS_FAILED, "out of memory");
    }
    memcpy(name, entry->name, entry->name_size);
    name[entry->name_size] = '\0';
    if (!text_is_valid(name, entry->name_size) || leads_out(name)) {
        return status_fail(STATUS_FAILED,
                           "record \"%.*s\": entry %zu of the zip directory has a name that is not "
                           "UTF-8 or leads out of its folder",
                           SHOWN(name), index);
    }
    *out = name;
    return STATUS_OK;
}

// The header in front of the record must be there and agree with the directory.
static bool header_agrees(const uint8_t *header, const Entry *entry, uint64_t left) {
    if (left < HEADER_BYTES || !begins_with(header, "PK\3\4") ||
        number_at(header + 8, 2) != entry->method ||
        number_at(header + 26, 2) != entry->name_size || entry->name_size > left - HEADER_BYTES ||
        memcmp(header + HEADER_BYTES, entry->name, entry->name_size) != 0) {
        return false;
    }
    uint64_t stored = number_at(header + 18, 4), size = number_at(header + 22, 4);
    return (number_at(header + 6, 2) & FLAG_SIZES_BEHIND) != 0 ||
           (number_at(header + 14, 4) == entry->checksum &&
            (stored == entry->stored || stored == UINT32_MAX) &&
            (size == entry->size || size == UINT32_MAX));
}

// Records end where the directory begins.
static Status read_record(const uint8_t *bytes, const Extent *extent, const Entry *entry,
                          ZipRecord *record) {
    record->checksum = entry->checksum;
    if (entry->offset > extent->begin ||
        !header_agrees(bytes + entry->offset, entry, extent->begin - entry->offset)) {
        return status_fail(STATUS_FAILED,
                           "record \"%.*s\": its header at byte %" PRIu64
                           " cannot be read or is not what the zip directory says (damaged?)",
                           SHOWN(record->name), entry->offset);
    }
    uint64_t begin =
        entry->offset + HEADER_BYTES + entry->name_size + number_at(bytes + entry->offset + 28, 2);
    if (entry->method != 0 || (entry->flags & FLAG_ENCRYPTED) != 0) {
        return STATUS_OK;
    }
    if (begin > extent->begin || entry->stored > extent->begin - begin ||
        entry->stored != entry->size) {
        return status_fail(STATUS_FAILED,
                           "record \"%.*s\": %" PRIu64 " bytes stored as %" PRIu64
                           " at byte %" PRIu64 ", but the records end at byte %" PRIu64,
                           SHOWN(record->name), entry->size, entry->stored, begin, extent->begin);
    }
    record->bytes = bytes + begin;
    record->size = (size_t)entry->stored;
    return STATUS_OK;
}

static int compare_places(const void *left, const void *right) {
    const ZipRecord *a = left, *b = right;
    if (a->bytes != b->bytes) {
        return (uintptr_t)a->bytes < (uintptr_t)b->bytes ? -1 : 1;
    }
    return a->size < b->size ? -1 : a->size > b->size;
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const ZipRecord *)left)->name, ((const ZipRecord *)right)->name);
}

static Status check_records(ZipDirectory *directory) {
    if (directory->count == 0) {
        return STATUS_OK;
    }
    ZipRecord *records = directory->records;
    qsort(records, directory->count, sizeof *records, compare_places);
    for (size_t i = 1; i < directory->count; i++) {
        const ZipRecord *before = &records[i - 1];
        if (before->bytes != NULL && before->bytes + before->size > records[i].bytes) {
            return status_fail(STATUS_FAILED, "record \"%.*s\": overlaps record \"%.*s\"",
                               SHOWN(records[i].name), SHOWN(before->name));
        }
    }
    qsort(records, directory->count, sizeof *records, compare_names);
    for (size_t i = 1; i < directory->count; i++) {
        if (compare_names(&records[i - 1], &records[i]) == 0) {
            return status_fail(STATUS_FAILED, "record \"%.*s\": is there twice, expected once",
                               SHOWN(records[i].name));
        }
    }
    return STATUS_OK;
}

static Status read_records(ZipDirectory *directory, const uint8_t *bytes, size_t size) {
    Extent extent;
    TRY(find_extent(bytes, size, &extent));
    if (extent.entries == 0) {
        return STATUS_OK;
    }
    directory->records = calloc((size_t)extent.entries, sizeof *directory->records);
    if (directory->records == NULL) {
        return status_fail(STATUS_FAILED, "out of memory");
    }
    uint64_t at = extent.begin;
    for (size_t i = 0; i < extent.entries; i++) {
        Entry entry;
        if (!read_entry(bytes, &at, extent.begin + extent.size, &entry)) {
            return status_fail(STATUS_FAILED,
                               "zip directory: entry %zu of %" PRIu64 " at byte %" PRIu64
                               " cannot be read (damaged or cut short?)",
                               i, extent.entries, at);
        }
        ZipRecord *record = &directory->records[i];
        TRY(read_name(directory->arena, &entry, i, &record->name));
        TRY(read_record(bytes, &extent, &entry, record));
        directory->count++;
    }
    return check_records(directory);
}

Status zip_directory_read(const uint8_t *bytes, size_t size, ZipDirectory **out) {
    *out = NULL;
    ZipDirectory *directory = calloc(1, sizeof *directory);
    if (directory != NULL) {
        directory->arena = arena_create();
    }
    if (directory == NULL || directory->arena == NULL) {
        free(directory);
        return status_fail(STATUS_FAILED, "out of memory");
    }
    Status status = read_records(directory, bytes, size);
    if (status != STATUS_OK) {
        zip_directory_free(directory);
        return status;
    }
    *out = directory;
    return STATUS_OK;
}

void zip_directory_free(ZipDirectory *directory) {
    if (directory == NULL) {
        return;
    }
    arena_destroy(directory->arena);
    free(directory->records);
    free(directory);
}

size_t zip_directory_count(const ZipDirectory *directory) { return directory->count; }

const ZipRecord *zip_directory_record(const ZipDirectory *directory, size_t index) {
    return &directory->records[index];
}

static Status check_record(ZipRecord *record) {
    if (record->bytes == NULL) {
        return status_fail(STATUS_FAILED,
                           "record \"%.*s\": is compressed or encrypted, expected it stored as it "
                           "is",
                           SHOWN(record->name));
    }
    if (record->checked) {
        return STATUS_OK;
    }
    uint32_t checksum = (uint32_t)crc32_z(0, record->bytes, record->size);
    if (record->checksum != 0 && checksum != record->checksum) {
        return status_fail(STATUS_FAILED,
                           "record \"%.*s\": its %zu bytes have the CRC-32 %08" PRIx32
                           ", expected %08" PRIx32 " (damaged?)",
                           SHOWN(record->name), record->size, checksum, record->checksum);
    }
    record->checked = true;
    return STATUS_OK;
}

Status zip_directory_find(ZipDirectory *directory, const char *folder, const char *name,
                          size_t name_size, const ZipRecord **out) {
    *out = NULL;
    char wanted[NAME_MAX_BYTES];
    size_t folder_size = strlen(folder);
    if (directory->count == 0 || folder_size + name_size + 2 > sizeof wanted ||
        memchr(name, '\0', name_size) != NULL) {
        return STATUS_OK;
    }
    memcpy(wanted, folder, folder_size);
    memcpy(wanted + folder_size, name, name_size);
    wanted[folder_size + name_size] = '\0';
    const ZipRecord key = {.name = wanted};
    ZipRecord *record =
        bsearch(&key, directory->records, directory->count, sizeof key, compare_names);
    if (record != NULL) {
        TRY(check_record(record));
        *out = record;
    }
    return STATUS_OK;
}
