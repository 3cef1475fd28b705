// SPDX-License-Identifier: Apache-2.0
// The reference backend: a table of the ops. Threads are not used and no memory is asked for.
#include "backend/reference/ops.h"

static const ReferenceOp *const OPS[OP_COUNT] = {
    [OP_CONV] = &REAL_NAME(reference_conv),
    [OP_NORM] = &REAL_NAME(reference_norm),
    [OP_RELU] = &REAL_NAME(reference_relu),
    [OP_SIGMOID] = &REAL_NAME(reference_sigmoid),
    [OP_ADD] = &REAL_NAME(reference_add),
    [OP_GATE] = &REAL_NAME(reference_gate),
    [OP_CONCAT] = &REAL_NAME(reference_concat),
    [OP_MAX_POOL] = &REAL_NAME(reference_max_pool),
    [OP_AVG_POOL] = &REAL_NAME(reference_avg_pool),
    [OP_GLOBAL_POOL] = &REAL_NAME(reference_global_pool),
    [OP_LINEAR] = &REAL_NAME(reference_linear),
    [OP_PAD_SHORTCUT] = &REAL_NAME(reference_pad_shortcut),
    [OP_DROPOUT] = &REAL_NAME(reference_dropout),
    [OP_LRN] = &REAL_NAME(reference_lrn),
    [OP_QUANTIZE] = &REAL_NAME(reference_quantize),
    [OP_DEQUANTIZE] = &REAL_NAME(reference_dequantize),
    [OP_SOFTMAX_LOSS] = &REAL_NAME(reference_softmax_loss),
};

static size_t reference_prepared_size(const Graph *graph, const Node *node, int batch,
                                      Phase phase) {
    (void)graph;
    (void)node;
    (void)batch;
    (void)phase;
    return 0;
}

static size_t reference_workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                                       int threads) {
    (void)graph;
    (void)node;
    (void)batch;
    (void)phase;
    (void)threads;
    return 0;
}

static void reference_prepare(const Call *call) { (void)call; }

static const char *reference_path(const Graph *graph, const Node *node, Phase phase) {
    (void)graph;
    (void)node;
    (void)phase;
    return NULL;
}

static void (*const FORWARD_BYTES[OP_COUNT])(const Call *call) = {
    [OP_CONV] = REAL_NAME(reference_layer_bytes),
    [OP_LINEAR] = REAL_NAME(reference_layer_bytes),
    [OP_MAX_POOL] = REAL_NAME(reference_max_pool_bytes),
    [OP_GLOBAL_POOL] = REAL_NAME(reference_global_pool_bytes),
    [OP_CONCAT] = REAL_NAME(reference_concat_bytes),
    [OP_PAD_SHORTCUT] = REAL_NAME(reference_pad_shortcut_bytes),
};

static void reference_forward(const Call *call) {
    if (call->node->op != OP_DEQUANTIZE && call_reads_bytes(call, 0)) {
        FORWARD_BYTES[call->node->op](call);
    } else {
        OPS[call->node->op]->forward(call);
    }
}

static void reference_backward(const Call *call) { OPS[call->node->op]->backward(call); }

#if defined(REAL_IS_DOUBLE)
const Backend backend_reference_double = {
    .name = "reference double",
#else
const Backend backend_reference = {
    .name = "reference",
#endif
    .element_size = sizeof(Real),
    .prepared_size = reference_prepared_size,
    .workspace_size = reference_workspace_size,
    .prepare = reference_prepare,
    .forward = reference_forward,
    .backward = reference_backward,
    .path = reference_path,
};
