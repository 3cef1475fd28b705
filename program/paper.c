// SPDX-License-Identifier: Apache-2.0
// `resnet paper`: runs the paper's experiments one training after another, and reports.
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "experiments.h"
#include "failure.h"
#include "output.h"
#include "progress.h"
#include "report.h"
#include "runs.h"

typedef struct Arguments {
    const char *data, *out, *only;
    int64_t iterations;
    double lr;
    int batch, seeds, threads, json;
} Arguments;

static const Option options[] = {
    {OPTION_TEXT, "data", "SPEC", offsetof(Arguments, data), "data set (needed)"},
    {OPTION_TEXT, "out", "DIR", offsetof(Arguments, out),
     "folder for the runs and report.html (needed)"},
    {OPTION_CHOICE, "only", "degradation", offsetof(Arguments, only),
     "one experiment instead of all"},
    {OPTION_WHOLE, "iterations", "N", offsetof(Arguments, iterations),
     "of each training (default: the paper's 64000); the schedule is scaled along"},
    {OPTION_COUNT, "batch", "N", offsetof(Arguments, batch), "images a step (default 128)"},
    {OPTION_POSITIVE, "lr", "X", offsetof(Arguments, lr), "learning rate (default 0.1)"},
    {OPTION_COUNT, "seeds", "N", offsetof(Arguments, seeds),
     "train each network N times, with seeds 1 to N (default 1)"},
    {OPTION_COUNT, "threads", "N", offsetof(Arguments, threads),
     "default: the CPUs that are free to use; any number gives the same bits"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object: runs[{model, seed, train_top1, test_top1, train_loss, test_loss, seconds, "
     "parameters}]"},
    {.kind = OPTION_END}};

// The command as typed, words that a shell would split in quotes.
static char *command_text(int argc, char **argv) {
    size_t size = sizeof "resnet";
    for (int i = 0; i < argc; i++) {
        size += 4 * strlen(argv[i]) + 3;
    }
    char *text = malloc(size);
    if (text == NULL) {
        return NULL;
    }
    char *end = stpcpy(text, "resnet");
    for (int i = 0; i < argc; i++) {
        const char *plain =
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=./:,+";
        bool quoted = argv[i][strspn(argv[i], plain)] != '\0' || argv[i][0] == '\0';
        end = stpcpy(end, quoted ? " '" : " ");
        for (const char *at = argv[i]; *at != '\0'; at++) {
            if (*at == '\'') {
                end = stpcpy(end, "'\\''");
            } else {
                *end++ = *at;
            }
        }
        end = stpcpy(end, quoted ? "'" : "");
    }
    return text;
}

// ---- Runs of one experiment ----

static resnet_status model_parameters(const char *model, const resnet_data *data,
                                      int64_t *parameters) {
    resnet_model_options shape;
    resnet_model_options_default(&shape);
    shape.classes = resnet_data_classes(data);
    resnet_data_shape(data, &shape.channels, &shape.height, &shape.width);
    resnet_model *built = NULL;
    TRY(resnet_model_create(model, &shape, &built));
    resnet_summary summary;
    resnet_status status = resnet_model_summary(built, 1, 1, &summary);
    *parameters = summary.parameters;
    resnet_model_free(built);
    return status;
}

// Where a run lives: runs/plain20, with further seeds beside it.
static resnet_status run_prepare(Run *run, const char *model, int seed, const Arguments *arguments,
                                 const resnet_data *data) {
    *run = (Run){.model = model,
                 .settings = {.data = arguments->data,
                              .samples = resnet_data_count(data),
                              .iterations = arguments->iterations,
                              .batch = arguments->batch,
                              .lr = arguments->lr,
                              .threads = arguments->threads,
                              .seed = (uint64_t)seed}};
    char suffix[32] = "";
    if (seed > 1) {
        snprintf(suffix, sizeof suffix, "-seed%d", seed);
    }
    if (snprintf(run->folder, sizeof run->folder, "%s/runs/%s%s", arguments->out, model, suffix) >=
        (int)sizeof run->folder) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", arguments->out);
    }
    return model_parameters(model, data, &run->parameters);
}

static Outcome outcome_average(const Run *runs, int seeds) {
    Outcome outcome = {.model = runs[0].model, .parameters = runs[0].parameters, .seeds = seeds};
    for (int s = 0; s < seeds; s++) {
        outcome.train_error += (100 - runs[s].train_top1) / seeds;
        outcome.test_error += (100 - runs[s].test_top1) / seeds;
        outcome.seconds += runs[s].seconds;
    }
    for (int s = 0; s < seeds && seeds > 1; s++) {
        double train = 100 - runs[s].train_top1 - outcome.train_error;
        double test = 100 - runs[s].test_top1 - outcome.test_error;
        outcome.train_spread += train * train / (seeds - 1);
        outcome.test_spread += test * test / (seeds - 1);
    }
    outcome.train_spread = sqrt(outcome.train_spread);
    outcome.test_spread = sqrt(outcome.test_spread);
    return outcome;
}

static resnet_status finding_train(Finding *finding, const Arguments *arguments,
                                   const resnet_data *data, const volatile sig_atomic_t *stop) {
    const Experiment *experiment = finding->experiment;
    for (int r = 0; r < finding->run_count; r++) {
        TRY(run_prepare(&finding->runs[r], experiment->models[r / finding->seeds],
                        r % finding->seeds + 1, arguments, data));
    }
    for (int r = 0; r < finding->run_count; r++) {
        char label[96], seed[32] = "";
        if (finding->seeds > 1) {
            snprintf(seed, sizeof seed, " seed %d", r % finding->seeds + 1);
        }
        snprintf(label, sizeof label, "[%d/%d] %s%s", r + 1, finding->run_count,
                 model_title(finding->runs[r].model), seed);
        TRY(run_complete(&finding->runs[r], label, stop));
    }
    for (int m = 0; m < finding->models; m++) {
        finding->outcomes[m] = outcome_average(&finding->runs[m * finding->seeds], finding->seeds);
    }
    finding->verdict = experiment->judge(finding->outcomes);
    return RESNET_OK;
}

static resnet_status finding_begin(Finding *finding, const Experiment *experiment, int seeds) {
    *finding = (Finding){.experiment = experiment, .seeds = seeds};
    while (experiment->models[finding->models] != NULL) {
        finding->models++;
    }
    finding->run_count = finding->models * seeds;
    finding->runs = calloc((size_t)finding->run_count, sizeof *finding->runs);
    finding->outcomes = calloc((size_t)finding->models, sizeof *finding->outcomes);
    if (finding->runs == NULL || finding->outcomes == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for %d runs", finding->run_count);
    }
    return RESNET_OK;
}

static void finding_release(Finding *finding) {
    for (int r = 0; r < finding->run_count && finding->runs != NULL; r++) {
        run_release(&finding->runs[r]);
    }
    free(finding->runs);
    free(finding->outcomes);
}

// ---- Telling ----

static resnet_status finding_print(const Finding *finding) {
    printf("\n%s%s%s\n\n", style_begin(stdout, STYLE_BOLD), finding->experiment->title,
           style_begin(stdout, STYLE_PLAIN));
    Table *table = report_table(finding);
    resnet_status status = table_print(table, stdout);
    table_destroy(table);
    TRY(status);
    printf("\nThe paper  ");
    text_fill(finding->experiment->claim, 11, 80, stdout);
    printf("%11s", "");
    text_fill(finding->experiment->source, 11, 80, stdout);
    printf("\n%s%s.%s\n", style_begin(stdout, finding->verdict.agrees ? STYLE_GREEN : STYLE_YELLOW),
           finding->verdict.headline, style_begin(stdout, STYLE_PLAIN));
    for (int i = 0; i < finding->verdict.count; i++) {
        printf("- %s\n", finding->verdict.sentences[i]);
    }
    return RESNET_OK;
}

static resnet_status findings_json(const Finding *findings, int count) {
    json_t *list = json_array();
    for (int f = 0; f < count; f++) {
        for (int r = 0; r < findings[f].run_count; r++) {
            const Run *run = &findings[f].runs[r];
            json_array_append_new(list,
                                  json_pack("{s:s, s:I, s:o, s:o, s:o, s:o, s:f, s:I}", "model",
                                            run->model, "seed", (json_int_t)run->settings.seed,
                                            "train_top1", json_figure(run->train_top1), "test_top1",
                                            json_figure(run->test_top1), "train_loss",
                                            json_figure(run->train_loss), "test_loss",
                                            json_figure(run->test_loss), "seconds", run->seconds,
                                            "parameters", (json_int_t)run->parameters));
        }
    }
    return json_line(json_pack("{s:o}", "runs", list));
}

static resnet_status findings_tell(const Finding *findings, int count, const Arguments *arguments,
                                   const char *command) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/report.html", arguments->out) >= (int)sizeof path) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", arguments->out);
    }
    ReportFacts facts = {
        .command = command, .settings = findings[0].runs[0].settings, .seeds = arguments->seeds};
    TRY(report_write(path, findings, count, &facts));
    if (arguments->json) {
        return findings_json(findings, count);
    }
    for (int f = 0; f < count; f++) {
        TRY(finding_print(&findings[f]));
    }
    printf("\nReport with curves: %s\n", path);
    return RESNET_OK;
}

static resnet_status experiments_run(const Arguments *arguments, const resnet_data *data,
                                     const char *command) {
    enum { MOST_FINDINGS = 16 };
    Finding findings[MOST_FINDINGS];
    int count = 0;
    const volatile sig_atomic_t *stop = stop_flag_install();
    resnet_status status = RESNET_OK;
    for (int e = 0; experiment_get(e) != NULL && count < MOST_FINDINGS; e++) {
        const Experiment *experiment = experiment_get(e);
        if (arguments->only != NULL && strcmp(arguments->only, experiment->name) != 0) {
            continue;
        }
        Finding *finding = &findings[count++];
        status = finding_begin(finding, experiment, arguments->seeds);
        if (status == RESNET_OK) {
            status = finding_train(finding, arguments, data, stop);
        }
        if (status != RESNET_OK) {
            break;
        }
    }
    if (status == RESNET_OK) {
        status = findings_tell(findings, count, arguments, command);
    }
    for (int f = 0; f < count; f++) {
        finding_release(&findings[f]);
    }
    return status;
}

static resnet_status paper_run(int argc, char **argv) {
    Arguments arguments = {.iterations = 64000, .batch = 128, .lr = 0.1, .seeds = 1};
    char *command = command_text(argc, argv);
    if (command == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for the command");
    }
    char **operands;
    int count;
    resnet_data *data = NULL;
    resnet_status status = options_parse(&command_paper, argc, argv, &arguments, &operands, &count);
    if (status == RESNET_OK) {
        status = options_require(arguments.data, "--data SPEC");
    }
    if (status == RESNET_OK) {
        status = options_require(arguments.out, "--out DIR");
    }
    if (status == RESNET_OK) {
        status = resnet_data_open(arguments.data, "train", &data);
    }
    if (status == RESNET_OK) {
        status = experiments_run(&arguments, data, command);
    }
    resnet_data_free(data);
    free(command);
    return status;
}

const Command command_paper = {
    .name = "paper",
    .summary = "Repeats experiments of the paper and writes an HTML report",
    .usage = "--data SPEC --out DIR [OPTION]...",
    .details = DATA_SPEC_HELP
    "\nExperiment `degradation`: plain-20, plain-56, resnet-20, resnet-56 (section\n"
    "4.2). Interrupted or repeated, it goes on where it stopped.",
    .example = "resnet paper --data cifar10:cifar-10-batches-bin --out paper --iterations 4000",
    .options = options,
    .run = paper_run,
};
