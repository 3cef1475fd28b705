// SPDX-License-Identifier: Apache-2.0
// The inside of the pickle reader: how values lie in memory, and the stack machine.
#ifndef RESNET_FORMATS_PICKLE_MACHINE_H
#define RESNET_FORMATS_PICKLE_MACHINE_H

#include "formats/pickle.h"
#include "formats/pile.h"

// One value. What has no place in it lies in `words`:
//
//     elements   segments [count, next segment, element, element, …], next 0 at the end
//     an object  [function, arguments, state, first segment, last segment]
typedef struct PickleNode {
    uint8_t kind;
    uint32_t count; // bytes of a text; elements; pairs
    union {
        int64_t integer;
        double number;
        struct {
            uint32_t first; // offset of a text; first segment; words of an object; module; id
            uint32_t last;  // last segment; name
        };
    };
} PickleNode;

enum { OBJECT_FUNCTION, OBJECT_ARGUMENTS, OBJECT_STATE, OBJECT_FIRST, OBJECT_LAST, OBJECT_WORDS };
enum { SEGMENT_COUNT, SEGMENT_NEXT, SEGMENT_HEAD };

struct Pickle {
    const uint8_t *bytes;
    size_t size;
    Pile nodes; // PickleNode; [0] is PICKLE_NOTHING
    Pile words; // uint32_t; [0] is not used
    PickleValue root;
};

PickleNode *pickle_node(const Pickle *pickle, PickleValue value);
uint32_t *pickle_word(const Pickle *pickle, uint32_t index);

// On the machine's stack, between values.
#define PICKLE_MARK UINT32_MAX

typedef struct Machine {
    Pickle *pickle;
    size_t size, origin;
    size_t at;     // the next byte
    size_t opcode; // the byte at which the opcode that runs stands
    Pile stack;    // PickleValue or PICKLE_MARK
    Pile marks;    // uint32_t: where in the stack the marks are
    Pile memo;     // PickleValue, 0 where nothing was put
} Machine;

// "byte N: …", N being the opcode that runs.
Status machine_fail(const Machine *machine, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
Status machine_out_of_memory(const Machine *machine);

Status machine_push(Machine *machine, PickleValue value);
Status machine_push_new(Machine *machine, PickleNode node);
Status machine_pop(Machine *machine, PickleValue *out);
Status machine_top(const Machine *machine, PickleValue *out);

Status machine_mark(Machine *machine);
Status machine_drop(Machine *machine);         // POP, of a value or a mark
Status machine_drop_to_mark(Machine *machine); // POP_MARK

// Makes a container of the topmost `count` values, or of those above the last mark.
Status machine_collect(Machine *machine, PickleKind kind, uint32_t count);
Status machine_collect_from_mark(Machine *machine, PickleKind kind);

// Adds to the container below: one element or pair, or all those above the last mark. `opcode`
// names the operation in sentences.
Status machine_append(Machine *machine, const char *opcode, bool many);
Status machine_set_items(Machine *machine, const char *opcode, bool many);
Status machine_add_items(Machine *machine);

// Objects: REDUCE and NEWOBJ (function, arguments), NEWOBJ_EX (and keywords, which are dropped),
// OBJ and INST (function and arguments from the mark; `function` is 0 where the stack has it).
Status machine_call(Machine *machine, const char *opcode, bool keywords);
Status machine_call_from_mark(Machine *machine, PickleValue function);
Status machine_build(Machine *machine);
Status machine_global(Machine *machine, PickleValue module, PickleValue name, PickleValue *out);
Status machine_persistent(Machine *machine);

Status machine_put(Machine *machine, uint64_t index);
Status machine_get(Machine *machine, uint64_t index);

#endif
