// SPDX-License-Identifier: Apache-2.0
// Tables of results: ours and the paper's.
#include <math.h>
#include <string.h>

#include "paper/draft.h"
#include "paper/judges.h"
#include "paper/neighbours.h"

static const char *const NOTHING = "–";

static void error_cell(Table *table, Measured error) {
    table_cell(table, "%.2f ± %.2f %%", error.value, error.error);
}

static void paper_cell(Table *table, double figure, const char *unit) {
    if (figure > 0) {
        table_cell(table, "%.2f %s", figure, unit);
    } else {
        table_cell(table, "%s", NOTHING);
    }
}

static void latency_cell(Table *table, double latency) {
    if (isfinite(latency)) {
        table_cell(table, "%.2f ms", latency);
    } else {
        table_cell(table, "%s", NOTHING);
    }
}

// ---- Networks that were trained -----------------------------------------------------------------

static void signal_cells(Table *table, const Outcome *outcome) {
    const SignalLine *last = signals_last(outcome->signals);
    if (last == NULL) {
        for (int i = 0; i < 3; i++) {
            table_cell(table, "%s", NOTHING);
        }
        return;
    }
    const Extent gradients = extent_of(last->gradients, last->gradient_count);
    const Extent responses = extent_of(last->responses, last->response_count);
    table_cell(table, "%.3g ... %.3g", gradients.least, gradients.most);
    table_cell(table, "%.3f ... %.3f", responses.least, responses.most);
    table_cell(table, "%.3f", responses.mean);
}

static void paper_cells(Table *table, const Draft *draft, int index) {
    const double paper = draft->paper[index];
    paper_cell(table, paper, "%");
    if (paper > 0) {
        table_cell(table, "%+.2f", draft->outcomes[index]->test.value - paper);
    } else {
        table_cell(table, "%s", NOTHING);
    }
}

static Table *results_begin(const Draft *draft) {
    const unsigned parts = draft->experiment->parts;
    Column columns[12] = {{"network", false},       {"layers", true},     {"parameters", true},
                          {"training error", true}, {"test error", true}, {"seconds", true}};
    int count = 6;
    if (parts & (PART_GRADIENTS | PART_RESPONSES)) {
        columns[count++] = (Column){"norms of gradients", true};
        columns[count++] = (Column){"deviations of responses", true};
        columns[count++] = (Column){"their mean", true};
    }
    if (parts & PART_COSTS) {
        columns[count++] = (Column){"multiply-adds", true};
        columns[count++] = (Column){"latency", true};
    }
    if (draft->experiment->paper_column != NULL) {
        columns[count++] = (Column){draft->experiment->paper_column, true};
        columns[count++] = (Column){"difference, points", true};
    }
    return keep_table(draft->keep, columns, count);
}

void draft_results(Draft *draft) {
    const unsigned parts = draft->experiment->parts;
    Table *table = results_begin(draft);
    for (int i = 0; i < draft->count; i++) {
        const Outcome *outcome = draft->outcomes[i];
        table_cell(table, "%s", outcome->net->title);
        table_cell(table, "%d", outcome->net->layers);
        table_cell(table, "%s", figure_whole(outcome->cost.parameters));
        error_cell(table, outcome->train);
        error_cell(table, outcome->test);
        table_cell(table, "%s", figure_whole((int64_t)(outcome->seconds + 0.5)));
        if (parts & (PART_GRADIENTS | PART_RESPONSES)) {
            signal_cells(table, outcome);
        }
        if (parts & PART_COSTS) {
            table_cell(table, "%s", figure_macs(outcome->cost.macs));
            latency_cell(table, outcome->cost.latency);
        }
        if (draft->experiment->paper_column != NULL) {
            paper_cells(table, draft, i);
        }
    }
    draft_table(draft, (ReportTable){
                           .table = table,
                           .note = "Training error: average over the last fifth of the iterations, "
                                   "with augmentation. After ±: one standard error."});
}

// ---- ImageNet nets ------------------------------------------------------------------------------

// The last of the given files that has this net; NULL: there is none.
static const Accuracy *accuracy_of(const Accuracy *accuracies, int count,
                                   const Neighbour *neighbour) {
    const Accuracy *found = NULL;
    for (int i = 0; i < count; i++) {
        const bool same = strcmp(accuracies[i].model, neighbour->model) == 0 &&
                          (neighbour->shortcut == NULL ||
                           strcmp(accuracies[i].shortcut, neighbour->shortcut) == 0);
        found = same ? &accuracies[i] : found;
    }
    return found;
}

static void ours_cells(Table *table, const Accuracy *accuracy) {
    if (accuracy != NULL) {
        table_cell(table, "%.2f %%", accuracy->top1_error);
        table_cell(table, "%.2f %%", accuracy->top5_error);
    } else {
        table_cell(table, "%s", NOTHING);
        table_cell(table, "%s", NOTHING);
    }
}

static resnet_status neighbour_cells(const Draft *draft, const Neighbour *neighbour,
                                     const Accuracy *accuracies, int count, Table *table) {
    const CampaignOptions *options = draft->campaign->options;
    const CostSubject subject = {.model = neighbour->model, .shortcut = neighbour->shortcut};
    char path[PATH_MAX];
    Cost cost;
    resnet_status status = campaign_path(options, "costs.jsonl", path);
    if (status == RESNET_OK) {
        status = cost_get(path, &subject, options->threads, options->timed, &cost);
    }
    if (status != RESNET_OK) {
        return status;
    }
    table_cell(table, "%s", neighbour->title);
    table_cell(table, "%s", figure_whole(cost.parameters));
    table_cell(table, "%s", figure_macs(cost.macs));
    paper_cell(table, neighbour->gigamacs, "G");
    latency_cell(table, cost.latency);
    paper_cell(table, neighbour->top1_crops, "%");
    paper_cell(table, neighbour->top5_crops, "%");
    paper_cell(table, neighbour->top1_single, "%");
    paper_cell(table, neighbour->top5_single, "%");
    if (options->weights != NULL) {
        ours_cells(table, accuracy_of(accuracies, count, neighbour));
    }
    return RESNET_OK;
}

static void accuracies_note(Draft *draft, const Accuracy *accuracies, int count) {
    for (int i = 0; i < count; i++) {
        draft_note(draft, keep_text(draft->keep,
                                    "%s is %s: top-1 error %.2f %%, top-5 error %.2f %% on %d "
                                    "images of %s, one crop.",
                                    accuracies[i].weights, accuracies[i].model,
                                    accuracies[i].top1_error, accuracies[i].top5_error,
                                    accuracies[i].samples, draft->campaign->options->images));
    }
}

resnet_status draft_neighbours(Draft *draft) {
    static const Column columns[] = {{"network", false},           {"parameters", true},
                                     {"multiply-adds", true},      {"paper's", true},
                                     {"latency here", true},       {"top-1, 10 crops", true},
                                     {"top-5, 10 crops", true},    {"top-1, best single", true},
                                     {"top-5, best single", true}, {"top-1 of --weights", true},
                                     {"top-5 of --weights", true}};
    Accuracy accuracies[MOST_WEIGHTS];
    int count = 0;
    resnet_status status = accuracies_get(draft->campaign->options, accuracies, &count);
    Table *table = keep_table(draft->keep, columns, draft->campaign->options->weights ? 11 : 9);
    const Neighbour *neighbour;
    for (int n = 0; (neighbour = neighbour_get(n)) != NULL && status == RESNET_OK; n++) {
        status = neighbour_cells(draft, neighbour, accuracies, count, table);
    }
    draft_table(draft, (ReportTable){
                           .title = "The nets for 224×224 images",
                           .table = table,
                           .note = "Parameters and multiply-adds are exact, latency is the median "
                                   "for one image on this machine. Errors are the paper's, of the "
                                   "ImageNet validation set (Tables 3 and 4); it has none for "
                                   "AlexNet and SE-resnet-50."});
    accuracies_note(draft, accuracies, count);
    return status;
}
