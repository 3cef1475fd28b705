// SPDX-License-Identifier: Apache-2.0
#include "console/operand.h"

#include <string.h>
#include <unistd.h>

#include "console/failure.h"

bool operand_is_file(const char *operand) {
    return strpbrk(operand, "/.") != NULL || access(operand, F_OK) == 0;
}

static resnet_status file_open(const char *path, const OperandOptions *options,
                               resnet_model **out) {
    if (options->shortcut != NULL || options->classes > 0 || options->input.channels > 0) {
        return failure_say(RESNET_USAGE,
                           "%s is a file: --shortcut, --classes and --input are for "
                           "architectures by name",
                           path);
    }
    resnet_load_options load;
    resnet_load_options_default(&load);
    load.model = options->model;
    load.stride_in = options->stride_in;
    load.map = 1;
    return resnet_model_load(path, &load, out);
}

resnet_status operand_open(const char *operand, const OperandOptions *options, resnet_model **out) {
    if (operand_is_file(operand)) {
        return file_open(operand, options, out);
    }
    if (options->model != NULL) {
        return failure_say(RESNET_USAGE, "%s is no file: --model is for files of weights", operand);
    }
    resnet_model_options model;
    resnet_model_options_default(&model);
    model.shortcut = options->shortcut;
    model.stride_in = options->stride_in;
    model.classes = options->classes;
    model.channels = options->input.channels;
    model.height = options->input.height;
    model.width = options->input.width;
    return resnet_model_create(operand, &model, out);
}
