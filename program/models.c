// SPDX-License-Identifier: Apache-2.0
// `resnet models`: every architecture that can be built.
#include <stddef.h>
#include <stdio.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/output.h"

typedef struct Arguments {
    int json;
} Arguments;

static const Option options[] = {{OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
                                  "one JSON object a line: name, parameters, macs, input"},
                                 {.kind = OPTION_END}};

static resnet_status models_json(void) {
    for (int i = 0; i < resnet_architecture_count(); i++) {
        resnet_architecture model;
        TRY(resnet_architecture_get(i, &model));
        TRY(json_line(json_pack("{s:s, s:I, s:I, s:[i,i,i], s:i, s:s}", "name", model.name,
                                "parameters", (json_int_t)model.parameters, "macs",
                                (json_int_t)model.macs, "input", model.channels, model.height,
                                model.width, "classes", model.classes, "description",
                                model.description)));
    }
    return RESNET_OK;
}

static resnet_status models_table(Table *table) {
    for (int i = 0; i < resnet_architecture_count(); i++) {
        resnet_architecture model;
        TRY(resnet_architecture_get(i, &model));
        table_cell(table, "%s", model.name);
        table_cell(table, "%dx%dx%d", model.channels, model.height, model.width);
        table_cell(table, "%s", figure_whole(model.parameters));
        table_cell(table, "%s", figure_macs(model.macs));
        table_cell(table, "%s", model.description);
    }
    return table_print(table, stdout);
}

static resnet_status models_run(int argc, char **argv) {
    Arguments arguments = {0};
    char **operands;
    int count;
    TRY(options_parse(&command_models, argc, argv, &arguments, &operands, &count));
    if (arguments.json) {
        return models_json();
    }
    static const Column columns[] = {{"name", false},
                                     {"input", false},
                                     {"parameters", true},
                                     {"multiply-adds", true},
                                     {"description", false}};
    Table *table = table_create(columns, 5);
    resnet_status status = models_table(table);
    table_destroy(table);
    return status;
}

const Command command_models = {
    .name = "models",
    .summary = "Lists every architecture with its parameters and multiply-adds",
    .usage = "[--json]",
    .example = "resnet models",
    .options = options,
    .run = models_run,
};
