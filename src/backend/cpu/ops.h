// SPDX-License-Identifier: Apache-2.0
// The cpu backend's table: one row for each op kind, in one file an op family.
#ifndef RESNET_BACKEND_CPU_OPS_H
#define RESNET_BACKEND_CPU_OPS_H

#include "backend/backend.h"
#include "backend/cpu/kernels/kernels.h"

// As in Backend, with the instruction set's kernels added. NULL functions: nothing to do.
typedef struct CpuOp {
    size_t (*prepared_size)(const Graph *graph, const Node *node, int batch, Phase phase);
    size_t (*workspace_size)(const Graph *graph, const Node *node, int batch, Phase phase,
                             int threads);
    void (*prepare)(const Call *call, const Kernels *kernels);
    void (*forward)(const Call *call, const Kernels *kernels);
    void (*forward_bytes)(const Call *call, const Kernels *kernels); // inputs are bytes
    void (*backward)(const Call *call, const Kernels *kernels);
    const char *(*path)(const Graph *graph, const Node *node, Phase phase);
} CpuOp;

// prepared_size() and workspace_size() are the same for every instruction set: packings use blocks
// of 16 channels, a whole number of every set's vectors.
enum { CHANNEL_BLOCK = 16 };

// conv.c, linear.c
extern const CpuOp cpu_conv, cpu_linear;
// norm.c, elementwise.c, pool.c, …
extern const CpuOp cpu_norm, cpu_relu, cpu_sigmoid, cpu_add, cpu_gate, cpu_concat, cpu_max_pool,
    cpu_avg_pool, cpu_global_pool, cpu_pad_shortcut, cpu_dropout, cpu_lrn, cpu_softmax_loss,
    cpu_quantize, cpu_dequantize;

// Indexed by OpKind; NULL for OP_INPUT. In cpu.c.
extern const CpuOp *const cpu_ops[OP_COUNT];

#endif
