// SPDX-License-Identifier: Apache-2.0
// An operand MODEL|FILE: an architecture by name, with fresh parameters, or weights from a file.
#ifndef PROGRAM_OPERAND_H
#define PROGRAM_OPERAND_H

#include <stdbool.h>
#include <stddef.h>

#include "console/options.h"
#include "resnet.h"

typedef struct OperandOptions {
    const char *model, *shortcut, *stride_in;
    int classes;
    OptionShape input;
} OperandOptions;

// Rows for the option table of a command whose Arguments have an OperandOptions `operand`.
// clang-format off
#define OPERAND_OPTIONS                                                                            \
    {OPTION_TEXT, "model", "NAME", offsetof(Arguments, operand.model),                             \
     "of a file: which architecture it is, where its tensors leave a choice"},                     \
    {OPTION_CHOICE, "shortcut", "A|B|C", offsetof(Arguments, operand.shortcut),                    \
     "how shortcuts change dimensions (paper, section 3.3): zero padding, projections where "      \
     "needed, projections everywhere"},                                                            \
    {OPTION_CHOICE, "stride-in", "1x1|3x3", offsetof(Arguments, operand.stride_in),                \
     "where bottleneck blocks have their stride: 1x1 is the paper's, 3x3 (default) "               \
     "torchvision's"},                                                                             \
    {OPTION_COUNT, "classes", "N", offsetof(Arguments, operand.classes),                           \
     "instead of the model's own"},                                                                \
    {OPTION_SHAPE, "input", "CxHxW", offsetof(Arguments, operand.input),                           \
     "channels, height and width instead of the model's own"}
// clang-format on

// Whether the operand names a file rather than an architecture.
bool operand_is_file(const char *operand);

resnet_status operand_open(const char *operand, const OperandOptions *options, resnet_model **out);

#endif
