// SPDX-License-Identifier: Apache-2.0
// Ops that treat every element alike: relu, sigmoid, add, dropout. Each task is a piece of the
// elements; the four may write over their input, and their gradients over the output's.
#include "backend/cpu/kernels/map_kernels.h"
#include "backend/cpu/ops.h"
#include "backend/cpu/pieces.h"
#include "base/elementary.h"
#include "base/random.h"

typedef struct Run {
    const Call *call;
    const ElementKernels *kernels;
    int64_t elements;
} Run;

static void elements_run(const Call *call, const Kernels *kernels, TaskFunction *function) {
    Run run = {.call = call,
               .kernels = kernels->map->element,
               .elements = (int64_t)call->batch * (int64_t)shape_elements(call->node->shape)};
    threads_run(call->threads, pieces_of(run.elements, PIECE_ELEMENTS), function, &run);
}

static Piece run_piece(const Run *run, int task) {
    return piece_at(run->elements, PIECE_ELEMENTS, task);
}

static void relu_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    Piece piece = run_piece(run, task);
    run->kernels->relu((float *)run->call->output + piece.begin,
                       (const float *)run->call->input[0] + piece.begin, (size_t)piece.count);
}

static void add_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    Piece piece = run_piece(run, task);
    run->kernels->add((float *)run->call->output + piece.begin,
                      (const float *)run->call->input[0] + piece.begin,
                      (const float *)run->call->input[1] + piece.begin, run->call->node->relu,
                      (size_t)piece.count);
}

// Hands the output's gradient to each input, where the output is positive if there is a relu.
// The first input's may lie in the place of the output's and is written first: the second then
// reads what is masked already, and masking it again changes nothing. So x + x works too.
static void pass_gradient_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    Piece piece = run_piece(run, task);
    const float *from = (const float *)call->output_gradient + piece.begin;
    bool masked = call->node->relu || call->node->op == OP_RELU;
    const float *mask = masked ? (const float *)call->output + piece.begin : NULL;
    for (int k = 0; k < 2; k++) {
        if (call->input_gradient[k] == NULL) {
            continue;
        }
        float *to = (float *)call->input_gradient[k] + piece.begin;
        if (to != from || masked || call->accumulate[k]) {
            run->kernels->pass(to, from, mask, call->accumulate[k], (size_t)piece.count);
        }
    }
}

static void sigmoid_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    Piece piece = run_piece(run, task);
    float *y = (float *)run->call->output + piece.begin;
    const float *x = (const float *)run->call->input[0] + piece.begin;
    for (int i = 0; i < piece.count; i++) {
        y[i] = (float)(1 / (1 + exact_exp(-(double)x[i])));
    }
}

static void sigmoid_gradient_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    Piece piece = run_piece(run, task);
    float *dx = (float *)call->input_gradient[0] + piece.begin;
    const float *dy = (const float *)call->output_gradient + piece.begin;
    const float *y = (const float *)call->output + piece.begin;
    for (int i = 0; i < piece.count; i++) {
        float gradient = dy[i] * (y[i] * (1 - y[i]));
        dx[i] = call->accumulate[0] ? dx[i] + gradient : gradient;
    }
}

// What dropout multiplies an element with; it is drawn again in backward rather than kept.
static float dropout_factor(const Call *call, int64_t element, float kept) {
    int64_t elements = (int64_t)shape_elements(call->node->shape);
    uint64_t major = call->iteration << 16 | (uint64_t)call->node_index;
    uint64_t minor = (uint64_t)(call->first_sample * elements + element);
    double draw = random_uniform(call->seed, RANDOM_DROPOUT, major, minor);
    return draw >= (double)call->node->dropout.rate ? kept : 0;
}

static float dropout_kept(const Call *call) {
    return (float)(1 / (1 - (double)call->node->dropout.rate));
}

static void dropout_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    Piece piece = run_piece(run, task);
    float *y = (float *)call->output + piece.begin;
    const float *x = (const float *)call->input[0] + piece.begin;
    if (call->phase == PHASE_INFERENCE) {
        if (y != x) {
            run->kernels->pass(y, x, NULL, false, (size_t)piece.count);
        }
        return;
    }
    float kept = dropout_kept(call);
    for (int i = 0; i < piece.count; i++) {
        y[i] = x[i] * dropout_factor(call, piece.begin + i, kept);
    }
}

static void dropout_gradient_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    Piece piece = run_piece(run, task);
    float *dx = (float *)call->input_gradient[0] + piece.begin;
    const float *dy = (const float *)call->output_gradient + piece.begin;
    float kept = dropout_kept(call);
    for (int i = 0; i < piece.count; i++) {
        float gradient = dy[i] * dropout_factor(call, piece.begin + i, kept);
        dx[i] = call->accumulate[0] ? dx[i] + gradient : gradient;
    }
}

static void relu_forward(const Call *call, const Kernels *kernels) {
    elements_run(call, kernels, relu_task);
}

static void add_forward(const Call *call, const Kernels *kernels) {
    elements_run(call, kernels, add_task);
}

static void pass_backward(const Call *call, const Kernels *kernels) {
    elements_run(call, kernels, pass_gradient_task);
}

static void sigmoid_forward(const Call *call, const Kernels *kernels) {
    elements_run(call, kernels, sigmoid_task);
}

static void sigmoid_backward(const Call *call, const Kernels *kernels) {
    if (call->input_gradient[0] != NULL) {
        elements_run(call, kernels, sigmoid_gradient_task);
    }
}

static void dropout_forward(const Call *call, const Kernels *kernels) {
    elements_run(call, kernels, dropout_task);
}

static void dropout_backward(const Call *call, const Kernels *kernels) {
    if (call->input_gradient[0] != NULL) {
        elements_run(call, kernels, dropout_gradient_task);
    }
}

const CpuOp cpu_relu = {.forward = relu_forward, .backward = pass_backward};
const CpuOp cpu_add = {.forward = add_forward, .backward = pass_backward};
const CpuOp cpu_sigmoid = {.forward = sigmoid_forward, .backward = sigmoid_backward};
const CpuOp cpu_dropout = {.forward = dropout_forward, .backward = dropout_backward};
