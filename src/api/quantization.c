// SPDX-License-Identifier: Apache-2.0
// Models in int8.
#include <stdlib.h>
#include <string.h>

#include "api/classes.h"
#include "base/cpu.h"
#include "graph/op.h"
#include "train/quantizer.h"

struct resnet_quantization {
    QuantizeReport report;
};

void resnet_quantize_options_default(resnet_quantize_options *options) {
    *options =
        (resnet_quantize_options){.percentile = 99.99, .samples = 100, .seed = 1, .max_drop = 0.5};
}

static Status read_method(const char *method, ThresholdMethod *out) {
    static const char *const NAMES[] = {
        [THRESHOLD_MSE] = "mse", [THRESHOLD_PERCENTILE] = "percentile", [THRESHOLD_MAX] = "max"};
    *out = THRESHOLD_MSE;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (method == NULL || strcmp(method, NAMES[i]) == 0) {
            *out = method == NULL ? THRESHOLD_MSE : (ThresholdMethod)i;
            return STATUS_OK;
        }
    }
    return status_fail(STATUS_USAGE, "method '%.40s' is none of mse, percentile and max", method);
}

static Status read_options(const resnet_quantize_options *options, const resnet_data *data,
                           QuantizeOptions *out) {
    *out = (QuantizeOptions){.share = options->percentile / 100,
                             .samples = options->samples,
                             .max_drop = options->max_drop,
                             .keep = options->keep,
                             .failure = options->failure,
                             .progress = options->progress,
                             .user = options->user};
    TRY(read_method(options->method, &out->method));
    if (!(options->percentile > 0 && options->percentile <= 100)) {
        return status_fail(STATUS_USAGE, "a percentile of %g is not above 0 and up to 100",
                           options->percentile);
    }
    if (!(options->max_drop >= 0)) {
        return status_fail(STATUS_USAGE, "a drop of %g points is not possible", options->max_drop);
    }
    int count = resnet_data_count(data);
    if (options->samples < 1 || options->samples > count) {
        return status_fail(STATUS_FAILED,
                           "%s has %d pictures in this split, but %d are wanted to calibrate with",
                           data->dataset->name, count, options->samples);
    }
    return STATUS_OK;
}

static Status quantize(resnet_model *model, const Dataset *set, uint64_t seed,
                       QuantizeOptions *options, QuantizeReport *report) {
    Preprocess preprocess = model_preprocess(model);
    int32_t *labels = NULL;
    TRY(classes_match(model, set, &labels));
    Status status = classes_check(model, set, labels);
    if (status == STATUS_OK) {
        status = model_ready(model);
    }
    if (status == STATUS_OK) {
        options->labels = labels;
        status = quantizer_run(model->file, set, &preprocess, seed, options, report);
    }
    free(labels);
    return status;
}

resnet_status resnet_model_quantize(resnet_model *model, const resnet_data *data,
                                    const resnet_quantize_options *options,
                                    resnet_quantization **out) {
    *out = NULL;
    resnet_quantize_options defaults;
    resnet_quantize_options_default(&defaults);
    options = options != NULL ? options : &defaults;
    QuantizeOptions quantize_options;
    Status status = read_options(options, data, &quantize_options);
    if (status != STATUS_OK) {
        return (resnet_status)status;
    }
    resnet_quantization *quantization = calloc(1, sizeof *quantization);
    if (quantization == NULL) {
        return out_of_memory("a quantisation");
    }
    status = threads_create(options->threads > 0 ? options->threads : cpu_count(),
                            &quantize_options.threads);
    if (status == STATUS_OK) {
        status =
            quantize(model, data->dataset, options->seed, &quantize_options, &quantization->report);
        threads_destroy(quantize_options.threads);
    }
    if (status != STATUS_OK) {
        free(quantization);
        return (resnet_status)status;
    }
    *out = quantization;
    return RESNET_OK;
}

void resnet_quantization_free(resnet_quantization *quantization) {
    if (quantization != NULL) {
        quantize_report_destroy(&quantization->report);
        free(quantization);
    }
}

void resnet_quantization_summarize(const resnet_quantization *quantization,
                                   resnet_quantization_summary *out) {
    const QuantizeReport *report = &quantization->report;
    *out = (resnet_quantization_summary){.layers = report->layer_count,
                                         .int8_layers = report->byte_layers,
                                         .samples = report->samples,
                                         .failed = report->failed,
                                         .correct_float = (int)report->correct_float,
                                         .correct_int8 = (int)report->correct_int8,
                                         .logits_ratio = report->logits};
}

resnet_status resnet_quantization_layer(const resnet_quantization *quantization, int index,
                                        resnet_quantized_layer *out) {
    const QuantizeReport *report = &quantization->report;
    if (index < 0 || index >= report->layer_count) {
        return (resnet_status)status_fail(STATUS_USAGE, "there is no layer number %d", index);
    }
    const QuantizedLayer *layer = &report->layers[index];
    *out = (resnet_quantized_layer){.name = layer->name,
                                    .op = op_row(layer->op)->name,
                                    .is_int8 = layer->bytes,
                                    .scale = layer->scale,
                                    .zero = layer->zero,
                                    .weight_ratio = layer->weights,
                                    .rounding_ratio = layer->rounding,
                                    .output_ratio = layer->output};
    return RESNET_OK;
}
