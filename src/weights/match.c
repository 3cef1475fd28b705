// SPDX-License-Identifier: Apache-2.0
#include "weights/match.h"

#include <stdlib.h>
#include <string.h>

// ---- groups -------------------------------------------------------------------------------------

typedef struct Wrapper {
    const char *text; // the beginning of some tensor's name
    size_t length;
} Wrapper;

static Wrapper wrapper_of(const Tensor *tensor) {
    return (Wrapper){tensor->name, (size_t)(layout_unwrap(tensor->name) - tensor->name)};
}

static bool wrapper_begins(Wrapper whole, Wrapper beginning) {
    return beginning.length <= whole.length &&
           memcmp(whole.text, beginning.text, beginning.length) == 0;
}

static int list_wrappers(const TensorFile *file, Wrapper wrappers[GROUPS_MAX]) {
    int count = 0;
    for (int i = 0; i < tensor_file_count(file) && count < GROUPS_MAX; i++) {
        Wrapper wrapper = wrapper_of(tensor_file_tensor(file, i));
        bool known = false;
        for (int w = 0; w < count && !known; w++) {
            known = wrapper.length == wrappers[w].length && wrapper_begins(wrapper, wrappers[w]);
        }
        if (!known) {
            wrappers[count++] = wrapper;
        }
    }
    return count;
}

// By name; of equal names the one under the own wrapper first, then in the file's order.
static int compare_entries(const void *a, const void *b) {
    const GroupEntry *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    if (order == 0) {
        order = (int)right->inner - (int)left->inner;
    }
    return order != 0 ? order : (left->index > right->index) - (left->index < right->index);
}

static int drop_doubles(GroupEntry *entries, int count) {
    int kept = 0;
    for (int i = 0; i < count; i++) {
        if (kept == 0 || strcmp(entries[kept - 1].name, entries[i].name) != 0) {
            entries[kept++] = entries[i];
        }
    }
    return kept;
}

static Status out_of_memory(void) {
    return status_fail(STATUS_FAILED, "cannot get memory for the names of tensors");
}

static Status fill_group(Arena *arena, const TensorFile *file, Wrapper wrapper, bool own,
                         Group *group) {
    int tensors = tensor_file_count(file);
    group->wrapper = arena_format(arena, "%.*s", (int)wrapper.length, wrapper.text);
    group->entries = arena_alloc(arena, (size_t)tensors * sizeof *group->entries + 1);
    group->layout = own ? LAYOUT_OWN : LAYOUT_TORCHVISION;
    if (group->wrapper == NULL || group->entries == NULL) {
        return out_of_memory();
    }
    for (int i = 0; i < tensors; i++) {
        const Tensor *tensor = tensor_file_tensor(file, i);
        Wrapper its = own ? wrapper : wrapper_of(tensor);
        if (!wrapper_begins(wrapper, its)) {
            continue;
        }
        const char *name = tensor->name + its.length;
        group->entries[group->count++] =
            (GroupEntry){name, tensor, i, its.length == wrapper.length};
        if (group->layout == LAYOUT_TORCHVISION) {
            group->layout = layout_of(name);
        }
    }
    for (int i = 0; i < group->count; i++) {
        GroupEntry *entry = &group->entries[i];
        entry->name = layout_rename(arena, group->layout, entry->name);
        if (entry->name == NULL) {
            return out_of_memory();
        }
        group->inner += entry->inner && layout_spare(group->layout, entry->name) == SPARE_NONE;
    }
    qsort(group->entries, (size_t)group->count, sizeof *group->entries, compare_entries);
    group->count = drop_doubles(group->entries, group->count);
    return STATUS_OK;
}

Status groups_make(Arena *arena, const TensorFile *file, bool own, Group groups[GROUPS_MAX],
                   int *count) {
    Wrapper wrappers[GROUPS_MAX] = {{"", 0}};
    *count = own ? 1 : list_wrappers(file, wrappers);
    for (int g = 0; g < *count; g++) {
        groups[g] = (Group){0};
        TRY(fill_group(arena, file, wrappers[g], own, &groups[g]));
    }
    return STATUS_OK;
}

bool group_is_inner(const Group *group, const Tensor *tensor) {
    if (group->layout == LAYOUT_OWN) {
        return true;
    }
    Wrapper own = {group->wrapper, strlen(group->wrapper)}, its = wrapper_of(tensor);
    return own.length == its.length && wrapper_begins(own, its);
}

static int compare_name(const void *name, const void *entry) {
    return strcmp(name, ((const GroupEntry *)entry)->name);
}

const GroupEntry *group_find(const Group *group, const char *name) {
    return bsearch(name, group->entries, (size_t)group->count, sizeof *group->entries,
                   compare_name);
}

// ---- matches ------------------------------------------------------------------------------------

bool tensor_is_weight(const Tensor *tensor, Layout layout) {
    return tensor->dtype == DTYPE_F32 || tensor->dtype == DTYPE_F16 ||
           tensor->dtype == DTYPE_BF16 || tensor->dtype == DTYPE_F64 ||
           (tensor->dtype == DTYPE_I8 && layout == LAYOUT_OWN);
}

bool match_fits(const Tensor *tensor, const Param *param, Layout layout) {
    if (!tensor_is_weight(tensor, layout) || tensor->elements != param->elements) {
        return false;
    }
    if (tensor->rank != param->rank) {
        bool linear_as_conv =
            (tensor->rank == 4 && param->rank == 2) || (tensor->rank == 2 && param->rank == 4);
        return linear_as_conv && tensor->dims[0] == param->dims[0];
    }
    for (int i = 0; i < param->rank; i++) {
        if (tensor->dims[i] != param->dims[i]) {
            return false;
        }
    }
    return true;
}

Match match_count(const Group *group, const Graph *graph) {
    Match match = {.no_running = true};
    int inner = 0;
    for (int32_t p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        const GroupEntry *entry = group_find(group, param->name);
        bool fit = entry != NULL && match_fits(entry->tensor, param, group->layout);
        match.matched += fit;
        match.missing += entry == NULL;
        match.unfit += entry != NULL && !fit;
        match.no_running = match.no_running && (entry == NULL) == param_is_running(param->role);
        match.first = !fit && match.first == NULL ? param : match.first;
        // A spare name that this network has is a parameter of it.
        inner +=
            entry != NULL && entry->inner && layout_spare(group->layout, param->name) == SPARE_NONE;
    }
    match.extra = group->inner - inner;
    match.nearness = 2.0 * match.matched /
                     (2.0 * match.matched + match.missing + 2.0 * match.unfit + match.extra);
    return match;
}

bool match_is_perfect(const Match *match) {
    return match->missing == 0 && match->unfit == 0 && match->extra == 0;
}
