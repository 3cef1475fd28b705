// SPDX-License-Identifier: Apache-2.0
// One op by itself on the double reference backend: a node made by hand, a Call, and memory filled
// by formula, so that PyTorch can be given the same (tests/golden/make_ops.py).
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

#endif
