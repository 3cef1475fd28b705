// SPDX-License-Identifier: Apache-2.0
#include "weights/model_io.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "weights/entries.h"
#include "weights/identify.h"
#include "weights/labels.h"
#include "weights/model_entries.h"

// A parameter from its tensor: borrowed where the file has it as the kernels read it.
static Status take_tensor(ModelFile *file, const Param *param, const Tensor *tensor, bool map) {
    if (map && tensor->dtype == DTYPE_F32 && (uintptr_t)tensor->data % _Alignof(float) == 0) {
        return parameters_borrow(file->parameters, file->graph, param, tensor->data);
    }
    return tensor_to_float(tensor, parameters_values(file->parameters, param));
}

static Status load_own(const TensorFile *open, const char *path, const LoadOptions *options,
                       ModelFile **out) {
    TRY(model_entries_read(open, path, out));
    ModelFile *file = *out;
    if (options->model != NULL && strcmp(options->model, file->name) != 0) {
        return status_fail(STATUS_FAILED, "%s: says that it is %s, not %.64s", path, file->name,
                           options->model);
    }
    StrideIn stride_in = file->options.stride_in;
    if (options->stride_in != STRIDE_IN_DEFAULT && stride_in != STRIDE_IN_DEFAULT &&
        options->stride_in != stride_in) {
        return status_fail(STATUS_FAILED,
                           "%s: says that its stride is in the %s convolutions, not %s", path,
                           stride_in_name(stride_in), stride_in_name(options->stride_in));
    }
    TRY(parameters_create(file->graph, sizeof(float), false, &file->parameters));
    for (int32_t p = 0; p < file->graph->param_count; p++) {
        const Param *param = &file->graph->params[p];
        const Tensor *tensor = NULL;
        Status status = entries_find_param(open, "", param, &tensor);
        if (status == STATUS_OK) {
            status = tensor->dtype == DTYPE_I8
                         ? entries_read_param(open, "", param,
                                              parameters_values(file->parameters, param))
                         : take_tensor(file, param, tensor, options->map);
        }
        if (status != STATUS_OK) {
            return status_context(STATUS_FAILED, "%s", path);
        }
    }
    return STATUS_OK;
}

// Files have parameters in the order of the network, mostly: the search begins after the last one.
static const Param *next_param(const Graph *graph, const char *name, int32_t *last) {
    for (int32_t i = 0; i < graph->param_count; i++) {
        *last = (*last + 1) % graph->param_count;
        if (strcmp(graph->params[*last].name, name) == 0) {
            return &graph->params[*last];
        }
    }
    return NULL;
}

static Status take_parameters(const char *path, const Identity *identity, bool map,
                              ModelFile *file) {
    int32_t last = -1, taken = 0;
    TRY(parameters_create(file->graph, sizeof(float), false, &file->parameters));
    for (int i = 0; i < identity->renaming_count; i++) {
        const Renaming *renaming = &identity->renamings[i];
        if (renaming->name != NULL) {
            const Param *param = next_param(file->graph, renaming->name, &last);
            assert(param != NULL && param->elements == renaming->tensor->elements);
            taken++;
            if (take_tensor(file, param, renaming->tensor, map) != STATUS_OK) {
                return status_context(STATUS_FAILED, "%s", path);
            }
        }
    }
    assert(taken == file->graph->param_count);
    return STATUS_OK;
}

static Status load_identified(const char *path, const LoadOptions *options,
                              const Identity *identity, ModelFile **out) {
    if (identity->refused != NULL) {
        return status_fail(STATUS_FAILED, "%s: %s", path, identity->refused);
    }
    ModelOptions model = identity->options;
    if (options->stride_in != STRIDE_IN_DEFAULT) {
        model.stride_in = options->stride_in;
    }
    TRY(model_file_create(identity->model, &model, out));
    (*out)->stride_in_assumed =
        model.stride_in == STRIDE_IN_DEFAULT && (*out)->options.stride_in != STRIDE_IN_DEFAULT;
    return take_parameters(path, identity, options->map, *out);
}

static Status load_foreign(const TensorFile *open, const char *path, const LoadOptions *options,
                           ModelFile **out) {
    Arena *arena = arena_create();
    if (arena == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a model");
    }
    Identity identity;
    Status status = weights_identify(arena, open, options->model, &identity);
    if (status == STATUS_OK) {
        status = load_identified(path, options, &identity, out);
    }
    arena_destroy(arena);
    return status;
}

// Labels and preprocessing in place of what the file carries.
static Status apply_options(const char *path, const LoadOptions *options, ModelFile *file) {
    Shape input = file->options.input;
    if (options->preset != NULL && input.channels != 1 && input.channels != 3) {
        return status_fail(STATUS_FAILED, "%s: reads %d channels, but a picture has 1 or 3", path,
                           input.channels);
    }
    if (options->preset != NULL) {
        Preprocess preset;
        TRY(preprocess_preset(options->preset, input.channels, input.height, input.width, &preset));
        TRY(model_file_set_preprocess(file, &preset));
    }
    return options->labels == NULL ? STATUS_OK
                                   : labels_read(file->arena, options->labels,
                                                 file->options.classes, &file->class_names);
}

static Status load(const char *path, const LoadOptions *options, ModelFile **out) {
    TensorFile *open = NULL;
    TRY(tensor_file_open(path, &open));
    Status status = model_entries_are_own(open) ? load_own(open, path, options, out)
                                                : load_foreign(open, path, options, out);
    if (status == STATUS_OK && (*out)->parameters->borrowed != NULL) {
        (*out)->source = open;
    } else {
        tensor_file_close(open);
    }
    return status == STATUS_OK ? apply_options(path, options, *out) : status;
}

Status model_file_load(const char *path, const LoadOptions *options, ModelFile **out) {
    static const LoadOptions NONE = {0};
    *out = NULL;
    options = options != NULL ? options : &NONE;
    if (options->model != NULL) {
        ModelOptions model = {.stride_in = options->stride_in};
        TRY(model_resolve(options->model, &model));
    }
    Status status = load(path, options, out);
    if (status != STATUS_OK) {
        model_file_destroy(*out);
        *out = NULL;
    }
    return status;
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
