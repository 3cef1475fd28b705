// SPDX-License-Identifier: Apache-2.0
// For tests of models: one built by name, and what shapes it has.
#ifndef RESNET_TESTS_MODELS_BUILT_H
#define RESNET_TESTS_MODELS_BUILT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> // which needs those four

#include "models/models.h"

static inline Graph *build(const char *name, const ModelOptions *options) {
    Graph *graph = NULL;
    if (model_build(name, options, &graph) != STATUS_OK) {
        fail_msg("%s", status_message());
    }
    return graph;
}

static inline void check_shape(const Graph *graph, NodeId node, Shape expected) {
    Shape found = graph_shape(graph, node);
    assert_int_equal(found.channels, expected.channels);
    assert_int_equal(found.height, expected.height);
    assert_int_equal(found.width, expected.width);
}

#endif
