// SPDX-License-Identifier: Apache-2.0
// Walks over what a pickle holds and names it by its path: {"model": {"fc.bias": …}} gives
// "model.fc.bias". Of a whole module that was pickled, the tensors get the names that they have in
// its state_dict. Objects may hold each other: a path never goes through one twice, and the steps
// of the walk are bounded by the pickle's size.
#include "formats/torch_objects.h"

#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "formats/text.h"

enum {
    DEPTH_MAX = 100,
    PATH_MAX_BYTES = 4096,
    LISTED_MAX = 32768, // elements of a list whose numbers and texts are metadata
    STEPS_FACTOR = 8,   // honest pickles need about one step a byte
    STEPS_SPARE = 1000
};

typedef struct Walk {
    const Pickle *pickle;
    const TorchSource *source;
    TensorList *list;
    PickleValue above[DEPTH_MAX]; // the containers that the path goes through
    int depth, keys;              // and how many keys the path has
    int unlisted;                 // of the containers, how many are longer than LISTED_MAX
    uint64_t steps_left;
    char path[PATH_MAX_BYTES];
    size_t path_size;
    // The first object that nothing could be made of, for the sentence when there is no tensor.
    bool opaque;
    PickleText opaque_module, opaque_name;
} Walk;

static Status visit(Walk *walk, PickleValue value);

static Status step(Walk *walk, uint64_t count) {
    if (count > walk->steps_left) {
        return status_fail(STATUS_FAILED,
                           "at \"%.*s\", the objects of the pickle hold each other so often that "
                           "it would take more than %d steps a byte to name all",
                           text_shown(walk->path, walk->path_size), walk->path, STEPS_FACTOR);
    }
    walk->steps_left -= count;
    return STATUS_OK;
}

static void note_opaque(Walk *walk, PickleText module, PickleText name) {
    if (!walk->opaque) {
        walk->opaque = true;
        walk->opaque_module = module;
        walk->opaque_name = name;
    }
}

static Status visit_under(Walk *walk, PickleText key, PickleValue value) {
    size_t size = walk->path_size;
    if (key.size >= sizeof walk->path - 1 - size) {
        return status_fail(STATUS_FAILED,
                           "the path \"%.*s\" goes on with %zu bytes, at most %d expected in all",
                           text_shown(walk->path, size), walk->path, key.size, PATH_MAX_BYTES);
    }
    if (walk->keys++ > 0) {
        walk->path[walk->path_size++] = '.';
    }
    memcpy(walk->path + walk->path_size, key.text, key.size);
    walk->path_size += key.size;
    Status status = visit(walk, value);
    walk->path_size = size;
    walk->keys--;
    return status;
}

static Status visit_number(Walk *walk, uint32_t index, PickleValue value) {
    NumberText number = number_integer(index);
    return visit_under(walk, (PickleText){number.text, strlen(number.text)}, value);
}

static Status visit_pair(Walk *walk, PickleValue key, uint32_t index, PickleValue value) {
    int64_t integer;
    PickleKind kind = pickle_kind(walk->pickle, key);
    if (kind == PICKLE_TEXT) {
        return visit_under(walk, pickle_text(walk->pickle, key), value);
    }
    if (pickle_integer(walk->pickle, key, &integer)) {
        NumberText number = number_integer(integer);
        return visit_under(walk, (PickleText){number.text, strlen(number.text)}, value);
    }
    // A key that is no name: its place stands for it.
    char place[32];
    int size = snprintf(place, sizeof place, "[%u]", index);
    return visit_under(walk, (PickleText){place, (size_t)size}, value);
}

static Status visit_pairs(Walk *walk, PickleValue dict) {
    PickleValue key, value;
    PickleWalk pairs = pickle_walk(walk->pickle, dict);
    for (uint32_t i = 0; pickle_next_pair(&pairs, &key, &value); i++) {
        TRY(visit_pair(walk, key, i, value));
    }
    return STATUS_OK;
}

static Status visit_elements(Walk *walk, PickleValue list) {
    PickleValue value;
    PickleWalk elements = pickle_walk(walk->pickle, list);
    Status status = STATUS_OK;
    bool longer = pickle_count(walk->pickle, list) > LISTED_MAX;
    walk->unlisted += longer;
    for (uint32_t i = 0; status == STATUS_OK && pickle_next(&elements, &value); i++) {
        status = visit_number(walk, i, value);
    }
    walk->unlisted -= longer;
    return status;
}

// OrderedDict([[key, value], …]), as Python 2 wrote it.
static Status visit_list_of_pairs(Walk *walk, PickleValue list) {
    PickleValue pair, key, value;
    PickleWalk pairs = pickle_walk(walk->pickle, list);
    for (uint32_t i = 0; pickle_next(&pairs, &pair); i++) {
        PickleWalk two = pickle_walk(walk->pickle, pair);
        PickleKind kind = pickle_kind(walk->pickle, pair);
        if ((kind != PICKLE_LIST && kind != PICKLE_TUPLE) ||
            pickle_count(walk->pickle, pair) != 2 || !pickle_next_pair(&two, &key, &value)) {
            return status_fail(STATUS_FAILED,
                               "element %u of the dictionary \"%.*s\" is no pair, expected one", i,
                               text_shown(walk->path, walk->path_size), walk->path);
        }
        TRY(visit_pair(walk, key, i, value));
    }
    return STATUS_OK;
}

static Status path_text(Walk *walk, const char *otherwise, const char **out) {
    if (walk->keys == 0) {
        *out = otherwise;
        return STATUS_OK;
    }
    return tensor_list_text(walk->list, walk->path, walk->path_size, out);
}

static Status add_tensor(Walk *walk, const TorchView *view) {
    if (!text_is_valid(walk->path, walk->path_size)) {
        return status_fail(STATUS_FAILED, "tensor \"%.*s\": its name is not UTF-8",
                           text_shown(walk->path, walk->path_size), walk->path);
    }
    const char *name;
    TRY(path_text(walk, "tensor", &name));
    return torch_view_add(walk->list, name, view);
}

static Status add_metadata(Walk *walk, const char *text, size_t size) {
    if (walk->unlisted > 0 || !text_is_valid(walk->path, walk->path_size) ||
        !text_is_valid(text, size)) {
        return STATUS_OK;
    }
    MetaEntry entry;
    TRY(path_text(walk, "value", &entry.key));
    TRY(tensor_list_text(walk->list, text, size, &entry.value));
    return tensor_list_add_metadata(walk->list, entry);
}

static Status add_number(Walk *walk, NumberText number) {
    return add_metadata(walk, number.text, strlen(number.text));
}

static Status visit_rebuild(Walk *walk, PickleValue function, PickleValue arguments) {
    bool readable;
    PickleText what;
    TorchView view;
    Status status =
        torch_rebuild(walk->pickle, walk->source, function, arguments, &readable, &what, &view);
    if (status != STATUS_OK) {
        return status_context(status, "tensor \"%.*s\"", text_shown(walk->path, walk->path_size),
                              walk->path);
    }
    if (!readable) {
        note_opaque(walk, (PickleText){"torch", strlen("torch")}, what);
        return STATUS_OK;
    }
    return add_tensor(walk, &view);
}

static bool is_one_of(const Pickle *pickle, PickleValue function, const char *const names[][2],
                      size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (pickle_is_global(pickle, function, names[i][0], names[i][1])) {
            return true;
        }
    }
    return false;
}

// Calls that give their first argument, in all that matters here.
static bool is_wrapper(const Pickle *pickle, PickleValue function) {
    static const char *const NAMES[][2] = {
        {"torch._utils", "_rebuild_parameter"},  {"torch._utils", "_rebuild_parameter_with_state"},
        {"torch.nn.parameter", "Parameter"},     {"torch.nn.parameter", "Buffer"},
        {"torch.autograd.variable", "Variable"}, {"torch", "Size"},
    };
    return is_one_of(pickle, function, NAMES, sizeof NAMES / sizeof NAMES[0]);
}

// Calls (function, class, arguments, state) of which the first and third make the tensor.
static bool is_retype(const Pickle *pickle, PickleValue function) {
    static const char *const NAMES[][2] = {
        {"torch._tensor", "_rebuild_from_type_v2"},
        {"torch._tensor", "_rebuild_from_type"},
        {"torch.tensor", "_rebuild_from_type"},
    };
    return is_one_of(pickle, function, NAMES, sizeof NAMES / sizeof NAMES[0]);
}

// A module's parameters, buffers and sub-modules; another object's attributes.
static Status visit_state(Walk *walk, PickleValue state) {
    static const char *const MEMBERS[] = {"_parameters", "_buffers", "_modules"};
    bool module = false;
    for (int i = 0; i < 3; i++) {
        TRY(step(walk, pickle_count(walk->pickle, state)));
        PickleValue member = pickle_find(walk->pickle, state, MEMBERS[i]);
        if (member != 0) {
            module = true;
            TRY(visit(walk, member));
        }
    }
    return module ? STATUS_OK : visit_pairs(walk, state);
}

static Status visit_object(Walk *walk, PickleValue value) {
    const Pickle *pickle = walk->pickle;
    PickleObject object = pickle_object(pickle, value);
    if (is_retype(pickle, object.function)) {
        object.function = pickle_element(pickle, object.arguments, 0);
        object.arguments = pickle_element(pickle, object.arguments, 2);
    }
    PickleValue first = pickle_element(pickle, object.arguments, 0);
    if (torch_is_rebuild(pickle, object.function)) {
        return visit_rebuild(walk, object.function, object.arguments);
    }
    if (is_wrapper(pickle, object.function)) {
        return visit(walk, first);
    }
    if (pickle_is_global(pickle, object.function, "collections", "OrderedDict")) {
        // Its state is what modules call _metadata: the versions of their classes.
        TRY(visit_list_of_pairs(walk, first));
        return visit_pairs(walk, value);
    }
    PickleValue class = object.function;
    PickleText module, name;
    if (pickle_kind(pickle, class) == PICKLE_PERSISTENT) {
        class = pickle_element(pickle, pickle_persistent(pickle, class), 1);
    }
    pickle_global(pickle, class, &module, &name);
    note_opaque(walk, module, name);
    TRY(visit_pairs(walk, value));
    return pickle_kind(pickle, object.state) == PICKLE_DICT ? visit_state(walk, object.state)
                                                            : STATUS_OK;
}

// A container, unless the path goes through it already.
static Status visit_container(Walk *walk, PickleValue value, PickleKind kind) {
    for (int i = 0; i < walk->depth; i++) {
        if (walk->above[i] == value) {
            return STATUS_OK;
        }
    }
    if (walk->depth == DEPTH_MAX) {
        return status_fail(STATUS_FAILED, "\"%.*s\" is nested deeper than %d, expected less",
                           text_shown(walk->path, walk->path_size), walk->path, DEPTH_MAX);
    }
    walk->above[walk->depth++] = value;
    Status status = kind == PICKLE_DICT     ? visit_pairs(walk, value)
                    : kind == PICKLE_OBJECT ? visit_object(walk, value)
                                            : visit_elements(walk, value);
    walk->depth--;
    return status;
}

static Status visit_persistent(Walk *walk, PickleValue value) {
    if (walk->source->tensor == NULL) {
        return STATUS_OK; // a storage without a shape
    }
    bool found;
    TorchView view;
    PickleValue id = pickle_persistent(walk->pickle, value);
    Status status = walk->source->tensor(walk->source->context, walk->pickle, id, &found, &view);
    if (status != STATUS_OK) {
        return status_context(status, "tensor \"%.*s\"", text_shown(walk->path, walk->path_size),
                              walk->path);
    }
    return found ? add_tensor(walk, &view) : STATUS_OK;
}

static Status visit(Walk *walk, PickleValue value) {
    TRY(step(walk, 1));
    const Pickle *pickle = walk->pickle;
    PickleKind kind = pickle_kind(pickle, value);
    PickleText text = pickle_text(pickle, value);
    int64_t integer;
    switch (kind) {
    case PICKLE_BOOL:
        return pickle_bool(pickle, value) ? add_metadata(walk, "true", strlen("true"))
                                          : add_metadata(walk, "false", strlen("false"));
    case PICKLE_INTEGER:
        pickle_integer(pickle, value, &integer);
        return add_number(walk, number_integer(integer));
    case PICKLE_FLOAT:
        return add_number(walk, number_double(pickle_float(pickle, value)));
    case PICKLE_TEXT:
        return add_metadata(walk, text.text, text.size);
    case PICKLE_TUPLE:
    case PICKLE_LIST:
    case PICKLE_DICT:
    case PICKLE_OBJECT:
        return visit_container(walk, value, kind);
    case PICKLE_PERSISTENT:
        return visit_persistent(walk, value);
    default:
        return STATUS_OK;
    }
}

Status torch_objects_list(const Pickle *pickle, const TorchSource *source, TensorList *list) {
    Walk walk = {.pickle = pickle,
                 .source = source,
                 .list = list,
                 .steps_left = STEPS_FACTOR * (uint64_t)pickle_size(pickle) + STEPS_SPARE};
    TRY(visit(&walk, pickle_root(pickle)));
    if (list->count == 0 && walk.opaque) {
        return status_fail(STATUS_FAILED,
                           "holds no tensor that can be read, but a whole object \"%.*s.%.*s\", "
                           "expected a state_dict (save model.state_dict() rather than the model)",
                           SHOWN_TEXT(walk.opaque_module), SHOWN_TEXT(walk.opaque_name));
    }
    return STATUS_OK;
}
