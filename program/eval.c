// SPDX-License-Identifier: Apache-2.0
// `resnet eval`: accuracy and loss of weights on a data set.
#include <stddef.h>
#include <stdio.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/output.h"
#include "console/progress.h"
#include "console/views.h"
#include "console/weights.h"

typedef struct Arguments {
    WeightsOptions weights;
    ViewOptions views;
    const char *data, *split, *logits, *precision;
    int batch, threads, json;
} Arguments;

enum { BATCH = 128, PHOTOGRAPH_BATCH = 16, PHOTOGRAPH_SIDE = 128 };

static const Option options[] = {
    {OPTION_HEADING, "What to measure", NULL, 0, NULL},
    {OPTION_TEXT, "data", "SPEC", offsetof(Arguments, data), "the data set (needed)"},
    {OPTION_CHOICE, "split", "train|test", offsetof(Arguments, split), "default: test"},
    {OPTION_TEXT, "logits", "FILE", offsetof(Arguments, logits),
     "write all logits in data order as a NumPy file (.npy)"},
    PRECISION_OPTION,
    {OPTION_COUNT, "batch", "N", offsetof(Arguments, batch),
     "images at once (default 128; 16 for networks of more than 128 pixels a side)"},
    {OPTION_COUNT, "threads", "N", offsetof(Arguments, threads),
     "default: the CPUs that are free to use"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object: model, samples, failed, correct, correct5, top1, top5, loss, seconds, "
     "images_per_second"},
    {OPTION_HEADING, "Pictures", NULL, 0, NULL},
    VIEW_OPTIONS,
    {OPTION_HEADING, "Weights", NULL, 0, NULL},
    WEIGHTS_OPTIONS,
    {.kind = OPTION_END}};

static resnet_status evaluation_tell(const resnet_model *model, const Arguments *arguments,
                                     const resnet_evaluation *result) {
    if (arguments->json) {
        return json_line(json_pack(
            "{s:s, s:i, s:i, s:i, s:i, s:o, s:o, s:o, s:f, s:o}", "model", resnet_model_name(model),
            "samples", result->samples, "failed", result->failed, "correct", result->correct,
            "correct5", result->correct5, "top1", json_figure(result->top1), "top5",
            json_figure(result->top5), "loss", json_figure(result->loss), "seconds",
            result->seconds, "images_per_second", json_figure(result->images_per_second)));
    }
    printf("%s%s%s on %s, %s split: %s images\n", style_begin(stdout, STYLE_BOLD),
           resnet_model_name(model), style_begin(stdout, STYLE_PLAIN), arguments->data,
           arguments->split, figure_whole(result->samples));
    printf("top-1  %.2f %%  (error %.2f %%)\n", result->top1, 100 - result->top1);
    printf("top-5  %.2f %%  (error %.2f %%)\n", result->top5, 100 - result->top5);
    printf("loss   %.4f\n", result->loss);
    printf("time   %s, %.*f images/s\n", figure_seconds(result->seconds),
           result->images_per_second < 10 ? 1 : 0, result->images_per_second);
    return RESNET_OK;
}

static int batch_default(const resnet_model *model) {
    int channels, height, width;
    resnet_model_input(model, &channels, &height, &width);
    return height > PHOTOGRAPH_SIDE || width > PHOTOGRAPH_SIDE ? PHOTOGRAPH_BATCH : BATCH;
}

typedef struct Watch {
    const char *model;
    Progress progress;
} Watch;

static void failure_tell(void *user, const char *sentence) {
    Watch *watch = user;
    progress_clear(&watch->progress);
    output_error("%s", sentence);
}

static void progress_tell(void *user, const resnet_evaluation *so_far, int count) {
    Watch *watch = user;
    progress_evaluation(&watch->progress, watch->model, so_far, count);
}

static resnet_status session_measure(const resnet_model *model, const Arguments *arguments,
                                     const resnet_predict_options *views, const resnet_data *data,
                                     resnet_evaluation *result) {
    resnet_session_options session_options;
    resnet_session_options_default(&session_options);
    session_options.threads = arguments->threads;
    session_options.precision = arguments->precision;
    session_options.batch = arguments->batch > 0 ? arguments->batch : batch_default(model);
    resnet_session *session = NULL;
    TRY(resnet_session_create(model, &session_options, &session));
    Watch watch = {.model = resnet_model_name(model), .progress = progress_begin()};
    resnet_evaluate_options how;
    resnet_evaluate_options_default(&how);
    how.views = views->views;
    how.exif = views->exif;
    how.logits = arguments->logits;
    how.failure = failure_tell;
    how.progress = progress_tell;
    how.user = &watch;
    resnet_status status = resnet_session_evaluate(session, data, &how, result);
    progress_clear(&watch.progress);
    resnet_session_free(session);
    return status;
}

static resnet_status model_measure(const resnet_model *model, const Arguments *arguments,
                                   const resnet_predict_options *views, const resnet_data *data) {
    resnet_evaluation result;
    TRY(session_measure(model, arguments, views, data, &result));
    TRY(evaluation_tell(model, arguments, &result));
    if (result.failed > 0) {
        return failure_say(RESNET_FAILED, "%d of %d images could not be read", result.failed,
                           result.failed + result.samples);
    }
    return RESNET_OK;
}

static resnet_status eval_run(int argc, char **argv) {
    Arguments arguments = {.split = "test"};
    char **operands;
    int count;
    TRY(options_parse(&command_eval, argc, argv, &arguments, &operands, &count));
    TRY(options_require(arguments.data, "--data SPEC"));
    resnet_predict_options views;
    TRY(views_choose(&arguments.views, &views));
    resnet_model *model = NULL;
    TRY(weights_open(operands[0], &arguments.weights, &model));
    resnet_data *data = NULL;
    resnet_status status = resnet_data_open(arguments.data, arguments.split, &data);
    if (status == RESNET_OK) {
        status = model_measure(model, &arguments, &views, data);
    }
    resnet_data_free(data);
    resnet_model_free(model);
    return status;
}

const Command command_eval = {
    .name = "eval",
    .summary = "Measures the accuracy of weights on a data set",
    .usage = "WEIGHTS --data SPEC [OPTION]...",
    .details = PICTURES_SPEC_HELP
    "\nA picture that cannot be read is named with the reason; the others go on, and\n"
    "the exit code is 1.",
    .example = "resnet eval runs/r20/model.safetensors --data cifar10:cifar-10-batches-bin",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .operands = "a file of WEIGHTS",
    .run = eval_run,
};
