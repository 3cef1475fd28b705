// SPDX-License-Identifier: Apache-2.0
// Building graphs: shapes, the sentences of bad ones, names, parameters, what the op table says.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph/op.h"
#include "small_nets.h"

static Graph *graph_of(int channels, int height, int width) {
    Graph *graph = graph_create();
    assert_non_null(graph);
    assert_int_equal(graph_input(graph, (Shape){channels, height, width}), 0);
    return graph;
}

static void check_shape(const Graph *graph, NodeId node, int channels, int height, int width) {
    assert_int_equal(graph_status(graph), STATUS_OK);
    Shape shape = graph_shape(graph, node);
    assert_int_equal(shape.channels, channels);
    assert_int_equal(shape.height, height);
    assert_int_equal(shape.width, width);
}

static ConvAttr conv(int channels, int kernel, int stride, int pad, int groups) {
    return (ConvAttr){channels, kernel, kernel, stride, pad, groups, false};
}

static void shapes_follow_the_rules(void **state) {
    (void)state;
    Graph *g = graph_of(6, 15, 20);
    check_shape(g, graph_conv(g, 0, conv(8, 7, 2, 3, 0), "a"), 8, 8, 10);
    check_shape(g, graph_conv(g, 0, (ConvAttr){4, 1, 5, 1, 0, 2, true}, "b"), 4, 15, 16);
    check_shape(g, graph_max_pool(g, 0, (PoolAttr){.kernel = 3, .stride = 2, .pad = 1}, "c"), 6, 8,
                10);
    check_shape(g, graph_avg_pool(g, 0, (PoolAttr){.kernel = 2, .stride = 2, .ceil = true}, "d"), 6,
                8, 10);
    check_shape(g, graph_avg_pool(g, 0, (PoolAttr){.kernel = 2, .stride = 2}, "e"), 6, 7, 10);
    check_shape(g, graph_avg_pool(g, 0, (PoolAttr){.adaptive = 7}, "e7"), 6, 7, 7);
    NodeId mean = graph_global_pool(g, 0);
    check_shape(g, mean, 6, 1, 1);
    check_shape(g, graph_gate(g, 0, mean, "f"), 6, 15, 20);
    check_shape(g, graph_linear(g, 0, 11, "g"), 11, 1, 1);
    NodeId pad = graph_pad_shortcut(g, 0, (PadShortcutAttr){16, 2}, "h");
    check_shape(g, pad, 16, 8, 10);
    NodeId parts[] = {pad, 3, 4};
    check_shape(g, graph_concat(g, parts, 3, "i"), 16 + 6 + 6, 8, 10);
    check_shape(g, graph_norm(g, 0, "j"), 6, 15, 20);
    check_shape(g, graph_lrn(g, 0, (LrnAttr){5, 1e-4f, 0.75f, 1}, "k"), 6, 15, 20);
    check_shape(g, graph_dropout(g, 0, 0.5f, "l"), 6, 15, 20);
    check_shape(g, graph_sigmoid(g, 0), 6, 15, 20);
    check_shape(g, graph_add(g, 0, 0, "m"), 6, 15, 20);
    check_shape(g, graph_softmax_loss(g, mean, (LossAttr){1, 0.1f}, "n"), 1, 1, 1);
    check_shape(g, NODE_NONE, 0, 0, 0);
    graph_destroy(g);
}

// Windows counted one by one: the next begins inside the image or its left pad, and what it adds is
// a full window or, rounding up, a place that no window had.
static int count_windows(int extent, int kernel, int stride, int pad, bool ceil) {
    int count = 0;
    for (int begin = -pad; begin < extent; begin += stride) {
        bool full = begin + kernel <= extent + pad;
        bool useful = count > 0 && begin - stride + kernel < extent + pad;
        if (!full && !(ceil && useful)) {
            break;
        }
        count++;
    }
    return count;
}

static void pooling_counts_windows(void **state) {
    (void)state;
    for (int extent = 1; extent <= 17; extent++) {
        for (int kernel = 1; kernel <= 4; kernel++) {
            for (int stride = 1; stride <= 4; stride++) {
                for (int pad = 0; pad <= kernel / 2; pad++) {
                    for (int ceil = 0; ceil < 2; ceil++) {
                        Graph *g = graph_of(1, extent, extent);
                        PoolAttr attr = {
                            .kernel = kernel, .stride = stride, .pad = pad, .ceil = ceil == 1};
                        NodeId pool = graph_max_pool(g, 0, attr, "pool");
                        int expected = count_windows(extent, kernel, stride, pad, ceil == 1);
                        assert_int_equal(graph_shape(g, pool).height, expected);
                        assert_int_equal(graph_status(g) == STATUS_OK, expected > 0);
                        graph_destroy(g);
                    }
                }
            }
        }
    }
}

static void googlenet_pools_round_up(void **state) {
    (void)state;
    Graph *g = graph_of(64, 112, 112);
    NodeId pool = graph_max_pool(g, 0, (PoolAttr){.kernel = 3, .stride = 2, .ceil = true}, "pool");
    check_shape(g, pool, 64, 56, 56);
    graph_destroy(g);
}

static void bad_conv(Graph *g) { graph_conv(g, 0, conv(8, 7, 1, 0, 1), "conv1"); }
static void bad_groups(Graph *g) { graph_conv(g, 0, conv(64, 1, 1, 0, 2), "conv1"); }
static void bad_stride(Graph *g) { graph_conv(g, 0, conv(64, 1, 0, 0, 1), "conv1"); }
static void bad_pad(Graph *g) { graph_conv(g, 0, conv(64, 1, 1, INT32_MAX, 1), "conv1"); }
static void bad_size(Graph *g) { graph_conv(g, 0, conv(INT32_MAX, 1, 1, 0, 1), "conv1"); }
static void bad_weight(Graph *g) {
    NodeId x = graph_conv(g, 0, conv(1 << 25, 1, 1, 0, 1), "conv1");
    graph_linear(g, x, INT32_MAX, "fc");
}

static void bad_add(Graph *g) {
    graph_push(g, "layer%d.%d", 2, 0);
    NodeId a = graph_conv(g, 0, conv(5, 1, 1, 0, 1), "conv1");
    NodeId b = graph_conv(g, 0, conv(6, 1, 2, 0, 1), "conv2");
    graph_add(g, a, b, "add");
    graph_pop(g);
}

static void bad_gate(Graph *g) { graph_gate(g, 0, 0, "gate"); }

static void bad_concat(Graph *g) {
    NodeId inputs[] = {0, graph_global_pool(g, 0)};
    graph_concat(g, inputs, 2, "concat");
}

static void bad_pool(Graph *g) {
    graph_max_pool(g, 0, (PoolAttr){.kernel = 3, .stride = 2, .pad = 2}, "pool");
}

static void bad_window(Graph *g) {
    graph_max_pool(g, 0, (PoolAttr){.kernel = 17, .stride = 2, .pad = 8}, "pool");
}

static void bad_average(Graph *g) {
    graph_avg_pool(g, 0, (PoolAttr){.kernel = 7, .stride = 7, .ceil = true}, "avgpool");
}

static void bad_adaptive(Graph *g) { graph_avg_pool(g, 0, (PoolAttr){.adaptive = -7}, "avgpool"); }

static void bad_linear(Graph *g) { graph_linear(g, 0, 0, "fc"); }
static void bad_shortcut(Graph *g) { graph_pad_shortcut(g, 0, (PadShortcutAttr){2, 2}, "pad"); }
static void bad_dropout(Graph *g) { graph_dropout(g, 0, 1, "drop"); }
static void bad_lrn(Graph *g) { graph_lrn(g, 0, (LrnAttr){0, 1, 1, 1}, "lrn"); }
static void bad_loss(Graph *g) { graph_softmax_loss(g, 0, (LossAttr){1, 0}, "loss"); }

static void bad_smoothing(Graph *g) {
    graph_softmax_loss(g, graph_global_pool(g, 0), (LossAttr){1, NAN}, "loss");
}

static void bad_name(Graph *g) { graph_norm(g, graph_norm(g, 0, "bn1"), "bn1"); }
static void bad_input(Graph *g) { graph_input(g, (Shape){3, 8, 8}); }

static void bad_order(Graph *g) {
    graph_push(g, "layer1");
    graph_add(g, 0, NODE_NONE, "add");
}

static void bad_scope(Graph *g) {
    for (int i = 0; i < 300; i++) {
        graph_push(g, "x");
    }
}

// All on an input of 3x4x4.
static void bad_graphs_say_why(void **state) {
    (void)state;
    static const struct {
        void (*build)(Graph *graph);
        const char *sentence;
    } TABLE[] = {
        {bad_conv, "conv1: kernel 7x7 with pad 0 does not fit 3x4x4"},
        {bad_groups, "conv1: 3 input and 64 output channels do not divide into 2 groups"},
        {bad_stride, "conv1: 64 channels, kernel 1x1, stride 0, pad 0, 1 groups is no convolution"},
        {bad_pad, "conv1: pad 2147483647 of 3x4x4 is too large"},
        {bad_size, "conv1: 2147483647x4x4 is more than 2147483647 elements"},
        {bad_weight, "fc: its weight would have more than 1099511627776 elements"},
        {bad_add, "layer2.0.add: 5x4x4 and 6x2x2 differ"},
        {bad_gate, "gate: 3x4x4 needs 3x1x1 factors, not 3x4x4"},
        {bad_concat, "concat: 3x4x4 and 3x1x1 differ in height or width"},
        {bad_pool, "pool: kernel 3x3, stride 2, pad 2 is no pooling (pad at most 1)"},
        {bad_window, "pool: kernel 17x17 is larger than 16x16"},
        {bad_average, "avgpool: kernel 7x7 with pad 0 does not fit 3x4x4"},
        {bad_adaptive, "avgpool: -7x-7 windows are no pooling"},
        {bad_linear, "fc: 0 outputs are too few"},
        {bad_shortcut, "pad: 3x4x4 cannot be padded to 2 channels with stride 2"},
        {bad_dropout, "drop: rate 1 is not in 0 … 1"},
        {bad_lrn, "lrn: size 0 is below 1"},
        {bad_loss, "loss: 3x4x4 is no vector of logits"},
        {bad_smoothing, "loss: label smoothing nan is not in 0 … 1"},
        {bad_name, "bn1: a second node of that name"},
        {bad_input, "input: a graph has one input and this would be the second"},
        {bad_order, "layer1.add: its input 1 does not exist"},
        {bad_scope, "x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.x.: names nest too deeply"},
    };
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        Graph *g = graph_of(3, 4, 4);
        TABLE[i].build(g);
        assert_int_equal(graph_status(g), STATUS_FAILED);
        assert_string_equal(status_message(), TABLE[i].sentence);
        // The first error stays, and nothing is built any more.
        int32_t nodes = g->node_count, params = g->param_count;
        assert_int_equal(graph_norm(g, 0, "later"), NODE_NONE);
        assert_int_equal(graph_relu(g, NODE_NONE), NODE_NONE);
        assert_int_equal(graph_fail(g, "another"), NODE_NONE);
        graph_set_output(g, NODE_NONE);
        assert_int_equal(g->node_count, nodes);
        assert_int_equal(g->param_count, params);
        assert_int_equal(graph_status(g), STATUS_FAILED);
        assert_string_equal(status_message(), TABLE[i].sentence);
        graph_destroy(g);
    }
}

static void names_follow_scopes(void **state) {
    (void)state;
    Graph *g = graph_of(3, 8, 8);
    assert_string_equal(g->nodes[0].name, "input");
    graph_push(g, "layer%d.%d", 3, 5);
    NodeId a = graph_conv(g, 0, conv(4, 1, 1, 0, 1), "conv2");
    graph_push(g, "downsample");
    NodeId b = graph_conv(g, 0, conv(4, 1, 1, 0, 1), "0");
    graph_pop(g);
    NodeId c = graph_norm(g, a, "bn2");
    graph_pop(g);
    NodeId d = graph_norm(g, a, "bn");
    NodeId e = graph_relu(g, c), f = graph_relu(g, c), h = graph_add(g, e, f, NULL);
    assert_int_equal(graph_status(g), STATUS_OK);
    assert_string_equal(g->nodes[a].name, "layer3.5.conv2");
    assert_string_equal(g->nodes[b].name, "layer3.5.downsample.0");
    assert_string_equal(g->nodes[c].name, "layer3.5.bn2");
    assert_string_equal(g->nodes[d].name, "bn");
    assert_string_equal(g->nodes[e].name, "layer3.5.bn2.relu");
    assert_string_equal(g->nodes[f].name, "layer3.5.bn2.relu2");
    assert_string_equal(g->nodes[h].name, "layer3.5.bn2.relu.add");
    assert_int_not_equal(graph_find_param(g, "layer3.5.downsample.0.weight"), PARAM_NONE);
    assert_int_equal(graph_find_param(g, "layer3.5.downsample.0"), PARAM_NONE);
    graph_destroy(g);
}

static const Param *param_of(const Graph *graph, const char *name) {
    ParamId id = graph_find_param(graph, name);
    if (id == PARAM_NONE) {
        fail_msg("no parameter %s", name);
    }
    return &graph->params[id];
}

static void check_init(const Param *param, ParamRole role, double value, double deviation) {
    assert_int_equal(param->role, role);
    assert_true(param->init_value == (float)value);
    assert_true(param->init_deviation == (float)deviation);
}

static void parameters_are_declared(void **state) {
    (void)state;
    Graph *g = graph_of(6, 8, 8);
    NodeId x = graph_conv(g, 0, (ConvAttr){10, 3, 5, 1, 0, 2, true}, "conv");
    x = graph_norm(g, x, "bn");
    x = graph_linear(g, x, 7, "fc");
    assert_int_equal(graph_status(g), STATUS_OK);
    const Param *weight = param_of(g, "conv.weight");
    assert_int_equal(weight->rank, 4);
    assert_memory_equal(weight->dims, ((int32_t[]){10, 3, 3, 5}), sizeof weight->dims);
    assert_int_equal(weight->elements, 450);
    check_init(weight, PARAM_WEIGHT, 0, sqrt(2.0 / 45));
    check_init(param_of(g, "conv.bias"), PARAM_BIAS, 0, 0);
    check_init(param_of(g, "bn.weight"), PARAM_NORM_SCALE, 1, 0);
    check_init(param_of(g, "bn.bias"), PARAM_NORM_SHIFT, 0, 0);
    check_init(param_of(g, "bn.running_mean"), PARAM_RUNNING_MEAN, 0, 0);
    check_init(param_of(g, "bn.running_var"), PARAM_RUNNING_VARIANCE, 1, 0);
    check_init(param_of(g, "fc.weight"), PARAM_WEIGHT, 0, sqrt(1.0 / 240));
    check_init(param_of(g, "fc.bias"), PARAM_BIAS, 0, 0);
    assert_int_equal(param_of(g, "fc.weight")->dims[0], 7);
    assert_int_equal(param_of(g, "fc.weight")->dims[1], 240);

    // Two blocks, filled in order, each parameter at a multiple of the alignment.
    size_t ends[2] = {0, 0};
    for (ParamId p = 0; p < g->param_count; p++) {
        const Param *param = &g->params[p];
        size_t *end = &ends[param_is_running(param->role)];
        assert_int_equal(param->offset % PARAM_ALIGNMENT, 0);
        assert_true(param->offset >= *end && param->offset < *end + PARAM_ALIGNMENT);
        *end = param->offset + param->elements;
    }
    assert_true(g->trainable_elements >= ends[0] && g->running_elements >= ends[1]);
    assert_int_equal(g->running_elements, 32);
    assert_int_equal(graph_parameters(g), 450 + 10 + 10 + 10 + 7 * 240 + 7);
    assert_int_equal(op_macs(g, 1), 6 * 4 * 10 * 15 * 3);
    assert_int_equal(op_macs(g, 2), 0);
    assert_int_equal(op_macs(g, x), 240 * 7);
    assert_int_equal(graph_macs(g), 6 * 4 * 10 * 15 * 3 + 240 * 7);
    graph_destroy(g);
}

static void op_table_is_complete(void **state) {
    (void)state;
    for (OpKind a = OP_INPUT; a < OP_COUNT; a++) {
        assert_non_null(op_row(a)->name);
        assert_non_null(op_row(a)->infer);
        // Only what puts something aside reads it.
        assert_int_equal(op_row(a)->saved != NULL, (op_row(a)->backward_reads & READS_SAVED) != 0);
        for (OpKind b = OP_INPUT; b < a; b++) {
            assert_string_not_equal(op_row(a)->name, op_row(b)->name);
        }
    }
}

static void saved_elements_are_counted(void **state) {
    (void)state;
    Graph *g = graph_of(3, 5, 5);
    NodeId norm = graph_norm(g, 0, "bn");
    NodeId pool = graph_max_pool(g, norm, (PoolAttr){.kernel = 2, .stride = 2}, "pool");
    NodeId loss = graph_softmax_loss(g, graph_global_pool(g, pool), (LossAttr){1, 0}, "loss");
    assert_int_equal(graph_status(g), STATUS_OK);
    assert_int_equal(op_saved_elements(g, &g->nodes[norm], 7), 6);
    assert_int_equal(op_saved_elements(g, &g->nodes[pool], 7), (7 * 12 + 3) / 4);
    assert_int_equal(op_saved_elements(g, &g->nodes[loss], 7), 21);
    assert_int_equal(op_saved_elements(g, &g->nodes[0], 7), 0);
    // A fused relu is undone by looking at the result; a residual is not looked at.
    Node node = g->nodes[norm];
    assert_int_equal(op_backward_reads(&node), READS_INPUT | READS_SAVED);
    node.relu = true;
    assert_int_equal(op_backward_reads(&node), READS_INPUT | READS_SAVED | READS_OUTPUT);
    assert_true(op_backward_reads_input(&node, 0) && !op_backward_reads_input(&node, 1));
    assert_true(op_gradient_in_place(&node, 1) && !op_gradient_in_place(&node, 0));
    node.op = OP_GATE;
    assert_true(op_backward_reads_input(&node, 1) && !op_gradient_in_place(&node, 0));
    graph_destroy(g);
}

static void small_nets_are_well_formed(void **state) {
    (void)state;
    for (int i = 0; i < SMALL_NET_COUNT; i++) {
        Graph *graph = SMALL_NETS[i]();
        assert_int_equal(graph_status(graph), STATUS_OK);
        assert_int_not_equal(graph->output, NODE_NONE);
        graph_destroy(graph);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_follow_the_rules),    cmocka_unit_test(pooling_counts_windows),
        cmocka_unit_test(googlenet_pools_round_up),   cmocka_unit_test(bad_graphs_say_why),
        cmocka_unit_test(names_follow_scopes),        cmocka_unit_test(parameters_are_declared),
        cmocka_unit_test(op_table_is_complete),       cmocka_unit_test(saved_elements_are_counted),
        cmocka_unit_test(small_nets_are_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
