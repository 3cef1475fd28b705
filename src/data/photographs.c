// SPDX-License-Identifier: Apache-2.0
#include "data/photographs.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/files.h"

enum { LABEL_MAX = 999999 };

static const char *const extensions[] = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".webp"};

// Paths and labels while they are found; the labels' block is the data set's own type.
typedef struct Found {
    char **paths;
    int32_t *labels;
    size_t count, room;
} Found;

static void found_free(Found *found) {
    for (size_t i = 0; i < found->count; i++) {
        free(found->paths[i]);
    }
    free(found->paths);
    free(found->labels);
    *found = (Found){0};
}

static Status no_memory(const char *path) {
    return status_fail(STATUS_FAILED, "%s: cannot get memory for the names of its pictures", path);
}

// Takes `path`, also when it fails; NULL is a failure of memory.
static Status found_add(Found *found, const char *whence, char *path, int32_t label) {
    if (path == NULL) {
        return no_memory(whence);
    }
    if (found->count == found->room) {
        size_t room = found->room == 0 ? 256 : 2 * found->room;
        char **paths = realloc(found->paths, room * sizeof *paths);
        found->paths = paths != NULL ? paths : found->paths;
        int32_t *labels = realloc(found->labels, room * sizeof *labels);
        found->labels = labels != NULL ? labels : found->labels;
        if (paths == NULL || labels == NULL) {
            free(path);
            return no_memory(whence);
        }
        found->room = room;
    }
    if (found->count == INT32_MAX) {
        free(path);
        return status_fail(STATUS_FAILED, "%s: has more than %d pictures", whence, INT32_MAX);
    }
    found->paths[found->count] = path;
    found->labels[found->count++] = label;
    return STATUS_OK;
}

// "FOLDER/NAME" of malloc(); NAME alone when it is absolute or the folder is none.
static char *join(const char *folder, size_t folder_length, const char *name, size_t length) {
    bool alone = folder_length == 0 || (length > 0 && name[0] == '/');
    size_t front = alone ? 0 : folder_length + 1;
    char *path = malloc(front + length + 1);
    if (path != NULL) {
        if (!alone) {
            memcpy(path, folder, folder_length);
            path[folder_length] = '/';
        }
        memcpy(path + front, name, length);
        path[front + length] = '\0';
    }
    return path;
}

// Strings of `from` in one block that free() frees: the pointers, then the texts.
static Status copy_strings(const char *whence, char *const *from, size_t count, char ***out) {
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        bytes += strlen(from[i]) + 1;
    }
    char **copy = malloc(count * sizeof *copy + bytes);
    if (copy == NULL) {
        return no_memory(whence);
    }
    char *text = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(from[i]) + 1;
        copy[i] = memcpy(text, from[i], length);
        text += length;
    }
    *out = copy;
    return STATUS_OK;
}

static Status fill_dataset(const char *whence, const Found *found, Dataset *out) {
    void *labels;
    TRY(copy_strings(whence, found->paths, found->count, &out->paths));
    TRY(block_alloc(found->count * sizeof(int32_t), "the data's labels", &labels));
    out->labels = memcpy(labels, found->labels, found->count * sizeof(int32_t));
    out->count = (uint32_t)found->count;
    return STATUS_OK;
}

// ---- folders -----------------------------------------------------------------------------------

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

// Names in a folder, byte-wise sorted, without hidden ones; freed by found_free().
static Status list_names(const char *folder, Found *out) {
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be read (%s)", folder, strerror(errno));
    }
    Status status = STATUS_OK;
    struct dirent *entry;
    errno = 0;
    while (status == STATUS_OK && (entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.') {
            status = found_add(out, folder, strdup(entry->d_name), 0);
        }
        errno = 0;
    }
    if (status == STATUS_OK && errno != 0) {
        status = status_fail(STATUS_FAILED, "%s: cannot be read (%s)", folder, strerror(errno));
    }
    closedir(directory);
    if (status == STATUS_OK && out->count > 0) {
        qsort(out->paths, out->count, sizeof *out->paths, compare_names);
    }
    return status;
}

static bool is_picture(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof extensions / sizeof extensions[0]; i++) {
        if (strcasecmp(dot, extensions[i]) == 0) {
            return true;
        }
    }
    return false;
}

static Status add_class(const char *folder, int32_t label, Found *pictures) {
    Found names = {0};
    Status status = list_names(folder, &names);
    size_t before = pictures->count;
    for (size_t i = 0; i < names.count && status == STATUS_OK; i++) {
        const char *name = names.paths[i];
        if (is_picture(name)) {
            status = found_add(pictures, folder, join(folder, strlen(folder), name, strlen(name)),
                               label);
        }
    }
    found_free(&names);
    if (status == STATUS_OK && pictures->count == before) {
        status = status_fail(STATUS_FAILED,
                             "%s: has no pictures, expected some for its class (.jpg, .jpeg, .png, "
                             ".ppm, .pgm, .bmp or .webp)",
                             folder);
    }
    return status;
}

// `names` becomes the classes: those that are folders.
static Status add_classes(const char *folder, Found *names, Found *pictures) {
    size_t classes = 0;
    for (size_t i = 0; i < names->count; i++) {
        char *name = names->paths[i];
        char *path = join(folder, strlen(folder), name, strlen(name));
        if (path == NULL) {
            return no_memory(folder);
        }
        Status status = STATUS_OK;
        if (directory_exists(path)) {
            status = classes > LABEL_MAX
                         ? status_fail(STATUS_FAILED, "%s: has more than %d sub-folders", folder,
                                       LABEL_MAX + 1)
                         : add_class(path, (int32_t)classes, pictures);
            names->paths[i] = names->paths[classes];
            names->paths[classes++] = name;
        }
        free(path);
        TRY(status);
    }
    if (classes == 0) {
        return status_fail(STATUS_FAILED, "%s: has no sub-folders, expected one for each class",
                           folder);
    }
    while (names->count > classes) {
        free(names->paths[--names->count]);
    }
    return STATUS_OK;
}

Status folder_open(const char *folder, Split split, Dataset *out) {
    if (!directory_exists(folder)) {
        return status_fail(STATUS_FAILED, "%s: there is no such folder", folder);
    }
    const char *part = split == SPLIT_TRAIN ? "train" : "val";
    char *inside = join(folder, strlen(folder), part, strlen(part));
    if (inside == NULL) {
        return no_memory(folder);
    }
    Found names = {0}, pictures = {0};
    Status status = STATUS_OK;
    if (!directory_exists(inside)) {
        status = status_fail(STATUS_FAILED, "%s: has no folder %s, expected train and val", folder,
                             part);
    }
    if (status == STATUS_OK) {
        status = list_names(inside, &names);
    }
    if (status == STATUS_OK) {
        status = add_classes(inside, &names, &pictures);
    }
    if (status == STATUS_OK) {
        status = fill_dataset(inside, &pictures, out);
    }
    if (status == STATUS_OK) {
        out->classes = (int)names.count;
        status = copy_strings(inside, names.paths, names.count, &out->class_names);
    }
    found_free(&names);
    found_free(&pictures);
    free(inside);
    return status;
}

// ---- lists -------------------------------------------------------------------------------------

static bool is_blank(char byte) { return byte == ' ' || byte == '\t' || byte == '\r'; }

// The next word of [*at, end); its length, 0 when there is none.
static size_t next_word(const char **at, const char *end) {
    while (*at < end && is_blank(**at)) {
        ++*at;
    }
    const char *word = *at;
    while (word < end && !is_blank(*word)) {
        word++;
    }
    return (size_t)(word - *at);
}

static Status read_label(const char *path, size_t line, const char *word, size_t length,
                         int32_t *label) {
    int32_t value = 0;
    bool valid = length > 0;
    for (size_t i = 0; i < length && valid; i++) {
        valid = word[i] >= '0' && word[i] <= '9' && value <= LABEL_MAX;
        value = valid ? 10 * value + (word[i] - '0') : value;
    }
    if (!valid || value > LABEL_MAX) {
        return status_fail(STATUS_FAILED, "%s: line %zu has label '%.*s', expected 0 to %d", path,
                           line, (int)(length < 32 ? length : 32), word, (int)LABEL_MAX);
    }
    *label = value;
    return STATUS_OK;
}

static Status read_line(const char *path, size_t folder_length, size_t line, const char *at,
                        const char *end, Found *pictures) {
    size_t length = next_word(&at, end);
    if (length == 0 || *at == '#') {
        return STATUS_OK;
    }
    const char *name = at;
    at += length;
    size_t digits = next_word(&at, end);
    int32_t label = 0;
    TRY(read_label(path, line, at, digits, &label));
    return found_add(pictures, path, join(path, folder_length, name, length), label);
}

static Status read_lines(const char *path, const char *text, size_t size, Found *pictures) {
    const char *slash = strrchr(path, '/');
    size_t folder_length = slash == NULL ? 0 : slash == path ? 1 : (size_t)(slash - path);
    const char *end = text + size;
    for (size_t line = 1; text < end; line++) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        stop = stop != NULL ? stop : end;
        if (memchr(text, '\0', (size_t)(stop - text)) != NULL) {
            return status_fail(STATUS_FAILED, "%s: line %zu has a zero byte, expected text", path,
                               line);
        }
        TRY(read_line(path, folder_length, line, text, stop, pictures));
        text = stop < end ? stop + 1 : end;
    }
    if (pictures->count == 0) {
        return status_fail(STATUS_FAILED, "%s: names no pictures, expected lines 'path label'",
                           path);
    }
    return STATUS_OK;
}

Status list_decode(const char *path, const char *text, size_t size, Dataset *out) {
    Found pictures = {0};
    Status status =
        size == 0
            ? status_fail(STATUS_FAILED, "%s: names no pictures, expected lines 'path label'", path)
            : read_lines(path, text, size, &pictures);
    if (status == STATUS_OK) {
        status = fill_dataset(path, &pictures, out);
    }
    for (size_t i = 0; i < pictures.count && status == STATUS_OK; i++) {
        int32_t classes = pictures.labels[i] + 1;
        out->classes = classes > out->classes ? classes : out->classes;
    }
    found_free(&pictures);
    return status;
}

Status list_open(const char *path, Dataset *out) {
    FileBytes file;
    TRY(file_map(path, &file));
    Status status = list_decode(path, (const char *)file.bytes, file.size, out);
    file_unmap(&file);
    return status;
}
