// SPDX-License-Identifier: Apache-2.0
// Nothing is allocated inside a step. The linker hands the library's calls of malloc and its like
// to the functions below (--wrap in tests/CMakeLists.txt), which count them on all threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>

#include <cmocka.h>

#include "models/models.h"
#include "network/network.h"

static atomic_int calls;

#define COUNTED(type, name, parameters, arguments)                                                 \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters {                                                                \
        atomic_fetch_add(&calls, 1);                                                               \
        return __real_##name arguments;                                                            \
    }

COUNTED(void *, malloc, (size_t size), (size))
COUNTED(void *, calloc, (size_t count, size_t size), (count, size))
COUNTED(void *, realloc, (void *old, size_t size), (old, size))
COUNTED(void *, reallocarray, (void *old, size_t count, size_t size), (old, count, size))
COUNTED(int, posix_memalign, (void **out, size_t alignment, size_t size), (out, alignment, size))
COUNTED(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
COUNTED(char *, strdup, (const char *text), (text))
COUNTED(void *, mmap,
        (void *at, size_t size, int protection, int flags, int descriptor, off_t offset),
        (at, size, protection, flags, descriptor, offset))

// A count that stays at zero whatever happens would prove nothing.
static void test_count(void **state) {
    (void)state;
    void *volatile block;
    atomic_store(&calls, 0);
    block = malloc(100);
    assert_int_equal(atomic_load(&calls), 1);
    block = realloc(block, 200);
    block = reallocarray(block, 300, 2);
    assert_int_equal(atomic_load(&calls), 3);
    free(block);
    block = calloc(10, 10);
    free(block);
    block = aligned_alloc(64, 128);
    free(block);
    assert_int_equal(atomic_load(&calls), 5);

    // And the library's own calls are seen.
    Arena *arena = arena_create();
    assert_non_null(arena_alloc(arena, 10));
    arena_destroy(arena);
    assert_true(atomic_load(&calls) >= 7);
    int before = atomic_load(&calls);
    void *aligned;
    assert_int_equal(block_alloc(1000, "a test", &aligned), STATUS_OK);
    block_free(aligned);
    assert_true(atomic_load(&calls) > before);
}

typedef struct Case {
    const char *model;
    Phase phase;
    int batch, threads;
} Case;

static void check(const Case *row) {
    Graph *graph;
    const ModelOptions model = {.loss = row->phase == PHASE_TRAINING};
    assert_int_equal(model_build(row->model, &model, &graph), STATUS_OK);
    const Backend *backend;
    assert_int_equal(backend_cpu(&backend), STATUS_OK);
    Threads *threads;
    assert_int_equal(threads_create(row->threads, &threads), STATUS_OK);
    Parameters *parameters;
    assert_int_equal(
        parameters_create(graph, backend->element_size, row->phase == PHASE_TRAINING, &parameters),
        STATUS_OK);
    parameters_init(parameters, graph, 1);
    Network *network;
    const NetworkOptions options = {.backend = backend,
                                    .threads = threads,
                                    .batch = row->batch,
                                    .phase = row->phase,
                                    .fuse = true};
    atomic_store(&calls, 0);
    assert_int_equal(network_create(graph, parameters, &options, &network), STATUS_OK);
    assert_true(atomic_load(&calls) > 0);
    float *input = network_input(network);
    size_t elements = shape_elements(graph_shape(graph, graph->input)) * (size_t)row->batch;
    for (size_t i = 0; i < elements; i++) {
        input[i] = (float)(i % 17) * 0.1f - 0.8f;
    }
    if (row->phase == PHASE_TRAINING) {
        memset(network_labels(network), 0, sizeof(int32_t) * (size_t)row->batch);
    }

    PassOptions pass = {.count = row->batch,
                        .norm_momentum = 0.1f,
                        .loss_scale = 1.0f / (float)row->batch,
                        .seed = 1};
    atomic_store(&calls, 0);
    for (pass.iteration = 0; pass.iteration < 2; pass.iteration++) {
        // Parameters that changed are packed again inside the step.
        network_refresh(network);
        network_forward(network, &pass);
        if (row->phase == PHASE_TRAINING) {
            network_backward(network, &pass);
        }
    }
    pass.count = 1;
    network_forward(network, &pass);
    int counted = atomic_load(&calls);

    network_destroy(network);
    parameters_destroy(parameters);
    threads_destroy(threads);
    graph_destroy(graph);
    assert_int_equal(counted, 0);
}

static void test_steps(void **state) {
    (void)state;
    static const Case ROWS[] = {
        {"resnet20", PHASE_TRAINING, 4, 1},  {"resnet20", PHASE_TRAINING, 4, 3},
        {"plain20", PHASE_TRAINING, 4, 2},   {"resnet20", PHASE_INFERENCE, 4, 2},
        {"resnet18", PHASE_INFERENCE, 2, 2},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        check(&ROWS[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_steps),
    };
    return cmocka_run_group_tests_name("structure.allocation", tests, NULL, NULL);
}
