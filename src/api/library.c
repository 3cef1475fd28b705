// SPDX-License-Identifier: Apache-2.0
// The library itself and the table of architectures.
#include <string.h>

#include "api/handles.h"
#include "base/cpu.h"
#include "graph/op.h"

_Static_assert((int)RESNET_FAILED == (int)STATUS_FAILED && (int)RESNET_USAGE == (int)STATUS_USAGE &&
                   (int)RESNET_INTERRUPTED == (int)STATUS_INTERRUPTED,
               "public and internal status codes are the same");

resnet_status out_of_memory(const char *what) {
    return (resnet_status)status_fail(STATUS_FAILED, "cannot get memory for %s", what);
}

const char *resnet_version(void) { return RESNET_VERSION; }

const char *resnet_last_error(void) { return status_message(); }

int resnet_cpu_count(void) { return cpu_count(); }

const char *resnet_cpu_name(void) { return cpu_name(); }

const char *resnet_isa(void) {
    const Backend *backend = NULL;
    if (backend_cpu(&backend) != STATUS_OK) {
        return NULL;
    }
    return strchr(backend->name, ' ') + 1; // "cpu avx512"
}

int resnet_architecture_count(void) {
    int count = 0;
    while (model_info(count) != NULL) {
        count++;
    }
    return count;
}

resnet_status resnet_architecture_get(int index, resnet_architecture *out) {
    const ModelInfo *info = index < 0 ? NULL : model_info(index);
    if (info == NULL) {
        return (resnet_status)status_fail(STATUS_USAGE, "there is no architecture number %d",
                                          index);
    }
    Graph *graph = NULL;
    Status status = model_build(info->name, NULL, &graph);
    if (status == STATUS_OK) {
        *out = (resnet_architecture){
            .name = info->name,
            .description = info->description,
            .channels = info->input.channels,
            .height = info->input.height,
            .width = info->input.width,
            .classes = info->classes,
            .parameters = (int64_t)graph_parameters(graph),
            .macs = (int64_t)graph_macs(graph),
        };
        graph_destroy(graph);
    }
    return (resnet_status)status;
}
