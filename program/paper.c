// SPDX-License-Identifier: Apache-2.0
// `resnet paper`: trains what the paper's experiments need, judges them, and reports.
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/output.h"
#include "console/progress.h"
#include "paper/findings.h"

enum { MOST_FINDINGS = 16 };

typedef struct Arguments {
    CampaignOptions campaign;
    const char *scale;
    int untimed, json;
} Arguments;

#define PLACE(field) offsetof(Arguments, campaign.field)

static const Option options[] = {
    {OPTION_TEXT, "data", "SPEC", PLACE(data), "data set (needed)"},
    {OPTION_TEXT, "out", "DIR", PLACE(out),
     "folder for the runs, report.html and report.md (needed)"},
    {OPTION_TEXT, "only", "NAME,...", PLACE(only), "some experiments instead of all"},
    {OPTION_CHOICE, "scale", "quick|class|full", offsetof(Arguments, scale),
     "quick: in about ten minutes on two cores; class: in about two hours; full (default): the "
     "paper's 64,000 iterations of every network, which take days"},
    {OPTION_COUNT, "seeds", "N", PLACE(seeds),
     "train each network N times, with seeds 1 to N (default 1); more that DIR has, count too"},
    {OPTION_COUNT, "threads", "N", PLACE(threads),
     "default: the CPUs that are free to use; any number gives the same bits"},

    {OPTION_HEADING, "Instead of what the scale says", NULL, 0, NULL},
    {OPTION_CHOICE, "recipe", "paper|short|best", PLACE(recipe),
     "as in `resnet train` (class: short, else paper)"},
    {OPTION_WHOLE, "iterations", "N", PLACE(iterations),
     "of each training; the schedule is scaled along"},
    {OPTION_COUNT, "batch", "N", PLACE(batch), "images a step (128)"},
    {OPTION_POSITIVE, "lr", "X", PLACE(lr), "learning rate at its highest (quick: 0.02, else 0.1)"},

    {OPTION_HEADING, "What else to measure", NULL, 0, NULL},
    {OPTION_FLAG, "no-timing", NULL, offsetof(Arguments, untimed), "do not measure latencies"},
    {OPTION_TEXT, "weights", "FILE,...", PLACE(weights),
     "published weights whose accuracy on --images is shown in `comparison`"},
    {OPTION_TEXT, "images", "SPEC", PLACE(images), "pictures for --weights: folder: or list:"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object: experiments[{name, agrees, headline, sentences[]}], runs[{net, model, seed, "
     "train_top1, test_top1, train_loss, test_loss, seconds, parameters, macs}]"},
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

// ---- Telling ------------------------------------------------------------------------------------

static resnet_status finding_print(const Finding *finding) {
    printf("\n%s%s%s\n\n", style_begin(stdout, STYLE_BOLD), finding->title,
           style_begin(stdout, STYLE_PLAIN));
    for (int t = 0; t < finding->table_count; t++) {
        if (finding->tables[t].title != NULL) {
            printf("\n%s\n\n", finding->tables[t].title);
        }
        TRY(table_print(finding->tables[t].table, stdout));
    }
    printf("\nThe paper  ");
    text_fill(finding->claim, 11, 80, stdout);
    printf("%11s", "");
    text_fill(finding->source, 11, 80, stdout);
    printf("\n%s%s.%s\n", style_begin(stdout, finding->agrees ? STYLE_GREEN : STYLE_YELLOW),
           finding->headline, style_begin(stdout, STYLE_PLAIN));
    for (int i = 0; i < finding->sentence_count; i++) {
        printf("- ");
        text_fill(finding->sentences[i], 2, 80, stdout);
    }
    for (int i = 0; i < finding->note_count; i++) {
        printf("%s  ", style_begin(stdout, STYLE_DIM));
        text_fill(finding->notes[i], 2, 80, stdout);
        printf("%s", style_begin(stdout, STYLE_PLAIN));
    }
    return RESNET_OK;
}

static json_t *finding_json(const Finding *finding) {
    json_t *sentences = json_array();
    for (int i = 0; i < finding->sentence_count; i++) {
        json_array_append_new(sentences, json_text(finding->sentences[i]));
    }
    return json_pack("{s:s, s:b, s:s, s:o}", "name", finding->name, "agrees", finding->agrees,
                     "headline", finding->headline, "sentences", sentences);
}

static json_t *run_json(const Job *job, const Run *run) {
    return json_pack("{s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:f, s:I, s:I}", "net", job->net->key,
                     "model", run->model, "seed", (json_int_t)run->settings.seed, "train_top1",
                     json_figure(100 - run->train_error.value), "test_top1",
                     json_figure(100 - run->test_error.value), "train_loss",
                     json_figure(run->train_loss), "test_loss", json_figure(run->test_loss),
                     "seconds", run->seconds, "parameters", (json_int_t)job->cost.parameters,
                     "macs", (json_int_t)job->cost.macs);
}

static resnet_status report_json(const Report *report, const Campaign *campaign) {
    json_t *experiments = json_array(), *runs = json_array();
    for (int f = 0; f < report->finding_count; f++) {
        json_array_append_new(experiments, finding_json(&report->findings[f]));
    }
    for (int j = 0; j < campaign->count; j++) {
        for (int s = 0; s < campaign->jobs[j].seeds; s++) {
            json_array_append_new(runs, run_json(&campaign->jobs[j], &campaign->jobs[j].runs[s]));
        }
    }
    return json_line(json_pack("{s:o, s:o}", "experiments", experiments, "runs", runs));
}

static resnet_status report_tell(const Report *report, const Campaign *campaign, bool json) {
    const char *folder = campaign->options->out;
    TRY(report_write(report, folder));
    TRY(report_write_markdown(report, folder));
    if (json) {
        return report_json(report, campaign);
    }
    for (int f = 0; f < report->finding_count; f++) {
        TRY(finding_print(&report->findings[f]));
    }
    printf("\nReport with curves: %s/report.html\n", folder);
    return RESNET_OK;
}

// ---- Reporting ----------------------------------------------------------------------------------

static const char *iterations_text(const Campaign *campaign, Keep *keep) {
    int64_t least = INT64_MAX, most = 0;
    for (int j = 0; j < campaign->count; j++) {
        const int64_t iterations = campaign->jobs[j].runs[0].settings.iterations;
        least = iterations < least ? iterations : least;
        most = iterations > most ? iterations : most;
    }
    return least == most ? keep_text(keep, "%s", figure_whole(most))
                         : keep_text(keep, "%s to %s", figure_whole(least), figure_whole(most));
}

static const char *seeds_text(const Campaign *campaign, Keep *keep) {
    int least = INT_MAX, most = 0;
    for (int j = 0; j < campaign->count; j++) {
        const int seeds = campaign->jobs[j].seeds;
        least = seeds < least ? seeds : least;
        most = seeds > most ? seeds : most;
    }
    if (most <= 1) {
        return "1";
    }
    const char *all = least <= 1 ? "1" : keep_text(keep, "1 to %d", least);
    return least == most ? all : keep_text(keep, "%s; of some networks 1 to %d", all, most);
}

// The machines that trained, each once.
static const char *trained_text(const Campaign *campaign, Keep *keep) {
    const char *text = "";
    const Run *run;
    for (int i = 0; (run = campaign_run(campaign, i, NULL)) != NULL; i++) {
        if (strstr(text, run->machine) == NULL) {
            text = keep_text(keep, "%s%s%s", text, text[0] != '\0' ? "; " : "", run->machine);
        }
    }
    return text;
}

static const char *recipe_text(const Campaign *campaign, Keep *keep) {
    if (strcmp(campaign->recipe, "paper") == 0) {
        return keep_text(keep,
                         "the paper's, learning rate %g, divided by 10 at one half and three "
                         "quarters",
                         campaign->lr);
    }
    return keep_text(keep,
                     "`%s` (see resnet train), learning rate up to %g in the first quarter, then "
                     "down to 0",
                     campaign->recipe, campaign->lr);
}

// What holds for all runs.
static int facts_fill(const Campaign *campaign, Keep *keep, ReportFact *facts) {
    const CampaignOptions *asked = campaign->options;
    const ScaleFacts *scale = scale_facts(asked->scale);
    int count = 0;
    facts[count++] = (ReportFact){
        "data", keep_text(keep, "%s: %s training images; tests look at %s", asked->data,
                          figure_whole(campaign->samples), figure_whole(campaign->test_samples))};
    facts[count++] = (ReportFact){
        "training",
        keep_text(keep, "%s iterations of batch %d, the same recipe for all: %s",
                  iterations_text(campaign, keep), campaign->batch, recipe_text(campaign, keep))};
    facts[count++] = (ReportFact){"scale", keep_text(keep, "%s: %s", scale->name, scale->means)};
    facts[count++] = (ReportFact){"seeds", seeds_text(campaign, keep)};
    facts[count++] = (ReportFact){"trained on", trained_text(campaign, keep)};
    facts[count++] = (ReportFact){"program", keep_text(keep, "resnet %s", resnet_version())};
    return count;
}

static const char *machine_text(const Campaign *campaign, Keep *keep) {
    char machine[RUN_MACHINE];
    run_machine(campaign->options->threads, machine);
    return keep_text(keep, "%s (any number gives the same bits)", machine);
}

static resnet_status report_make(const Campaign *campaign, Keep *keep, const char *command,
                                 bool json) {
    Finding findings[MOST_FINDINGS];
    ReportFact facts[8];
    Report report = {.command = command, .findings = findings, .facts = facts};
    const Experiment *experiment;
    for (int e = 0; (experiment = experiment_get(e)) != NULL; e++) {
        if (experiment_wanted(experiment, campaign->options->only)) {
            TRY(finding_make(campaign, experiment, keep, &findings[report.finding_count++]));
        }
    }
    report.fact_count = facts_fill(campaign, keep, facts);
    report.machine = machine_text(campaign, keep);
    TRY(keep_check(keep));
    return report_tell(&report, campaign, json);
}

static resnet_status experiments_run(const Arguments *arguments, const char *command) {
    Campaign campaign;
    Keep keep = {0};
    resnet_status status = campaign_begin(&campaign, &arguments->campaign);
    if (status == RESNET_OK) {
        status = campaign_train(&campaign, stop_flag_install());
    }
    if (status == RESNET_OK) {
        status = campaign_measure(&campaign);
    }
    if (status == RESNET_OK) {
        status = report_make(&campaign, &keep, command, arguments->json != 0);
    }
    keep_release(&keep);
    campaign_release(&campaign);
    return status;
}

static resnet_status arguments_check(Arguments *arguments) {
    CampaignOptions *asked = &arguments->campaign;
    TRY(experiments_check(asked->only));
    TRY(options_require(asked->data, "--data SPEC"));
    TRY(options_require(asked->out, "--out DIR"));
    if ((asked->weights == NULL) != (asked->images == NULL)) {
        return failure_say(RESNET_USAGE, "--weights and --images come together");
    }
    asked->timed = !arguments->untimed;
    scale_named(arguments->scale, &asked->scale);
    return RESNET_OK;
}

static resnet_status paper_run(int argc, char **argv) {
    Arguments arguments = {.campaign = {.seeds = 1}, .scale = "full"};
    char *command = command_text(argc, argv);
    if (command == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for the command");
    }
    char **operands;
    int count;
    resnet_status status = options_parse(&command_paper, argc, argv, &arguments, &operands, &count);
    if (status == RESNET_OK) {
        status = arguments_check(&arguments);
    }
    if (status == RESNET_OK) {
        status = experiments_run(&arguments, command);
    }
    free(command);
    return status;
}

const Command command_paper = {
    .name = "paper",
    .summary = "Repeats the paper's experiments and writes an HTML report",
    .usage = "--data SPEC --out DIR [OPTION]...",
    .details = DATA_SPEC_HELP
    "\nExperiments: degradation, gradients, depth, shortcuts, bottleneck, comparison,\n"
    "responses. Networks that several of them look at are trained once. Interrupted\n"
    "or repeated, it goes on where it stopped; the report is made from the lines of\n"
    "DIR/runs/*/*.jsonl, DIR/costs.jsonl and DIR/accuracies.jsonl.",
    .example = "resnet paper --data cifar10:cifar-10-batches-bin --out paper --scale quick",
    .options = options,
    .run = paper_run,
};
