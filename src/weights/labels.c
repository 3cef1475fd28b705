// SPDX-License-Identifier: Apache-2.0
#include "weights/labels.h"

#include <jansson.h>
#include <string.h>

#include "base/files.h"

enum { LABEL_MAX = 4096 };

typedef struct Lines {
    const char *at, *end;
} Lines;

// The next line without its end.
static size_t next_line(Lines *lines, const char **line) {
    *line = lines->at;
    size_t left = (size_t)(lines->end - lines->at);
    const char *stop = memchr(lines->at, '\n', left);
    size_t length = stop == NULL ? left : (size_t)(stop - lines->at);
    lines->at += stop == NULL ? left : length + 1;
    if (length > 0 && (*line)[length - 1] == '\r') {
        length--;
    }
    return length;
}

static Lines lines_of(const FileBytes *file) {
    const char *text = file->size > 0 ? (const char *)file->bytes : "";
    Lines lines = {text, text + file->size};
    if (file->size >= 3 && memcmp(lines.at, "\xef\xbb\xbf", 3) == 0) {
        lines.at += 3;
    }
    while (lines.end > lines.at && (lines.end[-1] == '\n' || lines.end[-1] == '\r')) {
        lines.end--;
    }
    return lines;
}

static int count_lines(Lines lines) {
    int count = 0;
    const char *line = NULL;
    while (lines.at < lines.end) {
        next_line(&lines, &line);
        count++;
    }
    return count;
}

static Status read_names(Arena *arena, const char *path, Lines lines, char **names) {
    const char *line = NULL;
    for (int number = 1; lines.at < lines.end; number++) {
        size_t length = next_line(&lines, &line);
        if (length == 0) {
            return status_fail(STATUS_FAILED, "%s: line %d is empty, expected the name of class %d",
                               path, number, number - 1);
        }
        if (length > LABEL_MAX) {
            return status_fail(STATUS_FAILED, "%s: line %d has %zu bytes, expected at most %d",
                               path, number, length, LABEL_MAX);
        }
        json_t *text = json_stringn(line, length); // NULL where it is not UTF-8
        if (text == NULL || memchr(line, '\0', length) != NULL) {
            json_decref(text);
            return status_fail(STATUS_FAILED, "%s: line %d is not UTF-8 text", path, number);
        }
        json_decref(text);
        names[number - 1] = arena_format(arena, "%.*s", (int)length, line);
        if (names[number - 1] == NULL) {
            return status_fail(STATUS_FAILED, "%s: cannot get memory for class names", path);
        }
    }
    return STATUS_OK;
}

Status labels_read(Arena *arena, const char *path, int count, char ***out) {
    FileBytes file = {0};
    TRY(file_map(path, &file));
    Lines lines = lines_of(&file);
    int found = count_lines(lines);
    char **names = arena_alloc(arena, (size_t)count * sizeof *names);
    Status status = STATUS_OK;
    if (names == NULL) {
        status = status_fail(STATUS_FAILED, "%s: cannot get memory for class names", path);
    } else if (found != count) {
        status = status_fail(STATUS_FAILED,
                             "%s: has %d lines with names of classes, but the model has %d classes",
                             path, found, count);
    } else {
        status = read_names(arena, path, lines, names);
    }
    file_unmap(&file);
    *out = names;
    return status;
}
