// SPDX-License-Identifier: Apache-2.0
// How far a list of trainings is, on stderr: on a terminal of 80 columns a table redrawn in
// place, elsewhere the line of progress.h and one for each training that ends.
#ifndef PROGRAM_BOARD_H
#define PROGRAM_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include "console/progress.h"

typedef enum LaneState { LANE_WAITING, LANE_RUNNING, LANE_DONE, LANE_EARLIER } LaneState;

typedef struct Lane {
    char name[64];
    LaneState state;
    int64_t iteration, iterations;
    double train_error, test_error; // percent; NaN: not known
    double seconds;                 // taken when done, else those left; NaN: not known
} Lane;

typedef struct Board {
    Lane *lanes;
    int count;
    bool table;                 // a terminal that is wide enough for it
    int drawn;                  // lines of the table that stand on the terminal
    double shown;               // when it was drawn last
    double (*left)(void *user); // seconds that all of it will take still; NaN: not known
    void *user;
    Progress progress;
} Board;

// Lanes are waiting. board_end() in any case.
resnet_status board_begin(Board *board, int count);
// A lane changed by a step of its training: shows it when it is time.
void board_step(Board *board, int lane, const resnet_train_progress *now);
// A lane ended, now or earlier.
void board_done(Board *board, int lane);
// A line that stays.
void board_note(Board *board, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Takes the table away.
void board_clear(Board *board);
void board_end(Board *board);

#endif
