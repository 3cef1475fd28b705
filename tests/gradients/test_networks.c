// SPDX-License-Identifier: Apache-2.0
// Whole networks in double against finite differences of their loss, plain and fused.
//
// Of every parameter tensor: the derivative along one random direction, which every element enters,
// and some elements alone. Central differences with step h must agree with the gradient within
// 1e-6 of its scale. A network has thousands of relu kinks, so a difference that disagrees is taken
// again with h/10, where most kinks lie outside; what still disagrees is excused only if its
// one-sided differences do not approach each other like those of a smooth function (ten times
// closer), and at most 2 % of the checks may be.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "models/models.h"
#include "network/network.h"

typedef struct Subject {
    const char *name;
    Parameters *parameters;
    Network *network;
    PassOptions pass;
    double loss;    // at the parameters as they are
    double largest; // gradient of the whole net
    long checked, skipped;
} Subject;

static void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

// Scales, shifts and biases leave their special values, so that nothing is tested at 1 or 0 alone.
static Parameters *make_parameters(const Graph *graph) {
    Parameters *parameters = NULL;
    require(parameters_create(graph, sizeof(double), true, &parameters));
    parameters_init(parameters, graph, 1);
    for (ParamId p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        double *values = parameters_values(parameters, param);
        bool moved = param->role != PARAM_WEIGHT && !param_is_running(param->role);
        for (size_t i = 0; moved && i < param->elements; i++) {
            values[i] += random_uniform(2, RANDOM_TEST, random_hash(param->name), i) - 0.5;
        }
    }
    return parameters;
}

static void subject_begin(Subject *subject, const char *name, const Graph *graph,
                          Parameters *parameters, int batch, int count, bool fuse) {
    const NetworkOptions options = {.backend = &backend_reference_double,
                                    .batch = batch,
                                    .phase = PHASE_TRAINING,
                                    .fuse = fuse};
    *subject = (Subject){.name = name, .parameters = parameters};
    subject->pass = (PassOptions){.count = count,
                                  .norm_momentum = 0.1F,
                                  .loss_scale = 1.0F / (float)count,
                                  .seed = 3,
                                  .iteration = 11};
    require(network_create(graph, parameters, &options, &subject->network));
}

// Puts the same samples in place: an input's memory may be planned for other values after forward.
static double loss(const Subject *subject) {
    const Graph *graph = network_graph(subject->network);
    size_t elements = shape_elements(graph_shape(graph, graph->input));
    uint32_t classes = (uint32_t)graph_shape(graph, graph->output).channels;
    double *input = network_input(subject->network);
    for (int n = 0; n < subject->pass.count; n++) {
        network_labels(subject->network)[n] =
            (int32_t)random_below(classes, 4, RANDOM_TEST, 1, (uint64_t)n);
        for (size_t i = 0; i < elements; i++) {
            size_t at = (size_t)n * elements + i;
            input[at] = 4 * random_uniform(4, RANDOM_TEST, 0, at) - 2;
        }
    }
    network_forward(subject->network, &subject->pass);
    double sum = 0;
    for (int n = 0; n < subject->pass.count; n++) {
        sum += network_loss(subject->network, n);
    }
    return sum * (double)subject->pass.loss_scale;
}

typedef struct Difference {
    double central; // (L(+h) - L(-h)) / 2h
    double gap;     // between the two one-sided differences
} Difference;

// The loss at values + step * direction, the values being `kept`.
static double loss_at(const Subject *subject, const Param *param, const double *kept,
                      const double *direction, double step) {
    double *values = parameters_values(subject->parameters, param);
    for (size_t i = 0; i < param->elements; i++) {
        values[i] = kept[i] + step * direction[i];
    }
    double result = loss(subject);
    memcpy(values, kept, param->elements * sizeof(double));
    return result;
}

static Difference difference(const Subject *subject, const Param *param, const double *direction,
                             double h) {
    size_t bytes = param->elements * sizeof(double);
    double *kept = malloc(bytes);
    assert_non_null(kept);
    memcpy(kept, parameters_values(subject->parameters, param), bytes);
    double above = loss_at(subject, param, kept, direction, h);
    double below = loss_at(subject, param, kept, direction, -h);
    free(kept);
    return (Difference){(above - below) / (2 * h), fabs(above - 2 * subject->loss + below) / h};
}

static void check_direction(Subject *subject, const Param *param, const double *direction,
                            double expected, double scale, double h) {
    subject->checked++;
    Difference first = difference(subject, param, direction, h);
    if (fabs(first.central - expected) <= 1e-6 * scale) {
        return;
    }
    Difference second = difference(subject, param, direction, h / 10);
    if (fabs(second.central - expected) <= 1e-6 * scale) {
        return;
    }
    if (second.gap < 0.5 * first.gap) {
        fail_msg("%s, %s: gradient %.12g, finite differences %.12g and %.12g, scale %g",
                 subject->name, param->name, expected, first.central, second.central, scale);
    }
    subject->skipped++;
}

// One direction through all elements, then `singles` elements alone.
static void check_param(Subject *subject, const Param *param, int singles) {
    const double *gradient = parameters_gradient(subject->parameters, param);
    size_t elements = param->elements;
    double *direction = malloc(elements * sizeof(double));
    assert_non_null(direction);
    double along = 0, squares = 0, largest = 0.01 * subject->largest;
    for (size_t i = 0; i < elements; i++) {
        direction[i] = 2 * random_uniform(5, RANDOM_TEST, random_hash(param->name), i) - 1;
        along += direction[i] * gradient[i];
        squares += gradient[i] * gradient[i];
        largest = fmax(largest, fabs(gradient[i]));
    }
    check_direction(subject, param, direction, along, fmax(sqrt(squares), largest), 1e-7);
    memset(direction, 0, elements * sizeof(double));
    for (int k = 0; k < singles; k++) {
        size_t i =
            random_below((uint32_t)elements, 6, RANDOM_TEST, random_hash(param->name), (uint64_t)k);
        direction[i] = 1;
        check_direction(subject, param, direction, gradient[i], largest, 1e-6);
        direction[i] = 0;
    }
    free(direction);
}

static void take_gradient(Subject *subject, const Graph *graph) {
    memset(subject->parameters->gradients, 0x7f, graph->trainable_elements * sizeof(double));
    subject->loss = loss(subject);
    network_backward(subject->network, &subject->pass);
    for (ParamId p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        const double *gradient = parameters_gradient(subject->parameters, param);
        for (size_t i = 0; gradient != NULL && i < param->elements; i++) {
            subject->largest = fmax(subject->largest, fabs(gradient[i]));
        }
    }
}

// `singles` elements of each tensor; where `share` > 1, of every share-th tensor only.
static void check_network(const char *name, const Graph *graph, int batch, int count, bool fuse,
                          int singles, int share) {
    Subject subject;
    Parameters *parameters = make_parameters(graph);
    subject_begin(&subject, name, graph, parameters, batch, count, fuse);
    take_gradient(&subject, graph);
    for (ParamId p = 0; p < graph->param_count; p++) {
        if (!param_is_running(graph->params[p].role)) {
            check_param(&subject, &graph->params[p], p % share == 0 ? singles : 0);
        }
    }
    assert_true(subject.checked > 10);
    if (subject.skipped * 50 >= subject.checked) {
        fail_msg("%s: %ld of %ld checks met a kink", name, subject.skipped, subject.checked);
    }
    network_destroy(subject.network);
    parameters_destroy(parameters);
}

// The fused form gives the same loss and the same gradient as the plain one, up to rounding.
static void check_fusion(const char *name, const Graph *graph, int batch) {
    Parameters *parameters = make_parameters(graph);
    Subject plain, fused;
    subject_begin(&plain, name, graph, parameters, batch, batch, false);
    subject_begin(&fused, name, graph, parameters, batch, batch, true);
    take_gradient(&plain, graph);
    size_t bytes = graph->trainable_elements * sizeof(double);
    double *kept = malloc(bytes);
    assert_non_null(kept);
    memcpy(kept, parameters->gradients, bytes);
    take_gradient(&fused, graph);
    assert_true(fabs(fused.loss - plain.loss) <= 1e-12 * plain.loss);
    assert_true(network_graph(fused.network)->node_count < graph->node_count);
    for (ParamId p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        const double *gradient = parameters_gradient(parameters, param);
        for (size_t i = 0; gradient != NULL && i < param->elements; i++) {
            if (fabs(gradient[i] - kept[param->offset + i]) > 1e-11 * plain.largest) {
                fail_msg("%s, %s, element %zu: fused %.15g, plain %.15g", name, param->name, i,
                         gradient[i], kept[param->offset + i]);
            }
        }
    }
    free(kept);
    network_destroy(plain.network);
    network_destroy(fused.network);
    parameters_destroy(parameters);
}

static Graph *build(const char *model, Shortcut shortcut, Shape input) {
    const ModelOptions options = {
        .shortcut = shortcut, .classes = 4, .input = input, .loss = true, .label_smoothing = 0.1F};
    Graph *graph = NULL;
    require(model_build(model, &options, &graph));
    return graph;
}

static void check_model(const char *model, Shortcut shortcut, Shape input, int batch, bool fuse,
                        int singles, int share) {
    Graph *graph = build(model, shortcut, input);
    check_network(model, graph, batch, batch, fuse, singles, share);
    check_fusion(model, graph, batch);
    graph_destroy(graph);
}

static const Shape SMALL = {3, 8, 8};

static void test_resnet20_pad(void **state) {
    (void)state;
    check_model("resnet20", SHORTCUT_PAD, SMALL, 3, true, 2, 1);
}

static void test_resnet20_projection(void **state) {
    (void)state;
    check_model("resnet20", SHORTCUT_PROJECTION, SMALL, 3, false, 2, 2);
}

static void test_resnet20_project_all(void **state) {
    (void)state;
    check_model("resnet20", SHORTCUT_PROJECT_ALL, SMALL, 3, true, 2, 2);
}

static void test_plain20(void **state) {
    (void)state;
    check_model("plain20", SHORTCUT_DEFAULT, SMALL, 3, true, 2, 2);
}

static void test_resnet18(void **state) {
    (void)state;
    check_model("resnet18", SHORTCUT_DEFAULT, (Shape){3, 32, 32}, 3, true, 1, 5);
}

static void test_seresnet18(void **state) {
    (void)state;
    check_model("seresnet18", SHORTCUT_DEFAULT, (Shape){3, 16, 16}, 3, true, 1, 16);
}

static void test_preresnet20(void **state) {
    (void)state;
    check_model("preresnet20", SHORTCUT_DEFAULT, SMALL, 3, true, 2, 2);
}

static void test_preresnet20_project_all(void **state) {
    (void)state;
    check_model("preresnet20", SHORTCUT_PROJECT_ALL, SMALL, 3, true, 1, 4);
}

// Every op that the residual nets leave out, with a value read three times (once by a node that
// adds it to itself) and two losses.
static Graph *every_other_op(void) {
    Graph *g = graph_create();
    assert_non_null(g);
    NodeId x = graph_input(g, (Shape){3, 9, 8});
    x = graph_relu(g, graph_conv(g, x,
                                 (ConvAttr){.out_channels = 8,
                                            .kernel_height = 3,
                                            .kernel_width = 5,
                                            .stride = 1,
                                            .pad = 2,
                                            .bias = true},
                                 "conv1"));
    x = graph_lrn(g, x, (LrnAttr){.size = 5, .alpha = 0.5F, .beta = 0.75F, .k = 1}, "lrn");
    x = graph_max_pool(g, x, (PoolAttr){.kernel = 3, .stride = 2, .pad = 1}, "pool1");
    NodeId branches[3];
    branches[0] = graph_relu(g, graph_norm(g,
                                           graph_conv(g, x,
                                                      (ConvAttr){.out_channels = 5,
                                                                 .kernel_height = 1,
                                                                 .kernel_width = 1,
                                                                 .stride = 1},
                                                      "one"),
                                           "one_norm"));
    branches[1] = graph_sigmoid(g, graph_conv(g, x,
                                              (ConvAttr){.out_channels = 6,
                                                         .kernel_height = 3,
                                                         .kernel_width = 3,
                                                         .stride = 1,
                                                         .pad = 1,
                                                         .groups = 2,
                                                         .bias = true},
                                              "three"));
    branches[2] = graph_avg_pool(g, graph_add(g, x, x, "twice"),
                                 (PoolAttr){.kernel = 3, .stride = 1, .pad = 1}, "pool2");
    x = graph_concat(g, branches, 3, "concat");
    NodeId aux = graph_avg_pool(
        g, x, (PoolAttr){.kernel = 2, .stride = 2, .ceil = true, .include_pad = true}, "pool3");
    aux = graph_linear(g, aux, 4, "aux_fc");
    graph_softmax_loss(g, aux, (LossAttr){.weight = 0.3F}, "aux_loss");
    NodeId factors = graph_relu(g, graph_linear(g, graph_global_pool(g, x), 6, "squeeze"));
    factors = graph_sigmoid(g, graph_linear(g, factors, graph_shape(g, x).channels, "excite"));
    NodeId shortcut =
        graph_pad_shortcut(g, x, (PadShortcutAttr){.out_channels = 24, .stride = 2}, "shortcut");
    x = graph_gate(g, x, factors, "gate");
    x = graph_norm(
        g,
        graph_conv(
            g, x,
            (ConvAttr){
                .out_channels = 24, .kernel_height = 3, .kernel_width = 3, .stride = 2, .pad = 1},
            "conv2"),
        "norm2");
    x = graph_relu(g, graph_add(g, x, shortcut, "add"));
    x = graph_dropout(g, x, 0.25F, "dropout");
    x = graph_linear(g, graph_global_pool(g, x), 4, "fc");
    graph_softmax_loss(g, x, (LossAttr){.weight = 1, .smoothing = 0.1F}, "loss");
    graph_set_output(g, x);
    require(graph_status(g));
    return g;
}

static void test_every_other_op(void **state) {
    (void)state;
    Graph *graph = every_other_op();
    check_network("every other op", graph, 4, 3, false, 8, 1);
    check_network("every other op, fused", graph, 3, 3, true, 8, 1);
    graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_other_op),
        cmocka_unit_test(test_resnet20_pad),
        cmocka_unit_test(test_resnet20_projection),
        cmocka_unit_test(test_resnet20_project_all),
        cmocka_unit_test(test_plain20),
        cmocka_unit_test(test_resnet18),
        cmocka_unit_test(test_seresnet18),
        cmocka_unit_test(test_preresnet20),
        cmocka_unit_test(test_preresnet20_project_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
