// SPDX-License-Identifier: Apache-2.0
// Checkpoints of networks with parameters that are for training alone: GoogLeNet's auxiliary heads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "formats/tensor_file.h"
#include "heads.h"
#include "scratch.h"
#include "weights/entries.h"

static Status load(const Subject *subject, const char *path, TrainState *state) {
    return checkpoint_load(path, subject->model, subject->graph, some_fields(), state);
}

// Both forms, the paper's at the size of images that it needs: what is saved is what is loaded.
static void test_round_trip(void **state) {
    (void)state;
    static const struct {
        const char *model;
        int side;
    } CASES[] = {{"googlenet", 32}, {"googlenet_paper", 96}};
    for (int i = 0; i < 2; i++) {
        Subject saved = subject_create(CASES[i].model, CASES[i].side);
        Subject loaded = subject_create(CASES[i].model, CASES[i].side);
        const Parameters *from = saved.model->parameters, *to = loaded.model->parameters;
        const char *path = scratch_path("round_trip.safetensors");
        size_t bytes = saved.graph->trainable_elements * sizeof(float);
        TrainState found;
        subject_fill(&saved, 1);
        subject_save(&saved, path);
        require(load(&loaded, path, &found));
        assert_int_equal(found.iteration, 5);
        assert_true(found.sums.loss == 0.1);
        assert_memory_equal(to->values, from->values, bytes);
        assert_memory_equal(to->momentum, from->momentum, bytes);
        assert_memory_equal(to->running, from->running,
                            saved.graph->running_elements * sizeof(float));
        subject_destroy(&saved);
        subject_destroy(&loaded);
    }
}

static void test_not_finite(void **state) {
    (void)state;
    Subject subject = subject_create("googlenet", 32);
    ParamId head = graph_find_param(subject.graph, "aux2.fc2.bias");
    assert_true(head >= subject.model->graph->param_count);
    const Param *param = &subject.graph->params[head];
    float *blocks[] = {subject.model->parameters->values, subject.model->parameters->momentum};
    for (int b = 0; b < 2; b++) {
        TrainState at = {.iteration = 5};
        blocks[b][param->offset] = NAN;
        assert_int_equal(checkpoint_save(scratch_path("nan.safetensors"), subject.model,
                                         subject.graph, some_fields(), &at),
                         STATUS_FAILED);
        assert_non_null(strstr(status_message(), "aux2.fc2.bias is not finite after iteration 5"));
        blocks[b][param->offset] = 0;
    }
    subject_destroy(&subject);
}

// Writes the file's own entries again, without tensors that have `part` in their names.
static void drop_tensors(const char *path, const char *part) {
    TensorFile *file = NULL;
    require(tensor_file_open(path, &file));
    Entries entries;
    int count = tensor_file_count(file);
    require(entries_create(count, tensor_file_metadata_count(file) + 1, &entries));
    for (int i = 0; i < count; i++) {
        const Tensor *tensor = tensor_file_tensor(file, i);
        int32_t dims[4] = {0};
        for (int d = 0; d < tensor->rank; d++) {
            dims[d] = (int32_t)tensor->dims[d];
        }
        if (strstr(tensor->name, part) == NULL) {
            float *values = arena_alloc(entries.arena, tensor->bytes + 1);
            require(tensor_to_float(tensor, values));
            entries_add_tensor(&entries, tensor->name, tensor->rank, dims, values);
        }
    }
    for (int i = 0; i < tensor_file_metadata_count(file); i++) {
        MetaEntry entry = tensor_file_metadata_at(file, i);
        if (strcmp(entry.key, "resnet.checksum") != 0) {
            entries_add(&entries, entry.key, entry.value);
        }
    }
    tensor_file_close(file);
    require(entries_write(&entries, path));
    entries_destroy(&entries);
}

// A training cannot go on exactly from a checkpoint whose heads are gone, and says so.
static void test_without_heads(void **state) {
    (void)state;
    static const struct {
        const char *part, *sentence;
    } CASES[] = {
        {"momentum.aux2.fc1.weight", "tensor momentum.aux2.fc1.weight is missing"},
        {"aux", "tensor training.aux1.conv.conv.weight is missing"},
    };
    Subject subject = subject_create("googlenet", 32);
    const char *path = scratch_path("headless.safetensors");
    subject_fill(&subject, 1);
    subject_save(&subject, path);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        TrainState found;
        char sentence[700];
        snprintf(sentence, sizeof sentence, "%s: %s", path, CASES[i].sentence);
        drop_tensors(path, CASES[i].part);
        assert_int_equal(load(&subject, path, &found), STATUS_FAILED);
        assert_string_equal(status_message(), sentence);
    }
    subject_destroy(&subject);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_without_heads),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
