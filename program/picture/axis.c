// SPDX-License-Identifier: Apache-2.0
// place = start + (value - first) / (last - first) * length, with logarithms of values where the
// axis is logarithmic.
#include "picture/axis.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "console/output.h"

static const double SLACK = 1e-9; // for what rounding leaves at both ends

double axis_place(const Axis *axis, double value) {
    const double at = axis->log ? log10(value) : value;
    return axis->start + (at - axis->first) / (axis->last - axis->first) * axis->length;
}

static void tick_add(Axis *axis, double value) {
    const double at = axis->log ? log10(value) : value;
    const double slack = SLACK * (axis->last - axis->first);
    if (at >= axis->first - slack && at <= axis->last + slack && axis->tick_count < AXIS_TICKS) {
        axis->ticks[axis->tick_count++] = value;
    }
}

// A step of 1, 2 or 5 times a power of ten that gives at most about `most` ticks.
static double tick_step(double range, int most) {
    const double raw = range / most, power = pow(10, floor(log10(raw)));
    const double share = raw / power;
    return power * (share <= 1 ? 1 : share <= 2 ? 2 : share <= 5 ? 5 : 10);
}

static void linear_ticks(Axis *axis, double first, double last, int most_ticks, bool whole) {
    axis->step = tick_step(last - first, most_ticks);
    const double low = floor(first / axis->step + SLACK), high = ceil(last / axis->step - SLACK);
    if (whole && !axis->log) {
        axis->first = low * axis->step;
        axis->last = high * axis->step;
    }
    for (double i = low; i <= high; i++) {
        tick_add(axis, i * axis->step);
    }
}

// The logarithm of the tick at or below (`up`: at or above) a logarithm; `count` ticks a decade, at
// 1, or at 1, 2 and 5.
static double log_step(double at, int count, bool up) {
    const double decade = floor(at + SLACK), rest = at - decade;
    const double steps[] = {log10(2), log10(5)};
    double found = up ? rest > SLACK : 0;
    for (int i = 0; i < 2 && count == 3; i++) {
        if (up ? steps[i] >= rest - SLACK && steps[i] < found : steps[i] <= rest + SLACK) {
            found = steps[i];
        }
    }
    return decade + found;
}

static void log_ticks(Axis *axis, int most_ticks, bool whole) {
    static const double steps[] = {1, 2, 5};
    const double decades = axis->last - axis->first;
    const int count = 3 * decades <= most_ticks + 2 ? 3 : 1;
    if (whole) {
        axis->first = log_step(axis->first, count, false);
        axis->last = log_step(axis->last, count, true);
    }
    const double every = count == 3 ? 1 : ceil(decades / most_ticks);
    for (double power = floor(axis->first); power <= ceil(axis->last); power += every) {
        for (int i = 0; i < count; i++) {
            tick_add(axis, steps[i] * pow(10, power));
        }
    }
}

Axis axis_make(bool log, double least, double most, int most_ticks, bool whole) {
    if (!(most > least)) {
        const double pad = log ? 2 : 0;
        least = log ? least / pad : least - 0.5;
        most = log ? most * pad : most + 0.5;
    }
    Axis axis = {.log = log, .first = log ? log10(least) : least, .last = log ? log10(most) : most};
    if (log && axis.last - axis.first > 0.7) {
        log_ticks(&axis, most_ticks, whole);
    } else {
        linear_ticks(&axis, least, most, most_ticks, whole);
    }
    return axis;
}

const char *axis_tick_text(const Axis *axis, int tick) {
    static char texts[4][32];
    static int next;
    char *text = texts[next = (next + 1) % 4];
    const double value = axis->ticks[tick], size = fabs(value);
    if (size >= 1e6) {
        snprintf(text, sizeof texts[0], size < 1e9 ? "%g M" : "%g G",
                 value / (size < 1e9 ? 1e6 : 1e9));
    } else if (size >= 1000) {
        return figure_whole(llround(value));
    } else {
        snprintf(text, sizeof texts[0], "%g", size < SLACK * axis->step ? 0 : value);
    }
    return text;
}
