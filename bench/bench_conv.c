// SPDX-License-Identifier: Apache-2.0
// Convolution speed by shape, in GFLOP/s for each core and as a fraction of the core's measured
// peak. First a layer of a training step on the direct path: forward, backward to the input,
// backward to the weights, and both backward passes together. Then by path: 3x3 convolutions
// forward at inference, with folded norm, residual and ReLU, and in training. There the operations
// are those of the direct sum whatever the path, so that more than the peak can be shown; the star
// marks the path that is taken. At last the same for layers in bf16 and on bytes, as a fraction of
// the core's peak in products of these.
//
//     bench_conv [--isa NAME] [--threads N] [--repeats N] [--only TEXT]
//
// One thread: the thread's own CPU time, so that neighbours on the machine count less. More
// threads: wall time. The best of several repeats is shown.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/conv_int8_pack.h"
#include "backend/cpu/peak.h"
#include "base/arena.h"

typedef struct Case {
    const char *name;
    int batch, channels, size, out_channels, kernel, stride;
} Case;

static const Case cases[] = {
    {"cifar 3x3 3-16 @32", 128, 3, 32, 16, 3, 1},
    {"cifar 3x3 16-16 @32", 128, 16, 32, 16, 3, 1},
    {"cifar 3x3 16-32 /2 @32", 128, 16, 32, 32, 3, 2},
    {"cifar 3x3 32-32 @16", 128, 32, 16, 32, 3, 1},
    {"cifar 3x3 32-64 /2 @16", 128, 32, 16, 64, 3, 2},
    {"cifar 3x3 64-64 @8", 128, 64, 8, 64, 3, 1},
    {"imagenet 7x7 3-64 /2 @224", 8, 3, 224, 64, 7, 2},
    {"imagenet 3x3 64-64 @56", 8, 64, 56, 64, 3, 1},
    {"imagenet 3x3 64-128 /2 @56", 8, 64, 56, 128, 3, 2},
    {"imagenet 3x3 128-128 /2 @56", 8, 128, 56, 128, 3, 2},
    {"imagenet 3x3 128-128 @28", 8, 128, 28, 128, 3, 1},
    {"imagenet 3x3 256-256 /2 @28", 8, 256, 28, 256, 3, 2},
    {"imagenet 3x3 256-256 @14", 8, 256, 14, 256, 3, 1},
    {"imagenet 3x3 256-512 /2 @14", 8, 256, 14, 512, 3, 2},
    {"imagenet 3x3 512-512 /2 @14", 8, 512, 14, 512, 3, 2},
    {"imagenet 3x3 512-512 @7", 8, 512, 7, 512, 3, 1},
    {"imagenet 1x1 64-64 @56", 8, 64, 56, 64, 1, 1},
    {"imagenet 1x1 64-256 @56", 8, 64, 56, 256, 1, 1},
    {"imagenet 1x1 256-64 @56", 8, 256, 56, 64, 1, 1},
    {"imagenet 1x1 256-128 @56", 8, 256, 56, 128, 1, 1},
    {"imagenet 1x1 128-512 @28", 8, 128, 28, 512, 1, 1},
    {"imagenet 1x1 512-128 @28", 8, 512, 28, 128, 1, 1},
    {"imagenet 1x1 512-256 @28", 8, 512, 28, 256, 1, 1},
    {"imagenet 1x1 256-1024 @14", 8, 256, 14, 1024, 1, 1},
    {"imagenet 1x1 1024-256 @14", 8, 1024, 14, 256, 1, 1},
    {"imagenet 1x1 1024-512 @14", 8, 1024, 14, 512, 1, 1},
    {"imagenet 1x1 512-2048 @7", 8, 512, 7, 2048, 1, 1},
    {"imagenet 1x1 2048-512 @7", 8, 2048, 7, 512, 1, 1},
    {"imagenet 1x1 64-128 /2 @56", 8, 64, 56, 128, 1, 2},
    {"imagenet 1x1 256-512 /2 @56", 8, 256, 56, 512, 1, 2},
    {"imagenet 1x1 512-1024 /2 @28", 8, 512, 28, 1024, 1, 2},
    {"imagenet 1x1 1024-2048 /2 @14", 8, 1024, 14, 2048, 1, 2},
};

// 3x3 at inference, and in training.
static const Case path_cases[] = {
    {"64-64 @56, batch 1", 1, 64, 56, 64, 3, 1},
    {"64-64 @56, batch 8", 8, 64, 56, 64, 3, 1},
    {"128-128 @28, batch 1", 1, 128, 28, 128, 3, 1},
    {"128-128 @28, batch 8", 8, 128, 28, 128, 3, 1},
    {"256-256 @14, batch 1", 1, 256, 14, 256, 3, 1},
    {"256-256 @14, batch 8", 8, 256, 14, 256, 3, 1},
    {"512-512 @7, batch 1", 1, 512, 7, 512, 3, 1},
    {"512-512 @7, batch 8", 8, 512, 7, 512, 3, 1},
    {"64-64 @224, batch 1", 1, 64, 224, 64, 3, 1},
    {"512-512 @14, batch 1", 1, 512, 14, 512, 3, 1},
    {"16-16 @32, batch 128", 128, 16, 32, 16, 3, 1},
    {"32-32 @16, batch 128", 128, 32, 16, 32, 3, 1},
    {"64-64 @8, batch 128", 128, 64, 8, 64, 3, 1},
};

// In bf16 and on bytes, all with a residual.
static const Case byte_cases[] = {
    {"7x7 3-64 /2 @224, batch 1", 1, 3, 224, 64, 7, 2},
    {"3x3 64-64 @56, batch 1", 1, 64, 56, 64, 3, 1},
    {"3x3 64-64 @56, batch 8", 8, 64, 56, 64, 3, 1},
    {"3x3 64-128 /2 @56, batch 1", 1, 64, 56, 128, 3, 2},
    {"3x3 128-128 @28, batch 1", 1, 128, 28, 128, 3, 1},
    {"3x3 128-128 @28, batch 8", 8, 128, 28, 128, 3, 1},
    {"3x3 256-256 @14, batch 1", 1, 256, 14, 256, 3, 1},
    {"3x3 256-256 @14, batch 8", 8, 256, 14, 256, 3, 1},
    {"3x3 512-512 @7, batch 1", 1, 512, 7, 512, 3, 1},
    {"3x3 512-512 @7, batch 8", 8, 512, 7, 512, 3, 1},
    {"3x3 32-32 @16, batch 128", 128, 32, 16, 32, 3, 1},
    {"1x1 64-64 @56, batch 1", 1, 64, 56, 64, 1, 1},
    {"1x1 64-256 @56, batch 1", 1, 64, 56, 256, 1, 1},
    {"1x1 256-64 @56, batch 1", 1, 256, 56, 64, 1, 1},
    {"1x1 128-512 @28, batch 1", 1, 128, 28, 512, 1, 1},
    {"1x1 512-128 @28, batch 1", 1, 512, 28, 128, 1, 1},
    {"1x1 256-1024 @14, batch 1", 1, 256, 14, 1024, 1, 1},
    {"1x1 1024-256 @14, batch 1", 1, 1024, 14, 256, 1, 1},
    {"1x1 512-2048 @7, batch 1", 1, 512, 7, 2048, 1, 1},
    {"1x1 256-512 /2 @56, batch 1", 1, 256, 56, 512, 1, 2},
};

static int repeats = 5;

static double now(const Threads *threads) {
    struct timespec time;
    clock_gettime(threads_count(threads) > 1 ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static float *numbers(size_t count) {
    void *block = NULL;
    if (block_alloc(count * sizeof(float), "a benchmark", &block) != STATUS_OK) {
        fprintf(stderr, "%s\n", status_message());
        exit(1);
    }
    float *values = block;
    for (size_t i = 0; i < count; i++) {
        values[i] = (float)((int)(i * 2654435761u >> 20) % 255 - 127) / 128.0f;
    }
    return values;
}

typedef enum Pass { FORWARD, TO_INPUT, TO_WEIGHTS, BACKWARD, PASSES } Pass;

// A convolution on a path, with all that its passes read and write.
typedef struct Layer {
    Node nodes[2], residual;
    ConvGeometry geometry;
    const ConvPath *path;
    Call call;
    double operations; // of one pass
} Layer;

static void layer_create(Layer *layer, const Case *c, const ConvPath *path, Phase phase, bool bytes,
                         Threads *threads) {
    const bool fused = phase == PHASE_INFERENCE;
    const int pad = c->kernel / 2, size = (c->size + 2 * pad - c->kernel) / c->stride + 1;
    *layer = (Layer){.nodes = {{.op = OP_INPUT, .shape = {c->channels, c->size, c->size}},
                               {.op = OP_CONV,
                                .shape = {c->out_channels, size, size},
                                .relu = fused,
                                .folded_norm = fused,
                                .conv = {.out_channels = c->out_channels,
                                         .kernel_height = c->kernel,
                                         .kernel_width = c->kernel,
                                         .stride = c->stride,
                                         .pad = pad}}},
                     .path = path};
    for (int i = 0; i < 2 && bytes; i++) { // any four bytes of a number will do
        layer->nodes[i].bytes = true;
        layer->nodes[i].scale = i == 0 ? 0.02f : 0.1f;
    }
    layer->residual = layer->nodes[1];
    layer->geometry = conv_geometry(&layer->nodes[1], layer->nodes[0].shape, c->batch);
    layer->geometry.bytes = bytes;
    const ConvGeometry *g = &layer->geometry;
    const size_t in = (size_t)c->batch * shape_elements(layer->nodes[0].shape);
    const size_t out = (size_t)c->batch * shape_elements(layer->nodes[1].shape);
    const size_t channels = (size_t)c->out_channels;
    const size_t weights = (size_t)c->channels * channels * (size_t)(c->kernel * c->kernel);
    layer->operations = 2.0 * (double)out * (double)c->channels * (double)(c->kernel * c->kernel);
    Call *call = &layer->call;
    *call = (Call){.node = &layer->nodes[1],
                   .input_node = {&layer->nodes[0], fused ? &layer->residual : NULL},
                   .input_shape = {layer->nodes[0].shape},
                   .batch = c->batch,
                   .planned = c->batch,
                   .phase = phase,
                   .input = {numbers(in), fused ? numbers(out) : NULL},
                   .output = numbers(out),
                   .param = {numbers(weights)},
                   .prepared = numbers(path->prepared_size(g, phase) / sizeof(float)),
                   .output_gradient = numbers(out),
                   .input_gradient = {numbers(in)},
                   .param_gradient = {numbers(weights)},
                   .workspace = numbers(path->workspace_size(g, phase, threads_count(threads)) /
                                        sizeof(float)),
                   .threads = threads};
    for (int i = 2; fused && i < NODE_PARAMS; i++) {
        float *values = numbers(channels);
        for (size_t n = 0; n < channels; n++) {
            values[n] = 1.0f;
        }
        call->param[i] = values;
    }
}

static void layer_destroy(Layer *layer) {
    Call *call = &layer->call;
    block_free((void *)call->input[0]);
    block_free((void *)call->input[1]);
    block_free(call->output);
    for (int i = 0; i < NODE_PARAMS; i++) {
        block_free(call->param[i]);
    }
    block_free(call->prepared);
    block_free((void *)call->output_gradient);
    block_free(call->input_gradient[0]);
    block_free(call->param_gradient[0]);
    block_free(call->workspace);
}

static void run_pass(Pass pass, const Layer *layer, const Kernels *kernels) {
    Call call = layer->call;
    if (pass == FORWARD) {
        layer->path->forward(&layer->geometry, &call, kernels);
        return;
    }
    if (pass == TO_INPUT) {
        call.param_gradient[0] = NULL;
    } else if (pass == TO_WEIGHTS) {
        call.input_gradient[0] = NULL;
    }
    layer->path->backward(&layer->geometry, &call, kernels);
}

// Seconds of one run: the best of some repeats, each long enough for the clock.
static double measure(Pass pass, const Layer *layer, const Kernels *kernels) {
    int turns = 1;
    double best = 1e30;
    const Threads *threads = layer->call.threads;
    run_pass(pass, layer, kernels);
    for (int repeat = 0; repeat < repeats;) {
        const double begin = now(threads);
        for (int turn = 0; turn < turns; turn++) {
            run_pass(pass, layer, kernels);
        }
        const double seconds = now(threads) - begin;
        if (seconds < 0.02) {
            turns *= 2;
            continue;
        }
        best = seconds / turns < best ? seconds / turns : best;
        repeat++;
    }
    return best;
}

static void print_rate(Pass pass, const Layer *layer, const Kernels *kernels, double peak,
                       const char *mark) {
    const double work = pass == BACKWARD ? 2 * layer->operations : layer->operations;
    const double rate = work / measure(pass, layer, kernels) / threads_count(layer->call.threads);
    printf("  %7.1f %4.0f%%%s", rate * 1e-9, 100 * rate / peak, mark);
    fflush(stdout);
}

static void run_case(const Case *c, const Kernels *kernels, Threads *threads, double peak) {
    Layer layer;
    layer_create(&layer, c, &conv_direct, PHASE_TRAINING, false, threads);
    conv_direct.prepare(&layer.geometry, &layer.call, kernels);
    printf("%-30s %8.1f", c->name, layer.operations * 1e-6);
    for (Pass pass = 0; pass < PASSES; pass++) {
        print_rate(pass, &layer, kernels, peak, "");
    }
    printf("\n");
    layer_destroy(&layer);
}

static void run_paths(const Case *c, const Kernels *kernels, Threads *threads, double peak) {
    static const ConvPath *const paths[] = {&conv_direct, &conv_winograd};
    printf("%-30s", c->name);
    static const Pass passes[] = {FORWARD, FORWARD, TO_INPUT, TO_WEIGHTS};
    for (int column = 0; column < 4; column++) { // inference, then training
        const Phase phase = column == 0 ? PHASE_INFERENCE : PHASE_TRAINING;
        for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
            Layer layer;
            layer_create(&layer, c, paths[i], phase, false, threads);
            paths[i]->prepare(&layer.geometry, &layer.call, kernels);
            print_rate(passes[column], &layer, kernels, peak,
                       conv_path(&layer.geometry, phase) == paths[i] ? "*" : " ");
            layer_destroy(&layer);
        }
    }
    printf("\n");
}

static void run_bytes(const Case *c, const Kernels *kernels, Threads *threads, double peak) {
    static const ConvPath *const paths[] = {&conv_int8, &conv_int8_winograd};
    printf("%-30s", c->name);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (paths[i] == &conv_int8_winograd && (c->kernel != 3 || c->stride != 1)) {
            continue;
        }
        Layer layer;
        layer_create(&layer, c, paths[i], PHASE_INFERENCE, true, threads);
        paths[i]->prepare(&layer.geometry, &layer.call, kernels);
        print_rate(FORWARD, &layer, kernels, peak,
                   conv_path(&layer.geometry, PHASE_INFERENCE) == paths[i] ? "*" : " ");
        layer_destroy(&layer);
    }
    printf("\n");
}

static void run_bf16(const Case *c, const Kernels *kernels, Threads *threads, double peak) {
    if (c->channels < 16) {
        return;
    }
    printf("%-30s", c->name);
    Layer layer;
    layer_create(&layer, c, &conv_bf16, PHASE_INFERENCE, false, threads);
    layer.geometry.bf16 = true;
    conv_bf16.prepare(&layer.geometry, &layer.call, kernels);
    print_rate(FORWARD, &layer, kernels, peak, "\n");
    layer_destroy(&layer);
}

static const Kernels *choose(const char *name) {
    const Kernels *all[] = {
#if defined(__x86_64__)
        &kernels_avx512bf16,
        &kernels_avx512vnni,
        &kernels_avx512,
        &kernels_avx2,
#elif defined(__aarch64__)
        &kernels_neon,
#endif
        &kernels_portable
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (isa_supported(all[i]->isa) &&
            (name == NULL || strcmp(name, isa_name(all[i]->isa)) == 0)) {
            return all[i];
        }
    }
    fprintf(stderr, "no instruction set \"%s\" here\n", name);
    exit(2);
}

int main(int argc, char **argv) {
    const char *isa = NULL, *only = "";
    int thread_count = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--isa") == 0) {
            isa = argv[i + 1];
        } else if (strcmp(argv[i], "--threads") == 0) {
            thread_count = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--repeats") == 0) {
            repeats = atoi(argv[i + 1]);
        } else if (strcmp(argv[i], "--only") == 0) {
            only = argv[i + 1];
        } else {
            fprintf(stderr, "unknown option %s\n", argv[i]);
            return 2;
        }
    }
    const Kernels *kernels = choose(isa);
    Threads *threads = NULL;
    if (threads_create(thread_count, &threads) != STATUS_OK) {
        fprintf(stderr, "%s\n", status_message());
        return 2;
    }
    const double peak = peak_measure(kernels, ARITHMETIC_FLOAT, NULL);
    const double bf16_peak = peak_measure(kernels, ARITHMETIC_BF16, NULL);
    const double byte_peak = peak_measure(kernels, ARITHMETIC_BYTES, NULL);
    printf("%s, %s, %d thread(s), peak of a core %.1f GFLOP/s\n", cpu_name(),
           isa_name(kernels->isa), thread_count, peak * 1e-9);
    printf("%-30s %8s  %13s  %13s  %13s  %13s\n", "GFLOP/s for each core, of peak", "MFLOP",
           "forward", "to input", "to weights", "backward");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (strstr(cases[i].name, only) != NULL) {
            run_case(&cases[i], kernels, threads, peak);
        }
    }
    printf("\n%-30s  %28s  %28s  %28s  %28s\n%-30s", "3x3 by path", "inference",
           "training, forward", "training, to input", "training, to weights", "");
    for (int column = 0; column < 4; column++) {
        printf("  %13s  %13s", "direct ", "winograd ");
    }
    printf("\n");
    for (size_t i = 0; i < sizeof path_cases / sizeof path_cases[0]; i++) {
        if (strstr(path_cases[i].name, only) != NULL) {
            run_paths(&path_cases[i], kernels, threads, peak);
        }
    }
    printf("\nlayers in bf16, peak of a core %.1f GFLOP/s\n", bf16_peak * 1e-9);
    for (size_t i = 0; i < sizeof byte_cases / sizeof byte_cases[0]; i++) {
        if (strstr(byte_cases[i].name, only) != NULL) {
            run_bf16(&byte_cases[i], kernels, threads, bf16_peak);
        }
    }
    printf("\nlayers on bytes, peak of a core %.1f GOP/s\n%-30s  %13s  %13s\n", byte_peak * 1e-9,
           "", "direct ", "winograd ");
    for (size_t i = 0; i < sizeof byte_cases / sizeof byte_cases[0]; i++) {
        if (strstr(byte_cases[i].name, only) != NULL) {
            run_bytes(&byte_cases[i], kernels, threads, byte_peak);
        }
    }
    threads_destroy(threads);
    return 0;
}
