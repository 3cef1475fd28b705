// SPDX-License-Identifier: Apache-2.0
// One op by itself against finite differences, in double.
//
// The objective is L = sum of r[i] * y[i] with fixed random r, so that the gradient of the output
// is r (for a loss: L = loss_scale * sum of y). Each element x of each input and trainable
// parameter must satisfy
//
//     | (L(x + h) - L(x - h)) / 2h  -  dL/dx |  <=  1e-6 * (largest |dL/dx| of the tensor)
//
// With h = 1e-5 the formula's own error is near 1e-10. Where it fails, a kink of relu or max
// between x - h and x + h is an excuse, told by one-sided differences that disagree; at most 2 % of
// the elements of all cases may need it.
#ifndef RESNET_TESTS_GRADIENTS_OP_CASE_H
#define RESNET_TESTS_GRADIENTS_OP_CASE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "base/random.h"
#include "graph/op.h"

// What a test states: the node without its ids, the shapes of its inputs (channels 0: absent).
typedef struct OpCase {
    const char *name;
    Node node;
    Shape input_shape[NODE_INPUTS];
    int batch;
} OpCase;

// The case with memory for one run. Every block has its exact size, for the sanitizer's sake.
typedef struct OpRun {
    Node node;
    Call call;
    size_t input_elements[NODE_INPUTS], param_elements[NODE_PARAMS], output_elements;
    double *input[NODE_INPUTS], *param[NODE_PARAMS];
    double *input_gradient[NODE_INPUTS], *param_gradient[NODE_PARAMS];
    double *output, *output_gradient;
    int32_t *labels;
} OpRun;

// Uniform in [-1, 1], a function of the counter alone.
static double *random_block(size_t elements, uint64_t major) {
    double *block = malloc(elements * sizeof(double));
    assert_non_null(block);
    for (size_t i = 0; i < elements; i++) {
        block[i] = 2 * random_uniform(1, RANDOM_TEST, major, i) - 1;
    }
    return block;
}

static void count_params(const OpCase *op_case, size_t elements[NODE_PARAMS]) {
    const Node *node = &op_case->node;
    size_t out = (size_t)node->shape.channels;
    if (node->op == OP_CONV) {
        int groups = node->conv.groups > 0 ? node->conv.groups : 1;
        elements[0] = out * (size_t)(op_case->input_shape[0].channels / groups *
                                     node->conv.kernel_height * node->conv.kernel_width);
        elements[1] = node->conv.bias ? out : 0;
        for (int k = 2; node->folded_norm && k < 6; k++) {
            elements[k] = out;
        }
    } else if (node->op == OP_NORM) {
        for (int k = 0; k < 4; k++) {
            elements[k] = out;
        }
    } else if (node->op == OP_LINEAR) {
        elements[0] = out * shape_elements(op_case->input_shape[0]);
        elements[1] = out;
    }
}

// Whether the parameter is a running statistic, which has no gradient.
static bool is_running(const Node *node, int k) { return node->op == OP_NORM && k >= 2; }

static void op_run_begin(OpRun *run, const OpCase *op_case, Phase phase) {
    memset(run, 0, sizeof *run);
    run->node = op_case->node;
    run->output_elements = (size_t)op_case->batch * shape_elements(op_case->node.shape);
    run->output = random_block(run->output_elements, 90);
    run->output_gradient = random_block(run->output_elements, 91);
    count_params(op_case, run->param_elements);
    Call *call = &run->call;
    for (int k = 0; k < NODE_INPUTS; k++) {
        run->node.input[k] = NODE_NONE;
        if (op_case->input_shape[k].channels > 0) {
            size_t elements = (size_t)op_case->batch * shape_elements(op_case->input_shape[k]);
            run->node.input[k] = k;
            run->input_elements[k] = elements;
            run->input[k] = random_block(elements, (uint64_t)k);
            run->input_gradient[k] = random_block(elements, 20 + (uint64_t)k);
            call->input[k] = run->input[k];
            call->input_gradient[k] = run->input_gradient[k];
        }
    }
    for (int k = 0; k < NODE_PARAMS; k++) {
        run->node.param[k] = PARAM_NONE;
        if (run->param_elements[k] > 0) {
            run->node.param[k] = k;
            run->param[k] = random_block(run->param_elements[k], 40 + (uint64_t)k);
            run->param_gradient[k] = random_block(run->param_elements[k], 60 + (uint64_t)k);
            call->param[k] = run->param[k];
            call->param_gradient[k] = is_running(&run->node, k) ? NULL : run->param_gradient[k];
        }
    }
    run->labels = calloc((size_t)op_case->batch, sizeof(int32_t));
    assert_non_null(run->labels);
    for (int n = 0; op_case->node.op == OP_SOFTMAX_LOSS && n < op_case->batch; n++) {
        run->labels[n] = (int32_t)random_below((uint32_t)op_case->input_shape[0].channels, 1,
                                               RANDOM_TEST, 92, (uint64_t)n);
    }
    call->node = &run->node;
    memcpy(call->input_shape, op_case->input_shape, sizeof call->input_shape);
    call->batch = op_case->batch;
    call->phase = phase;
    call->output = run->output;
    call->output_gradient = op_case->node.op == OP_SOFTMAX_LOSS ? NULL : run->output_gradient;
    Node sources[NODE_INPUTS] = {0}; // all that op_saved_elements() looks at
    for (int k = 0; k < NODE_INPUTS; k++) {
        sources[k].shape = op_case->input_shape[k];
    }
    const Graph graph = {.nodes = sources, .node_count = NODE_INPUTS};
    size_t saved = op_saved_elements(&graph, &run->node, op_case->batch);
    call->saved = saved > 0 && phase == PHASE_TRAINING ? random_block(saved, 93) : NULL;
    call->labels = run->labels;
    call->norm_momentum = 0.1F;
    call->loss_scale = 0.25F;
    call->seed = 5;
    call->iteration = 3;
    call->node_index = 2;
    call->first_sample = 7;
}

static void op_run_end(OpRun *run) {
    for (int k = 0; k < NODE_INPUTS; k++) {
        free(run->input[k]);
        free(run->input_gradient[k]);
    }
    for (int k = 0; k < NODE_PARAMS; k++) {
        free(run->param[k]);
        free(run->param_gradient[k]);
    }
    free(run->output);
    free(run->output_gradient);
    free(run->call.saved);
    free(run->labels);
}

static double objective(const OpRun *run) {
    backend_reference_double.forward(&run->call);
    double sum = 0;
    for (size_t i = 0; i < run->output_elements; i++) {
        bool loss = run->node.op == OP_SOFTMAX_LOSS;
        sum += run->output[i] * (loss ? (double)run->call.loss_scale : run->output_gradient[i]);
    }
    return sum;
}

typedef struct KinkCount {
    long checked, skipped;
} KinkCount;

// Every element of one tensor.
static void check_tensor(const OpRun *run, const char *what, double *x, const double *gradient,
                         size_t elements, KinkCount *count) {
    const double h = 1e-5;
    double scale = 1e-3;
    for (size_t i = 0; i < elements; i++) {
        scale = fmax(scale, fabs(gradient[i]));
    }
    for (size_t i = 0; i < elements; i++) {
        double kept = x[i];
        x[i] = kept + h;
        double above = objective(run);
        x[i] = kept - h;
        double below = objective(run);
        x[i] = kept;
        double numeric = (above - below) / (2 * h);
        count->checked++;
        if (fabs(numeric - gradient[i]) <= 1e-6 * scale) {
            continue;
        }
        double here = objective(run);
        double right = (above - here) / h, left = (here - below) / h;
        if (fabs(right - left) <= 1e-3 * scale) {
            fail_msg("%s, element %zu: gradient %.12g, finite difference %.12g, scale %g", what, i,
                     gradient[i], numeric, scale);
        }
        count->skipped++;
    }
}

// The gradient once more with accumulation, without wanted inputs, and in place.
static void check_forms(OpRun *run) {
    Call call = run->call;
    for (int k = 0; k < NODE_INPUTS; k++) {
        if (run->input[k] == NULL) {
            continue;
        }
        size_t elements = run->input_elements[k];
        double *added = random_block(elements, 80), *start = random_block(elements, 80);
        for (int j = 0; j < NODE_INPUTS; j++) {
            call.input_gradient[j] = j == k ? added : NULL;
            call.accumulate[j] = j == k;
        }
        backend_reference_double.backward(&call);
        for (size_t i = 0; i < elements; i++) {
            double expected = start[i] + run->input_gradient[k][i];
            assert_true(fabs(added[i] - expected) <= 1e-13 * (1 + fabs(expected)));
        }
        free(added);
        free(start);
        if (op_gradient_in_place(&run->node, k)) {
            double *shared = random_block(run->output_elements, 91); // equal to output_gradient
            double *others[NODE_INPUTS] = {0};
            call = run->call;
            call.output_gradient = shared;
            for (int j = 0; j < NODE_INPUTS; j++) {
                others[j] = run->input[j] != NULL ? random_block(run->input_elements[j], 81) : NULL;
                call.input_gradient[j] = j == k ? shared : others[j];
            }
            backend_reference_double.backward(&call);
            for (int j = 0; j < NODE_INPUTS; j++) {
                if (run->input[j] != NULL) {
                    assert_memory_equal(call.input_gradient[j], run->input_gradient[j],
                                        run->input_elements[j] * sizeof(double));
                }
                free(others[j]);
            }
            free(shared);
            call = run->call;
        }
    }
}

// The output over input[0], where the op's row allows it.
static void check_output_in_place(const OpRun *run) {
    if (!op_row(run->node.op)->in_place) {
        return;
    }
    double *shared = random_block(run->input_elements[0], 0); // equal to input[0]
    Call call = run->call;
    call.input[0] = shared;
    call.output = shared;
    backend_reference_double.forward(&call);
    backend_reference_double.forward(&run->call);
    assert_memory_equal(shared, run->output, run->output_elements * sizeof(double));
    free(shared);
}

static void check_op(const OpCase *op_case, KinkCount *count) {
    OpRun run;
    op_run_begin(&run, op_case, PHASE_TRAINING);
    objective(&run);
    backend_reference_double.backward(&run.call);
    check_forms(&run);
    check_output_in_place(&run);
    char what[128];
    for (int k = 0; k < NODE_INPUTS; k++) {
        if (run.input[k] != NULL) {
            snprintf(what, sizeof what, "%s, input %d", op_case->name, k);
            check_tensor(&run, what, run.input[k], run.input_gradient[k], run.input_elements[k],
                         count);
        }
    }
    for (int k = 0; k < NODE_PARAMS; k++) {
        if (run.call.param_gradient[k] != NULL) {
            snprintf(what, sizeof what, "%s, parameter %d", op_case->name, k);
            check_tensor(&run, what, run.param[k], run.param_gradient[k], run.param_elements[k],
                         count);
        }
    }
    op_run_end(&run);
}

#endif
