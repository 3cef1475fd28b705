// SPDX-License-Identifier: Apache-2.0
// Model files: what is saved is what is loaded, the same bytes each time, and every damage is
// refused with a sentence that names file and place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/safetensors.h"
#include "weights/model_files.h"

static char *names[10] = {
    "airplane", "a \"quoted\" name", "bïrd", "cat", "deer", "dog", "frog", "horse", "ship",
    "truck"};

static void test_round_trip(void **state) {
    (void)state;
    ModelFile *file = make("resnet20", NULL);
    assert_int_equal(file->options.shortcut, SHORTCUT_PAD);
    Preprocess preprocess = {.channels = 3,
                             .height = 32,
                             .width = 32,
                             .mean = {0.49139968f, 0.1f, 1.0f / 3},
                             .deviation = {0.24703223f, 1e-30f, 12345.678f}};
    assert_int_equal(model_file_set_classes(file, names, 10), STATUS_OK);
    assert_int_equal(model_file_set_preprocess(file, &preprocess), STATUS_OK);
    save(file, "a.safetensors");
    ModelFile *loaded = load("a.safetensors");
    expect_same(file, loaded);
    for (int i = 0; i < 10; i++) {
        assert_string_equal(loaded->class_names[i], names[i]);
    }
    assert_true(loaded->has_preprocess);
    assert_memory_equal(loaded->preprocess.mean, preprocess.mean, sizeof preprocess.mean);
    assert_memory_equal(loaded->preprocess.deviation, preprocess.deviation,
                        sizeof preprocess.deviation);
    assert_null(loaded->preprocess.pixel_mean);
    save(loaded, "b.safetensors");
    assert_true(files_equal(scratch_path("a.safetensors"), scratch_path("b.safetensors")));
    model_file_destroy(file);
    model_file_destroy(loaded);
}

static void test_options(void **state) {
    (void)state;
    ModelOptions options = {.shortcut = SHORTCUT_PROJECT_ALL,
                            .stride_in = STRIDE_IN_1X1,
                            .classes = 7,
                            .input = {1, 64, 48}};
    ModelFile *file = make("resnet50", &options);
    float *mean = calloc(64 * 48, sizeof *mean);
    mean[77] = 0.25f;
    Preprocess preprocess = {
        .channels = 1, .height = 64, .width = 48, .deviation = {1, 1, 1}, .pixel_mean = mean};
    assert_int_equal(model_file_set_preprocess(file, &preprocess), STATUS_OK);
    mean[77] = 0; // the model has a copy
    save(file, "options.safetensors");
    ModelFile *loaded = load("options.safetensors");
    expect_same(file, loaded);
    assert_int_equal(loaded->options.shortcut, SHORTCUT_PROJECT_ALL);
    assert_int_equal(loaded->options.stride_in, STRIDE_IN_1X1);
    assert_null(loaded->class_names);
    assert_non_null(loaded->preprocess.pixel_mean);
    assert_true(loaded->preprocess.pixel_mean[77] == 0.25f);
    free(mean);
    model_file_destroy(file);
    model_file_destroy(loaded);
    ModelFile *plain = make("plain20", NULL);
    save(plain, "plain.safetensors");
    loaded = load("plain.safetensors");
    expect_same(plain, loaded);
    assert_int_equal(loaded->options.shortcut, SHORTCUT_NONE);
    model_file_destroy(plain);
    model_file_destroy(loaded);
}

// Every place of the file in turn, cut or with one bit flipped: refused, never accepted as another
// model. (Spaces that pad the header carry nothing and may change into other white space.)
static void test_damage(void **state) {
    (void)state;
    ModelFile *file = make("resnet20", NULL);
    save(file, "whole.safetensors");
    size_t size = 0;
    uint8_t *bytes = file_read(scratch_path("whole.safetensors"), &size);
    for (int i = 0; i < 60; i++) {
        size_t at = random_below((uint32_t)size, 1, RANDOM_TEST, 1, (uint64_t)i);
        file_write(scratch_path("cut.safetensors"), bytes, at);
        expect_refused("cut.safetensors", "cut.safetensors");
    }
    for (int i = 0; i < 400; i++) {
        // Half of them in the header, where most of the rules are.
        uint32_t range = i % 2 == 0 ? (uint32_t)size : 12000;
        size_t at = random_below(range, 1, RANDOM_TEST, 2, (uint64_t)i);
        uint8_t before = bytes[at];
        bytes[at] = (uint8_t)(before ^ 1u << (i / 2 % 8));
        file_write(scratch_path("flipped.safetensors"), bytes, size);
        ModelFile *loaded = NULL;
        if (model_file_load(scratch_path("flipped.safetensors"), NULL, &loaded) == STATUS_OK) {
            expect_same(file, loaded);
            model_file_destroy(loaded);
        } else {
            assert_null(loaded);
            expect_message("flipped.safetensors");
        }
        bytes[at] = before;
    }
    // A weight's bit.
    bytes[size - 1000] ^= 1;
    file_write(scratch_path("weight.safetensors"), bytes, size);
    expect_refused("weight.safetensors", "checksum");
    free(bytes);
    model_file_destroy(file);
}

static void test_refusals(void **state) {
    (void)state;
    ModelFile *file = make("resnet20", NULL);
    save(file, "whole.safetensors");
    write_changed("same.safetensors", "xxx", "yyy");
    ModelFile *loaded = load("same.safetensors"); // without a checksum, and otherwise well
    expect_same(file, loaded);
    model_file_destroy(loaded);
    write_changed("model.safetensors", "\"resnet20\"", "\"resnet21\"");
    expect_refused("model.safetensors", "resnet21");
    write_changed("deeper.safetensors", "\"resnet20\"", "\"resnet32\"");
    expect_refused("deeper.safetensors", "tensor layer1.3.conv1.weight is missing");
    write_changed("classes.safetensors", "\"resnet.class_count\":\"10\"",
                  "\"resnet.class_count\":\"11\"");
    expect_refused("classes.safetensors", "tensor fc.weight has shape [10, 64], expected [11, 64]");
    write_changed("missing.safetensors", "layer2.1.bn2.bias", "layer2.1.bn2.bxxx");
    expect_refused("missing.safetensors", "tensor layer2.1.bn2.bias is missing");
    write_changed("shape.safetensors", "[16,3,3,3]", "[3,16,3,3]");
    expect_refused("shape.safetensors",
                   "tensor conv1.weight has shape [3, 16, 3, 3], expected [16, 3, 3, 3]");
    write_changed("input.safetensors", "\"3x32x32\"", "\"3x32x3a\"");
    expect_refused("input.safetensors", "resnet.input");
    write_changed("huge.safetensors", "\"3x32x32\"", "\"3x99999\"");
    expect_refused("huge.safetensors", "resnet.input");
    write_changed("format.safetensors", "\"format\":\"resnet\"", "\"format\":\"rusnet\"");
    expect_refused("format.safetensors", "was not written by resnet");
    write_changed("version.safetensors", "\"resnet.version\":\"1\"", "\"resnet.version\":\"2\"");
    expect_refused("version.safetensors", "resnet.version");
    write_changed("shortcut.safetensors", "\"resnet.shortcut\":\"A\"", "\"resnet.shortcut\":\"Z\"");
    expect_refused("shortcut.safetensors", "resnet.shortcut");
    model_file_destroy(file);
}

static void test_foreign(void **state) {
    (void)state;
    float values[4] = {1, 2, 3, 4};
    Tensor tensor = {.name = "conv1.weight",
                     .dtype = DTYPE_F32,
                     .rank = 1,
                     .dims = {4},
                     .elements = 4,
                     .data = values,
                     .bytes = sizeof values};
    MetaEntry entry = {"format", "pt"};
    assert_int_equal(safetensors_write(scratch_path("foreign.safetensors"), &tensor, 1, &entry, 1),
                     STATUS_OK);
    expect_refused("foreign.safetensors", "is no model known here");
    file_write(scratch_path("text.safetensors"), "hello", 5);
    expect_refused("text.safetensors", "text.safetensors");
    expect_refused("nothing.safetensors", "No such file");
    ModelFile *file = NULL;
    assert_int_equal(model_file_create("resnet21", NULL, &file), STATUS_USAGE);
    assert_null(file);
}

// A tensor that belongs to no model is refused by name; a checkpoint's momentum is not.
static void test_unknown_tensor(void **state) {
    (void)state;
    ModelFile *file = make("resnet20", NULL);
    save(file, "whole.safetensors");
    Safetensors *open = NULL;
    assert_int_equal(safetensors_open(scratch_path("whole.safetensors"), &open), STATUS_OK);
    int count = safetensors_count(open), metadata_count = safetensors_metadata_count(open);
    Tensor *tensors = calloc((size_t)count + 1, sizeof *tensors);
    MetaEntry *metadata = calloc((size_t)metadata_count, sizeof *metadata);
    int kept = 0;
    for (int i = 0; i < metadata_count; i++) {
        MetaEntry entry = safetensors_metadata_at(open, i);
        if (strcmp(entry.key, "resnet.checksum") != 0) {
            metadata[kept++] = entry;
        }
    }
    for (int i = 0; i < count; i++) {
        tensors[i] = *safetensors_tensor(open, i);
    }
    tensors[count] = tensors[0];
    tensors[count].name = "momentum.conv1.weight";
    const char *path = scratch_path("more.safetensors");
    assert_int_equal(safetensors_write(path, tensors, count + 1, metadata, kept), STATUS_OK);
    ModelFile *loaded = load("more.safetensors");
    expect_same(file, loaded);
    model_file_destroy(loaded);
    tensors[count].name = "layer4.0.conv1.weight";
    assert_int_equal(safetensors_write(path, tensors, count + 1, metadata, kept), STATUS_OK);
    expect_refused("more.safetensors", "\"layer4.0.conv1.weight\" does not belong to resnet20");
    free(tensors);
    free(metadata);
    safetensors_close(open);
    model_file_destroy(file);
}

// ---- preprocessing ------------------------------------------------------------------------------

static void test_preprocess(void **state) {
    (void)state;
    Preprocess preprocess = {.channels = 3,
                             .height = 32,
                             .width = 32,
                             .resize = 36,
                             .interpolation = INTERPOLATION_BICUBIC,
                             .bgr = true,
                             .scale = 1,
                             .mean = {103.939F, 116.779F, 123.68F},
                             .deviation = {1, 1, 1}};
    ModelFile *file = make("resnet20", NULL);
    assert_int_equal(model_file_set_preprocess(file, &preprocess), STATUS_OK);
    save(file, "whole.safetensors");
    ModelFile *loaded = load("whole.safetensors");
    assert_int_equal(loaded->preprocess.resize, 36);
    assert_int_equal(loaded->preprocess.interpolation, INTERPOLATION_BICUBIC);
    assert_true(loaded->preprocess.bgr);
    assert_true(loaded->preprocess.scale == 1);
    assert_memory_equal(loaded->preprocess.mean, preprocess.mean, sizeof preprocess.mean);
    model_file_destroy(loaded);
    // The scale that most have is kept to the bit, and one that is not said stays so.
    file->preprocess.scale = 1.0F / 255;
    save(file, "scale.safetensors");
    loaded = load("scale.safetensors");
    assert_true(loaded->preprocess.scale == 1.0F / 255);
    model_file_destroy(loaded);
    file->preprocess.scale = 0;
    save(file, "scale.safetensors");
    loaded = load("scale.safetensors");
    assert_true(loaded->preprocess.scale == 0);
    model_file_destroy(loaded);
    model_file_destroy(file);
    static const struct {
        const char *from, *to, *message;
    } BAD[] = {
        {"\"resnet.resize\":\"36\"", "\"resnet.resize\":\"-6\"", "resnet.resize is \"-6\""},
        {"\"bicubic\"", "\"lanczos\"", "resnet.interpolation is \"lanczos\""},
        {"\"bgr\"", "\"brg\"", "resnet.channel_order is \"brg\""},
        {"\"resnet.scale\":\"1\"", "\"resnet.scale\":\"0\"", "resnet.scale is \"0\""},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        write_changed("bad.safetensors", BAD[i].from, BAD[i].to);
        expect_refused("bad.safetensors", BAD[i].message);
    }
}

// Files of before, which had mean and deviation only.
static void test_older(void **state) {
    (void)state;
    Preprocess preprocess = {
        .channels = 3, .height = 32, .width = 32, .mean = {0.5F}, .deviation = {1, 1, 0.25F}};
    ModelFile *file = make("resnet20", NULL);
    assert_int_equal(model_file_set_preprocess(file, &preprocess), STATUS_OK);
    save(file, "whole.safetensors");
    write_changed("older.safetensors", "resnet.resize", "resnet.rxxxxx");
    ModelFile *loaded = load("older.safetensors");
    assert_true(loaded->has_preprocess);
    assert_int_equal(loaded->preprocess.resize, 0);
    assert_int_equal(loaded->preprocess.interpolation, INTERPOLATION_BILINEAR);
    assert_false(loaded->preprocess.bgr);
    assert_true(loaded->preprocess.deviation[2] == 0.25F);
    model_file_destroy(loaded);
    model_file_destroy(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip), cmocka_unit_test(test_options),
        cmocka_unit_test(test_damage),     cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_foreign),    cmocka_unit_test(test_unknown_tensor),
        cmocka_unit_test(test_preprocess), cmocka_unit_test(test_older),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
