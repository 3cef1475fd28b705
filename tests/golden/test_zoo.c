// SPDX-License-Identifier: Apache-2.0
// Every family of nets against torchvision's and timm's, from the file that make_zoo.py wrote;
// weights, running statistics, images and labels are the same formula on both sides.
//
// Evaluation: logits of the reference backend in double within 1e-10 of the largest, of the cpu
// backend within 1e-4. Training with batch statistics and no dropout, in double: losses of all
// heads together, and each parameter's gradient by its largest magnitude and a dot product with a
// vector uniform in [-1, 1], within 1e-9 of the whole net's largest (a bias ahead of a norm has
// gradient 0, so its own scale would not do).
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/random.h"
#include "formats/safetensors.h"
#include "models/models.h"
#include "network/network.h"

enum { BATCH = 2, CLASSES = 10, MOST_PARAMS = 1024 };

static const uint64_t SEED = 1;

typedef enum Cost {
    CHEAP,   // every backend
    TRAINED, // the same, and a training pass
    DEAR     // the fastest backend alone
} Cost;

typedef struct Net {
    const char *name, *model;
    int size;
    Cost cost;
    Shortcut shortcut;
    StrideIn stride_in;
} Net;

static const Net NETS[] = {
    {"resnet18", "resnet18", 64, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"resnet34", "resnet34", 32, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"resnet50", "resnet50", 64, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"resnet50_v1", "resnet50", 64, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_1X1},
    {"resnet101", "resnet101", 32, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"resnet152", "resnet152", 32, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"resnet18_A", "resnet18", 64, CHEAP, SHORTCUT_PAD, STRIDE_IN_DEFAULT},
    {"resnet18_C", "resnet18", 64, CHEAP, SHORTCUT_PROJECT_ALL, STRIDE_IN_DEFAULT},
    {"resnet50_A", "resnet50", 64, CHEAP, SHORTCUT_PAD, STRIDE_IN_DEFAULT},
    {"resnet50_C", "resnet50", 64, CHEAP, SHORTCUT_PROJECT_ALL, STRIDE_IN_DEFAULT},
    {"resnext50_32x4d", "resnext50_32x4d", 64, TRAINED, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"wide_resnet50_2", "wide_resnet50_2", 64, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"seresnet18", "seresnet18", 64, TRAINED, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"seresnet34", "seresnet34", 32, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"seresnet50", "seresnet50", 64, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"seresnet101", "seresnet101", 32, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"seresnet152", "seresnet152", 32, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"preresnet20", "preresnet20", 32, TRAINED, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"preresnet110", "preresnet110", 16, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"preresnet164", "preresnet164", 16, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"preresnet18", "preresnet18", 64, TRAINED, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"preresnet50", "preresnet50", 64, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"googlenet", "googlenet", 100, TRAINED, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"googlenet_paper", "googlenet_paper", 90, TRAINED, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"alexnet", "alexnet", 100, CHEAP, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"alexnet_whole", "alexnet", 224, DEAR, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"vgg11", "vgg11", 224, DEAR, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
    {"vgg16_bn", "vgg16_bn", 75, DEAR, SHORTCUT_DEFAULT, STRIDE_IN_DEFAULT},
};
enum { NET_COUNT = sizeof NETS / sizeof *NETS };

typedef struct Subject {
    const Net *net;
    const Backend *backend;
    const Safetensors *golden;
    Graph *graph;
    Parameters *parameters;
    Network *network;
    PassOptions pass;
} Subject;

static void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

static double get(const Subject *subject, const void *block, size_t i) {
    return subject->backend->element_size == sizeof(double) ? ((const double *)block)[i]
                                                            : (double)((const float *)block)[i];
}

static void put(const Subject *subject, void *block, size_t i, double value) {
    if (subject->backend->element_size == sizeof(double)) {
        ((double *)block)[i] = (double)(float)value;
    } else {
        ((float *)block)[i] = (float)value;
    }
}

// signed() of make_golden.py, uniform in [-1, 1).
static double formula(uint64_t seed, uint64_t name, size_t i) {
    return 2 * random_uniform(seed, RANDOM_TEST, name, i) - 1;
}

static double param_value(const Param *param, double u) {
    switch (param->role) {
    case PARAM_WEIGHT:
        return u * sqrt(6 / (double)(param->elements / (size_t)param->dims[0]));
    case PARAM_NORM_SCALE:
        return 1 + 0.2 * u;
    case PARAM_RUNNING_VARIANCE:
        return 2 + u;
    default:
        return 0.2 * u;
    }
}

static void fill(const Subject *subject) {
    for (ParamId p = 0; p < subject->graph->param_count; p++) {
        const Param *param = &subject->graph->params[p];
        void *values = parameters_values(subject->parameters, param);
        uint64_t name = random_hash(param->name);
        for (size_t i = 0; i < param->elements; i++) {
            put(subject, values, i, param_value(param, formula(SEED, name, i)));
        }
    }
    // PyTorch counts images as (sample, channel, row, column).
    size_t pixels = (size_t)subject->net->size * (size_t)subject->net->size;
    uint64_t images = random_hash("images"), labels = random_hash("labels");
    for (size_t i = 0; i < BATCH * 3 * pixels; i++) {
        size_t sample = i / (3 * pixels), channel = i % 3, pixel = i / 3 % pixels;
        size_t theirs = (sample * 3 + channel) * pixels + pixel;
        put(subject, network_input(subject->network), i, 2 * formula(SEED, images, theirs));
    }
    for (uint64_t n = 0; n < BATCH; n++) {
        double u = random_uniform(SEED, RANDOM_TEST, labels, n);
        network_labels(subject->network)[n] = (int32_t)floor(u * CLASSES);
    }
}

static void subject_open(Subject *subject, const Net *net, const Backend *backend,
                         const Safetensors *golden, bool training) {
    *subject = (Subject){.net = net, .backend = backend, .golden = golden};
    const ModelOptions options = {.shortcut = net->shortcut,
                                  .stride_in = net->stride_in,
                                  .classes = CLASSES,
                                  .input = {3, net->size, net->size},
                                  .loss = training};
    require(model_build(net->model, &options, &subject->graph));
    for (NodeId i = 0; i < subject->graph->node_count; i++) {
        if (subject->graph->nodes[i].op == OP_DROPOUT) {
            subject->graph->nodes[i].dropout.rate = 0;
        }
    }
    require(
        parameters_create(subject->graph, backend->element_size, training, &subject->parameters));
    const NetworkOptions network = {.backend = backend,
                                    .batch = BATCH,
                                    .phase = training ? PHASE_TRAINING : PHASE_INFERENCE,
                                    .fuse = true};
    require(network_create(subject->graph, subject->parameters, &network, &subject->network));
    subject->pass =
        (PassOptions){.count = BATCH, .norm_momentum = 0.1F, .loss_scale = 1 / (float)BATCH};
    fill(subject);
}

static void subject_close(Subject *subject) {
    network_destroy(subject->network);
    parameters_destroy(subject->parameters);
    graph_destroy(subject->graph);
}

// The tensor NET.KIND of doubles.
static const double *find(const Subject *subject, const char *kind, size_t elements) {
    char key[64];
    snprintf(key, sizeof key, "%s.%s", subject->net->name, kind);
    const Tensor *tensor = safetensors_find(subject->golden, key);
    if (tensor == NULL || tensor->dtype != DTYPE_F64 || tensor->elements != elements) {
        fail_msg("no tensor %s of %zu doubles", key, elements);
        return NULL;
    }
    return tensor->data;
}

static void compare(const Subject *subject, const char *what, double ours, double theirs,
                    double allowed) {
    if (!(fabs(ours - theirs) <= allowed)) {
        fail_msg("%s, %s, %s: %.12g, PyTorch %.12g, allowed difference %.3g", subject->net->name,
                 subject->backend->name, what, ours, theirs, allowed);
    }
}

static void check_logits(const Net *net, const Backend *backend, const Safetensors *golden) {
    Subject subject;
    subject_open(&subject, net, backend, golden, false);
    network_forward(subject.network, &subject.pass);
    const double *theirs = find(&subject, "logits", BATCH * CLASSES);
    double largest = 0;
    for (size_t i = 0; i < BATCH * CLASSES; i++) {
        largest = fmax(largest, fabs(theirs[i]));
    }
    double relative = backend->element_size == sizeof(double) ? 1e-10 : 1e-4;
    for (size_t i = 0; i < BATCH * CLASSES; i++) {
        double ours = get(&subject, network_output(subject.network), i);
        compare(&subject, "logits", ours, theirs[i], relative * largest);
    }
    subject_close(&subject);
}

static int compare_names(const void *left, const void *right) {
    const Param *const *a = left, *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

// The trainable parameters in order of name; their number.
static size_t sorted_params(const Graph *graph, const Param *out[MOST_PARAMS]) {
    size_t count = 0;
    for (ParamId p = 0; p < graph->param_count; p++) {
        if (!param_is_running(graph->params[p].role)) {
            assert_true(count < MOST_PARAMS);
            out[count++] = &graph->params[p];
        }
    }
    qsort(out, count, sizeof *out, compare_names);
    return count;
}

static void check_gradients(const Subject *subject) {
    const Param *params[MOST_PARAMS];
    size_t count = sorted_params(subject->graph, params);
    const double *theirs = find(subject, "gradients", 2 * count);
    double scale = 0;
    for (size_t p = 0; p < count; p++) {
        scale = fmax(scale, theirs[2 * p]);
    }
    for (size_t p = 0; p < count; p++) {
        const void *gradient = parameters_gradient(subject->parameters, params[p]);
        uint64_t name = random_hash(params[p]->name);
        double largest = 0, dot = 0;
        for (size_t i = 0; i < params[p]->elements; i++) {
            double value = get(subject, gradient, i);
            largest = fmax(largest, fabs(value));
            dot += value * formula(100, name, i);
        }
        double allowed = 1e-9 * scale;
        compare(subject, params[p]->name, largest, theirs[2 * p], allowed);
        allowed *= sqrt((double)params[p]->elements);
        compare(subject, params[p]->name, dot, theirs[2 * p + 1], allowed);
    }
}

static void check_training(const Net *net, const Safetensors *golden) {
    Subject subject;
    subject_open(&subject, net, &backend_reference_double, golden, true);
    network_forward(subject.network, &subject.pass);
    const double *losses = find(&subject, "losses", BATCH);
    for (int n = 0; n < BATCH; n++) {
        compare(&subject, "loss", network_loss(subject.network, n), losses[n], 1e-9 * losses[n]);
    }
    network_backward(subject.network, &subject.pass);
    check_gradients(&subject);
    subject_close(&subject);
}

static int setup(void **state) {
    Safetensors *golden = NULL;
    Status status = safetensors_open("tests/golden/zoo.safetensors", &golden);
    *state = golden;
    return status == STATUS_OK ? 0 : -1;
}

static int teardown(void **state) {
    safetensors_close(*state);
    return 0;
}

static void logits_in_double(void **state) {
    for (int i = 0; i < NET_COUNT; i++) {
        if (NETS[i].cost != DEAR) {
            check_logits(&NETS[i], &backend_reference_double, *state);
        }
    }
}

static void logits_on_this_cpu(void **state) {
    const Backend *backend = NULL;
    unsetenv("RESNET_ISA");
    require(backend_cpu(&backend));
    for (int i = 0; i < NET_COUNT; i++) {
        check_logits(&NETS[i], backend, *state);
    }
}

static void logits_on_any_cpu(void **state) {
    const Backend *backend = NULL;
    setenv("RESNET_ISA", isa_name(ISA_PORTABLE), 1);
    require(backend_cpu(&backend));
    for (int i = 0; i < NET_COUNT; i++) {
        if (NETS[i].cost != DEAR) {
            check_logits(&NETS[i], backend, *state);
        }
    }
}

static void training_in_double(void **state) {
    for (int i = 0; i < NET_COUNT; i++) {
        if (NETS[i].cost == TRAINED) {
            check_training(&NETS[i], *state);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_in_double),
        cmocka_unit_test(logits_on_this_cpu),
        cmocka_unit_test(logits_on_any_cpu),
        cmocka_unit_test(training_in_double),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
