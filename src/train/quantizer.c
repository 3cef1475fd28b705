// SPDX-License-Identifier: Apache-2.0
#include "train/quantizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/evaluate.h"
#include "train/pictures.h"
#include "train/quantizer_layers.h"

enum {
    LARGE_SIDE = 128, // of a network's input: photographs, of which every value is kept
    LARGE_BATCH = 4,
    SMALL_BATCH = 32,
    RANKING_PICTURES = 32
};

typedef struct Quantizer {
    ModelFile *file;
    const QuantizeOptions *options;
    NetworkOptions network;
    Pictures pictures;
    Network *exact; // float
    Calibration calibration;
    Quantization table;
    Layers layers;
    int classes;
    float *exact_logits, *logits; // [pictures][classes]
    QuantizeReport *report;
} Quantizer;

static Status out_of_memory(void) {
    return status_fail(STATUS_FAILED, "cannot get memory to quantise a model");
}

static void tell(const Quantizer *quantizer, const char *what, int done, int all) {
    const QuantizeOptions *options = quantizer->options;
    if (options->progress != NULL) {
        options->progress(options->user, what, done, all);
    }
}

// ---- networks -----------------------------------------------------------------------------------

// The network in int8 but for the layers that are kept. Its weights are rounded before it first
// looks at them. keep_values: every layer's values are to be compared, not the logits alone.
static Status build(Quantizer *quantizer, bool keep_values, Network **out) {
    Layers *layers = &quantizer->layers;
    Quantization *table = &quantizer->table;
    table->float_count = 0;
    for (int i = 0; i < layers->count; i++) {
        if (layers->list[i].keep) {
            table->float_nodes[table->float_count++] = layers->list[i].node;
        }
    }
    NetworkOptions options = quantizer->network;
    options.quantization = table;
    options.keep_values = keep_values;
    TRY(network_create(quantizer->file->graph, layers->rounded, &options, out));
    const Graph *graph = network_graph(*out);
    Status status = STATUS_OK;
    for (int i = 0; i < layers->count && status == STATUS_OK; i++) {
        Layer *layer = &layers->list[i];
        const Node *node = &graph->nodes[graph_find_node(graph, layer->node)];
        bool bytes = graph->nodes[node->input[0]].bytes;
        if (bytes != layer->told->bytes) {
            status = layer_round(layers, layer, &quantizer->calibration, bytes);
        }
    }
    if (status != STATUS_OK) {
        network_destroy(*out);
        *out = NULL;
    }
    return status;
}

// Runs a network over `count` pictures from `begin` on, at most a batch.
static void run_batch(const Quantizer *quantizer, Network *network, int begin, int count) {
    const Pictures *pictures = &quantizer->pictures;
    memcpy(network_input(network), pictures->pixels + (size_t)begin * pictures->elements,
           (size_t)count * pictures->elements * sizeof(float));
    network_forward(network, &(PassOptions){.count = count});
}

typedef void BatchVisitor(Quantizer *quantizer, Network *network, int begin, int count);

// Runs a network over the first `count` pictures.
static void run(Quantizer *quantizer, Network *network, int count, float *logits,
                BatchVisitor *visit) {
    size_t classes = (size_t)quantizer->classes;
    int batch = quantizer->network.batch;
    for (int begin = 0; begin < count; begin += batch) {
        int now = count - begin < batch ? count - begin : batch;
        run_batch(quantizer, network, begin, now);
        memcpy(logits + (size_t)begin * classes, network_output(network),
               (size_t)now * classes * sizeof *logits);
        if (visit != NULL) {
            visit(quantizer, network, begin, now);
        }
    }
}

static int64_t count_correct(const Quantizer *quantizer, const float *logits) {
    const int32_t *labels = quantizer->options->labels;
    int64_t correct = 0;
    for (int i = 0; i < quantizer->pictures.count; i++) {
        int32_t label = quantizer->pictures.labels[i];
        correct +=
            logits_rank_within(logits + (size_t)i * (size_t)quantizer->classes, quantizer->classes,
                               labels != NULL ? labels[label] : label, 1);
    }
    return correct;
}

// The squares of the differences between the logits of `count` pictures, and of the exact ones.
static double logits_noise(const Quantizer *quantizer, int count, double *signal) {
    double noise = 0;
    *signal = 0;
    for (size_t i = 0; i < (size_t)count * (size_t)quantizer->classes; i++) {
        double exact = quantizer->exact_logits[i], error = exact - (double)quantizer->logits[i];
        *signal += exact * exact;
        noise += error * error;
    }
    return noise;
}

// ---- calibration --------------------------------------------------------------------------------

static void calibrate_batch(Quantizer *quantizer, Network *network, int begin, int count) {
    (void)network;
    calibration_add(&quantizer->calibration, count);
    tell(quantizer, "calibrating", begin + count, quantizer->pictures.count);
}

static Status calibrate(Quantizer *quantizer) {
    const QuantizeOptions *options = quantizer->options;
    Arena *arena = quantizer->report->arena;
    TRY(calibration_create(quantizer->exact, options->threads, &quantizer->calibration));
    run(quantizer, quantizer->exact, quantizer->pictures.count, quantizer->exact_logits,
        calibrate_batch);
    quantizer->report->correct_float = count_correct(quantizer, quantizer->exact_logits);
    return calibration_table(&quantizer->calibration, options->method, options->share, arena,
                             &quantizer->table);
}

// ---- the bound ----------------------------------------------------------------------------------

static Status measure_noise(Quantizer *quantizer, int count, double *noise) {
    Network *network = NULL;
    TRY(build(quantizer, false, &network));
    double signal = 0;
    run(quantizer, network, count, quantizer->logits, NULL);
    *noise = logits_noise(quantizer, count, &signal);
    network_destroy(network);
    return STATUS_OK;
}

static int compare_gains(const void *a, const void *b) {
    const Layer *left = *(Layer *const *)a, *right = *(Layer *const *)b;
    if (left->gain != right->gain) {
        return left->gain > right->gain ? -1 : 1;
    }
    return left < right ? -1 : 1; // in the order of the graph
}

// ranked[]: the layers that are in int8 now, those first that are best kept in float.
static Status rank_layers(Quantizer *quantizer, Layer **ranked, int *count) {
    Layers *layers = &quantizer->layers;
    int pictures =
        quantizer->pictures.count < RANKING_PICTURES ? quantizer->pictures.count : RANKING_PICTURES;
    double all = 0;
    TRY(measure_noise(quantizer, pictures, &all));
    *count = 0;
    for (int i = 0; i < layers->count; i++) {
        if (layers->list[i].told->bytes) {
            ranked[(*count)++] = &layers->list[i];
        }
    }
    for (int i = 0; i < *count; i++) {
        double noise = 0;
        ranked[i]->keep = true;
        TRY(measure_noise(quantizer, pictures, &noise));
        ranked[i]->keep = false;
        ranked[i]->gain = all - noise;
        tell(quantizer, "ranking layers", i + 1, *count);
    }
    qsort(ranked, (size_t)*count, sizeof ranked[0], compare_gains);
    return STATUS_OK;
}

// Builds the network and counts its right answers on all pictures.
static Status try_network(Quantizer *quantizer, bool *within) {
    Network *network = NULL;
    TRY(build(quantizer, false, &network));
    QuantizeReport *report = quantizer->report;
    run(quantizer, network, report->samples, quantizer->logits, NULL);
    network_destroy(network);
    report->correct_int8 = count_correct(quantizer, quantizer->logits);
    double lost = (double)(report->correct_float - report->correct_int8);
    *within = 100 * lost <= quantizer->options->max_drop * report->samples;
    return STATUS_OK;
}

// Keeps the first of the ranked layers in float, as many as the bound takes, and then puts those
// back into int8 that it does not take after all.
static Status keep_ranked(Quantizer *quantizer, Layer **ranked, int count) {
    bool within = false;
    int kept = 0;
    while (kept < count && !within) {
        ranked[kept++]->keep = true;
        TRY(try_network(quantizer, &within));
        tell(quantizer, "keeping layers in float", kept, count);
    }
    for (int i = kept - 2; i >= 0; i--) {
        ranked[i]->keep = false;
        TRY(try_network(quantizer, &within));
        ranked[i]->keep = !within;
        tell(quantizer, "putting layers back into int8", kept - 1 - i, kept - 1);
    }
    return STATUS_OK;
}

static Status keep_worst(Quantizer *quantizer) {
    bool within = false;
    TRY(try_network(quantizer, &within));
    if (within) {
        return STATUS_OK;
    }
    Layer **ranked = calloc((size_t)quantizer->layers.count, sizeof *ranked);
    if (ranked == NULL) {
        return out_of_memory();
    }
    int count = 0;
    Status status = rank_layers(quantizer, ranked, &count);
    if (status == STATUS_OK) {
        status = keep_ranked(quantizer, ranked, count);
    }
    free(ranked);
    return status;
}

// ---- the report ---------------------------------------------------------------------------------

static void compare_batch(Quantizer *quantizer, Network *network, int begin, int count) {
    run_batch(quantizer, quantizer->exact, begin, count);
    layers_compare(&quantizer->layers, quantizer->exact, network, count,
                   quantizer->options->threads);
    tell(quantizer, "measuring layers", begin + count, quantizer->pictures.count);
}

static Status measure(Quantizer *quantizer) {
    Network *network = NULL;
    TRY(build(quantizer, true, &network));
    run(quantizer, network, quantizer->pictures.count, quantizer->logits, compare_batch);
    QuantizeReport *report = quantizer->report;
    report->byte_layers =
        layers_finish(&quantizer->layers, network_graph(network), &quantizer->calibration);
    network_destroy(network);
    report->correct_int8 = count_correct(quantizer, quantizer->logits);
    double signal = 0, noise = logits_noise(quantizer, quantizer->pictures.count, &signal);
    report->logits = decibels(signal, noise);
    return STATUS_OK;
}

// ---- from the beginning to the end --------------------------------------------------------------

static Status prepare(Quantizer *quantizer) {
    const ModelFile *file = quantizer->file;
    Shape input = graph_shape(file->graph, file->graph->input);
    bool large = input.height > LARGE_SIDE || input.width > LARGE_SIDE;
    quantizer->classes = file->options.classes;
    quantizer->network = (NetworkOptions){.threads = quantizer->options->threads,
                                          .batch = large ? LARGE_BATCH : SMALL_BATCH,
                                          .phase = PHASE_INFERENCE,
                                          .fuse = true,
                                          .keep_values = true};
    TRY(backend_cpu(&quantizer->network.backend));
    TRY(network_create(file->graph, file->parameters, &quantizer->network, &quantizer->exact));
    size_t logits = (size_t)quantizer->pictures.count * (size_t)quantizer->classes;
    quantizer->exact_logits = malloc(logits * sizeof(float));
    quantizer->logits = malloc(logits * sizeof(float));
    return quantizer->exact_logits != NULL && quantizer->logits != NULL ? STATUS_OK
                                                                        : out_of_memory();
}

static Status quantize(Quantizer *quantizer) {
    ModelFile *file = quantizer->file;
    QuantizeReport *report = quantizer->report;
    TRY(prepare(quantizer));
    TRY(layers_create(file->graph, network_graph(quantizer->exact), file->parameters, report->arena,
                      report, &quantizer->layers));
    TRY(layers_keep(&quantizer->layers, quantizer->options->keep));
    TRY(calibrate(quantizer));
    TRY(keep_worst(quantizer));
    TRY(measure(quantizer));
    if (report->byte_layers == 0) {
        return status_fail(STATUS_FAILED,
                           "%s cannot be quantised: with at most %g points of top-1 lost no layer "
                           "of it runs in int8",
                           file->name, quantizer->options->max_drop);
    }
    TRY(model_file_set_quantization(file, &quantizer->table));
    Parameters *exact = file->parameters;
    file->parameters = quantizer->layers.rounded;
    quantizer->layers.rounded = exact;
    return STATUS_OK;
}

static void quantizer_destroy(Quantizer *quantizer) {
    calibration_destroy(&quantizer->calibration);
    layers_destroy(&quantizer->layers);
    network_destroy(quantizer->exact);
    pictures_destroy(&quantizer->pictures);
    free(quantizer->exact_logits);
    free(quantizer->logits);
}

Status quantizer_run(ModelFile *file, const Dataset *set, const Preprocess *preprocess,
                     uint64_t seed, const QuantizeOptions *options, QuantizeReport *report) {
    *report = (QuantizeReport){.arena = arena_create()};
    if (report->arena == NULL) {
        return out_of_memory();
    }
    Quantizer quantizer = {.file = file, .options = options, .report = report};
    PicturesOptions pictures = {.count = options->samples,
                                .workers = threads_count(options->threads),
                                .seed = seed,
                                .failure = options->failure,
                                .user = options->user};
    Status status = pictures_load(set, preprocess, &pictures, &quantizer.pictures);
    if (status == STATUS_OK) {
        report->samples = quantizer.pictures.count;
        report->failed = quantizer.pictures.failed;
        status = quantize(&quantizer);
    }
    quantizer_destroy(&quantizer);
    if (status != STATUS_OK) {
        quantize_report_destroy(report);
    }
    return status;
}

void quantize_report_destroy(QuantizeReport *report) {
    arena_destroy(report->arena);
    *report = (QuantizeReport){0};
}
