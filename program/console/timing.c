// SPDX-License-Identifier: Apache-2.0
// Runs are timed whole; with layers, every second run is one whose layers are timed, so that both
// meet the same moments of a machine that has other work too.
#include "console/timing.h"

#include <stdlib.h>

#include "console/failure.h"

// Of the time to measure: caches, branch predictors and the CPU's clock settle.
static const double WARM_UP = 0.1;

typedef struct Subject {
    const TimingOptions *options;
    Timing *timing;
    float *images, *logits;
    int32_t *labels;
} Subject;

// Noise that is uniform in -2 … 2.
static void fill_noise(float *values, size_t count) {
    uint32_t state = 1;
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)(noise_next(&state) >> 8) / (float)(1u << 22) - 2.0f;
    }
}

static resnet_status subject_fill(Subject *subject, const resnet_model *model) {
    int channels, height, width;
    resnet_model_input(model, &channels, &height, &width);
    const size_t batch = (size_t)subject->options->batch;
    const size_t classes = (size_t)resnet_model_classes(model);
    const size_t elements = (size_t)channels * (size_t)height * (size_t)width * batch;
    subject->images = malloc(elements * sizeof(float));
    subject->logits = malloc(batch * classes * sizeof(float));
    subject->labels = malloc(batch * sizeof(int32_t));
    if (subject->images == NULL || subject->logits == NULL || subject->labels == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for a batch of %d images",
                           subject->options->batch);
    }
    fill_noise(subject->images, elements);
    for (size_t i = 0; i < batch; i++) {
        subject->labels[i] = (int32_t)(i % classes);
    }
    return RESNET_OK;
}

static void subject_free(Subject *subject) {
    free(subject->images);
    free(subject->logits);
    free(subject->labels);
}

static resnet_status engine_create(const resnet_model *model, const TimingOptions *options,
                                   Timing *timing) {
    if (options->train) {
        resnet_trainer_options trainer;
        resnet_trainer_options_default(&trainer);
        trainer.threads = options->threads;
        trainer.batch = options->batch;
        return resnet_trainer_create(model, &trainer, &timing->trainer);
    }
    resnet_session_options session;
    resnet_session_options_default(&session);
    session.threads = options->threads;
    session.batch = options->batch;
    session.precision = options->precision;
    return resnet_session_create(model, &session, &timing->session);
}

// One run; by layer where `forward` is not NULL. Training's rate is 0: the update does all its
// arithmetic, and the weights stay what they are, however long is measured.
static resnet_status run_once(const Subject *subject, double *forward, double *backward) {
    const Timing *timing = subject->timing;
    const int batch = subject->options->batch;
    if (timing->trainer != NULL) {
        return resnet_trainer_step_timed(timing->trainer, subject->images, subject->labels, batch,
                                         0, NULL, forward, backward);
    }
    return forward == NULL
               ? resnet_session_run(timing->session, subject->images, batch, subject->logits)
               : resnet_session_run_timed(timing->session, subject->images, batch, subject->logits,
                                          forward);
}

static resnet_status warm_up(const Subject *subject) {
    const double begin = measure_clock(), wanted = WARM_UP * subject->options->seconds;
    while (measure_clock() - begin < wanted) {
        TRY(run_once(subject, NULL, NULL));
    }
    subject->timing->resident = measure_resident();
    return RESNET_OK;
}

// ---- layers -------------------------------------------------------------------------------------

static resnet_status layer_get(const Timing *timing, int index, resnet_fused_layer *out) {
    return timing->trainer != NULL ? resnet_trainer_layer(timing->trainer, index, out)
                                   : resnet_session_layer(timing->session, index, out);
}

// What does not depend on the clock.
static resnet_status layers_describe(const TimingOptions *options, Timing *timing) {
    timing->layer_count = timing->trainer != NULL ? resnet_trainer_layers(timing->trainer)
                                                  : resnet_session_layers(timing->session);
    timing->layers = calloc((size_t)timing->layer_count, sizeof *timing->layers);
    if (timing->layers == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for %d layers", timing->layer_count);
    }
    // Backward does the work twice more: for the gradient of the input, and of the weights.
    const double passes = options->train ? 3 : 1;
    for (int i = 0; i < timing->layer_count; i++) {
        LayerTiming *layer = &timing->layers[i];
        TRY(layer_get(timing, i, &layer->layer));
        layer->flops = passes * 2 * (double)layer->layer.macs * options->batch;
        layer->bytes = passes * ((double)layer->layer.image_bytes * options->batch +
                                 (double)layer->layer.weight_bytes);
        timing->flops += layer->flops;
    }
    return RESNET_OK;
}

// ---- samples ------------------------------------------------------------------------------------

// A row of samples: the run's seconds, then those of each layer forward, then backward.
static resnet_status sample_take(const Subject *subject, Samples *samples) {
    double *row = samples_row(samples);
    if (row == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for %d runs", samples->rows + 1);
    }
    const double begin = measure_clock();
    TRY(run_once(subject, NULL, NULL));
    row[0] = measure_clock() - begin;
    if (subject->options->layers) {
        TRY(run_once(subject, row + 1, row + 1 + subject->timing->layer_count));
    }
    return RESNET_OK;
}

static resnet_status samples_take(const Subject *subject, Samples *samples) {
    const TimingOptions *options = subject->options;
    const double begin = measure_clock();
    do {
        TRY(sample_take(subject, samples));
    } while (options->repeat > 0 ? samples->rows < options->repeat
                                 : measure_clock() - begin < options->seconds);
    return RESNET_OK;
}

static void samples_tell(const Samples *samples, const TimingOptions *options, Timing *timing) {
    timing->runs = samples->rows;
    timing->p50 = samples_percentile(samples, 0, 0.5);
    timing->p90 = samples_percentile(samples, 0, 0.9);
    timing->p99 = samples_percentile(samples, 0, 0.99);
    timing->images_per_second = (double)options->batch * samples->rows / samples_sum(samples, 0);
    for (int i = 0; options->layers && i < timing->layer_count; i++) {
        timing->layers[i].forward = samples_percentile(samples, 1 + i, 0.5);
        timing->layers[i].backward = samples_percentile(samples, 1 + timing->layer_count + i, 0.5);
    }
}

static resnet_status subject_measure(const Subject *subject, const resnet_model *model) {
    const TimingOptions *options = subject->options;
    Timing *timing = subject->timing;
    const double begin = measure_clock();
    TRY(engine_create(model, options, timing));
    TRY(run_once(subject, NULL, NULL));
    timing->first = measure_clock() - begin;
    TRY(warm_up(subject));
    TRY(layers_describe(options, timing));
    Samples samples = {.columns = 1 + (options->layers ? 2 * timing->layer_count : 0)};
    resnet_status status = samples_take(subject, &samples);
    if (status == RESNET_OK) {
        samples_tell(&samples, options, timing);
    }
    samples_free(&samples);
    return status;
}

resnet_status timing_run(const resnet_model *model, const TimingOptions *options, Timing *out) {
    *out = (Timing){0};
    Subject subject = {.options = options, .timing = out};
    resnet_status status = subject_fill(&subject, model);
    if (status == RESNET_OK) {
        status = subject_measure(&subject, model);
    }
    subject_free(&subject);
    return status;
}

void timing_free(Timing *timing) {
    resnet_session_free(timing->session);
    resnet_trainer_free(timing->trainer);
    free(timing->layers);
}
