// SPDX-License-Identifier: Apache-2.0
#include "weights/model_file.h"

#include <stdlib.h>
#include <string.h>

static Status out_of_memory(void) {
    return status_fail(STATUS_FAILED, "cannot get memory for a model");
}

Status model_file_create(const char *name, const ModelOptions *options, ModelFile **out) {
    *out = NULL;
    ModelFile *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return out_of_memory();
    }
    if (options != NULL) {
        file->options = *options;
    }
    file->options.loss = false;
    // Defaults are named, so that a file says what they were: a later default may be another.
    Status status = model_resolve(name, &file->options);
    if (status == STATUS_OK) {
        status = model_build(name, &file->options, &file->graph);
    }
    if (status == STATUS_OK) {
        file->arena = arena_create();
        file->name = file->arena != NULL ? arena_format(file->arena, "%s", name) : NULL;
        status = file->name != NULL ? STATUS_OK : out_of_memory();
    }
    if (status != STATUS_OK) {
        model_file_destroy(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

void model_file_destroy(ModelFile *file) {
    if (file == NULL) {
        return;
    }
    parameters_destroy(file->parameters);
    tensor_file_close(file->source);
    graph_destroy(file->graph);
    arena_destroy(file->arena);
    free(file);
}

Status model_file_initialise(ModelFile *file, uint64_t seed) {
    if (file->parameters != NULL) {
        return STATUS_OK;
    }
    TRY(parameters_create(file->graph, sizeof(float), false, &file->parameters));
    parameters_init(file->parameters, file->graph, seed);
    return STATUS_OK;
}

Status model_file_set_classes(ModelFile *file, char *const *names, int count) {
    if (count != file->options.classes) {
        return status_fail(STATUS_FAILED, "%d names of classes for a model with %d classes", count,
                           file->options.classes);
    }
    char **copies = arena_alloc(file->arena, (size_t)count * sizeof *copies);
    bool failed = copies == NULL;
    for (int i = 0; i < count && !failed; i++) {
        copies[i] = arena_format(file->arena, "%s", names[i]);
        failed = copies[i] == NULL;
    }
    if (failed) {
        return out_of_memory();
    }
    file->class_names = copies;
    return STATUS_OK;
}

Status model_file_set_preprocess(ModelFile *file, const Preprocess *preprocess) {
    Preprocess copy = *preprocess;
    if (preprocess->pixel_mean != NULL) {
        size_t bytes = (size_t)preprocess->height * (size_t)preprocess->width *
                       (size_t)preprocess->channels * sizeof(float);
        copy.pixel_mean = arena_alloc(file->arena, bytes);
        if (copy.pixel_mean == NULL) {
            return out_of_memory();
        }
        memcpy(copy.pixel_mean, preprocess->pixel_mean, bytes);
    }
    file->preprocess = copy;
    file->has_preprocess = true;
    return STATUS_OK;
}

Status model_file_set_quantization(ModelFile *file, const Quantization *table) {
    Arena *arena = file->arena;
    Quantization *copy = arena_alloc(arena, sizeof *copy);
    if (copy == NULL) {
        return out_of_memory();
    }
    *copy = *table;
    copy->values = arena_alloc(arena, (size_t)table->value_count * sizeof *copy->values + 1);
    copy->float_nodes =
        arena_alloc(arena, (size_t)table->float_count * sizeof *copy->float_nodes + 1);
    bool failed = copy->values == NULL || copy->float_nodes == NULL;
    for (int32_t i = 0; i < table->value_count && !failed; i++) {
        copy->values[i] = table->values[i];
        copy->values[i].name = arena_format(arena, "%s", table->values[i].name);
        failed = copy->values[i].name == NULL;
    }
    for (int32_t i = 0; i < table->float_count && !failed; i++) {
        copy->float_nodes[i] = arena_format(arena, "%s", table->float_nodes[i]);
        failed = copy->float_nodes[i] == NULL;
    }
    if (failed) {
        return out_of_memory();
    }
    file->quantization = copy;
    return STATUS_OK;
}
