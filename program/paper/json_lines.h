// SPDX-License-Identifier: Apache-2.0
// Files of one JSON object a line, to which lines are only ever added. Lines that are no JSON, such
// as the half of one that a killed process left, are passed over.
#ifndef PROGRAM_JSON_LINES_H
#define PROGRAM_JSON_LINES_H

#include <jansson.h>
#include <stdint.h>

#include "resnet.h"

typedef resnet_status JsonLineUse(void *user, const json_t *line);

// Calls `use` for each line, until it fails. A file that is not there has no lines.
resnet_status json_lines_read(const char *path, JsonLineUse *use, void *user);
// Adds a line and lets go of the object (NULL: memory was short); it is in the file on return.
resnet_status json_lines_add(const char *path, json_t *line);

// A member; NaN, 0 or "" where there is none of that type.
double json_member(const json_t *line, const char *key);
int64_t json_member_whole(const json_t *line, const char *key);
const char *json_member_text(const json_t *line, const char *key);

#endif
