// SPDX-License-Identifier: Apache-2.0
#include "weights/quantization_text.h"

#include <float.h>
#include <jansson.h>
#include <string.h>

#include "graph/fuse.h"

static Status out_of_memory(void) {
    return status_fail(STATUS_FAILED, "cannot get memory for a quantisation");
}

// ---- writing ------------------------------------------------------------------------------------

Status quantization_print(const Quantization *table, char **text) {
    json_t *values = json_array(), *in_float = json_array();
    bool failed = values == NULL || in_float == NULL;
    for (int32_t i = 0; i < table->value_count && !failed; i++) {
        const QuantizedValue *value = &table->values[i];
        failed = json_array_append_new(values, json_pack("{s:s, s:f, s:i}", "name", value->name,
                                                         "scale", (double)value->scale, "zero",
                                                         (int)value->zero)) != 0;
    }
    for (int32_t i = 0; i < table->float_count && !failed; i++) {
        failed = json_array_append_new(in_float, json_string(table->float_nodes[i])) != 0;
    }
    json_t *object = failed ? NULL : json_pack("{s:O, s:O}", "values", values, "float", in_float);
    *text = object != NULL ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    json_decref(values);
    json_decref(in_float);
    return *text != NULL ? STATUS_OK : out_of_memory();
}

// ---- reading ------------------------------------------------------------------------------------

static Status bad(const char *what) {
    return status_fail(STATUS_FAILED, "metadata " QUANTIZATION_KEY " %s", what);
}

// A name put into `arena`; NULL: the fused graph has no such node.
static const char *find_name(const Graph *fused, const char *name, Arena *arena) {
    return name != NULL && graph_find_node(fused, name) != NODE_NONE
               ? arena_format(arena, "%s", name)
               : NULL;
}

static const QuantizedValue *find_value(const Quantization *table, const char *name) {
    for (int32_t i = 0; i < table->value_count; i++) {
        if (strcmp(table->values[i].name, name) == 0) {
            return &table->values[i];
        }
    }
    return NULL;
}

static Status parse_value(const json_t *json, const Graph *fused, Arena *arena,
                          Quantization *table) {
    const char *shown = json_string_value(json_object_get(json, "name"));
    const json_t *scale = json_object_get(json, "scale"), *zero = json_object_get(json, "zero");
    const char *name = find_name(fused, shown, arena);
    if (name == NULL) {
        return status_fail(STATUS_FAILED,
                           "metadata " QUANTIZATION_KEY
                           " has the layer \"%.80s\", which %s has not",
                           shown != NULL ? shown : "", fused->model);
    }
    if (find_value(table, name) != NULL) {
        return status_fail(STATUS_FAILED, "metadata " QUANTIZATION_KEY " has %s twice", name);
    }
    double number = json_number_value(scale);
    if (!(number >= FLT_MIN && number <= FLT_MAX)) {
        return status_fail(STATUS_FAILED,
                           "metadata " QUANTIZATION_KEY
                           " has the scale %g for %s, expected a number above 0",
                           number, name);
    }
    int64_t whole = json_integer_value(zero);
    if (!json_is_integer(zero) || (whole != 0 && whole != 128)) {
        return status_fail(STATUS_FAILED,
                           "metadata " QUANTIZATION_KEY " has the zero %lld for %s, expected 0 or "
                           "128",
                           (long long)whole, name);
    }
    table->values[table->value_count++] =
        (QuantizedValue){.name = name, .scale = (float)number, .zero = (int32_t)whole};
    return STATUS_OK;
}

static Status parse(const json_t *json, const Graph *fused, Arena *arena, Quantization *out) {
    const json_t *values = json_object_get(json, "values"), *names = json_object_get(json, "float");
    size_t nodes = (size_t)fused->node_count;
    if (!json_is_array(values) || !json_is_array(names)) {
        return bad("is no JSON object with the lists \"values\" and \"float\"");
    }
    if (json_array_size(values) > nodes || json_array_size(names) > nodes) {
        return bad("has more layers than the network");
    }
    out->values = arena_alloc(arena, nodes * sizeof *out->values);
    out->float_nodes = arena_alloc(arena, nodes * sizeof *out->float_nodes);
    if (out->values == NULL || out->float_nodes == NULL) {
        return out_of_memory();
    }
    for (size_t i = 0; i < json_array_size(values); i++) {
        TRY(parse_value(json_array_get(values, i), fused, arena, out));
    }
    for (NodeId i = 0; i < fused->node_count; i++) {
        if (find_value(out, fused->nodes[i].name) == NULL) {
            return status_fail(STATUS_FAILED, "metadata " QUANTIZATION_KEY " has no scale for %s",
                               fused->nodes[i].name);
        }
    }
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *shown = json_string_value(json_array_get(names, i));
        const char *name = find_name(fused, shown, arena);
        if (name == NULL) {
            return status_fail(STATUS_FAILED,
                               "metadata " QUANTIZATION_KEY
                               " has the layer \"%.80s\" in float, which %s has not",
                               shown != NULL ? shown : "", fused->model);
        }
        out->float_nodes[out->float_count++] = name;
    }
    return STATUS_OK;
}

Status quantization_parse(const char *text, const Graph *graph, Arena *arena, Quantization *out) {
    *out = (Quantization){0};
    Graph *fused = NULL;
    TRY(graph_fuse(graph, FUSE_FOR_INFERENCE, &fused));
    json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    Status status = parse(json, fused, arena, out);
    json_decref(json);
    graph_destroy(fused);
    return status;
}
