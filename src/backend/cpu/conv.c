// SPDX-License-Identifier: Apache-2.0
// The convolution's op: chooses a path for each geometry. See conv.h.
#include "backend/cpu/conv.h"

// Best first; the last one applies to everything.
static const ConvPath *const paths[] = {&conv_int8_winograd, &conv_int8, &conv_bf16,
                                        &conv_winograd,      &conv_stem, &conv_direct};

const ConvPath *conv_path(const ConvGeometry *g, Phase phase) {
    int i = 0;
    while (!paths[i]->applies(g, phase)) {
        i++;
    }
    return paths[i];
}

static ConvGeometry node_geometry(const Graph *graph, const Node *node, int batch) {
    const Node *input = &graph->nodes[node->input[0]];
    ConvGeometry g = conv_geometry(node, input->shape, batch);
    g.bytes = input->bytes;
    g.bf16 = node->bf16;
    return g;
}

size_t conv_prepared_size(const Graph *graph, const Node *node, int batch, Phase phase) {
    const ConvGeometry g = node_geometry(graph, node, batch);
    return conv_path(&g, phase)->prepared_size(&g, phase);
}

size_t conv_workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                           int threads) {
    const ConvGeometry g = node_geometry(graph, node, batch);
    return conv_path(&g, phase)->workspace_size(&g, phase, threads);
}

const char *conv_path_name(const Graph *graph, const Node *node, Phase phase) {
    const ConvGeometry g = node_geometry(graph, node, 1);
    return conv_path(&g, phase)->name;
}

static ConvGeometry call_geometry(const Call *call, int batch) {
    ConvGeometry g = conv_geometry(call->node, call->input_shape[0], batch);
    g.bytes = call_reads_bytes(call, 0);
    g.bf16 = call->node->bf16;
    return g;
}

void conv_prepare(const Call *call, const Kernels *kernels) {
    const ConvGeometry g = call_geometry(call, call->planned);
    conv_path(&g, call->phase)->prepare(&g, call, kernels);
}

void conv_forward(const Call *call, const Kernels *kernels) {
    const ConvGeometry g = call_geometry(call, call->batch);
    conv_path(&g, call->phase)->forward(&g, call, kernels);
}

void conv_backward(const Call *call, const Kernels *kernels) {
    const ConvGeometry g = call_geometry(call, call->batch);
    conv_path(&g, call->phase)->backward(&g, call, kernels);
}

void conv_forward_pair(const Call *conv, const Call *norm, const Kernels *kernels) {
    const ConvGeometry g = call_geometry(conv, conv->batch);
    const ConvPath *path = conv_path(&g, conv->phase);
    NormRun run = norm_run(norm, kernels);
    if (path->forward_with != NULL && path->forward_with(&g, conv, &run, kernels)) {
        norm_forward_end(&run);
    } else {
        path->forward(&g, conv, kernels);
        cpu_norm.forward(norm, kernels);
    }
}

void conv_backward_pair(const Call *conv, const Call *norm, const Kernels *kernels) {
    const ConvGeometry g = call_geometry(conv, conv->batch);
    const ConvPath *path = conv_path(&g, conv->phase);
    NormRun run = norm_run(norm, kernels);
    norm_backward_begin(&run);
    if (path->backward_with == NULL || !path->backward_with(&g, conv, &run, kernels)) {
        norm_backward_end(&run);
        path->backward(&g, conv, kernels);
    }
}

const CpuOp cpu_conv = {
    .prepared_size = conv_prepared_size,
    .workspace_size = conv_workspace_size,
    .prepare = conv_prepare,
    .forward = conv_forward,
    .backward = conv_backward,
    .path = conv_path_name,
};
