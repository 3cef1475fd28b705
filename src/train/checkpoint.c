// SPDX-License-Identifier: Apache-2.0
#include "train/checkpoint.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "weights/entries.h"
#include "weights/model_entries.h"

enum { STATE_METADATA = 5 };

static uint64_t double_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static float *param_momentum(const Parameters *parameters, const Param *param) {
    return (float *)parameters->momentum + param->offset;
}

// ---- saving -------------------------------------------------------------------------------------

static bool all_finite(const float *values, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
    }
    return true;
}

static Status check_finite(const Graph *graph, const Parameters *parameters, int64_t iteration) {
    for (int32_t p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        bool good = all_finite(parameters_values(parameters, param), param->elements) &&
                    (param_is_running(param->role) ||
                     all_finite(param_momentum(parameters, param), param->elements));
        if (!good) {
            return status_fail(STATUS_FAILED,
                               "%s is not finite after iteration %" PRId64
                               "; try a smaller --lr (the last checkpoint is kept)",
                               param->name, iteration);
        }
    }
    return STATUS_OK;
}

static void add_state(Entries *entries, const RecipeField fields[RECIPE_FIELDS],
                      const TrainState *state) {
    entries_add(entries, "train.iteration", number_integer(state->iteration).text);
    entries_add(entries, "train.complete", state->complete ? "1" : "0");
    entries_add(entries, "train.epoch.loss", number_bits(double_bits(state->sums.loss)).text);
    entries_add(entries, "train.epoch.correct", number_integer(state->sums.correct).text);
    entries_add(entries, "train.epoch.samples", number_integer(state->sums.samples).text);
    for (int i = 0; i < RECIPE_FIELDS; i++) {
        char key[64];
        snprintf(key, sizeof key, "train.option.%s", fields[i].name);
        entries_add(entries, key, fields[i].text);
    }
}

static void add_param(Entries *entries, const char *prefix, const Param *param,
                      const float *values) {
    char name[512];
    snprintf(name, sizeof name, "%s%s", prefix, param->name);
    entries_add_tensor(entries, name, param->rank, param->dims, values);
}

// What the model's own entries lack of the parameters and their momentum.
static void add_training(Entries *entries, const ModelFile *model, const Graph *graph) {
    for (int32_t p = model->graph->param_count; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        add_param(entries, TRAINING_PREFIX, param, parameters_values(model->parameters, param));
    }
    for (int32_t p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        if (!param_is_running(param->role)) {
            add_param(entries, MOMENTUM_PREFIX, param, param_momentum(model->parameters, param));
        }
    }
}

Status checkpoint_save(const char *path, const ModelFile *model, const Graph *graph,
                       const RecipeField fields[RECIPE_FIELDS], const TrainState *state) {
    assert(graph_begins_with(graph, model->graph));
    TRY(check_finite(graph, model->parameters, state->iteration));
    Entries entries;
    TRY(entries_create(model_entries_tensors(model) + 2 * graph->param_count,
                       MODEL_ENTRIES_METADATA + STATE_METADATA + RECIPE_FIELDS, &entries));
    Status status = model_entries_add(model, &entries);
    if (status == STATUS_OK) {
        add_training(&entries, model, graph);
        add_state(&entries, fields, state);
        status = entries_write(&entries, path);
    }
    entries_destroy(&entries);
    return status;
}

// ---- loading ------------------------------------------------------------------------------------

static Status compare_fields(const TensorFile *open, const char *path,
                             const RecipeField fields[RECIPE_FIELDS]) {
    for (int i = 0; i < RECIPE_FIELDS; i++) {
        char key[64];
        snprintf(key, sizeof key, "train.option.%s", fields[i].name);
        const char *old = tensor_file_metadata(open, key);
        if (old == NULL) {
            return status_fail(STATUS_FAILED, "%s: metadata %s is missing", path, key);
        }
        if (strcmp(old, fields[i].text) != 0) {
            return status_fail(STATUS_USAGE,
                               "%s: was begun with %s %.160s, which cannot be changed to %s when "
                               "the training goes on",
                               path, fields[i].name, old, fields[i].text);
        }
    }
    return STATUS_OK;
}

static Status read_integer(const TensorFile *open, const char *path, const char *key, int64_t most,
                           int64_t *out) {
    const char *text = tensor_file_metadata(open, key);
    if (text == NULL || !number_parse_integer(text, out) || *out < 0 || *out > most) {
        return status_fail(STATUS_FAILED, "%s: metadata %s is \"%.80s\", expected 0 ... %" PRId64,
                           path, key, text != NULL ? text : "", most);
    }
    return STATUS_OK;
}

static Status read_state(const TensorFile *open, const char *path, TrainState *state) {
    int64_t complete = 0;
    TRY(read_integer(open, path, "train.iteration", INT64_MAX, &state->iteration));
    TRY(read_integer(open, path, "train.complete", 1, &complete));
    TRY(read_integer(open, path, "train.epoch.correct", INT64_MAX, &state->sums.correct));
    TRY(read_integer(open, path, "train.epoch.samples", INT64_MAX, &state->sums.samples));
    state->complete = complete != 0;
    const char *text = tensor_file_metadata(open, "train.epoch.loss");
    uint64_t bits = 0;
    if (text == NULL || !number_parse_bits(text, &bits)) {
        return status_fail(STATUS_FAILED,
                           "%s: metadata train.epoch.loss is \"%.80s\", expected 16 hexadecimal "
                           "digits",
                           path, text != NULL ? text : "");
    }
    memcpy(&state->sums.loss, &bits, sizeof bits);
    return STATUS_OK;
}

static Status read_parameters(const TensorFile *open, const ModelFile *model, const Graph *graph) {
    for (int32_t p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        const char *prefix = p < model->graph->param_count ? "" : TRAINING_PREFIX;
        TRY(entries_read_param(open, prefix, param, parameters_values(model->parameters, param)));
        if (!param_is_running(param->role)) {
            TRY(entries_read_param(open, MOMENTUM_PREFIX, param,
                                   param_momentum(model->parameters, param)));
        }
    }
    return STATUS_OK;
}

static Status load(const TensorFile *open, const char *path, const ModelFile *model,
                   const Graph *graph, const RecipeField fields[RECIPE_FIELDS], TrainState *state) {
    ModelFile *described = NULL;
    TRY(model_entries_read(open, path, &described));
    model_file_destroy(described);
    if (tensor_file_metadata(open, "train.iteration") == NULL) {
        return status_fail(STATUS_FAILED,
                           "%s: holds a model only, no training that could go on (metadata "
                           "train.iteration is missing)",
                           path);
    }
    TRY(compare_fields(open, path, fields));
    TRY(read_state(open, path, state));
    return read_parameters(open, model, graph) == STATUS_OK
               ? STATUS_OK
               : status_context(STATUS_FAILED, "%s", path);
}

Status checkpoint_load(const char *path, const ModelFile *model, const Graph *graph,
                       const RecipeField fields[RECIPE_FIELDS], TrainState *state) {
    assert(graph_begins_with(graph, model->graph));
    *state = (TrainState){0};
    TensorFile *open = NULL;
    TRY(tensor_file_open(path, &open));
    Status status = load(open, path, model, graph, fields, state);
    tensor_file_close(open);
    return status;
}
