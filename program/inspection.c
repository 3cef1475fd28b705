// SPDX-License-Identifier: Apache-2.0
// Names and values come from files of others: they are shown shortened, and without characters that
// a terminal would obey.
#include "inspection.h"

#include <stdio.h>
#include <string.h>

#include "console/failure.h"
#include "console/output.h"
#include "console/weights.h"

enum { NAME_WIDTH = 96, VALUE_WIDTH = 60, FACT_INDENT = 12, FACT_WIDTH = 100 };

// ---- Text ----

static void shape_cell(Table *table, const resnet_tensor *tensor) {
    char text[256] = "";
    size_t length = 0;
    for (int i = 0; i < tensor->rank && length < sizeof text; i++) {
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%lld", i > 0 ? "x" : "",
                                   (long long)tensor->dims[i]);
    }
    table_cell(table, "%s", tensor->rank > 0 ? text : "scalar");
}

static resnet_status tensors_print(const resnet_inspection *inspection, Table *table) {
    for (int i = 0; i < resnet_inspection_tensors(inspection); i++) {
        resnet_tensor tensor;
        TRY(resnet_inspection_tensor(inspection, i, &tensor));
        const char *parameter = tensor.parameter;
        bool same = parameter != NULL && strcmp(parameter, tensor.name) == 0;
        table_cell(table, "%s", text_shown(tensor.name, NAME_WIDTH));
        table_cell(table, "%s", parameter == NULL ? "-" : same ? "same" : parameter);
        table_cell(table, "%s", tensor.dtype);
        shape_cell(table, &tensor);
    }
    return table_print(table, stdout);
}

resnet_status inspection_print_tensors(const resnet_inspection *inspection) {
    static const Column columns[] = {
        {"tensor", false}, {"name here", false}, {"dtype", false}, {"shape", false}};
    Table *table = table_create(columns, 4);
    resnet_status status = tensors_print(inspection, table);
    table_destroy(table);
    return status;
}

static void fact_begin(const char *name) { printf("%-*s", FACT_INDENT, name); }

static void model_print(const resnet_inspection *inspection) {
    const char *model = resnet_inspection_model(inspection);
    fact_begin("model");
    if (model == NULL) {
        printf("not recognised\n");
        return;
    }
    printf("%s%s%s, shortcut %s, %d classes\n", style_begin(stdout, STYLE_BOLD), model,
           style_begin(stdout, STYLE_PLAIN), resnet_inspection_shortcut(inspection),
           resnet_inspection_classes(inspection));
    const char *stride_in = resnet_inspection_stride_in(inspection);
    if (stride_in != NULL || model_has_stride_in(model)) {
        fact_begin("stride in");
        printf("%s\n", stride_in != NULL ? stride_in : "unknown");
    }
}

// What is stored as bytes says which layers run in int8.
static void precision_print(const resnet_inspection *inspection) {
    if (strcmp(resnet_inspection_precision(inspection), "int8") != 0) {
        return;
    }
    int weights = 0;
    for (int i = 0; i < resnet_inspection_tensors(inspection); i++) {
        resnet_tensor tensor;
        weights += resnet_inspection_tensor(inspection, i, &tensor) == RESNET_OK &&
                   strcmp(tensor.dtype, "I8") == 0;
    }
    fact_begin("precision");
    printf("int8, the weights of %d layers\n", weights);
}

void inspection_print_facts(const resnet_inspection *inspection) {
    fact_begin("format");
    printf("%s\n", resnet_inspection_format(inspection));
    const char *layout = resnet_inspection_layout(inspection);
    const char *wrapper = resnet_inspection_wrapper(inspection);
    if (layout != NULL) {
        fact_begin("layout");
        printf("%s", layout);
        if (wrapper != NULL && wrapper[0] != '\0') {
            printf(", names begin with %s", text_shown(wrapper, NAME_WIDTH));
        }
        printf("\n");
    }
    model_print(inspection);
    precision_print(inspection);
    for (int i = 0; i < resnet_inspection_metadata(inspection); i++) {
        const char *key, *value;
        if (resnet_inspection_metadata_at(inspection, i, &key, &value) == RESNET_OK) {
            fact_begin(i == 0 ? "metadata" : "");
            printf("%s = ", text_shown(key, VALUE_WIDTH));
            printf("%s\n", text_shown(value, VALUE_WIDTH));
        }
    }
    for (int i = 0; i < resnet_inspection_notes(inspection); i++) {
        fact_begin("note");
        text_fill(resnet_inspection_note(inspection, i), FACT_INDENT, FACT_WIDTH, stdout);
    }
}

// ---- JSON ----

static json_t *text_or_null(const char *text) {
    return text != NULL ? json_text(text) : json_null();
}

static json_t *tensor_json(const resnet_tensor *tensor) {
    json_t *shape = json_array();
    for (int i = 0; i < tensor->rank; i++) {
        json_array_append_new(shape, json_integer((json_int_t)tensor->dims[i]));
    }
    return json_pack("{s:o, s:o, s:s, s:o}", "name", json_text(tensor->name), "parameter",
                     text_or_null(tensor->parameter), "dtype", tensor->dtype, "shape", shape);
}

static json_t *tensors_json(const resnet_inspection *inspection) {
    json_t *list = json_array();
    for (int i = 0; i < resnet_inspection_tensors(inspection); i++) {
        resnet_tensor tensor;
        if (resnet_inspection_tensor(inspection, i, &tensor) == RESNET_OK) {
            json_array_append_new(list, tensor_json(&tensor));
        }
    }
    return list;
}

static json_t *metadata_json(const resnet_inspection *inspection) {
    json_t *object = json_object();
    for (int i = 0; i < resnet_inspection_metadata(inspection); i++) {
        const char *key, *value;
        if (resnet_inspection_metadata_at(inspection, i, &key, &value) == RESNET_OK) {
            json_t *name = json_text(key);
            json_object_set_new(object, json_string_value(name), json_text(value));
            json_decref(name);
        }
    }
    return object;
}

static json_t *notes_json(const resnet_inspection *inspection) {
    json_t *list = json_array();
    for (int i = 0; i < resnet_inspection_notes(inspection); i++) {
        json_array_append_new(list, json_text(resnet_inspection_note(inspection, i)));
    }
    return list;
}

resnet_status inspection_print_json(const char *path, const resnet_inspection *inspection) {
    const char *model = resnet_inspection_model(inspection);
    json_t *classes =
        model != NULL ? json_integer(resnet_inspection_classes(inspection)) : json_null();
    return json_line(json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "file",
        json_text(path), "format", text_or_null(resnet_inspection_format(inspection)), "layout",
        text_or_null(resnet_inspection_layout(inspection)), "wrapper",
        text_or_null(resnet_inspection_wrapper(inspection)), "model", text_or_null(model),
        "shortcut", text_or_null(model != NULL ? resnet_inspection_shortcut(inspection) : NULL),
        "stride_in", text_or_null(resnet_inspection_stride_in(inspection)), "classes", classes,
        "precision", resnet_inspection_precision(inspection), "refused",
        text_or_null(resnet_inspection_refused(inspection)), "notes", notes_json(inspection),
        "metadata", metadata_json(inspection), "tensors", tensors_json(inspection)));
}

resnet_status inspection_print_json_refusal(const char *path, const char *refused) {
    return json_line(json_pack(
        "{s:o, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:n, s:o, s:[], s:{}, s:[]}", "file",
        json_text(path), "format", "layout", "wrapper", "model", "shortcut", "stride_in", "classes",
        "precision", "refused", json_text(refused), "notes", "metadata", "tensors"));
}
