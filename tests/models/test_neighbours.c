// SPDX-License-Identifier: Apache-2.0
// The neighbours of the residual nets: names as torchvision and timm have them, auxiliary heads,
// images of other sizes, options that they do not have.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/op.h"
#include "models/built.h"

static void check_param(const Graph *graph, const char *name, int rank, const int32_t *dims) {
    ParamId id = graph_find_param(graph, name);
    if (id == PARAM_NONE) {
        fail_msg("no parameter %s", name);
    }
    assert_int_equal(graph->params[id].rank, rank);
    for (int i = 0; i < rank; i++) {
        assert_int_equal(graph->params[id].dims[i], dims[i]);
    }
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

static void neighbours_have_their_own_names(void **state) {
    (void)state;
    static const struct {
        const char *model, *param;
        int rank;
        int32_t dims[4];
    } TABLE[] = {
        {"vgg11", "features.0.weight", 4, {64, 3, 3, 3}},
        {"vgg11", "features.18.bias", 1, {512}},
        {"vgg19_bn", "features.0.bias", 1, {64}},
        {"vgg19_bn", "features.50.running_var", 1, {512}},
        {"vgg16", "classifier.0.weight", 2, {4096, 25088}},
        {"vgg16", "classifier.6.bias", 1, {1000}},
        {"alexnet", "features.0.weight", 4, {64, 3, 11, 11}},
        {"alexnet", "features.10.bias", 1, {256}},
        {"alexnet", "classifier.1.weight", 2, {4096, 9216}},
        {"alexnet", "classifier.6.weight", 2, {1000, 4096}},
        {"googlenet", "conv1.conv.weight", 4, {64, 3, 7, 7}},
        {"googlenet", "conv3.bn.running_mean", 1, {192}},
        {"googlenet", "inception3a.branch1.conv.weight", 4, {64, 192, 1, 1}},
        {"googlenet", "inception4e.branch3.1.conv.weight", 4, {128, 32, 3, 3}},
        {"googlenet", "inception5b.branch4.1.bn.bias", 1, {128}},
        {"googlenet_paper", "inception4e.branch3.1.conv.weight", 4, {128, 32, 5, 5}},
        {"googlenet_paper", "inception5b.branch2.0.conv.bias", 1, {192}},
        {"seresnet50", "layer1.0.se.fc1.weight", 4, {16, 256, 1, 1}},
        {"seresnet50", "layer4.2.se.fc2.bias", 1, {2048}},
        {"seresnet18", "layer1.0.se.fc1.weight", 4, {8, 64, 1, 1}},
        {"resnext50_32x4d", "layer1.0.conv2.weight", 4, {128, 4, 3, 3}},
        {"wide_resnet50_2", "layer4.0.conv2.weight", 4, {1024, 1024, 3, 3}},
        {"preresnet164", "layer1.0.bn1.weight", 1, {16}},
        {"preresnet164", "layer1.0.downsample.0.weight", 4, {64, 16, 1, 1}},
        {"preresnet164", "bn.running_mean", 1, {256}},
        {"preresnet50", "bn1.bias", 1, {64}},
    };
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        Graph *graph = build(TABLE[i].model, NULL);
        check_param(graph, TABLE[i].param, TABLE[i].rank, TABLE[i].dims);
        graph_destroy(graph);
    }
    // A first unit behind a stem that ends with norm and relu has none of its own.
    Graph *graph = build("preresnet50", NULL);
    assert_int_equal(graph_find_param(graph, "layer1.0.bn1.weight"), PARAM_NONE);
    assert_true(graph_find_param(graph, "layer1.1.bn1.weight") != PARAM_NONE);
    graph_destroy(graph);
}

static bool has_weight(const Graph *graph, const char *node) {
    char name[64];
    snprintf(name, sizeof name, "%s.weight", node);
    return graph_find_param(graph, name) != PARAM_NONE;
}

// Auxiliary heads are there for training alone, with a weight of 0.3.
static void googlenet_has_auxiliary_heads(void **state) {
    (void)state;
    static const struct {
        const char *name;
        uint64_t parameters;
    } TABLE[] = {{"googlenet", 13004888}, {"googlenet_paper", 13378280}};
    for (int i = 0; i < 2; i++) {
        ModelOptions options = {.loss = true, .label_smoothing = 0.1f};
        Graph *without = build(TABLE[i].name, NULL), *with = build(TABLE[i].name, &options);
        assert_int_equal(graph_parameters(with), TABLE[i].parameters);
        assert_false(has_weight(without, "aux1.fc2"));
        assert_true(has_weight(with, "aux1.conv.conv") && has_weight(with, "aux2.fc2"));
        for (int head = 1; head <= 2; head++) {
            char name[32];
            snprintf(name, sizeof name, "aux%d.loss", head);
            const LossAttr *loss = &find_node(with, name)->loss;
            assert_true(loss->weight == 0.3f && loss->smoothing == 0.1f);
            snprintf(name, sizeof name, "aux%d.pool", head);
            check_shape(with, (NodeId)(find_node(with, name) - with->nodes),
                        (Shape){head == 1 ? 512 : 528, 4, 4});
        }
        assert_string_equal(with->nodes[with->output].name, "fc");
        graph_destroy(without);
        graph_destroy(with);
    }
}

// So that a net that trains and one that tests share the blocks of parameters.
static void loss_leaves_parameters_in_their_places(void **state) {
    (void)state;
    const ModelInfo *info = NULL;
    for (int index = 0; (info = model_info(index)) != NULL; index++) {
        ModelOptions options = {.loss = true};
        Graph *without = build(info->name, NULL), *with = build(info->name, &options);
        assert_true(graph_begins_with(with, without));
        assert_true(with->trainable_elements >= without->trainable_elements);
        assert_int_equal(graph_begins_with(without, with),
                         with->param_count == without->param_count);
        graph_destroy(without);
        graph_destroy(with);
    }
}

// Other names, other extents and other places each make another network.
static void networks_begin_with_themselves(void **state) {
    (void)state;
    ModelOptions options = {.classes = 7};
    Graph *graph = build("plain20", NULL), *deeper = build("plain32", NULL);
    Graph *other = build("plain20", &options);
    assert_true(graph_begins_with(graph, graph));
    assert_false(graph_begins_with(deeper, graph));
    assert_false(graph_begins_with(other, graph));
    size_t bytes = (size_t)graph->param_count * sizeof(Param);
    Graph shifted = *graph;
    shifted.params = malloc(bytes);
    assert_non_null(shifted.params);
    memcpy(shifted.params, graph->params, bytes);
    assert_true(graph_begins_with(&shifted, graph));
    shifted.params[graph->param_count - 1].offset += PARAM_ALIGNMENT;
    assert_false(graph_begins_with(&shifted, graph));
    free(shifted.params);
    graph_destroy(graph);
    graph_destroy(deeper);
    graph_destroy(other);
}

// Poolings to a fixed size stand only where images of another size need them.
static void images_of_other_sizes_are_pooled(void **state) {
    (void)state;
    static const char *const MODELS[] = {"vgg11_bn", "alexnet"};
    for (int i = 0; i < 2; i++) {
        Graph *own = build(MODELS[i], NULL);
        ModelOptions options = {.input = {3, 96, 128}};
        Graph *other = build(MODELS[i], &options);
        int windows = i == 0 ? 7 : 6;
        const Node *pool = find_node(other, "avgpool");
        assert_int_equal(pool->pool.adaptive, windows);
        check_shape(other, (NodeId)(pool - other->nodes),
                    (Shape){i == 0 ? 512 : 256, windows, windows});
        assert_int_equal(other->node_count, own->node_count + 1);
        assert_int_equal(graph_parameters(other), graph_parameters(own));
        graph_destroy(own);
        graph_destroy(other);
    }
    Graph *graph = NULL;
    ModelOptions options = {.input = {3, 16, 16}};
    assert_int_equal(model_build("vgg11", &options, &graph), STATUS_FAILED);
    assert_string_equal(status_message(),
                        "features.20: kernel 2x2 with pad 0 does not fit 512x1x1");
}

static void options_without_meaning_are_refused(void **state) {
    (void)state;
    Graph *graph = NULL;
    ModelOptions options = {.shortcut = SHORTCUT_PROJECTION};
    assert_int_equal(model_build("vgg16", &options, &graph), STATUS_USAGE);
    assert_string_equal(status_message(), "vgg16 has no residual blocks, so no shortcut B");
    options = (ModelOptions){0};
    assert_int_equal(model_resolve("alexnet", &options), STATUS_OK);
    assert_int_equal(options.shortcut, SHORTCUT_NONE);
    assert_int_equal(model_resolve("alexnet", &options), STATUS_OK); // once more, from a file
    options.stride_in = STRIDE_IN_3X3;
    assert_int_equal(model_resolve("alexnet", &options), STATUS_USAGE);
    options = (ModelOptions){.zero_init_last_norm = 1};
    assert_int_equal(model_resolve("googlenet", &options), STATUS_USAGE);
    assert_int_equal(model_resolve("preresnet50", &options), STATUS_USAGE);
    options = (ModelOptions){0};
    assert_int_equal(model_resolve("preresnet164", &options), STATUS_OK);
    assert_int_equal(options.shortcut, SHORTCUT_PROJECTION);
    assert_int_equal(options.stride_in, STRIDE_IN_3X3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(neighbours_have_their_own_names),
        cmocka_unit_test(googlenet_has_auxiliary_heads),
        cmocka_unit_test(loss_leaves_parameters_in_their_places),
        cmocka_unit_test(networks_begin_with_themselves),
        cmocka_unit_test(images_of_other_sizes_are_pooled),
        cmocka_unit_test(options_without_meaning_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
