// SPDX-License-Identifier: Apache-2.0
// `resnet predict`: labels with probabilities, of picture files or of samples of a data set.
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/folder.h"
#include "console/output.h"
#include "console/views.h"
#include "console/weights.h"
#include "predictor.h"

typedef struct Arguments {
    WeightsOptions weights;
    ViewOptions views;
    const char *data, *split, *samples, *png, *explain, *precision;
    int top, threads, json;
} Arguments;

#define SAMPLES_DEFAULT "0,1,2"

static const Option options[] = {
    {OPTION_HEADING, "What to show", NULL, 0, NULL},
    {OPTION_COUNT, "top", "K", offsetof(Arguments, top), "labels to show (default 5)"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object an image: file, predictions[{index, label, probability}], or file, error"},
    {OPTION_TEXT, "explain-preprocess", "DIR", offsetof(Arguments, explain),
     "write each stage from the picture to the network's input there, as PNG and .npy"},
    PRECISION_OPTION,
    {OPTION_COUNT, "threads", "N", offsetof(Arguments, threads),
     "default: the CPUs that are free to use"},
    {OPTION_HEADING, "Pictures", NULL, 0, NULL},
    VIEW_OPTIONS,
    {OPTION_TEXT, "data", "SPEC", offsetof(Arguments, data),
     "classify samples of this data set, with their true labels beside"},
    {OPTION_TEXT, "samples", "I,J,...", offsetof(Arguments, samples),
     "which ones, counted from 0 (default " SAMPLES_DEFAULT ")"},
    {OPTION_CHOICE, "split", "train|test", offsetof(Arguments, split), "default: test"},
    {OPTION_TEXT, "png", "DIR", offsetof(Arguments, png), "keep these samples there as PNG files"},
    {OPTION_HEADING, "Weights", NULL, 0, NULL},
    WEIGHTS_OPTIONS,
    {.kind = OPTION_END}};

// ---- Samples of a data set: written as PNG files, then read like any picture ----

typedef struct Samples {
    const resnet_data *data;
    const char *list;   // "3,0,17"
    const char *folder; // of the PNG files
    bool keep;          // they stay there
} Samples;

static resnet_status sample_predict(Predictor *predictor, const Samples *samples, int sample) {
    char path[PATH_MAX], shown[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/sample-%d.png", samples->folder, sample);
    if (length >= (int)sizeof path) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", samples->folder);
    }
    if (samples->keep) {
        strcpy(shown, path);
    } else {
        snprintf(shown, sizeof shown, "sample %d", sample);
    }
    if (resnet_data_write_png(samples->data, sample, path) != RESNET_OK) {
        return predictor_failure(predictor, shown);
    }
    int label = resnet_data_label(samples->data, sample);
    Truth truth = {label, resnet_data_class_name(samples->data, label)};
    resnet_status status = predictor_file(predictor, path, shown, &truth);
    if (!samples->keep) {
        unlink(path);
    }
    return status;
}

static resnet_status samples_each(Predictor *predictor, const Samples *samples) {
    for (const char *list = samples->list; *list != '\0';) {
        char number[32];
        int length = (int)strcspn(list, ",");
        snprintf(number, sizeof number, "%.*s", length, list);
        long long sample;
        int last = resnet_data_count(samples->data) - 1;
        if (!options_whole(number, 0, last, &sample)) {
            return failure_say(RESNET_USAGE,
                               "--samples wants numbers from 0 to %d with commas between, not '%s'",
                               last, number);
        }
        TRY(sample_predict(predictor, samples, (int)sample));
        list += length + (list[length] == ',');
    }
    return RESNET_OK;
}

// In a folder of the user's, or in one that is gone afterwards.
static resnet_status samples_in_folder(Predictor *predictor, Samples *samples) {
    char temporary[PATH_MAX];
    const char *base = getenv("TMPDIR");
    base = base != NULL && base[0] != '\0' ? base : P_tmpdir;
    snprintf(temporary, sizeof temporary, "%s/resnet-XXXXXX", base);
    if (samples->keep) {
        TRY(folder_make(samples->folder));
        return samples_each(predictor, samples);
    }
    samples->folder = mkdtemp(temporary);
    if (samples->folder == NULL) {
        return failure_say(RESNET_FAILED, "%s: cannot make a folder for pictures: %s", base,
                           strerror(errno));
    }
    resnet_status status = samples_each(predictor, samples);
    rmdir(samples->folder);
    return status;
}

static resnet_status samples_predict(Predictor *predictor, const Arguments *arguments) {
    resnet_data *data = NULL;
    TRY(resnet_data_open(arguments->data, arguments->split, &data));
    Samples samples = {
        .data = data,
        .list = arguments->samples,
        .folder = arguments->png,
        .keep = arguments->png != NULL,
    };
    predictor->data = data;
    resnet_status status = samples_in_folder(predictor, &samples);
    predictor->data = NULL;
    resnet_data_free(data);
    return status;
}

// ---- The command ----

static resnet_status pictures_predict(Predictor *predictor, const Arguments *arguments,
                                      char **files, int count) {
    TRY(predictor_files(predictor, (const char *const *)files, count));
    if (arguments->data != NULL) {
        TRY(samples_predict(predictor, arguments));
    }
    TRY(predictor_finish(predictor));
    if (arguments->explain != NULL && !arguments->json) {
        printf("the stages of its preprocessing are in %s\n", arguments->explain);
    }
    return RESNET_OK;
}

static resnet_status arguments_check(Arguments *arguments, int pictures) {
    if (pictures == 0 && arguments->data == NULL) {
        return failure_say(RESNET_USAGE, "predict wants at least one IMAGE, or --data SPEC");
    }
    if (arguments->data == NULL && (arguments->samples != NULL || arguments->png != NULL)) {
        return failure_say(RESNET_USAGE, "%s belongs to --data SPEC, which is missing",
                           arguments->samples != NULL ? "--samples" : "--png");
    }
    if (arguments->samples == NULL) {
        arguments->samples = SAMPLES_DEFAULT;
    }
    bool one_sample = strchr(arguments->samples, ',') == NULL;
    bool one = arguments->data == NULL ? pictures == 1 : pictures == 0 && one_sample;
    if (arguments->explain != NULL && !one) {
        return failure_say(RESNET_USAGE, "--explain-preprocess wants one picture, not several");
    }
    return RESNET_OK;
}

static resnet_status predict_run(int argc, char **argv) {
    Arguments arguments = {.top = 5, .split = "test"};
    char **operands;
    int count;
    TRY(options_parse(&command_predict, argc, argv, &arguments, &operands, &count));
    TRY(arguments_check(&arguments, count - 1));
    PredictorOptions how = {
        .top = arguments.top,
        .threads = arguments.threads,
        .precision = arguments.precision,
        .json = arguments.json,
        .alone = count == 2 && arguments.data == NULL,
    };
    TRY(views_choose(&arguments.views, &how.views));
    how.views.explain = arguments.explain;
    resnet_model *model = NULL;
    TRY(weights_open(operands[0], &arguments.weights, &model));
    Predictor predictor;
    resnet_status status = predictor_create(model, &how, &predictor);
    if (status == RESNET_OK) {
        status = pictures_predict(&predictor, &arguments, operands + 1, count - 1);
        predictor_destroy(&predictor);
    }
    resnet_model_free(model);
    return status;
}

const Command command_predict = {
    .name = "predict",
    .summary = "Classifies pictures (JPEG, PNG, WebP, BMP, PPM)",
    .usage = "WEIGHTS [IMAGE]... [OPTION]...",
    .details = "IMAGE - is standard input. A picture that cannot be read is named with the\n"
               "reason; the others go on, and the exit code is 1.\n" PICTURES_SPEC_HELP,
    .example = "resnet predict resnet50.safetensors cat.jpg dog.png --top 3",
    .options = options,
    .least_operands = 1,
    .most_operands = -1,
    .operands = "a file of WEIGHTS and at least one IMAGE",
    .run = predict_run,
};
