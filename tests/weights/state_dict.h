// SPDX-License-Identifier: Apache-2.0
// Files of tensors as others publish them, made from a network of ours: names put into another
// layout, wrappers before them. The values are a hole of zeros in the file, so that even VGG costs
// nothing, unless a test asks for values that it can recognise.
#ifndef RESNET_TESTS_WEIGHTS_STATE_DICT_H
#define RESNET_TESTS_WEIGHTS_STATE_DICT_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "formats/tensor_file.h"
#include "models/models.h"
#include "train/scratch.h"

typedef struct StateTensor {
    char name[200];
    Dtype dtype;
    int rank;
    int64_t dims[4];
    uint64_t seed; // of the values
} StateTensor;

typedef struct StateDict {
    StateTensor *tensors;
    int count, capacity;
} StateDict;

static inline void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

static inline StateTensor *state_add(StateDict *dict, const char *name, Dtype dtype) {
    if (dict->count == dict->capacity) {
        dict->capacity = 2 * dict->capacity + 64;
        dict->tensors = realloc(dict->tensors, (size_t)dict->capacity * sizeof *dict->tensors);
        assert_non_null(dict->tensors);
    }
    StateTensor *tensor = &dict->tensors[dict->count++];
    *tensor = (StateTensor){.dtype = dtype};
    assert_true(snprintf(tensor->name, sizeof tensor->name, "%s", name) < (int)sizeof tensor->name);
    return tensor;
}

// One vector, for what is no parameter.
static inline void state_add_vector(StateDict *dict, const char *name, int64_t length) {
    StateTensor *tensor = state_add(dict, name, DTYPE_F32);
    tensor->rank = 1;
    tensor->dims[0] = length;
}

// Adds a network's parameters in PyTorch's order: a norm's counter after its statistics.
static inline void state_add_model(StateDict *dict, const char *prefix, const char *model,
                                   const ModelOptions *options) {
    Graph *graph = NULL;
    char name[200];
    require(model_build(model, options, &graph));
    for (int32_t p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        snprintf(name, sizeof name, "%s%s", prefix, param->name);
        StateTensor *tensor = state_add(dict, name, DTYPE_F32);
        tensor->rank = param->rank;
        tensor->seed = random_hash(param->name);
        for (int i = 0; i < param->rank; i++) {
            tensor->dims[i] = param->dims[i];
        }
        char *variance = strstr(name, "running_var");
        if (variance != NULL) {
            strcpy(variance, "num_batches_tracked");
            state_add(dict, name, DTYPE_I64);
        }
    }
    graph_destroy(graph);
}

static inline StateDict state_of(const char *model, const ModelOptions *options) {
    StateDict dict = {0};
    state_add_model(&dict, "", model, options);
    return dict;
}

static inline void state_free(StateDict *dict) {
    free(dict->tensors);
    *dict = (StateDict){0};
}

static inline StateTensor *state_find(const StateDict *dict, const char *name) {
    for (int i = 0; i < dict->count; i++) {
        if (strcmp(dict->tensors[i].name, name) == 0) {
            return &dict->tensors[i];
        }
    }
    fail_msg("no tensor %s", name);
    abort(); // not reached
}

// Takes out all tensors whose name has `part` in it.
static inline void state_remove(StateDict *dict, const char *part) {
    int kept = 0;
    for (int i = 0; i < dict->count; i++) {
        if (strstr(dict->tensors[i].name, part) == NULL) {
            dict->tensors[kept++] = dict->tensors[i];
        }
    }
    assert_true(kept < dict->count);
    dict->count = kept;
}

// Puts `to` for the first `from` in every name that has it; "^" begins a name.
static inline void state_replace(StateDict *dict, const char *from, const char *to) {
    bool anchored = from[0] == '^';
    from += anchored;
    for (int i = 0; i < dict->count; i++) {
        char *name = dict->tensors[i].name, old[200];
        char *place = strstr(name, from);
        if (place != NULL && (!anchored || place == name)) {
            strcpy(old, name);
            assert_true(snprintf(name, sizeof old, "%.*s%s%s", (int)(place - name), old, to,
                                 old + (place - name) + strlen(from)) < (int)sizeof old);
        }
    }
}

static inline size_t state_elements(const StateTensor *tensor) {
    size_t elements = 1;
    for (int i = 0; i < tensor->rank; i++) {
        elements *= (size_t)tensor->dims[i];
    }
    return elements;
}

// What a test finds again: between 0.5 and 1, so that variances are good ones too.
static inline float state_value(const StateTensor *tensor, size_t i) {
    return 0.5F + (float)(random_bits(1, RANDOM_TEST, tensor->seed, i) >> 40) * 0x1p-25F;
}

// Writes the file with zeros (a hole) or, with `values`, the formula above.
static inline const char *state_write(const StateDict *dict, const char *file, bool values) {
    const char *path = scratch_path(file);
    char *header = NULL;
    size_t length = 0, offset = 0;
    FILE *text = open_memstream(&header, &length);
    fprintf(text, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (int t = 0; t < dict->count; t++) {
        const StateTensor *tensor = &dict->tensors[t];
        fprintf(text, ",\"%s\":{\"dtype\":\"%s\",\"shape\":[", tensor->name,
                dtype_name(tensor->dtype));
        for (int i = 0; i < tensor->rank; i++) {
            fprintf(text, "%s%" PRId64, i > 0 ? "," : "", tensor->dims[i]);
        }
        size_t end = offset + state_elements(tensor) * dtype_bytes(tensor->dtype);
        fprintf(text, "],\"data_offsets\":[%zu,%zu]}", offset, end);
        offset = end;
    }
    fprintf(text, "}");
    fclose(text);
    FILE *out = fopen(path, "wb");
    uint64_t header_length = length;
    assert_non_null(out);
    fwrite(&header_length, 8, 1, out);
    fwrite(header, 1, length, out);
    for (int t = 0; values && t < dict->count; t++) {
        const StateTensor *tensor = &dict->tensors[t];
        for (size_t i = 0; i < state_elements(tensor); i++) {
            float value = state_value(tensor, i);
            uint64_t bits = 0; // of an integer: 0
            memcpy(&bits, &value, tensor->dtype == DTYPE_F32 ? sizeof value : 0);
            fwrite(&bits, dtype_bytes(tensor->dtype), 1, out);
        }
    }
    assert_int_equal(fflush(out), 0);
    assert_int_equal(ftruncate(fileno(out), (off_t)(8 + length + offset)), 0);
    fclose(out);
    free(header);
    return path;
}

#endif
