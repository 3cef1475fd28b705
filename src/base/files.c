// SPDX-License-Identifier: Apache-2.0
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

Status file_map(const char *path, FileBytes *out) {
    *out = (FileBytes){0};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return status_fail(STATUS_FAILED, "%s: cannot be opened (%s)", path, strerror(errno));
    }
    struct stat stat;
    Status status = STATUS_OK;
    if (fstat(descriptor, &stat) != 0) {
        status = status_fail(STATUS_FAILED, "%s: cannot be read (%s)", path, strerror(errno));
    } else if (!S_ISREG(stat.st_mode)) {
        status = status_fail(STATUS_FAILED, "%s: is %s, not a file", path,
                             S_ISDIR(stat.st_mode) ? "a folder" : "a device or pipe");
    } else if (stat.st_size > 0) {
        void *bytes = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
        if (bytes == MAP_FAILED) {
            status = status_fail(STATUS_FAILED, "%s: cannot be read (%s)", path, strerror(errno));
        } else {
            *out = (FileBytes){.bytes = bytes, .size = (size_t)stat.st_size};
        }
    }
    close(descriptor);
    return status;
}

void file_unmap(FileBytes *file) {
    if (file->bytes != NULL) {
        munmap((void *)file->bytes, file->size);
    }
    *file = (FileBytes){0};
}

static bool exists_as(const char *path, mode_t type) {
    struct stat info;
    return stat(path, &info) == 0 && (info.st_mode & S_IFMT) == type;
}

bool file_exists(const char *path) { return exists_as(path, S_IFREG); }

bool directory_exists(const char *path) { return exists_as(path, S_IFDIR); }

Status directory_create(const char *path) {
    char *copy = strdup(path);
    if (copy == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be made (out of memory)", path);
    }
    Status status = STATUS_OK;
    // An empty path gets the system's own error; else the first character may be the root's slash.
    for (char *end = copy + (*copy != '\0'); status == STATUS_OK; end++) {
        if (*end != '/' && *end != '\0') {
            continue;
        }
        bool last = *end == '\0';
        *end = '\0';
        int error = mkdir(copy, 0777) == 0 ? 0 : errno; // kept, as looking may change errno
        if (error != 0 && !directory_exists(copy)) {
            status =
                status_fail(STATUS_FAILED, "%s: cannot be made (%s)", copy,
                            error == EEXIST ? "a file of that name is there" : strerror(error));
        }
        if (last) {
            break;
        }
        *end = '/';
    }
    free(copy);
    return status;
}

struct FileWriter {
    FILE *file;
    int error; // errno of the first failure
    char *path, *partial;
};

static void writer_free(FileWriter *writer) {
    free(writer->path);
    free(writer->partial);
    free(writer);
}

Status file_writer_open(const char *path, FileWriter **out) {
    *out = NULL;
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) {
        // Renaming over it would put a file in the place of a device.
        return status_fail(STATUS_FAILED, "%s: cannot be written (it is there and not a file)",
                           path);
    }
    FileWriter *writer = calloc(1, sizeof *writer);
    size_t bytes = strlen(path) + sizeof ".partial";
    if (writer != NULL) {
        writer->path = strdup(path);
        writer->partial = malloc(bytes);
    }
    if (writer == NULL || writer->path == NULL || writer->partial == NULL) {
        if (writer != NULL) {
            writer_free(writer);
        }
        return status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", path);
    }
    snprintf(writer->partial, bytes, "%s.partial", path);
    writer->file = fopen(writer->partial, "we");
    if (writer->file == NULL) {
        status_fail(STATUS_FAILED, "%s: cannot be written (%s)", path, strerror(errno));
        writer_free(writer);
        return STATUS_FAILED;
    }
    *out = writer;
    return STATUS_OK;
}

void file_writer_write(FileWriter *writer, const void *bytes, size_t size) {
    if (writer->error == 0 && size > 0 && fwrite(bytes, 1, size, writer->file) != size) {
        writer->error = errno != 0 ? errno : EIO;
    }
}

void file_writer_print(FileWriter *writer, const char *format, ...) {
    if (writer->error != 0) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    if (vfprintf(writer->file, format, arguments) < 0) {
        writer->error = errno != 0 ? errno : EIO;
    }
    va_end(arguments);
}

// A rename is only on the disk when its folder is.
static int flush_folder(const char *path) {
    char *copy = strdup(path);
    if (copy == NULL) {
        return ENOMEM;
    }
    int descriptor = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(copy);
    if (descriptor < 0) {
        return errno;
    }
    // EINVAL: a file system that cannot flush folders; nothing more can be done there.
    int error = fsync(descriptor) != 0 && errno != EINVAL ? errno : 0;
    close(descriptor);
    return error;
}

Status file_writer_commit(FileWriter *writer) {
    int error = writer->error;
    if (error == 0 && (fflush(writer->file) != 0 || fsync(fileno(writer->file)) != 0)) {
        error = errno;
    }
    if (fclose(writer->file) != 0 && error == 0) {
        error = errno;
    }
    if (error == 0 && rename(writer->partial, writer->path) != 0) {
        error = errno;
    }
    if (error == 0) {
        error = flush_folder(writer->path);
    } else {
        unlink(writer->partial);
    }
    Status status = STATUS_OK;
    if (error != 0) {
        status =
            status_fail(STATUS_FAILED, "%s: cannot be written (%s)", writer->path, strerror(error));
    }
    writer_free(writer);
    return status;
}

void file_writer_abandon(FileWriter *writer) {
    if (writer == NULL) {
        return;
    }
    fclose(writer->file);
    unlink(writer->partial);
    writer_free(writer);
}

double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
