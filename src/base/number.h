// SPDX-License-Identifier: Apache-2.0
// Numbers as text, the same whatever locale the program runs in ("0.1", never "0,1").
#ifndef RESNET_BASE_NUMBER_H
#define RESNET_BASE_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

// Fits every double and every 64-bit integer.
typedef struct NumberText {
    char text[32];
} NumberText;

// The shortest decimal that reads back as the same double: "0.1".
NumberText number_double(double value);
// At least as many digits as a float needs to read back as the same float: 9.
NumberText number_float(float value);
NumberText number_integer(int64_t value);
// 64 bits as 16 hexadecimal digits.
NumberText number_bits(uint64_t bits);

// The whole text must be one number; else false. Reads what the functions above write.
bool number_parse_double(const char *text, double *value);
bool number_parse_integer(const char *text, int64_t *value);
bool number_parse_bits(const char *text, uint64_t *bits);

#endif
