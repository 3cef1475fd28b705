// SPDX-License-Identifier: Apache-2.0
#include "paper/costs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "console/failure.h"
#include "console/output.h"
#include "console/timing.h"
#include "paper/json_lines.h"

static const double TIMING_SECONDS = 0.4;

// The subject with all defaults filled in, as it stands in the file.
typedef struct Entry {
    char shortcut[8], input[48];
    int classes;
} Entry;

static resnet_status subject_create(const CostSubject *subject, resnet_model **out) {
    resnet_model_options options;
    resnet_model_options_default(&options);
    options.shortcut = subject->shortcut;
    options.classes = subject->classes;
    options.channels = subject->channels;
    options.height = subject->height;
    options.width = subject->width;
    return resnet_model_create(subject->model, &options, out);
}

static Entry entry_of(const resnet_model *model) {
    int channels, height, width;
    resnet_model_input(model, &channels, &height, &width);
    Entry entry = {.classes = resnet_model_classes(model)};
    snprintf(entry.shortcut, sizeof entry.shortcut, "%s", resnet_model_shortcut(model));
    snprintf(entry.input, sizeof entry.input, "%dx%dx%d", channels, height, width);
    return entry;
}

static resnet_status model_count(const resnet_model *model, Cost *out) {
    resnet_summary summary;
    TRY(resnet_model_summary(model, 1, 1, &summary));
    *out = (Cost){.parameters = summary.parameters, .macs = summary.macs, .latency = NAN};
    return RESNET_OK;
}

resnet_status cost_count(const CostSubject *subject, Cost *out) {
    resnet_model *model = NULL;
    TRY(subject_create(subject, &model));
    resnet_status status = model_count(model, out);
    resnet_model_free(model);
    return status;
}

typedef struct Lookup {
    const char *model;
    Entry entry;
    bool timed, found;
    Cost cost;
} Lookup;

static resnet_status line_look(void *user, const json_t *line) {
    Lookup *lookup = user;
    const double latency = json_member(line, "latency_ms");
    bool same = strcmp(json_member_text(line, "model"), lookup->model) == 0 &&
                strcmp(json_member_text(line, "shortcut"), lookup->entry.shortcut) == 0 &&
                strcmp(json_member_text(line, "input"), lookup->entry.input) == 0 &&
                json_member_whole(line, "classes") == lookup->entry.classes;
    if (same && (isfinite(latency) || !lookup->timed)) {
        lookup->found = true;
        lookup->cost = (Cost){.parameters = json_member_whole(line, "parameters"),
                              .macs = json_member_whole(line, "macs"),
                              .latency = latency,
                              .threads = (int)json_member_whole(line, "threads")};
    }
    return RESNET_OK;
}

static resnet_status model_time(const resnet_model *model, int threads, Cost *cost) {
    const TimingOptions options = {.batch = 1, .threads = threads, .seconds = TIMING_SECONDS};
    Timing timing;
    resnet_status status = timing_run(model, &options, &timing);
    cost->latency = 1e3 * timing.p50;
    timing_free(&timing);
    return status;
}

static resnet_status cost_measure(const char *path, const resnet_model *model, int threads,
                                  const Lookup *lookup, Cost *out) {
    TRY(model_count(model, out));
    out->threads = threads > 0 ? threads : resnet_cpu_count();
    if (lookup->timed) {
        TRY(model_time(model, threads, out));
    }
    return json_lines_add(
        path, json_pack("{s:s, s:s, s:s, s:i, s:I, s:I, s:o, s:i}", "model", lookup->model,
                        "shortcut", lookup->entry.shortcut, "input", lookup->entry.input, "classes",
                        lookup->entry.classes, "parameters", (json_int_t)out->parameters, "macs",
                        (json_int_t)out->macs, "latency_ms", json_figure(out->latency), "threads",
                        out->threads));
}

resnet_status cost_get(const char *path, const CostSubject *subject, int threads, bool timed,
                       Cost *out) {
    resnet_model *model = NULL;
    TRY(subject_create(subject, &model));
    Lookup lookup = {.model = subject->model, .entry = entry_of(model), .timed = timed};
    resnet_status status = json_lines_read(path, line_look, &lookup);
    *out = lookup.cost;
    if (status == RESNET_OK && !lookup.found) {
        status = cost_measure(path, model, threads, &lookup, out);
    }
    resnet_model_free(model);
    return status;
}
