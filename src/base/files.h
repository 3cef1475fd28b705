// SPDX-License-Identifier: Apache-2.0
// Files: read whole, written so that a crash or a full disk never harms what was there.
#ifndef RESNET_BASE_FILES_H
#define RESNET_BASE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

// A whole file in memory, mapped read-only. bytes is NULL when size is 0.
typedef struct FileBytes {
    const uint8_t *bytes;
    size_t size;
} FileBytes;

// Maps a regular file. Errors name the file and the system's reason.
Status file_map(const char *path, FileBytes *out);
void file_unmap(FileBytes *file);

bool file_exists(const char *path);
bool directory_exists(const char *path);

// Makes a folder and the ones above it; no error when it is there already.
Status directory_create(const char *path);

// A file being written beside its final place: "NAME.partial" until file_writer_commit(), which
// flushes it to the disk and renames it. Whatever stood at `path` stays whole until then.
typedef struct FileWriter FileWriter;

Status file_writer_open(const char *path, FileWriter **out);
// Errors are remembered: after the first one, later calls do nothing and the commit reports it.
void file_writer_write(FileWriter *writer, const void *bytes, size_t size);
void file_writer_print(FileWriter *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// Both free the writer. A commit that fails removes the partial file.
Status file_writer_commit(FileWriter *writer);
void file_writer_abandon(FileWriter *writer);

// Seconds on a clock that only goes forward.
double clock_seconds(void);

#endif
