// SPDX-License-Identifier: Apache-2.0
// The page begins with all verdicts. Each experiment then goes in the order of a reader's
// questions: what the paper says, the picture, the figures, whether they agree, how to get the same
// again.
#include "paper/report.h"

#include <limits.h>
#include <stdio.h>

#include "console/failure.h"
#include "paper/figures.h"
#include "picture/drawing.h"
#include "picture/html.h"

static const char TITLE[] = "Deep residual learning, repeated";
static const char PAPER[] = "https://arxiv.org/abs/1512.03385";

static void mark_write(const Finding *finding, Page *page) {
    fprintf(page->file, "<span class=\"%s\">%s</span>\n", finding->agrees ? "yes" : "no",
            finding->agrees ? "✓ agrees" : "✗ differs");
}

static void contents_write(const Report *report, Page *page) {
    fprintf(page->file, "<nav aria-label=\"Contents\">\n<ol>\n");
    for (int i = 0; i < report->finding_count; i++) {
        const Finding *finding = &report->findings[i];
        fprintf(page->file, "<li><a href=\"#%s\">", finding->name);
        html_escape(page->file, finding->title);
        fprintf(page->file, "</a>\n");
        mark_write(finding, page);
        fprintf(page->file, "<br>");
        html_escape(page->file, finding->headline);
        fprintf(page->file, "</li>\n");
    }
    fprintf(page->file,
            "<li><a href=\"#networks\">The networks</a><br>Blocks and whole nets, drawn "
            "from their layers</li>\n<li><a href=\"#again\">How to get the same "
            "again</a></li>\n</ol>\n</nav>\n");
}

// ---- An experiment ------------------------------------------------------------------------------

static void chart_section(const ReportChart *chart, Page *page) {
    fprintf(page->file, "<figure>\n");
    chart_write(&chart->chart, page->file);
    page_element(page, "figcaption", chart->caption);
    fprintf(page->file, "</figure>\n");
}

static void table_section(const ReportTable *table, Page *page) {
    if (table->title != NULL) {
        page_element(page, "h3", table->title);
    }
    page_table(page, table->table);
    if (table->note != NULL) {
        fprintf(page->file, "<p class=\"soft\">");
        html_escape(page->file, table->note);
        fprintf(page->file, "</p>\n");
    }
}

static void verdict_section(const Finding *finding, Page *page) {
    fprintf(page->file, "<div class=\"verdict%s\">\n", finding->agrees ? " agrees" : "");
    page_element(page, "p", finding->headline);
    if (finding->sentence_count > 0) {
        fprintf(page->file, "<ul>\n");
        for (int i = 0; i < finding->sentence_count; i++) {
            page_element(page, "li", finding->sentences[i]);
        }
        fprintf(page->file, "</ul>\n");
    }
    fprintf(page->file, "</div>\n");
}

const char *report_runs_text(const Report *report, const Finding *finding) {
    static char text[320];
    double seconds = 0;
    for (int i = 0; i < finding->run_count; i++) {
        seconds += finding->runs[i].seconds;
    }
    snprintf(text, sizeof text, "%d run%s, %s in all%s%s", finding->run_count,
             finding->run_count == 1 ? "" : "s", figure_seconds(seconds),
             report->machine != NULL ? ", on " : "",
             report->machine != NULL ? report->machine : "");
    return text;
}

static void runs_section(const Report *report, const Finding *finding, Page *page) {
    if (finding->run_count == 0) {
        return;
    }
    page_element(page, "h3", "Runs");
    page_element(page, "p", report_runs_text(report, finding));
    fprintf(page->file, "<ul class=\"runs\">\n");
    for (int i = 0; i < finding->run_count; i++) {
        const ReportRun *run = &finding->runs[i];
        fprintf(page->file, "<li><strong>");
        html_escape(page->file, run->name);
        fprintf(page->file, "</strong>, seed %llu, %s, in <code>", (unsigned long long)run->seed,
                figure_seconds(run->seconds));
        html_escape(page->file, run->folder);
        fprintf(page->file, "</code><br>");
        page_command(page, run->command);
        fprintf(page->file,
                "<br><span class=\"soft\">weights <code>sha256:%s</code></span>"
                "</li>\n",
                run->weights);
    }
    fprintf(page->file, "</ul>\n");
}

static void finding_write(const Report *report, const Finding *finding, Page *page) {
    fprintf(page->file, "<section id=\"%s\">\n", finding->name);
    page_element(page, "h2", finding->title);
    page_element(page, "blockquote", finding->claim);
    fprintf(page->file, "<p class=\"soft\">");
    html_escape(page->file, finding->source);
    fprintf(page->file, " (<a href=\"%s\">arXiv 1512.03385</a>)</p>\n", PAPER);
    for (int i = 0; i < finding->chart_count; i++) {
        chart_section(&finding->charts[i], page);
    }
    for (int i = 0; i < finding->table_count; i++) {
        table_section(&finding->tables[i], page);
    }
    verdict_section(finding, page);
    for (int i = 0; i < finding->note_count; i++) {
        page_element(page, "p", finding->notes[i]);
    }
    runs_section(report, finding, page);
    fprintf(page->file, "</section>\n");
}

// ---- The page -----------------------------------------------------------------------------------

static resnet_status networks_write(Page *page) {
    fprintf(page->file, "<section id=\"networks\">\n");
    page_element(page, "h2", "The networks");
    for (int i = 0; figure_get(i) != NULL; i++) {
        TRY(figure_write(figure_get(i), page));
    }
    fprintf(page->file, "</section>\n");
    return RESNET_OK;
}

static void facts_write(const Report *report, Page *page) {
    fprintf(page->file, "<section id=\"again\">\n");
    page_element(page, "h2", "How to get the same again");
    fprintf(page->file, "<dl>\n<dt>command</dt><dd>");
    page_command(page, report->command);
    fprintf(page->file, "</dd>\n");
    if (report->machine != NULL) {
        page_pair(page, "machine", report->machine);
    }
    for (int i = 0; i < report->fact_count; i++) {
        page_pair(page, report->facts[i].term, report->facts[i].text);
    }
    fprintf(page->file, "</dl>\n</section>\n");
}

static resnet_status body_write(const Report *report, Page *page) {
    page_element(page, "h1", TITLE);
    fprintf(page->file,
            "<p class=\"soft\">Experiments of He, Zhang, Ren, Sun: <a href=\"%s\">Deep Residual "
            "Learning for Image Recognition</a>, with verdicts that are computed from these runs"
            "</p>\n",
            PAPER);
    contents_write(report, page);
    for (int i = 0; i < report->finding_count; i++) {
        finding_write(report, &report->findings[i], page);
    }
    TRY(networks_write(page));
    facts_write(report, page);
    return RESNET_OK;
}

resnet_status report_write(const Report *report, const char *folder) {
    const char *const styles[] = {chart_style, drawing_style, NULL};
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/report.html", folder) >= (int)sizeof path) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", folder);
    }
    Page page;
    TRY(page_open(&page, path, TITLE, styles));
    resnet_status status = body_write(report, &page);
    if (status != RESNET_OK) {
        page_abandon(&page);
        return status;
    }
    return page_close(&page);
}
