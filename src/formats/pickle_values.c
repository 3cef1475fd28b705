// SPDX-License-Identifier: Apache-2.0
// Access to the values of a pickle that was read.
#include <string.h>

#include "formats/pickle_machine.h"

static const char *const KIND_NAMES[PICKLE_KIND_COUNT] = {
    [PICKLE_NOTHING] = "nothing",
    [PICKLE_NONE] = "None",
    [PICKLE_BOOL] = "a truth value",
    [PICKLE_INTEGER] = "an integer",
    [PICKLE_LONG] = "a big integer",
    [PICKLE_FLOAT] = "a number",
    [PICKLE_TEXT] = "a text",
    [PICKLE_BYTES] = "bytes",
    [PICKLE_TUPLE] = "a tuple",
    [PICKLE_LIST] = "a list",
    [PICKLE_SET] = "a set",
    [PICKLE_DICT] = "a dictionary",
    [PICKLE_GLOBAL] = "a class",
    [PICKLE_OBJECT] = "an object",
    [PICKLE_PERSISTENT] = "a storage",
};

const char *pickle_kind_name(PickleKind kind) { return KIND_NAMES[kind]; }

bool pickle_text_equal(PickleText text, const char *other) {
    return text.size == strlen(other) && memcmp(text.text, other, text.size) == 0;
}

PickleNode *pickle_node(const Pickle *pickle, PickleValue value) {
    return pile_at(&pickle->nodes, value);
}

uint32_t *pickle_word(const Pickle *pickle, uint32_t index) {
    return pile_at(&pickle->words, index);
}

size_t pickle_size(const Pickle *pickle) { return pickle->size; }

PickleValue pickle_root(const Pickle *pickle) { return pickle->root; }

uint32_t pickle_value_count(const Pickle *pickle) { return (uint32_t)pickle->nodes.count - 1; }

PickleKind pickle_kind(const Pickle *pickle, PickleValue value) {
    return (PickleKind)pickle_node(pickle, value)->kind;
}

static const PickleNode *node_of(const Pickle *pickle, PickleValue value, PickleKind kind) {
    const PickleNode *node = pickle_node(pickle, value);
    return node->kind == kind ? node : NULL;
}

bool pickle_bool(const Pickle *pickle, PickleValue value) {
    const PickleNode *node = node_of(pickle, value, PICKLE_BOOL);
    return node != NULL && node->integer != 0;
}

bool pickle_integer(const Pickle *pickle, PickleValue value, int64_t *out) {
    const PickleNode *node = node_of(pickle, value, PICKLE_INTEGER);
    *out = node != NULL ? node->integer : 0;
    return node != NULL;
}

double pickle_float(const Pickle *pickle, PickleValue value) {
    const PickleNode *node = node_of(pickle, value, PICKLE_FLOAT);
    return node != NULL ? node->number : 0;
}

PickleText pickle_text(const Pickle *pickle, PickleValue value) {
    const PickleNode *node = pickle_node(pickle, value);
    if (node->kind != PICKLE_TEXT && node->kind != PICKLE_BYTES && node->kind != PICKLE_LONG) {
        return (PickleText){.text = ""};
    }
    return (PickleText){.text = (const char *)pickle->bytes + node->first, .size = node->count};
}

PickleValue pickle_persistent(const Pickle *pickle, PickleValue value) {
    const PickleNode *node = node_of(pickle, value, PICKLE_PERSISTENT);
    return node != NULL ? node->first : 0;
}

bool pickle_global(const Pickle *pickle, PickleValue value, PickleText *module, PickleText *name) {
    const PickleNode *node = node_of(pickle, value, PICKLE_GLOBAL);
    *module = pickle_text(pickle, node != NULL ? node->first : 0);
    *name = pickle_text(pickle, node != NULL ? node->last : 0);
    return node != NULL;
}

bool pickle_is_global(const Pickle *pickle, PickleValue value, const char *module,
                      const char *name) {
    PickleText module_text, name_text;
    return pickle_global(pickle, value, &module_text, &name_text) &&
           pickle_text_equal(module_text, module) && pickle_text_equal(name_text, name);
}

PickleObject pickle_object(const Pickle *pickle, PickleValue value) {
    const PickleNode *node = node_of(pickle, value, PICKLE_OBJECT);
    if (node == NULL) {
        return (PickleObject){0};
    }
    return (PickleObject){
        .function = *pickle_word(pickle, node->first + OBJECT_FUNCTION),
        .arguments = *pickle_word(pickle, node->first + OBJECT_ARGUMENTS),
        .state = *pickle_word(pickle, node->first + OBJECT_STATE),
    };
}

static bool is_container(PickleKind kind) {
    return kind == PICKLE_TUPLE || kind == PICKLE_LIST || kind == PICKLE_SET ||
           kind == PICKLE_DICT || kind == PICKLE_OBJECT;
}

uint32_t pickle_count(const Pickle *pickle, PickleValue value) {
    const PickleNode *node = pickle_node(pickle, value);
    return is_container((PickleKind)node->kind) ? node->count : 0;
}

PickleValue pickle_element(const Pickle *pickle, PickleValue tuple, uint32_t index) {
    const PickleNode *node = node_of(pickle, tuple, PICKLE_TUPLE);
    if (node == NULL || index >= node->count) {
        return 0;
    }
    return *pickle_word(pickle, node->first + SEGMENT_HEAD + index);
}

PickleWalk pickle_walk(const Pickle *pickle, PickleValue value) {
    const PickleNode *node = pickle_node(pickle, value);
    uint32_t segment = 0;
    if (node->kind == PICKLE_OBJECT) {
        segment = *pickle_word(pickle, node->first + OBJECT_FIRST);
    } else if (is_container((PickleKind)node->kind)) {
        segment = node->first;
    }
    return (PickleWalk){.pickle = pickle, .segment = segment};
}

bool pickle_next(PickleWalk *walk, PickleValue *element) {
    // No segment is empty.
    *element = 0;
    if (walk->segment == 0) {
        return false;
    }
    *element = *pickle_word(walk->pickle, walk->segment + SEGMENT_HEAD + walk->index++);
    if (walk->index == *pickle_word(walk->pickle, walk->segment + SEGMENT_COUNT)) {
        walk->segment = *pickle_word(walk->pickle, walk->segment + SEGMENT_NEXT);
        walk->index = 0;
    }
    return true;
}

bool pickle_next_pair(PickleWalk *walk, PickleValue *key, PickleValue *element) {
    *element = 0;
    return pickle_next(walk, key) && pickle_next(walk, element);
}

PickleValue pickle_find(const Pickle *pickle, PickleValue dict, const char *key) {
    PickleKind kind = pickle_kind(pickle, dict);
    PickleValue found = 0, name, element;
    if (kind == PICKLE_DICT || kind == PICKLE_OBJECT) {
        PickleWalk walk = pickle_walk(pickle, dict);
        while (pickle_next_pair(&walk, &name, &element)) {
            if (pickle_kind(pickle, name) == PICKLE_TEXT &&
                pickle_text_equal(pickle_text(pickle, name), key)) {
                found = element;
            }
        }
    }
    return found;
}
