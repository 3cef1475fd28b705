// SPDX-License-Identifier: Apache-2.0
#include "base/number.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The "C" locale for this thread until locale_leave(); newlocale() cannot fail for it.
static locale_t locale_enter(locale_t *plain) {
    *plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return uselocale(*plain);
}

static void locale_leave(locale_t before, locale_t plain) {
    uselocale(before);
    freelocale(plain);
}

NumberText number_double(double value) {
    NumberText number;
    locale_t plain;
    locale_t before = locale_enter(&plain);
    for (int digits = 1; digits <= 17; digits++) {
        snprintf(number.text, sizeof number.text, "%.*g", digits, value);
        if (strtod(number.text, NULL) == value) {
            break;
        }
    }
    locale_leave(before, plain);
    return number;
}

NumberText number_float(float value) {
    NumberText number;
    locale_t plain;
    locale_t before = locale_enter(&plain);
    snprintf(number.text, sizeof number.text, "%.9g", (double)value);
    locale_leave(before, plain);
    return number;
}

NumberText number_integer(int64_t value) {
    NumberText number;
    snprintf(number.text, sizeof number.text, "%" PRId64, value);
    return number;
}

NumberText number_bits(uint64_t bits) {
    NumberText number;
    snprintf(number.text, sizeof number.text, "%016" PRIx64, bits);
    return number;
}

bool number_parse_double(const char *text, double *value) {
    locale_t plain;
    locale_t before = locale_enter(&plain);
    char *end = NULL;
    *value = strtod(text, &end);
    locale_leave(before, plain);
    return end != text && *end == '\0';
}

bool number_parse_integer(const char *text, int64_t *value) {
    char *end = NULL;
    errno = 0;
    *value = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0';
}

bool number_parse_bits(const char *text, uint64_t *bits) {
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16) {
        return false;
    }
    *bits = strtoull(text, NULL, 16);
    return true;
}
