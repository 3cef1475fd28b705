// SPDX-License-Identifier: Apache-2.0
// Every architecture of the table is built, with each shortcut that it can have and with classes
// and channels as the file's own last and first layers have them, and its parameters are looked for
// in the file. A model is found when all of them are there in their shapes and nothing is left
// over; of several such, the first of the table is taken. Otherwise the nearest one serves to say
// what is wrong:
//
//     nearness = 2 matched / (parameters + tensors)
#include "weights/identify.h"

#include <string.h>

#include "weights/match.h"
#include "weights/model_entries.h"
#include "weights/verdict.h"

// No model has so many, and a file with more is a mistake or an attack.
enum { TENSORS_MAX = 1 << 17 };

typedef struct Search {
    Group groups[GROUPS_MAX];
    int group_count;
    Finding finding;
    double nearest; // of the model that is being tried
} Search;

// A moving average of the weights is what was evaluated and published, and is preferred.
static bool is_average(const Group *group) { return strstr(group->wrapper, "_ema.") != NULL; }

static void consider(Finding *finding, const Candidate *next) {
    Candidate *best = &finding->best;
    if (best->model == NULL) {
        *best = next->match.matched > 0 ? *next : *best;
        return;
    }
    bool same = strcmp(next->model, best->model) == 0;
    if (!same && match_is_perfect(&next->match) && match_is_perfect(&best->match)) {
        finding->twin = finding->twin == NULL ? next->model : finding->twin;
        return;
    }
    double lead = next->match.nearness - best->match.nearness;
    bool average = lead == 0 && same && next->options.shortcut == best->options.shortcut &&
                   is_average(next->group) && !is_average(best->group);
    *best = lead > 0 || average ? *next : *best;
}

// The extent along `axis` of the tensor that is a node's first parameter; 0 where there is none.
static int tensor_extent(const Group *group, const Graph *graph, const Node *node, int axis) {
    ParamId param = node->param[0];
    const GroupEntry *entry =
        param == PARAM_NONE ? NULL : group_find(group, graph->params[param].name);
    int64_t extent = entry != NULL && axis < entry->tensor->rank ? entry->tensor->dims[axis] : 0;
    return extent > 0 && extent <= MODEL_CLASSES_MAX ? (int)extent : 0;
}

// Classes from the last layer, and channels from the first one.
static void infer_options(const Group *group, const Graph *graph, ModelOptions *options) {
    const Node *last = &graph->nodes[graph->output];
    int classes = last->op == OP_LINEAR ? tensor_extent(group, graph, last, 0) : 0;
    options->classes = classes > 0 ? classes : options->classes;
    for (NodeId i = 0; i < graph->node_count; i++) {
        const Node *node = &graph->nodes[i];
        if (node->op == OP_CONV && node->input[0] == graph->input) {
            int channels = tensor_extent(group, graph, node, 1);
            bool possible = channels > 0 && channels <= MODEL_EXTENT_MAX;
            options->input.channels = possible ? channels : options->input.channels;
            return;
        }
    }
}

static double compare_inferred(Finding *finding, const Candidate *plain, const Graph *graph) {
    Candidate next = *plain;
    Graph *changed = NULL;
    infer_options(plain->group, graph, &next.options);
    bool same = next.options.classes == plain->options.classes &&
                next.options.input.channels == plain->options.input.channels;
    if (!same && model_build(next.model, &next.options, &changed) != STATUS_OK) {
        next.options = plain->options;
    }
    next.match = match_count(next.group, changed != NULL ? changed : graph);
    graph_destroy(changed);
    consider(finding, &next);
    return next.match.nearness;
}

// Looks for the network with these options, all resolved, in each of the groups.
static Status try_options(Search *search, const char *model, const ModelOptions *options) {
    Graph *graph = NULL;
    TRY(model_build(model, options, &graph));
    Candidate candidate = {.model = graph->model, .options = *options};
    for (int g = 0; g < search->group_count; g++) {
        candidate.group = &search->groups[g];
        if (search->finding.own) {
            candidate.match = match_count(candidate.group, graph);
            consider(&search->finding, &candidate);
        } else {
            double nearness = compare_inferred(&search->finding, &candidate, graph);
            search->nearest = nearness > search->nearest ? nearness : search->nearest;
        }
    }
    graph_destroy(graph);
    return STATUS_OK;
}

// With its own shortcut first, so that it is the one that is preferred.
static Status try_model(Search *search, const char *model) {
    static const Shortcut OTHERS[] = {SHORTCUT_PAD, SHORTCUT_PROJECTION, SHORTCUT_PROJECT_ALL};
    const Candidate *best = &search->finding.best;
    ModelOptions own = {0};
    TRY(model_resolve(model, &own));
    search->nearest = 0;
    TRY(try_options(search, model, &own));
    // What shortcuts have is the smaller part of every network.
    bool hopeless = search->nearest < 0.5;
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0] && !hopeless; i++) {
        ModelOptions other = {.shortcut = OTHERS[i]};
        bool found = best->model != NULL && strcmp(best->model, model) == 0 &&
                     match_is_perfect(&best->match);
        // It may have no such shortcut.
        if (!found && OTHERS[i] != own.shortcut && model_resolve(model, &other) == STATUS_OK) {
            TRY(try_options(search, model, &other));
        }
    }
    return STATUS_OK;
}

static Status refuse(Identity *out, const char *text) {
    out->refused = text;
    return text != NULL ? STATUS_OK
                        : status_fail(STATUS_FAILED, "cannot get memory for a sentence");
}

// Looks for the model that the file says it is, no other.
static Status search_own(Arena *arena, const TensorFile *file, const char *wanted, Search *search,
                         Identity *out) {
    const char *name = NULL;
    ModelOptions options = {0};
    Status status = model_entries_options(file, &name, &options);
    if (status == STATUS_OK && wanted != NULL && strcmp(wanted, name) != 0) {
        return refuse(out, arena_format(arena, "says that it is %.64s, not %.64s", name, wanted));
    }
    if (status == STATUS_OK) {
        status = model_resolve(name, &options);
    }
    if (status == STATUS_OK) {
        status = try_options(search, name, &options);
    }
    return status == STATUS_OK ? STATUS_OK
                               : refuse(out, arena_format(arena, "%s", status_message()));
}

static Status search_table(Arena *arena, const char *wanted, Search *search, Identity *out) {
    bool known = wanted == NULL;
    const ModelInfo *info = NULL;
    for (int i = 0; (info = model_info(i)) != NULL; i++) {
        if (wanted == NULL || strcmp(info->name, wanted) == 0) {
            TRY(try_model(search, info->name));
            known = true;
        }
    }
    ModelOptions none = {0};
    if (!known && model_resolve(wanted, &none) != STATUS_OK) {
        return refuse(out, arena_format(arena, "%s", status_message()));
    }
    return STATUS_OK;
}

static Status search_groups(Arena *arena, const TensorFile *file, const char *wanted,
                            Identity *out) {
    Search search = {.finding = {.own = model_entries_are_own(file), .wanted = wanted != NULL}};
    const Finding *finding = &search.finding;
    TRY(groups_make(arena, file, finding->own, search.groups, &search.group_count));
    out->layout = layout_name(search.groups[0].layout);
    TRY(finding->own ? search_own(arena, file, wanted, &search, out)
                     : search_table(arena, wanted, &search, out));
    if (out->refused != NULL) {
        return STATUS_OK;
    }
    if (finding->best.model == NULL) {
        const char *first = tensor_file_tensor(file, 0)->name;
        return refuse(out, arena_format(arena,
                                        "is no model known here: its tensors, such as \"%.200s\", "
                                        "are parameters of none",
                                        first));
    }
    return verdict_give(arena, finding, out);
}

Status weights_identify(Arena *arena, const TensorFile *file, const char *wanted, Identity *out) {
    int count = tensor_file_count(file);
    *out = (Identity){.layout = layout_name(LAYOUT_TORCHVISION), .wrapper = ""};
    if (count == 0 || count > TENSORS_MAX) {
        return refuse(
            out, count == 0 ? "holds no tensors"
                            : arena_format(arena, "holds %d tensors, more than any model", count));
    }
    out->renamings = arena_alloc(arena, (size_t)count * sizeof *out->renamings);
    if (out->renamings == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for the names of %d tensors", count);
    }
    out->renaming_count = count;
    for (int i = 0; i < count; i++) {
        out->renamings[i].tensor = tensor_file_tensor(file, i);
    }
    return search_groups(arena, file, wanted, out);
}
