// SPDX-License-Identifier: Apache-2.0
// `resnet bench`: how fast a network runs or trains here, against what the cores can do, and where
// the time goes.
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/operand.h"
#include "console/output.h"
#include "console/timing.h"
#include "console/weights.h"
#include "roofline.h"
#include "startup.h"

typedef struct Arguments {
    OperandOptions operand;
    int batch, threads, train, layers, repeat, json;
    double seconds;
    const char *precision, *svg, *image;
} Arguments;

enum { BATCH = 1, TRAINING_BATCH = 128, PHOTOGRAPH_TRAINING_BATCH = 32, PHOTOGRAPH_SIDE = 128 };

static const Option options[] = {
    {OPTION_HEADING, "What to measure", NULL, 0, NULL},
    {OPTION_COUNT, "batch", "N", offsetof(Arguments, batch),
     "images at once (default 1; with --train 128, or 32 for networks of more than 128 pixels a "
     "side)"},
    {OPTION_COUNT, "threads", "N", offsetof(Arguments, threads),
     "default: the CPUs that are free to use"},
    PRECISION_OPTION,
    {OPTION_FLAG, "train", NULL, offsetof(Arguments, train),
     "whole training steps: forward, loss, backward, update"},
    {OPTION_TEXT, "image", "FILE", offsetof(Arguments, image),
     "the picture with which the start of a fresh process is measured (default: noise of 256x256 "
     "pixels, not compressed)"},
    {OPTION_POSITIVE, "seconds", "S", offsetof(Arguments, seconds),
     "measure for that long, after a tenth of it to warm up (default 3)"},
    {OPTION_COUNT, "repeat", "N", offsetof(Arguments, repeat), "measure so many runs instead"},
    {OPTION_HEADING, "What to show", NULL, 0, NULL},
    {OPTION_FLAG, "layers", NULL, offsetof(Arguments, layers),
     "each layer's time, path, and share of the peak; layers that are fused run as one"},
    {OPTION_TEXT, "svg", "FILE", offsetof(Arguments, svg),
     "a roofline picture of the layers: speed over arithmetic for each byte"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object: model, batch, threads, precision, isa, cpu, runs, latency_ms{p50, p90, "
     "p99}, images_per_second, gflops, peak_gflops, rss_bytes, load_ms, startup_ms, memory_gbs, "
     "layers[]"},
    {OPTION_HEADING, "Model", NULL, 0, NULL},
    OPERAND_OPTIONS,
    {.kind = OPTION_END}};

// All that is told.
typedef struct Report {
    const Arguments *arguments;
    const char *name;
    bool drawn; // random weights
    int threads;
    Timing timing;
    double load;          // seconds from opening the model to the end of the first run
    double startup;       // seconds of a fresh process; negative: not measured
    double peak;          // GFLOP/s
    double bandwidth;     // GB/s; 0: not measured
    double layer_seconds; // of all layers
} Report;

static double report_gflops(const Report *report) {
    const Timing *timing = &report->timing;
    return timing->flops * timing->images_per_second / report->arguments->batch * 1e-9;
}

static double layer_seconds(const LayerTiming *layer) { return layer->forward + layer->backward; }

static double layer_gflops(const LayerTiming *layer) {
    return layer->flops > 0 ? layer->flops / layer_seconds(layer) * 1e-9 : 0;
}

// Whether a layer does anything: the input does not.
static bool layer_runs(const LayerTiming *layer) { return strcmp(layer->layer.op, "input") != 0; }

// ---- JSON ---------------------------------------------------------------------------------------

static json_t *parts_json(const char *parts) {
    json_t *list = json_array();
    while (*parts != '\0') {
        const size_t length = strcspn(parts, "+");
        json_array_append_new(list, json_stringn(parts, length));
        parts += length + (parts[length] == '+');
    }
    return list;
}

static json_t *layer_json(const Report *report, const LayerTiming *timing) {
    const resnet_fused_layer *layer = &timing->layer;
    json_t *object = json_pack(
        "{s:s, s:s, s:o, s:[i,i,i], s:i, s:i, s:s?, s:f, s:f, s:f, s:f, s:f, s:f}", "name",
        layer->name, "op", layer->op, "parts", parts_json(layer->parts), "output", layer->channels,
        layer->height, layer->width, "kernel", layer->kernel, "stride", layer->stride, "path",
        layer->path, "ms", layer_seconds(timing) * 1e3, "time_share",
        layer_seconds(timing) / report->layer_seconds, "gflops", layer_gflops(timing), "peak_share",
        layer_gflops(timing) / report->peak, "flops", timing->flops, "bytes", timing->bytes);
    if (report->arguments->train) {
        json_object_set_new(object, "forward_ms", json_real(timing->forward * 1e3));
        json_object_set_new(object, "backward_ms", json_real(timing->backward * 1e3));
    }
    return object;
}

static resnet_status report_json(const Report *report) {
    const Arguments *arguments = report->arguments;
    const Timing *timing = &report->timing;
    json_t *object = json_pack(
        "{s:s, s:s, s:i, s:i, s:s, s:s, s:s, s:i, s:{s:f, s:f, s:f}, s:f, s:f, s:f, s:I, s:f, s:o}",
        "model", report->name, "mode", arguments->train ? "training" : "inference", "batch",
        arguments->batch, "threads", report->threads, "precision", arguments->precision, "isa",
        resnet_isa(), "cpu", resnet_cpu_name(), "runs", timing->runs, "latency_ms", "p50",
        timing->p50 * 1e3, "p90", timing->p90 * 1e3, "p99", timing->p99 * 1e3, "images_per_second",
        timing->images_per_second, "gflops", report_gflops(report), "peak_gflops", report->peak,
        "rss_bytes", (json_int_t)timing->resident, "load_ms", report->load * 1e3, "startup_ms",
        report->startup < 0 ? json_null() : json_real(report->startup * 1e3));
    if (report->bandwidth > 0) {
        json_t *layers = json_array();
        for (int i = 0; i < timing->layer_count; i++) {
            if (layer_runs(&timing->layers[i])) {
                json_array_append_new(layers, layer_json(report, &timing->layers[i]));
            }
        }
        json_object_set_new(object, "memory_gbs", json_real(report->bandwidth));
        json_object_set_new(object, "layers", layers);
    }
    return json_line(object);
}

// ---- text ---------------------------------------------------------------------------------------

static void layer_cells(Table *table, const Report *report, const LayerTiming *timing) {
    const resnet_fused_layer *layer = &timing->layer;
    table_cell(table, "%s", layer->name);
    table_cell(table, "%s", layer_parts(layer));
    table_cell(table, "%dx%dx%d", layer->channels, layer->height, layer->width);
    table_cell(table, "%s", layer->path != NULL ? layer->path : "");
    table_cell(table, "%.3f", timing->forward * 1e3);
    if (report->arguments->train) {
        table_cell(table, "%.3f", timing->backward * 1e3);
    }
    table_cell(table, "%.1f %%", 100 * layer_seconds(timing) / report->layer_seconds);
    if (timing->flops > 0) {
        table_cell(table, "%.1f", layer_gflops(timing));
        table_cell(table, "%.0f %%", 100 * layer_gflops(timing) / report->peak);
    } else {
        table_cell(table, "%s", "");
        table_cell(table, "%s", "");
    }
}

static resnet_status layers_print(const Report *report) {
    static const Column inference[] = {
        {"layer", false},     {"op", false},         {"output", true},  {"path", false},
        {"ms, median", true}, {"of the time", true}, {"GFLOP/s", true}, {"of the peak", true}};
    static const Column training[] = {
        {"layer", false},      {"op", false},         {"output", true},
        {"path", false},       {"ms, forward", true}, {"ms, backward", true},
        {"of the time", true}, {"GFLOP/s", true},     {"of the peak", true}};
    Table *table =
        report->arguments->train ? table_create(training, 9) : table_create(inference, 8);
    for (int i = 0; i < report->timing.layer_count; i++) {
        if (layer_runs(&report->timing.layers[i])) {
            layer_cells(table, report, &report->timing.layers[i]);
        }
    }
    resnet_status status = table_print(table, stdout);
    table_destroy(table);
    printf("\n");
    return status;
}

static resnet_status report_text(const Report *report) {
    const Arguments *arguments = report->arguments;
    const Timing *timing = &report->timing;
    if (arguments->layers) {
        TRY(layers_print(report));
    }
    printf("%s%s%s%s, batch %d, %d thread%s, %s, %s, %s\n", style_begin(stdout, STYLE_BOLD),
           report->name, style_begin(stdout, STYLE_PLAIN), arguments->train ? " training" : "",
           arguments->batch, report->threads, report->threads == 1 ? "" : "s", arguments->precision,
           resnet_isa(), resnet_cpu_name());
    printf("%s p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, of %s runs\n",
           arguments->train ? "step   " : "latency", timing->p50 * 1e3, timing->p90 * 1e3,
           timing->p99 * 1e3, figure_whole(timing->runs));
    printf("speed   %.1f images/s, %.1f GFLOP/s, %.0f %% of the peak of %.1f\n",
           timing->images_per_second, report_gflops(report),
           100 * report_gflops(report) / report->peak, report->peak);
    if (arguments->layers) {
        printf("layers  %.2f ms together, memory %.1f GB/s\n", report->layer_seconds * 1e3,
               report->bandwidth);
    }
    if (timing->resident >= 0) {
        printf("memory  %s resident\n", figure_bytes(timing->resident));
    }
    printf("load    %.0f ms from opening %s to the end of the first run, in this process\n",
           report->load * 1e3, report->drawn ? "the model, with drawing its weights," : "the file");
    if (report->startup >= 0) {
        printf(
            "startup %.0f ms from the start of a fresh `resnet predict` to its end, one picture\n",
            report->startup * 1e3);
    }
    return RESNET_OK;
}

static resnet_status report_svg(const Report *report) {
    const Arguments *arguments = report->arguments;
    char title[128], subtitle[256];
    snprintf(title, sizeof title, "%s, %s", report->name,
             arguments->train ? "training, by layer" : "inference, by layer");
    snprintf(subtitle, sizeof subtitle, "batch %d, %d thread%s, %s, %s, %s, %.1f images/s",
             arguments->batch, report->threads, report->threads == 1 ? "" : "s",
             arguments->precision, resnet_isa(), resnet_cpu_name(),
             report->timing.images_per_second);
    const Roofline roofline = {.title = title,
                               .subtitle = subtitle,
                               .peak = report->peak,
                               .bandwidth = report->bandwidth,
                               .layers = report->timing.layers,
                               .layer_count = report->timing.layer_count};
    return roofline_write(&roofline, arguments->svg);
}

// ---- measuring ----------------------------------------------------------------------------------

static int batch_default(const resnet_model *model, const Arguments *arguments) {
    int channels, height, width;
    resnet_model_input(model, &channels, &height, &width);
    bool large = height > PHOTOGRAPH_SIDE || width > PHOTOGRAPH_SIDE;
    return !arguments->train ? BATCH : large ? PHOTOGRAPH_TRAINING_BATCH : TRAINING_BATCH;
}

static resnet_status report_measure(Report *report, const resnet_model *model, const char *operand,
                                    double opening) {
    const Arguments *arguments = report->arguments;
    const bool by_layer = arguments->layers || arguments->svg != NULL;
    const TimingOptions timing = {.batch = arguments->batch,
                                  .threads = report->threads,
                                  .precision = arguments->precision,
                                  .train = arguments->train != 0,
                                  .layers = by_layer,
                                  .seconds = arguments->seconds,
                                  .repeat = arguments->repeat};
    if (!arguments->train && !report->drawn) {
        TRY(startup_measure(operand, &arguments->operand, arguments->image, report->threads,
                            &report->startup));
    }
    TRY(timing_run(model, &timing, &report->timing));
    report->load = opening + report->timing.first;
    for (int i = 0; i < report->timing.layer_count; i++) {
        report->layer_seconds += layer_seconds(&report->timing.layers[i]);
    }
    TRY(resnet_measure_peak(report->threads, arguments->precision, &report->peak));
    if (by_layer) {
        TRY(resnet_measure_bandwidth(report->threads, &report->bandwidth));
    }
    return RESNET_OK;
}

static resnet_status report_tell(const Report *report) {
    if (report->arguments->svg != NULL) {
        TRY(report_svg(report));
    }
    return report->arguments->json ? report_json(report) : report_text(report);
}

static resnet_status bench_run(int argc, char **argv) {
    Arguments arguments = {.seconds = 3};
    char **operands;
    int count;
    TRY(options_parse(&command_bench, argc, argv, &arguments, &operands, &count));
    if (arguments.image != NULL && (arguments.train || !operand_is_file(operands[0]))) {
        return failure_say(RESNET_USAGE,
                           "--image is for the start with a file of weights, not for %s",
                           arguments.train ? "--train" : operands[0]);
    }
    if (arguments.train && arguments.precision != NULL &&
        strcmp(arguments.precision, "fp32") != 0) {
        return failure_say(RESNET_USAGE, "--train is in fp32, not in %s", arguments.precision);
    }
    const double begin = measure_clock();
    resnet_model *model = NULL;
    TRY(operand_open(operands[0], &arguments.operand, &model));
    const double opening = measure_clock() - begin;
    if (arguments.precision == NULL) {
        arguments.precision = arguments.train ? "fp32" : resnet_model_precision(model);
    }
    if (arguments.batch == 0) {
        arguments.batch = batch_default(model, &arguments);
    }
    Report report = {.arguments = &arguments,
                     .name = resnet_model_name(model),
                     .drawn = !operand_is_file(operands[0]),
                     .threads = arguments.threads > 0 ? arguments.threads : resnet_cpu_count(),
                     .startup = -1};
    resnet_status status = report_measure(&report, model, operands[0], opening);
    if (status == RESNET_OK) {
        status = report_tell(&report);
    }
    timing_free(&report.timing);
    resnet_model_free(model);
    return status;
}

const Command command_bench = {
    .name = "bench",
    .summary = "Measures speed, by layer too, against what the cores can do",
    .usage = "MODEL|WEIGHTS [OPTION]...",
    .details = "MODEL is a name that `resnet models` lists (random weights, which are as fast as\n"
               "any); WEIGHTS is safetensors or a PyTorch checkpoint. Images are noise.\n"
               "GFLOP/s are twice the multiply-adds of the direct sums (three times that in\n"
               "training), so that fast algorithms can be above the peak, which is that of fused\n"
               "multiply-adds in registers, measured on the same cores.",
    .example = "resnet bench resnet50 --threads 2 --layers --svg resnet50.svg",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .operands = "a MODEL or a file of WEIGHTS",
    .run = bench_run,
};
