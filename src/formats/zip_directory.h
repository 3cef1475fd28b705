// SPDX-License-Identifier: Apache-2.0
// The directory of a zip file in memory whose records are stored as they are: where each begins.
// Zip64 included.
#ifndef RESNET_FORMATS_ZIP_DIRECTORY_H
#define RESNET_FORMATS_ZIP_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct ZipRecord {
    const char *name;
    const uint8_t *bytes; // NULL when it is compressed or encrypted
    size_t size;          // stored
    uint32_t checksum;    // CRC-32; 0 when the writer left it out
    bool checked;         // whether the bytes were found to agree with it
} ZipRecord;

typedef struct ZipDirectory ZipDirectory;

// Refuses a directory that is damaged, records that overlap or that lead out of the file, names
// that are there twice or that lead out of their folder. The bytes must outlive *out. Sentences
// name the record, and no file.
Status zip_directory_read(const uint8_t *bytes, size_t size, ZipDirectory **out);
void zip_directory_free(ZipDirectory *directory); // NULL: nothing to do

size_t zip_directory_count(const ZipDirectory *directory);
const ZipRecord *zip_directory_record(const ZipDirectory *directory, size_t index); // by name

// The record whose name is `folder` (which ends with its slash, or is empty) and `name`, stored as
// it is and with the checksum that the directory says: the bytes are looked at once. *out is NULL
// when there is no such record.
Status zip_directory_find(ZipDirectory *directory, const char *folder, const char *name,
                          size_t name_size, const ZipRecord **out);

#endif
