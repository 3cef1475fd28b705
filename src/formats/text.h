// SPDX-License-Identifier: Apache-2.0
// Text that a file holds, quoted in a sentence: not too much of it, no character of several bytes
// cut, no line break or escape code.
#ifndef RESNET_FORMATS_TEXT_H
#define RESNET_FORMATS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

// How many bytes of a text to show. For "%.*s".
int text_shown(const char *text, size_t size);
int name_shown(const char *name);
#define SHOWN(name) name_shown(name), name
#define SHOWN_TEXT(span) text_shown((span).text, (span).size), (span).text

// UTF-8 as Unicode defines it: no surrogate, no longer form than needed. U+0000 is refused too, as
// it would end a name early.
bool text_is_valid(const char *text, size_t size);

// Puts "name: " before the stored sentence and a '?' for each of its control characters.
Status sentence_of_file(Status status, const char *name);

#endif
