// SPDX-License-Identifier: Apache-2.0
// What fusion makes of the nets: which nodes are left, what they took in, what stays as it was.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "graph/fuse.h"
#include "graph/op.h"
#include "models/models.h"
#include "small_nets.h"

typedef struct Census {
    int ops[OP_COUNT];
    int relus, residuals, folded; // fused ones
} Census;

static Census census(const Graph *graph) {
    Census result = {0};
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        result.ops[node->op]++;
        result.relus += node->relu;
        result.folded += node->folded_norm;
        result.residuals +=
            (node->op == OP_CONV || node->op == OP_NORM) && node->input[1] != NODE_NONE;
    }
    return result;
}

// What holds for every fused graph.
static void check_sound(const Graph *graph, const Graph *fused) {
    assert_int_equal(graph_status(fused), STATUS_OK);
    assert_true(fused->nodes[fused->input].op == OP_INPUT);
    assert_memory_equal(&fused->nodes[fused->output].shape, &graph->nodes[graph->output].shape,
                        sizeof(Shape));
    for (NodeId i = 0; i < fused->node_count; i++) {
        const Node *node = &fused->nodes[i];
        for (int k = 0; k < NODE_INPUTS; k++) {
            assert_true(node->input[k] < i);
        }
        bool has_residual =
            (node->op == OP_CONV || node->op == OP_NORM) && node->input[1] != NODE_NONE;
        if (has_residual) {
            assert_memory_equal(&fused->nodes[node->input[1]].shape, &node->shape, sizeof(Shape));
        }
        for (NodeId j = 0; j < i; j++) {
            assert_string_not_equal(node->name, fused->nodes[j].name);
        }
    }
    assert_int_equal(fused->param_count, graph->param_count);
    assert_int_equal(fused->trainable_elements, graph->trainable_elements);
    assert_int_equal(fused->running_elements, graph->running_elements);
    for (ParamId p = 0; p < graph->param_count; p++) {
        assert_string_equal(fused->params[p].name, graph->params[p].name);
        assert_ptr_not_equal(fused->params[p].name, graph->params[p].name);
        assert_int_equal(fused->params[p].offset, graph->params[p].offset);
        assert_int_equal(fused->params[p].elements, graph->params[p].elements);
    }
}

static Graph *fuse(const Graph *graph, FuseFor purpose) {
    Graph *fused = NULL;
    assert_int_equal(graph_status(graph), STATUS_OK);
    assert_int_equal(graph_fuse(graph, purpose, &fused), STATUS_OK);
    check_sound(graph, fused);
    return fused;
}

// The fused form of a model, which outlives the plain one.
static Graph *fuse_model(const char *name, Shortcut shortcut, FuseFor purpose) {
    ModelOptions options = {.shortcut = shortcut, .loss = true};
    Graph *graph = NULL;
    assert_int_equal(model_build(name, &options, &graph), STATUS_OK);
    Graph *fused = fuse(graph, purpose);
    graph_destroy(graph);
    return fused;
}

static const Node *find_node(const Graph *graph, const char *name) {
    for (NodeId i = 0; i < graph->node_count; i++) {
        if (strcmp(graph->nodes[i].name, name) == 0) {
            return &graph->nodes[i];
        }
    }
    fail_msg("no node %s", name);
    return NULL;
}

static bool has_node(const Graph *graph, const char *name) {
    for (NodeId i = 0; i < graph->node_count; i++) {
        if (strcmp(graph->nodes[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static const char *input_name(const Graph *graph, const Node *node, int k) {
    return node->input[k] == NODE_NONE ? "" : graph->nodes[node->input[k]].name;
}

typedef struct Expected {
    const char *model;
    Shortcut shortcut;
    FuseFor purpose;
    int nodes, convs, norms, relus, residuals;
} Expected;

static void models_have_the_expected_nodes(void **state) {
    (void)state;
    static const Expected TABLE[] = {
        // Inference: input, convolutions, max pool where there is one, pads, mean, linear.
        {"resnet50", SHORTCUT_DEFAULT, FUSE_FOR_INFERENCE, 57, 53, 0, 49, 16},
        {"resnet18", SHORTCUT_DEFAULT, FUSE_FOR_INFERENCE, 24, 20, 0, 17, 8},
        {"resnet20", SHORTCUT_PAD, FUSE_FOR_INFERENCE, 24, 19, 0, 19, 9},
        {"resnet20", SHORTCUT_PROJECTION, FUSE_FOR_INFERENCE, 24, 21, 0, 19, 9},
        {"resnet20", SHORTCUT_PROJECT_ALL, FUSE_FOR_INFERENCE, 31, 28, 0, 19, 9},
        {"resnet20", SHORTCUT_NONE, FUSE_FOR_INFERENCE, 22, 19, 0, 19, 0},
        {"plain20", SHORTCUT_DEFAULT, FUSE_FOR_INFERENCE, 22, 19, 0, 19, 0},
        // Training: norms stay, and the loss.
        {"plain20", SHORTCUT_DEFAULT, FUSE_FOR_TRAINING, 42, 19, 19, 19, 0},
        {"resnet20", SHORTCUT_PAD, FUSE_FOR_TRAINING, 44, 19, 19, 19, 9},
        {"resnet20", SHORTCUT_PROJECTION, FUSE_FOR_TRAINING, 46, 21, 21, 19, 9},
        {"resnet20", SHORTCUT_PROJECT_ALL, FUSE_FOR_TRAINING, 60, 28, 28, 19, 9},
        {"resnet50", SHORTCUT_PROJECTION, FUSE_FOR_TRAINING, 111, 53, 53, 49, 16},
    };
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        const Expected *row = &TABLE[i];
        Graph *fused = fuse_model(row->model, row->shortcut, row->purpose);
        Census found = census(fused);
        assert_int_equal(fused->node_count, row->nodes);
        assert_int_equal(found.ops[OP_CONV], row->convs);
        assert_int_equal(found.ops[OP_NORM], row->norms);
        assert_int_equal(found.ops[OP_RELU] + found.ops[OP_ADD], 0);
        assert_int_equal(found.relus, row->relus);
        assert_int_equal(found.residuals, row->residuals);
        assert_int_equal(found.folded, row->purpose == FUSE_FOR_INFERENCE ? row->convs : 0);
        assert_int_equal(found.ops[OP_SOFTMAX_LOSS], row->purpose == FUSE_FOR_TRAINING);
        assert_string_equal(fused->model, row->model);
        graph_destroy(fused);
    }
}

// Of the families whose relus and adds do not all vanish.
static void neighbours_have_the_expected_nodes(void **state) {
    (void)state;
    static const struct {
        const char *model;
        FuseFor purpose;
        int convs, folded, norms, relus, adds, residuals;
    } TABLE[] = {
        // The linear layers keep their relus.
        {"vgg16", FUSE_FOR_INFERENCE, 13, 0, 0, 2, 0, 0},
        {"vgg16_bn", FUSE_FOR_INFERENCE, 13, 13, 0, 2, 0, 0},
        {"vgg16_bn", FUSE_FOR_TRAINING, 13, 0, 13, 2, 0, 0},
        // Two auxiliary heads with a convolution and a hidden linear layer each, in training.
        {"googlenet", FUSE_FOR_INFERENCE, 57, 57, 0, 0, 0, 0},
        {"googlenet", FUSE_FOR_TRAINING, 59, 0, 59, 2, 0, 0},
        {"googlenet_paper", FUSE_FOR_INFERENCE, 57, 0, 0, 0, 0, 0},
        {"googlenet_paper", FUSE_FOR_TRAINING, 59, 0, 0, 61, 0, 0},
        // A gate stands between norm and add; the four projections take the add in.
        {"seresnet50", FUSE_FOR_INFERENCE, 85, 53, 0, 0, 12, 4},
        {"seresnet50", FUSE_FOR_TRAINING, 85, 0, 53, 16, 12, 4},
        // Norms that read a sum stay: 8 units' first ones and the last of all.
        {"preresnet20", FUSE_FOR_INFERENCE, 19, 10, 9, 0, 0, 9},
        {"preresnet20", FUSE_FOR_TRAINING, 19, 0, 19, 0, 9, 0},
    };
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        Graph *fused = fuse_model(TABLE[i].model, SHORTCUT_DEFAULT, TABLE[i].purpose);
        Census found = census(fused);
        assert_int_equal(found.ops[OP_CONV], TABLE[i].convs);
        assert_int_equal(found.folded, TABLE[i].folded);
        assert_int_equal(found.ops[OP_NORM], TABLE[i].norms);
        assert_int_equal(found.ops[OP_RELU], TABLE[i].relus);
        assert_int_equal(found.ops[OP_ADD], TABLE[i].adds);
        assert_int_equal(found.residuals, TABLE[i].residuals);
        graph_destroy(fused);
    }
}

static void every_model_fuses(void **state) {
    (void)state;
    const ModelInfo *info = NULL;
    for (int index = 0; (info = model_info(index)) != NULL; index++) {
        if (strcmp(info->name, "resnet1202") == 0) {
            continue; // the same as resnet110, but slow to check name by name
        }
        for (Shortcut shortcut = SHORTCUT_NONE; shortcut <= SHORTCUT_PROJECT_ALL; shortcut++) {
            ModelOptions options = {.shortcut = shortcut};
            if (model_resolve(info->name, &options) == STATUS_OK) {
                graph_destroy(fuse_model(info->name, shortcut, FUSE_FOR_INFERENCE));
                graph_destroy(fuse_model(info->name, shortcut, FUSE_FOR_TRAINING));
            }
        }
    }
}

static void blocks_take_in_their_residuals(void **state) {
    (void)state;
    Graph *fused = fuse_model("resnet20", SHORTCUT_PAD, FUSE_FOR_TRAINING);
    const Node *identity = find_node(fused, "layer1.1.add.relu");
    assert_true(identity->op == OP_NORM && identity->relu);
    assert_string_equal(identity->first, "layer1.1.bn2");
    assert_null(find_node(fused, "layer1.1.conv2")->first);
    assert_string_equal(input_name(fused, identity, 0), "layer1.1.conv2");
    assert_string_equal(input_name(fused, identity, 1), "layer1.0.add.relu");
    assert_string_equal(fused->params[identity->param[3]].name, "layer1.1.bn2.running_var");
    // The padded shortcut stands after the norm in the plain list, and before it in this one.
    const Node *padded = find_node(fused, "layer2.0.add.relu");
    assert_true(padded->op == OP_NORM);
    assert_string_equal(input_name(fused, padded, 1), "layer2.0.shortcut");
    graph_destroy(fused);

    fused = fuse_model("resnet20", SHORTCUT_PROJECTION, FUSE_FOR_TRAINING);
    const Node *projected = find_node(fused, "layer2.0.add.relu");
    assert_true(projected->op == OP_NORM && projected->relu);
    assert_string_equal(input_name(fused, projected, 0), "layer2.0.downsample.0");
    assert_string_equal(input_name(fused, projected, 1), "layer2.0.bn2");
    assert_false(find_node(fused, "layer2.0.bn2")->relu);
    graph_destroy(fused);

    fused = fuse_model("resnet50", SHORTCUT_PROJECTION, FUSE_FOR_INFERENCE);
    const Node *conv = find_node(fused, "layer3.5.add.relu");
    assert_true(conv->op == OP_CONV && conv->relu && conv->folded_norm);
    assert_true(conv->folded_epsilon == 1e-5f);
    assert_string_equal(input_name(fused, conv, 0), "layer3.5.bn2.relu");
    assert_string_equal(input_name(fused, conv, 1), "layer3.4.add.relu");
    static const char *const PARAMS[] = {
        "conv3.weight", NULL, "bn3.weight", "bn3.bias", "bn3.running_mean", "bn3.running_var"};
    for (int k = 0; k < NODE_PARAMS; k++) {
        if (PARAMS[k] == NULL) {
            assert_int_equal(conv->param[k], PARAM_NONE);
        } else {
            const char *name = fused->params[conv->param[k]].name;
            assert_int_equal(strncmp(name, "layer3.5.", 9), 0);
            assert_string_equal(name + 9, PARAMS[k]);
        }
    }
    graph_destroy(fused);
}

static void vgg_keeps_its_linear_relus(void **state) {
    (void)state;
    Graph *graph = small_vgg();
    Graph *fused = fuse(graph, FUSE_FOR_INFERENCE);
    Census found = census(fused);
    assert_int_equal(found.relus, 2); // of the convolutions
    assert_int_equal(found.ops[OP_RELU], 1);
    assert_int_equal(found.ops[OP_DROPOUT] + found.ops[OP_SOFTMAX_LOSS], 0);
    const Node *conv = find_node(fused, "features.3.relu");
    assert_true(conv->op == OP_CONV && conv->relu && !conv->folded_norm && conv->conv.bias);
    assert_string_equal(input_name(fused, find_node(fused, "fc1"), 0), "features.3.relu");
    assert_string_equal(input_name(fused, find_node(fused, "fc2"), 0), "fc1.relu");
    graph_destroy(fused);

    fused = fuse(graph, FUSE_FOR_TRAINING);
    assert_int_equal(fused->node_count, graph->node_count);
    assert_int_equal(census(fused).relus, 0);
    graph_destroy(fused);
    graph_destroy(graph);
}

static void auxiliary_heads_vanish_in_inference(void **state) {
    (void)state;
    Graph *graph = small_inception();
    Graph *fused = fuse(graph, FUSE_FOR_INFERENCE);
    assert_false(has_node(fused, "aux"));
    assert_false(has_node(fused, "concat.global_pool"));
    assert_string_equal(fused->nodes[fused->output].name, "fc");
    const Node *concat = find_node(fused, "concat");
    static const char *const BRANCHES[] = {"a1.relu", "b2.relu", "c2", "d1"};
    for (int k = 0; k < 4; k++) {
        assert_string_equal(input_name(fused, concat, k), BRANCHES[k]);
    }
    assert_true(find_node(fused, "b2.relu")->op == OP_CONV);
    graph_destroy(fused);

    fused = fuse(graph, FUSE_FOR_TRAINING);
    assert_true(has_node(fused, "aux.loss") && has_node(fused, "drop"));
    assert_true(find_node(fused, "b2.relu")->op == OP_NORM);
    graph_destroy(fused);
    graph_destroy(graph);
}

static void gates_leave_the_add(void **state) {
    (void)state;
    Graph *graph = small_excite();
    for (FuseFor purpose = FUSE_FOR_INFERENCE; purpose <= FUSE_FOR_TRAINING; purpose++) {
        Graph *fused = fuse(graph, purpose);
        const Node *add = find_node(fused, "layer1.1.add.relu");
        assert_true(add->op == OP_ADD && add->relu);
        assert_string_equal(input_name(fused, add, 0), "layer1.1.gate");
        assert_string_equal(input_name(fused, add, 1), "layer1.0.add.relu");
        assert_int_equal(census(fused).ops[OP_RELU], 3); // between the linear layers
        graph_destroy(fused);
    }
    graph_destroy(graph);
}

static void knots_stay_tied(void **state) {
    (void)state;
    Graph *graph = small_knots();
    Graph *fused = fuse(graph, FUSE_FOR_TRAINING);
    // A norm plus its own input, a value plus itself: adds with their relus.
    assert_true(find_node(fused, "add_input.relu")->op == OP_ADD);
    assert_true(find_node(fused, "add_self.relu")->op == OP_ADD);
    // The convolution's result has two readers, the logits are the output.
    assert_true(has_node(fused, "conv2") && has_node(fused, "conv2.relu2"));
    assert_true(find_node(fused, "fc.relu")->op == OP_RELU);
    assert_true(find_node(fused, "bn2.relu")->op == OP_NORM);
    assert_true(has_node(fused, "unused.sigmoid"));
    graph_destroy(fused);

    fused = fuse(graph, FUSE_FOR_INFERENCE);
    assert_true(has_node(fused, "conv1")); // read by the norm and by the add
    assert_true(find_node(fused, "add_input.relu")->op == OP_NORM);
    assert_true(find_node(fused, "bn2.relu")->op == OP_NORM);
    assert_false(has_node(fused, "unused") || has_node(fused, "fc.relu"));
    graph_destroy(fused);
    graph_destroy(graph);
}

// Pre-activation blocks: norms that no convolution comes before, sums that go on without a relu.
static void preactivation_fuses_sums(void **state) {
    (void)state;
    Graph *g = graph_create();
    NodeId x = graph_conv(g, graph_input(g, (Shape){3, 8, 8}), small_conv(4, 3, false), "conv1");
    for (int i = 0; i < 2; i++) {
        graph_push(g, "layer1.%d", i);
        NodeId y = graph_relu(g, graph_norm(g, x, "bn1"));
        x = graph_add(g, x, graph_conv(g, y, small_conv(4, 3, false), "conv1"), "add");
        graph_pop(g);
    }
    graph_set_output(g, graph_linear(g, graph_global_pool(g, x), 10, "fc"));
    Graph *fused = fuse(g, FUSE_FOR_INFERENCE);
    const Node *sum = find_node(fused, "layer1.1.add");
    assert_true(sum->op == OP_CONV && !sum->relu && !sum->folded_norm);
    assert_string_equal(input_name(fused, sum, 1), "layer1.0.add");
    assert_true(find_node(fused, "layer1.1.bn1.relu")->op == OP_NORM);
    // Fused again, nothing changes.
    Graph *again = fuse(fused, FUSE_FOR_INFERENCE);
    assert_int_equal(again->node_count, fused->node_count);
    graph_destroy(again);
    graph_destroy(fused);
    graph_destroy(g);
}

// A result that the caller reads stays, though a relu would take it in.
static void outputs_stay(void **state) {
    (void)state;
    Graph *g = graph_create();
    NodeId x = graph_conv(g, graph_input(g, (Shape){3, 1, 1}), small_conv(4, 1, false), "conv");
    x = graph_norm(g, x, "bn");
    graph_set_output(g, x);
    graph_softmax_loss(g, graph_relu(g, x), (LossAttr){.weight = 1}, "loss");
    Graph *fused = fuse(g, FUSE_FOR_TRAINING);
    assert_string_equal(fused->nodes[fused->output].name, "bn");
    assert_false(fused->nodes[fused->output].relu);
    assert_int_equal(fused->node_count, g->node_count);
    graph_destroy(fused);
    graph_destroy(g);
}

static void poisoned_graph_is_not_fused(void **state) {
    (void)state;
    Graph *graph = graph_create(), *fused = graph;
    graph_input(graph, (Shape){3, 0, 8});
    assert_int_equal(graph_fuse(graph, FUSE_FOR_INFERENCE, &fused), STATUS_FAILED);
    assert_null(fused);
    assert_string_equal(status_message(), "input: 3x0x8 has an extent below 1");
    graph_destroy(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_have_the_expected_nodes),
        cmocka_unit_test(neighbours_have_the_expected_nodes),
        cmocka_unit_test(every_model_fuses),
        cmocka_unit_test(blocks_take_in_their_residuals),
        cmocka_unit_test(vgg_keeps_its_linear_relus),
        cmocka_unit_test(auxiliary_heads_vanish_in_inference),
        cmocka_unit_test(gates_leave_the_add),
        cmocka_unit_test(knots_stay_tied),
        cmocka_unit_test(preactivation_fuses_sums),
        cmocka_unit_test(outputs_stay),
        cmocka_unit_test(poisoned_graph_is_not_fused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
