// SPDX-License-Identifier: Apache-2.0
// What people and other programs read: tables, figures with separators, lines of JSON, styles.
#ifndef PROGRAM_OUTPUT_H
#define PROGRAM_OUTPUT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "resnet.h"

typedef enum Style {
    STYLE_PLAIN,
    STYLE_BOLD,
    STYLE_DIM,
    STYLE_GREEN,
    STYLE_RED,
    STYLE_YELLOW
} Style;

// The escape sequence that switches a style on; "" unless `stream` is a terminal and NO_COLOR is
// unset or empty. STYLE_PLAIN switches all off.
const char *style_begin(FILE *stream, Style style);

// "resnet: SENTENCE" and "resnet: warning: SENTENCE" on stderr.
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void output_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A figure as text; each call uses the next of eight static buffers.
const char *figure_whole(int64_t number);   // "25,557,032"
const char *figure_macs(int64_t macs);      // "4.09 G", "40.6 M"
const char *figure_bytes(int64_t bytes);    // "102.5 MB" (10^6 bytes)
const char *figure_seconds(double seconds); // "4.2 s", "3 min 05 s", "2 h 07 min"

// Cells row by row; as wide as their longest cell (in characters of UTF-8).
typedef struct Table Table;

typedef struct Column {
    const char *title;
    bool right; // numbers
} Column;

// `columns` must stay valid. NULL, or cells lost, when memory is short; table_print() reports it.
Table *table_create(const Column *columns, int column_count);
void table_destroy(Table *table);
void table_cell(Table *table, const char *format, ...) __attribute__((format(printf, 2, 3)));
resnet_status table_print(const Table *table, FILE *stream);
int table_columns(const Table *table);
int table_rows(const Table *table);
const Column *table_column(const Table *table, int column);
const char *table_at(const Table *table, int row, int column);

// Words filled into lines of at most `width` characters that begin at `indent`, where the first
// line stands already.
void text_fill(const char *text, int indent, int width, FILE *stream);

// Text from elsewhere as it may stand on a terminal: at most `width` characters, with "..." for the
// rest; control characters and bytes that are no UTF-8 are shown as "?". A static buffer of four.
const char *text_shown(const char *text, int width);

// A string for json_pack()'s "o"; bytes that are no UTF-8 (in names of files, say) become U+FFFD.
json_t *json_text(const char *text);
// Prints a JSON value as one line on stdout and releases it.
resnet_status json_line(json_t *value);
// A number; null when it is none (JSON has no NaN).
json_t *json_figure(double number);

#endif
