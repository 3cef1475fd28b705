// SPDX-License-Identifier: Apache-2.0
// `resnet inspect`: what a file of weights holds, which model it is, or why it is refused.
#include "console/command.h"
#include "console/failure.h"
#include "console/weights.h"
#include "inspection.h"

typedef struct Arguments {
    WeightsOptions weights;
    int json;
} Arguments;

static const Option options[] = {
    WEIGHTS_MODEL_OPTION,
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object: file, format, layout, wrapper, model, shortcut, stride_in, classes, "
     "precision, refused, notes[], metadata{}, tensors[{name, parameter, dtype, shape[]}]"},
    {.kind = OPTION_END}};

static resnet_status inspection_show(const char *path, const resnet_inspection *inspection,
                                     bool json) {
    if (json) {
        TRY(inspection_print_json(path, inspection));
    } else {
        TRY(inspection_print_tensors(inspection));
        putchar('\n');
        inspection_print_facts(inspection);
    }
    const char *refused = resnet_inspection_refused(inspection);
    return refused == NULL ? RESNET_OK : failure_say(RESNET_FAILED, "%s", refused);
}

static resnet_status inspect_run(int argc, char **argv) {
    Arguments arguments = {0};
    char **operands;
    int count;
    TRY(options_parse(&command_inspect, argc, argv, &arguments, &operands, &count));
    resnet_inspection *inspection = NULL;
    resnet_status status = resnet_inspect(operands[0], arguments.weights.model, &inspection);
    if (status == RESNET_OK) {
        status = inspection_show(operands[0], inspection, arguments.json);
    } else if (status == RESNET_FAILED && arguments.json) {
        TRY(inspection_print_json_refusal(operands[0], resnet_last_error()));
    }
    resnet_inspection_free(inspection);
    return status;
}

const Command command_inspect = {
    .name = "inspect",
    .summary = "Shows what a file of weights holds and which model it is",
    .usage = "FILE [OPTION]...",
    .details = "FILE is safetensors or a PyTorch checkpoint (.pth, .pt, .bin, .th, .tar).\n"
               "Nothing in it is executed. Exit code 0: recognised; 1: refused, with the\n"
               "reason.",
    .example = "resnet inspect resnet50-0676ba61.pth",
    .options = options,
    .least_operands = 1,
    .most_operands = 1,
    .operands = "a FILE of weights",
    .run = inspect_run,
};
