// SPDX-License-Identifier: Apache-2.0
// Walks over the members of a JSON object one at a time.
//
// A parser that builds the whole document takes tens of bytes for each byte of a hostile one
// ("[[],[],[],…"). Here the extent of each value is found first, so that its reader can refuse a
// value that is too long before jansson decodes it, and only one member is decoded at a time.
#ifndef RESNET_FORMATS_JSON_WALK_H
#define RESNET_FORMATS_JSON_WALK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"

// A part of the document, whose first byte is byte `offset` of the header (for the sentences).
typedef struct JsonSpan {
    const char *text;
    size_t size, offset;
} JsonSpan;

typedef struct JsonWalk {
    JsonSpan object;
    size_t at; // bytes of `object` that are read
} JsonWalk;

// `object` must begin with '{'; whitespace alone may follow its '}'.
// Sentences of these functions begin with "header byte N: " and name no file.
Status json_walk_begin(JsonSpan object, JsonWalk *out);

// The next member: its key, decoded into `arena`, and the extent of its value, of which nothing but
// the end is known: json_walk_string() or json_walk_value() decode it. *more is false at the end of
// the object, when nothing is stored.
Status json_walk_next(JsonWalk *walk, Arena *arena, bool *more, const char **key, JsonSpan *value);

// A span that must hold one string, decoded into `arena`. Strings with U+0000 are refused.
Status json_walk_string(JsonSpan span, Arena *arena, const char **out);

// A span decoded whole, duplicate keys refused; for json_decref().
Status json_walk_value(JsonSpan span, json_t **out);

#endif
