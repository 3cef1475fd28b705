// SPDX-License-Identifier: Apache-2.0
// World errors (files, memory, arguments): a code that is returned, and one sentence that is kept.
//
// A function that can fail returns a Status. The one that notices the failure calls status_fail(),
// which stores the sentence for this thread; the ones above forward it with TRY(). Errors of the
// programmer are asserts instead.
#ifndef RESNET_BASE_STATUS_H
#define RESNET_BASE_STATUS_H

#include <stddef.h>

// Equal to the program's exit codes and to the public resnet_status.
typedef enum Status {
    STATUS_OK = 0,
    STATUS_FAILED = 1,       // the world: a file, memory, data
    STATUS_USAGE = 2,        // the caller's arguments
    STATUS_INTERRUPTED = 130 // asked to stop, and state was saved
} Status;

// Stores one sentence (no newline, no full stop needed), naming the file, place and reason, and
// returns `code`. Sentences longer than 1023 bytes are cut.
Status status_fail(Status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Puts "context: " before the stored sentence, and returns `code`; for callers who know the file.
Status status_context(Status code, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The last sentence stored by this thread; "" when there was none. Valid until the next failure.
const char *status_message(void);

// Forwards a failure to the caller.
#define TRY(expression)                                                                            \
    do {                                                                                           \
        Status try_status_ = (expression);                                                         \
        if (try_status_ != STATUS_OK) {                                                            \
            return try_status_;                                                                    \
        }                                                                                          \
    } while (0)

#endif
