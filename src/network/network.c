// SPDX-License-Identifier: Apache-2.0
// The passes: a flat list of calls, one for each node, whose pointers are fixed when the network is
// made. Memory is three blocks besides the parameters:
//
//     planned    values, gradients, saved: offsets from the plan (graph/plan.h)
//     prepared   packed parameters of each node, one after the other
//     workspace  scratch, as much as the neediest node wants
#include "network/network.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "graph/bf16.h"
#include "graph/fuse.h"
#include "graph/op.h"
#include "graph/plan.h"

struct Network {
    const Backend *backend;
    Threads *threads;
    Parameters *parameters;
    const Graph *graph; // the one that runs
    Graph *fused;       // owned; NULL when the plain graph runs
    Arena *arena;       // the plan and the calls
    Plan *plan;
    int batch;
    Phase phase;
    bool keep_values;
    bool stale;       // inference: parameters changed since prepare()
    Call *calls;      // by node
    Call *late_calls; // the same for the backward pass, where values that run again lie elsewhere
    void *planned, *prepared, *workspace;
    size_t planned_bytes, prepared_bytes, workspace_bytes;
    int32_t *labels;
};

// Fuses, plans, and adds up sizes: all of a network but its blocks.
static Status network_layout(Network *network, const Graph *graph, const NetworkOptions *options) {
    TRY(graph_status(graph));
    assert(options->batch > 0);
    network->backend = options->backend;
    network->threads = options->threads;
    network->batch = options->batch;
    network->phase = options->phase;
    network->keep_values = options->keep_values;
    bool training = options->phase == PHASE_TRAINING;
    if (options->fuse) {
        TRY(graph_fuse(graph, training ? FUSE_FOR_TRAINING : FUSE_FOR_INFERENCE, &network->fused));
    }
    if (options->quantization != NULL) {
        assert(options->fuse && !training);
        Graph *fused = network->fused;
        Status status = graph_quantize(fused, options->quantization, &network->fused);
        graph_destroy(fused);
        TRY(status);
    }
    if (options->bf16) {
        assert(options->fuse && !training);
        graph_use_bf16(network->fused);
    }
    network->graph = network->fused != NULL ? network->fused : graph;
    network->arena = arena_create();
    if (network->arena == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for the plan");
    }
    const PlanOptions plan = {.batch = options->batch,
                              .training = training,
                              .keep_values = options->keep_values,
                              .recompute = options->recompute};
    TRY(plan_create(network->graph, network->arena, &plan, &network->plan));
    network->planned_bytes = network->plan->elements * options->backend->element_size;
    int threads = threads_count(options->threads);
    for (NodeId i = 0; i < network->graph->node_count; i++) {
        const Node *node = &network->graph->nodes[i];
        if (node->op == OP_INPUT) {
            continue;
        }
        network->prepared_bytes += block_aligned(
            options->backend->prepared_size(network->graph, node, options->batch, options->phase));
        size_t workspace = options->backend->workspace_size(network->graph, node, options->batch,
                                                            options->phase, threads);
        if (workspace > network->workspace_bytes) {
            network->workspace_bytes = workspace;
        }
    }
    return STATUS_OK;
}

static void *planned_at(const Network *network, int64_t offset) {
    if (offset == PLAN_NOWHERE) {
        return NULL;
    }
    return (char *)network->planned + (size_t)offset * network->backend->element_size;
}

// Fills the fixed part of a node's call; `value` says where values are, `prepared` is its place in
// that block.
static void call_init(const Network *network, NodeId id, const int64_t *value, void *prepared,
                      Call *call) {
    const Graph *graph = network->graph;
    const Node *node = &graph->nodes[id];
    const Plan *plan = network->plan;
    *call = (Call){
        .node = node,
        .phase = network->phase,
        .planned = network->batch,
        .output = planned_at(network, value[id]),
        .prepared = prepared,
        .labels = node->op == OP_SOFTMAX_LOSS ? network->labels : NULL,
        .node_index = id,
        .workspace = network->workspace,
        .threads = network->threads,
    };
    for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
        call->input_node[k] = &graph->nodes[node->input[k]];
        call->input_shape[k] = graph->nodes[node->input[k]].shape;
        call->input[k] = planned_at(network, value[node->input[k]]);
    }
    for (int k = 0; k < NODE_PARAMS; k++) {
        if (node->param[k] != PARAM_NONE) {
            const Param *param = &graph->params[node->param[k]];
            call->param[k] = parameters_values(network->parameters, param);
            call->param_gradient[k] = parameters_gradient(network->parameters, param);
        }
    }
    if (network->phase == PHASE_TRAINING) {
        call->saved = planned_at(network, plan->saved[id]);
        call->output_gradient = planned_at(network, plan->gradient[id]);
        for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
            call->input_gradient[k] = planned_at(network, plan->gradient[node->input[k]]);
            call->accumulate[k] = !plan->first[id * NODE_INPUTS + k];
        }
    }
}

static Status network_allocate(Network *network) {
    const Graph *graph = network->graph;
    network->calls = arena_alloc(network->arena, (size_t)graph->node_count * sizeof(Call));
    network->late_calls = network->calls;
    if (network->plan->segment_count > 1) {
        network->late_calls = arena_alloc(network->arena, (size_t)graph->node_count * sizeof(Call));
    }
    network->labels = arena_alloc(network->arena, (size_t)network->batch * sizeof(int32_t));
    if (network->calls == NULL || network->late_calls == NULL || network->labels == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for %d layers", graph->node_count);
    }
    TRY(block_alloc(network->planned_bytes, "activations", &network->planned));
    TRY(block_alloc(network->prepared_bytes, "packed weights", &network->prepared));
    TRY(block_alloc(network->workspace_bytes, "workspace", &network->workspace));
    char *prepared = network->prepared;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        if (node->op == OP_INPUT) {
            continue;
        }
        size_t bytes = network->backend->prepared_size(graph, node, network->batch, network->phase);
        const Plan *plan = network->plan;
        call_init(network, i, plan->value, bytes > 0 ? prepared : NULL, &network->calls[i]);
        if (network->late_calls != network->calls) {
            call_init(network, i, plan->late_value, bytes > 0 ? prepared : NULL,
                      &network->late_calls[i]);
        }
        prepared += block_aligned(bytes);
    }
    network->stale = true;
    return STATUS_OK;
}

Status network_create(const Graph *graph, Parameters *parameters, const NetworkOptions *options,
                      Network **out) {
    *out = NULL;
    assert(parameters->element_size == options->backend->element_size);
    assert(options->phase == PHASE_INFERENCE || parameters->gradients != NULL);
    Network *network = calloc(1, sizeof *network);
    if (network == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a network");
    }
    network->parameters = parameters;
    Status status = network_layout(network, graph, options);
    if (status == STATUS_OK) {
        status = network_allocate(network);
    }
    if (status != STATUS_OK) {
        network_destroy(network);
        return status;
    }
    *out = network;
    return STATUS_OK;
}

void network_destroy(Network *network) {
    if (network == NULL) {
        return;
    }
    block_free(network->planned);
    block_free(network->prepared);
    block_free(network->workspace);
    graph_destroy(network->fused);
    arena_destroy(network->arena);
    free(network);
}

Status network_bytes(const Graph *graph, const NetworkOptions *options, size_t *bytes) {
    Network layout = {0};
    Status status = network_layout(&layout, graph, options);
    *bytes = layout.planned_bytes + layout.prepared_bytes + layout.workspace_bytes;
    graph_destroy(layout.fused);
    arena_destroy(layout.arena);
    return status;
}

void *network_input(Network *network) {
    return planned_at(network, network->plan->value[network->graph->input]);
}

int32_t *network_labels(Network *network) { return network->labels; }

void network_refresh(Network *network) { network->stale = true; }

// Sets what changes from pass to pass.
static void call_begin(Call *call, const PassOptions *pass) {
    call->batch = pass->count;
    call->norm_momentum = pass->norm_momentum;
    call->loss_scale = pass->loss_scale;
    call->seed = pass->seed;
    call->iteration = pass->iteration;
    call->first_sample = pass->first_sample;
}

// Whether convolution `id` and the norm behind it run together: not where each is timed.
static bool runs_pair(const Network *network, NodeId id, const PassOptions *pass) {
    return network->plan->pair[id] && network->backend->forward_pair != NULL &&
           pass->seconds == NULL;
}

static void forward_begin(Network *network, Call *call, const PassOptions *pass) {
    call_begin(call, pass);
    if ((network->stale || network->phase == PHASE_TRAINING) && call->prepared != NULL) {
        network->backend->prepare(call);
    }
}

static void forward_node(Network *network, NodeId id, const PassOptions *pass) {
    Call *call = &network->calls[id];
    if (call->node == NULL) {
        return; // the input
    }
    forward_begin(network, call, pass);
    network->backend->forward(call);
}

// Convolution `id` and the norm behind it.
static void forward_pair(Network *network, NodeId id, const PassOptions *pass) {
    Call *conv = &network->calls[id], *norm = &network->calls[id + 1];
    forward_begin(network, conv, pass);
    forward_begin(network, norm, pass);
    network->backend->forward_pair(conv, norm);
}

// The clock, for passes that are timed.
static double pass_clock(const PassOptions *pass) {
    return pass->seconds != NULL ? clock_seconds() : 0;
}

static void note_time(const PassOptions *pass, NodeId node, double begin) {
    if (pass->seconds != NULL) {
        pass->seconds[node] = clock_seconds() - begin;
    }
}

void network_forward(Network *network, const PassOptions *pass) {
    assert(pass->count > 0 && pass->count <= network->batch);
    for (NodeId i = 0; i < network->graph->node_count; i++) {
        if (runs_pair(network, i, pass)) {
            forward_pair(network, i++, pass);
            continue;
        }
        const double begin = pass_clock(pass);
        forward_node(network, i, pass);
        note_time(pass, i, begin);
    }
    network->stale = false;
}

// Runs forward again what the segment's backward pass needs. Weights are still packed, and the
// running statistics have had this batch.
static void segment_again(Network *network, int32_t segment, const PassOptions *pass) {
    const Plan *plan = network->plan;
    for (NodeId i = plan->segment[segment]; i < plan->segment[segment + 1]; i++) {
        const double begin = pass_clock(pass);
        if (plan->again[i]) {
            Call *call = &network->late_calls[i];
            call_begin(call, pass);
            call->norm_momentum = 0;
            network->backend->forward(call);
        }
        note_time(pass, i, begin);
    }
}

static void backward_node(Network *network, NodeId id, const PassOptions *pass) {
    Call *call = &network->late_calls[id];
    bool begins = call->node != NULL && call->node->op == OP_SOFTMAX_LOSS;
    // A value that no loss depends on has no gradient, and its parameters' stay zero.
    if (call->node != NULL && (call->output_gradient != NULL || begins) &&
        network->plan->needs_gradient[id]) {
        call_begin(call, pass);
        network->backend->backward(call);
    }
}

// Convolution `id` and the norm behind it.
static void backward_pair(Network *network, NodeId id, const PassOptions *pass) {
    Call *conv = &network->late_calls[id], *norm = &network->late_calls[id + 1];
    call_begin(conv, pass);
    call_begin(norm, pass);
    network->backend->backward_pair(conv, norm);
}

void network_backward(Network *network, const PassOptions *pass) {
    assert(network->phase == PHASE_TRAINING);
    const Plan *plan = network->plan;
    for (int32_t s = plan->segment_count - 1; s >= 0; s--) {
        segment_again(network, s, pass);
        for (NodeId i = plan->segment[s + 1] - 1; i >= plan->segment[s]; i--) {
            if (i > plan->segment[s] && runs_pair(network, i - 1, pass)) {
                backward_pair(network, --i, pass);
                continue;
            }
            // The node's time has that of running again in it.
            const double begin = pass_clock(pass) - (pass->seconds != NULL ? pass->seconds[i] : 0);
            backward_node(network, i, pass);
            note_time(pass, i, begin);
        }
    }
}

const void *network_output(const Network *network) {
    return planned_at(network, network->plan->value[network->graph->output]);
}

static double element_at(const Network *network, const void *values, size_t index) {
    return network->backend->element_size == sizeof(double) ? ((const double *)values)[index]
                                                            : ((const float *)values)[index];
}

double network_loss(const Network *network, int sample) {
    double total = 0;
    for (NodeId i = 0; i < network->graph->node_count; i++) {
        if (network->graph->nodes[i].op == OP_SOFTMAX_LOSS) {
            total += element_at(network, network->calls[i].output, (size_t)sample);
        }
    }
    return total;
}

const void *network_value(const Network *network, const char *node, Shape *shape) {
    const Graph *graph = network->graph;
    const NodeId id = graph_find_node(graph, node);
    if (id == NODE_NONE || (!network->keep_values && id != graph->output)) {
        return NULL;
    }
    *shape = graph->nodes[id].shape;
    return planned_at(network, network->plan->value[id]);
}

const Graph *network_graph(const Network *network) { return network->graph; }

const char *network_path(const Network *network, NodeId node) {
    return network->backend->path(network->graph, &network->graph->nodes[node], network->phase);
}

const char *network_find_nonfinite(Network *network, const PassOptions *pass) {
    size_t bytes = network->graph->running_elements * network->backend->element_size;
    void *running = malloc(bytes > 0 ? bytes : 1);
    if (running == NULL) {
        return NULL;
    }
    if (bytes > 0) {
        memcpy(running, network->parameters->running, bytes);
    }
    const char *found = NULL;
    for (NodeId i = 0; i < network->graph->node_count && found == NULL; i++) {
        const Node *node = &network->graph->nodes[i];
        forward_node(network, i, pass);
        const void *values = planned_at(network, network->plan->value[i]);
        size_t elements = node->bytes ? 0 : shape_elements(node->shape) * (size_t)pass->count;
        for (size_t e = 0; e < elements; e++) {
            if (!isfinite(element_at(network, values, e))) {
                found = node->name;
                break;
            }
        }
    }
    if (bytes > 0) {
        memcpy(network->parameters->running, running, bytes);
    }
    free(running);
    return found;
}
