// SPDX-License-Identifier: Apache-2.0
// The option table read three ways: as getopt's long options, as rules for values, and as --help.
#include "console/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/output.h"

enum { MOST_OPTIONS = 64, MOST_WORD = 63, HELP_INDENT = 28, HELP_WIDTH = 80 };

// Edits (insert, delete, replace) that make b of a; the table needs one row only.
static size_t word_distance(const char *a, const char *b) {
    size_t rows = strlen(a), columns = strlen(b);
    if (rows > MOST_WORD || columns > MOST_WORD) {
        return SIZE_MAX;
    }
    size_t row[MOST_WORD + 1];
    for (size_t j = 0; j <= columns; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= rows; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= columns; j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
            size_t other = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = replaced < other ? replaced : other;
        }
    }
    return row[columns];
}

const char *options_nearest(const char *text, const char *const *words) {
    const char *best = NULL;
    size_t best_distance = strlen(text) / 3 + 2; // a short word may differ by one letter only
    for (; *words != NULL; words++) {
        size_t distance = word_distance(text, *words);
        if (distance < best_distance) {
            best = *words;
            best_distance = distance;
        }
    }
    return best;
}

bool options_whole(const char *text, long long least, long long most, long long *out) {
    char *end = NULL;
    errno = 0;
    *out = strtoll(text, &end, 10);
    return (isdigit((unsigned char)text[0]) || text[0] == '-') && *end == '\0' && errno == 0 &&
           *out >= least && *out <= most;
}

static bool number_parse(const char *text, double *out) {
    char *end = NULL;
    *out = strtod(text, &end);
    return (isdigit((unsigned char)text[0]) || text[0] == '-' || text[0] == '.') && *end == '\0' &&
           isfinite(*out) && strpbrk(text, "xX") == NULL;
}

static bool channels_parse(const char *text, OptionChannels *out) {
    char copy[128];
    if (strlen(text) >= sizeof copy) {
        return false;
    }
    strcpy(copy, text);
    int count = 0;
    char *rest = copy, *field;
    while ((field = strsep(&rest, ",")) != NULL) {
        double number;
        if (count == 3 || !number_parse(field, &number)) {
            return false;
        }
        out->value[count++] = (float)number;
    }
    if (count == 1) {
        out->value[1] = out->value[2] = out->value[0];
    }
    out->given = true;
    return count == 1 || count == 3;
}

static bool shape_parse(const char *text, OptionShape *out) {
    char tail;
    return isdigit((unsigned char)text[0]) &&
           sscanf(text, "%5dx%5dx%5d%c", &out->channels, &out->height, &out->width, &tail) == 3 &&
           out->channels > 0 && out->height > 0 && out->width > 0;
}

// Whether `text` is one of the words of "A|B|C"; *out becomes the word (which is `text` itself).
static bool choice_parse(const char *text, const char *words) {
    size_t length = strlen(text);
    while (*words != '\0') {
        size_t word = strcspn(words, "|");
        if (word == length && strncmp(words, text, length) == 0) {
            return true;
        }
        words += word + (words[word] == '|');
    }
    return false;
}

static bool name_is_letter(const char *name) { return name[1] == '\0'; }

static const char *dashes(const char *name) { return name_is_letter(name) ? "-" : "--"; }

// Stores a value by its kind; the sentence ends in what the option wants.
static const char *value_store(const Option *option, const char *text, void *place) {
    long long whole = 0;
    double number = 0;
    switch (option->kind) {
    case OPTION_FLAG:
        *(int *)place = 1;
        return NULL;
    case OPTION_NO_FLAG:
        *(int *)place = 0;
        return NULL;
    case OPTION_TEXT:
        *(const char **)place = text;
        return text[0] != '\0' ? NULL : "a value that is not empty";
    case OPTION_CHOICE:
        *(const char **)place = text;
        return choice_parse(text, option->value) ? NULL : option->value;
    case OPTION_YES_NO:
        *(int *)place = strcmp(text, "yes") == 0;
        return strcmp(text, "yes") == 0 || strcmp(text, "no") == 0 ? NULL : "yes or no";
    case OPTION_COUNT:
        if (!options_whole(text, 1, INT_MAX, &whole)) {
            return "a whole number above zero";
        }
        *(int *)place = (int)whole;
        return NULL;
    case OPTION_WHOLE:
        if (!options_whole(text, 1, INT64_MAX, &whole)) {
            return "a whole number above zero";
        }
        *(int64_t *)place = (int64_t)whole;
        return NULL;
    case OPTION_SEED:
        if (!options_whole(text, 0, INT64_MAX, &whole)) {
            return "a whole number from zero up";
        }
        *(uint64_t *)place = (uint64_t)whole;
        return NULL;
    case OPTION_NUMBER:
        *(double *)place = number_parse(text, &number) ? number : -1;
        return *(double *)place >= 0 ? NULL : "a number from zero up";
    case OPTION_POSITIVE:
        *(double *)place = number_parse(text, &number) ? number : -1;
        return *(double *)place > 0 ? NULL : "a positive number";
    case OPTION_CHANNELS:
        return channels_parse(text, place) ? NULL : "three numbers such as 0.49,0.48,0.45";
    case OPTION_SHAPE:
        return shape_parse(text, place) ? NULL : "channels, height and width such as 3x32x32";
    case OPTION_END:
    case OPTION_HEADING:
        break;
    }
    return NULL;
}

static resnet_status option_unknown(const Command *command, const char *given) {
    const char *words[MOST_OPTIONS + 2] = {"help"};
    int count = 1;
    for (const Option *option = command->options; option->kind != OPTION_END; option++) {
        if (option->kind != OPTION_HEADING && !name_is_letter(option->name)) {
            words[count++] = option->name;
        }
    }
    char name[MOST_WORD + 1];
    const char *bare = given + strspn(given, "-");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(bare, "="), bare);
    const char *near = options_nearest(name, words);
    if (near != NULL) {
        return failure_say(RESNET_USAGE, "%s has no option '%s'; did you mean --%s?", command->name,
                           given, near);
    }
    return failure_say(RESNET_USAGE, "%s has no option '%s'; `resnet %s --help` lists them",
                       command->name, given, command->name);
}

static resnet_status operands_check(const Command *command, char **operands, int count) {
    if (count < command->least_operands) {
        return failure_say(RESNET_USAGE, "%s wants %s; `resnet %s --help` shows an example",
                           command->name, command->operands, command->name);
    }
    if (command->most_operands >= 0 && count > command->most_operands) {
        return failure_say(RESNET_USAGE, "%s does not know what to do with '%s'", command->name,
                           operands[command->most_operands]);
    }
    return RESNET_OK;
}

resnet_status options_parse(const Command *command, int argc, char **argv, void *target,
                            char ***operands, int *operand_count) {
    struct option longs[MOST_OPTIONS + 1] = {0};
    const Option *rows[MOST_OPTIONS];
    char letters[2 * MOST_OPTIONS + 2] = ":", *next = letters + 1;
    int count = 0;
    for (const Option *option = command->options; option->kind != OPTION_END; option++) {
        if (option->kind != OPTION_HEADING) {
            rows[count] = option;
            longs[count++].name = option->name;
        }
    }
    for (int i = 0; i < count; i++) {
        bool flag = rows[i]->kind == OPTION_FLAG || rows[i]->kind == OPTION_NO_FLAG;
        longs[i].has_arg = flag ? no_argument : required_argument;
        if (name_is_letter(rows[i]->name)) {
            *next++ = rows[i]->name[0];
            *next++ = flag ? '\0' : ':';
            next -= flag;
        }
    }
    opterr = 0;
    int found, index = 0;
    while ((found = getopt_long(argc, argv, letters, longs, &index)) != -1) {
        if (found == ':') {
            const char letter[] = {'-', (char)optopt, '\0'}; // optopt is 0 for a long name
            return failure_say(RESNET_USAGE, "%s wants a value",
                               optopt != 0 ? letter : argv[optind - 1]);
        }
        if (found == '?') {
            return option_unknown(command, argv[optind - 1]);
        }
        for (int i = 0; i < count && found != 0; i++) {
            index = name_is_letter(rows[i]->name) && rows[i]->name[0] == found ? i : index;
        }
        const Option *row = rows[index];
        const char *wanted = value_store(row, optarg, (char *)target + row->offset);
        if (wanted != NULL && row->kind == OPTION_CHOICE) {
            return failure_say(RESNET_USAGE, "%s%s wants one of %s, not '%s'", dashes(row->name),
                               row->name, wanted, optarg);
        }
        if (wanted != NULL) {
            return failure_say(RESNET_USAGE, "%s%s wants %s, not '%s'", dashes(row->name),
                               row->name, wanted, optarg);
        }
    }
    *operands = argv + optind;
    *operand_count = argc - optind;
    return operands_check(command, *operands, *operand_count);
}

resnet_status options_require(const char *value, const char *name) {
    return value != NULL ? RESNET_OK : failure_say(RESNET_USAGE, "%s is missing", name);
}

resnet_status options_check_normalization(const OptionChannels *mean, const OptionChannels *std) {
    if (mean->given != std->given) {
        return failure_say(RESNET_USAGE, "--mean and --std belong together: %s is missing",
                           mean->given ? "--std" : "--mean");
    }
    for (int c = 0; c < 3 && std->given; c++) {
        if (!(std->value[c] > 0)) {
            return failure_say(RESNET_USAGE, "--std wants numbers above zero, not %g",
                               (double)std->value[c]);
        }
    }
    return RESNET_OK;
}

static void help_row(const char *name, const char *value, const char *help) {
    int written = printf("  %s%s%s%s", dashes(name), name, value != NULL ? " " : "",
                         value != NULL ? value : "");
    if (written > HELP_INDENT - 2) {
        printf("\n");
        written = 0;
    }
    printf("%*s", HELP_INDENT - written, "");
    text_fill(help, HELP_INDENT, HELP_WIDTH, stdout);
}

void options_help(const Command *command) {
    printf("Usage: resnet %s %s\n\n%s.\n", command->name, command->usage, command->summary);
    if (command->details != NULL) {
        printf("\n%s\n", command->details);
    }
    bool heading = command->options->kind == OPTION_HEADING;
    if (!heading) {
        printf("\nOptions:\n");
    }
    for (const Option *option = command->options; option->kind != OPTION_END; option++) {
        if (option->kind == OPTION_HEADING) {
            printf("\n%s:\n", option->name);
        } else {
            help_row(option->name, option->value, option->help);
        }
    }
    help_row("help", NULL, "this text");
    printf("\nExample:\n  %s\n", command->example);
}
