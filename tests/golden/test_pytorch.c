// SPDX-License-Identifier: Apache-2.0
// Logits, losses, all gradients, running statistics and ten SGD steps against PyTorch's, from the
// files that make_golden.py wrote; weights, images and labels are the same formula on both sides.
//
// Bounds, relative to the largest magnitude of each tensor:
//
//   double  1e-9. Two correct computations in double differ by their order of sums: 1e-16 at each
//           layer, amplified by up to 1e4 over the depth of these nets and ten steps.
//   float   8 times what PyTorch's own float32 differs from its float64 in this net (float_error.*,
//           the worst of several runs and of the steps so far). A sum's rounding error depends on
//           its order by such a factor: sequential, in blocks, or in a transformed domain.
//           A relu whose input is nearer to 0 than its rounding error may flip, which moves a
//           gradient by far more, and the steps after it too. That has happened, and nothing is
//           compared, where float_error is above 1e-4 in the first pass (the gradients of resnet50)
//           or above 1e-5 in the parameters after a step or the next one, before which that relu is
//           as near to 0 already: resnet20 A and B are compared for all ten steps, C for three,
//           plain20 for none.
//
// Digests hold dot products with vectors uniform in [-1, 1]: n errors add up to at most about
// sqrt(n) times one when they are independent, which is the scale used for them.
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
#include "train/optimizer.h"

enum { DOTS = 4, HEAD = 128, DIGEST = 1 + DOTS + HEAD };

static const float RATE = 0.1F, MOMENTUM = 0.9F, DECAY = 1e-4F;

typedef struct Golden {
    const char *name; // of the net and the backend, for messages
    Safetensors *file;
    uint64_t seed;
    int batch, size, classes, steps;
    Graph *graph;
    const Backend *backend;
    Parameters *parameters;
    Network *network;
    PassOptions pass;
} Golden;

static void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

static bool is_double(const Golden *golden) { return golden->backend->element_size == 8; }

static double get(const Golden *golden, const void *block, size_t i) {
    return is_double(golden) ? ((const double *)block)[i] : (double)((const float *)block)[i];
}

static void put(const Golden *golden, void *block, size_t i, double value) {
    if (is_double(golden)) {
        ((double *)block)[i] = value;
    } else {
        ((float *)block)[i] = (float)value;
    }
}

// The formula of make_golden.py's signed(): uniform in [-1, 1).
static double formula(uint64_t seed, const char *name, size_t i) {
    return 2 * random_uniform(seed, RANDOM_TEST, random_hash(name), i) - 1;
}

static const Tensor *find(const Golden *golden, const char *kind, const char *name) {
    char key[160];
    snprintf(key, sizeof key, "%s.%s", kind, name);
    const Tensor *tensor = safetensors_find(golden->file, *name == '\0' ? kind : key);
    if (tensor == NULL || tensor->dtype != DTYPE_F64) {
        fail_msg("%s: no tensor %s of doubles", golden->name, key);
    }
    return tensor;
}

static double element(const Tensor *tensor, size_t i) {
    double value = NAN;
    assert_true(i < tensor->elements);
    memcpy(&value, (const char *)tensor->data + i * sizeof value, sizeof value);
    return value;
}

// What PyTorch's float32 differs in at most, up to `step`.
static double float_error(const Golden *golden, const char *kind, size_t step) {
    const Tensor *errors = find(golden, "float_error", kind);
    double worst = 0;
    for (size_t i = 0; i <= step; i++) {
        worst = fmax(worst, element(errors, i));
    }
    return worst;
}

// The relative bound of a kind of the first pass; 0 where single precision says nothing.
static double bound(const Golden *golden, const char *kind) {
    if (is_double(golden)) {
        return 1e-9;
    }
    double error = float_error(golden, kind, 0);
    return error < 1e-4 ? 8 * error : 0;
}

// The same for the losses and the parameters of a step. The last step has no next one.
static double step_bound(const Golden *golden, const char *kind, size_t step) {
    if (is_double(golden)) {
        return 1e-9;
    }
    const size_t last = (size_t)golden->steps - 1, next = step < last ? step + 1 : last;
    bool flipped = float_error(golden, "steps", next) > 1e-5;
    return flipped ? 0 : 8 * float_error(golden, kind, step);
}

static void compare(const Golden *golden, const char *what, size_t i, double ours, double theirs,
                    double allowed) {
    if (!(fabs(ours - theirs) <= allowed)) {
        fail_msg("%s, %s, element %zu: %.12g, PyTorch %.12g, allowed difference %.3g", golden->name,
                 what, i, ours, theirs, allowed);
    }
}

// [largest magnitude, dots, first elements] of a parameter's values or gradient; its length.
static size_t digest(const Golden *golden, const Param *param, const void *block,
                     double out[DIGEST]) {
    memset(out, 0, DIGEST * sizeof *out);
    for (size_t i = 0; i < param->elements; i++) {
        double value = get(golden, block, i);
        out[0] = fmax(out[0], fabs(value));
        for (int j = 0; j < DOTS; j++) {
            out[1 + j] += value * formula(100 + (uint64_t)j, param->name, i);
        }
        if (i < HEAD) {
            out[1 + DOTS + i] = value;
        }
    }
    return 1 + DOTS + (param->elements < HEAD ? param->elements : HEAD);
}

// `length` numbers of a digest against those stored from `first` on.
static void compare_digest(const Golden *golden, const char *kind, const Param *param,
                           const void *block, size_t first, size_t length, double relative) {
    double ours[DIGEST];
    char what[160];
    snprintf(what, sizeof what, "%s.%s", kind, param->name);
    const Tensor *theirs = find(golden, kind, param->name);
    size_t whole = digest(golden, param, block, ours);
    if (length == 0) {
        length = whole;
        assert_int_equal(theirs->elements, whole);
    }
    double largest = element(theirs, first);
    double dot = largest * sqrt((double)param->elements);
    for (size_t i = 0; i < length; i++) {
        double scale = i >= 1 && i <= DOTS ? dot : largest;
        compare(golden, what, i, ours[i], element(theirs, first + i), relative * scale);
    }
}

static void fill_parameters(const Golden *golden) {
    for (ParamId p = 0; p < golden->graph->param_count; p++) {
        const Param *param = &golden->graph->params[p];
        void *values = parameters_values(golden->parameters, param);
        for (size_t i = 0; i < param->elements; i++) {
            double value = 0;
            if (param->role == PARAM_WEIGHT) {
                size_t fan_in = param->elements / (size_t)param->dims[0];
                value = formula(golden->seed, param->name, i) * sqrt(6 / (double)fan_in);
            } else if (param->role == PARAM_NORM_SCALE) {
                value = 1 + 0.2 * formula(golden->seed, param->name, i);
            } else if (!param_is_running(param->role)) {
                value = 0.2 * formula(golden->seed, param->name, i);
            } else if (param->role == PARAM_RUNNING_VARIANCE) {
                value = 1;
            }
            put(golden, values, i, (double)(float)value);
        }
    }
}

// PyTorch counts images as (sample, channel, row, column).
static void fill_samples(const Golden *golden) {
    size_t pixels = (size_t)golden->size * (size_t)golden->size;
    for (int n = 0; n < golden->batch; n++) {
        for (size_t i = 0; i < 3 * pixels; i++) {
            size_t channel = i % 3, pixel = i / 3;
            size_t theirs = ((size_t)n * 3 + channel) * pixels + pixel;
            double value = (double)(float)(2 * formula(golden->seed, "images", theirs));
            put(golden, network_input(golden->network), (size_t)n * 3 * pixels + i, value);
        }
        double u = random_uniform(golden->seed, RANDOM_TEST, random_hash("labels"), (uint64_t)n);
        network_labels(golden->network)[n] = (int32_t)floor(u * golden->classes);
    }
}

static int number(const Golden *golden, const char *key) {
    const char *text = safetensors_metadata(golden->file, key);
    assert_non_null(text);
    return (int)strtol(text, NULL, 10);
}

static void golden_open(Golden *golden, const char *net, const Backend *backend, bool fuse) {
    static char name[96];
    char path[96];
    snprintf(name, sizeof name, "%s, %s%s", net, backend->name, fuse ? "" : ", not fused");
    snprintf(path, sizeof path, "tests/golden/%s.safetensors", net);
    *golden = (Golden){.name = name, .backend = backend};
    require(safetensors_open(path, &golden->file));
    golden->seed = (uint64_t)number(golden, "seed");
    golden->batch = number(golden, "batch");
    golden->size = number(golden, "size");
    golden->classes = number(golden, "classes");
    golden->steps = number(golden, "steps");
    ModelOptions options = {
        .classes = golden->classes, .input = {3, golden->size, golden->size}, .loss = true};
    assert_true(shortcut_parse(safetensors_metadata(golden->file, "shortcut"), &options.shortcut));
    require(model_build(safetensors_metadata(golden->file, "model"), &options, &golden->graph));
    require(parameters_create(golden->graph, backend->element_size, true, &golden->parameters));
    const NetworkOptions network = {
        .backend = backend, .batch = golden->batch, .phase = PHASE_TRAINING, .fuse = fuse};
    require(network_create(golden->graph, golden->parameters, &network, &golden->network));
    golden->pass = (PassOptions){
        .count = golden->batch, .norm_momentum = 0.1F, .loss_scale = 1 / (float)golden->batch};
    fill_parameters(golden);
}

static void golden_close(Golden *golden) {
    network_destroy(golden->network);
    parameters_destroy(golden->parameters);
    graph_destroy(golden->graph);
    safetensors_close(golden->file);
}

static double run_pass(const Golden *golden) {
    fill_samples(golden);
    network_forward(golden->network, &golden->pass);
    double sum = 0;
    for (int n = 0; n < golden->batch; n++) {
        sum += network_loss(golden->network, n);
    }
    return sum / golden->batch;
}

// The first pass: all that PyTorch told of it. Forward is read before backward reuses its memory.
static void check_first_pass(const Golden *golden) {
    const Tensor *logits = find(golden, "logits", ""), *losses = find(golden, "losses", "");
    assert_int_equal(logits->elements, golden->batch * golden->classes);
    assert_int_equal(losses->elements, golden->batch);
    double largest_logit = 0, largest_loss = 0;
    for (size_t i = 0; i < logits->elements; i++) {
        largest_logit = fmax(largest_logit, fabs(element(logits, i)));
    }
    for (size_t i = 0; i < losses->elements; i++) {
        largest_loss = fmax(largest_loss, element(losses, i));
    }
    for (size_t i = 0; i < logits->elements; i++) {
        compare(golden, "logits", i, get(golden, network_output(golden->network), i),
                element(logits, i), bound(golden, "logits") * largest_logit);
    }
    for (size_t i = 0; i < losses->elements; i++) {
        compare(golden, "losses", i, network_loss(golden->network, (int)i), element(losses, i),
                bound(golden, "losses") * largest_loss);
    }
    network_backward(golden->network, &golden->pass);
    for (ParamId p = 0; p < golden->graph->param_count; p++) {
        const Param *param = &golden->graph->params[p];
        bool running = param_is_running(param->role);
        const char *kind = running ? "running" : "gradients";
        double relative = bound(golden, kind);
        const void *block = running ? parameters_values(golden->parameters, param)
                                    : parameters_gradient(golden->parameters, param);
        if (relative > 0) {
            compare_digest(golden, kind, param, block, 0, 0, relative);
        }
    }
}

// One SGD step in PyTorch's form. The optimizer of train/ is for float; in double it is one loop:
// v = momentum * v + (g + decay * w), w = w - rate * v.
static void update(const Golden *golden, Optimizer *optimizer) {
    Parameters *parameters = golden->parameters;
    if (!is_double(golden)) {
        optimizer_step(optimizer, parameters, (double)RATE, NULL);
        return;
    }
    double *values = parameters->values, *momentum = parameters->momentum;
    const double *gradients = parameters->gradients;
    for (size_t i = 0; i < golden->graph->trainable_elements; i++) {
        momentum[i] = (double)MOMENTUM * momentum[i] + (gradients[i] + (double)DECAY * values[i]);
        values[i] -= (double)RATE * momentum[i];
    }
}

static void check_steps(const Golden *golden) {
    const OptimizerOptions options = {.form = MOMENTUM_PYTORCH,
                                      .momentum = (double)MOMENTUM,
                                      .weight_decay = (double)DECAY,
                                      .decay_norm_bias = true,
                                      .shift_rate = 1};
    Optimizer *optimizer = NULL;
    require(optimizer_create(golden->graph, &options, &optimizer));
    for (size_t step = 0; step < (size_t)golden->steps; step++) {
        double loss = run_pass(golden);
        double relative = step_bound(golden, "step_losses", step);
        double theirs = element(find(golden, "step_losses", ""), step);
        if (relative > 0) {
            compare(golden, "step_losses", step, loss, theirs, relative * theirs);
        }
        network_backward(golden->network, &golden->pass);
        update(golden, optimizer);
        relative = step_bound(golden, "steps", step);
        for (ParamId p = 0; relative > 0 && p < golden->graph->param_count; p++) {
            const Param *param = &golden->graph->params[p];
            if (!param_is_running(param->role)) {
                compare_digest(golden, "steps", param, parameters_values(golden->parameters, param),
                               step * (1 + DOTS), 1 + DOTS, relative);
            }
        }
    }
    optimizer_destroy(optimizer);
}

static const char *const NETS[] = {"resnet20_A", "resnet20_B", "resnet20_C", "plain20", "resnet50"};
enum { NET_COUNT = sizeof NETS / sizeof *NETS };

static void check_net(const char *net, const Backend *backend, bool fuse, bool steps) {
    Golden golden;
    golden_open(&golden, net, backend, fuse);
    run_pass(&golden);
    check_first_pass(&golden);
    if (steps) {
        fill_parameters(&golden);
        check_steps(&golden);
    }
    golden_close(&golden);
}

static void test_reference_double(void **state) {
    (void)state;
    for (int i = 0; i < NET_COUNT; i++) {
        check_net(NETS[i], &backend_reference_double, true, true);
    }
}

static void test_reference_double_not_fused(void **state) {
    (void)state;
    for (int i = 0; i < NET_COUNT; i++) {
        check_net(NETS[i], &backend_reference_double, false, false);
    }
}

static void test_reference_float(void **state) {
    (void)state;
    for (int i = 0; i < NET_COUNT; i++) {
        check_net(NETS[i], &backend_reference, true, false);
    }
}

static void check_cpu(Isa isa) {
    if (!isa_supported(isa)) {
        skip();
    }
    const Backend *backend = NULL;
    setenv("RESNET_ISA", isa_name(isa), 1);
    require(backend_cpu(&backend));
    for (int i = 0; i < NET_COUNT; i++) {
        check_net(NETS[i], backend, true, true);
    }
}

static void test_cpu_portable(void **state) {
    (void)state;
    check_cpu(ISA_PORTABLE);
}

static void test_cpu_neon(void **state) {
    (void)state;
    check_cpu(ISA_NEON);
}

static void test_cpu_avx2(void **state) {
    (void)state;
    check_cpu(ISA_AVX2);
}

static void test_cpu_avx512(void **state) {
    (void)state;
    check_cpu(ISA_AVX512);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_double), cmocka_unit_test(test_reference_double_not_fused),
        cmocka_unit_test(test_reference_float),  cmocka_unit_test(test_cpu_portable),
        cmocka_unit_test(test_cpu_neon),         cmocka_unit_test(test_cpu_avx2),
        cmocka_unit_test(test_cpu_avx512),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
