// SPDX-License-Identifier: Apache-2.0
// The cpu backend: one Backend for each instruction set, all with the same table of ops, and the
// choice between them. A Backend's functions get no context, so each set has a few of its own.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/conv.h"
#include "backend/cpu/ops.h"
#include "backend/cpu/peak.h"

const CpuOp *const cpu_ops[OP_COUNT] = {
    [OP_CONV] = &cpu_conv,
    [OP_NORM] = &cpu_norm,
    [OP_RELU] = &cpu_relu,
    [OP_SIGMOID] = &cpu_sigmoid,
    [OP_ADD] = &cpu_add,
    [OP_GATE] = &cpu_gate,
    [OP_CONCAT] = &cpu_concat,
    [OP_MAX_POOL] = &cpu_max_pool,
    [OP_AVG_POOL] = &cpu_avg_pool,
    [OP_GLOBAL_POOL] = &cpu_global_pool,
    [OP_LINEAR] = &cpu_linear,
    [OP_PAD_SHORTCUT] = &cpu_pad_shortcut,
    [OP_DROPOUT] = &cpu_dropout,
    [OP_LRN] = &cpu_lrn,
    [OP_QUANTIZE] = &cpu_quantize,
    [OP_DEQUANTIZE] = &cpu_dequantize,
    [OP_SOFTMAX_LOSS] = &cpu_softmax_loss,
};

static size_t op_prepared_size(const Graph *graph, const Node *node, int batch, Phase phase) {
    const CpuOp *op = cpu_ops[node->op];
    return op == NULL || op->prepared_size == NULL ? 0
                                                   : op->prepared_size(graph, node, batch, phase);
}

static size_t op_workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                                int threads) {
    const CpuOp *op = cpu_ops[node->op];
    return op == NULL || op->workspace_size == NULL
               ? 0
               : op->workspace_size(graph, node, batch, phase, threads);
}

static const char *op_path(const Graph *graph, const Node *node, Phase phase) {
    const CpuOp *op = cpu_ops[node->op];
    return op == NULL || op->path == NULL ? NULL : op->path(graph, node, phase);
}

static void op_prepare(const Call *call, const Kernels *kernels) {
    const CpuOp *op = cpu_ops[call->node->op];
    if (op != NULL && op->prepare != NULL) {
        op->prepare(call, kernels);
    }
}

static void op_forward(const Call *call, const Kernels *kernels) {
    const CpuOp *op = cpu_ops[call->node->op];
    if (op->forward_bytes != NULL && call_reads_bytes(call, 0)) {
        op->forward_bytes(call, kernels);
    } else {
        op->forward(call, kernels);
    }
}

#define CPU_BACKEND(isa)                                                                           \
    static void prepare_##isa(const Call *call) { op_prepare(call, &kernels_##isa); }              \
    static void forward_##isa(const Call *call) { op_forward(call, &kernels_##isa); }              \
    static void backward_##isa(const Call *call) {                                                 \
        cpu_ops[call->node->op]->backward(call, &kernels_##isa);                                   \
    }                                                                                              \
    static void forward_pair_##isa(const Call *conv, const Call *norm) {                           \
        conv_forward_pair(conv, norm, &kernels_##isa);                                             \
    }                                                                                              \
    static void backward_pair_##isa(const Call *conv, const Call *norm) {                          \
        conv_backward_pair(conv, norm, &kernels_##isa);                                            \
    }                                                                                              \
    static double peak_##isa(Arithmetic of, Threads *threads) {                                    \
        return peak_measure(&kernels_##isa, of, threads);                                          \
    }                                                                                              \
    static const Backend backend_##isa = {                                                         \
        .name = "cpu " #isa,                                                                       \
        .element_size = sizeof(float),                                                             \
        .prepared_size = op_prepared_size,                                                         \
        .workspace_size = op_workspace_size,                                                       \
        .prepare = prepare_##isa,                                                                  \
        .forward = forward_##isa,                                                                  \
        .backward = backward_##isa,                                                                \
        .forward_pair = forward_pair_##isa,                                                        \
        .backward_pair = backward_pair_##isa,                                                      \
        .path = op_path,                                                                           \
        .peak = peak_##isa,                                                                        \
    }

CPU_BACKEND(portable);
#if defined(__x86_64__)
CPU_BACKEND(avx2);
CPU_BACKEND(avx512);
CPU_BACKEND(avx512vnni);
CPU_BACKEND(avx512bf16);
#elif defined(__aarch64__)
CPU_BACKEND(neon);
#endif

// The best first.
static const struct {
    Isa isa;
    const Backend *backend;
} choices[] = {
#if defined(__x86_64__)
    {ISA_AVX512BF16, &backend_avx512bf16}, {ISA_AVX512VNNI, &backend_avx512vnni},
    {ISA_AVX512, &backend_avx512},         {ISA_AVX2, &backend_avx2},
#elif defined(__aarch64__)
    {ISA_NEON, &backend_neon},
#endif
    {ISA_PORTABLE, &backend_portable},
};

enum { CHOICES = sizeof choices / sizeof choices[0] };

Status backend_cpu(const Backend **out) {
    *out = NULL;
    const char *wanted = getenv("RESNET_ISA");
    bool any = wanted == NULL || *wanted == '\0';
    char here[64] = "";
    for (int i = 0; i < CHOICES; i++) {
        if (!isa_supported(choices[i].isa)) {
            continue;
        }
        const char *name = isa_name(choices[i].isa);
        if (any || strcmp(wanted, name) == 0) {
            *out = choices[i].backend;
            return STATUS_OK;
        }
        size_t used = strlen(here);
        snprintf(here + used, sizeof here - used, "%s%s", used > 0 ? ", " : "", name);
    }
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        if (strcmp(wanted, isa_name((Isa)isa)) == 0) {
            return status_fail(STATUS_USAGE, "RESNET_ISA=%s: this machine has no %s, only %s",
                               wanted, wanted, here);
        }
    }
    return status_fail(STATUS_USAGE,
                       "RESNET_ISA=%s: no instruction set of that name; this machine has %s",
                       wanted, here);
}
