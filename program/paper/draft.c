// SPDX-License-Identifier: Apache-2.0
#include "paper/draft.h"

#include <string.h>

void draft_chart(Draft *draft, ReportChart chart) {
    if (draft->chart_count < MOST_CHARTS) {
        draft->charts[draft->chart_count++] = chart;
    }
}

void draft_table(Draft *draft, ReportTable table) {
    if (draft->table_count < MOST_TABLES) {
        draft->tables[draft->table_count++] = table;
    }
}

void draft_note(Draft *draft, const char *note) {
    if (draft->note_count < MOST_NOTES) {
        draft->notes[draft->note_count++] = note;
    }
}

static ChartFamily family_of(const Net *net) {
    const bool residual =
        strncmp(net->key, "resnet", 6) == 0 || strncmp(net->key, "bottleneck", 10) == 0;
    return strncmp(net->key, "plain", 5) == 0 ? CHART_WARM : residual ? CHART_COOL : CHART_OTHER;
}

int draft_tone(const Draft *draft, int index, bool *strong) {
    const ChartFamily family = family_of(draft->outcomes[index]->net);
    int members = 0, before = 0;
    for (int i = 0; i < draft->count; i++) {
        const bool same = family_of(draft->outcomes[i]->net) == family;
        members += same;
        before += same && i < index;
    }
    *strong = before % 2 == 1;
    return chart_tone(family, members == 2 ? 2 * before : before); // two stand further apart
}

size_t draft_run_count(const Draft *draft) {
    size_t count = 0;
    for (int i = 0; i < draft->count; i++) {
        count += (size_t)draft->outcomes[i]->seeds;
    }
    return count;
}
