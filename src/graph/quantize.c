// SPDX-License-Identifier: Apache-2.0
// Quantisation in three walks over the list: backward, which values somebody wants as bytes;
// forward, which ops make bytes by themselves; forward again, writing the new list with conversions
// in front of the first reader that needs one.
#include "graph/quantize.h"

#include <math.h>

#include "graph/op.h"

typedef struct Pass {
    const Graph *graph;
    Graph *result;
    const QuantizedValue **entry; // by node; NULL: the value stays float
    bool *in_float;               // the layer is to compute in float
    bool *computes;               // a convolution or linear layer on bytes
    bool *wanted;                 // a reader wants the value as bytes
    bool *bytes;                  // the node makes bytes
    NodeId *as_float, *as_bytes;  // the node's value in the result, in either form; NODE_NONE: not
} Pass;

static bool is_layer(OpKind op) { return op == OP_CONV || op == OP_LINEAR; }
static bool is_copy(OpKind op) {
    return op == OP_MAX_POOL || op == OP_PAD_SHORTCUT || op == OP_CONCAT;
}

static Status read_table(Pass *pass, const Quantization *table) {
    const Graph *graph = pass->graph;
    for (int32_t i = 0; i < table->value_count; i++) {
        const QuantizedValue *value = &table->values[i];
        const NodeId id = graph_find_node(graph, value->name);
        if (id == NODE_NONE) {
            return status_fail(STATUS_FAILED,
                               "%s: a scale is given, but the network has no such "
                               "layer",
                               value->name);
        }
        if (!(value->scale > 0 && isfinite(value->scale)) ||
            (value->zero != 0 && value->zero != 128)) {
            return status_fail(STATUS_FAILED,
                               "%s: scale %g and zero %d, expected a scale above 0 and a zero of 0 "
                               "or 128",
                               value->name, (double)value->scale, value->zero);
        }
        pass->entry[id] = value;
    }
    for (int32_t i = 0; i < table->float_count; i++) {
        const NodeId id = graph_find_node(graph, table->float_nodes[i]);
        if (id == NODE_NONE || !is_layer(graph->nodes[id].op)) {
            return status_fail(STATUS_FAILED,
                               "%s: is to stay in float, but the network has no such convolution "
                               "or linear layer",
                               table->float_nodes[i]);
        }
        pass->in_float[id] = true;
    }
    return STATUS_OK;
}

// Products in one output of a layer, its channels padded as those of bytes are.
static uint64_t layer_depth(const Graph *graph, const Node *node) {
    const Shape in = graph->nodes[node->input[0]].shape;
    const uint64_t channels = shape_byte_pixel(in);
    if (node->op == OP_LINEAR) {
        return channels * (uint64_t)in.height * (uint64_t)in.width;
    }
    return channels / (uint64_t)node->conv.groups * (uint64_t)node->conv.kernel_height *
           (uint64_t)node->conv.kernel_width;
}

static bool computes_bytes(const Pass *pass, NodeId id) {
    const Graph *graph = pass->graph;
    const Node *node = &graph->nodes[id];
    if (!is_layer(node->op) || pass->in_float[id]) {
        return false;
    }
    for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
        if (pass->entry[node->input[k]] == NULL) {
            return false;
        }
    }
    const int32_t groups = node->op == OP_CONV ? node->conv.groups : 1;
    const int32_t channels = graph->nodes[node->input[0]].shape.channels;
    return (groups == 1 || channels / groups % 4 == 0) &&
           layer_depth(graph, node) <= QUANTIZED_DEPTH_MAX;
}

static void find_wanted(Pass *pass) {
    const Graph *graph = pass->graph;
    for (NodeId i = graph->node_count - 1; i >= 0; i--) {
        const Node *node = &graph->nodes[i];
        pass->computes[i] = computes_bytes(pass, i);
        const bool wants = pass->computes[i] || node->op == OP_GLOBAL_POOL ||
                           (is_copy(node->op) && pass->wanted[i]);
        for (int k = 0; wants && k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
            pass->wanted[node->input[k]] = true;
        }
    }
}

// Whether the inputs of a copying op come as bytes of its own scale and zero.
static bool inputs_match(const Pass *pass, NodeId id) {
    const Node *node = &pass->graph->nodes[id];
    const QuantizedValue *own = pass->entry[id];
    bool match = true;
    for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
        const QuantizedValue *entry = pass->entry[node->input[k]];
        match = match && pass->bytes[node->input[k]] && entry->scale == own->scale &&
                entry->zero == own->zero;
    }
    return match;
}

static void find_bytes(Pass *pass) {
    const Graph *graph = pass->graph;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const OpKind op = graph->nodes[i].op;
        if (pass->wanted[i] && pass->entry[i] != NULL && i != graph->output) {
            pass->bytes[i] =
                (op == OP_CONV && pass->computes[i]) || (is_copy(op) && inputs_match(pass, i));
        }
    }
}

static NodeId append(Pass *pass, Node node) {
    pass->result->nodes[pass->result->node_count] = node;
    return pass->result->node_count++;
}

// The value of old node `id` in the result, converted if that has not been done yet. A value that
// is wanted as bytes has an entry.
static NodeId value_as(Pass *pass, NodeId id, bool bytes) {
    NodeId *place = bytes ? &pass->as_bytes[id] : &pass->as_float[id];
    if (*place == NODE_NONE) {
        const Node *from = &pass->graph->nodes[id];
        const OpKind op = bytes ? OP_QUANTIZE : OP_DEQUANTIZE;
        Node node = {.op = op, .shape = from->shape, .bytes = bytes};
        node.input[0] = bytes ? pass->as_float[id] : pass->as_bytes[id];
        for (int k = 1; k < NODE_INPUTS; k++) {
            node.input[k] = NODE_NONE;
        }
        for (int k = 0; k < NODE_PARAMS; k++) {
            node.param[k] = PARAM_NONE;
        }
        if (bytes) {
            node.scale = pass->entry[id]->scale;
            node.zero = pass->entry[id]->zero;
        }
        node.name = arena_format(pass->result->arena, "%s.%s", from->name, op_row(op)->name);
        *place = append(pass, node);
    }
    return *place;
}

// Whether a node reads its inputs as bytes.
static bool reads_bytes(const Pass *pass, NodeId id) {
    const Node *node = &pass->graph->nodes[id];
    return pass->computes[id] || (is_copy(node->op) && pass->bytes[id]) ||
           (node->op == OP_GLOBAL_POOL && pass->bytes[node->input[0]]);
}

static bool emit_nodes(Pass *pass) {
    const Graph *graph = pass->graph;
    Graph *result = pass->result;
    for (NodeId i = 0; i < graph->node_count; i++) {
        Node node = graph->nodes[i];
        for (int k = 0; k < NODE_INPUTS && node.input[k] != NODE_NONE; k++) {
            node.input[k] = value_as(pass, node.input[k], reads_bytes(pass, i));
        }
        node.bytes = pass->bytes[i];
        if (node.bytes) {
            node.scale = pass->entry[i]->scale;
            node.zero = pass->entry[i]->zero;
        }
        *(node.bytes ? &pass->as_bytes[i] : &pass->as_float[i]) = append(pass, node);
    }
    result->input = pass->as_float[graph->input];
    result->output = pass->as_float[graph->output];
    return graph_detach(result, graph);
}

static bool pass_allocate(Pass *pass, Arena *scratch) {
    const size_t nodes = (size_t)pass->graph->node_count;
    Graph *result = pass->result;
    pass->entry = arena_alloc(scratch, nodes * sizeof *pass->entry);
    pass->in_float = arena_alloc(scratch, nodes * sizeof *pass->in_float);
    pass->computes = arena_alloc(scratch, nodes * sizeof *pass->computes);
    pass->wanted = arena_alloc(scratch, nodes * sizeof *pass->wanted);
    pass->bytes = arena_alloc(scratch, nodes * sizeof *pass->bytes);
    pass->as_float = arena_alloc(scratch, nodes * sizeof *pass->as_float);
    pass->as_bytes = arena_alloc(scratch, nodes * sizeof *pass->as_bytes);
    // A node has at most one conversion: its value is made in one form.
    result->nodes = arena_alloc(result->arena, 2 * nodes * sizeof *result->nodes);
    result->node_capacity = 2 * pass->graph->node_count;
    if (pass->entry == NULL || pass->in_float == NULL || pass->computes == NULL ||
        pass->wanted == NULL || pass->bytes == NULL || pass->as_float == NULL ||
        pass->as_bytes == NULL || result->nodes == NULL) {
        return false;
    }
    for (size_t i = 0; i < nodes; i++) {
        pass->as_float[i] = pass->as_bytes[i] = NODE_NONE;
    }
    return true;
}

Status graph_quantize(const Graph *fused, const Quantization *table, Graph **out) {
    *out = NULL;
    TRY(graph_status(fused));
    Arena *scratch = arena_create();
    Pass pass = {.graph = fused, .result = graph_create()};
    Status status = STATUS_OK;
    bool done = scratch != NULL && pass.result != NULL && pass_allocate(&pass, scratch);
    if (done) {
        status = read_table(&pass, table);
    }
    if (done && status == STATUS_OK) {
        find_wanted(&pass);
        find_bytes(&pass);
        done = emit_nodes(&pass);
    }
    arena_destroy(scratch);
    if (!done) {
        status = status_fail(STATUS_FAILED, "cannot get memory to quantise a graph");
    }
    if (status != STATUS_OK) {
        graph_destroy(pass.result);
        return status;
    }
    *out = pass.result;
    return STATUS_OK;
}
