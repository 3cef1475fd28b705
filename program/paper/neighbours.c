// SPDX-License-Identifier: Apache-2.0
#include "paper/neighbours.h"

#include <stdio.h>
#include <string.h>

#include "console/failure.h"
#include "console/output.h"
#include "console/progress.h"
#include "paper/json_lines.h"

static const Neighbour neighbours[] = {
    {"AlexNet", "alexnet", NULL, 0, 0, 0, 0, 0},
    {"VGG-16", "vgg16", NULL, 15.3, 28.07, 9.33, 0, 0},
    {"VGG-19", "vgg19", NULL, 19.6, 0, 0, 0, 0},
    {"GoogLeNet", "googlenet", NULL, 0, 0, 9.15, 0, 7.89},
    {"plain-34", "plain34", NULL, 3.6, 28.54, 10.02, 0, 0},
    {"resnet-18 A", "resnet18", "A", 1.8, 27.88, 0, 0, 0},
    {"resnet-34 A", "resnet34", "A", 3.6, 25.03, 7.76, 0, 0},
    {"resnet-34 B", "resnet34", "B", 3.6, 24.52, 7.46, 21.84, 5.71},
    {"resnet-34 C", "resnet34", "C", 3.6, 24.19, 7.40, 21.53, 5.60},
    {"resnet-50", "resnet50", NULL, 3.8, 22.85, 6.71, 20.74, 5.25},
    {"resnet-101", "resnet101", NULL, 7.6, 21.75, 6.05, 19.87, 4.60},
    {"resnet-152", "resnet152", NULL, 11.3, 21.43, 5.71, 19.38, 4.49},
    {"SE-resnet-50", "seresnet50", NULL, 0, 0, 0, 0, 0},
};

const Neighbour *neighbour_get(int index) {
    const int count = sizeof neighbours / sizeof neighbours[0];
    return index >= 0 && index < count ? &neighbours[index] : NULL;
}

// ---- Published weights --------------------------------------------------------------------------

enum { BATCH = 16 };

typedef struct Lookup {
    const char *images;
    Accuracy *accuracy;
    bool found;
} Lookup;

static resnet_status line_look(void *user, const json_t *line) {
    Lookup *lookup = user;
    Accuracy *accuracy = lookup->accuracy;
    if (strcmp(json_member_text(line, "weights"), accuracy->weights) == 0 &&
        strcmp(json_member_text(line, "images"), lookup->images) == 0) {
        lookup->found = true;
        snprintf(accuracy->model, sizeof accuracy->model, "%s", json_member_text(line, "model"));
        snprintf(accuracy->shortcut, sizeof accuracy->shortcut, "%s",
                 json_member_text(line, "shortcut"));
        accuracy->samples = (int)json_member_whole(line, "samples");
        accuracy->top1_error = json_member(line, "top1_error");
        accuracy->top5_error = json_member(line, "top5_error");
    }
    return RESNET_OK;
}

typedef struct Watch {
    const char *weights;
    Progress progress;
} Watch;

static void watch_progress(void *user, const resnet_evaluation *so_far, int count) {
    Watch *watch = user;
    progress_evaluation(&watch->progress, watch->weights, so_far, count);
}

static resnet_status session_evaluate(const resnet_model *model, const CampaignOptions *options,
                                      const resnet_data *data, Watch *watch,
                                      resnet_evaluation *result) {
    resnet_session_options session_options;
    resnet_session_options_default(&session_options);
    session_options.threads = options->threads;
    session_options.batch = BATCH;
    resnet_session *session = NULL;
    TRY(resnet_session_create(model, &session_options, &session));
    resnet_evaluate_options how;
    resnet_evaluate_options_default(&how);
    how.progress = watch_progress;
    how.user = watch;
    resnet_status status = resnet_session_evaluate(session, data, &how, result);
    progress_clear(&watch->progress);
    resnet_session_free(session);
    return status;
}

static resnet_status weights_evaluate(const char *path, const CampaignOptions *options,
                                      Accuracy *out) {
    Watch watch = {.weights = out->weights, .progress = progress_begin()};
    resnet_model *model = NULL;
    resnet_data *data = NULL;
    resnet_evaluation result = {0};
    resnet_status status = resnet_model_load(out->weights, NULL, &model);
    if (status == RESNET_OK) {
        status = resnet_data_open(options->images, "test", &data);
    }
    if (status == RESNET_OK) {
        status = session_evaluate(model, options, data, &watch, &result);
    }
    if (status == RESNET_OK) {
        snprintf(out->model, sizeof out->model, "%s", resnet_model_name(model));
        snprintf(out->shortcut, sizeof out->shortcut, "%s", resnet_model_shortcut(model));
        out->samples = result.samples;
        out->top1_error = 100 - result.top1;
        out->top5_error = 100 - result.top5;
        status = json_lines_add(
            path, json_pack("{s:o, s:o, s:s, s:s, s:i, s:f, s:f}", "weights",
                            json_text(out->weights), "images", json_text(options->images), "model",
                            out->model, "shortcut", out->shortcut, "samples", out->samples,
                            "top1_error", out->top1_error, "top5_error", out->top5_error));
    }
    resnet_data_free(data);
    resnet_model_free(model);
    return status;
}

static resnet_status accuracy_get(const CampaignOptions *options, Accuracy *out) {
    char path[PATH_MAX];
    TRY(campaign_path(options, "accuracies.jsonl", path));
    Lookup lookup = {.images = options->images, .accuracy = out};
    TRY(json_lines_read(path, line_look, &lookup));
    return lookup.found ? RESNET_OK : weights_evaluate(path, options, out);
}

resnet_status accuracies_get(const CampaignOptions *options, Accuracy *out, int *count) {
    *count = 0;
    for (const char *at = options->weights; at != NULL && *at != '\0';) {
        const size_t length = strcspn(at, ",");
        if (*count == MOST_WEIGHTS || length >= sizeof out->weights) {
            return failure_say(RESNET_USAGE,
                               "--weights: at most %d files, each of a path of at most %d bytes",
                               MOST_WEIGHTS, (int)sizeof out->weights - 1);
        }
        Accuracy *accuracy = &out[(*count)++];
        *accuracy = (Accuracy){0};
        memcpy(accuracy->weights, at, length);
        TRY(accuracy_get(options, accuracy));
        at += length + (at[length] == ',');
    }
    return RESNET_OK;
}
