// SPDX-License-Identifier: Apache-2.0
// The report of made findings: everything that a finding has is shown, in its order, escaped, on
// the page and as text; the page is valid HTML where tidy can tell.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "console/failure.h"
#include "paper/report.h"

static const double X[] = {1, 10, 100}, Y[] = {3, 2, 1};
static const ChartSeries SERIES[] = {{.label = "a<b", .tone = 1, .x = X, .y = Y, .count = 3}};
static const ReportChart CHARTS[] = {{.name = "gradients-norms",
                                      .chart = {.title = "Norms",
                                                .x_title = "layer",
                                                .y_title = "norm",
                                                .log_x = true,
                                                .log_y = true,
                                                .series = SERIES,
                                                .series_count = 1},
                                      .caption = "Norms & layers"}};
static const char *const SENTENCES[] = {"one sentence", "3 < 4 | 5 %"};
static const char *const NOTES[] = {"a *note*"};
static const ReportRun RUNS[] = {{.name = "plain-56",
                                  .command = "resnet train --model plain56",
                                  .folder = "out/runs/plain56",
                                  .seed = 7,
                                  .seconds = 61,
                                  .weights = "0123456789abcdef"}};
static const ReportFact FACTS[] = {{"data", "one & another"}};

static Table *made_table(void) {
    static const Column columns[] = {
        {"model", false}, {"paper, %", true}, {"here, %", true}, {"difference", true}};
    Table *table = table_create(columns, 4);
    table_cell(table, "ResNet-20 |A|");
    table_cell(table, "8.75");
    table_cell(table, "%.2f", 9.5);
    table_cell(table, "+0.75");
    return table;
}

// Writes the report with two findings into a fresh folder, whose name is kept.
static int write_report(void **state) {
    static char folder[32];
    strcpy(folder, "/tmp/report-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    *state = folder;
    Table *table = made_table();
    const ReportTable tables[] = {{.title = "Table 6", .table = table, .note = "test <error>"}};
    Finding findings[2] = {{.name = "gradients",
                            .title = "Do gradients vanish?",
                            .claim = "neither <forward> nor backward signals vanish",
                            .source = "section 4.1",
                            .agrees = true,
                            .headline = "they do not vanish",
                            .sentences = SENTENCES,
                            .sentence_count = 2,
                            .charts = CHARTS,
                            .chart_count = 1,
                            .tables = tables,
                            .table_count = 1,
                            .notes = NOTES,
                            .note_count = 1,
                            .runs = RUNS,
                            .run_count = 1}};
    findings[1] = (Finding){.name = "depth",
                            .title = "Depth",
                            .claim = "claim",
                            .source = "Table 2",
                            .headline = "not in these runs"};
    const Report report = {.command = "resnet paper --out 'a b'",
                           .machine = "a machine",
                           .findings = findings,
                           .finding_count = 2,
                           .facts = FACTS,
                           .fact_count = 1};
    resnet_status status = report_write(&report, folder);
    if (status == RESNET_OK) {
        status = report_write_markdown(&report, folder);
    }
    table_destroy(table);
    return status == RESNET_OK ? 0 : -1;
}

static int remove_report(void **state) {
    char command[64];
    snprintf(command, sizeof command, "rm -r '%s'", (const char *)*state);
    return system(command);
}

static char *read_file(const char *folder, const char *name) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    const size_t room = 1 << 20;
    char *text = calloc(room, 1);
    assert_non_null(text);
    assert_in_range(fread(text, 1, room - 1, file), 1, room - 2);
    fclose(file);
    return text;
}

// Each part stands behind the one before.
static void expect_order(const char *text, const char *const *parts) {
    for (const char *at = text; *parts != NULL; parts++) {
        at = strstr(at, *parts);
        if (at == NULL) {
            fail_msg("not there, or too early: %s", *parts);
        }
    }
}

static void page(void **state) {
    char *text = read_file(*state, "report.html");
    expect_order(text, (const char *const[]){"<a href=\"#gradients\">Do gradients vanish?</a>",
                                             "✓ agrees",
                                             "they do not vanish",
                                             "<a href=\"#depth\">",
                                             "✗ differs",
                                             "not in these runs",
                                             "<section id=\"gradients\">",
                                             "neither &lt;forward&gt; nor",
                                             "section 4.1",
                                             "a&lt;b",
                                             "Norms &amp; layers",
                                             "Table 6",
                                             "<th class=\"n\">difference</th>",
                                             "<td class=\"n\">+0.75</td>",
                                             "test &lt;error&gt;",
                                             "<div class=\"verdict agrees\">",
                                             "<li>3 &lt; 4 | 5&#160;%</li>",
                                             "<p>a *note*</p>",
                                             "1 run, 1 min 01 s in all, on a machine",
                                             "plain-56</strong>, seed 7, 1 min 01 s",
                                             "<span>--model</span> <span>plain56</span>",
                                             "sha256:0123456789abcdef",
                                             "<section id=\"depth\">",
                                             "<div class=\"verdict\">",
                                             "<section id=\"networks\">",
                                             "<section id=\"again\">",
                                             "<span>--out</span> <span>'a</span> <span>b'</span>",
                                             "<dt>machine</dt>",
                                             "<dt>data</dt>",
                                             "one &amp; another",
                                             NULL});
    assert_null(strstr(text, "<script"));
    assert_true(strlen(text) < 2000000);
    free(text);
}

static void page_is_valid(void **state) {
    if (system("command -v tidy >/dev/null") != 0) {
        skip();
    }
    char command[96];
    snprintf(command, sizeof command, "tidy -quiet -errors '%s/report.html'", (const char *)*state);
    assert_int_equal(system(command), 0);
}

static void text(void **state) {
    char *text = read_file(*state, "report.md");
    expect_order(text, (const char *const[]){
                           "# Deep residual learning",
                           "- **Do gradients vanish?** ✓ agrees: they do",
                           "- **Depth** ✗ differs: ",
                           "\n## Do gradients vanish?\n",
                           "> neither \\<forward\\> nor",
                           "![Norms](figures/gradients-norms.svg)",
                           "\n### Table 6\n",
                           "| model | paper, % | here, % | difference |\n|---|---:|---:|---:|\n",
                           "| ResNet-20 \\|A\\| | 8.75 | 9.50 | +0.75 |\n",
                           "**they do not vanish**",
                           "- 3 \\< 4 \\| 5 %\n",
                           "a \\*note\\*",
                           "1 run, 1 min 01 s in all, on a machine",
                           "- **plain-56**, seed 7, 1 min 01 s",
                           "`sha256:0123456789abcdef`",
                           "\n## Depth\n",
                           "](figures/networks.svg)",
                           "- command: `resnet paper --out 'a b'`",
                           "- machine: a machine",
                           "- data: one \\& another",
                           NULL});
    free(text);
    free(read_file(*state, "figures/gradients-norms.svg"));
    free(read_file(*state, "figures/bottleneck.svg"));
}

static void no_folder(void **state) {
    (void)state;
    const Report report = {.command = "resnet paper"};
    assert_int_equal(report_write(&report, "/dev/null"), RESNET_FAILED);
    assert_string_equal(failure_sentence(), "/dev/null/report.html: cannot write: Not a directory");
    assert_int_equal(report_write_markdown(&report, "/dev/null"), RESNET_FAILED);
    assert_string_equal(failure_sentence(),
                        "/dev/null/figures: cannot make the folder: Not a directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(page),
        cmocka_unit_test(page_is_valid),
        cmocka_unit_test(text),
        cmocka_unit_test(no_folder),
    };
    return cmocka_run_group_tests(tests, write_report, remove_report);
}
