// SPDX-License-Identifier: Apache-2.0
// The stack machine of the pickle reader: its stack, marks and memo, and what it builds. Everything
// that an opcode takes is checked here: that it is there, and that it is of the right kind.
#include "formats/pickle_machine.h"

#include <stdarg.h>
#include <stdio.h>

Status machine_fail(const Machine *machine, const char *format, ...) {
    char reason[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    return status_fail(STATUS_FAILED, "byte %zu: %s", machine->origin + machine->opcode, reason);
}

Status machine_out_of_memory(const Machine *machine) {
    return machine_fail(machine, "out of memory");
}

static PickleKind kind_of(const Machine *machine, PickleValue value) {
    return pickle_kind(machine->pickle, value);
}

static PickleValue stack_at(const Machine *machine, size_t index) {
    return *(const PickleValue *)pile_at(&machine->stack, index);
}

Status machine_push(Machine *machine, PickleValue value) {
    return pile_push(&machine->stack, &value) ? STATUS_OK : machine_out_of_memory(machine);
}

static Status make(Machine *machine, PickleNode node, PickleValue *out) {
    *out = (PickleValue)machine->pickle->nodes.count;
    return pile_push(&machine->pickle->nodes, &node) ? STATUS_OK : machine_out_of_memory(machine);
}

Status machine_push_new(Machine *machine, PickleNode node) {
    PickleValue value;
    TRY(make(machine, node, &value));
    return machine_push(machine, value);
}

Status machine_top(const Machine *machine, PickleValue *out) {
    *out = 0;
    size_t count = machine->stack.count;
    if (count == 0) {
        return machine_fail(machine, "the stack is empty, expected a value");
    }
    if (stack_at(machine, count - 1) == PICKLE_MARK) {
        return machine_fail(machine, "found a mark on the stack, expected a value");
    }
    *out = stack_at(machine, count - 1);
    return STATUS_OK;
}

Status machine_pop(Machine *machine, PickleValue *out) {
    TRY(machine_top(machine, out));
    pile_cut(&machine->stack, machine->stack.count - 1);
    return STATUS_OK;
}

Status machine_mark(Machine *machine) {
    uint32_t height = (uint32_t)machine->stack.count;
    TRY(machine_push(machine, PICKLE_MARK));
    return pile_push(&machine->marks, &height) ? STATUS_OK : machine_out_of_memory(machine);
}

// Where the last mark is.
static Status last_mark(const Machine *machine, uint32_t *out) {
    *out = 0;
    if (machine->marks.count == 0) {
        return machine_fail(machine, "there is no mark on the stack, expected one");
    }
    *out = *(const uint32_t *)pile_at(&machine->marks, machine->marks.count - 1);
    return STATUS_OK;
}

Status machine_drop_to_mark(Machine *machine) {
    uint32_t mark;
    TRY(last_mark(machine, &mark));
    pile_cut(&machine->marks, machine->marks.count - 1);
    pile_cut(&machine->stack, mark);
    return STATUS_OK;
}

Status machine_drop(Machine *machine) {
    size_t count = machine->stack.count;
    if (count > 0 && stack_at(machine, count - 1) == PICKLE_MARK) {
        return machine_drop_to_mark(machine);
    }
    PickleValue value;
    return machine_pop(machine, &value);
}

static Status add_word(Machine *machine, uint32_t word) {
    return pile_push(&machine->pickle->words, &word) ? STATUS_OK : machine_out_of_memory(machine);
}

// A segment of the topmost `count` values, which leave the stack; 0 when there are none.
static Status add_segment(Machine *machine, size_t count, uint32_t *out) {
    *out = 0;
    if (count == 0) {
        return STATUS_OK;
    }
    *out = (uint32_t)machine->pickle->words.count;
    TRY(add_word(machine, (uint32_t)count));
    TRY(add_word(machine, 0));
    size_t begin = machine->stack.count - count;
    for (size_t i = 0; i < count; i++) {
        TRY(add_word(machine, stack_at(machine, begin + i)));
    }
    pile_cut(&machine->stack, begin);
    return STATUS_OK;
}

static void link_segment(Machine *machine, uint32_t segment, uint32_t *first, uint32_t *last) {
    if (segment == 0) {
        return;
    }
    if (*first == 0) {
        *first = segment;
    } else {
        *pickle_word(machine->pickle, *last + SEGMENT_NEXT) = segment;
    }
    *last = segment;
}

static Status values_above(const Machine *machine, size_t wanted) {
    for (size_t i = 0; i < wanted; i++) {
        if (i == machine->stack.count) {
            return machine_fail(machine, "the stack has %zu values, expected %zu", i, wanted);
        }
        if (stack_at(machine, machine->stack.count - 1 - i) == PICKLE_MARK) {
            return machine_fail(machine, "found a mark on the stack, expected a value");
        }
    }
    return STATUS_OK;
}

Status machine_collect(Machine *machine, PickleKind kind, uint32_t count) {
    TRY(values_above(machine, count));
    PickleNode node = {.kind = (uint8_t)kind, .count = count};
    TRY(add_segment(machine, count, &node.first));
    node.last = node.first;
    if (kind == PICKLE_DICT) {
        if (count % 2 != 0) {
            return machine_fail(machine, "a dictionary of %u values, expected pairs", count);
        }
        node.count /= 2;
    }
    return machine_push_new(machine, node);
}

// How many values there are above the last mark, which leaves the stack: they move down by one.
static Status remove_mark(Machine *machine, uint32_t *count) {
    uint32_t mark;
    TRY(last_mark(machine, &mark));
    pile_cut(&machine->marks, machine->marks.count - 1);
    for (size_t i = mark; i + 1 < machine->stack.count; i++) {
        *(PickleValue *)pile_at(&machine->stack, i) = stack_at(machine, i + 1);
    }
    pile_cut(&machine->stack, machine->stack.count - 1);
    *count = (uint32_t)machine->stack.count - mark;
    return STATUS_OK;
}

Status machine_collect_from_mark(Machine *machine, PickleKind kind) {
    uint32_t count;
    TRY(remove_mark(machine, &count));
    return machine_collect(machine, kind, count);
}

// The container below the topmost `count` values.
static Status container_below(const Machine *machine, const char *opcode, uint32_t count,
                              PickleValue *out) {
    if (count >= machine->stack.count) {
        return machine_fail(machine, "%s with nothing below, expected a container", opcode);
    }
    *out = stack_at(machine, machine->stack.count - 1 - count);
    if (*out == PICKLE_MARK) {
        return machine_fail(machine, "%s on a mark, expected a container", opcode);
    }
    return STATUS_OK;
}

Status machine_append(Machine *machine, const char *opcode, bool many) {
    uint32_t count = 1, segment;
    PickleValue list;
    TRY(many ? remove_mark(machine, &count) : values_above(machine, count));
    TRY(container_below(machine, opcode, count, &list));
    PickleKind kind = kind_of(machine, list);
    if (kind == PICKLE_OBJECT) {
        // A list of a class of its own: what that class makes of elements is not known.
        pile_cut(&machine->stack, machine->stack.count - count);
        return STATUS_OK;
    }
    if (kind != PICKLE_LIST) {
        return machine_fail(machine, "%s on %s, expected a list", opcode, pickle_kind_name(kind));
    }
    TRY(add_segment(machine, count, &segment));
    PickleNode *node = pickle_node(machine->pickle, list);
    node->count += count;
    link_segment(machine, segment, &node->first, &node->last);
    return STATUS_OK;
}

Status machine_set_items(Machine *machine, const char *opcode, bool many) {
    uint32_t count = 2, segment;
    PickleValue dict;
    TRY(many ? remove_mark(machine, &count) : values_above(machine, count));
    if (count % 2 != 0) {
        return machine_fail(machine, "%s of %u values, expected pairs", opcode, count);
    }
    TRY(container_below(machine, opcode, count, &dict));
    PickleKind kind = kind_of(machine, dict);
    if (kind != PICKLE_DICT && kind != PICKLE_OBJECT) {
        return machine_fail(machine, "%s on %s, expected a dictionary", opcode,
                            pickle_kind_name(kind));
    }
    TRY(add_segment(machine, count, &segment));
    PickleNode *node = pickle_node(machine->pickle, dict);
    node->count += count / 2;
    if (kind == PICKLE_DICT) {
        link_segment(machine, segment, &node->first, &node->last);
    } else {
        link_segment(machine, segment, pickle_word(machine->pickle, node->first + OBJECT_FIRST),
                     pickle_word(machine->pickle, node->first + OBJECT_LAST));
    }
    return STATUS_OK;
}

Status machine_add_items(Machine *machine) {
    uint32_t count, segment;
    PickleValue set;
    TRY(remove_mark(machine, &count));
    TRY(container_below(machine, "ADDITEMS", count, &set));
    PickleKind kind = kind_of(machine, set);
    if (kind == PICKLE_OBJECT) {
        pile_cut(&machine->stack, machine->stack.count - count);
        return STATUS_OK;
    }
    if (kind != PICKLE_SET) {
        return machine_fail(machine, "ADDITEMS on %s, expected a set", pickle_kind_name(kind));
    }
    TRY(add_segment(machine, count, &segment));
    PickleNode *node = pickle_node(machine->pickle, set);
    node->count += count;
    link_segment(machine, segment, &node->first, &node->last);
    return STATUS_OK;
}

static Status push_object(Machine *machine, const char *opcode, PickleValue function,
                          PickleValue arguments) {
    PickleKind kind = kind_of(machine, function);
    if (kind != PICKLE_GLOBAL && kind != PICKLE_PERSISTENT && kind != PICKLE_OBJECT) {
        return machine_fail(machine, "%s calls %s, expected a class or function", opcode,
                            pickle_kind_name(kind));
    }
    if (kind_of(machine, arguments) != PICKLE_TUPLE) {
        return machine_fail(machine, "%s with %s as arguments, expected a tuple", opcode,
                            pickle_kind_name(kind_of(machine, arguments)));
    }
    PickleNode node = {.kind = PICKLE_OBJECT, .first = (uint32_t)machine->pickle->words.count};
    const uint32_t words[OBJECT_WORDS] = {
        [OBJECT_FUNCTION] = function, [OBJECT_ARGUMENTS] = arguments};
    for (int i = 0; i < OBJECT_WORDS; i++) {
        TRY(add_word(machine, words[i]));
    }
    return machine_push_new(machine, node);
}

Status machine_call(Machine *machine, const char *opcode, bool keywords) {
    PickleValue function, arguments;
    if (keywords) {
        TRY(machine_pop(machine, &arguments));
    }
    TRY(machine_pop(machine, &arguments));
    TRY(machine_pop(machine, &function));
    return push_object(machine, opcode, function, arguments);
}

Status machine_call_from_mark(Machine *machine, PickleValue function) {
    uint32_t count;
    TRY(remove_mark(machine, &count));
    bool inside = function == 0; // the function is the first value above the mark
    if (inside && count == 0) {
        return machine_fail(machine, "OBJ with nothing above the mark, expected a class");
    }
    PickleValue arguments;
    TRY(machine_collect(machine, PICKLE_TUPLE, inside ? count - 1 : count));
    TRY(machine_pop(machine, &arguments));
    if (inside) {
        TRY(machine_pop(machine, &function));
    }
    return push_object(machine, inside ? "OBJ" : "INST", function, arguments);
}

Status machine_build(Machine *machine) {
    PickleValue state, object;
    TRY(machine_pop(machine, &state));
    TRY(machine_top(machine, &object));
    PickleKind kind = kind_of(machine, object);
    if (kind != PICKLE_OBJECT) {
        return machine_fail(machine, "BUILD on %s, expected an object", pickle_kind_name(kind));
    }
    const PickleNode *node = pickle_node(machine->pickle, object);
    *pickle_word(machine->pickle, node->first + OBJECT_STATE) = state;
    return STATUS_OK;
}

Status machine_global(Machine *machine, PickleValue module, PickleValue name, PickleValue *out) {
    if (kind_of(machine, module) != PICKLE_TEXT || kind_of(machine, name) != PICKLE_TEXT) {
        return machine_fail(machine, "a class named by %s and %s, expected two texts",
                            pickle_kind_name(kind_of(machine, module)),
                            pickle_kind_name(kind_of(machine, name)));
    }
    return make(machine, (PickleNode){.kind = PICKLE_GLOBAL, .first = module, .last = name}, out);
}

Status machine_persistent(Machine *machine) {
    PickleValue id;
    TRY(machine_pop(machine, &id));
    return machine_push_new(machine, (PickleNode){.kind = PICKLE_PERSISTENT, .first = id});
}

Status machine_put(Machine *machine, uint64_t index) {
    PickleValue value, none = 0;
    TRY(machine_top(machine, &value));
    // Picklers number what they put; nobody needs more places than the bytes before.
    if (index > machine->at) {
        return machine_fail(machine, "memo index %llu, at most %zu expected here",
                            (unsigned long long)index, machine->at);
    }
    while (machine->memo.count <= index) {
        if (!pile_push(&machine->memo, &none)) {
            return machine_out_of_memory(machine);
        }
    }
    *(PickleValue *)pile_at(&machine->memo, (size_t)index) = value;
    return STATUS_OK;
}

Status machine_get(Machine *machine, uint64_t index) {
    PickleValue value =
        index < machine->memo.count ? *(PickleValue *)pile_at(&machine->memo, (size_t)index) : 0;
    if (value == 0) {
        return machine_fail(machine, "memo index %llu has nothing, expected a value put there",
                            (unsigned long long)index);
    }
    return machine_push(machine, value);
}
