// SPDX-License-Identifier: Apache-2.0
// `resnet eval`: accuracy and loss of weights on a data set.
#include <stddef.h>
#include <stdio.h>

#include "command.h"
#include "failure.h"
#include "output.h"
#include "weights.h"

typedef struct Arguments {
    const char *data, *split, *logits;
    int batch, threads, json;
    OptionChannels mean, std;
} Arguments;

static const Option options[] = {
    {OPTION_TEXT, "data", "SPEC", offsetof(Arguments, data), "the data set (needed)"},
    {OPTION_CHOICE, "split", "train|test", offsetof(Arguments, split), "default: test"},
    {OPTION_TEXT, "logits", "FILE", offsetof(Arguments, logits),
     "write all logits in data order as a NumPy file (.npy)"},
    {OPTION_CHANNELS, "mean", "R,G,B", offsetof(Arguments, mean),
     "normalisation instead of what the weights carry: (byte / 255 - mean) / std"},
    {OPTION_CHANNELS, "std", "R,G,B", offsetof(Arguments, std), "see --mean"},
    {OPTION_COUNT, "batch", "N", offsetof(Arguments, batch), "images at once (default 128)"},
    {OPTION_COUNT, "threads", "N", offsetof(Arguments, threads),
     "default: the CPUs that are free to use"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object: model, samples, correct, correct5, top1, top5, loss, seconds, "
     "images_per_second"},
    {.kind = OPTION_END}};

static resnet_status evaluation_tell(const resnet_model *model, const Arguments *arguments,
                                     const resnet_evaluation *result) {
    if (arguments->json) {
        return json_line(json_pack(
            "{s:s, s:i, s:i, s:i, s:f, s:f, s:o, s:f, s:f}", "model", resnet_model_name(model),
            "samples", result->samples, "correct", result->correct, "correct5", result->correct5,
            "top1", result->top1, "top5", result->top5, "loss", json_figure(result->loss),
            "seconds", result->seconds, "images_per_second", result->images_per_second));
    }
    printf("%s%s%s on %s, %s split: %s images\n", style_begin(stdout, STYLE_BOLD),
           resnet_model_name(model), style_begin(stdout, STYLE_PLAIN), arguments->data,
           arguments->split, figure_whole(result->samples));
    printf("top-1  %.2f %%  (error %.2f %%)\n", result->top1, 100 - result->top1);
    printf("top-5  %.2f %%  (error %.2f %%)\n", result->top5, 100 - result->top5);
    printf("loss   %.4f\n", result->loss);
    printf("time   %s, %.0f images/s\n", figure_seconds(result->seconds),
           result->images_per_second);
    return RESNET_OK;
}

static resnet_status session_measure(const resnet_model *model, const Arguments *arguments,
                                     const resnet_data *data, resnet_evaluation *result) {
    resnet_session_options session_options;
    resnet_session_options_default(&session_options);
    session_options.threads = arguments->threads;
    session_options.batch = arguments->batch;
    resnet_session *session = NULL;
    TRY(resnet_session_create(model, &session_options, &session));
    resnet_status status = resnet_session_evaluate(session, data, arguments->logits, result);
    resnet_session_free(session);
    return status;
}

static resnet_status eval_run(int argc, char **argv) {
    Arguments arguments = {.split = "test", .batch = 128};
    char **operands;
    int count;
    TRY(options_parse(&command_eval, argc, argv, &arguments, &operands, &count));
    TRY(options_require(arguments.data, "--data SPEC"));
    resnet_model *model = NULL;
    TRY(weights_open(operands[0], &arguments.mean, &arguments.std, &model));
    resnet_data *data = NULL;
    resnet_evaluation result;
    resnet_status status = resnet_data_open(arguments.data, arguments.split, &data);
    if (status == RESNET_OK) {
        status = session_measure(model, &arguments, data, &result);
    }
    if (status == RESNET_OK) {
        status = evaluation_tell(model, &arguments, &result);
    }
    resnet_data_free(data);
    resnet_model_free(model);
    return status;
}

const Command command_eval = {
    .name = "eval",
    .summary = "Measures the accuracy of weights on a data set",
    .usage = "WEIGHTS --data SPEC [OPTION]...",
    .details = DATA_SPEC_HELP,
    .example = "resnet eval runs/r20/model.safetensors --data cifar10:cifar-10-batches-bin",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .operands = "a file of WEIGHTS",
    .run = eval_run,
};
