// SPDX-License-Identifier: Apache-2.0
#include "train/schedule.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/elementary.h"
#include "base/number.h"

static const char *const NAMES[] = {"step", "cosine", "one-cycle", "constant"};

bool schedule_parse(const char *text, ScheduleKind *out) {
    for (int kind = SCHEDULE_STEP; kind <= SCHEDULE_CONSTANT; kind++) {
        if (strcmp(text, NAMES[kind]) == 0) {
            *out = (ScheduleKind)kind;
            return true;
        }
    }
    return false;
}

const char *schedule_name(ScheduleKind kind) { return NAMES[kind]; }

// What the rate is divided by in a step schedule.
static int step_divisor(const Schedule *schedule, int64_t iteration) {
    if (iteration < schedule->iterations / 2) {
        return 1;
    }
    return iteration < schedule->iterations * 3 / 4 ? 10 : 100;
}

double schedule_lr(const Schedule *schedule, int64_t iteration) {
    if (iteration < schedule->warmup) {
        return schedule->lr * (double)(iteration + 1) / (double)schedule->warmup;
    }
    if (iteration < schedule->careful) {
        return schedule->lr / 10;
    }
    double rest = (double)(schedule->iterations - schedule->warmup);
    double done = (double)(iteration - schedule->warmup);
    switch (schedule->kind) {
    case SCHEDULE_STEP:
        return schedule->lr / step_divisor(schedule, iteration);
    case SCHEDULE_COSINE:
        return schedule->lr * 0.5 * (1 + exact_cos_pi(done / rest));
    case SCHEDULE_ONE_CYCLE:
        return schedule->lr * (rest - done) / rest;
    case SCHEDULE_CONSTANT:
        break;
    }
    return schedule->lr;
}

bool schedule_note(const Schedule *schedule, int64_t iteration, char *text, size_t size) {
    if (iteration == 0) {
        return false;
    }
    NumberText before = number_double(schedule_lr(schedule, iteration - 1));
    NumberText now = number_double(schedule_lr(schedule, iteration));
    if (iteration == schedule->warmup) {
        snprintf(text, size, "warm-up ended at iteration %" PRId64 ", lr %s", iteration,
                 before.text);
        return true;
    }
    bool divided = schedule->kind == SCHEDULE_STEP && iteration > schedule->warmup &&
                   step_divisor(schedule, iteration) != step_divisor(schedule, iteration - 1);
    if (divided || iteration == schedule->careful) {
        snprintf(text, size, "lr %s -> %s at iteration %" PRId64, before.text, now.text, iteration);
        return true;
    }
    return false;
}
