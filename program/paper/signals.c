// SPDX-License-Identifier: Apache-2.0
#include "paper/signals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"
#include "paper/json_lines.h"

// A norm's entry has its response; its own gradient is that of scales and shifts.
static void layer_take(const json_t *layer, SignalLine *line) {
    const double response = json_member(layer, "response_std");
    if (strstr(json_member_text(layer, "name"), "downsample") != NULL) {
        return; // beside the layers, not among them
    }
    if (isfinite(response)) {
        line->responses[line->response_count++] = response;
    } else if (json_object_get(layer, "response_std") == NULL) {
        line->gradients[line->gradient_count++] = json_member(layer, "gradient_norm");
    }
}

static resnet_status line_take(void *user, const json_t *object) {
    Signals *signals = user;
    const json_t *layers = json_object_get(object, "layers");
    const size_t count = json_array_size(layers);
    if (signals->count == signals->room) {
        int room = signals->room > 0 ? 2 * signals->room : 16;
        SignalLine *lines = realloc(signals->lines, (size_t)room * sizeof *lines);
        if (lines == NULL) {
            return failure_say(RESNET_FAILED, "cannot get memory for gradients");
        }
        signals->lines = lines;
        signals->room = room;
    }
    SignalLine *line = &signals->lines[signals->count++];
    *line = (SignalLine){.iteration = json_member_whole(object, "iteration")};
    line->gradients = calloc(count + 1, sizeof *line->gradients);
    line->responses = calloc(count + 1, sizeof *line->responses);
    if (line->gradients == NULL || line->responses == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for gradients");
    }
    for (size_t i = 0; i < count; i++) {
        layer_take(json_array_get(layers, i), line);
    }
    return RESNET_OK;
}

resnet_status signals_read(const char *path, Signals *out) {
    return json_lines_read(path, line_take, out);
}

void signals_release(Signals *signals) {
    for (int i = 0; i < signals->count; i++) {
        free(signals->lines[i].gradients);
        free(signals->lines[i].responses);
    }
    free(signals->lines);
    *signals = (Signals){0};
}

const SignalLine *signals_last(const Signals *signals) {
    return signals->count > 0 ? &signals->lines[signals->count - 1] : NULL;
}
