// SPDX-License-Identifier: Apache-2.0
#include "train/optimizer.h"

#include <stdlib.h>

// A part of the blocks that one task updates: at most CHUNK elements, a multiple of
// PARAM_ALIGNMENT, with one weight decay and one rate.
typedef struct Piece {
    size_t begin, end;
    float weight_decay;
    float rate; // times the step's
} Piece;

enum { CHUNK = 16384 };

struct Optimizer {
    OptimizerOptions options;
    int piece_count;
    // Of the step that runs.
    Parameters *parameters;
    float lr;
    Piece pieces[];
};

static const char *const NAMES[] = {"paper", "pytorch", "nesterov"};

const char *momentum_form_name(MomentumForm form) { return NAMES[form]; }

static size_t padded(size_t elements) {
    return (elements + PARAM_ALIGNMENT - 1) / PARAM_ALIGNMENT * PARAM_ALIGNMENT;
}

// Cuts the parameters into pieces, or only counts them when `pieces` is NULL. Neighbours that are
// updated alike share pieces; the padding between them stays zero, as its gradients are.
static int pieces_cut(const Graph *graph, const OptimizerOptions *options, Piece *pieces) {
    int count = 0;
    Piece piece = {0, 0, 0, 0};
    for (int32_t p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        if (param_is_running(param->role)) {
            continue;
        }
        bool decays = options->decay_norm_bias || param->role == PARAM_WEIGHT;
        float weight_decay = decays ? (float)options->weight_decay : 0;
        float rate = param->role == PARAM_NORM_SHIFT ? (float)options->shift_rate : 1;
        size_t begin = param->offset, end = param->offset + padded(param->elements);
        while (begin < end) {
            bool joins = count > 0 && begin == piece.end && weight_decay == piece.weight_decay &&
                         rate == piece.rate && piece.end - piece.begin < CHUNK;
            if (!joins) {
                piece = (Piece){begin, begin, weight_decay, rate};
                count++;
            }
            size_t room = CHUNK - (piece.end - piece.begin);
            piece.end += end - begin < room ? end - begin : room;
            begin = piece.end;
            if (pieces != NULL) {
                pieces[count - 1] = piece;
            }
        }
    }
    return count;
}

Status optimizer_create(const Graph *graph, const OptimizerOptions *options, Optimizer **out) {
    int count = pieces_cut(graph, options, NULL);
    Optimizer *optimizer = calloc(1, sizeof *optimizer + (size_t)count * sizeof(Piece));
    *out = optimizer;
    if (optimizer == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for the optimizer");
    }
    optimizer->options = *options;
    optimizer->piece_count = pieces_cut(graph, options, optimizer->pieces);
    return STATUS_OK;
}

void optimizer_destroy(Optimizer *optimizer) { free(optimizer); }

static void update_paper(float *restrict w, float *restrict v, const float *restrict gradient,
                         float lr, float momentum, float weight_decay) {
    for (int i = 0; i < PARAM_ALIGNMENT; i++) {
        float g = gradient[i] + weight_decay * w[i];
        v[i] = momentum * v[i] + lr * g;
        w[i] -= v[i];
    }
}

static void update_pytorch(float *restrict w, float *restrict v, const float *restrict gradient,
                           float lr, float momentum, float weight_decay) {
    for (int i = 0; i < PARAM_ALIGNMENT; i++) {
        float g = gradient[i] + weight_decay * w[i];
        v[i] = momentum * v[i] + g;
        w[i] -= lr * v[i];
    }
}

static void update_nesterov(float *restrict w, float *restrict v, const float *restrict gradient,
                            float lr, float momentum, float weight_decay) {
    for (int i = 0; i < PARAM_ALIGNMENT; i++) {
        float g = gradient[i] + weight_decay * w[i];
        v[i] = momentum * v[i] + g;
        w[i] -= lr * (g + momentum * v[i]);
    }
}

static void piece_update(void *context, int task, int worker) {
    (void)worker;
    const Optimizer *optimizer = context;
    const Piece *piece = &optimizer->pieces[task];
    float *values = optimizer->parameters->values;
    float *velocity = optimizer->parameters->momentum;
    const float *gradients = optimizer->parameters->gradients;
    float lr = optimizer->lr * piece->rate, momentum = (float)optimizer->options.momentum;
    for (size_t i = piece->begin; i < piece->end; i += PARAM_ALIGNMENT) {
        switch (optimizer->options.form) {
        case MOMENTUM_PAPER:
            update_paper(values + i, velocity + i, gradients + i, lr, momentum,
                         piece->weight_decay);
            break;
        case MOMENTUM_PYTORCH:
            update_pytorch(values + i, velocity + i, gradients + i, lr, momentum,
                           piece->weight_decay);
            break;
        case MOMENTUM_NESTEROV:
            update_nesterov(values + i, velocity + i, gradients + i, lr, momentum,
                            piece->weight_decay);
            break;
        }
    }
}

void optimizer_step(Optimizer *optimizer, Parameters *parameters, double lr, Threads *threads) {
    optimizer->parameters = parameters;
    optimizer->lr = (float)lr;
    threads_run(threads, optimizer->piece_count, piece_update, optimizer);
}
