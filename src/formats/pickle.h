// SPDX-License-Identifier: Apache-2.0
// Python's pickle, read as data: protocols 2 to 5, and what these still allow of 0 and 1.
//
// A pickle is a program for a stack machine that builds objects, and in Python it may call any
// function. Here calls are only written down: an object is (function, arguments, state, pairs), and
// whoever knows what "torch._utils._rebuild_tensor_v2" means makes something of it.
#ifndef RESNET_FORMATS_PICKLE_H
#define RESNET_FORMATS_PICKLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct Pickle Pickle;

// An index into the pickle's values, 0 for none. Containers hold indices, so an object may be held
// by many and even by itself.
typedef uint32_t PickleValue;

typedef enum PickleKind {
    PICKLE_NOTHING, // of value 0
    PICKLE_NONE,
    PICKLE_BOOL,
    PICKLE_INTEGER,
    PICKLE_LONG, // an integer beyond 64 bits: its bytes, two's complement, little-endian
    PICKLE_FLOAT,
    PICKLE_TEXT, // as in the file: UTF-8 is not checked
    PICKLE_BYTES,
    PICKLE_TUPLE,
    PICKLE_LIST,
    PICKLE_SET,
    PICKLE_DICT,
    PICKLE_GLOBAL,     // a function or class by its name
    PICKLE_OBJECT,     // what a call would give
    PICKLE_PERSISTENT, // something outside of the pickle, by its id
    PICKLE_KIND_COUNT
} PickleKind;

const char *pickle_kind_name(PickleKind kind); // "a tuple"

typedef struct PickleText {
    const char *text; // not zero-ended
    size_t size;
} PickleText;

bool pickle_text_equal(PickleText text, const char *other);

// Reads the pickle that begins at bytes[0], whose place in the file is `origin`: sentences begin
// "byte N: " with N from the file's beginning. Takes at most 32 times the pickle's size and 100 kB
// of memory. The bytes must outlive *out; they may go on behind the pickle.
Status pickle_read(const uint8_t *bytes, size_t size, size_t origin, Pickle **out);
void pickle_free(Pickle *pickle); // NULL: nothing to do

size_t pickle_size(const Pickle *pickle); // bytes in the file
PickleValue pickle_root(const Pickle *pickle);
// Values are 1 … count, in the order in which they were made.
uint32_t pickle_value_count(const Pickle *pickle);

PickleKind pickle_kind(const Pickle *pickle, PickleValue value);
bool pickle_bool(const Pickle *pickle, PickleValue value);                  // false: no such
bool pickle_integer(const Pickle *pickle, PickleValue value, int64_t *out); // false: no such
double pickle_float(const Pickle *pickle, PickleValue value);               // 0: no such
PickleText pickle_text(const Pickle *pickle, PickleValue value);            // TEXT, BYTES, LONG
// What a persistent one is known by: for PyTorch a tuple.
PickleValue pickle_persistent(const Pickle *pickle, PickleValue value);

// module and name of a GLOBAL; false for other kinds.
bool pickle_global(const Pickle *pickle, PickleValue value, PickleText *module, PickleText *name);
bool pickle_is_global(const Pickle *pickle, PickleValue value, const char *module,
                      const char *name);

typedef struct PickleObject {
    PickleValue function;  // GLOBAL, PERSISTENT or OBJECT
    PickleValue arguments; // TUPLE
    PickleValue state;     // from BUILD; 0: none
} PickleObject;

// All zero for other kinds.
PickleObject pickle_object(const Pickle *pickle, PickleValue value);

// Elements of a TUPLE, LIST or SET; pairs of a DICT or OBJECT.
uint32_t pickle_count(const Pickle *pickle, PickleValue value);
// An element of a TUPLE; 0 where it has none, and for other kinds.
PickleValue pickle_element(const Pickle *pickle, PickleValue tuple, uint32_t index);

// Goes over what pickle_count() counts. Keys may be there twice: in Python the last one wins.
typedef struct PickleWalk {
    const Pickle *pickle;
    uint32_t segment, index;
} PickleWalk;

PickleWalk pickle_walk(const Pickle *pickle, PickleValue value);
bool pickle_next(PickleWalk *walk, PickleValue *element);
bool pickle_next_pair(PickleWalk *walk, PickleValue *key, PickleValue *element);

// The value of a key of a DICT or OBJECT; 0: none.
PickleValue pickle_find(const Pickle *pickle, PickleValue dict, const char *key);

#endif
