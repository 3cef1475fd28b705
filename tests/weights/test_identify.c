// SPDX-License-Identifier: Apache-2.0
// Files of tensors in everyone's layout are recognised as the model they were made from, and what
// is no model is refused with a sentence that says why.
#include "state_dict.h"
#include "weights/identify.h"

typedef struct Identified {
    Arena *arena;
    TensorFile *file;
    Identity identity;
} Identified;

static Identified identify(const StateDict *dict, const char *wanted) {
    Identified result = {.arena = arena_create()};
    require(tensor_file_open(state_write(dict, "state.safetensors", false), &result.file));
    require(weights_identify(result.arena, result.file, wanted, &result.identity));
    return result;
}

static void release(Identified *result) {
    tensor_file_close(result->file);
    arena_destroy(result->arena);
}

static bool has_note(const Identity *identity, const char *part) {
    for (int i = 0; i < identity->note_count; i++) {
        if (strstr(identity->notes[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

static void expect_note(const Identity *identity, const char *part) {
    if (!has_note(identity, part)) {
        fail_msg("%s: %d notes, none with '%s'", identity->model, identity->note_count, part);
    }
}

static void expect_refused(const StateDict *dict, const char *wanted, const char *sentence) {
    Identified result = identify(dict, wanted);
    assert_null(result.identity.model);
    assert_non_null(result.identity.refused);
    assert_string_equal(result.identity.refused, sentence);
    release(&result);
}

// Every parameter of the model is found under its own name, once, with its shape, and counters are
// not.
static void expect_parameters(const Identity *identity) {
    Graph *graph = NULL;
    int found = 0;
    require(model_build(identity->model, &identity->options, &graph));
    for (int i = 0; i < identity->renaming_count; i++) {
        const Renaming *renaming = &identity->renamings[i];
        if (renaming->name != NULL) {
            ParamId id = graph_find_param(graph, renaming->name);
            assert_int_not_equal(id, PARAM_NONE);
            assert_int_equal(graph->params[id].elements, renaming->tensor->elements);
            assert_int_equal(renaming->tensor->dtype, DTYPE_F32);
            found++;
        }
    }
    assert_int_equal(found, graph->param_count);
    graph_destroy(graph);
}

static void expect_model(const StateDict *dict, const char *model, const ModelOptions *options,
                         const char *layout) {
    ModelOptions resolved = *options;
    require(model_resolve(model, &resolved));
    Identified result = identify(dict, NULL);
    const Identity *identity = &result.identity;
    if (identity->refused != NULL || strcmp(identity->model, model) != 0) {
        fail_msg("%s in %s's layout: %s", model, layout,
                 identity->refused != NULL ? identity->refused : identity->model);
    }
    assert_string_equal(identity->layout, layout);
    assert_int_equal(identity->options.shortcut, resolved.shortcut);
    assert_int_equal(identity->options.classes, resolved.classes);
    assert_memory_equal(&identity->options.input, &resolved.input, sizeof resolved.input);
    expect_parameters(identity);
    release(&result);
}

// ---- layouts ------------------------------------------------------------------------------------

typedef struct Replacement {
    const char *ours, *theirs;
} Replacement;

static void replace(StateDict *dict, const Replacement *replacements) {
    for (; replacements->ours != NULL; replacements++) {
        state_replace(dict, replacements->ours, replacements->theirs);
    }
}

static void to_hugging_face(StateDict *dict) {
    static const Replacement PARTS[] = {{"^conv1.", "resnet.embedder.embedder.convolution."},
                                        {"^bn1.", "resnet.embedder.embedder.normalization."},
                                        {"^layer1.", "resnet.encoder.stages.0.layers."},
                                        {"^layer2.", "resnet.encoder.stages.1.layers."},
                                        {"^layer3.", "resnet.encoder.stages.2.layers."},
                                        {"^layer4.", "resnet.encoder.stages.3.layers."},
                                        {".conv1.", ".layer.0.convolution."},
                                        {".conv2.", ".layer.1.convolution."},
                                        {".conv3.", ".layer.2.convolution."},
                                        {".bn1.", ".layer.0.normalization."},
                                        {".bn2.", ".layer.1.normalization."},
                                        {".bn3.", ".layer.2.normalization."},
                                        {".downsample.0.", ".shortcut.convolution."},
                                        {".downsample.1.", ".shortcut.normalization."},
                                        {"^fc.", "classifier.1."},
                                        {NULL, NULL}};
    replace(dict, PARTS);
}

static void to_cifar(StateDict *dict) {
    static const Replacement PARTS[] = {
        {".downsample.", ".shortcut."}, {"^fc.", "linear."}, {NULL, NULL}};
    replace(dict, PARTS);
}

// Whether another model, earlier in the table, has the same tensors.
static bool is_twin(const char *model) { return strncmp(model, "plain", 5) == 0; }

// Every row of the table under its own names.
static void test_table(void **state) {
    (void)state;
    const ModelInfo *info = NULL;
    for (int i = 0; (info = model_info(i)) != NULL; i++) {
        StateDict dict = state_of(info->name, NULL);
        const char *layout = "torchvision";
        for (int t = 0; t < dict.count; t++) {
            layout = strstr(dict.tensors[t].name, ".se.fc1.") != NULL ? "timm" : layout;
        }
        if (!is_twin(info->name)) {
            expect_model(&dict, info->name, &(ModelOptions){0}, layout);
        }
        Identified wanted = identify(&dict, info->name);
        assert_string_equal(wanted.identity.model, info->name);
        expect_parameters(&wanted.identity);
        release(&wanted);
        state_free(&dict);
    }
}

static void test_layouts(void **state) {
    (void)state;
    static const struct {
        const char *model, *layout;
        void (*rename)(StateDict *);
        ModelOptions options;
    } CASES[] = {
        {"resnet18", "hugging face", to_hugging_face, {0}},
        {"resnet34", "hugging face", to_hugging_face, {.classes = 3}},
        {"resnet50", "hugging face", to_hugging_face, {0}},
        {"resnet101", "hugging face", to_hugging_face, {.classes = 10}},
        {"resnet152", "hugging face", to_hugging_face, {0}},
        {"resnet20", "cifar", to_cifar, {0}},
        {"resnet20", "cifar", to_cifar, {.shortcut = SHORTCUT_PROJECTION}},
        {"resnet56", "cifar", to_cifar, {.shortcut = SHORTCUT_PROJECT_ALL, .classes = 100}},
        {"resnet110", "cifar", to_cifar, {.input = {1, 32, 32}}},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        StateDict dict = state_of(CASES[i].model, &CASES[i].options);
        CASES[i].rename(&dict);
        expect_model(&dict, CASES[i].model, &CASES[i].options, CASES[i].layout);
        state_free(&dict);
    }
}

static void test_shortcuts(void **state) {
    (void)state;
    static const char *const MODELS[] = {"resnet20", "resnet32", "resnet18", "resnet50"};
    for (size_t i = 0; i < sizeof MODELS / sizeof MODELS[0]; i++) {
        for (Shortcut kind = SHORTCUT_PAD; kind <= SHORTCUT_PROJECT_ALL; kind++) {
            ModelOptions options = {.shortcut = kind};
            StateDict dict = state_of(MODELS[i], &options);
            expect_model(&dict, MODELS[i], &options, "torchvision");
            state_free(&dict);
        }
    }
}

// Other classes and other channels than the architecture's own; no counters, as before PyTorch 0.4.
static void test_options(void **state) {
    (void)state;
    ModelOptions options = {.classes = 37, .input = {1, 224, 224}};
    StateDict dict = state_of("resnet50", &options);
    expect_model(&dict, "resnet50", &options, "torchvision");
    state_remove(&dict, "num_batches_tracked");
    expect_model(&dict, "resnet50", &options, "torchvision");
    state_free(&dict);
}

// timm has squeeze-excite layers and VGG's linear ones as convolutions.
static void test_convolutions(void **state) {
    (void)state;
    StateDict dict = state_of("vgg11", NULL);
    static const Replacement PARTS[] = {{"^classifier.0.", "pre_logits.fc1."},
                                        {"^classifier.3.", "pre_logits.fc2."},
                                        {"^classifier.6.", "head.fc."},
                                        {NULL, NULL}};
    replace(&dict, PARTS);
    StateTensor *first = state_find(&dict, "pre_logits.fc1.weight");
    first->rank = 4;
    memcpy(first->dims, (int64_t[]){4096, 512, 7, 7}, sizeof first->dims);
    StateTensor *second = state_find(&dict, "pre_logits.fc2.weight");
    second->rank = 4;
    memcpy(second->dims, (int64_t[]){4096, 4096, 1, 1}, sizeof second->dims);
    expect_model(&dict, "vgg11", &(ModelOptions){0}, "timm");
    state_free(&dict);
}

// ---- wrappers -----------------------------------------------------------------------------------

static void test_wrappers(void **state) {
    (void)state;
    static const char *const WRAPPERS[] = {
        "state_dict.",
        "model.",
        "net.",
        "model_ema.",
        "state_dict_ema.",
        "module.",
        "_orig_mod.",
        "backbone.",
        "resnet.",
        "encoder_q.",
        "state_dict.model.module._orig_mod.backbone.",
    };
    for (size_t i = 0; i < sizeof WRAPPERS / sizeof WRAPPERS[0]; i++) {
        StateDict dict = {0};
        state_add_model(&dict, WRAPPERS[i], "resnet20", NULL);
        Identified result = identify(&dict, NULL);
        assert_string_equal(result.identity.model, "resnet20");
        assert_string_equal(result.identity.wrapper, WRAPPERS[i]);
        expect_parameters(&result.identity);
        release(&result);
        state_free(&dict);
    }
}

// What else a checkpoint holds is left out, and a moving average of the weights is preferred to
// them.
static void test_checkpoint(void **state) {
    (void)state;
    StateDict dict = {0};
    state_add_model(&dict, "model.module.", "resnet18", NULL);
    state_add_vector(&dict, "optimizer.state.0.momentum_buffer", 9408);
    state_add_vector(&dict, "optimizer.state.1.momentum_buffer", 64);
    Identified result = identify(&dict, NULL);
    assert_string_equal(result.identity.model, "resnet18");
    assert_string_equal(result.identity.wrapper, "model.module.");
    expect_note(&result.identity, "2 tensors beside the model are left out: "
                                  "\"optimizer.state.0.momentum_buffer\" ...");
    release(&result);
    state_add_vector(&dict, "model_ema.n_averaged", 1);
    state_add_model(&dict, "model_ema.module.", "resnet18", NULL);
    result = identify(&dict, NULL);
    assert_string_equal(result.identity.model, "resnet18");
    assert_string_equal(result.identity.wrapper, "model_ema.module.");
    expect_parameters(&result.identity);
    release(&result);
    state_free(&dict);
    // A body in one place and its classifier in another.
    dict = state_of("resnet18", NULL);
    state_replace(&dict, "^layer", "backbone.layer");
    state_replace(&dict, "^conv", "backbone.conv");
    state_replace(&dict, "^bn", "backbone.bn");
    expect_model(&dict, "resnet18", &(ModelOptions){0}, "torchvision");
    // Tensors of an optimizer and a profiler's counters under the model's own wrapper.
    state_add_vector(&dict, "backbone.optimizer.exp_avg", 64);
    state_add_vector(&dict, "backbone.layer1.0.conv1.total_ops", 1);
    result = identify(&dict, NULL);
    assert_string_equal(result.identity.model, "resnet18");
    expect_note(&result.identity, "1 tensor of an optimizer is left out");
    release(&result);
    state_free(&dict);
}

// ---- what cannot be known -----------------------------------------------------------------------

static void test_doubts(void **state) {
    (void)state;
    StateDict dict = state_of("plain20", NULL);
    Identified result = identify(&dict, NULL);
    assert_string_equal(result.identity.model, "resnet20");
    assert_int_equal(result.identity.options.shortcut, SHORTCUT_PAD);
    expect_note(&result.identity,
                "plain20 has the same tensors: resnet20 with shortcut A is assumed");
    release(&result);
    result = identify(&dict, "plain20");
    assert_string_equal(result.identity.model, "plain20");
    assert_int_equal(result.identity.note_count, 1);
    expect_note(&result.identity, "no preprocessing is in the file");
    release(&result);
    state_free(&dict);
    dict = state_of("resnet50", NULL);
    result = identify(&dict, NULL);
    assert_int_equal(result.identity.options.stride_in, STRIDE_IN_DEFAULT);
    expect_note(&result.identity, "v1.5 is assumed");
    release(&result);
    state_free(&dict);
    dict = state_of("resnet18", NULL);
    result = identify(&dict, NULL);
    assert_int_equal(result.identity.note_count, 1);
    expect_note(&result.identity, "no preprocessing is in the file");
    release(&result);
    state_free(&dict);
}

static void test_heads(void **state) {
    (void)state;
    StateDict dict = state_of("googlenet", &(ModelOptions){.loss = true});
    Identified result = identify(&dict, NULL);
    assert_string_equal(result.identity.model, "googlenet");
    expect_note(&result.identity, "of auxiliary classifiers");
    expect_note(&result.identity, "preset inception is assumed");
    expect_parameters(&result.identity);
    release(&result);
    state_free(&dict);
}

// ---- refusals -----------------------------------------------------------------------------------

static void test_refusals(void **state) {
    (void)state;
    StateDict dict = state_of("resnet18", NULL);
    StateTensor *tensor = state_find(&dict, "conv1.weight");
    tensor->dims[2] = tensor->dims[3] = 3;
    expect_refused(&dict, NULL,
                   "is no model known here: the nearest is resnet18, whose conv1.weight is "
                   "[64, 3, 7, 7], but \"conv1.weight\" is [64, 3, 3, 3]");
    tensor->dims[2] = tensor->dims[3] = 7;
    expect_refused(&dict, "resnet34",
                   "is not resnet34, whose layer1.2.conv1.weight [64, 64, 3, 3] "
                   "is missing");
    state_find(&dict, "layer4.1.bn2.bias")->dtype = DTYPE_I32;
    expect_refused(&dict, NULL,
                   "is no model known here: the nearest is resnet18, whose layer4.1.bn2.bias has "
                   "floating-point numbers, but \"layer4.1.bn2.bias\" has I32");
    state_find(&dict, "layer4.1.bn2.bias")->dtype = DTYPE_F32;
    state_add_vector(&dict, "layer1.0.attention.weight", 64);
    expect_refused(&dict, NULL,
                   "is no model known here: the nearest is resnet18, which has no tensor "
                   "\"layer1.0.attention.weight\"");
    state_remove(&dict, "attention");
    state_add_vector(&dict, "linear.bias", 1000);
    expect_refused(&dict, NULL,
                   "is no model known here: the nearest is resnet18, which has no tensor "
                   "\"linear.bias\"");
    state_remove(&dict, "linear.bias");
    state_remove(&dict, "running_");
    expect_refused(&dict, NULL,
                   "is no model known here: the nearest is resnet18, whose bn1.running_mean [64] "
                   "is missing, as are all running statistics");
    state_free(&dict);
    expect_refused(&dict, NULL, "holds no tensors");
    state_add_vector(&dict, "encoder.weight", 5);
    expect_refused(&dict, NULL,
                   "is no model known here: its tensors, such as \"encoder.weight\", are "
                   "parameters of none");
    state_free(&dict);
}

// MoCo: an encoder with a head that is no classifier, its slow copy, and a queue.
static void test_contrastive(void **state) {
    (void)state;
    StateDict dict = {0};
    state_add_model(&dict, "state_dict.module.encoder_q.", "resnet50", NULL);
    state_add_model(&dict, "state_dict.module.encoder_k.", "resnet50", NULL);
    state_add_vector(&dict, "state_dict.module.queue", 128);
    Identified result = identify(&dict, NULL);
    assert_string_equal(result.identity.model, "resnet50");
    expect_note(&result.identity, "features, not classes");
    expect_note(&result.identity, "tensors beside the model are left out: "
                                  "\"state_dict.module.encoder_k.conv1.weight\"");
    release(&result);
    state_replace(&dict, ".fc.", ".fc.0.");
    expect_refused(&dict, NULL,
                   "is no model known here: the nearest is resnet50, whose classifier fc.weight "
                   "[1000, 2048] is missing");
    state_free(&dict);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_shortcuts),    cmocka_unit_test(test_options),
        cmocka_unit_test(test_convolutions), cmocka_unit_test(test_wrappers),
        cmocka_unit_test(test_checkpoint),   cmocka_unit_test(test_doubts),
        cmocka_unit_test(test_heads),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_contrastive),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
