// SPDX-License-Identifier: Apache-2.0
#include "train/init_file.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "weights/identify.h"
#include "weights/match.h"
#include "weights/model_entries.h"

// ---- the model's own ----------------------------------------------------------------------------

static Status copy_parameters(const char *path, const ModelFile *from, const ModelFile *to) {
    for (int32_t p = 0; p < to->graph->param_count; p++) {
        const Param *param = &to->graph->params[p];
        ParamId id = graph_find_param(from->graph, param->name);
        const Param *source = id == PARAM_NONE ? NULL : &from->graph->params[id];
        if (source == NULL || !param_same_extents(source, param)) {
            return status_fail(STATUS_FAILED,
                               "%s: holds %s for %d classes, whose %s is %s, so %s for %d classes "
                               "cannot begin with it",
                               path, from->name, from->options.classes, param->name,
                               source == NULL ? "missing" : "of another shape", to->name,
                               to->options.classes);
        }
        memcpy(parameters_values(to->parameters, param),
               parameters_values(from->parameters, source), param->elements * sizeof(float));
    }
    if (from->graph->param_count != to->graph->param_count) {
        return status_fail(STATUS_FAILED, "%s: holds %s, which has more parameters than %s", path,
                           from->name, to->name);
    }
    return STATUS_OK;
}

// ---- what is for training alone -----------------------------------------------------------------

// NULL where the file has no such tensor of floats, or one of another shape.
static const Tensor *find_head(const TensorFile *open, const char *prefix, const Param *param) {
    char name[512];
    snprintf(name, sizeof name, "%s%s", prefix, param->name);
    const Tensor *tensor = tensor_file_find(open, name);
    return tensor != NULL && match_fits(tensor, param, LAYOUT_TORCHVISION) ? tensor : NULL;
}

static Status read_heads(const TensorFile *open, const char *prefix, const ModelFile *model,
                         const Graph *graph, bool *heads) {
    int32_t first = model->graph->param_count;
    *heads = true;
    for (int32_t p = first; p < graph->param_count && *heads; p++) {
        *heads = find_head(open, prefix, &graph->params[p]) != NULL;
    }
    for (int32_t p = first; p < graph->param_count && *heads; p++) {
        const Param *param = &graph->params[p];
        TRY(tensor_to_float(find_head(open, prefix, param),
                            parameters_values(model->parameters, param)));
    }
    return STATUS_OK;
}

// Checkpoints of ours have a prefix of their own, other files the wrapper of the model.
static Status find_heads(Arena *arena, const TensorFile *open, const ModelFile *model,
                         const Graph *graph, bool *heads) {
    if (model_entries_are_own(open)) {
        return read_heads(open, TRAINING_PREFIX, model, graph, heads);
    }
    Identity identity;
    TRY(weights_identify(arena, open, NULL, &identity));
    return read_heads(open, identity.wrapper, model, graph, heads);
}

static Status open_heads(const char *path, const ModelFile *model, const Graph *graph,
                         bool *heads) {
    TensorFile *open = NULL;
    TRY(tensor_file_open(path, &open));
    Arena *arena = arena_create();
    Status status = arena == NULL
                        ? status_fail(STATUS_FAILED, "cannot get memory for the names of tensors")
                        : find_heads(arena, open, model, graph, heads);
    arena_destroy(arena);
    tensor_file_close(open);
    return status == STATUS_OK ? STATUS_OK : status_context(STATUS_FAILED, "%s", path);
}

Status init_file_read(const char *path, const ModelFile *model, const Graph *graph, bool *heads) {
    assert(graph_begins_with(graph, model->graph));
    *heads = graph->param_count == model->graph->param_count;
    ModelFile *init = NULL;
    TRY(model_file_load(path, NULL, &init));
    Status status = copy_parameters(path, init, model);
    model_file_destroy(init);
    return status != STATUS_OK || *heads ? status : open_heads(path, model, graph, heads);
}
