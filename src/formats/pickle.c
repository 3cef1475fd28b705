// SPDX-License-Identifier: Apache-2.0
// Reads the opcodes of a pickle, one byte each with its argument behind, and gives them to the
// machine. A list of two texts, as protocol 2 writes it:
//
//     80 02   ]      q 00        (     X 01 00 00 00 61   X 01 00 00 00 62   e        .
//     PROTO   list   memo[0]=    mark  "a"                "b"                APPENDS  STOP
#include "formats/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "formats/pickle_machine.h"

// Offsets within a pickle have 32 bits; no weights lie inside of one.
enum { PICKLE_MAX = 256 << 20, LINE_MAX_BYTES = 1 << 16 };

static Status take(Machine *machine, uint64_t size, const uint8_t **out) {
    *out = machine->pickle->bytes + machine->at;
    if (size > machine->size - machine->at) {
        return machine_fail(machine, "its argument has %llu bytes, but %zu are left (cut short?)",
                            (unsigned long long)size, machine->size - machine->at);
    }
    machine->at += (size_t)size;
    return STATUS_OK;
}

// An unsigned number of 1 … 8 bytes, little-endian.
static Status take_number(Machine *machine, size_t size, uint64_t *out) {
    const uint8_t *bytes;
    *out = 0;
    TRY(take(machine, size, &bytes));
    for (size_t i = 0; i < size; i++) {
        *out |= (uint64_t)bytes[i] << 8 * i;
    }
    return STATUS_OK;
}

// A line of the old, readable opcodes, without its end.
static Status take_line(Machine *machine, PickleText *out) {
    const uint8_t *begin = machine->pickle->bytes + machine->at;
    size_t left = machine->size - machine->at;
    const uint8_t *end =
        left > 0 ? memchr(begin, '\n', left < LINE_MAX_BYTES ? left : LINE_MAX_BYTES) : NULL;
    if (end == NULL) {
        return machine_fail(machine, "its line has no end (cut short?)");
    }
    *out = (PickleText){.text = (const char *)begin, .size = (size_t)(end - begin)};
    machine->at += out->size + 1;
    return STATUS_OK;
}

static PickleNode text_node(const Machine *machine, PickleKind kind, PickleText text) {
    return (PickleNode){.kind = (uint8_t)kind,
                        .count = (uint32_t)text.size,
                        .first = (uint32_t)(text.text - (const char *)machine->pickle->bytes)};
}

static Status push_integer(Machine *machine, int64_t integer) {
    return machine_push_new(machine, (PickleNode){.kind = PICKLE_INTEGER, .integer = integer});
}

static Status push_bool(Machine *machine, bool truth) {
    return machine_push_new(machine, (PickleNode){.kind = PICKLE_BOOL, .integer = truth});
}

// Text or bytes behind a length of so many bytes.
static Status push_text(Machine *machine, PickleKind kind, size_t length_bytes) {
    uint64_t size;
    const uint8_t *bytes;
    TRY(take_number(machine, length_bytes, &size));
    TRY(take(machine, size, &bytes));
    PickleText text = {.text = (const char *)bytes, .size = (size_t)size};
    return machine_push_new(machine, text_node(machine, kind, text));
}

// An integer behind a length of so many bytes.
static Status push_long(Machine *machine, size_t length_bytes) {
    uint64_t size, bits = 0;
    const uint8_t *bytes;
    TRY(take_number(machine, length_bytes, &size));
    TRY(take(machine, size, &bytes));
    if (size > sizeof bits) {
        PickleText text = {.text = (const char *)bytes, .size = (size_t)size};
        return machine_push_new(machine, text_node(machine, PICKLE_LONG, text));
    }
    for (size_t i = 0; i < sizeof bits; i++) {
        bool negative = size > 0 && bytes[size - 1] >= 0x80;
        uint64_t byte = i < size ? bytes[i] : negative ? 0xff : 0;
        bits |= byte << 8 * i;
    }
    return push_integer(machine, (int64_t)bits);
}

// 8 bytes, big-endian.
static Status push_float(Machine *machine) {
    const uint8_t *bytes;
    uint64_t bits = 0;
    TRY(take(machine, sizeof bits, &bytes));
    for (size_t i = 0; i < sizeof bits; i++) {
        bits = bits << 8 | bytes[i];
    }
    PickleNode node = {.kind = PICKLE_FLOAT};
    memcpy(&node.number, &bits, sizeof bits);
    return machine_push_new(machine, node);
}

// INT "12" (where "00" and "01" are truth values), LONG "12L" and FLOAT "1.5".
static Status push_number_line(Machine *machine, uint8_t opcode) {
    PickleText line;
    char text[64] = "";
    PickleNode node = {.kind = PICKLE_FLOAT};
    int64_t integer;
    TRY(take_line(machine, &line));
    if (opcode == 'I' && line.size == 2 && line.text[0] == '0') {
        return push_bool(machine, line.text[1] == '1');
    }
    if (opcode == 'L' && line.size > 0 && line.text[line.size - 1] == 'L') {
        line.size--;
    }
    if (line.size < sizeof text) {
        memcpy(text, line.text, line.size);
        if (opcode != 'F' && number_parse_integer(text, &integer)) {
            return push_integer(machine, integer);
        }
        if (opcode == 'F' && number_parse_double(text, &node.number)) {
            return machine_push_new(machine, node);
        }
    }
    return machine_fail(machine, "a line that is no number of 64 bits, expected one");
}

// STRING 'in quotes' and UNICODE; what is behind a backslash stays as it is.
static Status push_text_line(Machine *machine, bool quoted) {
    PickleText line;
    TRY(take_line(machine, &line));
    if (quoted) {
        if (line.size < 2 || line.text[0] != line.text[line.size - 1] ||
            (line.text[0] != '\'' && line.text[0] != '"')) {
            return machine_fail(machine, "a text without quotes, expected a text in quotes");
        }
        line.text++;
        line.size -= 2;
    }
    return machine_push_new(machine, text_node(machine, PICKLE_TEXT, line));
}

// Two lines: module and name.
static Status take_global(Machine *machine, PickleValue *out) {
    PickleText module_line, name_line;
    PickleValue module, name;
    TRY(take_line(machine, &module_line));
    TRY(take_line(machine, &name_line));
    TRY(machine_push_new(machine, text_node(machine, PICKLE_TEXT, module_line)));
    TRY(machine_pop(machine, &module));
    TRY(machine_push_new(machine, text_node(machine, PICKLE_TEXT, name_line)));
    TRY(machine_pop(machine, &name));
    return machine_global(machine, module, name, out);
}

static Status run_global(Machine *machine, uint8_t opcode) {
    PickleValue module, name, global;
    if (opcode == 0x93) {
        TRY(machine_pop(machine, &name));
        TRY(machine_pop(machine, &module));
        TRY(machine_global(machine, module, name, &global));
        return machine_push(machine, global);
    }
    TRY(take_global(machine, &global));
    return opcode == 'i' ? machine_call_from_mark(machine, global) : machine_push(machine, global);
}

static Status run_persistent(Machine *machine, bool binary) {
    if (!binary) {
        TRY(push_text_line(machine, false));
    }
    return machine_persistent(machine);
}

static Status run_memo_line(Machine *machine, bool put) {
    PickleText line;
    char text[32] = "";
    int64_t index = -1;
    TRY(take_line(machine, &line));
    if (line.size < sizeof text) {
        memcpy(text, line.text, line.size);
        if (!number_parse_integer(text, &index)) {
            index = -1;
        }
    }
    if (index < 0) {
        return machine_fail(machine, "a memo index that is no number of at least 0");
    }
    return put ? machine_put(machine, (uint64_t)index) : machine_get(machine, (uint64_t)index);
}

static Status run_memo(Machine *machine, size_t size, bool put) {
    uint64_t index;
    TRY(take_number(machine, size, &index));
    return put ? machine_put(machine, index) : machine_get(machine, index);
}

static Status run_protocol(Machine *machine) {
    uint64_t protocol;
    TRY(take_number(machine, 1, &protocol));
    if (protocol < 2 || protocol > 5) {
        return machine_fail(machine, "protocol %u, expected 2 to 5", (unsigned)protocol);
    }
    return STATUS_OK;
}

// A frame is for those who read from a stream: it says how many bytes to ask for.
static Status run_frame(Machine *machine) {
    uint64_t size;
    TRY(take_number(machine, 8, &size));
    if (size > machine->size - machine->at) {
        return machine_fail(machine, "a frame of %llu bytes, but %zu are left (cut short?)",
                            (unsigned long long)size, machine->size - machine->at);
    }
    return STATUS_OK;
}

static Status run_integer(Machine *machine, size_t size) {
    uint64_t number;
    TRY(take_number(machine, size, &number));
    return push_integer(machine, size == 4 ? (int32_t)(uint32_t)number : (int64_t)number);
}

static Status run_duplicate(Machine *machine) {
    PickleValue value;
    TRY(machine_top(machine, &value));
    return machine_push(machine, value);
}

// clang-format off
static Status run(Machine *machine, uint8_t opcode) {
    switch (opcode) {
    case 0x80: return run_protocol(machine);
    case 0x95: return run_frame(machine);

    case 'N': return machine_push_new(machine, (PickleNode){.kind = PICKLE_NONE});
    case 0x88: return push_bool(machine, true);
    case 0x89: return push_bool(machine, false);
    case 'K': return run_integer(machine, 1);
    case 'M': return run_integer(machine, 2);
    case 'J': return run_integer(machine, 4);
    case 0x8a: return push_long(machine, 1);
    case 0x8b: return push_long(machine, 4);
    case 'G': return push_float(machine);
    case 'I':
    case 'L':
    case 'F': return push_number_line(machine, opcode);

    case 'U': return push_text(machine, PICKLE_TEXT, 1);
    case 'T': return push_text(machine, PICKLE_TEXT, 4);
    case 0x8c: return push_text(machine, PICKLE_TEXT, 1);
    case 'X': return push_text(machine, PICKLE_TEXT, 4);
    case 0x8d: return push_text(machine, PICKLE_TEXT, 8);
    case 'C': return push_text(machine, PICKLE_BYTES, 1);
    case 'B': return push_text(machine, PICKLE_BYTES, 4);
    case 0x8e: return push_text(machine, PICKLE_BYTES, 8);
    case 0x96: return push_text(machine, PICKLE_BYTES, 8);
    case 'S': return push_text_line(machine, true);
    case 'V': return push_text_line(machine, false);

    case ')': return machine_collect(machine, PICKLE_TUPLE, 0);
    case 0x85: return machine_collect(machine, PICKLE_TUPLE, 1);
    case 0x86: return machine_collect(machine, PICKLE_TUPLE, 2);
    case 0x87: return machine_collect(machine, PICKLE_TUPLE, 3);
    case 't': return machine_collect_from_mark(machine, PICKLE_TUPLE);
    case ']': return machine_collect(machine, PICKLE_LIST, 0);
    case 'l': return machine_collect_from_mark(machine, PICKLE_LIST);
    case '}': return machine_collect(machine, PICKLE_DICT, 0);
    case 'd': return machine_collect_from_mark(machine, PICKLE_DICT);
    case 0x8f: return machine_collect(machine, PICKLE_SET, 0);
    case 0x91: return machine_collect_from_mark(machine, PICKLE_SET);
    case 'a': return machine_append(machine, "APPEND", false);
    case 'e': return machine_append(machine, "APPENDS", true);
    case 's': return machine_set_items(machine, "SETITEM", false);
    case 'u': return machine_set_items(machine, "SETITEMS", true);
    case 0x90: return machine_add_items(machine);

    case 'c':
    case 'i':
    case 0x93: return run_global(machine, opcode);
    case 'R': return machine_call(machine, "REDUCE", false);
    case 0x81: return machine_call(machine, "NEWOBJ", false);
    case 0x92: return machine_call(machine, "NEWOBJ_EX", true);
    case 'o': return machine_call_from_mark(machine, 0);
    case 'b': return machine_build(machine);
    case 'P': return run_persistent(machine, false);
    case 'Q': return run_persistent(machine, true);

    case '(': return machine_mark(machine);
    case '0': return machine_drop(machine);
    case '1': return machine_drop_to_mark(machine);
    case '2': return run_duplicate(machine);
    case 'p': return run_memo_line(machine, true);
    case 'q': return run_memo(machine, 1, true);
    case 'r': return run_memo(machine, 4, true);
    case 0x94: return machine_put(machine, machine->memo.count);
    case 'g': return run_memo_line(machine, false);
    case 'h': return run_memo(machine, 1, false);
    case 'j': return run_memo(machine, 4, false);
    default: return machine_fail(machine, "opcode 0x%02x, expected one of protocols 2 to 5", opcode);
    }
}
// clang-format on

static Status run_all(Machine *machine) {
    const uint8_t *bytes = machine->pickle->bytes;
    for (;;) {
        machine->opcode = machine->at;
        if (machine->at == machine->size) {
            return machine_fail(machine, "the pickle ends here without STOP (cut short?)");
        }
        uint8_t opcode = bytes[machine->at++];
        if (opcode == '.') {
            break;
        }
        TRY(run(machine, opcode));
    }
    TRY(machine_pop(machine, &machine->pickle->root));
    if (machine->stack.count > 0) {
        return machine_fail(machine, "STOP with %zu values left on the stack, expected none",
                            machine->stack.count);
    }
    return STATUS_OK;
}

static bool begin(Pickle *pickle) {
    const PickleNode nothing = {.kind = PICKLE_NOTHING};
    const uint32_t unused = 0;
    return pile_push(&pickle->nodes, &nothing) && pile_push(&pickle->words, &unused);
}

Status pickle_read(const uint8_t *bytes, size_t size, size_t origin, Pickle **out) {
    *out = NULL;
    Pickle *pickle = calloc(1, sizeof *pickle);
    if (pickle == NULL) {
        return status_fail(STATUS_FAILED, "byte %zu: out of memory", origin);
    }
    *pickle = (Pickle){.bytes = bytes,
                       .nodes.element_size = sizeof(PickleNode),
                       .words.element_size = sizeof(uint32_t)};
    Machine machine = {.pickle = pickle,
                       .size = size < PICKLE_MAX ? size : PICKLE_MAX,
                       .origin = origin,
                       .stack.element_size = sizeof(PickleValue),
                       .marks.element_size = sizeof(uint32_t),
                       .memo.element_size = sizeof(PickleValue)};
    Status status = begin(pickle) ? run_all(&machine) : machine_out_of_memory(&machine);
    pile_free(&machine.stack);
    pile_free(&machine.marks);
    pile_free(&machine.memo);
    if (status != STATUS_OK) {
        pickle_free(pickle);
        return status;
    }
    pickle->size = machine.at;
    *out = pickle;
    return STATUS_OK;
}

void pickle_free(Pickle *pickle) {
    if (pickle == NULL) {
        return;
    }
    pile_free(&pickle->nodes);
    pile_free(&pickle->words);
    free(pickle);
}
