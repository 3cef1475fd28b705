// SPDX-License-Identifier: Apache-2.0
// Options from a table: one row says name, kind, place in the command's struct and help text, so
// that parsing, checking and --help cannot disagree.
//
//     typedef struct Arguments { int batch; const char *out; int json; } Arguments;
//     static const Option options[] = {
//         {OPTION_COUNT, "batch", "N", offsetof(Arguments, batch), "images at once (default 1)"},
//         ...
//         {.kind = OPTION_END}};
#ifndef PROGRAM_OPTIONS_H
#define PROGRAM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "resnet.h"

typedef enum OptionKind {
    OPTION_END,
    OPTION_HEADING,  // a line in --help: `name`
    OPTION_FLAG,     // int = 1; takes no value
    OPTION_NO_FLAG,  // int = 0; takes no value
    OPTION_TEXT,     // const char *, not empty
    OPTION_CHOICE,   // const char *: one of the words of `value`, such as "A|B|C"
    OPTION_YES_NO,   // int: 1 or 0
    OPTION_COUNT,    // int >= 1
    OPTION_WHOLE,    // int64_t >= 1
    OPTION_SEED,     // uint64_t
    OPTION_NUMBER,   // double >= 0
    OPTION_POSITIVE, // double > 0
    OPTION_CHANNELS, // OptionChannels: "R,G,B", or one number for grey
    OPTION_SHAPE     // OptionShape: "CxHxW"
} OptionKind;

typedef struct Option {
    OptionKind kind;
    const char *name;  // without the dashes; one letter is written -o, words --out
    const char *value; // its placeholder in --help; NULL for a flag
    size_t offset;     // of its place in the command's struct
    const char *help;
} Option;

typedef struct OptionChannels {
    bool given;
    float value[3];
} OptionChannels;

typedef struct OptionShape {
    int channels, height, width;
} OptionShape;

struct Command;

// Fills `target` from argv (argv[0] is the command's name; argv is permuted), and gives what is
// left: the operands, checked against the command's limits. RESNET_USAGE with a sentence otherwise.
resnet_status options_parse(const struct Command *command, int argc, char **argv, void *target,
                            char ***operands, int *operand_count);

// RESNET_USAGE with a sentence that names the option when `value` is NULL.
resnet_status options_require(const char *value, const char *name);
// --mean and --std come together, and deviations are above zero.
resnet_status options_check_normalization(const OptionChannels *mean, const OptionChannels *std);

// Prints a command's --help on stdout.
void options_help(const struct Command *command);

// The word of `words` (NULL-terminated) that someone who wrote `text` may have meant; NULL: none is
// near.
const char *options_nearest(const char *text, const char *const *words);

// A whole number within limits, for lists inside values. False: the text is none.
bool options_whole(const char *text, long long least, long long most, long long *out);

#endif
