// SPDX-License-Identifier: Apache-2.0
// A terminal lower than the table shows the lanes around the one that runs.
#include "paper/board.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "console/failure.h"
#include "console/measure.h"
#include "console/output.h"

static const double REDRAW_SECONDS = 0.25;

// Whether there is a terminal on which no line of the table wraps.
static bool table_fits(const Progress *progress) {
    struct winsize size;
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return progress->terminal && (!known || size.ws_col >= 80);
}

resnet_status board_begin(Board *board, int count) {
    *board = (Board){.count = count, .progress = progress_begin(), .shown = -1};
    board->table = table_fits(&board->progress);
    board->lanes = calloc((size_t)count + 1, sizeof *board->lanes);
    if (board->lanes == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for %d trainings", count);
    }
    for (int i = 0; i < count; i++) {
        board->lanes[i].train_error = board->lanes[i].test_error = board->lanes[i].seconds = NAN;
    }
    return RESNET_OK;
}

void board_clear(Board *board) {
    progress_clear(&board->progress);
    if (board->drawn > 0) {
        fprintf(stderr, "\033[%dA\033[J", board->drawn);
        fflush(stderr);
        board->drawn = 0;
    }
}

void board_end(Board *board) {
    board_clear(board);
    free(board->lanes);
    *board = (Board){0};
}

void board_note(Board *board, const char *format, ...) {
    board_clear(board);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

// ---- The table ----------------------------------------------------------------------------------

static int lanes_that_fit(void) {
    struct winsize size;
    const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 8;
    return known ? size.ws_row - 4 : 20;
}

static int lane_running(const Board *board) {
    for (int i = 0; i < board->count; i++) {
        if (board->lanes[i].state == LANE_RUNNING) {
            return i;
        }
    }
    return 0;
}

static void percent_cell(Table *table, double value) {
    if (isfinite(value)) {
        table_cell(table, "%.1f %%", value);
    } else {
        table_cell(table, " ");
    }
}

static void lane_cells(Table *table, const Lane *lane) {
    static const char *const states[] = {"waiting", "training", "done", "done earlier"};
    table_cell(table, "%s", lane->name);
    table_cell(table, "%s", states[lane->state]);
    table_cell(table, "%s/%s", figure_whole(lane->iteration), figure_whole(lane->iterations));
    percent_cell(table, lane->train_error);
    percent_cell(table, lane->test_error);
    const char *kind = lane->state == LANE_DONE || lane->state == LANE_EARLIER ? "" : " left";
    if (isfinite(lane->seconds)) {
        table_cell(table, "%s%s", figure_seconds(lane->seconds), kind);
    } else {
        table_cell(table, " ");
    }
}

static void board_draw(Board *board) {
    static const Column columns[] = {{"training", false},  {"state", false},
                                     {"iterations", true}, {"training error", true},
                                     {"test error", true}, {"time", true}};
    const int fit = lanes_that_fit(), running = lane_running(board);
    int first = running - fit / 2;
    first = first + fit > board->count ? board->count - fit : first;
    first = first < 0 ? 0 : first;
    Table *table = table_create(columns, 6);
    for (int i = first; i < board->count && i < first + fit; i++) {
        lane_cells(table, &board->lanes[i]);
    }
    board_clear(board);
    if (table_print(table, stderr) == RESNET_OK) {
        board->drawn = table_rows(table) + 1;
        const double left = board->left != NULL ? board->left(board->user) : NAN;
        if (isfinite(left)) {
            fprintf(stderr, "about %s left in all\n", figure_seconds(left));
            board->drawn++;
        }
    }
    fflush(stderr);
    table_destroy(table);
}

// ---- What happens -------------------------------------------------------------------------------

void board_step(Board *board, int index, const resnet_train_progress *now) {
    Lane *lane = &board->lanes[index];
    lane->state = LANE_RUNNING;
    lane->iteration = now->iteration;
    lane->train_error = now->iteration > 0 ? 100 - now->train_top1 : NAN;
    lane->test_error = 100 - now->test_top1;
    lane->seconds = now->eta_seconds > 0 ? now->eta_seconds : lane->seconds;
    if (!board->table) {
        char label[96];
        snprintf(label, sizeof label, "[%d/%d] %s", index + 1, board->count, lane->name);
        progress_training(&board->progress, label, now);
    } else if (measure_clock() - board->shown >= REDRAW_SECONDS) {
        board_draw(board);
        board->shown = measure_clock();
    }
}

void board_done(Board *board, int index) {
    const Lane *lane = &board->lanes[index];
    if (board->table) {
        board_draw(board);
        board->shown = measure_clock();
        return;
    }
    board_note(board, "[%d/%d] %s: training error %.1f %%, test error %.1f %%, %s%s", index + 1,
               board->count, lane->name, lane->train_error, lane->test_error,
               figure_seconds(lane->seconds),
               lane->state == LANE_EARLIER ? " (finished earlier)" : "");
}
