// SPDX-License-Identifier: Apache-2.0
// The trainer tells running means of the epoch; one step's figure is the difference of two sums.
//
// A window that an interruption cuts is kept with the number of its steps and filled further after
// --resume, and points after the resumed iteration are dropped: the curve is the same however often
// a training stops. As it is at most a hundred lines long, the file is written anew each time.
#include "paper/curve.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"
#include "paper/json_lines.h"

static resnet_status curve_add(Curve *curve, CurvePoint point) {
    if (curve->count == curve->room) {
        int room = curve->room > 0 ? 2 * curve->room : 64;
        CurvePoint *points = realloc(curve->points, (size_t)room * sizeof *points);
        if (points == NULL) {
            return failure_say(RESNET_FAILED, "cannot get memory for a curve");
        }
        curve->points = points;
        curve->room = room;
    }
    curve->points[curve->count++] = point;
    return RESNET_OK;
}

void curve_release(Curve *curve) {
    free(curve->points);
    *curve = (Curve){0};
}

// ---- Reading ----

static resnet_status training_take(void *user, const json_t *line) {
    const CurvePoint point = {.iteration = json_member_whole(line, "iteration"),
                              .steps = json_member_whole(line, "steps"),
                              .loss = json_member(line, "train_loss"),
                              .error = json_member(line, "train_error")};
    return isfinite(point.error) ? curve_add(user, point) : RESNET_OK;
}

typedef struct Tests {
    Curve *curve;
    double *seconds;
} Tests;

static resnet_status test_take(void *user, const json_t *line) {
    const Tests *tests = user;
    const CurvePoint point = {.iteration = json_member_whole(line, "iteration"),
                              .steps = 1,
                              .loss = json_member(line, "test_loss"),
                              .error = 100 - json_member(line, "test_top1")};
    const double seconds = json_member(line, "seconds");
    *tests->seconds = isfinite(seconds) ? seconds : *tests->seconds;
    return isfinite(point.error) ? curve_add(tests->curve, point) : RESNET_OK;
}

resnet_status curve_read_training(const char *path, Curve *curve) {
    return json_lines_read(path, training_take, curve);
}

resnet_status curve_read_tests(const char *path, Curve *curve, double *seconds) {
    Tests tests = {curve, seconds};
    *seconds = 0;
    return json_lines_read(path, test_take, &tests);
}

// ---- Recording ----

int64_t curve_window(int64_t iterations) {
    int64_t window = iterations / (iterations < 10000 ? 25 : 100);
    return window > 0 ? window : 1;
}

void curve_recorder_begin(CurveRecorder *recorder, const char *path, int64_t iterations) {
    *recorder = (CurveRecorder){.window = curve_window(iterations)};
    if (snprintf(recorder->path, PATH_MAX, "%s", path) >= PATH_MAX) {
        recorder->status = failure_say(RESNET_FAILED, "%s: the path is too long", path);
    }
}

// `digits`: 17 give a double back exactly, for a window that will be filled further.
static void point_print(FILE *file, const CurvePoint *point, int digits) {
    fprintf(file, "{\"iteration\":%lld,\"steps\":%lld,\"train_loss\":%.*g,\"train_error\":%.*g}\n",
            (long long)point->iteration, (long long)point->steps, digits, point->loss, digits,
            point->error);
}

static CurvePoint open_average(const CurvePoint *open) {
    CurvePoint point = *open;
    point.loss /= (double)open->steps;
    point.error /= (double)open->steps;
    return point;
}

static resnet_status recorder_write(const CurveRecorder *recorder) {
    char partial[PATH_MAX + 16];
    snprintf(partial, sizeof partial, "%s.partial", recorder->path);
    FILE *file = fopen(partial, "w");
    bool failed = file == NULL;
    if (!failed) {
        for (int i = 0; i < recorder->closed.count; i++) {
            point_print(file, &recorder->closed.points[i], 9);
        }
        if (recorder->open.steps > 0) {
            CurvePoint point = open_average(&recorder->open);
            point_print(file, &point, 17);
        }
        failed = ferror(file) != 0;
        failed = fclose(file) != 0 || failed;
    }
    if (failed || rename(partial, recorder->path) != 0) {
        int reason = errno;
        remove(partial);
        return failure_say(RESNET_FAILED, "%s: cannot write: %s", recorder->path, strerror(reason));
    }
    return RESNET_OK;
}

// Position of an iteration within its epoch, from 1.
static int64_t epoch_step(const CurveRecorder *recorder, int64_t iteration) {
    return (iteration - 1) % recorder->epoch_length + 1;
}

static resnet_status recorder_start(CurveRecorder *recorder, const resnet_train_progress *now) {
    recorder->epoch_length = llround((double)now->iterations / now->epochs);
    recorder->epoch_length = recorder->epoch_length > 0 ? recorder->epoch_length : 1;
    if (now->iteration == 0) {
        return RESNET_OK;
    }
    int64_t step = epoch_step(recorder, now->iteration);
    recorder->loss_sum = now->train_loss * (double)step;
    recorder->error_sum = (100 - now->train_top1) * (double)step;
    Curve earlier = {0};
    resnet_status status = curve_read_training(recorder->path, &earlier);
    for (int i = 0; i < earlier.count && status == RESNET_OK; i++) {
        CurvePoint point = earlier.points[i];
        if (point.iteration <= now->iteration && point.iteration % recorder->window == 0) {
            status = curve_add(&recorder->closed, point);
        } else if (point.iteration == now->iteration) {
            point.loss *= (double)point.steps;
            point.error *= (double)point.steps;
            recorder->open = point;
        }
    }
    curve_release(&earlier);
    return status;
}

static resnet_status recorder_step(CurveRecorder *recorder, const resnet_train_progress *now) {
    int64_t step = epoch_step(recorder, now->iteration);
    if (step == 1) {
        recorder->loss_sum = recorder->error_sum = 0;
    }
    double loss_sum = now->train_loss * (double)step;
    double error_sum = (100 - now->train_top1) * (double)step;
    recorder->open.iteration = now->iteration;
    recorder->open.steps++;
    recorder->open.loss += loss_sum - recorder->loss_sum;
    recorder->open.error += error_sum - recorder->error_sum;
    recorder->loss_sum = loss_sum;
    recorder->error_sum = error_sum;
    if (now->iteration % recorder->window != 0 && now->iteration != now->iterations) {
        return RESNET_OK;
    }
    CurvePoint point = open_average(&recorder->open);
    recorder->open = (CurvePoint){0};
    TRY(curve_add(&recorder->closed, point));
    return recorder_write(recorder);
}

void curve_recorder_follow(CurveRecorder *recorder, const resnet_train_progress *now) {
    if (recorder->status != RESNET_OK) {
        return;
    }
    if (now->event == RESNET_TRAIN_START) {
        recorder->status = recorder_start(recorder, now);
    } else if (now->event == RESNET_TRAIN_STEP) {
        recorder->status = recorder_step(recorder, now);
    } else if (now->event == RESNET_TRAIN_EPOCH) {
        recorder->status = recorder_write(recorder); // the trainer has a checkpoint here
    }
}

resnet_status curve_recorder_end(CurveRecorder *recorder) {
    if (recorder->status == RESNET_OK && recorder->open.steps > 0) {
        recorder->status = recorder_write(recorder);
    }
    curve_release(&recorder->closed);
    return recorder->status;
}
