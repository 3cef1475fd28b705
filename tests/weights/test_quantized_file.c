// SPDX-License-Identifier: Apache-2.0
// Model files that carry a quantisation: bytes and scales come back as the very same floats, and a
// file with a scale that is missing, of another length or no scale is refused.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/tensor_file.h"
#include "graph/fuse.h"
#include "weights/byte_weights.h"
#include "weights/identify.h"
#include "weights/model_files.h"

// A resnet20 whose convolutions have rounded weights, with scales for all its values.
static ModelFile *make_quantized(void) {
    ModelFile *file = make("resnet20", NULL);
    for (int32_t p = 0; p < file->graph->param_count; p++) {
        const Param *param = &file->graph->params[p];
        if (param->rank == 4) {
            assert_int_equal(byte_weights_round(param, parameters_values(file->parameters, param)),
                             STATUS_OK);
        }
    }
    Graph *fused = NULL;
    assert_int_equal(graph_fuse(file->graph, FUSE_FOR_INFERENCE, &fused), STATUS_OK);
    QuantizedValue *values = calloc((size_t)fused->node_count, sizeof *values);
    const char *in_float = "fc";
    Quantization table = {.values = values,
                          .value_count = fused->node_count,
                          .float_nodes = &in_float,
                          .float_count = 1};
    for (NodeId i = 0; i < fused->node_count; i++) {
        values[i] = (QuantizedValue){.name = fused->nodes[i].name,
                                     .scale = 1.0F / (float)(i + 3),
                                     .zero = i % 3 == 0 ? 128 : 0};
    }
    assert_int_equal(model_file_set_quantization(file, &table), STATUS_OK);
    free(values);
    graph_destroy(fused);
    return file;
}

static void expect_same_table(const Quantization *a, const Quantization *b) {
    assert_int_equal(a->value_count, b->value_count);
    for (int32_t i = 0; i < a->value_count; i++) {
        assert_string_equal(a->values[i].name, b->values[i].name);
        assert_memory_equal(&a->values[i].scale, &b->values[i].scale, sizeof(float));
        assert_int_equal(a->values[i].zero, b->values[i].zero);
    }
    assert_int_equal(a->float_count, b->float_count);
    for (int32_t i = 0; i < a->float_count; i++) {
        assert_string_equal(a->float_nodes[i], b->float_nodes[i]);
    }
}

static void test_round_trip(void **state) {
    (void)state;
    ModelFile *file = make_quantized();
    save(file, "int8.safetensors");
    ModelFile *loaded = load("int8.safetensors");
    expect_same(file, loaded);
    assert_non_null(loaded->quantization);
    expect_same_table(file->quantization, loaded->quantization);
    save(loaded, "again.safetensors");
    assert_true(files_equal(scratch_path("int8.safetensors"), scratch_path("again.safetensors")));
    model_file_destroy(loaded);
    // In the file: bytes with scales beside them; what is no multiple of a scale in float.
    TensorFile *open = NULL;
    assert_int_equal(tensor_file_open(scratch_path("int8.safetensors"), &open), STATUS_OK);
    for (int32_t p = 0; p < file->graph->param_count; p++) {
        const Param *param = &file->graph->params[p];
        const Tensor *tensor = tensor_file_find(open, param->name);
        assert_non_null(tensor);
        assert_int_equal(tensor->dtype, param->rank == 4 ? DTYPE_I8 : DTYPE_F32);
    }
    const Tensor *scales = tensor_file_find(open, "layer3.0.conv1.weight_scale");
    assert_non_null(scales);
    assert_int_equal(scales->dtype, DTYPE_F32);
    assert_int_equal(scales->rank, 1);
    assert_int_equal(scales->dims[0], 64);
    // Other readers of our files recognise it too.
    Arena *arena = arena_create();
    Identity identity;
    assert_int_equal(weights_identify(arena, open, NULL, &identity), STATUS_OK);
    assert_null(identity.refused);
    assert_string_equal(identity.model, "resnet20");
    arena_destroy(arena);
    tensor_file_close(open);
    // Weights that were changed since are no longer bytes, and are kept all the same.
    const Param *first = &file->graph->params[graph_find_param(file->graph, "conv1.weight")];
    float *weight = parameters_values(file->parameters, first);
    weight[3] = nextafterf(weight[3], 100);
    save(file, "changed.safetensors");
    loaded = load("changed.safetensors");
    expect_same(file, loaded);
    model_file_destroy(loaded);
    model_file_destroy(file);
}

// The tensors and the metadata of "whole.safetensors" without its checksum.
typedef struct Content {
    TensorFile *open;
    Tensor *tensors;
    MetaEntry *metadata;
    int tensor_count, metadata_count;
} Content;

static Content content_open(void) {
    Content content = {0};
    assert_int_equal(tensor_file_open(scratch_path("whole.safetensors"), &content.open), STATUS_OK);
    content.tensor_count = tensor_file_count(content.open);
    int metadata = tensor_file_metadata_count(content.open);
    content.tensors = calloc((size_t)content.tensor_count, sizeof *content.tensors);
    content.metadata = calloc((size_t)metadata, sizeof *content.metadata);
    for (int i = 0; i < content.tensor_count; i++) {
        content.tensors[i] = *tensor_file_tensor(content.open, i);
    }
    for (int i = 0; i < metadata; i++) {
        MetaEntry entry = tensor_file_metadata_at(content.open, i);
        if (strcmp(entry.key, "resnet.checksum") != 0) {
            content.metadata[content.metadata_count++] = entry;
        }
    }
    return content;
}

static void content_write(Content *content, const char *name) {
    assert_int_equal(safetensors_write(scratch_path(name), content->tensors, content->tensor_count,
                                       content->metadata, content->metadata_count),
                     STATUS_OK);
    tensor_file_close(content->open);
    free(content->tensors);
    free(content->metadata);
}

static Tensor *content_find(Content *content, const char *name) {
    for (int i = 0; i < content->tensor_count; i++) {
        if (strcmp(content->tensors[i].name, name) == 0) {
            return &content->tensors[i];
        }
    }
    fail_msg("no tensor %s", name);
    return NULL;
}

static void test_scales_refused(void **state) {
    (void)state;
    ModelFile *file = make_quantized();
    save(file, "whole.safetensors");
    model_file_destroy(file);
    const char *name = "layer2.0.conv1.weight_scale";
    Content content = content_open();
    content_write(&content, "bad.safetensors");
    model_file_destroy(load("bad.safetensors")); // as it is, it is good

    content = content_open();
    *content_find(&content, name) = content.tensors[--content.tensor_count];
    content_write(&content, "bad.safetensors");
    expect_refused("bad.safetensors", "tensor layer2.0.conv1.weight_scale is missing");

    content = content_open();
    Tensor *scales = content_find(&content, name);
    scales->dims[0] = (int64_t)--scales->elements;
    scales->bytes -= sizeof(float);
    content_write(&content, "bad.safetensors");
    expect_refused("bad.safetensors",
                   "tensor layer2.0.conv1.weight_scale has shape [31], expected [32]");

    static const float BAD[] = {NAN, INFINITY, -1, 3e38F};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        content = content_open();
        float values[32];
        scales = content_find(&content, name);
        memcpy(values, scales->data, sizeof values);
        values[5] = BAD[i];
        scales->data = values;
        content_write(&content, "bad.safetensors");
        expect_refused("bad.safetensors", "tensor layer2.0.conv1.weight_scale has the value ");
        expect_refused("bad.safetensors", " at 5, expected a scale");
    }

    content = content_open();
    scales = content_find(&content, name);
    scales->dtype = DTYPE_I32;
    content_write(&content, "bad.safetensors");
    expect_refused("bad.safetensors", "layer2.0.conv1.weight_scale");

    // Scales of a tensor that is in float belong to nothing.
    content = content_open();
    content_find(&content, name)->name = "fc.weight_scale";
    content_write(&content, "bad.safetensors");
    expect_refused("bad.safetensors", "tensor layer2.0.conv1.weight_scale is missing");
    file = make("resnet20", NULL);
    save(file, "whole.safetensors");
    model_file_destroy(file);
    content = content_open();
    content.tensors =
        realloc(content.tensors, (size_t)(content.tensor_count + 1) * sizeof *content.tensors);
    content.tensors[content.tensor_count] = content.tensors[0];
    content.tensors[content.tensor_count++].name = "fc.weight_scale";
    content_write(&content, "bad.safetensors");
    expect_refused("bad.safetensors", "tensor \"fc.weight_scale\" does not belong to resnet20");
}

static void test_table_refused(void **state) {
    (void)state;
    ModelFile *file = make_quantized();
    save(file, "whole.safetensors");
    model_file_destroy(file);
    // In the header quotes have backslashes.
    static const struct {
        const char *from, *to, *message;
    } BAD[] = {
        {"{\\\"name\\\":\\\"input\\\"", "{\\\"name\\\":\\\"inpux\\\"",
         "has the layer \"inpux\", which resnet20 has not"},
        {"\\\"zero\\\":128", "\\\"zero\\\":127", "has the zero 127 for input, expected 0 or 128"},
        {"\\\"zero\\\":128", "\\\"zero\\\":1.8", "has the zero 0 for input, expected 0 or 128"},
        {"\\\"scale\\\":0.25,", "\\\"scale\\\":-0.2,", "has the scale -0.2 for "},
        {"\\\"scale\\\":0.25,", "\\\"scale\\\":0e00,", "has the scale 0 for "},
        {"\\\"scale\\\":0.25,", "\\\"scale\\\":1e99,", "has the scale 1e+99 for "},
        {"\\\"scale\\\":0.25,", "\\\"scale\\\":\\\"\\\",", "has the scale 0 for "},
        {"\\\"values\\\"", "\\\"valuos\\\"", "is no JSON object with the lists"},
        {"\\\"float\\\":[\\\"fc\\\"]", "\\\"float\\\":[\\\"fb\\\"]",
         "has the layer \"fb\" in float, which resnet20 has not"},
        {"\\\"float\\\":[\\\"fc\\\"]", "\\\"float\\\":[\\\"fc\\\"}", "is no JSON object"},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        write_changed("bad.safetensors", BAD[i].from, BAD[i].to);
        expect_refused("bad.safetensors", "metadata resnet.quantization ");
        expect_refused("bad.safetensors", BAD[i].message);
    }
    // A table with one layer less, and with one twice.
    file = make_quantized();
    Quantization table = *file->quantization;
    table.value_count--;
    assert_int_equal(model_file_set_quantization(file, &table), STATUS_OK);
    save(file, "whole.safetensors");
    expect_refused("whole.safetensors", "metadata resnet.quantization has no scale for fc");
    table.value_count++;
    table.values[table.value_count - 1] = table.values[0];
    assert_int_equal(model_file_set_quantization(file, &table), STATUS_OK);
    save(file, "whole.safetensors");
    expect_refused("whole.safetensors", "metadata resnet.quantization has input twice");
    model_file_destroy(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_scales_refused),
        cmocka_unit_test(test_table_refused),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
