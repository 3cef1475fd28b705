// SPDX-License-Identifier: Apache-2.0
// Memory of a report: taken piece by piece, given back all at once. Where it runs out, the keep
// remembers that, so that whoever fills a report asks once, at the end.
#ifndef PROGRAM_KEEP_H
#define PROGRAM_KEEP_H

#include <stddef.h>

#include "console/output.h"
#include "resnet.h"

typedef struct KeepPiece KeepPiece;
typedef struct KeepTable KeepTable;

typedef struct Keep {
    KeepPiece *pieces;
    KeepTable *tables;
    int failed;
} Keep; // zeros: empty

// Zeros; NULL when memory is out.
void *keep_take(Keep *keep, size_t count, size_t size);
// "" when memory is out.
const char *keep_text(Keep *keep, const char *format, ...) __attribute__((format(printf, 2, 3)));
// A table that ends with the keep; NULL when memory is out.
Table *keep_table(Keep *keep, const Column *columns, int count);
// Fails when any of the above did.
resnet_status keep_check(const Keep *keep);
void keep_release(Keep *keep);

#endif
