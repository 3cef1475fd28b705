// SPDX-License-Identifier: Apache-2.0
#include "paper/figures.h"

#include "console/failure.h"
#include "picture/drawing.h"

// clang-format off
static const Figure figures[] = {
    {"block", "A residual block (Fig. 2)",
     "The layers of a branch fit F(x) = H(x) − x; the shortcut carries x past them and costs "
     "nothing.",
     {{"resnet34", NULL, "layer1.0", NULL}}},
    {"bottleneck", "A basic block and a bottleneck (Fig. 5)",
     "Two blocks of about equal cost: the bottleneck's 1×1 convolutions reduce and restore "
     "dimensions, so that its 3×3 convolution works on a quarter of the channels.",
     {{"resnet34", NULL, "layer1.1", NULL}, {"resnet50", NULL, "layer1.1", NULL}}},
    {"dimensions", "Shortcuts that change dimensions (section 3.3)",
     "Where a block has more channels and a smaller image than what it reads: a projection W_s "
     "(option B), or every second pixel with zeros for the new channels (option A), which has no "
     "parameters.",
     {{"resnet34", "B", "layer2.0", "option B"}, {"resnet34", "A", "layer2.0", "option A"}}},
    {"networks", "VGG-19, 34 layers plain, 34 layers residual (Fig. 3)",
     "Level where outputs have the same size. The two nets of 34 layers differ in the shortcuts "
     "alone.",
     {{"vgg19", NULL, NULL, "VGG-19"}, {"plain34", NULL, NULL, "34-layer plain"},
      {"resnet34", NULL, NULL, "34-layer residual"}}},
};
// clang-format on

const Figure *figure_get(int index) {
    const int count = sizeof figures / sizeof figures[0];
    return index >= 0 && index < count ? &figures[index] : NULL;
}

typedef struct OpenFigure {
    Drawing drawing;
    resnet_model *models[FIGURE_COLUMNS];
} OpenFigure;

static void figure_close(OpenFigure *open) {
    for (int i = 0; i < FIGURE_COLUMNS; i++) {
        resnet_model_free(open->models[i]);
    }
}

// *open can be closed in any case.
static resnet_status figure_open(const Figure *figure, OpenFigure *open) {
    *open = (OpenFigure){.drawing = {.title = figure->title}};
    for (int i = 0; i < FIGURE_COLUMNS && figure->columns[i].model != NULL; i++) {
        const FigureColumn *column = &figure->columns[i];
        resnet_model_options options;
        resnet_model_options_default(&options);
        options.shortcut = column->shortcut;
        TRY(resnet_model_create(column->model, &options, &open->models[i]));
        open->drawing.columns[open->drawing.count++] =
            (DrawingColumn){.model = open->models[i], .part = column->part, .title = column->title};
    }
    return RESNET_OK;
}

// Each block in a drawing of its own.
static resnet_status blocks_write(const Drawing *drawing, FILE *file) {
    fprintf(file, "<div class=\"blocks\">\n");
    for (int i = 0; i < drawing->count; i++) {
        Drawing block = {.title = drawing->title, .count = 1};
        block.columns[0] = drawing->columns[i];
        TRY(drawing_write(&block, file));
    }
    fprintf(file, "</div>\n");
    return RESNET_OK;
}

resnet_status figure_write(const Figure *figure, Page *page) {
    OpenFigure open;
    resnet_status status = figure_open(figure, &open);
    if (status == RESNET_OK) {
        fprintf(page->file, "<figure>\n");
        page_element(page, "h3", figure->title);
        if (figure->columns[0].part != NULL) {
            status = blocks_write(&open.drawing, page->file);
        } else {
            fprintf(page->file, "<div class=\"scroll\" tabindex=\"0\">\n");
            status = drawing_write(&open.drawing, page->file);
            fprintf(page->file, "</div>\n");
        }
        page_element(page, "figcaption", figure->caption);
        fprintf(page->file, "</figure>\n");
    }
    figure_close(&open);
    return status;
}

resnet_status figure_save(const Figure *figure, const char *path) {
    OpenFigure open;
    resnet_status status = figure_open(figure, &open);
    if (status == RESNET_OK) {
        status = drawing_save(&open.drawing, path);
    }
    figure_close(&open);
    return status;
}
