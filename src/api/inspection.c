// SPDX-License-Identifier: Apache-2.0
// What a file of weights holds, whether or not it can be used.
#include <stdlib.h>

#include "api/handles.h"
#include "weights/identify.h"
#include "weights/model_entries.h"
#include "weights/quantization_text.h"

struct resnet_inspection {
    Arena *arena; // the identity's
    TensorFile *file;
    Identity identity;
    const char *refused; // the identity's refusal, with the path before it
};

// A file of ours is recognised by what it says; whether that is true, all of it has to tell.
static Status inspection_verify(resnet_inspection *inspection, const char *path) {
    Identity *identity = &inspection->identity;
    if (identity->refused != NULL) {
        inspection->refused = arena_format(inspection->arena, "%s: %s", path, identity->refused);
    } else if (model_entries_are_own(inspection->file)) {
        ModelFile *model = NULL;
        if (model_entries_read(inspection->file, path, &model) == STATUS_OK) {
            model_file_destroy(model);
            return STATUS_OK;
        }
        inspection->refused = arena_format(inspection->arena, "%s", status_message());
        identity->model = NULL;
    } else {
        return STATUS_OK;
    }
    return inspection->refused != NULL ? STATUS_OK : (Status)out_of_memory("an inspection");
}

static Status inspection_fill(resnet_inspection *inspection, const char *path, const char *model) {
    TRY(tensor_file_open(path, &inspection->file));
    inspection->arena = arena_create();
    if (inspection->arena == NULL) {
        return (Status)out_of_memory("an inspection");
    }
    TRY(weights_identify(inspection->arena, inspection->file, model, &inspection->identity));
    return inspection_verify(inspection, path);
}

resnet_status resnet_inspect(const char *path, const char *model, resnet_inspection **out) {
    *out = NULL;
    ModelOptions options = {0};
    Status status = model != NULL ? model_resolve(model, &options) : STATUS_OK;
    if (status != STATUS_OK) {
        return (resnet_status)status;
    }
    resnet_inspection *inspection = calloc(1, sizeof *inspection);
    if (inspection == NULL) {
        return out_of_memory("an inspection");
    }
    status = inspection_fill(inspection, path, model);
    if (status != STATUS_OK) {
        resnet_inspection_free(inspection);
        return (resnet_status)status;
    }
    *out = inspection;
    return RESNET_OK;
}

void resnet_inspection_free(resnet_inspection *inspection) {
    if (inspection != NULL) {
        arena_destroy(inspection->arena);
        tensor_file_close(inspection->file);
        free(inspection);
    }
}

const char *resnet_inspection_format(const resnet_inspection *inspection) {
    return tensor_format_name(tensor_file_format(inspection->file));
}

const char *resnet_inspection_layout(const resnet_inspection *inspection) {
    return inspection->identity.layout;
}

const char *resnet_inspection_wrapper(const resnet_inspection *inspection) {
    return inspection->identity.wrapper;
}

const char *resnet_inspection_model(const resnet_inspection *inspection) {
    return inspection->identity.model;
}

const char *resnet_inspection_shortcut(const resnet_inspection *inspection) {
    const Identity *identity = &inspection->identity;
    return identity->model != NULL ? shortcut_name(identity->options.shortcut) : NULL;
}

const char *resnet_inspection_stride_in(const resnet_inspection *inspection) {
    const Identity *identity = &inspection->identity;
    bool known = identity->model != NULL && identity->options.stride_in != STRIDE_IN_DEFAULT;
    return known ? stride_in_name(identity->options.stride_in) : NULL;
}

int resnet_inspection_classes(const resnet_inspection *inspection) {
    return inspection->identity.model != NULL ? inspection->identity.options.classes : 0;
}

const char *resnet_inspection_precision(const resnet_inspection *inspection) {
    bool own = model_entries_are_own(inspection->file);
    return own && tensor_file_metadata(inspection->file, QUANTIZATION_KEY) != NULL ? "int8"
                                                                                   : "fp32";
}

const char *resnet_inspection_refused(const resnet_inspection *inspection) {
    return inspection->refused;
}

int resnet_inspection_notes(const resnet_inspection *inspection) {
    return inspection->identity.note_count;
}

const char *resnet_inspection_note(const resnet_inspection *inspection, int index) {
    bool there = index >= 0 && index < inspection->identity.note_count;
    return there ? inspection->identity.notes[index] : NULL;
}

int resnet_inspection_tensors(const resnet_inspection *inspection) {
    return tensor_file_count(inspection->file);
}

resnet_status resnet_inspection_tensor(const resnet_inspection *inspection, int index,
                                       resnet_tensor *out) {
    if (index < 0 || index >= tensor_file_count(inspection->file)) {
        return (resnet_status)status_fail(STATUS_USAGE, "there is no tensor number %d", index);
    }
    const Tensor *tensor = tensor_file_tensor(inspection->file, index);
    bool renamed = index < inspection->identity.renaming_count;
    *out = (resnet_tensor){
        .name = tensor->name,
        .dtype = dtype_name(tensor->dtype),
        .parameter = renamed ? inspection->identity.renamings[index].name : NULL,
        .rank = tensor->rank,
        .dims = tensor->dims,
    };
    return RESNET_OK;
}

int resnet_inspection_metadata(const resnet_inspection *inspection) {
    return tensor_file_metadata_count(inspection->file);
}

resnet_status resnet_inspection_metadata_at(const resnet_inspection *inspection, int index,
                                            const char **key, const char **value) {
    if (index < 0 || index >= tensor_file_metadata_count(inspection->file)) {
        return (resnet_status)status_fail(STATUS_USAGE, "there is no line %d of metadata", index);
    }
    MetaEntry entry = tensor_file_metadata_at(inspection->file, index);
    *key = entry.key;
    *value = entry.value;
    return RESNET_OK;
}
