// SPDX-License-Identifier: Apache-2.0
#include "paper/findings.h"

#include <stdio.h>
#include <string.h>

#include "console/failure.h"
#include "paper/draft.h"

// ---- Outcomes -----------------------------------------------------------------------------------

static void draft_outcomes(Draft *draft) {
    const Outcomes all = {draft->campaign->outcomes, draft->campaign->count};
    char missing[256] = "";
    size_t end = 0;
    for (int i = 0; i < MOST_ENTRIES && draft->experiment->entries[i].net != NULL; i++) {
        const Entry *entry = &draft->experiment->entries[i];
        const Outcome *outcome = outcomes_find(&all, entry->net);
        if (outcome != NULL) {
            draft->paper[draft->count] = entry->paper;
            draft->outcomes[draft->count++] = outcome;
        } else if (end < sizeof missing) {
            end += (size_t)snprintf(missing + end, sizeof missing - end, "%s%s",
                                    end > 0 ? ", " : "", net_named(entry->net)->title);
        }
    }
    if (end > 0) {
        draft_note(draft, keep_text(draft->keep, "Left out at the scale %s: %s.",
                                    scale_facts(draft->campaign->options->scale)->name, missing));
    }
}

static resnet_status draft_judge(Draft *draft) {
    Outcome *list = keep_take(draft->keep, MOST_ENTRIES, sizeof *list);
    draft->verdict = keep_take(draft->keep, 1, sizeof *draft->verdict);
    TRY(keep_check(draft->keep));
    for (int i = 0; i < draft->count; i++) {
        list[i] = *draft->outcomes[i];
    }
    const Outcomes outcomes = {list, draft->count};
    draft->experiment->judge(&outcomes, draft->verdict);
    return RESNET_OK;
}

static void draft_general_notes(Draft *draft) {
    const char *several = "";
    bool single = false;
    for (int i = 0; i < draft->count; i++) {
        const Outcome *outcome = draft->outcomes[i];
        if (outcome->seeds > 1) {
            several = keep_text(draft->keep, "%s%s%s over %d", several, several[0] ? ", " : "",
                                outcome->net->title, outcome->seeds);
        } else {
            single = true;
        }
    }
    if (several[0] != '\0') {
        draft_note(
            draft,
            keep_text(draft->keep,
                      "Means over seeds: %s seeds. Their standard errors come from how the seeds "
                      "differ, or from those of single runs where these are larger.",
                      several));
    }
    if (single) {
        draft_note(draft, "One seed: the standard error of a test error is binomial, that of a "
                          "training error comes from the windows of the last fifth of the "
                          "iterations. Both leave out how another seed would fare; --seeds 2 and "
                          "more measure that.");
    }
    if (draft->experiment->paper_note != NULL) {
        draft_note(draft, draft->experiment->paper_note);
    }
}

// ---- Runs ---------------------------------------------------------------------------------------

// The training alone. How often it tests changes no weights.
static const char *run_command(Keep *keep, const Run *run) {
    const RunSettings *settings = &run->settings;
    const char *shortcut =
        run->shortcut != NULL ? keep_text(keep, " --shortcut %s", run->shortcut) : "";
    return keep_text(keep,
                     "resnet train --model %s%s --data %s --recipe %s --iterations %lld "
                     "--batch %d --lr %g --seed %llu --test-samples %d --out DIR",
                     run->model, shortcut, settings->data, settings->recipe,
                     (long long)settings->iterations, settings->batch, settings->lr,
                     (unsigned long long)settings->seed, settings->test_samples);
}

static ReportRun run_present(Keep *keep, const Net *net, const Run *run) {
    return (ReportRun){.name = net->title,
                       .command = run_command(keep, run),
                       .folder = run->folder,
                       .seed = run->settings.seed,
                       .seconds = run->seconds,
                       .weights = run->weights};
}

static resnet_status draft_runs(const Draft *draft, Finding *out) {
    const Campaign *campaign = draft->campaign;
    ReportRun *runs = keep_take(draft->keep, draft_run_count(draft) + 1, sizeof *runs);
    TRY(keep_check(draft->keep));
    for (int i = 0; i < draft->count; i++) {
        const Job *job = &campaign->jobs[draft->outcomes[i] - campaign->outcomes];
        for (int s = 0; s < job->seeds; s++) {
            runs[out->run_count++] = run_present(draft->keep, job->net, &job->runs[s]);
        }
    }
    out->runs = runs;
    return RESNET_OK;
}

// ---- All ----------------------------------------------------------------------------------------

static resnet_status draft_parts(Draft *draft) {
    const unsigned parts = draft->experiment->parts;
    if (parts & PART_ERRORS) {
        draft_error_curves(draft);
    }
    if (parts & PART_GRADIENTS) {
        draft_gradient_charts(draft);
    }
    if (parts & PART_RESPONSES) {
        draft_response_charts(draft);
    }
    if (parts & PART_COSTS) {
        draft_error_costs(draft);
    }
    draft_results(draft);
    return parts & PART_NEIGHBOURS ? draft_neighbours(draft) : RESNET_OK;
}

static resnet_status draft_finish(const Draft *draft, Finding *out) {
    const Experiment *experiment = draft->experiment;
    const char **sentences = keep_take(draft->keep, VERDICT_SENTENCES, sizeof *sentences);
    TRY(keep_check(draft->keep));
    for (int i = 0; i < draft->verdict->count; i++) {
        sentences[i] = draft->verdict->sentences[i];
    }
    *out = (Finding){.name = experiment->name,
                     .title = experiment->title,
                     .claim = experiment->claim,
                     .source = experiment->source,
                     .agrees = draft->verdict->agrees,
                     .headline = draft->verdict->headline,
                     .sentences = sentences,
                     .sentence_count = draft->verdict->count,
                     .charts = draft->charts,
                     .chart_count = draft->chart_count,
                     .tables = draft->tables,
                     .table_count = draft->table_count,
                     .notes = draft->notes,
                     .note_count = draft->note_count};
    return draft_runs(draft, out);
}

resnet_status finding_make(const Campaign *campaign, const Experiment *experiment, Keep *keep,
                           Finding *out) {
    Draft *draft = keep_take(keep, 1, sizeof *draft);
    TRY(keep_check(keep));
    draft->campaign = campaign;
    draft->experiment = experiment;
    draft->keep = keep;
    draft_outcomes(draft);
    TRY(draft_judge(draft));
    TRY(draft_parts(draft));
    draft_general_notes(draft);
    TRY(draft_finish(draft, out));
    return keep_check(keep);
}
