// SPDX-License-Identifier: Apache-2.0
// An op's gradients against finite differences, in double.
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
#ifndef RESNET_TESTS_GRADIENTS_OP_CHECKS_H
#define RESNET_TESTS_GRADIENTS_OP_CHECKS_H

#include "gradients/op_case.h"

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
