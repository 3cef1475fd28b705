// SPDX-License-Identifier: Apache-2.0
// Everything printed that is not one fixed sentence.
#include "console/output.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/failure.h"

const char *style_begin(FILE *stream, Style style) {
    static const char *const sequences[] = {"\033[0m",  "\033[1m",  "\033[2m",
                                            "\033[32m", "\033[31m", "\033[33m"};
    const char *no_color = getenv("NO_COLOR");
    bool plain = (no_color != NULL && no_color[0] != '\0') || !isatty(fileno(stream));
    return plain ? "" : sequences[style];
}

static void say(Style style, const char *begin, const char *format, va_list arguments) {
    fprintf(stderr, "%s%s%s ", style_begin(stderr, style), begin, style_begin(stderr, STYLE_PLAIN));
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void output_error(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(STYLE_RED, "resnet:", format, arguments);
    va_end(arguments);
}

void output_warning(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    say(STYLE_YELLOW, "resnet: warning:", format, arguments);
    va_end(arguments);
}

// ---- Figures ----

enum { FIGURES = 8, FIGURE_SIZE = 48 };

static char *figure_buffer(void) {
    static char buffers[FIGURES][FIGURE_SIZE];
    static int next;
    next = (next + 1) % FIGURES;
    return buffers[next];
}

const char *figure_whole(int64_t number) {
    char digits[FIGURE_SIZE];
    int length = snprintf(digits, sizeof digits, "%lld", (long long)number);
    int first = digits[0] == '-';
    char *text = figure_buffer(), *out = text;
    for (int i = 0; i < length; i++) {
        if (i > first && (length - i) % 3 == 0) {
            *out++ = ',';
        }
        *out++ = digits[i];
    }
    *out = '\0';
    return text;
}

const char *figure_macs(int64_t macs) {
    char *text = figure_buffer();
    if (macs >= 1000000000) {
        snprintf(text, FIGURE_SIZE, "%.2f G", (double)macs / 1e9);
    } else {
        snprintf(text, FIGURE_SIZE, "%.1f M", (double)macs / 1e6);
    }
    return text;
}

const char *figure_bytes(int64_t bytes) {
    char *text = figure_buffer();
    snprintf(text, FIGURE_SIZE, "%s.%d MB", figure_whole((bytes + 50000) / 1000000),
             (int)((bytes + 50000) / 100000 % 10));
    return text;
}

const char *figure_seconds(double seconds) {
    char *text = figure_buffer();
    if (!isfinite(seconds) || seconds < 0) {
        snprintf(text, FIGURE_SIZE, "?");
    } else if (seconds < 59.95) {
        snprintf(text, FIGURE_SIZE, seconds < 10 ? "%.1f s" : "%.0f s", seconds);
    } else if (seconds < 3599.5) {
        int whole = (int)(seconds + 0.5);
        snprintf(text, FIGURE_SIZE, "%d min %02d s", whole / 60, whole % 60);
    } else {
        int64_t minutes = (int64_t)(seconds / 60 + 0.5);
        snprintf(text, FIGURE_SIZE, "%lld h %02d min", (long long)(minutes / 60),
                 (int)(minutes % 60));
    }
    return text;
}

// ---- Tables ----

enum { MOST_COLUMNS = 16 };

struct Table {
    const Column *columns;
    int column_count;
    int widths[MOST_COLUMNS];
    char **cells;
    int count, room;
    bool failed;
};

// Characters of a UTF-8 text: bytes that continue none.
static int text_width(const char *text) {
    int width = 0;
    for (; *text != '\0'; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static void column_widen(Table *table, int column, const char *text) {
    int width = text_width(text);
    table->widths[column] = width > table->widths[column] ? width : table->widths[column];
}

Table *table_create(const Column *columns, int column_count) {
    assert(column_count <= MOST_COLUMNS);
    Table *table = calloc(1, sizeof *table);
    if (table != NULL) {
        table->columns = columns;
        table->column_count = column_count;
        for (int i = 0; i < column_count; i++) {
            column_widen(table, i, columns[i].title);
        }
    }
    return table;
}

void table_destroy(Table *table) {
    if (table != NULL) {
        for (int i = 0; i < table->count; i++) {
            free(table->cells[i]);
        }
        free(table->cells);
        free(table);
    }
}

void table_cell(Table *table, const char *format, ...) {
    if (table == NULL || table->failed) {
        return;
    }
    if (table->count == table->room) {
        int room = table->room > 0 ? 2 * table->room : 64;
        char **cells = realloc(table->cells, (size_t)room * sizeof *cells);
        if (cells == NULL) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->room = room;
    }
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    table->failed = vasprintf(&text, format, arguments) < 0;
    va_end(arguments);
    if (!table->failed) {
        column_widen(table, table->count % table->column_count, text);
        table->cells[table->count++] = text;
    }
}

int table_columns(const Table *table) { return table->column_count; }

int table_rows(const Table *table) { return table->count / table->column_count; }

const Column *table_column(const Table *table, int column) { return &table->columns[column]; }

const char *table_at(const Table *table, int row, int column) {
    return table->cells[row * table->column_count + column];
}

// Spaces are held back until a text follows them: lines end without any.
static void row_print(const Table *table, int row, FILE *stream) {
    int spaces = 0;
    for (int column = 0; column < table->column_count; column++) {
        const char *text = row < 0 ? table->columns[column].title : table_at(table, row, column);
        int free_space = table->widths[column] - text_width(text);
        spaces += table->columns[column].right ? free_space : 0;
        if (text[0] != '\0') {
            fprintf(stream, "%*s%s", spaces, "", text);
            spaces = 0;
        }
        spaces += 2 + (table->columns[column].right ? 0 : free_space);
    }
}

resnet_status table_print(const Table *table, FILE *stream) {
    if (table == NULL || table->failed) {
        return failure_say(RESNET_FAILED, "cannot get memory for a table");
    }
    fputs(style_begin(stream, STYLE_BOLD), stream);
    row_print(table, -1, stream);
    fprintf(stream, "%s\n", style_begin(stream, STYLE_PLAIN));
    for (int row = 0; row < table_rows(table); row++) {
        row_print(table, row, stream);
        fputc('\n', stream);
    }
    return RESNET_OK;
}

void text_fill(const char *text, int indent, int width, FILE *stream) {
    int column = indent;
    while (*text != '\0') {
        int word = (int)strcspn(text, " ");
        if (column > indent && column + 1 + word > width) {
            fprintf(stream, "\n%*s", indent, "");
            column = indent;
        }
        column += fprintf(stream, "%s%.*s", column > indent ? " " : "", word, text);
        text += word + (text[word] == ' ');
    }
    fputc('\n', stream);
}

// Bytes of the character that begins a text, 0 where it is none that UTF-8 allows.
static int character_size(const char *text) {
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *bytes = (const unsigned char *)text;
    if (bytes[0] < 0x80) {
        return 1;
    }
    int size = bytes[0] >= 0xf0 ? 4 : bytes[0] >= 0xe0 ? 3 : 2;
    unsigned code = bytes[0] & (0x7fu >> size);
    for (int i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80) { // also the end of the text
            return 0;
        }
        code = code << 6 | (bytes[i] & 0x3f);
    }
    bool begins = bytes[0] >= 0xc2 && bytes[0] < 0xf8;
    bool surrogate = code >= 0xd800 && code < 0xe000;
    return begins && code >= least[size] && code < 0x110000 && !surrogate ? size : 0;
}

const char *text_shown(const char *text, int width) {
    enum { BUFFERS = 4, BUFFER_SIZE = 512 };
    static char buffers[BUFFERS][BUFFER_SIZE];
    static int next;
    next = (next + 1) % BUFFERS;
    char *out = buffers[next];
    size_t length = 0;
    int most = BUFFER_SIZE / 4 - 4 < width ? BUFFER_SIZE / 4 - 4 : width;
    bool whole = text_width(text) <= most;
    for (int shown = 0; *text != '\0' && shown < (whole ? most : most - 3); shown++) {
        int size = character_size(text);
        bool control = size == 1 && ((unsigned char)*text < ' ' || *text == 0x7f);
        control = control || (size == 2 && (unsigned char)text[0] == 0xc2 &&
                              (unsigned char)text[1] < 0xa0); // U+0080 to U+009F
        if (size == 0 || control) {
            out[length++] = '?';
            text += size > 0 ? size : 1;
        } else {
            memcpy(out + length, text, (size_t)size);
            length += (size_t)size;
            text += size;
        }
    }
    strcpy(out + length, *text != '\0' ? "..." : "");
    return out;
}

// ---- JSON ----

json_t *json_text(const char *text) {
    static const char replacement[] = "\xef\xbf\xbd";
    char *copy = malloc(3 * strlen(text) + 1), *out = copy;
    if (copy == NULL) {
        return NULL; // json_line() reports it
    }
    while (*text != '\0') {
        int size = character_size(text);
        memcpy(out, size > 0 ? text : replacement, size > 0 ? (size_t)size : 3);
        out += size > 0 ? size : 3;
        text += size > 0 ? size : 1;
    }
    json_t *string = json_stringn(copy, (size_t)(out - copy));
    free(copy);
    return string;
}

json_t *json_figure(double number) { return isfinite(number) ? json_real(number) : json_null(); }

resnet_status json_line(json_t *value) {
    // Nine digits give every float back.
    int failed = json_dumpf(value, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(value);
    if (failed) {
        return failure_say(RESNET_FAILED, "cannot write JSON to standard output");
    }
    putchar('\n');
    fflush(stdout);
    return RESNET_OK;
}
