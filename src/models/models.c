// SPDX-License-Identifier: Apache-2.0
// The list of families, what all of them share (input, classes, loss), and names of options.
#include "models/models.h"

#include <stdio.h>
#include <string.h>

#include "models/family.h"
#include "models/near_names.h"

static const Family *const FAMILIES[] = {&FAMILY_RESNET, &FAMILY_PRERESNET, &FAMILY_VGG,
                                         &FAMILY_ALEXNET, &FAMILY_GOOGLENET};

enum { FAMILY_COUNT = sizeof FAMILIES / sizeof FAMILIES[0] };

const ModelInfo *model_info(int index) {
    for (int f = 0; f < FAMILY_COUNT && index >= 0; f++) {
        if (index < FAMILIES[f]->count) {
            return FAMILIES[f]->info(index);
        }
        index -= FAMILIES[f]->count;
    }
    return NULL;
}

const ModelInfo *model_info_named(const char *name) {
    const ModelInfo *info = NULL;
    for (int i = 0; (info = model_info(i)) != NULL && strcmp(info->name, name) != 0; i++) {
    }
    return info;
}

static Status find_model(const char *name, const Family **family, int *member) {
    for (int f = 0; f < FAMILY_COUNT; f++) {
        for (int m = 0; m < FAMILIES[f]->count; m++) {
            if (strcmp(FAMILIES[f]->info(m)->name, name) == 0) {
                *family = FAMILIES[f];
                *member = m;
                return STATUS_OK;
            }
        }
    }
    NearNames near = {0};
    const ModelInfo *info = NULL;
    for (int i = 0; (info = model_info(i)) != NULL; i++) {
        near_names_offer(&near, name, info->name);
    }
    char names[512];
    near_names_text(&near, names, sizeof names);
    return status_fail(STATUS_USAGE, "%.64s is not a known model; near: %s", name, names);
}

static Status resolve(const Family *family, int member, ModelOptions *options) {
    const ModelInfo *info = family->info(member);
    if (options->classes < 0) {
        return status_fail(STATUS_USAGE, "%s cannot have %d classes", info->name, options->classes);
    }
    if (options->classes == 0) {
        options->classes = info->classes;
    }
    int32_t *extents[] = {&options->input.channels, &options->input.height, &options->input.width};
    const int32_t own[] = {info->input.channels, info->input.height, info->input.width};
    for (int i = 0; i < 3; i++) {
        *extents[i] = *extents[i] == 0 ? own[i] : *extents[i];
    }
    return family->resolve(member, options);
}

Status model_resolve(const char *name, ModelOptions *options) {
    const Family *family = NULL;
    int member = 0;
    TRY(find_model(name, &family, &member));
    return resolve(family, member, options);
}

Status model_build(const char *name, const ModelOptions *options, Graph **out) {
    *out = NULL;
    const Family *family = NULL;
    int member = 0;
    ModelOptions resolved = options != NULL ? *options : (ModelOptions){0};
    TRY(find_model(name, &family, &member));
    TRY(resolve(family, member, &resolved));
    Graph *graph = graph_create();
    if (graph == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for %s", name);
    }
    graph->model = family->info(member)->name;
    NodeId logits = family->build(member, &resolved, graph, graph_input(graph, resolved.input));
    graph_set_output(graph, logits);
    if (resolved.loss) {
        LossAttr loss = {.weight = 1, .smoothing = resolved.label_smoothing};
        graph_softmax_loss(graph, logits, loss, "loss");
    }
    Status status = graph_status(graph);
    if (status != STATUS_OK) {
        graph_destroy(graph);
        return status;
    }
    *out = graph;
    return STATUS_OK;
}

static const char *const SHORTCUT_NAMES[] = {
    [SHORTCUT_DEFAULT] = "default", [SHORTCUT_NONE] = "none",     [SHORTCUT_PAD] = "A",
    [SHORTCUT_PROJECTION] = "B",    [SHORTCUT_PROJECT_ALL] = "C",
};

static const char *const STRIDE_IN_NAMES[] = {
    [STRIDE_IN_DEFAULT] = "default",
    [STRIDE_IN_1X1] = "1x1",
    [STRIDE_IN_3X3] = "3x3",
};

// The index of `text` in a list of names; -1 when it is not there.
static int name_index(const char *const *names, size_t count, const char *text) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(names[i], text) == 0) {
            return (int)i;
        }
    }
    return -1;
}

bool shortcut_parse(const char *text, Shortcut *out) {
    int index = name_index(SHORTCUT_NAMES, sizeof SHORTCUT_NAMES / sizeof SHORTCUT_NAMES[0], text);
    if (index >= 0) {
        *out = (Shortcut)index;
    }
    return index >= 0;
}

const char *shortcut_name(Shortcut shortcut) { return SHORTCUT_NAMES[shortcut]; }

bool stride_in_parse(const char *text, StrideIn *out) {
    int index =
        name_index(STRIDE_IN_NAMES, sizeof STRIDE_IN_NAMES / sizeof STRIDE_IN_NAMES[0], text);
    if (index >= 0) {
        *out = (StrideIn)index;
    }
    return index >= 0;
}

const char *stride_in_name(StrideIn stride_in) { return STRIDE_IN_NAMES[stride_in]; }

Status shortcut_read(const char *text, Shortcut *out) {
    return text == NULL || shortcut_parse(text, out)
               ? STATUS_OK
               : status_fail(STATUS_USAGE, "shortcut '%s' is none of A, B, C", text);
}

Status stride_in_read(const char *text, StrideIn *out) {
    return text == NULL || stride_in_parse(text, out)
               ? STATUS_OK
               : status_fail(STATUS_USAGE, "stride-in '%s' is neither 1x1 nor 3x3", text);
}
