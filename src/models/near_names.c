// SPDX-License-Identifier: Apache-2.0
// Nearness is Levenshtein's distance: the least number of letters to put in, take out or change.
// Of equally near names the one with the longer common beginning comes first, then table order.
#include "models/near_names.h"

#include <stdio.h>
#include <string.h>

#include "models/models.h"

enum { NEAREST = 3, LONGEST = 63 };

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// Looks at the first LONGEST letters of each name.
static size_t distance(const char *a, const char *b) {
    size_t rows = strnlen(a, LONGEST), columns = strnlen(b, LONGEST);
    size_t row[LONGEST + 1]; // distances of a's first r letters to every beginning of b
    for (size_t c = 0; c <= columns; c++) {
        row[c] = c;
    }
    for (size_t r = 1; r <= rows; r++) {
        size_t diagonal = row[0];
        row[0] = r;
        for (size_t c = 1; c <= columns; c++) {
            size_t changed = diagonal + (a[r - 1] != b[c - 1]);
            diagonal = row[c];
            row[c] = smaller(changed, smaller(row[c], row[c - 1]) + 1);
        }
    }
    return row[columns];
}

static size_t common_beginning(const char *a, const char *b) {
    size_t length = 0;
    while (a[length] != '\0' && a[length] == b[length]) {
        length++;
    }
    return length;
}

typedef struct Candidate {
    const char *name;
    size_t distance, common;
} Candidate;

static bool is_nearer(const Candidate *a, const Candidate *b) {
    return b->name == NULL || a->distance < b->distance ||
           (a->distance == b->distance && a->common > b->common);
}

void near_names(const char *name, char *out, size_t size) {
    Candidate nearest[NEAREST] = {0};
    const ModelInfo *info = NULL;
    for (int index = 0; (info = model_info(index)) != NULL; index++) {
        Candidate next = {info->name, distance(name, info->name),
                          common_beginning(name, info->name)};
        int place = NEAREST;
        while (place > 0 && is_nearer(&next, &nearest[place - 1])) {
            place--;
            if (place + 1 < NEAREST) {
                nearest[place + 1] = nearest[place];
            }
            nearest[place] = next;
        }
    }
    size_t length = 0;
    out[0] = '\0';
    for (int i = 0; i < NEAREST && nearest[i].name != NULL && length < size; i++) {
        int added =
            snprintf(out + length, size - length, "%s%s", i > 0 ? ", " : "", nearest[i].name);
        length += added > 0 ? (size_t)added : 0;
    }
}
