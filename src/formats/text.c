// SPDX-License-Identifier: Apache-2.0
#include "formats/text.h"

#include <string.h>

enum { TEXT_SHOWN = 120 };

int text_shown(const char *text, size_t size) {
    if (size > TEXT_SHOWN) {
        size = TEXT_SHOWN;
        while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) {
            size--;
        }
    }
    return (int)size;
}

int name_shown(const char *name) { return text_shown(name, strnlen(name, TEXT_SHOWN + 1)); }

bool text_is_valid(const char *text, size_t size) {
    const unsigned char *bytes = (const unsigned char *)text;
    for (size_t at = 0; at < size;) {
        unsigned first = bytes[at++];
        if (first < 0x80) {
            if (first == 0) {
                return false;
            }
            continue;
        }
        // The smallest code point that needs so many bytes is the bound against longer forms.
        size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
        unsigned long code = first & (0x3fU >> more);
        if (first < 0xc2 || first > 0xf4 || more > size - at) {
            return false;
        }
        for (size_t i = 0; i < more; i++) {
            unsigned next = bytes[at++];
            if ((next & 0xc0) != 0x80) {
                return false;
            }
            code = code << 6 | (next & 0x3f);
        }
        static const unsigned long SMALLEST[] = {0, 0x80, 0x800, 0x10000};
        if (code < SMALLEST[more] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return false;
        }
    }
    return true;
}

Status sentence_of_file(Status status, const char *name) {
    char sentence[1024];
    size_t size = 0;
    for (const char *from = status_message(); *from != '\0' && size + 1 < sizeof sentence; from++) {
        unsigned char c = (unsigned char)*from;
        sentence[size++] = c < ' ' || c == 0x7f ? '?' : (char)c;
    }
    sentence[size] = '\0';
    return status_fail(status, "%s: %s", name, sentence);
}
