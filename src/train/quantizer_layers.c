// SPDX-License-Identifier: Apache-2.0
#include "train/quantizer_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend/fold.h"
#include "base/elementary.h"
#include "weights/byte_weights.h"

double decibels(double signal, double noise) {
    return noise > 0 ? exact_log(signal / noise) * (10 / exact_log(10)) : INFINITY;
}

static void restore(Layers *layers, const Param *param) {
    memcpy(parameters_values(layers->rounded, param), parameters_values(layers->exact, param),
           param->elements * sizeof(float));
}

static Status out_of_memory(void) {
    return status_fail(STATUS_FAILED, "cannot get memory for the layers of a model");
}

static Status fill(const Graph *fused, Arena *arena, QuantizeReport *report, Layers *layers) {
    static const char SUFFIX[] = ".weight";
    for (NodeId i = 0; i < fused->node_count; i++) {
        const Node *node = &fused->nodes[i];
        if (node->op != OP_CONV && node->op != OP_LINEAR) {
            continue;
        }
        const Param *weight = &fused->params[node->param[0]];
        Layer *layer = &layers->list[layers->count];
        *layer = (Layer){
            .told = &report->layers[layers->count], .node = node->name, .id = i, .weight = weight};
        *layer->told = (QuantizedLayer){
            .name = arena_format(arena, "%.*s", (int)(strlen(weight->name) - strlen(SUFFIX)),
                                 weight->name),
            .op = node->op,
            .weights = INFINITY};
        if (layer->told->name == NULL) {
            return out_of_memory();
        }
        layers->count++;
    }
    report->layer_count = layers->count;
    return STATUS_OK;
}

Status layers_create(const Graph *graph, const Graph *fused, const Parameters *exact, Arena *arena,
                     QuantizeReport *report, Layers *out) {
    *out = (Layers){.exact = exact};
    size_t most = (size_t)fused->node_count;
    report->layers = arena_alloc(arena, most * sizeof *report->layers);
    out->list = calloc(most, sizeof *out->list);
    Status status = report->layers != NULL && out->list != NULL ? STATUS_OK : out_of_memory();
    if (status == STATUS_OK) {
        status = parameters_create(graph, sizeof(float), false, &out->rounded);
    }
    if (status == STATUS_OK) {
        for (int32_t p = 0; p < graph->param_count; p++) {
            restore(out, &graph->params[p]);
        }
        status = fill(fused, arena, report, out);
    }
    if (status != STATUS_OK) {
        layers_destroy(out);
    }
    return status;
}

void layers_destroy(Layers *layers) {
    free(layers->list);
    parameters_destroy(layers->rounded);
    *layers = (Layers){0};
}

Status layers_keep(Layers *layers, const char *names) {
    while (names != NULL && *names != '\0') {
        size_t length = strcspn(names, ",");
        bool found = false;
        for (int i = 0; i < layers->count; i++) {
            const char *name = layers->list[i].told->name;
            if (strlen(name) == length && strncmp(name, names, length) == 0) {
                layers->list[i].keep = found = true;
            }
        }
        if (!found) {
            return status_fail(STATUS_USAGE,
                               "there is no convolution or linear layer called '%.*s'",
                               length < 80 ? (int)length : 80, names);
        }
        names += length + (names[length] == ',');
    }
    return STATUS_OK;
}

// What takes the correction: the folded norm's mean, or the bias; NULL: the layer adds nothing.
static const Param *layer_constant(const Graph *graph, const Node *node) {
    ParamId id = node->folded_norm ? node->param[FOLD_MEAN] : node->param[FOLD_BIAS];
    return id == PARAM_NONE ? NULL : &graph->params[id];
}

// The mean of what output channel `o` lacks because its weights were rounded.
static double missing_mean(const Layers *layers, const Layer *layer, const Calibration *calibration,
                           int o) {
    const Node *node = &network_graph(calibration->network)->nodes[layer->id];
    const Param *param = layer->weight;
    size_t count = param->elements / (size_t)param->dims[0];
    Shape input = network_graph(calibration->network)->nodes[node->input[0]].shape;
    size_t channels = (size_t)input.channels, first = 0;
    if (node->op == OP_CONV) {
        channels = (size_t)param->dims[1];
        first = (size_t)(o / (param->dims[0] / (input.channels / param->dims[1]))) * channels;
    }
    size_t positions = count / channels; // of a kernel, or of an image that a linear layer reads
    const float *exact = (const float *)parameters_values(layers->exact, param) + (size_t)o * count;
    const float *rounded =
        (const float *)parameters_values(layers->rounded, param) + (size_t)o * count;
    double sum = 0;
    for (size_t c = 0; c < channels; c++) {
        double lack = 0;
        for (size_t i = c * positions; i < (c + 1) * positions; i++) {
            lack += (double)exact[i] - (double)rounded[i];
        }
        sum += lack * calibration_mean(calibration, node->input[0], (int)(first + c));
    }
    return sum;
}

static void correct_means(Layers *layers, const Layer *layer, const Calibration *calibration,
                          const Param *constant) {
    const Graph *graph = network_graph(calibration->network);
    double sign = graph->nodes[layer->id].folded_norm ? -1 : 1;
    float *values = parameters_values(layers->rounded, constant);
    for (int o = 0; o < layer->weight->dims[0]; o++) {
        values[o] += (float)(sign * missing_mean(layers, layer, calibration, o));
    }
}

Status layer_round(Layers *layers, Layer *layer, const Calibration *calibration, bool bytes) {
    const Graph *graph = network_graph(calibration->network);
    const Param *param = layer->weight;
    const Param *constant = layer_constant(graph, &graph->nodes[layer->id]);
    layer->told->bytes = bytes;
    layer->told->weights = INFINITY;
    restore(layers, param);
    if (constant != NULL) {
        restore(layers, constant);
    }
    if (!bytes) {
        return STATUS_OK;
    }
    const float *exact = parameters_values(layers->exact, param);
    float *values = parameters_values(layers->rounded, param);
    TRY(byte_weights_round(param, values));
    double signal = 0, noise = 0;
    for (size_t i = 0; i < param->elements; i++) {
        double error = (double)exact[i] - (double)values[i];
        signal += (double)exact[i] * (double)exact[i];
        noise += error * error;
    }
    layer->told->weights = decibels(signal, noise);
    if (constant != NULL) {
        correct_means(layers, layer, calibration, constant);
    }
    return STATUS_OK;
}

// ---- outputs ------------------------------------------------------------------------------------

// A value as the network holds it.
static float value_at(const Node *node, const void *values, size_t pixel, size_t channel) {
    if (!node->bytes) {
        return ((const float *)values)[pixel * (size_t)node->shape.channels + channel];
    }
    int byte = ((const uint8_t *)values)[pixel * shape_byte_pixel(node->shape) + channel];
    return node->scale * (float)(byte - node->zero);
}

typedef struct Comparison {
    Layers *layers;
    const Network *exact, *network;
    int count;
} Comparison;

static void compare_layer(void *context, int index, int worker) {
    (void)worker;
    const Comparison *comparison = context;
    Layer *layer = &comparison->layers->list[index];
    const Graph *graph = network_graph(comparison->network);
    const Node *node = &graph->nodes[graph_find_node(graph, layer->node)];
    Shape shape;
    const float *exact = network_value(comparison->exact, layer->node, &shape);
    const void *values = network_value(comparison->network, layer->node, &shape);
    size_t channels = (size_t)shape.channels;
    size_t pixels = (size_t)comparison->count * (size_t)shape.height * (size_t)shape.width;
    for (size_t p = 0; p < pixels; p++) {
        for (size_t c = 0; c < channels; c++) {
            double value = exact[p * channels + c];
            double error = value - (double)value_at(node, values, p, c);
            layer->signal_sum += value * value;
            layer->noise_sum += error * error;
        }
    }
}

void layers_compare(Layers *layers, const Network *exact, const Network *network, int count,
                    Threads *threads) {
    Comparison comparison = {layers, exact, network, count};
    threads_run(threads, layers->count, compare_layer, &comparison);
}

int layers_finish(Layers *layers, const Graph *graph, const Calibration *calibration) {
    const Graph *exact = network_graph(calibration->network);
    int in_bytes = 0;
    for (int i = 0; i < layers->count; i++) {
        const Layer *layer = &layers->list[i];
        const Node *node = &graph->nodes[graph_find_node(graph, layer->node)];
        QuantizedLayer *told = layer->told;
        told->output = decibels(layer->signal_sum, layer->noise_sum);
        told->rounding = INFINITY;
        in_bytes += told->bytes;
        if (node->bytes) {
            const Histogram *histogram =
                &calibration->histograms[graph_find_node(exact, layer->node)];
            int levels = calibration_levels(node->zero);
            told->scale = node->scale;
            told->zero = node->zero;
            told->rounding =
                decibels(histogram_power(histogram),
                         histogram_error(histogram, (double)node->scale * levels, levels));
        }
    }
    return in_bytes;
}
