// SPDX-License-Identifier: Apache-2.0
#include "weights/model_entries.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "weights/byte_weights.h"
#include "weights/quantization_text.h"

static const char FORMAT[] = "resnet", VERSION[] = "1";
static const char BILINEAR[] = "bilinear", BICUBIC[] = "bicubic", RGB[] = "rgb", BGR[] = "bgr";
static const char PIXEL_MEAN[] = "preprocess.pixel_mean";

// ---- writing ------------------------------------------------------------------------------------

// A pixel mean, and scales beside each tensor of bytes.
int model_entries_tensors(const ModelFile *file) { return 2 * file->graph->param_count + 1; }

static void add_floats(Entries *entries, const char *key, const float *values, int count) {
    char text[128] = "";
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        at += (size_t)snprintf(text + at, sizeof text - at, "%s%s", i > 0 ? "," : "",
                               number_float(values[i]).text);
    }
    entries_add(entries, key, text);
}

static Status add_classes(const ModelFile *file, Entries *entries) {
    if (file->class_names == NULL) {
        return STATUS_OK;
    }
    json_t *names = json_array();
    bool failed = names == NULL;
    for (int i = 0; i < file->options.classes && !failed; i++) {
        failed = json_array_append_new(names, json_string(file->class_names[i])) != 0;
    }
    char *text = failed ? NULL : json_dumps(names, JSON_COMPACT);
    json_decref(names);
    if (text == NULL) {
        return status_fail(STATUS_FAILED, "the names of the classes cannot be written (not UTF-8)");
    }
    entries_add(entries, "resnet.classes", text);
    free(text);
    return STATUS_OK;
}

static Status add_quantization(const ModelFile *file, Entries *entries) {
    char *text = NULL;
    if (file->quantization != NULL) {
        TRY(quantization_print(file->quantization, &text));
        entries_add(entries, QUANTIZATION_KEY, text);
        free(text);
    }
    return STATUS_OK;
}

// Weights that quantising rounded as bytes and scales, all else in float.
static Status add_param(const ModelFile *file, const Param *param, Entries *entries) {
    const float *values = parameters_values(file->parameters, param);
    if (file->quantization != NULL && param->role == PARAM_WEIGHT) {
        int8_t *bytes = arena_alloc(entries->arena, param->elements);
        float *scales = arena_alloc(entries->arena, (size_t)param->dims[0] * sizeof *scales);
        if (bytes == NULL || scales == NULL) {
            return status_fail(STATUS_FAILED, "cannot get memory for the bytes of %s", param->name);
        }
        if (byte_weights_split(param, values, bytes, scales)) {
            entries_add_bytes(entries, param->name, param->rank, param->dims, bytes, scales);
            return STATUS_OK;
        }
    }
    entries_add_tensor(entries, param->name, param->rank, param->dims, values);
    return STATUS_OK;
}

Status model_entries_add(const ModelFile *file, Entries *entries) {
    const Graph *graph = file->graph;
    Shape input = file->options.input;
    char extents[64];
    snprintf(extents, sizeof extents, "%dx%dx%d", input.channels, input.height, input.width);
    entries_add(entries, "format", FORMAT);
    entries_add(entries, "resnet.version", VERSION);
    entries_add(entries, "resnet.model", file->name);
    entries_add(entries, "resnet.shortcut", shortcut_name(file->options.shortcut));
    if (file->options.stride_in != STRIDE_IN_DEFAULT) { // bottlenecks only
        entries_add(entries, "resnet.stride_in", stride_in_name(file->options.stride_in));
    }
    entries_add(entries, "resnet.input", extents);
    entries_add(entries, "resnet.class_count", number_integer(file->options.classes).text);
    TRY(add_classes(file, entries));
    TRY(add_quantization(file, entries));
    for (int32_t p = 0; p < graph->param_count; p++) {
        TRY(add_param(file, &graph->params[p], entries));
    }
    if (file->has_preprocess) {
        const Preprocess *preprocess = &file->preprocess;
        add_floats(entries, "resnet.mean", preprocess->mean, preprocess->channels);
        add_floats(entries, "resnet.std", preprocess->deviation, preprocess->channels);
        entries_add(entries, "resnet.resize", number_integer(preprocess->resize).text);
        entries_add(entries, "resnet.interpolation",
                    preprocess->interpolation == INTERPOLATION_BICUBIC ? BICUBIC : BILINEAR);
        entries_add(entries, "resnet.channel_order", preprocess->bgr ? BGR : RGB);
        if (preprocess->scale != 0) { // 0: absent, as in the files of earlier versions
            add_floats(entries, "resnet.scale", &preprocess->scale, 1);
        }
        if (preprocess->pixel_mean != NULL) {
            int32_t dims[3] = {preprocess->height, preprocess->width, preprocess->channels};
            entries_add_tensor(entries, PIXEL_MEAN, 3, dims, preprocess->pixel_mean);
        }
    }
    return STATUS_OK;
}

// ---- reading ------------------------------------------------------------------------------------

// The sentences on metadata leave the file to model_entries_read().
static Status bad_value(const char *key, const char *found, const char *expected) {
    return status_fail(STATUS_FAILED, "metadata %s is \"%.80s\", expected %s", key, found,
                       expected);
}

static Status find(const TensorFile *open, const char *key, const char **out) {
    *out = tensor_file_metadata(open, key);
    return *out != NULL ? STATUS_OK : status_fail(STATUS_FAILED, "metadata %s is missing", key);
}

bool model_entries_are_own(const TensorFile *open) {
    // Any key of ours will do: a file whose "format" alone is damaged is no one else's.
    bool possible = tensor_file_format(open) == FORMAT_SAFETENSORS;
    for (int i = 0; possible && i < tensor_file_metadata_count(open); i++) {
        if (strncmp(tensor_file_metadata_at(open, i).key, "resnet.", strlen("resnet.")) == 0) {
            return true;
        }
    }
    return false;
}

Status model_entries_options(const TensorFile *open, const char **name, ModelOptions *options) {
    const char *text = NULL;
    TRY(find(open, "resnet.model", name));
    TRY(find(open, "resnet.shortcut", &text));
    if (!shortcut_parse(text, &options->shortcut)) {
        return bad_value("resnet.shortcut", text, "A, B, C or none");
    }
    text = tensor_file_metadata(open, "resnet.stride_in");
    if (text != NULL && !stride_in_parse(text, &options->stride_in)) {
        return bad_value("resnet.stride_in", text, "1x1 or 3x3");
    }
    TRY(find(open, "resnet.input", &text));
    Shape *input = &options->input;
    char rest = 0;
    if (sscanf(text, "%5dx%5dx%5d%c", &input->channels, &input->height, &input->width, &rest) !=
            3 ||
        input->channels < 1 || input->channels > MODEL_EXTENT_MAX || input->height < 1 ||
        input->height > MODEL_EXTENT_MAX || input->width < 1 || input->width > MODEL_EXTENT_MAX) {
        return bad_value("resnet.input", text, "extents such as 3x32x32");
    }
    TRY(find(open, "resnet.class_count", &text));
    int64_t classes = 0;
    if (!number_parse_integer(text, &classes) || classes < 1 || classes > MODEL_CLASSES_MAX) {
        return bad_value("resnet.class_count", text, "a number of classes");
    }
    options->classes = (int)classes;
    return STATUS_OK;
}

static Status read_classes(const TensorFile *open, ModelFile *file) {
    const char *text = tensor_file_metadata(open, "resnet.classes");
    if (text == NULL) {
        return STATUS_OK;
    }
    const char *expected = "a JSON list with one name for each class";
    size_t count = (size_t)file->options.classes;
    json_t *names = json_loads(text, 0, NULL);
    char **pointers = calloc(count, sizeof *pointers);
    Status status = STATUS_OK;
    if (pointers == NULL) {
        status = status_fail(STATUS_FAILED, "cannot get memory for class names");
    } else if (!json_is_array(names) || json_array_size(names) != count) {
        status = bad_value("resnet.classes", text, expected);
    }
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        pointers[i] = (char *)json_string_value(json_array_get(names, i));
        if (pointers[i] == NULL) {
            status = bad_value("resnet.classes", text, expected);
        }
    }
    if (status == STATUS_OK) {
        status = model_file_set_classes(file, pointers, file->options.classes);
    }
    free(pointers);
    json_decref(names);
    return status;
}

// "0.49,0.48,0.45": exactly `count` numbers, finite, and above 0 where they divide.
static Status read_floats(const TensorFile *open, const char *key, int count, bool positive,
                          float *values) {
    const char *text = NULL;
    TRY(find(open, key, &text));
    const char *at = text;
    for (int i = 0; i < count; i++) {
        char piece[40];
        size_t length = strcspn(at, ",");
        double value = 0;
        bool last = i == count - 1;
        if (length >= sizeof piece || (at[length] == '\0') != last) {
            return bad_value(key, text, "one number for each channel");
        }
        memcpy(piece, at, length);
        piece[length] = '\0';
        if (!number_parse_double(piece, &value) || !isfinite((float)value) ||
            (positive && !((float)value > 0))) {
            return bad_value(key, text, positive ? "finite numbers above 0" : "finite numbers");
        }
        values[i] = (float)value;
        at += length + 1;
    }
    return STATUS_OK;
}

static Status read_steps(const TensorFile *open, Preprocess *preprocess) {
    const char *text = tensor_file_metadata(open, "resnet.resize");
    int64_t resize = 0;
    if (text != NULL &&
        (!number_parse_integer(text, &resize) || resize < 0 || resize > MODEL_EXTENT_MAX)) {
        return bad_value("resnet.resize", text, "the short side of a picture");
    }
    preprocess->resize = (int)resize;
    text = tensor_file_metadata(open, "resnet.interpolation");
    if (text != NULL && strcmp(text, BICUBIC) != 0 && strcmp(text, BILINEAR) != 0) {
        return bad_value("resnet.interpolation", text, "bilinear or bicubic");
    }
    preprocess->interpolation =
        text != NULL && strcmp(text, BICUBIC) == 0 ? INTERPOLATION_BICUBIC : INTERPOLATION_BILINEAR;
    text = tensor_file_metadata(open, "resnet.channel_order");
    if (text != NULL && strcmp(text, BGR) != 0 && strcmp(text, RGB) != 0) {
        return bad_value("resnet.channel_order", text, "rgb or bgr");
    }
    preprocess->bgr = text != NULL && strcmp(text, BGR) == 0;
    return tensor_file_metadata(open, "resnet.scale") == NULL
               ? STATUS_OK
               : read_floats(open, "resnet.scale", 1, true, &preprocess->scale);
}

static Status read_pixel_mean(const TensorFile *open, Preprocess *preprocess) {
    Param param = {.name = PIXEL_MEAN,
                   .rank = 3,
                   .dims = {preprocess->height, preprocess->width, preprocess->channels},
                   .elements = (size_t)preprocess->height * (size_t)preprocess->width *
                               (size_t)preprocess->channels};
    TRY(entries_check_param(open, "", &param));
    preprocess->pixel_mean = malloc(param.elements * sizeof(float));
    if (preprocess->pixel_mean == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for the mean image");
    }
    return entries_read_param(open, "", &param, preprocess->pixel_mean);
}

static Status read_preprocess(const TensorFile *open, ModelFile *file) {
    Shape input = file->options.input;
    bool pixel_mean = tensor_file_find(open, PIXEL_MEAN) != NULL;
    if (tensor_file_metadata(open, "resnet.mean") == NULL && !pixel_mean) {
        return STATUS_OK;
    }
    if (input.channels > 3) {
        return status_fail(STATUS_FAILED, "%d channels have a normalisation, at most 3 can",
                           input.channels);
    }
    Preprocess preprocess = {.channels = input.channels,
                             .height = input.height,
                             .width = input.width,
                             .deviation = {1, 1, 1}};
    TRY(read_floats(open, "resnet.mean", input.channels, false, preprocess.mean));
    TRY(read_floats(open, "resnet.std", input.channels, true, preprocess.deviation));
    TRY(read_steps(open, &preprocess));
    Status status = pixel_mean ? read_pixel_mean(open, &preprocess) : STATUS_OK;
    if (status == STATUS_OK) {
        status = model_file_set_preprocess(file, &preprocess);
    }
    free(preprocess.pixel_mean);
    return status;
}

static Status read_quantization(const TensorFile *open, ModelFile *file) {
    const char *text = tensor_file_metadata(open, QUANTIZATION_KEY);
    if (text == NULL) {
        return STATUS_OK;
    }
    Quantization *table = arena_alloc(file->arena, sizeof *table);
    if (table == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a quantisation");
    }
    TRY(quantization_parse(text, file->graph, file->arena, table));
    file->quantization = table;
    return STATUS_OK;
}

static bool is_known(const Graph *graph, const char *name) {
    return strncmp(name, MOMENTUM_PREFIX, strlen(MOMENTUM_PREFIX)) == 0 ||
           strncmp(name, TRAINING_PREFIX, strlen(TRAINING_PREFIX)) == 0 ||
           strncmp(name, "preprocess.", strlen("preprocess.")) == 0 ||
           graph_find_param(graph, name) != PARAM_NONE;
}

static Status check_tensors(const TensorFile *open, const ModelFile *file) {
    for (int32_t p = 0; p < file->graph->param_count; p++) {
        TRY(entries_check_param(open, "", &file->graph->params[p]));
    }
    for (int i = 0; i < tensor_file_count(open); i++) {
        const char *name = tensor_file_tensor(open, i)->name;
        if (!is_known(file->graph, name) && !entries_are_scales(open, name)) {
            return status_fail(STATUS_FAILED, "tensor \"%.80s\" does not belong to %s", name,
                               file->name);
        }
    }
    return STATUS_OK;
}

static Status read_model(const TensorFile *open, ModelFile **out) {
    const char *format = tensor_file_metadata(open, "format");
    if (format == NULL || strcmp(format, FORMAT) != 0) {
        return status_fail(STATUS_FAILED,
                           "was not written by resnet: its metadata has the format \"%.20s\", "
                           "expected \"%s\"",
                           format != NULL ? format : "", FORMAT);
    }
    const char *text = NULL;
    TRY(find(open, "resnet.version", &text));
    if (strcmp(text, VERSION) != 0) {
        return bad_value("resnet.version", text, "1, the only one that this program knows");
    }
    TRY(entries_verify(open));
    ModelOptions options = {0};
    TRY(model_entries_options(open, &text, &options));
    TRY(model_file_create(text, &options, out));
    TRY(check_tensors(open, *out));
    TRY(read_classes(open, *out));
    TRY(read_quantization(open, *out));
    return read_preprocess(open, *out);
}

Status model_entries_read(const TensorFile *open, const char *path, ModelFile **out) {
    *out = NULL;
    if (read_model(open, out) != STATUS_OK) {
        model_file_destroy(*out);
        *out = NULL;
        // Whatever its code was: it is the file that is wrong, not the caller.
        return status_context(STATUS_FAILED, "%s", path);
    }
    return STATUS_OK;
}
