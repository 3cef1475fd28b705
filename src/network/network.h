// SPDX-License-Identifier: Apache-2.0
// A graph, a backend and planned memory, joined: the forward and the backward pass.
#ifndef RESNET_NETWORK_NETWORK_H
#define RESNET_NETWORK_NETWORK_H

#include "backend/backend.h"
#include "graph/graph.h"
#include "graph/quantize.h"

// The parameters of one graph in four blocks with the same offsets (Param.offset), so that the
// update, a checkpoint and an all-reduce are each one loop over one array:
//
//     values    | gradients | momentum          trainable_elements each
//     running                                   running_elements: means and variances
//
// Elements have the backend's type. gradients and momentum are NULL unless asked for.
//
// Inference can do without a copy of weights that lie in a mapped file: they are borrowed, and
// their places in the blocks are never touched, so that they cost no memory.
typedef struct Parameters {
    size_t element_size;
    void *values, *gradients, *momentum, *running;
    const void **borrowed; // by Param.id: where values lie instead; NULL for none
} Parameters;

Status parameters_create(const Graph *graph, size_t element_size, bool training, Parameters **out);
void parameters_destroy(Parameters *parameters);
// He initialisation (paper §3.4, [13]): by Param.init_*, drawn by (seed, name, element).
void parameters_init(Parameters *parameters, const Graph *graph, uint64_t seed);
// From now on the parameter's values are those at `values`, which must outlive the parameters and
// are only read.
Status parameters_borrow(Parameters *parameters, const Graph *graph, const Param *param,
                         const void *values);
// Ends the borrowing of one parameter: the place of its own, to be filled by the caller.
void *parameters_own(Parameters *parameters, const Param *param);
// Where a parameter's values lie (in `values` or `running`, or borrowed), its gradient (NULL for
// running).
void *parameters_values(const Parameters *parameters, const Param *param);
void *parameters_gradient(const Parameters *parameters, const Param *param);

typedef struct NetworkOptions {
    const Backend *backend;
    Threads *threads; // NULL: the caller's thread only
    int batch;        // most samples in one pass
    Phase phase;
    bool fuse; // run the fused form of the graph
    // Inference of the fused form only: which of its values are bytes. NULL: none. Read when the
    // network is made.
    const Quantization *quantization;
    bool bf16;        // inference of the fused form only: graph_use_bf16()
    bool keep_values; // every node's output stays readable after forward (more memory)
    // Training: keep block inputs only and run the rest forward again in the backward pass
    // (activation checkpointing): less memory, the same bits, about a third more time.
    bool recompute;
} NetworkOptions;

typedef struct Network Network;

// `graph` and `parameters` must outlive the network, and several networks may share them (one that
// trains, one that evaluates). After this call no pass allocates.
Status network_create(const Graph *graph, Parameters *parameters, const NetworkOptions *options,
                      Network **out);
void network_destroy(Network *network);

// Bytes that network_create() takes for these options (activations, saved, prepared, workspace),
// without taking them: for `resnet summary` and for refusing early. Parameters are apart.
Status network_bytes(const Graph *graph, const NetworkOptions *options, size_t *bytes);

// The place for the next batch: [batch][height][width][channels] in the backend's element type.
void *network_input(Network *network);
// The place for its labels [batch]; only networks whose graph has a loss read them.
int32_t *network_labels(Network *network);

// Tells an inference network that parameters changed; training ones look at every pass.
void network_refresh(Network *network);

typedef struct PassOptions {
    int count;           // samples in this pass, 1 … batch
    float norm_momentum; // 0.1; training only
    float loss_scale;    // 1 / samples of the whole batch; training only
    uint64_t seed, iteration;
    int64_t first_sample;
    double *seconds; // by node of network_graph(): the time that each takes is written there; NULL
} PassOptions;

void network_forward(Network *network, const PassOptions *pass);
// After network_forward() with the same `pass`. Overwrites the gradients of all parameters.
void network_backward(Network *network, const PassOptions *pass);

// The result of the last pass: the logits [count][classes].
const void *network_output(const Network *network);
// The weighted sum of all losses of sample i (0 … count-1), in double.
double network_loss(const Network *network, int sample);
// A node's output by name, NULL when there is no such node in the (fused) graph or its value is not
// kept; its shape in *shape. The graph that runs: network_graph(). Of a node whose value is bytes,
// these (shape_byte_pixel()).
const void *network_value(const Network *network, const char *node, Shape *shape);
const Graph *network_graph(const Network *network);
// How the backend computes a node, where it has a choice; else NULL.
const char *network_path(const Network *network, NodeId node);
// The gradient of the loss with respect to a parameter's norm etc. is in Parameters.gradients.

// Runs forward again and returns the name of the first node whose result is not finite; NULL when
// all are. For the sentence that ends a training gone wrong; running statistics are left alone.
const char *network_find_nonfinite(Network *network, const PassOptions *pass);

#endif
