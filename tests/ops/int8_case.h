// SPDX-License-Identifier: Apache-2.0
// One op on bytes, run by the reference and on every instruction set for several numbers of
// threads: all must give the same integers. Every buffer is guarded (maps.h).
#ifndef TESTS_OPS_INT8_CASE_H
#define TESTS_OPS_INT8_CASE_H

#include <math.h>

#include "backend/int8.h"
#include "maps.h"

enum { INPUTS = NODE_INPUTS, PARAMS = NODE_PARAMS };

typedef struct ByteCase {
    const char *name;
    OpKind op;
    Shape in[INPUTS], out;
    int inputs, batch;
    ConvAttr conv;
    PoolAttr pool;
    int stride; // pad_shortcut
    int32_t zero[INPUTS], out_zero;
    bool bytes; // output
    bool residual, relu, norm, bias;
    bool alike;             // all weights are the largest there are, all input bytes 255
    float weights, offsets; // deviations
    float in_scale, out_scale;
} ByteCase;

typedef struct Values {
    Node nodes[INPUTS + 1];
    Graph graph;
    Call call;
    Guarded input[INPUTS], param[PARAMS], output, prepared, workspace;
} Values;

static inline double draw(int which, size_t i) {
    return 2 * random_uniform(5, RANDOM_TEST, (uint64_t)which, i) - 1;
}

static inline Guarded random_floats(size_t count, int which, double middle, double width) {
    Guarded buffer = guarded_alloc(count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        ((float *)(void *)buffer.bytes)[i] = (float)(middle + width * draw(which, i));
    }
    return buffer;
}

// Most bytes are random, some pixels at the ends of the range.
static inline Guarded random_bytes(size_t count, int which) {
    Guarded buffer = guarded_alloc(count);
    for (size_t i = 0; i < count; i++) {
        const int kind = (int)(8 * (draw(which, i / 97) + 1) / 2);
        buffer.bytes[i] = (uint8_t)(kind == 0   ? 0
                                    : kind == 1 ? 255
                                                : (int)(128 + 127.9 * draw(which, i)));
    }
    return buffer;
}

static inline size_t value_bytes(const Node *node, int batch) {
    return node_elements(node) * (size_t)batch * sizeof(float);
}

static inline void values_create(const ByteCase *c, const Backend *backend, Threads *threads,
                                 Values *v) {
    *v = (Values){0};
    Node *node = &v->nodes[INPUTS];
    *node = (Node){.op = c->op,
                   .shape = c->out,
                   .bytes = c->bytes,
                   .relu = c->relu,
                   .folded_norm = c->norm,
                   .folded_epsilon = 1e-5f,
                   .scale = c->out_scale,
                   .zero = c->out_zero};
    if (c->op == OP_CONV) {
        node->conv = c->conv;
    } else if (c->op == OP_MAX_POOL) {
        node->pool = c->pool;
    } else if (c->op == OP_PAD_SHORTCUT) {
        node->pad_shortcut = (PadShortcutAttr){c->out.channels, c->stride};
    }
    v->call = (Call){.node = node, .batch = c->batch, .threads = threads};
    for (int k = 0; k < INPUTS; k++) {
        node->input[k] = k < c->inputs ? k : NODE_NONE;
        if (k >= c->inputs) {
            continue;
        }
        Node *input = &v->nodes[k];
        *input = (Node){.shape = c->in[k],
                        .bytes = c->op != OP_QUANTIZE,
                        .scale = k == 0 ? c->in_scale : 0.043f,
                        .zero = c->zero[k]};
        const size_t bytes = value_bytes(input, c->batch);
        v->input[k] =
            input->bytes ? random_bytes(bytes, k) : random_floats(bytes / sizeof(float), k, 0, 4);
        v->call.input[k] = v->input[k].bytes;
        v->call.input_node[k] = input;
        v->call.input_shape[k] = input->shape;
    }
    if (c->op == OP_CONV || c->op == OP_LINEAR) {
        const size_t out = (size_t)c->out.channels;
        const size_t depth = c->op == OP_LINEAR
                                 ? shape_elements(c->in[0])
                                 : (size_t)(c->in[0].channels / c->conv.groups *
                                            c->conv.kernel_height * c->conv.kernel_width);
        v->param[0] = random_floats(out * depth, 10, 0, (double)c->weights);
        // A channel without weights, and one with next to none.
        float *weights = (float *)(void *)v->param[0].bytes;
        for (size_t i = 0; out > 5 && i < depth; i++) {
            weights[2 * depth + i] = 0;
            weights[4 * depth + i] *= 1e-9f;
        }
        for (size_t i = 0; c->alike && i < out * depth; i++) {
            weights[i] = i / depth % 2 == 0 ? c->weights : -c->weights;
        }
        if (c->alike) {
            memset(v->input[0].bytes, 255, v->input[0].size);
        }
        v->param[1] = random_floats(c->bias ? out : 0, 11, 0, (double)c->offsets);
        for (int p = 2; p < PARAMS && c->norm; p++) {
            v->param[p] = random_floats(out, 10 + p, p == 3 || p == 4 ? 0 : 1,
                                        p == 5 ? 0.5 : (double)c->offsets);
        }
        for (int p = 0; p < PARAMS; p++) {
            v->call.param[p] = v->param[p].size > 0 ? v->param[p].bytes : NULL;
        }
    }
    v->output = guarded_alloc(value_bytes(node, c->batch));
    v->call.output = v->output.bytes;
    v->graph = (Graph){.nodes = v->nodes, .node_count = INPUTS + 1};
    v->prepared = guarded_alloc(backend->prepared_size(&v->graph, node, c->batch, PHASE_INFERENCE));
    v->workspace = guarded_alloc(backend->workspace_size(&v->graph, node, c->batch, PHASE_INFERENCE,
                                                         threads_count(threads)));
    v->call.prepared = v->prepared.bytes;
    v->call.planned = c->batch;
    v->call.workspace = v->workspace.bytes;
}

static inline void values_destroy(Values *v) {
    for (int k = 0; k < INPUTS; k++) {
        guarded_free(&v->input[k]);
    }
    for (int p = 0; p < PARAMS; p++) {
        guarded_free(&v->param[p]);
    }
    guarded_free(&v->output);
    guarded_free(&v->prepared);
    guarded_free(&v->workspace);
}

static inline void run(const ByteCase *c, const Backend *backend, Threads *threads, Values *v) {
    values_create(c, backend, threads, v);
    backend->prepare(&v->call);
    memset(v->workspace.bytes, 0xff, v->workspace.size); // contents are undefined
    backend->forward(&v->call);
}

// The output's element `channel` of a pixel, as it lies in memory.
static inline uint32_t element(const Values *v, size_t pixel, int channel) {
    const Node *node = v->call.node;
    uint32_t bits = 0;
    if (node->bytes) {
        return v->output.bytes[pixel * shape_byte_pixel(node->shape) + (size_t)channel];
    }
    memcpy(&bits, v->output.bytes + (pixel * (size_t)node->shape.channels + (size_t)channel) * 4,
           4);
    return bits;
}

static inline void assert_same(const ByteCase *c, const char *who, const Values *a,
                               const Values *b) {
    const Shape out = c->out;
    for (size_t pixel = 0; pixel < (size_t)(c->batch * out.height * out.width); pixel++) {
        for (int channel = 0; channel < out.channels; channel++) {
            if (element(a, pixel, channel) != element(b, pixel, channel)) {
                fail_msg("%s, %s: pixel %zu, channel %d: %#x, reference %#x", c->name, who, pixel,
                         channel, element(b, pixel, channel), element(a, pixel, channel));
            }
        }
    }
}

static inline void check_case(const ByteCase *c) {
    Values reference;
    run(c, &backend_reference, NULL, &reference);
    int sets = 0;
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        const Backend *backend = backend_of((Isa)isa);
        if (backend == NULL) {
            continue;
        }
        sets++;
        for (int count = 1; count <= 5; count += 2) {
            Threads *threads = NULL;
            Values values;
            assert_int_equal(threads_create(count, &threads), STATUS_OK);
            run(c, backend, threads, &values);
            assert_same(c, backend->name, &reference, &values);
            values_destroy(&values);
            threads_destroy(threads);
        }
    }
    assert_true(sets > 0);
    values_destroy(&reference);
}

#endif
