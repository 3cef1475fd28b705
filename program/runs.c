// SPDX-License-Identifier: Apache-2.0
// A run remembers its settings, so that a folder begun with other ones is not mixed up with it.
#include "runs.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "output.h"
#include "progress.h"

typedef struct Course {
    const Run *run;
    const char *label;
    const volatile sig_atomic_t *stop;
    Progress progress;
    CurveRecorder recorder;
    resnet_train_progress last;
    bool stop_told;
} Course;

static resnet_status folder_make(const char *path) {
    char part[PATH_MAX];
    size_t length = strlen(path);
    for (size_t i = 1; i <= length && length < sizeof part; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0777) != 0 && errno != EEXIST) {
                return failure_say(RESNET_FAILED, "%s: cannot make the folder: %s", part,
                                   strerror(errno));
            }
        }
    }
    return RESNET_OK;
}

static resnet_status run_path(const Run *run, const char *name, char out[PATH_MAX]) {
    if (snprintf(out, PATH_MAX, "%s/%s", run->folder, name) >= PATH_MAX) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", run->folder);
    }
    return RESNET_OK;
}

// ---- run.json ----

static json_t *settings_json(const Run *run) {
    return json_pack("{s:s, s:s, s:I, s:i, s:f, s:I}", "model", run->model, "data",
                     run->settings.data, "iterations", (json_int_t)run->settings.iterations,
                     "batch", run->settings.batch, "lr", run->settings.lr, "seed",
                     (json_int_t)run->settings.seed);
}

static resnet_status run_store(const Run *run, bool finished) {
    char path[PATH_MAX], partial[PATH_MAX];
    TRY(run_path(run, "run.json", path));
    TRY(run_path(run, "run.json.partial", partial));
    json_t *object =
        json_pack("{s:o, s:f}", "settings", settings_json(run), "seconds", run->seconds);
    if (finished) {
        json_object_set_new(
            object, "results",
            json_pack("{s:o, s:o, s:o, s:o}", "train_loss", json_figure(run->train_loss),
                      "train_top1", json_figure(run->train_top1), "test_loss",
                      json_figure(run->test_loss), "test_top1", json_figure(run->test_top1)));
    }
    int failed = json_dump_file(object, partial, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (failed || rename(partial, path) != 0) {
        return failure_say(RESNET_FAILED, "%s: cannot write: %s", path, strerror(errno));
    }
    return RESNET_OK;
}

// Compared as they are written: a number read back may differ in its last bit.
static resnet_status settings_compare(const char *path, json_t *mine, const json_t *theirs) {
    const char *key;
    json_t *value;
    json_object_foreach(mine, key, value) {
        const json_t *was = json_object_get(theirs, key);
        char *asked = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        char *begun = json_dumps(was, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
        bool same = asked != NULL && begun != NULL && strcmp(asked, begun) == 0;
        if (!same) {
            failure_say(RESNET_FAILED,
                        "%s: this run was begun with %s %s, not %s; choose another --out or "
                        "remove that folder",
                        path, key, begun != NULL ? begun : "unknown",
                        asked != NULL ? asked : "unknown");
        }
        free(asked);
        free(begun);
        if (!same) {
            return RESNET_FAILED;
        }
    }
    return RESNET_OK;
}

static double result_number(const json_t *object, const char *section, const char *key) {
    const json_t *value = json_object_get(object, section);
    value = key != NULL ? json_object_get(value, key) : value;
    return json_is_number(value) ? json_number_value(value) : NAN;
}

// What an earlier call left: checks the settings, takes the seconds so far and, once it has
// finished, the results.
static resnet_status run_recall(Run *run, bool *finished) {
    char path[PATH_MAX];
    TRY(run_path(run, "run.json", path));
    *finished = false;
    if (access(path, F_OK) != 0) {
        return RESNET_OK;
    }
    json_error_t error;
    json_t *object = json_load_file(path, 0, &error);
    if (object == NULL) {
        return failure_say(RESNET_FAILED, "%s: line %d: %s", path, error.line, error.text);
    }
    json_t *mine = settings_json(run);
    resnet_status status = settings_compare(path, mine, json_object_get(object, "settings"));
    json_decref(mine);
    double seconds = result_number(object, "seconds", NULL);
    run->seconds = isfinite(seconds) ? seconds : 0;
    *finished = json_object_get(object, "results") != NULL;
    run->train_loss = result_number(object, "results", "train_loss");
    run->train_top1 = result_number(object, "results", "train_top1");
    run->test_loss = result_number(object, "results", "test_loss");
    run->test_top1 = result_number(object, "results", "test_top1");
    json_decref(object);
    return status;
}

// ---- Training ----

static void course_follow(void *user, const resnet_train_progress *now) {
    Course *course = user;
    course->last = *now;
    curve_recorder_follow(&course->recorder, now);
    switch (now->event) {
    case RESNET_TRAIN_START:
        if (now->iteration > 0) {
            progress_note(&course->progress, "%s: going on from iteration %s", course->label,
                          figure_whole(now->iteration));
        }
        break;
    case RESNET_TRAIN_STEP:
        progress_training(&course->progress, course->label, now);
        if (*course->stop && !course->stop_told) {
            course->stop_told = true;
            progress_note(&course->progress, "stopping: saving the checkpoint");
        }
        break;
    case RESNET_TRAIN_NOTE:
        progress_note(&course->progress, "%s: %s", course->label, now->note);
        break;
    case RESNET_TRAIN_EPOCH:
    case RESNET_TRAIN_DONE:
        break;
    }
}

static resnet_status run_train(Run *run, Course *course) {
    const RunSettings *settings = &run->settings;
    double epochs = (double)settings->iterations * settings->batch / settings->samples;
    resnet_train_options train;
    resnet_train_options_default(&train);
    train.model = run->model;
    train.data = settings->data;
    train.out = run->folder;
    train.recipe = "paper";
    train.resume = 1;
    train.threads = settings->threads;
    train.seed = settings->seed;
    train.batch = settings->batch;
    train.iterations = settings->iterations;
    train.lr = settings->lr;
    // A test costs a third of an epoch's training: at most fifty of them, and one for a short run.
    train.test_every = epochs < 2 ? epochs : fmax(1, floor(epochs / 50));
    train.save_every = curve_window(settings->iterations); // so that windows are never cut
    train.stop = course->stop;
    return resnet_train(&train, course_follow, course);
}

static void results_average(Run *run) {
    double steps = 0, loss = 0, error = 0;
    for (int i = 0; i < run->train.count; i++) {
        const CurvePoint *point = &run->train.points[i];
        if (5 * point->iteration > 4 * run->settings.iterations) {
            steps += (double)point->steps;
            loss += point->loss * (double)point->steps;
            error += point->error * (double)point->steps;
        }
    }
    run->train_loss = loss / steps;
    run->train_top1 = 100 - error / steps;
}

resnet_status run_complete(Run *run, const char *label, const volatile sig_atomic_t *stop) {
    char curve[PATH_MAX], metrics[PATH_MAX];
    TRY(run_path(run, "curve.jsonl", curve));
    TRY(run_path(run, "metrics.jsonl", metrics));
    TRY(folder_make(run->folder));
    bool finished;
    TRY(run_recall(run, &finished));
    Course course = {.run = run, .label = label, .stop = stop, .progress = progress_begin()};
    if (!finished) {
        TRY(run_store(run, false));
        curve_recorder_begin(&course.recorder, curve, run->settings.iterations);
        resnet_status status = run_train(run, &course);
        progress_clear(&course.progress);
        resnet_status recorded = curve_recorder_end(&course.recorder);
        run->seconds = course.last.seconds;
        if (status == RESNET_INTERRUPTED) {
            TRY(run_store(run, false));
            return failure_say(RESNET_INTERRUPTED,
                               "stopped at iteration %s of %s of %s, saved in %s; the same command "
                               "goes on",
                               figure_whole(course.last.iteration),
                               figure_whole(course.last.iterations), run->model, run->folder);
        }
        TRY(status);
        TRY(recorded);
    }
    TRY(curve_read_training(curve, &run->train));
    TRY(curve_read_tests(metrics, &run->test));
    if (!finished) {
        results_average(run);
        run->test_loss = course.last.test_loss;
        run->test_top1 = course.last.test_top1;
        TRY(run_store(run, true));
    }
    progress_note(&course.progress, "%s: training error %.1f %%, test error %.1f %%, %s%s", label,
                  100 - run->train_top1, 100 - run->test_top1, figure_seconds(run->seconds),
                  finished ? " (finished earlier)" : "");
    return RESNET_OK;
}

void run_release(Run *run) {
    curve_release(&run->train);
    curve_release(&run->test);
}
