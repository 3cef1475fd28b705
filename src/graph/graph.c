// SPDX-License-Identifier: Apache-2.0
// The graph itself: memory, the first error, scopes of names, questions about it. The builders of
// nodes are in build.c.
#include "graph/graph.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t shape_elements(Shape shape) {
    return (size_t)shape.channels * (size_t)shape.height * (size_t)shape.width;
}

size_t shape_byte_pixel(Shape shape) { return ((size_t)shape.channels + 3) / 4 * 4; }

size_t node_elements(const Node *node) {
    const Shape shape = node->shape;
    return node->bytes ? (size_t)shape.height * (size_t)shape.width * shape_byte_pixel(shape) / 4
                       : shape_elements(shape);
}

bool param_is_running(ParamRole role) {
    return role == PARAM_RUNNING_MEAN || role == PARAM_RUNNING_VARIANCE;
}

Graph *graph_create(void) {
    Arena *arena = arena_create();
    Graph *graph = arena == NULL ? NULL : arena_alloc(arena, sizeof *graph);
    if (graph == NULL) {
        arena_destroy(arena);
        return NULL;
    }
    graph->arena = arena;
    graph->input = graph->output = NODE_NONE;
    return graph;
}

void graph_destroy(Graph *graph) {
    if (graph != NULL) {
        arena_destroy(graph->arena);
    }
}

Status graph_status(const Graph *graph) {
    return graph->error == NULL ? STATUS_OK : status_fail(STATUS_FAILED, "%s", graph->error);
}

NodeId graph_fail(Graph *graph, const char *format, ...) {
    if (graph->error == NULL) {
        char text[512];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(text, sizeof text, format, arguments);
        va_end(arguments);
        graph->error = arena_format(graph->arena, "%s", text);
        if (graph->error == NULL) {
            graph->error = "cannot get memory for a graph";
        }
    }
    return NODE_NONE;
}

void graph_push(Graph *graph, const char *format, ...) {
    if (graph->error != NULL) {
        return;
    }
    size_t length = strlen(graph->scope), room = sizeof graph->scope - length;
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(graph->scope + length, room, format, arguments);
    va_end(arguments);
    size_t depths = sizeof graph->scope_length / sizeof graph->scope_length[0];
    // One byte for the dot, one for the end.
    if (added < 0 || (size_t)added + 2 > room || (size_t)graph->scope_depth == depths) {
        graph->scope[length] = '\0';
        graph_fail(graph, "%s: names nest too deeply", graph->scope);
        return;
    }
    memcpy(graph->scope + length + (size_t)added, ".", 2);
    graph->scope_length[graph->scope_depth++] = (uint8_t)length;
}

void graph_pop(Graph *graph) {
    if (graph->error != NULL) {
        return;
    }
    assert(graph->scope_depth > 0);
    graph->scope[graph->scope_length[--graph->scope_depth]] = '\0';
}

void graph_set_output(Graph *graph, NodeId logits) {
    if (graph->error == NULL) {
        assert(logits >= 0 && logits < graph->node_count);
        graph->output = logits;
    }
}

Shape graph_shape(const Graph *graph, NodeId node) {
    return node == NODE_NONE ? (Shape){0, 0, 0} : graph->nodes[node].shape;
}

static bool copy_name(Arena *arena, const char **name) {
    *name = *name == NULL ? NULL : arena_format(arena, "%s", *name);
    return *name != NULL;
}

static bool copy_node_names(Arena *arena, Node *node) {
    return copy_name(arena, &node->name) && (node->first == NULL || copy_name(arena, &node->first));
}

bool graph_detach(Graph *to, const Graph *from) {
    to->params = arena_alloc(to->arena, (size_t)from->param_count * sizeof *to->params);
    bool copied = to->params != NULL;
    for (NodeId i = 0; i < to->node_count && copied; i++) {
        copied = copy_node_names(to->arena, &to->nodes[i]);
    }
    for (ParamId p = 0; p < from->param_count && copied; p++) {
        to->params[p] = from->params[p];
        copied = copy_name(to->arena, &to->params[p].name);
    }
    to->param_count = to->param_capacity = from->param_count;
    to->trainable_elements = from->trainable_elements;
    to->running_elements = from->running_elements;
    to->model = from->model;
    return copied && (to->model == NULL || copy_name(to->arena, &to->model));
}

NodeId graph_find_node(const Graph *graph, const char *name) {
    for (NodeId i = 0; i < graph->node_count; i++) {
        if (strcmp(graph->nodes[i].name, name) == 0) {
            return i;
        }
    }
    return NODE_NONE;
}

ParamId graph_find_param(const Graph *graph, const char *name) {
    for (ParamId p = 0; p < graph->param_count; p++) {
        if (strcmp(graph->params[p].name, name) == 0) {
            return p;
        }
    }
    return PARAM_NONE;
}

bool param_same_extents(const Param *a, const Param *b) {
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof a->dims[0]) == 0;
}

static bool same_place(const Param *a, const Param *b) {
    return strcmp(a->name, b->name) == 0 && a->role == b->role && a->offset == b->offset &&
           param_same_extents(a, b);
}

bool graph_begins_with(const Graph *graph, const Graph *part) {
    bool same = part->param_count <= graph->param_count;
    for (ParamId p = 0; p < part->param_count && same; p++) {
        same = same_place(&graph->params[p], &part->params[p]);
    }
    return same;
}
