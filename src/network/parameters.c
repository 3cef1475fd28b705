// SPDX-License-Identifier: Apache-2.0
// The four blocks of parameters.
#include <assert.h>
#include <stdlib.h>

#include "base/random.h"
#include "network/network.h"

Status parameters_create(const Graph *graph, size_t element_size, bool training, Parameters **out) {
    *out = NULL;
    Parameters *parameters = calloc(1, sizeof *parameters);
    if (parameters == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for parameters");
    }
    parameters->element_size = element_size;
    size_t trainable = graph->trainable_elements * element_size;
    Status status = block_alloc(trainable, "parameters", &parameters->values);
    if (status == STATUS_OK) {
        status = block_alloc(graph->running_elements * element_size, "running statistics",
                             &parameters->running);
    }
    if (status == STATUS_OK && training) {
        status = block_alloc(trainable, "gradients", &parameters->gradients);
    }
    if (status == STATUS_OK && training) {
        status = block_alloc(trainable, "momentum", &parameters->momentum);
    }
    if (status != STATUS_OK) {
        parameters_destroy(parameters);
        return status;
    }
    *out = parameters;
    return STATUS_OK;
}

void parameters_destroy(Parameters *parameters) {
    if (parameters == NULL) {
        return;
    }
    block_free(parameters->values);
    block_free(parameters->gradients);
    block_free(parameters->momentum);
    block_free(parameters->running);
    free(parameters->borrowed);
    free(parameters);
}

Status parameters_borrow(Parameters *parameters, const Graph *graph, const Param *param,
                         const void *values) {
    assert(parameters->gradients == NULL);
    if (parameters->borrowed == NULL) {
        parameters->borrowed = calloc((size_t)graph->param_count, sizeof *parameters->borrowed);
        if (parameters->borrowed == NULL) {
            return status_fail(STATUS_FAILED, "cannot get memory for parameters");
        }
    }
    parameters->borrowed[param->id] = values;
    return STATUS_OK;
}

void *parameters_own(Parameters *parameters, const Param *param) {
    if (parameters->borrowed != NULL) {
        parameters->borrowed[param->id] = NULL;
    }
    return parameters_values(parameters, param);
}

void *parameters_values(const Parameters *parameters, const Param *param) {
    if (parameters->borrowed != NULL && parameters->borrowed[param->id] != NULL) {
        return (void *)parameters->borrowed[param->id];
    }
    char *block = param_is_running(param->role) ? parameters->running : parameters->values;
    return block + param->offset * parameters->element_size;
}

void *parameters_gradient(const Parameters *parameters, const Param *param) {
    if (param_is_running(param->role) || parameters->gradients == NULL) {
        return NULL;
    }
    return (char *)parameters->gradients + param->offset * parameters->element_size;
}

void parameters_init(Parameters *parameters, const Graph *graph, uint64_t seed) {
    for (int32_t p = 0; p < graph->param_count; p++) {
        const Param *param = &graph->params[p];
        void *values = parameters_values(parameters, param);
        uint64_t major = random_hash(param->name);
        double normals[RANDOM_NORMALS] = {0};
        for (size_t i = 0; i < param->elements; i++) {
            if (param->init_deviation != 0 && i % RANDOM_NORMALS == 0) {
                random_normals(seed, RANDOM_INIT, major, i, normals);
            }
            const double value =
                param->init_value + param->init_deviation * normals[i % RANDOM_NORMALS];
            // Rounded to float for every element type, so that a double network begins at the
            // very same point.
            if (parameters->element_size == sizeof(double)) {
                ((double *)values)[i] = (float)value;
            } else {
                ((float *)values)[i] = (float)value;
            }
        }
    }
}
