// SPDX-License-Identifier: Apache-2.0
// `resnet convert`: weights of others as safetensors that say everything about themselves, so that
// later commands need no options.
#include <stdio.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/output.h"
#include "console/weights.h"
#include "inspection.h"

typedef struct Arguments {
    WeightsOptions weights;
    int json;
} Arguments;

static const Option options[] = {
    WEIGHTS_OPTIONS,
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object about OUT, with the keys of `resnet inspect --json`"},
    {.kind = OPTION_END}};

// What was written is shown from the file itself.
static resnet_status written_tell(const resnet_model *model, const char *path, bool json) {
    resnet_inspection *inspection = NULL;
    TRY(resnet_inspect(path, NULL, &inspection));
    resnet_status status = RESNET_OK;
    if (json) {
        status = inspection_print_json(path, inspection);
    } else {
        printf("wrote %s\n", path);
        inspection_print_facts(inspection);
        if (resnet_model_class_name(model, 0) == NULL) {
            printf("classes have no names; --labels FILE gives them\n");
        }
    }
    resnet_inspection_free(inspection);
    return status;
}

static resnet_status convert_run(int argc, char **argv) {
    Arguments arguments = {0};
    char **operands;
    int count;
    TRY(options_parse(&command_convert, argc, argv, &arguments, &operands, &count));
    resnet_model *model = NULL;
    TRY(weights_open(operands[0], &arguments.weights, &model));
    resnet_status status = resnet_model_save(model, operands[1]);
    if (status == RESNET_OK) {
        status = written_tell(model, operands[1], arguments.json);
    }
    resnet_model_free(model);
    return status;
}

const Command command_convert = {
    .name = "convert",
    .summary = "Writes weights as safetensors with labels and preprocessing",
    .usage = "IN OUT [OPTION]...",
    .details = "IN is safetensors or a PyTorch checkpoint. OUT carries all that `resnet predict`\n"
               "needs: model, place of the stride, class names, resize, crop, normalisation.",
    .example = "resnet convert resnet50-0676ba61.pth resnet50.safetensors \\\n"
               "      --preset torchvision --labels imagenet-classes.txt",
    .options = options,
    .least_operands = 2,
    .most_operands = 2,
    .operands = "a file IN and a file OUT",
    .run = convert_run,
};
