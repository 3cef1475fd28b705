// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024 };

static _Thread_local char message[MESSAGE_BYTES];

Status status_fail(Status code, const char *format, ...) {
    // Through a second buffer, because the old message may be one of the arguments.
    char next[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(next, sizeof next, format, arguments);
    va_end(arguments);
    memcpy(message, next, sizeof message);
    return code;
}

Status status_context(Status code, const char *format, ...) {
    char context[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(context, sizeof context, format, arguments);
    va_end(arguments);
    char next[2 * MESSAGE_BYTES + 2];
    snprintf(next, sizeof next, "%s: %s", context, message);
    memcpy(message, next, sizeof message - 1);
    message[sizeof message - 1] = '\0';
    return code;
}

const char *status_message(void) { return message; }
