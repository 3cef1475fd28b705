// SPDX-License-Identifier: Apache-2.0
#include "graph/segments.h"

// Convolutions of a segment of a net without shortcuts, as many as a basic block has.
enum { PLAIN_CONVS = 2 };

// The last reader of each value among the nodes that the logits depend on; NODE_NONE where there is
// none, which is so of all that belongs to auxiliary heads.
static void find_last_readers(const Graph *graph, NodeId *last_reader) {
    for (NodeId i = 0; i < graph->node_count; i++) {
        last_reader[i] = NODE_NONE;
    }
    for (NodeId i = graph->node_count - 1; i >= 0; i--) {
        for (int k = 0; k < NODE_INPUTS; k++) {
            NodeId input = graph->nodes[i].input[k];
            bool reads = input != NODE_NONE && (i == graph->output || last_reader[i] != NODE_NONE);
            if (reads && last_reader[input] == NODE_NONE) {
                last_reader[input] = i;
            }
        }
    }
}

// The one value of nodes begin … end-1 that is read from `end` on; NODE_NONE for none or several.
static NodeId single_value(const NodeId *last_reader, NodeId begin, NodeId end) {
    NodeId found = NODE_NONE;
    for (NodeId i = begin; i < end; i++) {
        if (last_reader[i] >= end) {
            if (found != NODE_NONE) {
                return NODE_NONE;
            }
            found = i;
        }
    }
    return found;
}

static bool read_twice(const Graph *graph, NodeId value) {
    int readers = 0;
    for (NodeId i = value + 1; i < graph->node_count && readers < 2; i++) {
        bool reads = false;
        for (int k = 0; k < NODE_INPUTS; k++) {
            reads |= graph->nodes[i].input[k] == value;
        }
        readers += reads;
    }
    return readers == 2;
}

static NodeId last_conv(const Graph *graph) {
    NodeId last = graph->node_count - 1;
    while (last > 0 && graph->nodes[last].op != OP_CONV) {
        last--;
    }
    return last;
}

int32_t segments_find(const Graph *graph, NodeId *begin, NodeId *last_reader) {
    find_last_readers(graph, last_reader);
    // What follows the last convolution is small, and better computed once.
    const NodeId last = last_conv(graph);
    NodeId open = 0; // no value before this one is still to be read
    int32_t count = 0;
    int convs = 0;
    begin[count++] = 0;
    for (NodeId i = 0; i < last; i++) {
        convs += graph->nodes[i].op == OP_CONV;
        NodeId value = convs > 0 ? single_value(last_reader, open, i + 1) : NODE_NONE;
        if (value != NODE_NONE && (convs >= PLAIN_CONVS || read_twice(graph, value))) {
            begin[count++] = i + 1;
            open = value;
            convs = 0;
        }
    }
    begin[count] = graph->node_count;
    return count;
}
