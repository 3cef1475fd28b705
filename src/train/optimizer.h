// SPDX-License-Identifier: Apache-2.0
// Stochastic gradient descent with momentum: one pass over the flat blocks of parameters.
//
//     g = gradient + weight_decay * w          (where the parameter decays)
//     lr = rate of the step, times shift_rate for the shifts of norms
//     PAPER      v = m*v + lr*g    w = w - v               (Caffe, with which the paper was made)
//     PYTORCH    v = m*v + g       w = w - lr*v
//     NESTEROV   v = m*v + g       w = w - lr*(g + m*v)    (PyTorch's form)
//
// PAPER and PYTORCH differ where the rate changes: Caffe's velocity keeps the old rate inside.
// All in float without contraction, so every machine and any number of threads give the same bits.
#ifndef RESNET_TRAIN_OPTIMIZER_H
#define RESNET_TRAIN_OPTIMIZER_H

#include "base/threads.h"
#include "graph/graph.h"
#include "network/network.h"

typedef enum MomentumForm { MOMENTUM_PAPER, MOMENTUM_PYTORCH, MOMENTUM_NESTEROV } MomentumForm;

const char *momentum_form_name(MomentumForm form); // "paper", "pytorch", "nesterov"

typedef struct OptimizerOptions {
    MomentumForm form;
    double momentum, weight_decay; // used as float
    bool decay_norm_bias; // decay scales, shifts and biases too (the paper); else weights only
    // How many times the rate the shifts of norms learn at. They are few and say how much of a
    // layer is lit; in a short training they lag behind (Jordan, arXiv 2404.00498, section 3.4).
    double shift_rate; // used as float
} OptimizerOptions;

typedef struct Optimizer Optimizer;

// Looks at the graph's parameters only here.
Status optimizer_create(const Graph *graph, const OptimizerOptions *options, Optimizer **out);
void optimizer_destroy(Optimizer *optimizer);

// Updates parameters->values and momentum (float) from the gradients. Allocates nothing.
void optimizer_step(Optimizer *optimizer, Parameters *parameters, double lr, Threads *threads);

#endif
