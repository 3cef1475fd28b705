// SPDX-License-Identifier: Apache-2.0
// Parameters of the ops that have some: names and dimensions as torchvision's checkpoints have
// them, places in the two blocks, and how a fresh network fills them:
//
//     convolution   normal, deviation sqrt(2 / fan_in) (He et al. 2015, eq. 10; paper §3.4)
//     linear        normal, deviation sqrt(1 / fan_in): no relu follows
//     norm          scale 1, shift 0, running mean 0, running variance 1
//     biases        0
//
// fan_in counts the inputs that one output sums over.
#include <math.h>
#include <string.h>

#include "graph/op_rules.h"

// Most elements of one parameter and, with the count of nodes, of a block: far above what memory
// holds, far below where sums of sizes in bytes overflow.
static const uint64_t MOST_ELEMENTS = (uint64_t)1 << 40;

// The product of the dimensions; more than MOST_ELEMENTS is cut there.
static uint64_t dims_product(int32_t rank, const int32_t *dims) {
    uint64_t product = 1;
    for (int32_t i = 0; i < rank; i++) {
        if (product > MOST_ELEMENTS / (uint64_t)dims[i]) {
            return MOST_ELEMENTS + 1;
        }
        product *= (uint64_t)dims[i];
    }
    return product;
}

static Param *params_append(Graph *graph) {
    if (graph->param_count == graph->param_capacity) {
        int32_t capacity = graph->param_capacity == 0 ? 64 : 2 * graph->param_capacity;
        Param *params = arena_alloc(graph->arena, (size_t)capacity * sizeof *params);
        if (params == NULL) {
            return NULL;
        }
        if (graph->param_count > 0) {
            memcpy(params, graph->params, (size_t)graph->param_count * sizeof *params);
        }
        graph->params = params;
        graph->param_capacity = capacity;
    }
    return &graph->params[graph->param_count++];
}

// Adds `param` (its name yet without the node's) as the node's parameter `slot`.
static void param_add(Graph *graph, Node *node, int slot, Param param) {
    if (graph->error != NULL) {
        return;
    }
    uint64_t elements = dims_product(param.rank, param.dims);
    size_t *block =
        param_is_running(param.role) ? &graph->running_elements : &graph->trainable_elements;
    if (elements > MOST_ELEMENTS || *block > MOST_ELEMENTS) {
        graph_fail(graph, "%s: its %s would have more than %llu elements", node->name, param.name,
                   (unsigned long long)MOST_ELEMENTS);
        return;
    }
    param.name = arena_format(graph->arena, "%s.%s", node->name, param.name);
    param.elements = (size_t)elements;
    param.offset = *block;
    Param *place = param.name == NULL ? NULL : params_append(graph);
    if (place == NULL) {
        graph_fail(graph, "%s: cannot get memory for its parameters", node->name);
        return;
    }
    *place = param;
    place->id = graph->param_count - 1;
    *block += (param.elements + PARAM_ALIGNMENT - 1) / PARAM_ALIGNMENT * PARAM_ALIGNMENT;
    node->param[slot] = graph->param_count - 1;
}

void op_declare_conv(Graph *graph, Node *node) {
    const ConvAttr *conv = &node->conv;
    int32_t in = graph_shape(graph, node->input[0]).channels / conv->groups;
    double fan_in = (double)conv->kernel_height * conv->kernel_width * in;
    param_add(graph, node, 0,
              (Param){.name = "weight",
                      .role = PARAM_WEIGHT,
                      .rank = 4,
                      .dims = {conv->out_channels, in, conv->kernel_height, conv->kernel_width},
                      .init_deviation = (float)sqrt(2 / fan_in)});
    if (conv->bias) {
        param_add(
            graph, node, 1,
            (Param){.name = "bias", .role = PARAM_BIAS, .rank = 1, .dims = {conv->out_channels}});
    }
}

void op_declare_norm(Graph *graph, Node *node) {
    static const Param PARAMS[] = {
        {.name = "weight", .role = PARAM_NORM_SCALE, .init_value = 1},
        {.name = "bias", .role = PARAM_NORM_SHIFT},
        {.name = "running_mean", .role = PARAM_RUNNING_MEAN},
        {.name = "running_var", .role = PARAM_RUNNING_VARIANCE, .init_value = 1},
    };
    for (int i = 0; i < (int)(sizeof PARAMS / sizeof PARAMS[0]); i++) {
        Param param = PARAMS[i];
        param.rank = 1;
        param.dims[0] = node->shape.channels;
        param_add(graph, node, i, param);
    }
}

void op_declare_linear(Graph *graph, Node *node) {
    int32_t out = node->shape.channels;
    int32_t in = (int32_t)shape_elements(graph_shape(graph, node->input[0]));
    param_add(graph, node, 0,
              (Param){.name = "weight",
                      .role = PARAM_WEIGHT,
                      .rank = 2,
                      .dims = {out, in},
                      .init_deviation = (float)sqrt(1 / (double)in)});
    param_add(graph, node, 1,
              (Param){.name = "bias", .role = PARAM_BIAS, .rank = 1, .dims = {out}});
}
