// SPDX-License-Identifier: Apache-2.0
// A command of the program: a row of main.c's table. A new command is one file and one row.
#ifndef PROGRAM_COMMAND_H
#define PROGRAM_COMMAND_H

#include "console/options.h"
#include "resnet.h"

typedef struct Command {
    const char *name;
    const char *summary; // one line for `resnet --help`
    const char *usage;   // what follows "resnet NAME " in the first line of its --help
    const char *details; // paragraphs for its --help, each line at most 80 columns; or NULL
    const char *example;
    const Option *options;             // ends with OPTION_END
    int least_operands, most_operands; // most: -1 without limit
    const char *operands;              // "MODEL or FILE": for the sentence when they are missing
    // argv[0] is the command's name. What it returns becomes the exit code; a failure's sentence is
    // left with failure_say() or in resnet_last_error(), and main.c prints it.
    resnet_status (*run)(int argc, char **argv);
} Command;

// What --data takes, for `details`: pictures in memory, and with photographs.
#define DATA_SPEC_HELP                                                                             \
    "SPEC is cifar10:DIR or cifar100:DIR (binary versions), mnist:DIR or\n"                        \
    "fashion-mnist:DIR (IDX files, gzipped or not)."
#define PICTURES_SPEC_HELP                                                                         \
    "SPEC is cifar10:DIR or cifar100:DIR (binary versions), mnist:DIR or\n"                        \
    "fashion-mnist:DIR (IDX files, gzipped or not), folder:DIR (train/ and val/, a\n"              \
    "sub-folder a class), list:FILE (lines \"path label-index\")."

extern const Command command_models, command_summary, command_train, command_eval, command_predict,
    command_inspect, command_convert, command_quantize, command_bench, command_paper;

#endif
