// SPDX-License-Identifier: Apache-2.0
// Reads what PyTorch saved (make_torch_files.py) in every form of its files, and compares it with
// the same tensors as safetensors.
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "formats/tensor_file.h"

#define FOLDER "tests/formats/torch/"

static TensorFile *open_file(const char *path) {
    TensorFile *file;
    if (tensor_file_open(path, &file) != STATUS_OK) {
        fail_msg("%s", status_message());
    }
    return file;
}

static void assert_metadata(const TensorFile *file, const char *key, const char *value) {
    const char *found = tensor_file_metadata(file, key);
    if (found == NULL) {
        fail_msg("metadata \"%s\" is missing", key);
    }
    assert_string_equal(found, value);
}

static const struct {
    const char *name, *expected;
    TensorFormat format;
} FILES[] = {
    {"dtypes.safetensors", "dtypes.safetensors", FORMAT_SAFETENSORS},
    {"dtypes-zip.pth", "dtypes.safetensors", FORMAT_TORCH_ZIP},
    {"dtypes-zip4.pth", "dtypes.safetensors", FORMAT_TORCH_ZIP},
    {"dtypes-legacy.pth", "dtypes.safetensors", FORMAT_TORCH_LEGACY},
    {"views-zip.pth", "views.safetensors", FORMAT_TORCH_ZIP},
    {"views-zip5.pth", "views.safetensors", FORMAT_TORCH_ZIP},
    {"views-unchecked.pth", "views.safetensors", FORMAT_TORCH_ZIP},
    {"views-legacy.pth", "views.safetensors", FORMAT_TORCH_LEGACY},
    {"views-legacy4.pth", "views.safetensors", FORMAT_TORCH_LEGACY},
    {"checkpoint-zip.pth", "checkpoint.safetensors", FORMAT_TORCH_ZIP},
    {"checkpoint-zip64.pth", "checkpoint.safetensors", FORMAT_TORCH_ZIP},
    {"checkpoint-legacy.pth", "checkpoint.safetensors", FORMAT_TORCH_LEGACY},
    {"module-zip.pth", "module.safetensors", FORMAT_TORCH_ZIP},
    {"module-legacy.pth", "module.safetensors", FORMAT_TORCH_LEGACY},
    {"module-script.pth", "module.safetensors", FORMAT_TORCH_ZIP},
    {"tar-first.pth", "tar.safetensors", FORMAT_TORCH_TAR},
    {"tensor-zip.pth", "tensor.safetensors", FORMAT_TORCH_ZIP},
    {"odd-zip.pth", "odd.safetensors", FORMAT_TORCH_ZIP},
};

static void test_tensors(void **state) {
    (void)state;
    for (size_t f = 0; f < sizeof FILES / sizeof FILES[0]; f++) {
        char path[256], expected_path[256];
        snprintf(path, sizeof path, FOLDER "%s", FILES[f].name);
        snprintf(expected_path, sizeof expected_path, FOLDER "%s", FILES[f].expected);
        TensorFile *file = open_file(path);
        Safetensors *expected;
        assert_int_equal(safetensors_open(expected_path, &expected), STATUS_OK);
        assert_int_equal(tensor_file_format(file), FILES[f].format);
        if (tensor_file_count(file) != safetensors_count(expected)) {
            fail_msg("%s: %d tensors, expected %d", path, tensor_file_count(file),
                     safetensors_count(expected));
        }
        for (int i = 0; i < safetensors_count(expected); i++) {
            const Tensor *wanted = safetensors_tensor(expected, i);
            const Tensor *found = tensor_file_find(file, wanted->name);
            if (found == NULL || found->dtype != wanted->dtype || found->rank != wanted->rank ||
                memcmp(found->dims, wanted->dims, sizeof wanted->dims) != 0 ||
                found->elements != wanted->elements || found->bytes != wanted->bytes ||
                memcmp(found->data, wanted->data, wanted->bytes) != 0) {
                fail_msg("%s: \"%s\" is missing or differs", path, wanted->name);
            }
        }
        safetensors_close(expected);
        tensor_file_close(file);
    }
}

// Tensors come in the file's order: of a module, its own parameters before those of its modules.
static void test_order(void **state) {
    (void)state;
    TensorFile *file = open_file(FOLDER "module-zip.pth");
    static const char *const NAMES[] = {
        "conv1.weight",     "bn1.weight",      "bn1.bias",
        "bn1.running_mean", "bn1.running_var", "bn1.num_batches_tracked",
        "fc.weight",        "fc.bias",
    };
    for (int i = 0; i < tensor_file_count(file); i++) {
        assert_string_equal(tensor_file_tensor(file, i)->name, NAMES[i]);
    }
    tensor_file_close(file);
}

static void test_metadata(void **state) {
    (void)state;
    static const char *const PATHS[] = {FOLDER "checkpoint-zip.pth",
                                        FOLDER "checkpoint-legacy.pth"};
    for (int i = 0; i < 2; i++) {
        TensorFile *file = open_file(PATHS[i]);
        assert_metadata(file, "epoch", "90");
        assert_metadata(file, "arch", "resnet18");
        assert_metadata(file, "best_acc1", "69.75");
        assert_metadata(file, "amp", "false");
        assert_metadata(file, "classes.0", "tench");
        assert_metadata(file, "classes.1", "caf\xc3\xa9");
        assert_metadata(file, "args.lr", "0.1");
        assert_metadata(file, "args.betas.1", "0.999");
        assert_metadata(file, "optimizer.param_groups.0.momentum", "0.9");
        assert_null(tensor_file_metadata(file, "none"));
        for (int j = 1; j < tensor_file_metadata_count(file); j++) {
            assert_true(strcmp(tensor_file_metadata_at(file, j - 1).key,
                               tensor_file_metadata_at(file, j).key) < 0);
        }
        tensor_file_close(file);
    }
    TensorFile *file = open_file(FOLDER "tar-first.pth");
    assert_metadata(file, "epoch", "3");
    tensor_file_close(file);
    file = open_file(FOLDER "checkpoint.safetensors");
    assert_int_equal(tensor_file_metadata_count(file), 0);
    tensor_file_close(file);
}

// Tensors in C order are not copied: they lie in the bytes that were given, shared ones together.
static void test_in_place(void **state) {
    (void)state;
    FileBytes bytes;
    TensorFile *file;
    assert_int_equal(file_map(FOLDER "views-zip.pth", &bytes), STATUS_OK);
    assert_int_equal(tensor_file_parse(bytes.bytes, bytes.size, "views", &file), STATUS_OK);
    const Tensor *shared = tensor_file_find(file, "shared");
    const uint8_t *data = shared->data;
    assert_true(data >= bytes.bytes && data + shared->bytes <= bytes.bytes + bytes.size);
    assert_ptr_equal(tensor_file_find(file, "shared_again")->data, data);
    assert_ptr_equal(tensor_file_find(file, "shared_end")->data, data + 7 * sizeof(float));
    tensor_file_close(file);
    file_unmap(&bytes);
}

static void test_nothing_to_read(void **state) {
    (void)state;
    TensorFile *file = open_file(FOLDER "empty.pth");
    assert_int_equal(tensor_file_count(file), 0);
    assert_null(tensor_file_find(file, "a"));
    tensor_file_close(file);
    assert_int_equal(tensor_file_open(FOLDER "opaque.pth", &file), STATUS_FAILED);
    assert_null(file);
    assert_string_equal(status_message(),
                        FOLDER "opaque.pth: holds no tensor that can be read, but a whole object "
                               "\"torch.nn.modules.module.Module\", expected a state_dict (save "
                               "model.state_dict() rather than the model)");
    assert_int_equal(tensor_file_open(FOLDER "none.pth", &file), STATUS_FAILED);
    assert_string_equal(status_message(),
                        FOLDER "none.pth: cannot be opened (No such file or directory)");
}

// Published checkpoints of 2018, where they lie beside the project.
static void test_published(void **state) {
    (void)state;
    static const struct {
        const char *path, *accuracy;
        int tensors;
    } PUBLISHED[] = {
        {"../shared/data/resnet20-cifar10.th", "91.78", 97},
        {"../shared/data/resnet32-cifar10.th", "92.7", 157},
    };
    for (int i = 0; i < 2; i++) {
        if (!file_exists(PUBLISHED[i].path)) {
            skip();
        }
        TensorFile *file = open_file(PUBLISHED[i].path);
        assert_int_equal(tensor_file_format(file), FORMAT_TORCH_LEGACY);
        assert_int_equal(tensor_file_count(file), PUBLISHED[i].tensors);
        const Tensor *first = tensor_file_tensor(file, 0);
        assert_string_equal(first->name, "state_dict.module.conv1.weight");
        assert_int_equal(first->elements, 16 * 3 * 3 * 3);
        const char *accuracy = tensor_file_metadata(file, "best_prec1");
        assert_non_null(accuracy);
        assert_memory_equal(accuracy, PUBLISHED[i].accuracy, strlen(PUBLISHED[i].accuracy));
        tensor_file_close(file);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tensors),         cmocka_unit_test(test_order),
        cmocka_unit_test(test_metadata),        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_nothing_to_read), cmocka_unit_test(test_published),
    };
    return cmocka_run_group_tests_name("formats.torch_files", tests, NULL, NULL);
}
