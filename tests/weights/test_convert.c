// SPDX-License-Identifier: Apache-2.0
// Weights of others are loaded value by value, whatever their names and types, get labels and a
// preprocessing, and come back from a file of ours as they were.
#include <math.h>

#include "state_dict.h"
#include "weights/model_io.h"

static const LoadOptions NONE = {0};

static ModelFile *load(const char *path, const LoadOptions *options) {
    ModelFile *file = NULL;
    require(model_file_load(path, options, &file));
    return file;
}

static void expect_failure(const char *path, const LoadOptions *options, Status code,
                           const char *sentence) {
    ModelFile *file = NULL;
    assert_int_equal(model_file_load(path, options, &file), code);
    assert_null(file);
    assert_string_equal(status_message(), sentence);
}

static const float *param_values(const ModelFile *file, const char *name, size_t *elements) {
    ParamId id = graph_find_param(file->graph, name);
    assert_int_not_equal(id, PARAM_NONE);
    *elements = file->graph->params[id].elements;
    return parameters_values(file->parameters, &file->graph->params[id]);
}

// `dict` has the names of the model itself.
static void expect_values(const StateDict *dict, const ModelFile *file) {
    for (int t = 0; t < dict->count; t++) {
        const StateTensor *tensor = &dict->tensors[t];
        if (tensor->dtype == DTYPE_F32) {
            size_t elements = 0;
            const float *values = param_values(file, tensor->name, &elements);
            assert_int_equal(elements, state_elements(tensor));
            for (size_t i = 0; i < elements; i++) {
                assert_true(values[i] == state_value(tensor, i));
            }
        }
    }
}

static void test_values(void **state) {
    (void)state;
    ModelOptions options = {.shortcut = SHORTCUT_PROJECTION, .classes = 7};
    StateDict ours = state_of("resnet20", &options), theirs = state_of("resnet20", &options);
    state_replace(&theirs, ".downsample.", ".shortcut.");
    state_replace(&theirs, "^fc.", "linear.");
    state_replace(&theirs, "^", "module.");
    ModelFile *file = load(state_write(&theirs, "cifar.safetensors", true), NULL);
    assert_string_equal(file->name, "resnet20");
    assert_int_equal(file->options.shortcut, SHORTCUT_PROJECTION);
    assert_int_equal(file->options.classes, 7);
    assert_false(file->has_preprocess);
    assert_null(file->class_names);
    expect_values(&ours, file);
    model_file_destroy(file);
    // In another order than the network's.
    StateTensor swapped = theirs.tensors[0];
    theirs.tensors[0] = theirs.tensors[theirs.count - 1];
    theirs.tensors[theirs.count - 1] = swapped;
    file = load(state_write(&theirs, "order.safetensors", true), NULL);
    expect_values(&ours, file);
    model_file_destroy(file);
    state_free(&ours);
    state_free(&theirs);
}

// All that a prediction needs goes into the file of ours and comes out of it.
static void test_round_trip(void **state) {
    (void)state;
    ModelOptions options = {.classes = 3};
    StateDict dict = state_of("resnet50", &options);
    const char *path = state_write(&dict, "resnet50.safetensors", true);
    const char *labels = scratch_path("labels.txt"), *out = scratch_path("converted.safetensors");
    static const char NAMES[] = "\xef\xbb\xbftench\r\ngreat white shark\r\nb\xc3\xafrd\r\n\r\n";
    file_write(labels, NAMES, sizeof NAMES - 1);
    LoadOptions load_options = {
        .stride_in = STRIDE_IN_1X1, .preset = "timm", .labels = labels, .model = "resnet50"};
    ModelFile *file = load(path, &load_options);
    expect_values(&dict, file);
    require(model_file_save(file, out));
    ModelFile *back = load(out, NULL);
    expect_values(&dict, back);
    assert_string_equal(back->name, "resnet50");
    assert_int_equal(back->options.stride_in, STRIDE_IN_1X1);
    assert_string_equal(back->class_names[0], "tench");
    assert_string_equal(back->class_names[1], "great white shark");
    assert_string_equal(back->class_names[2], "b\xc3\xafrd");
    Preprocess timm;
    require(preprocess_preset("timm", 3, 224, 224, &timm));
    assert_true(back->has_preprocess);
    assert_int_equal(back->preprocess.height, 224);
    assert_int_equal(back->preprocess.resize, timm.resize);
    assert_int_equal(back->preprocess.interpolation, INTERPOLATION_BICUBIC);
    assert_true(back->preprocess.scale == timm.scale);
    assert_memory_equal(back->preprocess.mean, timm.mean, sizeof timm.mean);
    model_file_destroy(back);
    // What is asked for takes the place of what the file carries, but never of what it says it is.
    LoadOptions caffe = {.preset = "caffe"};
    back = load(out, &caffe);
    assert_true(back->preprocess.bgr);
    assert_true(back->preprocess.mean[2] == 123.68F);
    assert_string_equal(back->class_names[0], "tench");
    model_file_destroy(back);
    char sentence[1024];
    snprintf(sentence, sizeof sentence,
             "%s: says that its stride is in the 1x1 convolutions, not 3x3", out);
    expect_failure(out, &(LoadOptions){.stride_in = STRIDE_IN_3X3}, STATUS_FAILED, sentence);
    snprintf(sentence, sizeof sentence, "%s: says that it is resnet50, not resnet18", out);
    expect_failure(out, &(LoadOptions){.model = "resnet18"}, STATUS_FAILED, sentence);
    model_file_destroy(file);
    state_free(&dict);
}

// ---- types --------------------------------------------------------------------------------------

// Bits of a half or bfloat16 that is its number exactly: numbers with few digits.
static uint64_t narrow_bits(Dtype dtype, double value) {
    uint32_t single = 0;
    uint64_t wide = 0;
    float rounded = (float)value;
    memcpy(&single, &rounded, sizeof single);
    memcpy(&wide, &value, sizeof wide);
    switch (dtype) {
    case DTYPE_F16: // sign, exponent with another bias, the upper 10 bits of the mantissa
        return (single >> 16 & 0x8000) | (((single >> 13) - (112 << 10)) & 0x7fff);
    case DTYPE_BF16:
        return single >> 16;
    case DTYPE_F64:
        return wide;
    default:
        return single;
    }
}

static void test_types(void **state) {
    (void)state;
    static const Dtype TYPES[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F64};
    for (size_t k = 0; k < sizeof TYPES / sizeof TYPES[0]; k++) {
        StateDict dict = state_of("resnet20", NULL);
        size_t bytes = dtype_bytes(TYPES[k]);
        for (int t = 0; t < dict.count; t++) {
            StateTensor *tensor = &dict.tensors[t];
            tensor->dtype = tensor->dtype == DTYPE_F32 ? TYPES[k] : tensor->dtype;
        }
        const char *path = state_write(&dict, "narrow.safetensors", false);
        // The first tensor of the file: behind the header.
        size_t size = 0;
        uint8_t *file_bytes = file_read(path, &size);
        uint64_t header = 0;
        memcpy(&header, file_bytes, 8);
        for (size_t i = 0; i < 16 * 3 * 3 * 3; i++) {
            uint64_t bits = narrow_bits(TYPES[k], 0.25 * ((double)(i % 17) - 8.5));
            memcpy(file_bytes + 8 + header + i * bytes, &bits, bytes);
        }
        file_write(path, file_bytes, size);
        free(file_bytes);
        ModelFile *file = load(path, &NONE);
        size_t elements = 0;
        const float *values = param_values(file, "conv1.weight", &elements);
        assert_int_equal(elements, 16 * 3 * 3 * 3);
        for (size_t i = 0; i < elements; i++) {
            assert_true(values[i] == 0.25F * ((float)(i % 17) - 8.5F));
        }
        model_file_destroy(file);
        state_free(&dict);
    }
}

// ---- refusals -----------------------------------------------------------------------------------

static void expect_labels_refused(const char *path, const char *text, size_t size,
                                  const char *reason) {
    char sentence[1024];
    const char *labels = scratch_path("labels.txt");
    file_write(labels, text, size);
    snprintf(sentence, sizeof sentence, "%s: %s", labels, reason);
    expect_failure(path, &(LoadOptions){.labels = labels}, STATUS_FAILED, sentence);
}

static void test_labels(void **state) {
    (void)state;
    StateDict dict = state_of("resnet20", &(ModelOptions){.classes = 3});
    const char *path = state_write(&dict, "resnet20.safetensors", true);
    expect_labels_refused(path, "a\nb\n", 4,
                          "has 2 lines with names of classes, but the model has 3 classes");
    expect_labels_refused(path, "", 0,
                          "has 0 lines with names of classes, but the model has 3 classes");
    expect_labels_refused(path, "a\n\nc", 4, "line 2 is empty, expected the name of class 1");
    expect_labels_refused(path, "a\nb\nc\xff", 6, "line 3 is not UTF-8 text");
    expect_labels_refused(path, "a\nb\0b\nc", 7, "line 2 is not UTF-8 text");
    state_free(&dict);
}

static void test_refusals(void **state) {
    (void)state;
    char sentence[1024];
    StateDict dict = state_of("resnet20", &(ModelOptions){.input = {4, 32, 32}});
    const char *path = state_write(&dict, "resnet20.safetensors", true);
    snprintf(sentence, sizeof sentence, "%s: reads 4 channels, but a picture has 1 or 3", path);
    expect_failure(path, &(LoadOptions){.preset = "cifar"}, STATUS_FAILED, sentence);
    snprintf(sentence, sizeof sentence,
             "%s: is not resnet32, whose layer1.3.conv1.weight [16, 16, 3, 3] is missing", path);
    expect_failure(path, &(LoadOptions){.model = "resnet32"}, STATUS_FAILED, sentence);
    ModelFile *file = NULL;
    assert_int_equal(model_file_load(path, &(LoadOptions){.model = "resnet21"}, &file),
                     STATUS_USAGE);
    assert_int_equal(model_file_load(path, &(LoadOptions){.stride_in = STRIDE_IN_1X1}, &file),
                     STATUS_USAGE);
    state_free(&dict);
    dict = state_of("resnet20", NULL);
    path = state_write(&dict, "resnet20.safetensors", true);
    assert_int_equal(model_file_load(path, &(LoadOptions){.preset = "none"}, &file), STATUS_USAGE);
    assert_null(file);
    state_free(&dict);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),   cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_types),    cmocka_unit_test(test_labels),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
