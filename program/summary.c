// SPDX-License-Identifier: Apache-2.0
// `resnet summary`: what a network consists of, and the memory it takes, before anything is run.
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/operand.h"
#include "console/output.h"
#include "picture/drawing.h"

typedef struct Arguments {
    OperandOptions operand;
    int batch, threads, recompute, json, unfold;
    const char *svg, *part;
} Arguments;

static const Option options[] = {
    {OPTION_COUNT, "batch", "N", offsetof(Arguments, batch), "images at once (default 1)"},
    {OPTION_COUNT, "threads", "N", offsetof(Arguments, threads),
     "threads, which have workspace each (default: the CPUs that are free to use)"},
    {OPTION_FLAG, "recompute", NULL, offsetof(Arguments, recompute),
     "the memory to train with `resnet train --recompute`"},
    OPERAND_OPTIONS,
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object: model, parameters, macs, weight_bytes, inference_bytes, training_bytes, "
     "layers[]; a line a model"},
    {OPTION_HEADING, "Drawing", NULL, 0, NULL},
    {OPTION_TEXT, "svg", "FILE", offsetof(Arguments, svg),
     "draw the layers, in the style of the paper's Fig. 3; several models side by side, aligned by "
     "the size of their outputs"},
    {OPTION_FLAG, "unfold", NULL, offsetof(Arguments, unfold),
     "draw every block: else runs of blocks alike with more than 20 boxes are drawn once"},
    {OPTION_TEXT, "part", "NAME", offsetof(Arguments, part),
     "draw only the layers whose names begin so, as one block: layer1.0"},
    {.kind = OPTION_END}};

static int64_t training_bytes(const Arguments *arguments, const resnet_summary *summary) {
    return arguments->recompute ? summary->recomputing_bytes : summary->training_bytes;
}

static resnet_status summary_json(const resnet_model *model, const Arguments *arguments,
                                  const resnet_summary *summary) {
    json_t *layers = json_array();
    for (int i = 0; i < summary->layers; i++) {
        resnet_layer layer;
        resnet_status status = resnet_model_layer(model, i, &layer);
        if (status != RESNET_OK) {
            json_decref(layers);
            return status;
        }
        json_t *inputs = json_array();
        for (int k = 0; k < 4 && layer.inputs[k] >= 0; k++) {
            json_array_append_new(inputs, json_integer(layer.inputs[k]));
        }
        json_array_append_new(
            layers, json_pack("{s:s, s:s, s:[i,i,i], s:I, s:I, s:i, s:i, s:i, s:o}", "name",
                              layer.name, "op", layer.op, "output", layer.channels, layer.height,
                              layer.width, "parameters", (json_int_t)layer.parameters, "macs",
                              (json_int_t)layer.macs, "kernel", layer.kernel, "stride",
                              layer.stride, "groups", layer.groups, "inputs", inputs));
    }
    int channels, height, width;
    resnet_model_input(model, &channels, &height, &width);
    return json_line(json_pack(
        "{s:s, s:s, s:s, s:[i,i,i], s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "model",
        resnet_model_name(model), "shortcut", resnet_model_shortcut(model), "precision",
        resnet_model_precision(model), "input", channels, height, width, "classes",
        resnet_model_classes(model), "batch", arguments->batch, "parameters",
        (json_int_t)summary->parameters, "macs", (json_int_t)summary->macs, "weight_bytes",
        (json_int_t)summary->weight_bytes, "inference_bytes", (json_int_t)summary->inference_bytes,
        "training_bytes", (json_int_t)training_bytes(arguments, summary), "layers", layers));
}

static resnet_status summary_layers(const resnet_model *model, const resnet_summary *summary,
                                    Table *table) {
    for (int i = 0; i < summary->layers; i++) {
        resnet_layer layer;
        TRY(resnet_model_layer(model, i, &layer));
        table_cell(table, "%s", layer.name);
        if (layer.kernel > 0) {
            table_cell(table, "%s %dx%d/%d", layer.op, layer.kernel, layer.kernel, layer.stride);
        } else {
            table_cell(table, "%s", layer.op);
        }
        table_cell(table, "%dx%dx%d", layer.channels, layer.height, layer.width);
        table_cell(table, "%s", layer.parameters > 0 ? figure_whole(layer.parameters) : "");
        table_cell(table, "%s", layer.macs > 0 ? figure_whole(layer.macs) : "");
    }
    return table_print(table, stdout);
}

static resnet_status summary_text(const resnet_model *model, const Arguments *arguments,
                                  const resnet_summary *summary) {
    static const Column columns[] = {{"layer", false},
                                     {"op", false},
                                     {"output", true},
                                     {"parameters", true},
                                     {"multiply-adds", true}};
    Table *table = table_create(columns, 5);
    resnet_status status = summary_layers(model, summary, table);
    table_destroy(table);
    TRY(status);
    int channels, height, width;
    resnet_model_input(model, &channels, &height, &width);
    printf("\n%s%s%s, shortcut %s, %d classes of %dx%dx%d images\n",
           style_begin(stdout, STYLE_BOLD), resnet_model_name(model),
           style_begin(stdout, STYLE_PLAIN), resnet_model_shortcut(model),
           resnet_model_classes(model), channels, height, width);
    if (strcmp(resnet_model_precision(model), "int8") == 0) {
        printf("precision      int8\n");
    }
    printf("parameters     %s\n", figure_whole(summary->parameters));
    printf("multiply-adds  %s for one image\n", figure_whole(summary->macs));
    printf("weights        %s\n", figure_bytes(summary->weight_bytes));
    printf("memory to run  %s with a batch of %d\n", figure_bytes(summary->inference_bytes),
           arguments->batch);
    printf("       to train %s with a batch of %d%s, data set apart\n",
           figure_bytes(training_bytes(arguments, summary)), arguments->batch,
           arguments->recompute ? " and recomputation" : "");
    return RESNET_OK;
}

static resnet_status summary_write(const resnet_model *model, const Arguments *arguments) {
    resnet_summary summary;
    TRY(resnet_model_summary(model, arguments->batch, arguments->threads, &summary));
    return arguments->json ? summary_json(model, arguments, &summary)
                           : summary_text(model, arguments, &summary);
}

static resnet_status models_draw(resnet_model *const *models, int count,
                                 const Arguments *arguments) {
    Drawing drawing = {.count = count, .unfold = arguments->unfold};
    char title[256] = "";
    for (int i = 0; i < count; i++) {
        drawing.columns[i] = (DrawingColumn){.model = models[i], .part = arguments->part};
        size_t length = strlen(title);
        snprintf(title + length, sizeof title - length, "%s%s", i > 0 ? ", " : "",
                 resnet_model_name(models[i]));
    }
    drawing.title = title;
    return drawing_save(&drawing, arguments->svg);
}

static resnet_status models_show(resnet_model *const *models, int count,
                                 const Arguments *arguments) {
    for (int i = 0; i < count && (arguments->svg == NULL || arguments->json); i++) {
        if (i > 0 && !arguments->json) {
            printf("\n");
        }
        TRY(summary_write(models[i], arguments));
    }
    return arguments->svg != NULL ? models_draw(models, count, arguments) : RESNET_OK;
}

static resnet_status summary_run(int argc, char **argv) {
    Arguments arguments = {.batch = 1};
    char **operands;
    int count;
    TRY(options_parse(&command_summary, argc, argv, &arguments, &operands, &count));
    if (arguments.svg == NULL && (arguments.unfold || arguments.part != NULL)) {
        return failure_say(RESNET_USAGE, "--%s is for drawings: --svg FILE",
                           arguments.unfold ? "unfold" : "part");
    }
    resnet_model *models[DRAWING_COLUMNS] = {NULL};
    resnet_status status = RESNET_OK;
    for (int i = 0; i < count && status == RESNET_OK; i++) {
        status = operand_open(operands[i], &arguments.operand, &models[i]);
    }
    if (status == RESNET_OK) {
        status = models_show(models, count, &arguments);
    }
    for (int i = 0; i < count; i++) {
        resnet_model_free(models[i]);
    }
    return status;
}

const Command command_summary = {
    .name = "summary",
    .summary = "Shows layers, parameters, multiply-adds and memory of a model, or draws it",
    .usage = "MODEL|FILE... [OPTION]...",
    .details = "MODEL is a name that `resnet models` lists; FILE is safetensors or a PyTorch\n"
               "checkpoint. With --svg nothing is printed, but what --json asks for.",
    .example = "resnet summary vgg19 plain34 resnet34 --svg figure3.svg",
    .options = options,
    .least_operands = 1,
    .most_operands = DRAWING_COLUMNS,
    .operands = "a MODEL or a FILE",
    .run = summary_run,
};
