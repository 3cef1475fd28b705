// SPDX-License-Identifier: Apache-2.0
// For tests: model files in the scratch folder, whole and changed.
#ifndef RESNET_TESTS_WEIGHTS_MODEL_FILES_H
#define RESNET_TESTS_WEIGHTS_MODEL_FILES_H

#include "train/scratch.h"
#include "weights/model_io.h"

static inline void expect_message(const char *part) {
    if (strstr(status_message(), part) == NULL) {
        fail_msg("found '%s', expected '%s' in it", status_message(), part);
    }
}

static inline ModelFile *make(const char *name, const ModelOptions *options) {
    ModelFile *file = NULL;
    assert_int_equal(model_file_create(name, options, &file), STATUS_OK);
    assert_int_equal(model_file_initialise(file, 5), STATUS_OK);
    return file;
}

static inline void save(const ModelFile *file, const char *name) {
    if (model_file_save(file, scratch_path(name)) != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

static inline ModelFile *load(const char *name) {
    ModelFile *file = NULL;
    if (model_file_load(scratch_path(name), NULL, &file) != STATUS_OK) {
        fail_msg("%s", status_message());
    }
    return file;
}

static inline void expect_refused(const char *name, const char *part) {
    ModelFile *file = NULL;
    assert_int_equal(model_file_load(scratch_path(name), NULL, &file), STATUS_FAILED);
    assert_null(file);
    expect_message(name);
    expect_message(part);
}

static inline void expect_same(const ModelFile *a, const ModelFile *b) {
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->options.shortcut, b->options.shortcut);
    assert_int_equal(a->options.stride_in, b->options.stride_in);
    assert_int_equal(a->options.classes, b->options.classes);
    assert_memory_equal(&a->options.input, &b->options.input, sizeof a->options.input);
    assert_memory_equal(a->parameters->values, b->parameters->values,
                        a->graph->trainable_elements * sizeof(float));
    assert_memory_equal(a->parameters->running, b->parameters->running,
                        a->graph->running_elements * sizeof(float));
}

// A copy of a good file with the first `from` in its header made `to`, of the same length, and no
// checksum.
static inline void write_changed(const char *name, const char *from, const char *to) {
    size_t size = 0;
    uint8_t *bytes = file_read(scratch_path("whole.safetensors"), &size);
    uint8_t *sum = memmem(bytes, size, "resnet.checksum", 15);
    assert_non_null(sum);
    memcpy(sum, "resnet.checkxxx", 15);
    uint8_t *place = memmem(bytes, size, from, strlen(from));
    assert_non_null(place);
    assert_int_equal(strlen(from), strlen(to));
    memcpy(place, to, strlen(to));
    file_write(scratch_path(name), bytes, size);
    free(bytes);
}

#endif
