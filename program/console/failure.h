// SPDX-License-Identifier: Apache-2.0
// How a command fails: it keeps one sentence and returns a status; main.c prints the one and exits
// with the other. Failures of the library keep their sentence in resnet_last_error() already, so
// both kinds are forwarded by TRY().
#ifndef PROGRAM_FAILURE_H
#define PROGRAM_FAILURE_H

#include "resnet.h"

// Stores one sentence (no newline) and returns `status`.
resnet_status failure_say(resnet_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

// The program's own sentence if there is one, else the library's.
const char *failure_sentence(void);

#define TRY(expression)                                                                            \
    do {                                                                                           \
        resnet_status try_status_ = (expression);                                                  \
        if (try_status_ != RESNET_OK) {                                                            \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)

#endif
