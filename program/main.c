// SPDX-License-Identifier: Apache-2.0
// The program `resnet`: finds the command in a table, and alone chooses exit codes: 0 done, 1
// failed, 2 wrong usage, 130 interrupted after saving.
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/output.h"

static const Command *const commands[] = {
    &command_models,  &command_summary, &command_train,    &command_eval,  &command_predict,
    &command_inspect, &command_convert, &command_quantize, &command_bench, &command_paper,
};

enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void program_help(void) {
    printf("Usage: resnet COMMAND [OPTION]...\n\n"
           "Deep residual networks (He, Zhang, Ren, Sun, arXiv 1512.03385).\n\nCommands:\n");
    for (int i = 0; i < COMMANDS; i++) {
        printf("  %-9s %s\n", commands[i]->name, commands[i]->summary);
    }
    printf("\nOptions:\n"
           "  --help    this text; `resnet COMMAND --help` explains a command\n"
           "  --version the version\n\n"
           "Example:\n  %s\n",
           command_train.example);
}

static resnet_status command_unknown(const char *name) {
    const char *names[COMMANDS + 3] = {"--help", "--version"};
    for (int i = 0; i < COMMANDS; i++) {
        names[2 + i] = commands[i]->name;
    }
    const char *kind = name[0] == '-' ? "option" : "command";
    const char *near = options_nearest(name, names);
    if (near != NULL) {
        return failure_say(RESNET_USAGE, "there is no %s '%s'; did you mean '%s'?", kind, name,
                           near);
    }
    return failure_say(RESNET_USAGE, "there is no %s '%s'; `resnet --help` lists them", kind, name);
}

static bool help_wanted(int argc, char **argv) {
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

static resnet_status program_run(int argc, char **argv) {
    if (argc < 2) {
        return failure_say(RESNET_USAGE, "no command is given; `resnet --help` lists them");
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0) {
        printf("resnet %s\n", resnet_version());
        return RESNET_OK;
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        program_help();
        return RESNET_OK;
    }
    for (int i = 0; i < COMMANDS; i++) {
        if (strcmp(name, commands[i]->name) == 0) {
            if (help_wanted(argc - 1, argv + 1)) {
                options_help(commands[i]);
                return RESNET_OK;
            }
            return commands[i]->run(argc - 1, argv + 1);
        }
    }
    return command_unknown(name);
}

int main(int argc, char **argv) {
    // UTF-8 in progress bars where the terminal has it; numbers keep their points.
    setlocale(LC_CTYPE, "");
    resnet_status status = program_run(argc, argv);
    if (status == RESNET_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        status = failure_say(RESNET_FAILED, "standard output: %s", strerror(errno));
    }
    if (status != RESNET_OK) {
        output_error("%s", failure_sentence());
    }
    return status;
}
