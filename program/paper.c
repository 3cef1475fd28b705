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
#include "trial.h"

enum { MOST_TRIALS = 16 };

typedef struct Arguments {
    const char *data, *out, *only;
    int64_t iterations;
    double lr;
    int batch, seeds, threads, json;
} Arguments;

static const Option options[] = {
    {OPTION_TEXT, "data", "SPEC", offsetof(Arguments, data), "data set (needed)"},
    {OPTION_TEXT, "out", "DIR", offsetof(Arguments, out),
     "folder for the runs, report.html and report.md (needed)"},
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

static resnet_status trial_train(Trial *trial, const Arguments *arguments, const resnet_data *data,
                                 const volatile sig_atomic_t *stop) {
    const Experiment *experiment = trial->experiment;
    for (int r = 0; r < trial->run_count; r++) {
        TRY(run_prepare(&trial->runs[r], experiment->models[r / trial->seeds], r % trial->seeds + 1,
                        arguments, data));
    }
    for (int r = 0; r < trial->run_count; r++) {
        char label[96], seed[32] = "";
        if (trial->seeds > 1) {
            snprintf(seed, sizeof seed, " seed %d", r % trial->seeds + 1);
        }
        snprintf(label, sizeof label, "[%d/%d] %s%s", r + 1, trial->run_count,
                 model_title(trial->runs[r].model), seed);
        TRY(run_complete(&trial->runs[r], label, stop));
    }
    for (int m = 0; m < trial->models; m++) {
        trial->outcomes[m] = outcome_average(&trial->runs[m * trial->seeds], trial->seeds);
    }
    trial->verdict = experiment->judge(trial->outcomes);
    return RESNET_OK;
}

static resnet_status trial_begin(Trial *trial, const Experiment *experiment, int seeds) {
    *trial = (Trial){.experiment = experiment, .seeds = seeds};
    while (experiment->models[trial->models] != NULL) {
        trial->models++;
    }
    trial->run_count = trial->models * seeds;
    trial->runs = calloc((size_t)trial->run_count, sizeof *trial->runs);
    trial->outcomes = calloc((size_t)trial->models, sizeof *trial->outcomes);
    if (trial->runs == NULL || trial->outcomes == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for %d runs", trial->run_count);
    }
    return RESNET_OK;
}

static void trial_release(Trial *trial) {
    for (int r = 0; r < trial->run_count && trial->runs != NULL; r++) {
        run_release(&trial->runs[r]);
    }
    free(trial->runs);
    free(trial->outcomes);
}

// ---- Telling ----

static resnet_status trial_print(const Trial *trial) {
    printf("\n%s%s%s\n\n", style_begin(stdout, STYLE_BOLD), trial->experiment->title,
           style_begin(stdout, STYLE_PLAIN));
    Table *table = trial_table(trial);
    resnet_status status = table_print(table, stdout);
    table_destroy(table);
    TRY(status);
    printf("\nThe paper  ");
    text_fill(trial->experiment->claim, 11, 80, stdout);
    printf("%11s", "");
    text_fill(trial->experiment->source, 11, 80, stdout);
    printf("\n%s%s.%s\n", style_begin(stdout, trial->verdict.agrees ? STYLE_GREEN : STYLE_YELLOW),
           trial->verdict.headline, style_begin(stdout, STYLE_PLAIN));
    for (int i = 0; i < trial->verdict.count; i++) {
        printf("- %s\n", trial->verdict.sentences[i]);
    }
    return RESNET_OK;
}

static resnet_status trials_json(const Trial *trials, int count) {
    json_t *list = json_array();
    for (int f = 0; f < count; f++) {
        for (int r = 0; r < trials[f].run_count; r++) {
            const Run *run = &trials[f].runs[r];
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

// Facts that hold for all runs, in buffers of the caller.
typedef struct Facts {
    char training[200], seeds[48], machine[200], program[48];
} Facts;

static void facts_fill(const Arguments *arguments, Facts *facts) {
    snprintf(
        facts->training, sizeof facts->training,
        "the paper's recipe, %s iterations of batch %d, learning rate %g, divided by 10 at one "
        "half and three quarters",
        figure_whole(arguments->iterations), arguments->batch, arguments->lr);
    if (arguments->seeds > 1) {
        snprintf(facts->seeds, sizeof facts->seeds, "1 to %d", arguments->seeds);
    } else {
        snprintf(facts->seeds, sizeof facts->seeds, "1");
    }
    const int threads = arguments->threads > 0 ? arguments->threads : resnet_cpu_count();
    snprintf(facts->machine, sizeof facts->machine,
             "%s, %s, %d thread%s (any number gives the same bits)", resnet_cpu_name(),
             resnet_isa(), threads, threads == 1 ? "" : "s");
    snprintf(facts->program, sizeof facts->program, "resnet %s", resnet_version());
}

static resnet_status report_make(const Finding *findings, int count, const Arguments *arguments,
                                 const char *command) {
    Facts texts;
    facts_fill(arguments, &texts);
    const ReportFact facts[] = {{"data", arguments->data},
                                {"training", texts.training},
                                {arguments->seeds > 1 ? "seeds" : "seed", texts.seeds},
                                {"program", texts.program}};
    const Report report = {.command = command,
                           .machine = texts.machine,
                           .findings = findings,
                           .finding_count = count,
                           .facts = facts,
                           .fact_count = sizeof facts / sizeof facts[0]};
    TRY(report_write(&report, arguments->out));
    return report_write_markdown(&report, arguments->out);
}

static resnet_status trials_report(const Trial *trials, int count, const Arguments *arguments,
                                   const char *command) {
    Presentation presentations[MOST_TRIALS];
    Finding findings[MOST_TRIALS];
    memset(presentations, 0, sizeof presentations);
    resnet_status status = RESNET_OK;
    for (int t = 0; t < count && status == RESNET_OK; t++) {
        status = trial_present(&trials[t], &presentations[t]);
        findings[t] = presentations[t].finding;
    }
    if (status == RESNET_OK) {
        status = report_make(findings, count, arguments, command);
    }
    for (int t = 0; t < count; t++) {
        presentation_release(&presentations[t]);
    }
    return status;
}

static resnet_status trials_tell(const Trial *trials, int count, const Arguments *arguments,
                                 const char *command) {
    TRY(trials_report(trials, count, arguments, command));
    if (arguments->json) {
        return trials_json(trials, count);
    }
    for (int t = 0; t < count; t++) {
        TRY(trial_print(&trials[t]));
    }
    printf("\nReport with curves: %s/report.html\n", arguments->out);
    return RESNET_OK;
}

static resnet_status experiments_run(const Arguments *arguments, const resnet_data *data,
                                     const char *command) {
    Trial trials[MOST_TRIALS];
    int count = 0;
    const volatile sig_atomic_t *stop = stop_flag_install();
    resnet_status status = RESNET_OK;
    for (int e = 0; experiment_get(e) != NULL && count < MOST_TRIALS; e++) {
        const Experiment *experiment = experiment_get(e);
        if (arguments->only != NULL && strcmp(arguments->only, experiment->name) != 0) {
            continue;
        }
        Trial *trial = &trials[count++];
        status = trial_begin(trial, experiment, arguments->seeds);
        if (status == RESNET_OK) {
            status = trial_train(trial, arguments, data, stop);
        }
        if (status != RESNET_OK) {
            break;
        }
    }
    if (status == RESNET_OK) {
        status = trials_tell(trials, count, arguments, command);
    }
    for (int f = 0; f < count; f++) {
        trial_release(&trials[f]);
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
