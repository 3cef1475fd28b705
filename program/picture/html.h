// SPDX-License-Identifier: Apache-2.0
// One self-contained HTML page: its style inside, no script, light and dark, wide and narrow.
// Written beside its place and renamed, so that a reader never sees half of it.
#ifndef PROGRAM_HTML_H
#define PROGRAM_HTML_H

#include <limits.h>
#include <stdio.h>

#include "console/output.h"
#include "resnet.h"

typedef struct Page {
    FILE *file;
    char path[PATH_MAX], partial[PATH_MAX];
} Page;

// styles: rules of what the page has besides, up to NULL.
resnet_status page_open(Page *page, const char *path, const char *title, const char *const *styles);
// Flushes and renames; a page that cannot be written is removed, and the sentence names it.
resnet_status page_close(Page *page);
// The same for a file that is no page but something else, such as a picture.
resnet_status page_open_bare(Page *page, const char *path);
resnet_status page_close_bare(Page *page);

// Gives a page up and removes what was written of it.
void page_abandon(Page *page);

// <TAG>text</TAG>, the text escaped.
void page_element(Page *page, const char *tag, const char *text);
// <code>, whose lines break between words and not at their hyphens.
void page_command(Page *page, const char *command);
// A table that scrolls by itself where it is too wide.
void page_table(Page *page, const Table *table);
// A term and what it means; belongs between "<dl>" and "</dl>".
void page_pair(Page *page, const char *term, const char *text);

// --paper, --ink, --soft, --line and others, light and dark: for pages, and for pictures that are
// files of their own, whose background has the class "paper".
extern const char page_colours[];

// Text with &, <, > and quotes escaped, and figures kept in one line; also for SVG.
void html_escape(FILE *file, const char *text);

#endif
