// SPDX-License-Identifier: Apache-2.0
#include "train/model_file.h"

#include <stdlib.h>
#include <string.h>

#include "train/entries.h"
#include "train/model_entries.h"

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

static Status load_parameters(const Safetensors *open, const char *path, ModelFile *file) {
    TRY(parameters_create(file->graph, sizeof(float), false, &file->parameters));
    for (int32_t p = 0; p < file->graph->param_count; p++) {
        const Param *param = &file->graph->params[p];
        TRY(entries_read_param(open, path, "", param, parameters_values(file->parameters, param)));
    }
    return STATUS_OK;
}

Status model_file_load(const char *path, ModelFile **out) {
    *out = NULL;
    Safetensors *open = NULL;
    TRY(safetensors_open(path, &open));
    ModelFile *file = NULL;
    Status status = model_entries_read(open, path, &file);
    if (status == STATUS_OK) {
        status = load_parameters(open, path, file);
    }
    safetensors_close(open);
    if (status != STATUS_OK) {
        model_file_destroy(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

Status model_file_save(const ModelFile *file, const char *path) {
    Entries entries;
    TRY(entries_create(model_entries_tensors(file), MODEL_ENTRIES_METADATA, &entries));
    Status status = model_entries_add(file, &entries);
    if (status == STATUS_OK) {
        status = entries_write(&entries, path);
    }
    entries_destroy(&entries);
    return status;
}
