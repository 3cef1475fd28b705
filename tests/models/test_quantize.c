// SPDX-License-Identifier: Apache-2.0
// What quantisation makes of the nets: which nodes hold bytes, where conversions stand, what is
// refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "graph/fuse.h"
#include "graph/op.h"
#include "graph/plan.h"
#include "graph/quantize.h"
#include "models/models.h"
#include "small_nets.h"

static Graph *fused_model(const char *name) {
    Graph *graph = NULL, *fused = NULL;
    assert_int_equal(model_build(name, NULL, &graph), STATUS_OK);
    assert_int_equal(graph_fuse(graph, FUSE_FOR_INFERENCE, &fused), STATUS_OK);
    graph_destroy(graph);
    return fused;
}

// A scale for every node: the same for all, so that nothing keeps bytes from being moved.
static Quantization whole_table(const Graph *graph) {
    Quantization table = {.values = calloc((size_t)graph->node_count, sizeof *table.values),
                          .float_nodes =
                              calloc((size_t)graph->node_count, sizeof *table.float_nodes)};
    assert_non_null(table.values);
    assert_non_null(table.float_nodes);
    for (NodeId i = 0; i < graph->node_count; i++) {
        table.values[table.value_count++] = (QuantizedValue){graph->nodes[i].name, 0.1f, 128};
    }
    return table;
}

static void table_free(Quantization *table) {
    free(table->values);
    free(table->float_nodes);
}

static NodeId find(const Graph *graph, const char *name) {
    for (NodeId i = 0; i < graph->node_count; i++) {
        if (strcmp(graph->nodes[i].name, name) == 0) {
            return i;
        }
    }
    fail_msg("no node %s", name);
    return NODE_NONE;
}

static int count_op(const Graph *graph, OpKind op) {
    int count = 0;
    for (NodeId i = 0; i < graph->node_count; i++) {
        count += graph->nodes[i].op == op;
    }
    return count;
}

static bool moves_bytes(OpKind op) {
    return op == OP_MAX_POOL || op == OP_CONCAT || op == OP_PAD_SHORTCUT;
}

// What the backends rely on, for one node.
static void check_node(const Graph *graph, NodeId id) {
    const Node *node = &graph->nodes[id];
    const bool first = node->input[0] != NODE_NONE && graph->nodes[node->input[0]].bytes;
    for (int k = 0; k < NODE_INPUTS && node->input[k] != NODE_NONE; k++) {
        const Node *input = &graph->nodes[node->input[k]];
        assert_true(node->input[k] < id);
        assert_int_equal(input->bytes, first); // all bytes or all floats
        if (moves_bytes(node->op) && node->bytes) {
            assert_true(input->scale == node->scale && input->zero == node->zero);
        }
    }
    switch (node->op) {
    case OP_QUANTIZE:
        assert_true(!first && node->bytes);
        break;
    case OP_DEQUANTIZE:
        assert_true(first && !node->bytes);
        break;
    case OP_CONV:
        assert_true(first || !node->bytes);
        assert_true(!first || node->conv.groups == 1 ||
                    graph->nodes[node->input[0]].shape.channels / node->conv.groups % 4 == 0);
        break;
    case OP_LINEAR:
    case OP_GLOBAL_POOL:
        assert_false(node->bytes);
        break;
    default:
        assert_int_equal(first, node->bytes);
        assert_true(!first || moves_bytes(node->op));
        break;
    }
    for (NodeId other = 0; other < id; other++) {
        assert_string_not_equal(node->name, graph->nodes[other].name);
        // One conversion for a value.
        bool converts = node->op == OP_QUANTIZE || node->op == OP_DEQUANTIZE;
        assert_false(converts && graph->nodes[other].op == node->op &&
                     graph->nodes[other].input[0] == node->input[0]);
    }
}

static Graph *quantized(const Graph *fused, const Quantization *table) {
    Graph *graph = NULL;
    assert_int_equal(graph_quantize(fused, table, &graph), STATUS_OK);
    for (NodeId i = 0; i < graph->node_count; i++) {
        check_node(graph, i);
    }
    assert_true(graph->nodes[graph->input].op == OP_INPUT);
    assert_false(graph->nodes[graph->output].bytes);
    assert_string_equal(graph->nodes[graph->output].name, fused->nodes[fused->output].name);
    assert_int_equal(graph->param_count, fused->param_count);
    assert_int_equal(graph->trainable_elements, fused->trainable_elements);
    assert_int_equal(graph_macs(graph), graph_macs(fused));
    // All nodes that were there are there, in their order.
    NodeId id = 0;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        if (node->op != OP_QUANTIZE && node->op != OP_DEQUANTIZE) {
            assert_string_equal(node->name, fused->nodes[id++].name);
        }
    }
    assert_int_equal(id, fused->node_count);
    return graph;
}

static void test_all_models(void **state) {
    (void)state;
    for (int i = 0; model_info(i) != NULL; i++) {
        Graph *fused = fused_model(model_info(i)->name);
        Quantization table = whole_table(fused);
        if (fused->node_count < 400) { // the test looks at all pairs of nodes
            Graph *graph = quantized(fused, &table);
            int layers = 0, in_bytes = 0;
            for (NodeId n = 0; n < graph->node_count; n++) {
                const Node *node = &graph->nodes[n];
                if (node->op == OP_CONV || node->op == OP_LINEAR) {
                    layers++;
                    in_bytes += graph->nodes[node->input[0]].bytes;
                }
            }
            // But for a depthwise one and the like, every layer computes on bytes.
            assert_true(in_bytes == layers || strncmp(model_info(i)->name, "res", 3) != 0);
            assert_true(in_bytes > 0);
            graph_destroy(graph);
        }
        table_free(&table);
        graph_destroy(fused);
    }
}

// Bytes all the way: the image and the mean before the classifier are converted, nothing back.
static void test_resnet(void **state) {
    (void)state;
    const char *const names[] = {"resnet18", "resnet50", "resnet20"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        Graph *fused = fused_model(names[i]);
        Quantization table = whole_table(fused);
        Graph *graph = quantized(fused, &table);
        assert_int_equal(count_op(graph, OP_QUANTIZE), 2);
        assert_int_equal(count_op(graph, OP_DEQUANTIZE), 0);
        for (NodeId n = 0; n < graph->node_count; n++) {
            const Node *node = &graph->nodes[n];
            const bool whole = node->op == OP_CONV || moves_bytes(node->op);
            assert_int_equal(node->bytes, whole || node->op == OP_QUANTIZE);
        }
        const Node *quantize = &graph->nodes[find(graph, "input.quantize")];
        assert_true(quantize->scale == 0.1f && quantize->zero == 128);
        graph_destroy(graph);
        table_free(&table);
        graph_destroy(fused);
    }
}

// A layer kept in float between two in bytes, and a residual that comes from it.
static void test_kept_layers(void **state) {
    (void)state;
    Graph *fused = fused_model("resnet18");
    Quantization table = whole_table(fused);
    table.float_nodes[table.float_count++] = "layer1.0.bn1.relu";
    table.float_nodes[table.float_count++] = "layer1.1.add.relu";
    Graph *graph = quantized(fused, &table);
    const Node *kept = &graph->nodes[find(graph, "layer1.0.bn1.relu")];
    assert_false(kept->bytes);
    assert_string_equal(graph->nodes[kept->input[0]].name, "maxpool.dequantize");
    const Node *next = &graph->nodes[find(graph, "layer1.0.add.relu")];
    assert_string_equal(graph->nodes[next->input[0]].name, "layer1.0.bn1.relu.quantize");
    assert_string_equal(graph->nodes[next->input[1]].name, "maxpool");
    // What only a float layer reads is made in float; what others read too is converted for it.
    kept = &graph->nodes[find(graph, "layer1.1.add.relu")];
    assert_string_equal(graph->nodes[kept->input[0]].name, "layer1.1.bn1.relu");
    assert_false(graph->nodes[kept->input[0]].bytes);
    assert_string_equal(graph->nodes[kept->input[1]].name, "layer1.0.add.relu.dequantize");
    // Its value is converted once for its two readers.
    assert_int_equal(graph->nodes[find(graph, "layer2.0.bn1.relu")].input[0],
                     graph->nodes[find(graph, "layer2.0.add.relu")].input[0]);
    graph_destroy(graph);
    table_free(&table);
    graph_destroy(fused);
}

// Scales that differ keep bytes from being moved: the pooling is in float then. A value without a
// scale stays float, and so do its readers.
static void test_unlike_scales(void **state) {
    (void)state;
    Graph *fused = fused_model("resnet18");
    Quantization table = whole_table(fused);
    table.values[find(fused, "maxpool")].scale = 0.2f;
    Graph *graph = quantized(fused, &table);
    assert_false(graph->nodes[find(graph, "maxpool")].bytes);
    assert_true(graph->nodes[find(graph, "bn1.relu")].bytes);
    assert_int_equal(count_op(graph, OP_DEQUANTIZE), 1);
    graph_destroy(graph);
    table.values[find(fused, "maxpool")] = table.values[--table.value_count];
    graph = quantized(fused, &table);
    const Node *reader = &graph->nodes[find(graph, "layer1.0.bn1.relu")];
    assert_false(graph->nodes[reader->input[0]].bytes || reader->bytes);
    graph_destroy(graph);
    table_free(&table);
    graph_destroy(fused);
}

// Sums of more than QUANTIZED_DEPTH_MAX products, and groups that split a dword.
static void test_limits(void **state) {
    (void)state;
    const struct {
        Shape input;
        ConvAttr conv;
        bool bytes;
    } cases[] = {
        {{2048, 4, 4}, {8, 4, 4, 1, 0, 1, true}, true},
        {{2049, 4, 4}, {8, 4, 4, 1, 0, 1, true}, false},
        {{12, 4, 4}, {6, 1, 1, 1, 0, 3, false}, true},
        {{12, 4, 4}, {6, 1, 1, 1, 0, 2, false}, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Graph *plain = graph_create(), *fused = NULL;
        NodeId x = graph_input(plain, cases[i].input);
        graph_set_output(plain, graph_conv(plain, x, cases[i].conv, "conv"));
        assert_int_equal(graph_fuse(plain, FUSE_FOR_INFERENCE, &fused), STATUS_OK);
        Quantization table = whole_table(fused);
        Graph *graph = quantized(fused, &table);
        assert_int_equal(count_op(graph, OP_QUANTIZE), cases[i].bytes);
        graph_destroy(graph);
        table_free(&table);
        graph_destroy(fused);
        graph_destroy(plain);
    }
}

static void test_small_nets(void **state) {
    (void)state;
    Graph *nets[] = {small_vgg(), small_inception()};
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        Graph *fused = NULL;
        assert_int_equal(graph_fuse(nets[i], FUSE_FOR_INFERENCE, &fused), STATUS_OK);
        Quantization table = whole_table(fused);
        Graph *graph = quantized(fused, &table);
        // Of the second one an average pooling reads what layers read as bytes.
        assert_int_equal(count_op(graph, OP_DEQUANTIZE), i);
        graph_destroy(graph);
        table_free(&table);
        graph_destroy(fused);
        graph_destroy(nets[i]);
    }
}

// Bytes take a quarter of the memory, their channels rounded up to four.
static void test_memory(void **state) {
    (void)state;
    const Node node = {.shape = {7, 3, 5}, .bytes = true};
    assert_int_equal(node_elements(&node), 2 * 15);
    Graph *fused = fused_model("resnet50");
    Quantization table = whole_table(fused);
    Graph *graph = quantized(fused, &table);
    Arena *arena = arena_create();
    Plan *floats = NULL, *bytes = NULL;
    assert_int_equal(plan_create(fused, arena, &(PlanOptions){.batch = 8}, &floats), STATUS_OK);
    assert_int_equal(plan_create(graph, arena, &(PlanOptions){.batch = 8}, &bytes), STATUS_OK);
    assert_in_range(bytes->elements, floats->elements / 5, floats->elements / 3);
    arena_destroy(arena);
    graph_destroy(graph);
    table_free(&table);
    graph_destroy(fused);
}

static void expect_refusal(const Graph *fused, const Quantization *table, const char *sentence) {
    Graph *graph = NULL;
    assert_int_equal(graph_quantize(fused, table, &graph), STATUS_FAILED);
    assert_null(graph);
    assert_string_equal(status_message(), sentence);
}

static void test_refusals(void **state) {
    (void)state;
    Graph *fused = fused_model("resnet20");
    Quantization table = whole_table(fused);
    const QuantizedValue good = table.values[3];
    table.values[3].name = "conv9";
    expect_refusal(fused, &table, "conv9: a scale is given, but the network has no such layer");
    const QuantizedValue bad[] = {{good.name, 0, 0}, {good.name, -1, 128}, {good.name, 1, 7}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char sentence[160];
        table.values[3] = bad[i];
        snprintf(sentence, sizeof sentence,
                 "%s: scale %g and zero %d, expected a scale above 0 and a zero of 0 or 128",
                 good.name, (double)bad[i].scale, bad[i].zero);
        expect_refusal(fused, &table, sentence);
    }
    table.values[3] = good;
    table.float_nodes[table.float_count++] = "input";
    expect_refusal(fused, &table,
                   "input: is to stay in float, but the network has no such convolution or linear "
                   "layer");
    table_free(&table);
    graph_destroy(fused);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_models),  cmocka_unit_test(test_resnet),
        cmocka_unit_test(test_kept_layers), cmocka_unit_test(test_unlike_scales),
        cmocka_unit_test(test_limits),      cmocka_unit_test(test_small_nets),
        cmocka_unit_test(test_memory),      cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
