// SPDX-License-Identifier: Apache-2.0
#include "train/calibration.h"

#include <float.h>
#include <stdlib.h>

enum { LEVELS_UNSIGNED = 255, LEVELS_SIGNED = 127, ZERO_SIGNED = 128 };

Status calibration_create(Network *network, Threads *threads, Calibration *out) {
    const Graph *graph = network_graph(network);
    size_t nodes = (size_t)graph->node_count, channels = 0;
    *out = (Calibration){.network = network, .threads = threads};
    out->histograms = calloc(nodes, sizeof *out->histograms);
    out->first_sum = calloc(nodes, sizeof *out->first_sum);
    for (size_t i = 0; i < nodes && out->first_sum != NULL; i++) {
        out->first_sum[i] = channels;
        channels += (size_t)graph->nodes[i].shape.channels;
    }
    out->sums = calloc(channels, sizeof *out->sums);
    if (out->histograms == NULL || out->first_sum == NULL || out->sums == NULL) {
        calibration_destroy(out);
        return status_fail(STATUS_FAILED, "cannot get memory for %zu histograms", nodes);
    }
    return STATUS_OK;
}

void calibration_destroy(Calibration *calibration) {
    free(calibration->histograms);
    free(calibration->first_sum);
    free(calibration->sums);
    *calibration = (Calibration){0};
}

// ---- counting -----------------------------------------------------------------------------------

typedef struct Count {
    Calibration *calibration;
    int samples;
} Count;

static void count_node(void *context, int node, int worker) {
    (void)worker;
    const Count *count = context;
    const Calibration *calibration = count->calibration;
    Shape shape;
    const float *values = network_value(
        calibration->network, network_graph(calibration->network)->nodes[node].name, &shape);
    if (values == NULL) {
        return;
    }
    size_t elements = shape_elements(shape) * (size_t)count->samples;
    histogram_add(&calibration->histograms[node], values, elements);
    size_t channels = (size_t)shape.channels;
    double *sums = calibration->sums + calibration->first_sum[node];
    for (size_t begin = 0; begin < elements; begin += channels) {
        for (size_t c = 0; c < channels; c++) {
            sums[c] += (double)values[begin + c];
        }
    }
}

void calibration_add(Calibration *calibration, int count) {
    Count context = {.calibration = calibration, .samples = count};
    threads_run(calibration->threads, network_graph(calibration->network)->node_count, count_node,
                &context);
    calibration->samples += count;
}

double calibration_mean(const Calibration *calibration, NodeId node, int channel) {
    Shape shape = network_graph(calibration->network)->nodes[node].shape;
    double values = (double)calibration->samples * shape.height * shape.width;
    double sum = calibration->sums[calibration->first_sum[node] + (size_t)channel];
    return values > 0 ? sum / values : 0;
}

// ---- the table ----------------------------------------------------------------------------------

static bool inputs_are_unsigned(const Node *node, const bool *is_unsigned) {
    bool all = true;
    for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
        all = all && is_unsigned[node->input[k]];
    }
    return all;
}

// Whether no value of the node can be below 0, whatever the picture.
static bool node_is_unsigned(const Node *node, const bool *is_unsigned) {
    switch (node->op) {
    case OP_RELU:
    case OP_SIGMOID:
        return true;
    case OP_CONV:
    case OP_NORM:
        return node->relu;
    case OP_ADD:
        return node->relu || inputs_are_unsigned(node, is_unsigned);
    case OP_GATE:
    case OP_CONCAT:
    case OP_MAX_POOL:
    case OP_AVG_POOL:
    case OP_GLOBAL_POOL:
    case OP_PAD_SHORTCUT:
    case OP_DROPOUT:
    case OP_LRN:
        return inputs_are_unsigned(node, is_unsigned);
    default:
        return false;
    }
}

// Nodes that share a scale, as a tree: each one's parent, the root being its own. The root is the
// node with the most values: the concatenation, which has those of all its inputs, or what is
// pooled.
static NodeId root_of(const NodeId *parent, NodeId node) {
    while (parent[node] != node) {
        node = parent[node];
    }
    return node;
}

static void join(const Graph *graph, NodeId *parent, NodeId a, NodeId b) {
    a = root_of(parent, a);
    b = root_of(parent, b);
    bool a_larger = shape_elements(graph->nodes[a].shape) >= shape_elements(graph->nodes[b].shape);
    parent[a_larger ? b : a] = a_larger ? a : b;
}

static void find_groups(const Graph *graph, NodeId *parent, bool *is_unsigned) {
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        parent[i] = i;
        is_unsigned[i] = node_is_unsigned(node, is_unsigned);
        for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
            if (node->op == OP_CONCAT || node->op == OP_MAX_POOL) {
                join(graph, parent, i, node->input[k]);
            }
        }
    }
    // A group has signs when one of it has.
    for (NodeId i = 0; i < graph->node_count; i++) {
        NodeId root = root_of(parent, i);
        is_unsigned[root] = is_unsigned[root] && is_unsigned[i];
    }
}

int calibration_levels(int32_t zero) { return zero == 0 ? LEVELS_UNSIGNED : LEVELS_SIGNED; }

static double find_threshold(const Histogram *histogram, ThresholdMethod method, double share,
                             int levels) {
    switch (method) {
    case THRESHOLD_MSE:
        return histogram_least_error(histogram, levels);
    case THRESHOLD_PERCENTILE:
        return histogram_percentile(histogram, share);
    case THRESHOLD_MAX:
        break;
    }
    return histogram_max(histogram);
}

// The scale of the values of `root` and of all that share it.
static Status make_value(const Calibration *calibration, NodeId root, ThresholdMethod method,
                         double share, bool is_unsigned, QuantizedValue *out) {
    const Histogram *histogram = &calibration->histograms[root];
    if (histogram->nonfinite > 0) {
        return status_fail(
            STATUS_FAILED, "%s: %llu of its %llu values on the calibration pictures are not finite",
            network_graph(calibration->network)->nodes[root].name,
            (unsigned long long)histogram->nonfinite, (unsigned long long)histogram->count);
    }
    out->zero = is_unsigned ? 0 : ZERO_SIGNED;
    int levels = calibration_levels(out->zero);
    double threshold = find_threshold(histogram, method, share, levels);
    out->scale = (float)(threshold / levels);
    out->scale = out->scale < FLT_MIN ? FLT_MIN : out->scale;
    return STATUS_OK;
}

static Status fill_table(const Calibration *calibration, ThresholdMethod method, double share,
                         NodeId *parent, bool *is_unsigned, Quantization *out) {
    const Graph *graph = network_graph(calibration->network);
    find_groups(graph, parent, is_unsigned);
    for (NodeId i = 0; i < graph->node_count; i++) {
        NodeId root = root_of(parent, i);
        QuantizedValue *value = &out->values[i];
        if (root == i) {
            TRY(make_value(calibration, i, method, share, is_unsigned[i], value));
        }
        value->name = graph->nodes[i].name;
    }
    for (NodeId i = 0; i < graph->node_count; i++) {
        const QuantizedValue *root = &out->values[root_of(parent, i)];
        out->values[i].scale = root->scale;
        out->values[i].zero = root->zero;
    }
    out->value_count = graph->node_count;
    return STATUS_OK;
}

Status calibration_table(const Calibration *calibration, ThresholdMethod method, double share,
                         Arena *arena, Quantization *out) {
    size_t nodes = (size_t)network_graph(calibration->network)->node_count;
    *out = (Quantization){.values = arena_alloc(arena, nodes * sizeof *out->values),
                          .float_nodes = arena_alloc(arena, nodes * sizeof *out->float_nodes)};
    NodeId *parent = malloc(nodes * sizeof *parent);
    bool *is_unsigned = malloc(nodes * sizeof *is_unsigned);
    Status status =
        out->values != NULL && out->float_nodes != NULL && parent != NULL && is_unsigned != NULL
            ? fill_table(calibration, method, share, parent, is_unsigned, out)
            : status_fail(STATUS_FAILED, "cannot get memory for %zu scales", nodes);
    free(parent);
    free(is_unsigned);
    return status;
}
