// SPDX-License-Identifier: Apache-2.0
// Files put together by hand, honest or not: bytes, zip records, PyTorch's legacy form, tar
// members.
#ifndef RESNET_TESTS_FORMATS_BYTES_H
#define RESNET_TESTS_FORMATS_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

typedef struct Bytes {
    uint8_t *bytes;
    size_t size, room;
} Bytes;

static inline void bytes_add(Bytes *to, const void *from, size_t size) {
    while (to->room < to->size + size) {
        to->room = 2 * to->room + 256;
        to->bytes = realloc(to->bytes, to->room);
        if (to->bytes == NULL) {
            abort();
        }
    }
    if (size > 0) {
        memcpy(to->bytes + to->size, from, size);
    }
    to->size += size;
}

static inline void bytes_text(Bytes *to, const char *text) { bytes_add(to, text, strlen(text)); }

// A number of so many bytes, little-endian.
static inline void bytes_number(Bytes *to, uint64_t number, size_t size) {
    bytes_add(to, &number, size);
}

static inline void bytes_free(Bytes *bytes) {
    free(bytes->bytes);
    *bytes = (Bytes){0};
}

// What a record's headers say; what is 0 is filled in truthfully.
typedef struct ZipLie {
    uint16_t method, flags;
    uint32_t checksum, offset;
    uint32_t stored, size; // compressed and uncompressed
    uint16_t name_size;
} ZipLie;

// A zip file that grows record by record.
typedef struct ZipMaker {
    Bytes file, directory;
    uint16_t count;
} ZipMaker;

static inline void zip_add_lie(ZipMaker *zip, const char *name, const void *data, size_t size,
                               ZipLie lie) {
    uint32_t offset = lie.offset != 0 ? lie.offset : (uint32_t)zip->file.size;
    uint32_t checksum = lie.checksum != 0 ? lie.checksum : (uint32_t)crc32_z(0, data, size);
    Bytes shared = {0}; // the part that both headers have
    bytes_number(&shared, 20, 2);
    bytes_number(&shared, lie.flags, 2);
    bytes_number(&shared, lie.method, 2);
    bytes_number(&shared, 0, 4); // time and date
    bytes_number(&shared, checksum, 4);
    bytes_number(&shared, lie.stored != 0 ? lie.stored : size, 4);
    bytes_number(&shared, lie.size != 0 ? lie.size : size, 4);
    bytes_number(&shared, lie.name_size != 0 ? lie.name_size : strlen(name), 2);
    bytes_number(&shared, 0, 2); // no extra field
    bytes_text(&zip->file, "PK\3\4");
    bytes_add(&zip->file, shared.bytes, shared.size);
    bytes_text(&zip->file, name);
    bytes_add(&zip->file, data, size);
    bytes_text(&zip->directory, "PK\1\2");
    bytes_number(&zip->directory, 20, 2);
    bytes_add(&zip->directory, shared.bytes, shared.size);
    bytes_number(&zip->directory, 0, 2 + 2); // comment, disk
    bytes_number(&zip->directory, 0, 2 + 4); // attributes
    bytes_number(&zip->directory, offset, 4);
    bytes_text(&zip->directory, name);
    bytes_free(&shared);
    zip->count++;
}

static inline void zip_add(ZipMaker *zip, const char *name, const void *data, size_t size) {
    zip_add_lie(zip, name, data, size, (ZipLie){0});
}

// The file whole; `count` is what its end says about the number of records.
static inline Bytes zip_finish_lie(ZipMaker *zip, uint16_t count) {
    size_t begin = zip->file.size;
    bytes_add(&zip->file, zip->directory.bytes, zip->directory.size);
    bytes_text(&zip->file, "PK\5\6");
    bytes_number(&zip->file, 0, 4);
    bytes_number(&zip->file, count, 2);
    bytes_number(&zip->file, count, 2);
    bytes_number(&zip->file, zip->directory.size, 4);
    bytes_number(&zip->file, begin, 4);
    bytes_number(&zip->file, 0, 2);
    bytes_free(&zip->directory);
    Bytes file = zip->file;
    *zip = (ZipMaker){0};
    return file;
}

static inline Bytes zip_finish(ZipMaker *zip) { return zip_finish_lie(zip, zip->count); }

#define LEGACY_MAGIC "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."
#define LEGACY_PROTOCOL "\x80\x02M\xe9\x03."
#define LEGACY_SYSTEM "\x80\x02}U\x0dlittle_endian\x88s."
#define BYTES_OF(literal) literal, sizeof literal - 1

static inline void legacy_begin(Bytes *file) {
    bytes_add(file, BYTES_OF(LEGACY_MAGIC));
    bytes_add(file, BYTES_OF(LEGACY_PROTOCOL));
    bytes_add(file, BYTES_OF(LEGACY_SYSTEM));
}

static inline void tar_add(Bytes *file, const char *name, const void *data, size_t size) {
    char header[512] = "";
    snprintf(header, 100, "%s", name);
    snprintf(header + 100, 24, "0000644");
    snprintf(header + 124, 12, "%011zo", size);
    snprintf(header + 136, 12, "00000000000");
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    memset(header + 148, ' ', 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof header; i++) {
        sum += (unsigned char)header[i];
    }
    snprintf(header + 148, 8, "%06o", sum);
    bytes_add(file, header, sizeof header);
    bytes_add(file, data, size);
    while (file->size % 512 != 0) {
        bytes_number(file, 0, 1);
    }
}

#endif
