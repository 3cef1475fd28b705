// SPDX-License-Identifier: Apache-2.0
// The page's frame and its style. Colours are variables, so that dark mode changes one block.
#include "picture/html.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "console/failure.h"

const char page_colours[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;"
    "--card:#f5f7f9;--good:#1a7f37;--bad:#a15c00}\n"
    "@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e8ebee;--soft:#a0a9b2;"
    "--line:#363c43;--card:#1d2125;--good:#4fc36b;--bad:#e0a04a}}\n"
    ".paper{fill:var(--paper)}\n";

static const char page_style[] =
    "*{box-sizing:border-box}\n"
    "body{margin:0 auto;max-width:60rem;padding:1.5rem 1rem 3rem;background:var(--paper);"
    "color:var(--ink);font:16px/1.55 system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.75rem;line-height:1.25;margin:.5rem 0}"
    "h2{font-size:1.4rem;line-height:1.3;margin:3rem 0 .5rem;padding-top:1rem;"
    "border-top:1px solid var(--line)}h3{font-size:1.05rem;margin:1.75rem 0 .25rem}\n"
    "p{margin:.5rem 0}a{color:inherit}.soft,figcaption{color:var(--soft)}\n"
    "nav ol{list-style:none;margin:1rem 0;padding:0;border-top:1px solid var(--line)}"
    "nav li{padding:.5rem 0;border-bottom:1px solid var(--line)}"
    "nav a{font-weight:600;margin-right:.5rem}\n"
    ".yes,.no{font-weight:600;white-space:nowrap}.yes{color:var(--good)}.no{color:var(--bad)}\n"
    ".verdict{background:var(--card);border-left:4px solid var(--bad);border-radius:4px;"
    "padding:.75rem 1rem;margin:1rem 0}.verdict.agrees{border-color:var(--good)}"
    ".verdict p{margin:0;font-weight:600}.verdict ul{margin:.25rem 0 0;padding-left:1.2rem}\n"
    "blockquote{margin:.75rem 0;padding:0 1rem;border-left:4px solid var(--line)}\n"
    "figure{margin:1rem 0}figcaption{font-size:.9rem}\n"
    // Shades at the edges where there is more to scroll to.
    ".scroll{overflow-x:auto;background:linear-gradient(90deg,var(--paper) 40%,transparent),"
    "linear-gradient(270deg,var(--paper) 40%,transparent) 100% 0,"
    "linear-gradient(90deg,var(--line),transparent),"
    "linear-gradient(270deg,var(--line),transparent) 100% 0;background-repeat:no-repeat;"
    "background-size:3rem 100%,3rem 100%,1rem 100%,1rem 100%;"
    "background-attachment:local,local,scroll,scroll}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.9rem}"
    "th,td{padding:.3rem .5rem;text-align:left;border-bottom:1px solid var(--line)}"
    "th{font-weight:600;vertical-align:bottom}td:first-child{white-space:nowrap}"
    "th.n,td.n{text-align:right}\n"
    "th:first-child,td:first-child{padding-left:0}th:last-child,td:last-child{padding-right:0}\n"
    "dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.3rem 1rem;margin:0}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}"
    "code{font-size:.85em;overflow-wrap:anywhere}.command "
    "span{display:inline-block;max-width:100%}\n"
    ".runs{padding-left:1.2rem;font-size:.9rem}.runs li{margin:.4rem 0}\n"
    ".blocks{display:flex;flex-wrap:wrap;gap:1rem 2rem;align-items:flex-start}"
    ".blocks svg{max-width:100%;height:auto}\n"
    "svg.chart{display:block;width:100%;height:auto}svg.narrow{display:none}\n"
    "@media (max-width:40rem){svg.wide{display:none}svg.narrow{display:block}"
    "body{padding:1rem .75rem}th,td{padding:.3rem .25rem;font-size:.75rem}"
    "th:first-child,td:first-child{position:sticky;left:0;background:var(--paper)}"
    "h1{font-size:1.4rem}h2{font-size:1.2rem}"
    "dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}}\n"
    "@media print{body{max-width:none;padding:0;font-size:10.5pt}h2,h3{break-after:avoid}"
    "figure,blockquote,.verdict,.scroll,tr,.runs li{break-inside:avoid}.scroll{overflow:visible}"
    ".blocks{flex-wrap:nowrap}.blocks svg{flex:0 1 auto;min-width:0}"
    "svg.net{max-width:100%;max-height:82vh}th,td{padding:.2rem .4rem}}\n";

static void character_write(FILE *file, char character) {
    switch (character) {
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
        fputc(character, file);
    }
}

// Figures are kept with their % and with what follows a ±.
void html_escape(FILE *file, const char *text) {
    for (const char *start = text; *text != '\0'; text++) {
        const bool after = text - start >= 2 && strncmp(text - 2, "±", 2) == 0;
        if (*text == ' ' && (text[1] == '%' || after)) {
            fputs("&#160;", file);
        } else {
            character_write(file, *text);
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

resnet_status page_open(Page *page, const char *path, const char *title,
                        const char *const *styles) {
    TRY(page_open_bare(page, path));
    fprintf(page->file,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n");
    page_element(page, "title", title);
    fprintf(page->file, "<style>\n%s%s", page_colours, page_style);
    for (; *styles != NULL; styles++) {
        fputs(*styles, page->file);
    }
    fprintf(page->file, "</style>\n</head>\n<body>\n");
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

void page_command(Page *page, const char *command) {
    fprintf(page->file, "<code class=\"command\"><span>");
    for (; *command != '\0'; command++) {
        if (*command == ' ') {
            fputs("</span> <span>", page->file);
        } else {
            character_write(page->file, *command);
        }
    }
    fprintf(page->file, "</span></code>");
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
    fprintf(page->file, "<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr>");
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
