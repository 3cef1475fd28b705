// SPDX-License-Identifier: Apache-2.0
// The training loop: data, network, optimizer, schedule, metrics and checkpoints put together.
#ifndef RESNET_TRAIN_TRAINER_H
#define RESNET_TRAIN_TRAINER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/threads.h"
#include "models/models.h"

// The same fields as the public resnet_train_options, where each is explained; api.c checks that
// the two structs agree and hands one over as the other.
typedef struct TrainOptions {
    const char *model;
    const char *data;
    const char *out;
    const char *recipe;
    const char *shortcut, *stride_in;
    const char *init;
    int resume;
    int threads;
    uint64_t seed;
    int batch;
    int shard;
    int recompute;
    double epochs;
    int64_t iterations;
    double lr;
    double shift_rate, small_share, momentum, weight_decay, label_smoothing;
    int nesterov;
    int decay_norm_bias;
    const char *schedule;
    double warmup_epochs;
    const char *augment;
    const char *border;
    const char *normalize;
    const float *mean, *std;
    int bn_recompute;
    int validation;
    int train_samples;
    int test_samples;
    double test_every;
    double save_minutes;
    int64_t save_every;
    int64_t stop_after;
    int log_gradients;
    int64_t log_every;
    const volatile sig_atomic_t *stop;
} TrainOptions;

void train_options_default(TrainOptions *options);

typedef enum TrainEvent { TRAIN_START, TRAIN_STEP, TRAIN_EPOCH, TRAIN_NOTE, TRAIN_DONE } TrainEvent;

typedef struct TrainProgress {
    TrainEvent event;
    int64_t iteration, iterations;
    double epoch, epochs;
    double lr;
    double train_loss, train_top1;
    double test_loss, test_top1;
    double images_per_second, seconds, eta_seconds;
    const char *note;
} TrainProgress;

typedef void TrainCallback(void *user, const TrainProgress *progress);

// Bytes that a training takes, data set apart: both networks (training, and evaluation by the same
// batch), the four blocks of parameters, and the loader's batches. For `resnet summary`. recompute:
// see TrainOptions.
Status train_bytes(const char *model, const ModelOptions *options, int batch, bool recompute,
                   Threads *threads, size_t *bytes);

Status train_run(const TrainOptions *options, TrainCallback *callback, void *user);

#endif
