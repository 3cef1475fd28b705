// SPDX-License-Identifier: Apache-2.0
// `resnet predict`: labels with probabilities, of picture files or of samples of a data set.
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "weights.h"

typedef struct Arguments {
    const char *data, *split, *samples, *png;
    int top, threads, json;
    OptionChannels mean, std;
} Arguments;

static const Option options[] = {
    {OPTION_COUNT, "top", "K", offsetof(Arguments, top), "labels to show (default 5)"},
    {OPTION_TEXT, "data", "SPEC", offsetof(Arguments, data),
     "classify samples of this data set, with their true labels beside"},
    {OPTION_TEXT, "samples", "I,J,...", offsetof(Arguments, samples),
     "which ones, counted from 0 (default 0,1,2)"},
    {OPTION_CHOICE, "split", "train|test", offsetof(Arguments, split), "default: test"},
    {OPTION_TEXT, "png", "DIR", offsetof(Arguments, png), "keep these samples there as PNG files"},
    {OPTION_CHANNELS, "mean", "R,G,B", offsetof(Arguments, mean),
     "normalisation instead of what the weights carry: (byte / 255 - mean) / std"},
    {OPTION_CHANNELS, "std", "R,G,B", offsetof(Arguments, std), "see --mean"},
    {OPTION_COUNT, "threads", "N", offsetof(Arguments, threads),
     "default: the CPUs that are free to use"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object an image: file, predictions[{index, label, probability}], or file, error"},
    {.kind = OPTION_END}};

typedef struct Predictor {
    const Arguments *arguments;
    const resnet_model *model;
    resnet_session *session;
    float *probability; // [classes]
    int *order;         // [classes] most probable first, ties by index
    int classes, top;
    int seen, failed;
    bool alone; // one picture only
} Predictor;

// The `top` most probable classes by repeated selection: top is small.
static void predictor_rank(Predictor *predictor) {
    for (int i = 0; i < predictor->classes; i++) {
        predictor->order[i] = i;
    }
    for (int rank = 0; rank < predictor->top; rank++) {
        int best = rank;
        for (int i = rank + 1; i < predictor->classes; i++) {
            float candidate = predictor->probability[predictor->order[i]];
            float leader = predictor->probability[predictor->order[best]];
            if (candidate > leader ||
                (!(candidate < leader) && predictor->order[i] < predictor->order[best])) {
                best = i;
            }
        }
        int swap = predictor->order[rank];
        predictor->order[rank] = predictor->order[best];
        predictor->order[best] = swap;
    }
}

static const char *predictor_label(const Predictor *predictor, int index) {
    static char number[32];
    const char *name = resnet_model_class_name(predictor->model, index);
    if (name == NULL) {
        snprintf(number, sizeof number, "class %d", index);
    }
    return name != NULL ? name : number;
}

static resnet_status predictor_json(const Predictor *predictor, const char *file,
                                    const char *truth) {
    json_t *list = json_array();
    for (int rank = 0; rank < predictor->top; rank++) {
        int index = predictor->order[rank];
        json_array_append_new(list, json_pack("{s:i, s:s, s:o}", "index", index, "label",
                                              predictor_label(predictor, index), "probability",
                                              json_figure(predictor->probability[index])));
    }
    json_t *line = json_pack("{s:s, s:o}", "file", file, "predictions", list);
    if (truth != NULL) {
        json_object_set_new(line, "truth", json_string(truth));
    }
    return json_line(line);
}

static void predictor_text(const Predictor *predictor, const char *file, const char *truth) {
    printf("%s%s%s", style_begin(stdout, STYLE_BOLD), file, style_begin(stdout, STYLE_PLAIN));
    if (truth != NULL) {
        const char *first = predictor_label(predictor, predictor->order[0]);
        bool right = strcmp(first, truth) == 0;
        printf(" is %s: %s%s%s", truth, style_begin(stdout, right ? STYLE_GREEN : STYLE_RED),
               right ? "recognised" : "mistaken", style_begin(stdout, STYLE_PLAIN));
    }
    printf("\n");
    for (int rank = 0; rank < predictor->top; rank++) {
        int index = predictor->order[rank];
        printf("  %6.2f %%  %s\n", 100 * (double)predictor->probability[index],
               predictor_label(predictor, index));
    }
}

// One picture. A file that cannot be read is told and counted; the others go on.
static resnet_status predictor_file(Predictor *predictor, const char *path, const char *shown,
                                    const char *truth) {
    predictor->seen++;
    if (resnet_session_predict_file(predictor->session, path, predictor->probability) ==
        RESNET_OK) {
        predictor_rank(predictor);
        if (predictor->arguments->json) {
            return predictor_json(predictor, shown, truth);
        }
        predictor_text(predictor, shown, truth);
        return RESNET_OK;
    }
    predictor->failed++;
    if (predictor->arguments->json) {
        TRY(json_line(json_pack("{s:s, s:s}", "file", shown, "error", resnet_last_error())));
    }
    if (predictor->alone) {
        return RESNET_FAILED; // main.c tells the reason
    }
    fflush(stdout);
    output_error("%s", resnet_last_error());
    return RESNET_OK;
}

// ---- Samples of a data set: written as PNG files, then read like any picture ----

static resnet_status sample_predict(Predictor *predictor, const resnet_data *data, int sample,
                                    const char *folder) {
    char path[PATH_MAX], shown[PATH_MAX];
    int length = snprintf(path, sizeof path, "%s/sample-%d.png", folder, sample);
    if (length >= (int)sizeof path) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", folder);
    }
    TRY(resnet_data_write_png(data, sample, path));
    if (predictor->arguments->png != NULL) {
        strcpy(shown, path);
    } else {
        snprintf(shown, sizeof shown, "sample %d", sample);
    }
    const char *truth = resnet_data_class_name(data, resnet_data_label(data, sample));
    resnet_status status = predictor_file(predictor, path, shown, truth);
    if (predictor->arguments->png == NULL) {
        unlink(path);
    }
    return status;
}

static resnet_status samples_each(Predictor *predictor, const resnet_data *data,
                                  const char *folder) {
    const char *list = predictor->arguments->samples;
    list = list != NULL ? list : "0,1,2";
    while (*list != '\0') {
        char number[32];
        int length = (int)strcspn(list, ",");
        snprintf(number, sizeof number, "%.*s", length, list);
        long long sample;
        if (!options_whole(number, 0, resnet_data_count(data) - 1, &sample)) {
            return failure_say(RESNET_USAGE,
                               "--samples wants numbers from 0 to %d with commas between, not '%s'",
                               resnet_data_count(data) - 1, number);
        }
        TRY(sample_predict(predictor, data, (int)sample, folder));
        list += length + (list[length] == ',');
    }
    return RESNET_OK;
}

static resnet_status samples_predict(Predictor *predictor) {
    const Arguments *arguments = predictor->arguments;
    resnet_data *data = NULL;
    TRY(resnet_data_open(arguments->data, arguments->split, &data));
    char temporary[PATH_MAX];
    const char *base = getenv("TMPDIR");
    base = base != NULL && base[0] != '\0' ? base : P_tmpdir;
    snprintf(temporary, sizeof temporary, "%s/resnet-XXXXXX", base);
    const char *folder = arguments->png;
    resnet_status status = RESNET_OK;
    if (folder == NULL) {
        folder = mkdtemp(temporary);
        if (folder == NULL) {
            status = failure_say(RESNET_FAILED, "%s: cannot make a folder for pictures: %s", base,
                                 strerror(errno));
        }
    } else if (mkdir(folder, 0777) != 0 && errno != EEXIST) {
        status =
            failure_say(RESNET_FAILED, "%s: cannot make the folder: %s", folder, strerror(errno));
    }
    if (status == RESNET_OK) {
        status = samples_each(predictor, data, folder);
    }
    if (arguments->png == NULL && folder != NULL) {
        rmdir(folder);
    }
    resnet_data_free(data);
    return status;
}

// ---- The command ----

static resnet_status pictures_predict(Predictor *predictor, char **files, int count) {
    for (int i = 0; i < count; i++) {
        TRY(predictor_file(predictor, files[i], files[i], NULL));
    }
    if (predictor->arguments->data != NULL) {
        TRY(samples_predict(predictor));
    }
    if (predictor->failed > 0) {
        return failure_say(RESNET_FAILED, "%d of %d images could not be classified",
                           predictor->failed, predictor->seen);
    }
    return RESNET_OK;
}

static resnet_status session_predict(const resnet_model *model, const Arguments *arguments,
                                     char **files, int count) {
    int classes = resnet_model_classes(model);
    Predictor predictor = {
        .arguments = arguments,
        .model = model,
        .alone = count == 1 && arguments->data == NULL,
        .classes = classes,
        .top = arguments->top < classes ? arguments->top : classes,
        .probability = malloc((size_t)classes * sizeof(float)),
        .order = malloc((size_t)classes * sizeof(int)),
    };
    resnet_session_options session;
    resnet_session_options_default(&session);
    session.threads = arguments->threads;
    resnet_status status = RESNET_OK;
    if (predictor.probability == NULL || predictor.order == NULL) {
        status = failure_say(RESNET_FAILED, "cannot get memory for %d classes", classes);
    }
    if (status == RESNET_OK) {
        status = resnet_session_create(model, &session, &predictor.session);
    }
    if (status == RESNET_OK) {
        status = pictures_predict(&predictor, files, count);
    }
    resnet_session_free(predictor.session);
    free(predictor.probability);
    free(predictor.order);
    return status;
}

static resnet_status predict_run(int argc, char **argv) {
    Arguments arguments = {.top = 5, .split = "test"};
    char **operands;
    int count;
    TRY(options_parse(&command_predict, argc, argv, &arguments, &operands, &count));
    if (count == 1 && arguments.data == NULL) {
        return failure_say(RESNET_USAGE, "predict wants at least one IMAGE, or --data SPEC");
    }
    if (arguments.data == NULL && (arguments.samples != NULL || arguments.png != NULL)) {
        return failure_say(RESNET_USAGE, "%s belongs to --data SPEC, which is missing",
                           arguments.samples != NULL ? "--samples" : "--png");
    }
    resnet_model *model = NULL;
    TRY(weights_open(operands[0], &arguments.mean, &arguments.std, &model));
    resnet_status status = session_predict(model, &arguments, operands + 1, count - 1);
    resnet_model_free(model);
    return status;
}

const Command command_predict = {
    .name = "predict",
    .summary = "Classifies pictures (PNG, JPEG, PPM)",
    .usage = "WEIGHTS [IMAGE]... [OPTION]...",
    .details = DATA_SPEC_HELP "\nA picture that cannot be read is named with the reason; the\n"
                              "others go on, and the exit code is 1.",
    .example = "resnet predict runs/resnet20/model.safetensors cat.png --top 3",
    .options = options,
    .least_operands = 1,
    .most_operands = -1,
    .operands = "a file of WEIGHTS and at least one IMAGE",
    .run = predict_run,
};
