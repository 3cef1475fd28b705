// SPDX-License-Identifier: Apache-2.0
#include "weights/verdict.h"

#include <string.h>

#include "weights/shape_text.h"

static Status out_of_memory(void) {
    return status_fail(STATUS_FAILED, "cannot get memory for what is said about a file");
}

// ---- names --------------------------------------------------------------------------------------

static void give_names(const Group *group, const Graph *graph, Identity *out) {
    for (int32_t p = 0; p < graph->param_count; p++) {
        const GroupEntry *entry = group_find(group, graph->params[p].name);
        if (entry != NULL) {
            out->renamings[entry->index].name = entry->name;
        }
    }
}

// What an unnamed tensor is; SPARE_NONE for one under the model's own wrapper that no model here
// has. Those outside of the wrapper are `*outside`.
static Spare unnamed_kind(const Group *group, const Tensor *tensor, bool *outside) {
    *outside = !group_is_inner(group, tensor);
    return *outside ? SPARE_NONE
                    : layout_spare(group->layout, tensor->name + strlen(group->wrapper));
}

// ---- refusals -----------------------------------------------------------------------------------

static const char *first_extra(const Group *group, const Identity *identity) {
    for (int i = 0; i < identity->renaming_count; i++) {
        const Renaming *renaming = &identity->renamings[i];
        bool outside = false;
        if (renaming->name == NULL &&
            unnamed_kind(group, renaming->tensor, &outside) == SPARE_NONE && !outside) {
            return renaming->tensor->name;
        }
    }
    return "";
}

// "is no model known here: the nearest is resnet50, ", to be followed by "whose" or "which".
static const char *refusal_begin(Arena *arena, const Finding *finding) {
    const char *begin = finding->own      ? "is damaged: it says that it is "
                        : finding->wanted ? "is not "
                                          : "is no model known here: the nearest is ";
    return arena_format(arena, "%s%s, ", begin, finding->best.model);
}

static const char *refuse_param(Arena *arena, const Finding *finding, const char *begin,
                                const Graph *graph, const Match *match) {
    const Param *param = match->first;
    const GroupEntry *entry = group_find(finding->best.group, param->name);
    ShapeText expected = shape_text_param(param);
    if (entry == NULL) {
        // What was trained without classes, or had its last layer taken off.
        bool is_classifier = param == &graph->params[graph->nodes[graph->output].param[0]];
        return arena_format(arena, "%swhose %s%s %s is missing%s", begin,
                            is_classifier ? "classifier " : "", param->name, expected.text,
                            match->no_running ? ", as are all running statistics" : "");
    }
    const Tensor *tensor = entry->tensor;
    if (!tensor_is_weight(tensor, finding->best.group->layout)) {
        return arena_format(arena, "%swhose %s has floating-point numbers, but \"%.200s\" has %s",
                            begin, param->name, tensor->name, dtype_name(tensor->dtype));
    }
    return arena_format(arena, "%swhose %s is %s, but \"%.200s\" is %s", begin, param->name,
                        expected.text, tensor->name, shape_text(tensor->dims, tensor->rank).text);
}

static const char *refuse(Arena *arena, const Finding *finding, const Identity *identity,
                          const Graph *graph, const Match *match) {
    const char *begin = refusal_begin(arena, finding);
    if (begin == NULL || match->first != NULL) {
        return begin == NULL ? NULL : refuse_param(arena, finding, begin, graph, match);
    }
    return arena_format(arena, "%swhich has no tensor \"%.200s\"", begin,
                        first_extra(finding->best.group, identity));
}

// ---- notes --------------------------------------------------------------------------------------

static Status add_note(Identity *out, const char *text) {
    if (text == NULL) {
        return out_of_memory();
    }
    if (out->note_count < (int)(sizeof out->notes / sizeof out->notes[0])) {
        out->notes[out->note_count++] = text;
    }
    return STATUS_OK;
}

static Status note_count(Arena *arena, Identity *out, int count, const char *kind,
                         const char *such) {
    return add_note(out,
                    arena_format(arena, "%d tensor%s %s %s left out%s", count,
                                 count == 1 ? "" : "s", kind, count == 1 ? "is" : "are", such));
}

// Tensors that are left out, by kind.
static Status note_left_out(Arena *arena, const Group *group, Identity *out) {
    static const char *const KINDS[SPARE_COUNT] = {
        [SPARE_HEAD] = "of auxiliary classifiers, for training only,",
        [SPARE_OPTIMIZER] = "of an optimizer",
    };
    int counts[SPARE_COUNT] = {0}, outside_count = 0;
    const char *example = NULL;
    for (int i = 0; i < out->renaming_count; i++) {
        const Renaming *renaming = &out->renamings[i];
        bool outside = false;
        if (renaming->name == NULL) {
            counts[unnamed_kind(group, renaming->tensor, &outside)] += 1;
            outside_count += outside;
            example = outside && example == NULL ? renaming->tensor->name : example;
        }
    }
    for (int kind = 0; kind < SPARE_COUNT; kind++) {
        if (KINDS[kind] != NULL && counts[kind] > 0) {
            TRY(note_count(arena, out, counts[kind], KINDS[kind], ""));
        }
    }
    if (outside_count == 0) {
        return STATUS_OK;
    }
    const char *such =
        arena_format(arena, ": \"%.200s\"%s", example, outside_count > 1 ? " ..." : "");
    return such == NULL ? out_of_memory()
                        : note_count(arena, out, outside_count, "beside the model", such);
}

// Whether the model exists with either place of the stride, which tensors do not show.
static bool stride_is_open(const char *model) {
    ModelOptions v1 = {.stride_in = STRIDE_IN_1X1}, v15 = {.stride_in = STRIDE_IN_3X3};
    return model_resolve(model, &v1) == STATUS_OK && model_resolve(model, &v15) == STATUS_OK &&
           v1.stride_in != v15.stride_in;
}

static Status note_doubts(Arena *arena, const Finding *finding, Identity *out) {
    if (finding->own) {
        return STATUS_OK;
    }
    if (stride_is_open(out->model)) {
        out->options.stride_in = STRIDE_IN_DEFAULT;
        TRY(add_note(out,
                     "v1 (stride in the 1x1 convolutions, as in the paper) and v1.5 (in the 3x3 "
                     "convolutions, as in torchvision) have the same tensors: v1.5 is assumed"));
    }
    if (finding->twin != NULL) {
        TRY(add_note(
            out, arena_format(arena, "%s has the same tensors: %s with shortcut %s is assumed",
                              finding->twin, out->model, shortcut_name(out->options.shortcut))));
    }
    if (strstr(out->wrapper, "encoder_q.") != NULL) {
        TRY(add_note(out, "the outputs of a contrastive encoder are features, not classes"));
    }
    return add_note(out, arena_format(arena,
                                      "no preprocessing is in the file: that of preset %s is "
                                      "assumed",
                                      model_info_named(out->model)->preset));
}

// ---- the verdict --------------------------------------------------------------------------------

static Status judge(Arena *arena, const Finding *finding, const Graph *graph, Identity *out) {
    const Candidate *best = &finding->best;
    Match match = match_count(best->group, graph);
    give_names(best->group, graph, out);
    if (!match_is_perfect(&match)) {
        out->refused = refuse(arena, finding, out, graph, &match);
        return out->refused != NULL ? STATUS_OK : out_of_memory();
    }
    out->model = best->model;
    out->options = best->options;
    TRY(note_left_out(arena, best->group, out));
    return note_doubts(arena, finding, out);
}

Status verdict_give(Arena *arena, const Finding *finding, Identity *out) {
    const Candidate *best = &finding->best;
    Graph *graph = NULL;
    out->layout = layout_name(best->group->layout);
    out->wrapper = best->group->wrapper;
    TRY(model_build(best->model, &best->options, &graph));
    Status status = judge(arena, finding, graph, out);
    graph_destroy(graph);
    return status;
}
