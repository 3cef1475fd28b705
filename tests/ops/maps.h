// SPDX-License-Identifier: Apache-2.0
// One op run forward and backward on any backend, with everything that it wrote kept as doubles:
// what the tests of the memory-bound ops compare. Every buffer is guarded at both ends, and what an
// op only reads must stay as it was.
#ifndef TESTS_OPS_MAPS_H
#define TESTS_OPS_MAPS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "base/cpu.h"
#include "base/random.h"

enum { NOT_SHARED = -1 };

typedef struct Case {
    const char *name;
    Node node;
    Shape input_shape[NODE_INPUTS];
    int inputs, batch;
    Phase phase;
    double params[4][2];          // each parameter: middle and half width of its values
    double middle, width;         // the same for inputs
    bool fractions;               // values are not small integers
    bool accumulate[NODE_INPUTS]; // in backward
    bool unwanted[NODE_INPUTS];   // no gradient of that input
    bool forward_in_place;        // output over input[0]
    int shared;                   // the input whose gradient takes the output gradient's place
    bool forward_only;
} Case;

enum {
    RESULT_OUTPUT,
    RESULT_SAVED,
    RESULT_INPUT_GRADIENT,
    RESULT_PARAM = RESULT_INPUT_GRADIENT + NODE_INPUTS,
    RESULT_PARAM_GRADIENT = RESULT_PARAM + 4,
    RESULTS = RESULT_PARAM_GRADIENT + 4
};

typedef struct Result {
    double *values[RESULTS]; // NULL where the op has no such thing
    size_t counts[RESULTS];
} Result;

static inline void result_free(Result *result) {
    for (int i = 0; i < RESULTS; i++) {
        free(result->values[i]);
    }
}

// A buffer that ends where a page begins that cannot be touched, so that reading past the end is a
// crash; before it lies a zone that must stay as it is.
typedef struct Guarded {
    unsigned char *pages, *bytes;
    size_t size, mapped;
} Guarded;

enum { GUARD = 128, GUARD_BYTE = 0xa5 };

static inline Guarded guarded_alloc(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t usable = (size + GUARD + page - 1) / page * page;
    Guarded buffer = {.size = size, .mapped = usable + page};
    buffer.pages =
        mmap(NULL, buffer.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(buffer.pages != MAP_FAILED);
    assert_int_equal(mprotect(buffer.pages + usable, page, PROT_NONE), 0);
    buffer.bytes = buffer.pages + usable - size;
    memset(buffer.pages, GUARD_BYTE, usable);
    return buffer;
}

static inline void guarded_free(Guarded *buffer) {
    if (buffer->pages == NULL) {
        return;
    }
    for (size_t i = 1; i <= GUARD; i++) {
        assert_int_equal(buffer->bytes[-(ptrdiff_t)i], GUARD_BYTE);
    }
    munmap(buffer->pages, buffer->mapped);
}

// The value that a case puts at element i of its buffer `which`: exact in float.
static inline double case_value(const Case *c, int which, size_t i, double middle, double width) {
    double uniform = random_uniform(11, RANDOM_TEST, (uint64_t)which, i);
    double value = middle + width * (2 * uniform - 1);
    return c->fractions ? (double)(float)value
                        : (double)(int)(value < 0 ? value - 0.5 : value + 0.5);
}

static inline double element_get(const void *from, size_t size, size_t i) {
    return size == sizeof(float) ? (double)((const float *)from)[i] : ((const double *)from)[i];
}

static inline void element_set(void *to, size_t size, size_t i, double value) {
    if (size == sizeof(float)) {
        ((float *)to)[i] = (float)value;
    } else {
        ((double *)to)[i] = value;
    }
}

static inline Guarded filled(const Case *c, int which, size_t count, size_t size, double middle,
                             double width) {
    Guarded buffer = guarded_alloc(count * size);
    for (size_t i = 0; i < count; i++) {
        element_set(buffer.bytes, size, i, case_value(c, which, i, middle, width));
    }
    return buffer;
}

static inline void assert_unchanged(const Case *c, const Guarded *buffer, int which, size_t size,
                                    double middle, double width) {
    for (size_t i = 0; i < buffer->size / size; i++) {
        assert_true(element_get(buffer->bytes, size, i) == case_value(c, which, i, middle, width));
    }
}

static inline void keep(Result *result, int which, const Guarded *buffer, size_t size) {
    result->counts[which] = buffer->size / size;
    result->values[which] = malloc(buffer->size / size * sizeof(double) + 1);
    assert_non_null(result->values[which]);
    for (size_t i = 0; i < result->counts[which]; i++) {
        result->values[which][i] = element_get(buffer->bytes, size, i);
    }
}

static inline size_t case_elements(const Case *c, Shape shape) {
    return (size_t)c->batch * (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width;
}

// Bytes put aside for backward, in elements of `size` bytes.
static inline size_t case_saved_bytes(const Case *c, size_t size) {
    switch (c->node.op) {
    case OP_NORM:
        return 2 * (size_t)c->node.shape.channels * size;
    case OP_MAX_POOL:
        return case_elements(c, c->node.shape);
    case OP_SOFTMAX_LOSS:
        return case_elements(c, c->input_shape[0]) * size;
    default:
        return 0;
    }
}

enum { VALUE_INPUT = 1, VALUE_GRADIENT = 10, VALUE_OLD = 20, VALUE_PARAM = 30 };

// Runs the case. `given`: the output that backward is to see instead of its own, so that a mask is
// the same in both of two runs that are compared.
static inline Result case_run(const Case *c, const Backend *backend, Threads *threads,
                              const Result *given) {
    Result result = {0};
    size_t size = backend->element_size;
    bool training = c->phase == PHASE_TRAINING;
    Node nodes[1 + NODE_INPUTS] = {[NODE_INPUTS] = c->node};
    Node *node = &nodes[NODE_INPUTS];
    Guarded inputs[NODE_INPUTS] = {0}, gradients[NODE_INPUTS] = {0};
    Guarded params[4] = {0}, param_gradients[4] = {0};
    Call call = {.node = node,
                 .batch = c->batch,
                 .phase = c->phase,
                 .norm_momentum = 0.1F,
                 .loss_scale = 0.25F,
                 .seed = 3,
                 .iteration = 17,
                 .node_index = 5,
                 .first_sample = 2,
                 .threads = threads};
    for (int k = 0; k < NODE_INPUTS; k++) {
        node->input[k] = k < c->inputs ? k : NODE_NONE;
        if (k < c->inputs) {
            nodes[k].shape = c->input_shape[k];
            size_t count = case_elements(c, c->input_shape[k]);
            call.input_shape[k] = c->input_shape[k];
            inputs[k] = filled(c, VALUE_INPUT + k, count, size, c->middle, c->width);
            call.input[k] = inputs[k].bytes;
        }
    }
    for (int p = 0; p < 4 && c->node.op == OP_NORM; p++) {
        size_t channels = (size_t)c->node.shape.channels;
        params[p] = filled(c, VALUE_PARAM + p, channels, size, c->params[p][0], c->params[p][1]);
        call.param[p] = params[p].bytes;
        if (p < 2) {
            param_gradients[p] = guarded_alloc(channels * size);
            call.param_gradient[p] = param_gradients[p].bytes;
        }
    }
    int32_t labels[64];
    for (int n = 0; n < c->batch && n < 64; n++) {
        labels[n] = (n * 7 + 3) % c->input_shape[0].channels;
    }
    call.labels = labels;
    size_t count = case_elements(c, c->node.shape);
    Guarded output = guarded_alloc(count * size);
    call.output = c->forward_in_place ? inputs[0].bytes : output.bytes;
    Guarded saved = guarded_alloc(training ? case_saved_bytes(c, size) : 0);
    call.saved = training ? saved.bytes : NULL;
    Graph graph = {.nodes = nodes, .node_count = 1 + NODE_INPUTS};
    Guarded workspace = guarded_alloc(
        backend->workspace_size(&graph, node, c->batch, c->phase, threads_count(threads)));
    call.workspace = workspace.bytes;

    backend->forward(&call);
    Guarded written = {.bytes = call.output, .size = count * size};
    keep(&result, RESULT_OUTPUT, &written, size);
    for (int k = c->forward_in_place ? 1 : 0; k < c->inputs; k++) {
        assert_unchanged(c, &inputs[k], VALUE_INPUT + k, size, c->middle, c->width);
    }
    if (training && c->node.op != OP_MAX_POOL) {
        keep(&result, RESULT_SAVED, &saved, size);
    }
    for (int p = 0; p < 4 && c->node.op == OP_NORM; p++) {
        keep(&result, RESULT_PARAM + p, &params[p], size);
    }
    if (training && !c->forward_only) {
        for (size_t i = 0; given != NULL && i < count; i++) {
            element_set(call.output, size, i, given->values[RESULT_OUTPUT][i]);
        }
        Guarded output_gradient = filled(c, VALUE_GRADIENT, count, size, 0, 4);
        call.output_gradient = output_gradient.bytes;
        for (int k = 0; k < c->inputs; k++) {
            if (c->unwanted[k]) {
                continue;
            }
            gradients[k] =
                filled(c, VALUE_OLD + k, case_elements(c, c->input_shape[k]), size, 0, 4);
            call.input_gradient[k] = c->shared == k ? output_gradient.bytes : gradients[k].bytes;
            call.accumulate[k] = c->accumulate[k];
        }
        memset(workspace.bytes, 0xff, workspace.size); // contents are undefined
        backend->backward(&call);
        for (int k = 0; k < c->inputs; k++) {
            if (!c->unwanted[k]) {
                keep(&result, RESULT_INPUT_GRADIENT + k,
                     c->shared == k ? &output_gradient : &gradients[k], size);
            }
        }
        if (c->shared == NOT_SHARED) {
            assert_unchanged(c, &output_gradient, VALUE_GRADIENT, size, 0, 4);
        }
        for (int p = 0; p < 2 && c->node.op == OP_NORM; p++) {
            keep(&result, RESULT_PARAM_GRADIENT + p, &param_gradients[p], size);
        }
        guarded_free(&output_gradient);
    }
    for (int k = 0; k < NODE_INPUTS; k++) {
        guarded_free(&inputs[k]);
        guarded_free(&gradients[k]);
        guarded_free(&params[k]);
        guarded_free(&param_gradients[k]);
    }
    guarded_free(&output);
    guarded_free(&saved);
    guarded_free(&workspace);
    return result;
}

static inline void assert_same_bits(const Case *c, const char *what, const Result *a,
                                    const Result *b) {
    for (int which = 0; which < RESULTS; which++) {
        assert_int_equal(a->counts[which], b->counts[which]);
        for (size_t i = 0; i < a->counts[which]; i++) {
            if (memcmp(&a->values[which][i], &b->values[which][i], sizeof(double)) != 0) {
                fail_msg("%s, %s: result %d, element %zu: %.17g and %.17g", c->name, what, which, i,
                         a->values[which][i], b->values[which][i]);
            }
        }
    }
}

// The cpu backend of an instruction set; NULL where this machine has none.
static inline const Backend *backend_of(Isa isa) {
    const Backend *backend = NULL;
    if (isa_supported(isa)) {
        setenv("RESNET_ISA", isa_name(isa), 1);
        assert_int_equal(backend_cpu(&backend), STATUS_OK);
        unsetenv("RESNET_ISA");
    }
    return backend;
}

// Runs the case on every instruction set, with 1, 2 and 5 threads, and asserts that all results
// have the same bits (the portable set's only for `portable`, as it may have no FMA). Each set's
// result goes to the check.
typedef void CaseCheck(const Case *c, const Backend *backend, const Result *result);

static inline void case_run_all(const Case *c, bool portable, CaseCheck *check) {
    Result first = {0};
    bool have_first = false;
    for (int isa = ISA_COUNT - 1; isa >= 0; isa--) {
        const Backend *backend = backend_of((Isa)isa);
        if (backend == NULL) {
            continue;
        }
        Result single = case_run(c, backend, NULL, NULL);
        for (int count = 2; count <= 5; count += 3) {
            Threads *threads = NULL;
            assert_int_equal(threads_create(count, &threads), STATUS_OK);
            Result several = case_run(c, backend, threads, NULL);
            assert_same_bits(c, "1 and more threads", &single, &several);
            result_free(&several);
            threads_destroy(threads);
        }
        check(c, backend, &single);
        if (!have_first) {
            first = single;
            have_first = true;
            continue;
        }
        if (isa != ISA_PORTABLE || portable) {
            assert_same_bits(c, "two instruction sets", &first, &single);
        }
        result_free(&single);
    }
    result_free(&first);
}

#endif
