// SPDX-License-Identifier: Apache-2.0
#include "paper/keep.h"

#include <stdarg.h>
#include <stdlib.h>

#include "console/failure.h"

struct KeepPiece {
    KeepPiece *next;
    max_align_t bytes[];
};

struct KeepTable {
    KeepTable *next;
    Table *table;
};

void *keep_take(Keep *keep, size_t count, size_t size) {
    KeepPiece *piece =
        count <= ((size_t)1 << 40) / (size + 1) ? calloc(1, sizeof *piece + count * size) : NULL;
    if (piece == NULL) {
        keep->failed = 1;
        return NULL;
    }
    piece->next = keep->pieces;
    keep->pieces = piece;
    return piece->bytes;
}

const char *keep_text(Keep *keep, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = length < 0 ? NULL : keep_take(keep, (size_t)length + 1, 1);
    if (text == NULL) {
        keep->failed = 1;
        return "";
    }
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

Table *keep_table(Keep *keep, const Column *columns, int count) {
    KeepTable *entry = keep_take(keep, 1, sizeof *entry);
    Column *copy = keep_take(keep, (size_t)count, sizeof *copy);
    if (entry == NULL || copy == NULL) {
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        copy[i] = columns[i];
    }
    entry->table = table_create(copy, count);
    if (entry->table == NULL) {
        keep->failed = 1;
        return NULL;
    }
    entry->next = keep->tables;
    keep->tables = entry;
    return entry->table;
}

resnet_status keep_check(const Keep *keep) {
    return keep->failed ? failure_say(RESNET_FAILED, "cannot get memory for a report") : RESNET_OK;
}

void keep_release(Keep *keep) {
    for (KeepTable *table = keep->tables; table != NULL; table = table->next) {
        table_destroy(table->table);
    }
    while (keep->pieces != NULL) {
        KeepPiece *next = keep->pieces->next;
        free(keep->pieces);
        keep->pieces = next;
    }
    *keep = (Keep){0};
}
