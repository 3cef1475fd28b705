// SPDX-License-Identifier: Apache-2.0
// `resnet quantize`: weights for int8, and what that costs.
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/output.h"
#include "console/progress.h"
#include "console/weights.h"

typedef struct Arguments {
    WeightsOptions weights;
    const char *data, *out, *split, *method, *keep;
    int samples, threads, json;
    double percentile, max_drop;
    uint64_t seed;
} Arguments;

enum { SAMPLES = 100 };

static const Option options[] = {
    {OPTION_HEADING, "What to make", NULL, 0, NULL},
    {OPTION_TEXT, "data", "SPEC", offsetof(Arguments, data), "the data set (needed)"},
    {OPTION_TEXT, "o", "OUT", offsetof(Arguments, out), "the file to write (needed)"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object: model, samples, top1_float, top1_int8, top5_float, top5_int8, "
     "correct_float, ..., calibration{}, layers[{name, op, int8, scale, zero, weight_db, "
     "rounding_db, output_db}]"},
    {OPTION_HEADING, "How to calibrate", NULL, 0, NULL},
    {OPTION_COUNT, "calibrate", "N", offsetof(Arguments, samples),
     "pictures that show how large values become (default 100), drawn by --seed"},
    {OPTION_CHOICE, "split", "train|test", offsetof(Arguments, split),
     "where they come from (default: train)"},
    {OPTION_SEED, "seed", "N", offsetof(Arguments, seed), "default: 1"},
    {OPTION_CHOICE, "method", "mse|percentile|max", offsetof(Arguments, method),
     "the largest value of a layer that its bytes can have: the one with the least mean squared "
     "error (default), a percentile of the values, or the largest that was seen"},
    {OPTION_POSITIVE, "percentile", "P", offsetof(Arguments, percentile),
     "of --method percentile (default 99.99)"},
    {OPTION_NUMBER, "max-drop", "POINTS", offsetof(Arguments, max_drop),
     "points of top-1 that may be lost on the calibration pictures (default 0.5): if int8 loses "
     "more, layers are kept in float, those first that bring the logits nearest to float's, and "
     "put back into int8 where the bound allows it"},
    {OPTION_TEXT, "keep", "LAYER,...", offsetof(Arguments, keep),
     "layers to keep in float in any case, such as conv1,fc"},
    {OPTION_COUNT, "threads", "N", offsetof(Arguments, threads),
     "default: the CPUs that are free to use; no figure depends on it"},
    {OPTION_HEADING, "Weights", NULL, 0, NULL},
    WEIGHTS_OPTIONS,
    {.kind = OPTION_END}};

typedef struct Outcome {
    resnet_evaluation before, after; // float, int8
    resnet_quantization *quantization;
    resnet_quantization_summary summary;
    long long bytes_in, bytes_out;
    bool same_pictures; // for calibrating and for testing
} Outcome;

static void failure_tell(void *progress, const char *sentence) {
    progress_clear(progress);
    output_error("%s", sentence);
}

static void progress_tell(void *progress, const char *what, int done, int all) {
    progress_count(progress, what, done, all);
}

// ---- Telling ----

static json_t *layers_json(const Outcome *outcome) {
    json_t *list = json_array();
    for (int i = 0; i < outcome->summary.layers; i++) {
        resnet_quantized_layer layer;
        if (resnet_quantization_layer(outcome->quantization, i, &layer) == RESNET_OK) {
            json_array_append_new(
                list, json_pack("{s:s, s:s, s:b, s:f, s:i, s:o, s:o, s:o}", "name", layer.name,
                                "op", layer.op, "int8", layer.is_int8, "scale", layer.scale, "zero",
                                layer.zero, "weight_db", json_figure(layer.weight_ratio),
                                "rounding_db", json_figure(layer.rounding_ratio), "output_db",
                                json_figure(layer.output_ratio)));
        }
    }
    return list;
}

static resnet_status outcome_json(const resnet_model *model, const Arguments *arguments,
                                  const Outcome *outcome) {
    const resnet_evaluation *before = &outcome->before, *after = &outcome->after;
    const resnet_quantization_summary *summary = &outcome->summary;
    json_t *calibration = json_pack(
        "{s:i, s:i, s:s, s:s, s:i, s:i, s:o, s:b}", "samples", summary->samples, "failed",
        summary->failed, "split", arguments->split, "method", arguments->method, "correct_float",
        summary->correct_float, "correct_int8", summary->correct_int8, "logits_db",
        json_figure(summary->logits_ratio), "same_as_tested", outcome->same_pictures);
    return json_line(json_pack(
        "{s:s, s:o, s:i, s:i, s:f, s:f, s:f, s:f, s:i, s:i, s:i, s:i, s:I, s:I, s:i, s:o, s:o}",
        "model", resnet_model_name(model), "file", json_text(arguments->out), "samples",
        after->samples, "failed", after->failed, "top1_float", before->top1, "top1_int8",
        after->top1, "top5_float", before->top5, "top5_int8", after->top5, "correct_float",
        before->correct, "correct_int8", after->correct, "correct5_float", before->correct5,
        "correct5_int8", after->correct5, "bytes_float", (json_int_t)outcome->bytes_in,
        "bytes_int8", (json_int_t)outcome->bytes_out, "int8_layers", summary->int8_layers,
        "calibration", calibration, "layers", layers_json(outcome)));
}

static void ratio_cell(Table *table, double ratio) {
    if (isfinite(ratio)) {
        table_cell(table, "%.1f", ratio);
    } else {
        table_cell(table, "-");
    }
}

static resnet_status layers_fill(const Outcome *outcome, Table *table) {
    for (int i = 0; i < outcome->summary.layers; i++) {
        resnet_quantized_layer layer;
        TRY(resnet_quantization_layer(outcome->quantization, i, &layer));
        table_cell(table, "%s", layer.name);
        table_cell(table, "%s", layer.is_int8 ? "int8" : "float");
        if (layer.scale > 0) {
            table_cell(table, "%.6f", layer.scale);
            table_cell(table, "%d", layer.zero);
        } else {
            table_cell(table, "-");
            table_cell(table, "-");
        }
        ratio_cell(table, layer.weight_ratio);
        ratio_cell(table, layer.rounding_ratio);
        ratio_cell(table, layer.output_ratio);
    }
    return table_print(table, stdout);
}

static void accuracy_tell(const char *name, const resnet_evaluation *result) {
    printf("%-6s top-1 %.2f %% (%s of %s), top-5 %.2f %% (%s)\n", name, result->top1,
           figure_whole(result->correct), figure_whole(result->samples), result->top5,
           figure_whole(result->correct5));
}

static resnet_status outcome_text(const resnet_model *model, const Arguments *arguments,
                                  const Outcome *outcome) {
    static const Column columns[] = {
        {"layer", false},     {"runs in", false},    {"scale", true},    {"zero", true},
        {"weights dB", true}, {"rounding dB", true}, {"output dB", true}};
    Table *table = table_create(columns, sizeof columns / sizeof columns[0]);
    resnet_status status = layers_fill(outcome, table);
    table_destroy(table);
    TRY(status);
    const resnet_quantization_summary *summary = &outcome->summary;
    printf("\n%s%s%s: %d of %d layers in int8, logits %.1f dB, calibrated with %d pictures of the "
           "%s split\n(right answers on these: float %d, int8 %d)\n",
           style_begin(stdout, STYLE_BOLD), resnet_model_name(model),
           style_begin(stdout, STYLE_PLAIN), summary->int8_layers, summary->layers,
           summary->logits_ratio, summary->samples, arguments->split, summary->correct_float,
           summary->correct_int8);
    printf("on %s, test split%s:\n", arguments->data,
           outcome->same_pictures ? " (which the calibration has seen)" : "");
    accuracy_tell("float", &outcome->before);
    accuracy_tell("int8", &outcome->after);
    printf("wrote %s: %s, %s before\n", arguments->out, figure_bytes(outcome->bytes_out),
           figure_bytes(outcome->bytes_in));
    return RESNET_OK;
}

// ---- The command ----

static resnet_status precision_measure(const resnet_model *model, const char *precision,
                                       const Arguments *arguments, const resnet_data *data,
                                       Progress *progress, resnet_evaluation *result) {
    int channels, height, width;
    resnet_model_input(model, &channels, &height, &width);
    resnet_session_options session_options;
    resnet_session_options_default(&session_options);
    session_options.threads = arguments->threads;
    session_options.batch = height > 128 || width > 128 ? 16 : 128;
    session_options.precision = precision;
    resnet_session *session = NULL;
    TRY(resnet_session_create(model, &session_options, &session));
    resnet_evaluate_options how;
    resnet_evaluate_options_default(&how);
    how.failure = failure_tell;
    how.user = progress;
    resnet_status status = resnet_session_evaluate(session, data, &how, result);
    resnet_session_free(session);
    return status;
}

static long long file_bytes(const char *path) {
    struct stat facts;
    return stat(path, &facts) == 0 ? (long long)facts.st_size : 0;
}

// Calibrates, between the measurements in float and in int8, and writes the file.
static resnet_status model_quantize(resnet_model *model, const Arguments *arguments,
                                    const resnet_data *calibration, const resnet_data *test,
                                    Progress *progress, Outcome *outcome) {
    int samples = arguments->samples;
    if (samples == 0) {
        int count = resnet_data_count(calibration);
        samples = count < SAMPLES ? count : SAMPLES;
    }
    resnet_quantize_options how;
    resnet_quantize_options_default(&how);
    how.method = arguments->method;
    how.percentile = arguments->percentile;
    how.samples = samples;
    how.seed = arguments->seed;
    how.max_drop = arguments->max_drop;
    how.keep = arguments->keep;
    how.threads = arguments->threads;
    how.failure = failure_tell;
    how.progress = progress_tell;
    how.user = progress;
    TRY(precision_measure(model, "fp32", arguments, test, progress, &outcome->before));
    resnet_status status = resnet_model_quantize(model, calibration, &how, &outcome->quantization);
    progress_clear(progress);
    TRY(status);
    resnet_quantization_summarize(outcome->quantization, &outcome->summary);
    TRY(precision_measure(model, "int8", arguments, test, progress, &outcome->after));
    TRY(resnet_model_save(model, arguments->out));
    outcome->bytes_out = file_bytes(arguments->out);
    return RESNET_OK;
}

static resnet_status outcome_tell(const resnet_model *model, const Arguments *arguments,
                                  const Outcome *outcome) {
    TRY(arguments->json ? outcome_json(model, arguments, outcome)
                        : outcome_text(model, arguments, outcome));
    int failed = outcome->before.failed;
    if (failed > 0) {
        return failure_say(RESNET_FAILED, "%d of %d images could not be read", failed,
                           failed + outcome->before.samples);
    }
    return RESNET_OK;
}

static resnet_status quantize_run(int argc, char **argv) {
    Arguments arguments = {
        .split = "train", .method = "mse", .percentile = 99.99, .max_drop = 0.5, .seed = 1};
    char **operands;
    int count;
    TRY(options_parse(&command_quantize, argc, argv, &arguments, &operands, &count));
    TRY(options_require(arguments.data, "--data SPEC"));
    TRY(options_require(arguments.out, "-o OUT"));
    // A list is the same for both splits.
    Outcome outcome = {.bytes_in = file_bytes(operands[0]),
                       .same_pictures = strcmp(arguments.split, "test") == 0 ||
                                        strncmp(arguments.data, "list:", strlen("list:")) == 0};
    Progress progress = progress_begin();
    resnet_model *model = NULL;
    resnet_data *calibration = NULL, *test = NULL;
    TRY(weights_open(operands[0], &arguments.weights, &model));
    resnet_status status = resnet_data_open(arguments.data, arguments.split, &calibration);
    if (status == RESNET_OK) {
        status = resnet_data_open(arguments.data, "test", &test);
    }
    if (status == RESNET_OK) {
        status = model_quantize(model, &arguments, calibration, test, &progress, &outcome);
    }
    if (status == RESNET_OK) {
        status = outcome_tell(model, &arguments, &outcome);
    }
    resnet_quantization_free(outcome.quantization);
    resnet_data_free(calibration);
    resnet_data_free(test);
    resnet_model_free(model);
    return status;
}

const Command command_quantize = {
    .name = "quantize",
    .summary = "Makes weights for int8, a quarter of the size, and measures what it costs",
    .usage = "WEIGHTS --data SPEC -o OUT [OPTION]...",
    .details = "Weights become bytes with a scale for each output channel; layers' values become\n"
               "bytes with scales that some pictures are calibrated with. The table has the\n"
               "signal-to-noise ratio of each layer: of its weights, of its values when they are\n"
               "rounded, and of its output with the noise of all layers before it.\n"
               "Accuracy is measured on the test split, in float and in int8. `resnet eval` and\n"
               "`resnet predict` run OUT in int8.\n" PICTURES_SPEC_HELP,
    .example = "resnet quantize resnet50.safetensors --data folder:imagenet \\\n"
               "      -o resnet50-int8.safetensors",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .operands = "a file of WEIGHTS",
    .run = quantize_run,
};
