// SPDX-License-Identifier: Apache-2.0
// The sentence of the program's own last failure. The program has one thread of its own, so one
// buffer is enough.
#include "console/failure.h"

#include <stdarg.h>
#include <stdio.h>

static char sentence[2048];

resnet_status failure_say(resnet_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    return status;
}

const char *failure_sentence(void) { return sentence[0] != '\0' ? sentence : resnet_last_error(); }
