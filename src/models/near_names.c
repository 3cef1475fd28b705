// SPDX-License-Identifier: Apache-2.0
// Nearness is Levenshtein's distance: the least number of letters to put in, take out or change.
// Of equally near names the one with the longer common beginning comes first, then the earlier one.
#include "models/near_names.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST = 63 };

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

static bool is_nearer(const NearName *a, const NearName *b) {
    return b->name == NULL || a->distance < b->distance ||
           (a->distance == b->distance && a->common > b->common);
}

void near_names_offer(NearNames *names, const char *mistyped, const char *name) {
    const NearName next = {name, distance(mistyped, name), common_beginning(mistyped, name)};
    NearName *nearest = names->nearest;
    int place = NEAR_NAMES;
    while (place > 0 && is_nearer(&next, &nearest[place - 1])) {
        place--;
        if (place + 1 < NEAR_NAMES) {
            nearest[place + 1] = nearest[place];
        }
        nearest[place] = next;
    }
}

void near_names_text(const NearNames *names, char *out, size_t size) {
    size_t length = 0;
    out[0] = '\0';
    for (int i = 0; i < NEAR_NAMES && names->nearest[i].name != NULL && length < size; i++) {
        const int added = snprintf(out + length, size - length, "%s%s", i > 0 ? ", " : "",
                                   names->nearest[i].name);
        length += added > 0 ? (size_t)added : 0;
    }
}
