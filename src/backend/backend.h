// SPDX-License-Identifier: Apache-2.0
// How an op runs: the contract between the network, which knows which values exist and where they
// lie, and a backend, which does arithmetic. Three tables implement it: reference in float, the
// same source in double, and cpu.
//
// Activations are [batch][height][width][channels]; parameters as the checkpoint has them. Element
// type is the backend's: `element_size` bytes, float or double. Attributes stay float. Values of
// nodes that say so are bytes (int8.h), the same ones in every backend; layers that say so multiply
// in bf16 (base/bf16.h).
//
// Exactness: results depend on the call's arguments only, not on the number of threads, and for the
// cpu backend not on the instruction set among those with FMA.
#ifndef RESNET_BACKEND_BACKEND_H
#define RESNET_BACKEND_BACKEND_H

#include "base/threads.h"
#include "graph/graph.h"

typedef enum Phase {
    PHASE_INFERENCE, // norms use running statistics; nothing is put aside
    PHASE_TRAINING   // norms use the batch's statistics and update the running ones
} Phase;

// What a layer multiplies: floats, bytes (int8.h) or bf16 (base/bf16.h).
typedef enum Arithmetic { ARITHMETIC_FLOAT, ARITHMETIC_BYTES, ARITHMETIC_BF16 } Arithmetic;

// One node's run. Pointers are NULL where the node has no such thing.
typedef struct Call {
    const Node *node;
    const Node *input_node[NODE_INPUTS]; // NULL: an input of floats of that shape
    Shape input_shape[NODE_INPUTS];
    int batch;   // samples in this call
    int planned; // most samples of any call: what prepared_size() and workspace_size() were told
    Phase phase;

    // Forward. `output` may equal input[0] where op_row()->in_place. OP_INPUT is never called.
    const void *input[NODE_INPUTS];
    void *output;
    void *saved; // training: written by forward, read by backward
    void *
        param[NODE_PARAMS]; // values, in the node's order; only norm writes (running mean/variance)
    void *prepared;         // packed parameters: prepared_size() bytes, filled by prepare()
    const int32_t *labels;  // softmax loss: [batch], each in 0 … classes-1, checked by the caller
    // running = (1-m)*running + m*batch's (variance unbiased: n/(n-1)); 0: they are left alone
    float norm_momentum;
    float loss_scale; // softmax loss, backward: gradient of the total for each sample's loss
    uint64_t seed,
        iteration; // dropout's draws: RANDOM_DROPOUT, major = iteration << 16 | node index
    int32_t node_index;
    int64_t first_sample; // index of this call's first sample in the whole batch (shards)

    // Backward. Gradients of parameters are overwritten. The gradient of input k is written when
    // accumulate[k] is false and added to when it is true; NULL when not wanted. It may be the same
    // memory as output_gradient where op_gradient_in_place() allows. output_gradient may be
    // destroyed only through such sharing.
    const void *output_gradient; // softmax loss: NULL, it begins the backward pass
    void *input_gradient[NODE_INPUTS];
    bool accumulate[NODE_INPUTS];
    void *param_gradient[NODE_PARAMS]; // NULL for running statistics

    void *workspace; // workspace_size() bytes, aligned to BLOCK_ALIGNMENT, contents undefined
    Threads *threads;
} Call;

// Whether input k is bytes.
static inline bool call_reads_bytes(const Call *call, int k) {
    return call->input_node[k] != NULL && call->input_node[k]->bytes;
}

typedef struct Backend {
    const char *name;    // "reference", "reference double", "cpu avx512"
    size_t element_size; // 4 or 8
    // Bytes of packed parameters of a node for a phase and passes of at most so many samples; 0 for
    // none. Depends on shapes only.
    size_t (*prepared_size)(const Graph *graph, const Node *node, int batch, Phase phase);
    // Bytes of scratch that forward and backward of a node need, for a pool of that many threads.
    size_t (*workspace_size)(const Graph *graph, const Node *node, int batch, Phase phase,
                             int threads);
    // Packs the node's parameters (and folds its norm) into call->prepared. Uses node, param,
    // prepared, phase, workspace and threads of the call; called again after parameters change.
    void (*prepare)(const Call *call);
    void (*forward)(const Call *call);
    void (*backward)(const Call *call);
    // Training: a convolution and the norm behind it together, with the same results. Backward the
    // norm is the only one that reads the convolution's output, and the gradient of that need not
    // be left behind. NULL: one runs after the other.
    void (*forward_pair)(const Call *conv, const Call *norm);
    void (*backward_pair)(const Call *conv, const Call *norm);
    // How a node is computed, where there is a choice: "direct", "winograd", "int8", "bf16";
    // else NULL.
    const char *(*path)(const Graph *graph, const Node *node, Phase phase);
    // Measures the most operations a second in this arithmetic that the pool's workers reach
    // together; takes some hundredths of a second. NULL for the references.
    double (*peak)(Arithmetic of, Threads *threads);
} Backend;

extern const Backend backend_reference;        // float
extern const Backend backend_reference_double; // double

// The fast backend for this machine: the best instruction set, or the one that the environment's
// RESNET_ISA names. STATUS_USAGE when that is unknown or not to be had here.
Status backend_cpu(const Backend **out);

#endif
