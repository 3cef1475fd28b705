// SPDX-License-Identifier: Apache-2.0
// The table of models: parameters, multiply-adds, names as torchvision has them, options.
#include <stdbool.h>
#include <string.h>

#include "graph/op.h"
#include "models/built.h"

typedef struct Known {
    const char *name;
    uint64_t parameters;
    double gigamacs; // with two decimals; 0: not looked at
} Known;

static const Known KNOWN[] = {
    {"resnet20", 269722, 0.04},
    {"resnet32", 464154, 0.07},
    {"resnet44", 658586, 0.10},
    {"resnet56", 853018, 0.13},
    {"resnet110", 1727962, 0.25},
    {"resnet1202", 19421274, 0},
    {"plain20", 269722, 0.04},
    {"plain32", 464154, 0},
    {"plain44", 658586, 0},
    {"plain56", 853018, 0.13},
    {"plain110", 1727962, 0},
    {"bottleneck29", 313114, 0.05},
    {"bottleneck56", 591322, 0.09},
    {"bottleneck83", 869530, 0.13},
    {"seresnet20", 275506, 0.04},
    {"seresnet56", 870370, 0.13},
    {"resnet18_small", 690266, 0.03},
    {"resnet34_small", 1323418, 0.07},
    {"plain18_small", 690266, 0},
    {"plain34_small", 1323418, 0},
    {"resnet18", 11689512, 1.81},
    {"resnet34", 21797672, 3.66},
    {"resnet50", 25557032, 4.09},
    {"resnet101", 44549160, 7.80},
    {"resnet152", 60192808, 11.51},
    {"plain18", 11515688, 0},
    {"plain34", 21623848, 0},
    {"resnext50_32x4d", 25028904, 4.23},
    {"wide_resnet50_2", 68883240, 11.40},
    {"seresnet18", 11779624, 1.81},
    {"seresnet34", 21960416, 3.66},
    {"seresnet50", 28088024, 4.09},
    {"seresnet101", 49326872, 7.81},
    {"seresnet152", 66821848, 11.52},
    {"preresnet20", 269722, 0.04},
    {"preresnet32", 464154, 0.07},
    {"preresnet56", 853018, 0.13},
    {"preresnet110", 1727962, 0.25},
    {"preresnet164", 1703258, 0.25},
    {"preresnet18", 11687720, 1.81},
    {"preresnet50", 25549352, 4.09},
    {"preresnet200", 64666152, 15.01},
    {"vgg11", 132863336, 7.61},
    {"vgg13", 133047848, 11.31},
    {"vgg16", 138357544, 15.47},
    {"vgg19", 143667240, 19.63},
    {"vgg11_bn", 132868840, 7.61},
    {"vgg13_bn", 133053736, 11.31},
    {"vgg16_bn", 138365992, 15.47},
    {"vgg19_bn", 143678248, 19.63},
    {"vgg16_small", 923130, 0.02},
    {"alexnet", 61100840, 0.71},
    {"alexnet_small", 786602, 0.03},
    {"googlenet", 6624904, 1.50},
    {"googlenet_paper", 6998552, 1.58},
    {"googlenet_small", 355138, 0.02},
};

static void models_have_the_known_sizes(void **state) {
    (void)state;
    int count = 0;
    while (model_info(count) != NULL) {
        count++;
    }
    assert_int_equal(count, sizeof KNOWN / sizeof KNOWN[0]);
    assert_null(model_info(-1));
    assert_null(model_info(count));
    for (int i = 0; i < count; i++) {
        const ModelInfo *info = model_info(i);
        assert_string_equal(info->name, KNOWN[i].name);
        Graph *graph = build(info->name, NULL);
        assert_string_equal(graph->model, info->name);
        assert_int_equal(graph_parameters(graph), KNOWN[i].parameters);
        double giga = (double)graph_macs(graph) / 1e9;
        if (KNOWN[i].gigamacs > 0 &&
            !(giga > KNOWN[i].gigamacs - 0.01 && giga < KNOWN[i].gigamacs + 0.01)) {
            fail_msg("%s: %.3f G multiply-adds", info->name, giga);
        }
        check_shape(graph, graph->input, info->input);
        check_shape(graph, graph->output, (Shape){info->classes, 1, 1});
        graph_destroy(graph);
    }
}

// Options B and C add to the parameters of option A what their 1x1 convolutions and norms hold.
static void shortcuts_have_the_known_parameters(void **state) {
    (void)state;
    static const struct {
        const char *name;
        Shortcut shortcut;
        uint64_t parameters;
    } TABLE[] = {
        {"resnet20", SHORTCUT_NONE, 269722},
        {"resnet20", SHORTCUT_PAD, 269722},
        {"resnet20", SHORTCUT_PROJECTION, 269722 + (512 + 64) + (2048 + 128)},
        {"resnet20", SHORTCUT_PROJECT_ALL,
         269722 + 3 * (256 + 32) + (512 + 64) + 2 * (1024 + 64) + (2048 + 128) + 2 * (4096 + 128)},
        {"resnet18", SHORTCUT_PAD, 11689512 - (8192 + 256) - (32768 + 512) - (131072 + 1024)},
        {"resnet18", SHORTCUT_PROJECT_ALL,
         11689512 + 2 * (4096 + 128) + (16384 + 256) + (65536 + 512) + (262144 + 1024)},
    };
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        ModelOptions options = {.shortcut = TABLE[i].shortcut};
        Graph *graph = build(TABLE[i].name, &options);
        assert_int_equal(graph_parameters(graph), TABLE[i].parameters);
        graph_destroy(graph);
    }
}

static bool has_blocks(const char *name) {
    return strstr(name, "resne") != NULL || strstr(name, "bottleneck") != NULL;
}

static void every_residual_net_has_every_shortcut(void **state) {
    (void)state;
    const ModelInfo *info = NULL;
    for (int index = 0; (info = model_info(index)) != NULL; index++) {
        bool plain = !has_blocks(info->name);
        for (Shortcut shortcut = SHORTCUT_DEFAULT; shortcut <= SHORTCUT_PROJECT_ALL; shortcut++) {
            ModelOptions options = {.shortcut = shortcut, .loss = true, .classes = 7};
            Graph *graph = NULL;
            Status status = model_build(info->name, &options, &graph);
            bool allowed = !plain || shortcut <= SHORTCUT_NONE;
            assert_int_equal(status, allowed ? STATUS_OK : STATUS_USAGE);
            assert_int_equal(graph != NULL, allowed);
            if (graph != NULL) {
                check_shape(graph, graph->output, (Shape){7, 1, 1});
                assert_string_equal(graph->nodes[graph->node_count - 1].name, "loss");
            }
            graph_destroy(graph);
        }
    }
    Graph *graph = NULL;
    ModelOptions options = {.shortcut = SHORTCUT_PROJECTION};
    assert_int_equal(model_build("plain20", &options, &graph), STATUS_USAGE);
    assert_string_equal(status_message(), "plain20 is a plain net, which has no shortcut B");
}

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

static void parameters_have_torchvision_names(void **state) {
    (void)state;
    Graph *graph = build("resnet50", NULL);
    check_param(graph, "conv1.weight", 4, (int32_t[]){64, 3, 7, 7});
    check_param(graph, "bn1.running_mean", 1, (int32_t[]){64});
    check_param(graph, "layer1.0.downsample.0.weight", 4, (int32_t[]){256, 64, 1, 1});
    check_param(graph, "layer1.0.downsample.1.running_var", 1, (int32_t[]){256});
    check_param(graph, "layer3.5.conv2.weight", 4, (int32_t[]){256, 256, 3, 3});
    check_param(graph, "layer4.2.bn3.bias", 1, (int32_t[]){2048});
    check_param(graph, "fc.weight", 2, (int32_t[]){1000, 2048});
    check_param(graph, "fc.bias", 1, (int32_t[]){1000});
    assert_int_equal(graph_find_param(graph, "conv1.bias"), PARAM_NONE);
    // 53 convolutions, 53 norms of four, one linear layer of two.
    assert_int_equal(graph->param_count, 53 * 5 + 2);
    graph_destroy(graph);

    ModelOptions options = {.shortcut = SHORTCUT_PROJECTION};
    graph = build("resnet20", &options);
    check_param(graph, "conv1.weight", 4, (int32_t[]){16, 3, 3, 3});
    check_param(graph, "layer2.0.conv1.weight", 4, (int32_t[]){32, 16, 3, 3});
    check_param(graph, "layer2.0.downsample.0.weight", 4, (int32_t[]){32, 16, 1, 1});
    check_param(graph, "layer3.2.bn2.weight", 1, (int32_t[]){64});
    check_param(graph, "fc.weight", 2, (int32_t[]){10, 64});
    assert_int_equal(graph_find_param(graph, "layer1.0.downsample.0.weight"), PARAM_NONE);
    graph_destroy(graph);
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

static void stride_goes_where_it_is_told(void **state) {
    (void)state;
    ModelOptions options = {.stride_in = STRIDE_IN_1X1};
    Graph *v1 = build("resnet50", &options), *v1_5 = build("resnet50", NULL);
    assert_int_equal(find_node(v1, "layer2.0.conv1")->conv.stride, 2);
    assert_int_equal(find_node(v1, "layer2.0.conv2")->conv.stride, 1);
    assert_int_equal(find_node(v1_5, "layer2.0.conv1")->conv.stride, 1);
    assert_int_equal(find_node(v1_5, "layer2.0.conv2")->conv.stride, 2);
    assert_int_equal(graph_parameters(v1), graph_parameters(v1_5));
    assert_true(graph_macs(v1) < graph_macs(v1_5)); // 3.8 G, as the paper has it
    assert_true(graph_macs(v1) > 3800000000 && graph_macs(v1) < 3900000000);
    graph_destroy(v1);
    graph_destroy(v1_5);
    Graph *graph = NULL;
    assert_int_equal(model_build("resnet18", &options, &graph), STATUS_USAGE);
    options.stride_in = STRIDE_IN_3X3;
    graph_destroy(build("resnet18", &options));
}

static void input_and_classes_can_be_chosen(void **state) {
    (void)state;
    ModelOptions options = {.input = {1, 28, 0}, .classes = 26};
    Graph *graph = build("resnet20", &options);
    check_shape(graph, graph->input, (Shape){1, 28, 32});
    check_shape(graph, graph->output, (Shape){26, 1, 1});
    check_param(graph, "conv1.weight", 4, (int32_t[]){16, 1, 3, 3});
    assert_string_equal(find_node(graph, "fc")->name, "fc");
    graph_destroy(graph);

    options.input = (Shape){3, -1, 32};
    assert_int_equal(model_build("resnet20", &options, &graph), STATUS_FAILED);
    assert_null(graph);
    assert_string_equal(status_message(), "input: 3x-1x32 has an extent below 1");
    options.classes = -1;
    assert_int_equal(model_build("resnet20", &options, &graph), STATUS_USAGE);
}

static void last_norms_can_begin_at_zero(void **state) {
    (void)state;
    ModelOptions options = {.zero_init_last_norm = 1};
    Graph *graph = build("resnet50", &options);
    int zeros = 0;
    for (ParamId p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        bool last = strstr(param->name, ".bn3.weight") != NULL;
        if (param->role == PARAM_NORM_SCALE) {
            assert_true(param->init_value == (last ? 0 : 1));
            zeros += last;
        }
    }
    assert_int_equal(zeros, 16);
    graph_destroy(graph);
    assert_int_equal(model_build("plain20", &options, &graph), STATUS_USAGE);
}

static void loss_leaves_the_logits_as_output(void **state) {
    (void)state;
    ModelOptions options = {.loss = true, .label_smoothing = 0.1f};
    Graph *graph = build("resnet20", &options);
    assert_string_equal(graph->nodes[graph->output].name, "fc");
    const Node *loss = find_node(graph, "loss");
    assert_int_equal(loss->input[0], graph->output);
    assert_true(loss->loss.weight == 1 && loss->loss.smoothing == 0.1f);
    graph_destroy(graph);
    options.label_smoothing = 1;
    assert_int_equal(model_build("resnet20", &options, &graph), STATUS_FAILED);
}

static void defaults_are_resolved(void **state) {
    (void)state;
    ModelOptions options = {0};
    assert_int_equal(model_resolve("resnet20", &options), STATUS_OK);
    assert_int_equal(options.shortcut, SHORTCUT_PAD);
    assert_int_equal(options.stride_in, STRIDE_IN_DEFAULT);
    assert_int_equal(options.classes, 10);
    assert_int_equal(options.input.height, 32);
    options = (ModelOptions){.classes = 5};
    assert_int_equal(model_resolve("resnet50", &options), STATUS_OK);
    assert_int_equal(options.shortcut, SHORTCUT_PROJECTION);
    assert_int_equal(options.stride_in, STRIDE_IN_3X3);
    assert_int_equal(options.classes, 5);
    options = (ModelOptions){0};
    assert_int_equal(model_resolve("plain34", &options), STATUS_OK);
    assert_int_equal(options.shortcut, SHORTCUT_NONE);
    assert_int_equal(model_resolve("plain35", &options), STATUS_USAGE);
}

static void unknown_names_get_near_ones(void **state) {
    (void)state;
    static const struct {
        const char *name, *sentence;
    } TABLE[] = {
        {"vgg_16", "vgg_16 is not a known model; near: vgg16, vgg11, vgg13"},
        {"resnet51", "resnet51 is not a known model; near: resnet56, resnet50, resnet20"},
        {"ResNet50", "ResNet50 is not a known model; near: resnet50, resnet20, resnet56"},
        {"plain", "plain is not a known model; near: plain20, plain32, plain44"},
        {"resnet-110", "resnet-110 is not a known model; near: resnet110, resnet20, resnet1202"},
        {"", " is not a known model; near: vgg11, vgg13, vgg16"},
    };
    Graph *graph = NULL;
    for (size_t i = 0; i < sizeof TABLE / sizeof TABLE[0]; i++) {
        assert_int_equal(model_build(TABLE[i].name, NULL, &graph), STATUS_USAGE);
        assert_string_equal(status_message(), TABLE[i].sentence);
    }
    char longest[4096];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(model_build(longest, NULL, &graph), STATUS_USAGE);
    assert_true(strlen(status_message()) < 200);
}

static void option_names_go_both_ways(void **state) {
    (void)state;
    for (Shortcut s = SHORTCUT_DEFAULT; s <= SHORTCUT_PROJECT_ALL; s++) {
        Shortcut back = SHORTCUT_DEFAULT;
        assert_true(shortcut_parse(shortcut_name(s), &back));
        assert_int_equal(back, s);
    }
    assert_string_equal(shortcut_name(SHORTCUT_PAD), "A");
    assert_string_equal(shortcut_name(SHORTCUT_PROJECT_ALL), "C");
    Shortcut shortcut = SHORTCUT_PAD;
    assert_false(shortcut_parse("D", &shortcut));
    assert_int_equal(shortcut, SHORTCUT_PAD);
    for (StrideIn s = STRIDE_IN_DEFAULT; s <= STRIDE_IN_3X3; s++) {
        StrideIn back = STRIDE_IN_DEFAULT;
        assert_true(stride_in_parse(stride_in_name(s), &back));
        assert_int_equal(back, s);
    }
    StrideIn stride_in = STRIDE_IN_3X3;
    assert_false(stride_in_parse("2x2", &stride_in));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_have_the_known_sizes),
        cmocka_unit_test(shortcuts_have_the_known_parameters),
        cmocka_unit_test(every_residual_net_has_every_shortcut),
        cmocka_unit_test(parameters_have_torchvision_names),
        cmocka_unit_test(stride_goes_where_it_is_told),
        cmocka_unit_test(input_and_classes_can_be_chosen),
        cmocka_unit_test(last_norms_can_begin_at_zero),
        cmocka_unit_test(loss_leaves_the_logits_as_output),
        cmocka_unit_test(defaults_are_resolved),
        cmocka_unit_test(unknown_names_get_near_ones),
        cmocka_unit_test(option_names_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
