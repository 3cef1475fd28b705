// SPDX-License-Identifier: Apache-2.0
#include "formats/json_walk.h"

#include <stdio.h>
#include <string.h>

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

static void skip_space(JsonWalk *walk) {
    while (walk->at < walk->object.size && is_space(walk->object.text[walk->at])) {
        walk->at++;
    }
}

static Status unexpected(const JsonWalk *walk, const char *expected) {
    size_t offset = walk->object.offset + walk->at;
    if (walk->at == walk->object.size) {
        return status_fail(STATUS_FAILED, "header byte %zu: it ends here, expected %s", offset,
                           expected);
    }
    unsigned char found = (unsigned char)walk->object.text[walk->at];
    char shown[8];
    snprintf(shown, sizeof shown, found > ' ' && found < 0x7f ? "'%c'" : "0x%02x", found);
    return status_fail(STATUS_FAILED, "header byte %zu: found %s, expected %s", offset, shown,
                       expected);
}

// Steps over `c` and the space around it, when it is there.
static bool take(JsonWalk *walk, char c) {
    skip_space(walk);
    if (walk->at == walk->object.size || walk->object.text[walk->at] != c) {
        return false;
    }
    walk->at++;
    skip_space(walk);
    return true;
}

// Steps to the end of a string whose opening quote is at `at`.
static Status pass_string(JsonWalk *walk) {
    size_t start = walk->at;
    for (walk->at++; walk->at < walk->object.size; walk->at++) {
        char c = walk->object.text[walk->at];
        if (c == '"') {
            walk->at++;
            return STATUS_OK;
        }
        if (c == '\\' && walk->at + 1 < walk->object.size) {
            walk->at++;
        }
    }
    return status_fail(STATUS_FAILED, "header byte %zu: the string that begins here has no end",
                       walk->object.offset + start);
}

// Steps to the end of any value. Only its extent is found; what it holds is checked when decoded.
static Status pass_value(JsonWalk *walk) {
    size_t start = walk->at, depth = 0;
    do {
        if (walk->at == walk->object.size) {
            return status_fail(STATUS_FAILED,
                               "header byte %zu: the value that begins here has no end",
                               walk->object.offset + start);
        }
        char c = walk->object.text[walk->at];
        if (c == '"') {
            TRY(pass_string(walk));
        } else if (c == '{' || c == '[') {
            depth++;
            walk->at++;
        } else if (c == '}' || c == ']') {
            if (depth == 0) {
                return unexpected(walk, "a value");
            }
            depth--;
            walk->at++;
        } else if (depth > 0) {
            walk->at++;
        } else {
            while (walk->at < walk->object.size && !is_space(walk->object.text[walk->at]) &&
                   strchr(",{}[]\":", walk->object.text[walk->at]) == NULL) {
                walk->at++;
            }
            return walk->at > start ? STATUS_OK : unexpected(walk, "a value");
        }
    } while (depth > 0);
    return STATUS_OK;
}

Status json_walk_begin(JsonSpan object, JsonWalk *out) {
    *out = (JsonWalk){.object = object};
    if (object.size == 0 || object.text[0] != '{') {
        return unexpected(out, "'{'");
    }
    out->at = 1;
    return STATUS_OK;
}

Status json_walk_next(JsonWalk *walk, Arena *arena, bool *more, const char **key, JsonSpan *value) {
    *more = false;
    bool first = walk->at == 1;
    if (take(walk, '}')) {
        return walk->at == walk->object.size ? STATUS_OK
                                             : unexpected(walk, "nothing after the last '}'");
    }
    if (!first && !take(walk, ',')) {
        return unexpected(walk, "',' or '}'");
    }
    JsonSpan span = walk->object;
    if (walk->at == span.size || span.text[walk->at] != '"') {
        return unexpected(walk, first ? "a name in quotes or '}'" : "a name in quotes");
    }
    size_t start = walk->at;
    TRY(pass_string(walk));
    TRY(json_walk_string((JsonSpan){span.text + start, walk->at - start, span.offset + start},
                         arena, key));
    if (!take(walk, ':')) {
        return unexpected(walk, "':'");
    }
    start = walk->at;
    TRY(pass_value(walk));
    *value = (JsonSpan){span.text + start, walk->at - start, span.offset + start};
    *more = true;
    return STATUS_OK;
}

Status json_walk_value(JsonSpan span, json_t **out) {
    json_error_t error;
    *out = json_loadb(span.text, span.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (*out == NULL) {
        return status_fail(STATUS_FAILED, "header byte %zu: not valid JSON (%s)",
                           span.offset + (size_t)error.position,
                           json_error_code(&error) == json_error_null_character
                               ? "a string with U+0000"
                               : error.text);
    }
    return STATUS_OK;
}

Status json_walk_string(JsonSpan span, Arena *arena, const char **out) {
    *out = NULL;
    if (span.size == 0 || span.text[0] != '"') {
        return unexpected(&(JsonWalk){.object = span}, "a string in quotes");
    }
    json_t *string;
    TRY(json_walk_value(span, &string));
    *out = arena_format(arena, "%s", json_string_value(string));
    json_decref(string);
    return *out != NULL ? STATUS_OK : status_fail(STATUS_FAILED, "out of memory");
}
