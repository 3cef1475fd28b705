// SPDX-License-Identifier: Apache-2.0
// What a network is: a list of nodes, each an operation on the results of earlier nodes.
//
//     Graph *g = graph_create();
//     NodeId x = graph_input(g, (Shape){3, 32, 32});
//     NodeId y = graph_relu(g, graph_norm(g, graph_conv(g, x, (ConvAttr){...}, "conv1"), "bn1"));
//     y = graph_linear(g, graph_global_pool(g, y), 10, "fc");
//     graph_set_output(g, y);
//     TRY(graph_status(g));          // the first bad shape, if any, as one sentence
//
// There is no arithmetic here. Shapes are those of one sample; the batch comes with the plan.
// The order of the list is topological: the forward pass walks it, the backward pass walks it in
// reverse. Building is sticky: after the first error every call returns NODE_NONE and the graph
// keeps that error. Everything lives in the graph's arena.
#ifndef RESNET_GRAPH_GRAPH_H
#define RESNET_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"

typedef int32_t NodeId;
typedef int32_t ParamId;

enum {
    NODE_NONE = -1,
    PARAM_NONE = -1,
    NODE_INPUTS = 4,     // most inputs of a node (concat has up to four branches: inception)
    NODE_PARAMS = 6,     // most parameters of a node (a convolution with a bias and a folded norm)
    PARAM_ALIGNMENT = 16 // parameters begin at multiples of this many elements in their block
};

// One sample's extents; a vector is {channels, 1, 1}. In memory channels come last: [H][W][C].
typedef struct Shape {
    int32_t channels, height, width;
} Shape;

// channels * height * width.
size_t shape_elements(Shape shape);

// Values held as bytes have their channels padded to a multiple of 4 in each pixel, so that a pixel
// is a whole number of 4-byte elements; what the padding holds is anything. Bytes from one pixel to
// the next:
size_t shape_byte_pixel(Shape shape);

// The closed set of operations; op.h has a row for each.
typedef enum OpKind {
    OP_INPUT,
    OP_CONV, // + bias?, + folded norm?, + input[1]?, relu? (the last three by fusion only)
    OP_NORM, // batch normalisation; + input[1]?, relu? (by fusion only)
    OP_RELU,
    OP_SIGMOID,
    OP_ADD,    // input[0] + input[1]; relu? (by fusion only)
    OP_GATE,   // input[0] * input[1]: a factor for each channel (squeeze-excite)
    OP_CONCAT, // along channels, two to four inputs
    OP_MAX_POOL,
    OP_AVG_POOL,
    OP_GLOBAL_POOL,  // mean over height and width
    OP_LINEAR,       // weight [out, channels*height*width] in the checkpoint's order (c, y, x)
    OP_PAD_SHORTCUT, // option A: every stride-th pixel, zero channels added, half on each side
    OP_DROPOUT,
    OP_LRN,        // AlexNet's local response normalisation across channels
    OP_QUANTIZE,   // float -> bytes (by graph_quantize() only, as is all that has to do with bytes)
    OP_DEQUANTIZE, // bytes -> float
    OP_SOFTMAX_LOSS, // cross-entropy of each sample with its label; output {1, 1, 1}
    OP_COUNT
} OpKind;

typedef struct ConvAttr {
    int32_t out_channels;
    int32_t kernel_height, kernel_width;
    int32_t stride, pad, groups; // groups 0 reads as 1
    bool bias;
} ConvAttr;

typedef struct PoolAttr {
    int32_t kernel, stride, pad;
    bool ceil;        // output extents rounded up (GoogLeNet), windows never starting in the pad
    bool include_pad; // average over the whole window (PyTorch's default) or its inside
    // Average only; above 0 it takes the place of all the others: so many windows along each axis,
    // as even as they go. Of n pixels window i covers floor(i*n/adaptive) …
    // ceil((i+1)*n/adaptive)-1 (PyTorch's AdaptiveAvgPool2d).
    int32_t adaptive;
} PoolAttr;

typedef struct NormAttr {
    float epsilon; // 1e-5
} NormAttr;

typedef struct PadShortcutAttr {
    int32_t out_channels, stride;
} PadShortcutAttr;

typedef struct LrnAttr {
    int32_t size;
    float alpha, beta, k; // x / (k + alpha/size * sum of squares)^beta
} LrnAttr;

typedef struct LossAttr {
    float weight;    // of this loss in the total: 1, or 0.3 for auxiliary heads
    float smoothing; // label smoothing: target = (1-s)*onehot + s/classes
} LossAttr;

typedef struct Node {
    OpKind op;
    NodeId input[NODE_INPUTS]; // NODE_NONE where absent
    Shape shape;               // of the output
    union {
        ConvAttr conv;
        PoolAttr pool;
        NormAttr norm;
        PadShortcutAttr pad_shortcut;
        LrnAttr lrn;
        LossAttr loss;
        struct {
            float rate;
        } dropout;
    };
    // What fusion adds. A fused convolution computes relu(norm(conv(x)) + residual), a fused norm
    // relu(norm(x) + residual), a fused add relu(a + b); each part only where it is set.
    // The residual is input[1].
    bool relu;
    bool folded_norm; // convolution only: params 2…5 are the norm's, folded into the weights
    float folded_epsilon;
    // What quantisation adds: the output is held as bytes, value = scale * (byte - zero), where
    // zero is 0 (no value is below 0) or 128.
    bool bytes;
    float scale;
    int32_t zero;
    bool bf16; // the layer multiplies in bf16 (set by graph_use_bf16() only)
    // By kind: conv {weight, bias, then folded: scale, shift, mean, variance};
    // norm {scale, shift, mean, variance}; linear {weight, bias}. PARAM_NONE where absent.
    ParamId param[NODE_PARAMS];
    const char *name;  // "layer3.5.conv2"; unique; fused nodes keep the name of their last part
    const char *first; // fused nodes: the name of their first part, whose op they have; else NULL
} Node;

typedef enum ParamRole {
    PARAM_WEIGHT,
    PARAM_BIAS,
    PARAM_NORM_SCALE,
    PARAM_NORM_SHIFT,
    PARAM_RUNNING_MEAN,
    PARAM_RUNNING_VARIANCE
} ParamRole;

typedef struct Param {
    const char *name; // torchvision's: "layer3.5.conv2.weight", "bn1.running_mean"
    ParamId id;       // its place in the graph's list
    ParamRole role;
    int32_t rank;
    int32_t dims[4]; // as the checkpoint has it: OIHW for convolutions
    size_t elements;
    size_t offset; // in elements, in its block
    // How a fresh network fills it: init_value + init_deviation * normal.
    float init_value, init_deviation;
} Param;

// Elements of memory that one sample of the node's value takes: a float each, or four bytes.
size_t node_elements(const Node *node);

// Whether a parameter lives in the block of running statistics, which has no gradient.
bool param_is_running(ParamRole role);

typedef struct Graph {
    Arena *arena;
    Node *nodes;
    int32_t node_count, node_capacity;
    int32_t *name_slots; // while building: hash table of the nodes' names, id + 1 or 0
    uint32_t name_slot_count;
    Param *params;
    int32_t param_count, param_capacity;
    size_t trainable_elements, running_elements; // sizes of the two blocks, padding included
    NodeId input, output;                        // output: the logits
    const char *model;                           // name of the architecture
    const char *error;                           // first error; NULL while all is well
    char scope[256];                             // prefix of names while building
    uint8_t scope_length[16];                    // of the prefix before each graph_push()
    int32_t scope_depth;
} Graph;

// NULL when memory is out.
Graph *graph_create(void);
void graph_destroy(Graph *graph);

// STATUS_OK, or the graph's first error as a failure.
Status graph_status(const Graph *graph);
// Poisons the graph: keeps the first error only. Returns NODE_NONE.
NodeId graph_fail(Graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Names of the nodes and parameters added inside are "SCOPE.NAME"; scopes nest.
void graph_push(Graph *graph, const char *format, ...) __attribute__((format(printf, 2, 3)));
void graph_pop(Graph *graph);

// Builders. Each returns the new node, or NODE_NONE once the graph is poisoned (also when handed
// NODE_NONE). `name` is local to the scope; NULL derives one from the input's name and the op.
NodeId graph_input(Graph *graph, Shape shape);
NodeId graph_conv(Graph *graph, NodeId x, ConvAttr attr, const char *name);
NodeId graph_norm(Graph *graph, NodeId x, const char *name);
NodeId graph_relu(Graph *graph, NodeId x);
NodeId graph_sigmoid(Graph *graph, NodeId x);
NodeId graph_add(Graph *graph, NodeId a, NodeId b, const char *name);
NodeId graph_gate(Graph *graph, NodeId x, NodeId factors, const char *name);
NodeId graph_concat(Graph *graph, const NodeId *inputs, int count, const char *name);
NodeId graph_max_pool(Graph *graph, NodeId x, PoolAttr attr, const char *name);
NodeId graph_avg_pool(Graph *graph, NodeId x, PoolAttr attr, const char *name);
NodeId graph_global_pool(Graph *graph, NodeId x);
NodeId graph_linear(Graph *graph, NodeId x, int out_features, const char *name);
NodeId graph_pad_shortcut(Graph *graph, NodeId x, PadShortcutAttr attr, const char *name);
NodeId graph_dropout(Graph *graph, NodeId x, float rate, const char *name);
NodeId graph_lrn(Graph *graph, NodeId x, LrnAttr attr, const char *name);
NodeId graph_softmax_loss(Graph *graph, NodeId logits, LossAttr attr, const char *name);

void graph_set_output(Graph *graph, NodeId logits);
// The shape of a node; zeros for NODE_NONE.
Shape graph_shape(const Graph *graph, NodeId node);
// The node of that name; NODE_NONE when there is none.
NodeId graph_find_node(const Graph *graph, const char *name);
// For passes that rewrite a graph: gives `to`, whose nodes may have names that belong to `from`,
// the parameters too, and copies of all names, so that `from` may go; false when memory is out.
bool graph_detach(Graph *to, const Graph *from);
// The parameter of that name; PARAM_NONE when there is none.
ParamId graph_find_param(const Graph *graph, const char *name);
// Whether two parameters have the same extents.
bool param_same_extents(const Param *a, const Param *b);
// Whether the first parameters of `graph` are all those of `part`, by name, extents and offset:
// blocks laid out for `graph` then serve both.
bool graph_begins_with(const Graph *graph, const Graph *part);

#endif
