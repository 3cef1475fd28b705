// SPDX-License-Identifier: Apache-2.0
// The path of layers on bytes that serves all of them: a direct sum.
#include "backend/cpu/conv_int8_pack.h"
#include "backend/cpu/conv_int8_sweep.h"

static bool applies(const ConvGeometry *g, Phase phase) {
    (void)phase;
    return g->bytes;
}

static size_t prepared_size(const ConvGeometry *g, Phase phase) {
    (void)phase;
    return int8_prepared_bytes(g);
}

static size_t workspace_size(const ConvGeometry *g, Phase phase, int threads) {
    (void)phase;
    return (size_t)threads * int8_sweep_bytes(g);
}

static void prepare(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    int8_prepare(g, call, call->prepared, kernels);
}

static void forward(const ConvGeometry *g, const Call *call, const Kernels *kernels) {
    int8_sweep_run(g, call, call->prepared, kernels);
}

const ConvPath conv_int8 = {
    .name = "int8",
    .applies = applies,
    .prepared_size = prepared_size,
    .workspace_size = workspace_size,
    .prepare = prepare,
    .forward = forward,
};
