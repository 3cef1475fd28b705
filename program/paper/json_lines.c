// SPDX-License-Identifier: Apache-2.0
#include "paper/json_lines.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"

resnet_status json_lines_read(const char *path, JsonLineUse *use, void *user) {
    FILE *file = fopen(path, "r");
    if (file == NULL && errno == ENOENT) {
        return RESNET_OK;
    }
    if (file == NULL) {
        return failure_say(RESNET_FAILED, "%s: cannot read: %s", path, strerror(errno));
    }
    char *text = NULL;
    size_t room = 0;
    resnet_status status = RESNET_OK;
    while (status == RESNET_OK && getline(&text, &room, file) > 0) {
        json_t *line = json_loads(text, 0, NULL);
        if (json_is_object(line)) {
            status = use(user, line);
        }
        json_decref(line);
    }
    free(text);
    fclose(file);
    return status;
}

// Whether a line that was cut short stands at the end.
static bool ends_open(FILE *file) { return fseek(file, -1, SEEK_END) == 0 && fgetc(file) != '\n'; }

resnet_status json_lines_add(const char *path, json_t *line) {
    char *text = json_dumps(line, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(line);
    if (text == NULL) {
        return failure_say(RESNET_FAILED, "%s: cannot get memory for a line", path);
    }
    FILE *file = fopen(path, "a+");
    bool failed = file == NULL;
    if (!failed) {
        const char *begin = ends_open(file) ? "\n" : "";
        failed = fseek(file, 0, SEEK_END) != 0 || fprintf(file, "%s%s\n", begin, text) < 0;
        failed = fclose(file) != 0 || failed;
    }
    int reason = errno;
    free(text);
    return failed ? failure_say(RESNET_FAILED, "%s: cannot write: %s", path, strerror(reason))
                  : RESNET_OK;
}

double json_member(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

int64_t json_member_whole(const json_t *line, const char *key) {
    return (int64_t)json_integer_value(json_object_get(line, key));
}

const char *json_member_text(const json_t *line, const char *key) {
    const char *text = json_string_value(json_object_get(line, key));
    return text != NULL ? text : "";
}
