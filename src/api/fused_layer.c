// SPDX-License-Identifier: Apache-2.0
// Layers as they run, and what the machine can do at most.
#include "api/fused_layer.h"

#include <stdio.h>
#include <string.h>

#include "base/bandwidth.h"
#include "base/cpu.h"
#include "graph/op.h"

void layer_window(const Node *node, int *kernel, int *stride) {
    if (node->op == OP_CONV) {
        *kernel = node->conv.kernel_height;
        *stride = node->conv.stride;
    } else if (node->op == OP_MAX_POOL || node->op == OP_AVG_POOL) {
        *kernel = node->pool.kernel;
        *stride = node->pool.stride;
    } else if (node->op == OP_PAD_SHORTCUT) {
        *stride = node->pad_shortcut.stride;
    }
}

// What reads and writes cannot be fewer than, caches of any size given.
static void count_bytes(const Graph *graph, const Node *node, resnet_fused_layer *out) {
    size_t elements = node->op == OP_INPUT ? 0 : node_elements(node);
    for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
        elements += node_elements(&graph->nodes[node->input[k]]);
    }
    out->image_bytes = (int64_t)(elements * sizeof(float));
    // A layer on bytes has bytes as weights, one in bf16 half floats, and little besides.
    const bool bytes = node->input[0] != NODE_NONE && graph->nodes[node->input[0]].bytes;
    const size_t weight = bytes ? 1 : node->bf16 ? sizeof(float) / 2 : sizeof(float);
    for (int p = 0; p < NODE_PARAMS; p++) {
        if (node->param[p] != PARAM_NONE) {
            out->weight_bytes += (int64_t)(graph->params[node->param[p]].elements *
                                           (p == 0 ? weight : sizeof(float)));
        }
    }
}

Status fused_layer(const Network *network, int index, resnet_fused_layer *out) {
    const Graph *graph = network_graph(network);
    if (index < 0 || index >= graph->node_count) {
        return status_fail(STATUS_USAGE, "there is no layer number %d", index);
    }
    const Node *node = &graph->nodes[index];
    const bool adds = (node->op == OP_CONV || node->op == OP_NORM) && node->input[1] != NODE_NONE;
    *out = (resnet_fused_layer){
        .name = node->first != NULL ? node->first : node->name,
        .op = op_row(node->op)->name,
        .path = network_path(network, index),
        .channels = node->shape.channels,
        .height = node->shape.height,
        .width = node->shape.width,
        .macs = (int64_t)op_macs(graph, index),
    };
    snprintf(out->parts, sizeof out->parts, "%s%s%s%s", out->op, node->folded_norm ? "+norm" : "",
             adds ? "+add" : "", node->relu ? "+relu" : "");
    layer_window(node, &out->kernel, &out->stride);
    count_bytes(graph, node, out);
    return STATUS_OK;
}

// ---- roofs --------------------------------------------------------------------------------------

resnet_status resnet_measure_peak(int threads, const char *precision, double *gflops) {
    *gflops = 0;
    Arithmetic of = ARITHMETIC_FLOAT;
    if (strcmp(precision, "int8") == 0) {
        of = ARITHMETIC_BYTES;
    } else if (strcmp(precision, "bf16") == 0) {
        of = ARITHMETIC_BF16;
    } else if (strcmp(precision, "fp32") != 0) {
        return (resnet_status)status_fail(
            STATUS_USAGE, "there is no precision '%.32s', only fp32, bf16 and int8", precision);
    }
    const Backend *backend = NULL;
    Threads *pool = NULL;
    Status status = backend_cpu(&backend);
    if (status == STATUS_OK) {
        status = threads_create(threads > 0 ? threads : cpu_count(), &pool);
    }
    if (status == STATUS_OK) {
        *gflops = backend->peak(of, pool) * 1e-9;
    }
    threads_destroy(pool);
    return (resnet_status)status;
}

resnet_status resnet_measure_bandwidth(int threads, double *gigabytes) {
    Threads *pool = NULL;
    *gigabytes = 0;
    Status status = threads_create(threads > 0 ? threads : cpu_count(), &pool);
    if (status == STATUS_OK) {
        status = bandwidth_measure(pool, gigabytes);
    }
    *gigabytes *= 1e-9;
    threads_destroy(pool);
    return (resnet_status)status;
}
