// SPDX-License-Identifier: Apache-2.0
// What the memory-bound ops cost beside a plain copy: norm forward and backward, relu, add.
//
// For each op the bytes that it must read and write are moved at some rate; `copy` is the rate of a
// copy of one of the op's maps in the same run, and `ratio` the op's time over the time that its
// bytes would take at that rate (1 is as fast as copying). One thread; processor time, so that
// other load on the machine disturbs less; the best of several rounds, which alternate copy and op.
//
//     bench_maps [ROUNDS]
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/backend.h"
#include "base/arena.h"
#include "base/cpu.h"
#include "base/random.h"

typedef struct Case {
    const char *name;
    OpKind op;
    bool residual, backward;
    int maps; // maps read and written: passes over memory
} Case;

static const Case cases[] = {
    {"norm relu forward", OP_NORM, false, false, 3},
    {"norm residual relu forward", OP_NORM, true, false, 4},
    {"norm relu backward", OP_NORM, false, true, 5},
    {"norm residual relu backward", OP_NORM, true, true, 7},
    {"relu forward", OP_RELU, false, false, 2},
    {"add relu forward", OP_ADD, true, false, 3},
    {"add relu backward", OP_ADD, true, true, 4},
};

static const struct {
    int batch;
    Shape shape;
} shapes[] = {
    {128, {16, 32, 32}},  {128, {32, 16, 16}}, {128, {64, 8, 8}},
    {32, {64, 112, 112}}, {32, {256, 56, 56}}, {32, {2048, 7, 7}},
};

static double processor_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static float *floats(size_t count, float deviation, uint64_t major) {
    void *block = NULL;
    if (block_alloc(count * sizeof(float), "a benchmark", &block) != STATUS_OK) {
        fprintf(stderr, "%s\n", status_message());
        exit(1);
    }
    float *values = block;
    for (size_t i = 0; i < count; i++) {
        values[i] = deviation * (float)(random_uniform(1, RANDOM_TEST, major, i) - 0.5);
    }
    return values;
}

// In pieces, so that the C library does not write past the caches as it does for large copies.
static void copy(float *to, const float *from, size_t count) {
    enum { PIECE = 2048 };
    for (size_t i = 0; i < count; i += PIECE) {
        memcpy(to + i, from + i, (count - i < PIECE ? count - i : PIECE) * sizeof *to);
    }
}

static void measure(const Backend *backend, const Case *which, int batch, Shape shape, int rounds) {
    size_t channels = (size_t)shape.channels;
    size_t count = (size_t)batch * channels * (size_t)(shape.height * shape.width);
    Node node = {.op = which->op,
                 .input = {0, which->residual ? 0 : NODE_NONE, NODE_NONE, NODE_NONE},
                 .shape = shape,
                 .norm.epsilon = 1e-5F,
                 .relu = true};
    float *maps[5], *vectors[8];
    for (int i = 0; i < 5; i++) {
        maps[i] = floats(count, 2, (uint64_t)i);
    }
    for (int i = 0; i < 8; i++) {
        vectors[i] = floats(channels * 2, 0.1F, (uint64_t)i);
        for (size_t c = 0; c < channels && (i == 0 || i == 3); c++) {
            vectors[i][c] += 1;
        }
    }
    Graph graph = {.nodes = &node, .node_count = 1};
    size_t bytes = backend->workspace_size(&graph, &node, batch, PHASE_TRAINING, 1);
    float *workspace = floats(bytes / sizeof(float) + 1, 0, 0);
    Call call = {.node = &node,
                 .input_shape = {shape, shape},
                 .batch = batch,
                 .phase = PHASE_TRAINING,
                 .input = {maps[0], which->residual ? maps[1] : NULL},
                 .output = maps[2],
                 .saved = vectors[4],
                 .param = {vectors[0], vectors[1], vectors[2], vectors[3]},
                 .norm_momentum = 0.1F,
                 .output_gradient = maps[3],
                 .input_gradient = {maps[4], which->residual ? maps[3] : NULL},
                 .param_gradient = {vectors[5], vectors[6]},
                 .workspace = workspace};
    if (which->op == OP_ADD) { // as in a network: one gradient in place, the other written
        call.input_gradient[0] = maps[3];
        call.input_gradient[1] = maps[4];
    }
    backend->forward(&call);
    double best = INFINITY, best_copy = INFINITY;
    int repeats = count < 4000000 ? 10 : 1;
    for (int round = 0; round < rounds; round++) {
        double start = processor_seconds();
        for (int i = 0; i < repeats; i++) {
            copy(maps[4], maps[0], count);
        }
        double middle = processor_seconds();
        for (int i = 0; i < repeats; i++) {
            (which->backward ? backend->backward : backend->forward)(&call);
        }
        double end = processor_seconds();
        best_copy = fmin(best_copy, (middle - start) / repeats);
        best = fmin(best, (end - middle) / repeats);
    }
    double map_bytes = (double)count * sizeof(float);
    printf("%-28s %3dx%3dx%3dx%-4d %9.3f ms %6.1f GB/s  copy %6.1f GB/s  ratio %.2f\n", which->name,
           batch, shape.height, shape.width, shape.channels, best * 1e3,
           which->maps * map_bytes / best * 1e-9, 2 * map_bytes / best_copy * 1e-9,
           best / (which->maps / 2.0 * best_copy));
    for (int i = 0; i < 5; i++) {
        block_free(maps[i]);
    }
    for (int i = 0; i < 8; i++) {
        block_free(vectors[i]);
    }
    block_free(workspace);
}

int main(int argc, char **argv) {
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    const Backend *backend = NULL;
    if (rounds < 1 || backend_cpu(&backend) != STATUS_OK) {
        fprintf(stderr, "bench_maps: %s\n",
                rounds < 1 ? "ROUNDS must be 1 or more" : status_message());
        return 2;
    }
    printf("%s, %s\n", backend->name, cpu_name());
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            measure(backend, &cases[i], shapes[s].batch, shapes[s].shape, rounds);
        }
    }
    return 0;
}
