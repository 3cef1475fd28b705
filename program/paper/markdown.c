// SPDX-License-Identifier: Apache-2.0
// The report as text. Pictures are files beside it; what has a meaning in Markdown or HTML is
// escaped in all words.
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "console/failure.h"
#include "console/folder.h"
#include "paper/figures.h"
#include "paper/report.h"
#include "picture/html.h"

static void words(const Page *page, const char *text) {
    for (; *text != '\0'; text++) {
        if (strchr("\\`*_[]<>|#~&", *text) != NULL) {
            fputc('\\', page->file);
        }
        fputc(*text, page->file);
    }
}

static void paragraph(const Page *page, const char *before, const char *text, const char *after) {
    fputs(before, page->file);
    words(page, text);
    fputs(after, page->file);
}

static void picture(const Page *page, const char *name, const char *title, const char *caption) {
    paragraph(page, "![", title, "](figures/");
    fprintf(page->file, "%s.svg)\n\n", name);
    paragraph(page, "", caption, "\n\n");
}

static void table_write(const Page *page, const Table *table) {
    const int columns = table_columns(table);
    for (int c = 0; c < columns; c++) {
        paragraph(page, "| ", table_column(table, c)->title, " ");
    }
    fprintf(page->file, "|\n");
    for (int c = 0; c < columns; c++) {
        fprintf(page->file, table_column(table, c)->right ? "|---:" : "|---");
    }
    fprintf(page->file, "|\n");
    for (int r = 0; r < table_rows(table); r++) {
        for (int c = 0; c < columns; c++) {
            paragraph(page, "| ", table_at(table, r, c), " ");
        }
        fprintf(page->file, "|\n");
    }
    fprintf(page->file, "\n");
}

static void runs_write(const Page *page, const Report *report, const Finding *finding) {
    if (finding->run_count > 0) {
        paragraph(page, "### Runs\n\n", report_runs_text(report, finding), "\n\n");
    }
    for (int i = 0; i < finding->run_count; i++) {
        const ReportRun *run = &finding->runs[i];
        paragraph(page, "- **", run->name, "**");
        fprintf(page->file, ", seed %llu, %s, in `%s`: `%s`; weights `sha256:%s`\n",
                (unsigned long long)run->seed, figure_seconds(run->seconds), run->folder,
                run->command, run->weights);
    }
    fprintf(page->file, "\n");
}

static void finding_write(const Page *page, const Report *report, const Finding *finding) {
    paragraph(page, "## ", finding->title, "\n\n");
    paragraph(page, "> ", finding->claim, "\n\n");
    paragraph(page, "", finding->source, " ([arXiv 1512.03385](https://arxiv.org/abs/1512.03385))");
    fprintf(page->file, "\n\n");
    for (int i = 0; i < finding->chart_count; i++) {
        const ReportChart *chart = &finding->charts[i];
        picture(page, chart->name, chart->chart.title, chart->caption);
    }
    for (int i = 0; i < finding->table_count; i++) {
        const ReportTable *table = &finding->tables[i];
        if (table->title != NULL) {
            paragraph(page, "### ", table->title, "\n\n");
        }
        table_write(page, table->table);
        if (table->note != NULL) {
            paragraph(page, "", table->note, "\n\n");
        }
    }
    paragraph(page, "**", finding->headline, "**\n\n");
    for (int i = 0; i < finding->sentence_count; i++) {
        paragraph(page, "- ", finding->sentences[i], "\n");
    }
    fprintf(page->file, "\n");
    for (int i = 0; i < finding->note_count; i++) {
        paragraph(page, "", finding->notes[i], "\n\n");
    }
    runs_write(page, report, finding);
}

static void text_write(const Page *page, const Report *report) {
    fprintf(page->file, "# Deep residual learning, repeated\n\n");
    for (int i = 0; i < report->finding_count; i++) {
        const Finding *finding = &report->findings[i];
        paragraph(page, "- **", finding->title,
                  finding->agrees ? "** ✓ agrees: " : "** ✗ differs: ");
        paragraph(page, "", finding->headline, "\n");
    }
    fprintf(page->file, "\n");
    for (int i = 0; i < report->finding_count; i++) {
        finding_write(page, report, &report->findings[i]);
    }
    fprintf(page->file, "## The networks\n\n");
    for (int i = 0; figure_get(i) != NULL; i++) {
        const Figure *figure = figure_get(i);
        paragraph(page, "### ", figure->title, "\n\n");
        picture(page, figure->name, figure->title, figure->caption);
    }
    fprintf(page->file, "## How to get the same again\n\n- command: `%s`\n", report->command);
    if (report->machine != NULL) {
        paragraph(page, "- machine: ", report->machine, "\n");
    }
    for (int i = 0; i < report->fact_count; i++) {
        paragraph(page, "- ", report->facts[i].term, ": ");
        paragraph(page, "", report->facts[i].text, "\n");
    }
}

static resnet_status picture_path(char path[PATH_MAX], const char *folder, const char *name) {
    if (snprintf(path, PATH_MAX, "%s/figures/%s.svg", folder, name) >= PATH_MAX) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", folder);
    }
    return RESNET_OK;
}

static resnet_status pictures_save(const Report *report, const char *folder) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/figures", folder) >= PATH_MAX) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", folder);
    }
    TRY(folder_make(path));
    for (int f = 0; f < report->finding_count; f++) {
        for (int i = 0; i < report->findings[f].chart_count; i++) {
            const ReportChart *chart = &report->findings[f].charts[i];
            TRY(picture_path(path, folder, chart->name));
            TRY(chart_save(&chart->chart, path));
        }
    }
    for (int i = 0; figure_get(i) != NULL; i++) {
        TRY(picture_path(path, folder, figure_get(i)->name));
        TRY(figure_save(figure_get(i), path));
    }
    return RESNET_OK;
}

resnet_status report_write_markdown(const Report *report, const char *folder) {
    TRY(pictures_save(report, folder));
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/report.md", folder) >= (int)sizeof path) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", folder);
    }
    Page page;
    TRY(page_open_bare(&page, path));
    text_write(&page, report);
    return page_close_bare(&page);
}
