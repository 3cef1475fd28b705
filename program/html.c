// SPDX-License-Identifier: Apache-2.0
// The page's frame and its style. Colours are variables, so that dark mode changes one block;
// series of charts have classes s0 … s7 (pairs: a lighter and a stronger tone of one hue).
#include "html.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "failure.h"

static const char page_style[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;"
    "--card:#f5f7f9;--good:#1a7f37;--bad:#a15c00;"
    "--s0:#b7791f;--s1:#b91c1c;--s2:#0e8bab;--s3:#1e40af;"
    "--s4:#4d9a3a;--s5:#166534;--s6:#a35fc4;--s7:#6b21a8}\n"
    "@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e8ebee;--soft:#a0a9b2;"
    "--line:#363c43;--card:#1d2125;--good:#4fc36b;--bad:#e0a04a;"
    "--s0:#e0a94f;--s1:#ff7b72;--s2:#4fc3de;--s3:#8fb0ff;"
    "--s4:#8fd17c;--s5:#46b06a;--s6:#cf9be6;--s7:#b57bee}}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 3rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0}h2{font-size:1.15rem;margin:2rem 0 "
    ".5rem}\n"
    "p{margin:.5rem 0}.soft,figcaption{color:var(--soft)}\n"
    ".verdict{background:var(--card);border-left:4px solid var(--bad);border-radius:4px;"
    "padding:.75rem 1rem;margin:1rem 0}.verdict.agrees{border-color:var(--good)}\n"
    ".verdict ul{margin:.25rem 0 0;padding-left:1.2rem}\n"
    "blockquote{margin:.75rem 0;padding:0 1rem;border-left:4px solid var(--line)}\n"
    "figure{margin:1rem 0}figcaption{font-size:.9rem}\n"
    ".scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.3rem .75rem;text-align:left;white-space:nowrap;"
    "border-bottom:1px solid var(--line)}th{font-weight:600}.n{text-align:right}\n"
    "th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}\n"
    "dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.3rem 1rem;margin:0}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}code{font-size:.9em}\n"
    ".legend{display:flex;flex-wrap:wrap;gap:.1rem 1.2rem;font-size:.9rem;margin:.25rem 0}\n"
    ".legend span{white-space:nowrap}.legend svg{vertical-align:middle;margin-right:.35rem}\n"
    "svg text{font:13px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif;"
    "fill:var(--ink)}\n"
    "svg .tick{fill:var(--soft)}svg .grid{stroke:var(--line);stroke-width:1}\n"
    "svg .curve{fill:none;stroke-width:1.75;stroke-linejoin:round;stroke-linecap:round}\n"
    "svg .strong{stroke-width:3}svg .dashed{stroke-dasharray:2 5}svg .dot{stroke-width:2;"
    "fill:var(--paper)}\n"
    ".s-1{stroke:var(--soft)}.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{"
    "stroke:var(--s3)}"
    ".s4{stroke:var(--s4)}.s5{stroke:var(--s5)}.s6{stroke:var(--s6)}.s7{stroke:var(--s7)}\n"
    "svg.chart{display:block;width:100%;height:auto}svg.narrow{display:none}\n"
    "@media (max-width:40rem){svg.wide{display:none}svg.narrow{display:block}"
    "body{padding:1rem .75rem}th,td{padding:.3rem .15rem;font-size:.75rem}"
    "th{white-space:normal;vertical-align:bottom}h1{font-size:1.35rem}"
    "dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}}\n";

void html_escape(FILE *file, const char *text) {
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", file);
            break;
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        default:
            fputc(*text, file);
        }
    }
}

resnet_status page_open_bare(Page *page, const char *path) {
    if (snprintf(page->path, PATH_MAX, "%s", path) >= PATH_MAX ||
        snprintf(page->partial, PATH_MAX, "%s.partial", path) >= PATH_MAX) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", path);
    }
    page->file = fopen(page->partial, "w");
    if (page->file == NULL) {
        return failure_say(RESNET_FAILED, "%s: cannot write: %s", path, strerror(errno));
    }
    return RESNET_OK;
}

resnet_status page_open(Page *page, const char *path, const char *title) {
    TRY(page_open_bare(page, path));
    fprintf(page->file,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    page_element(page, "title", title);
    fprintf(page->file, "<style>\n%s</style>\n</head>\n<body>\n", page_style);
    return RESNET_OK;
}

resnet_status page_close_bare(Page *page) {
    bool written = fflush(page->file) == 0 && fsync(fileno(page->file)) == 0;
    written = fclose(page->file) == 0 && written;
    if (!written || rename(page->partial, page->path) != 0) {
        int reason = errno;
        remove(page->partial);
        return failure_say(RESNET_FAILED, "%s: cannot write: %s", page->path, strerror(reason));
    }
    return RESNET_OK;
}

resnet_status page_close(Page *page) {
    fprintf(page->file, "</body>\n</html>\n");
    return page_close_bare(page);
}

void page_abandon(Page *page) {
    fclose(page->file);
    remove(page->partial);
}

void page_element(Page *page, const char *tag, const char *text) {
    fprintf(page->file, "<%s>", tag);
    html_escape(page->file, text);
    fprintf(page->file, "</%s>\n", tag);
}

void page_pair(Page *page, const char *term, const char *text) {
    page_element(page, "dt", term);
    page_element(page, "dd", text);
}

static void page_cell(Page *page, const char *tag, bool right, const char *text) {
    fprintf(page->file, "<%s%s>", tag, right ? " class=\"n\"" : "");
    html_escape(page->file, text);
    fprintf(page->file, "</%s>", tag);
}

void page_table(Page *page, const Table *table) {
    fprintf(page->file, "<div class=\"scroll\"><table>\n<thead><tr>");
    for (int column = 0; column < table_columns(table); column++) {
        const Column *head = table_column(table, column);
        page_cell(page, "th", head->right, head->title);
    }
    fprintf(page->file, "</tr></thead>\n<tbody>\n");
    for (int row = 0; row < table_rows(table); row++) {
        fprintf(page->file, "<tr>");
        for (int column = 0; column < table_columns(table); column++) {
            page_cell(page, "td", table_column(table, column)->right, table_at(table, row, column));
        }
        fprintf(page->file, "</tr>\n");
    }
    fprintf(page->file, "</tbody>\n</table></div>\n");
}
