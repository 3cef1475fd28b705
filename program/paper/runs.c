// SPDX-License-Identifier: Apache-2.0
// A run remembers its settings, so that a folder begun with other ones is not mixed up with it.
#include "paper/runs.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/failure.h"
#include "console/folder.h"
#include "console/output.h"

enum { SIGNAL_LINES = 12 }; // moments in gradients.jsonl

typedef struct Course {
    resnet_train_callback *follow;
    void *user;
    CurveRecorder recorder;
    resnet_train_progress last;
} Course;

static resnet_status run_path(const Run *run, const char *name, char out[PATH_MAX]) {
    if (snprintf(out, PATH_MAX, "%s/%s", run->folder, name) >= PATH_MAX) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", run->folder);
    }
    return RESNET_OK;
}

// ---- run.json -----------------------------------------------------------------------------------

static json_t *settings_json(const Run *run) {
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:f, s:i, s:I}", "model", run->model,
                     "shortcut", run->shortcut != NULL ? run->shortcut : "default", "data",
                     run->settings.data, "recipe", run->settings.recipe, "iterations",
                     (json_int_t)run->settings.iterations, "batch", run->settings.batch, "lr",
                     run->settings.lr, "test-samples", run->settings.test_samples, "seed",
                     (json_int_t)run->settings.seed);
}

static resnet_status run_store(const Run *run) {
    char path[PATH_MAX], partial[PATH_MAX];
    TRY(run_path(run, "run.json", path));
    TRY(run_path(run, "run.json.partial", partial));
    json_t *object =
        json_pack("{s:o, s:b}", "settings", settings_json(run), "finished", run->finished);
    if (run->finished) {
        json_object_set_new(object, "weights", json_string(run->weights));
        json_object_set_new(object, "machine", json_string(run->machine));
    }
    int failed = json_dump_file(object, partial, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (failed || rename(partial, path) != 0) {
        int reason = errno;
        remove(partial);
        return failure_say(RESNET_FAILED, "%s: cannot write: %s", path, strerror(reason));
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

// How far the curve's file says that an earlier call came.
static resnet_status run_count_begun(Run *run) {
    char path[PATH_MAX];
    Curve curve = {0};
    TRY(run_path(run, "curve.jsonl", path));
    resnet_status status = curve_read_training(path, &curve);
    run->begun = curve.count > 0 ? curve.points[curve.count - 1].iteration : 0;
    curve_release(&curve);
    return status;
}

resnet_status run_recall(Run *run) {
    char path[PATH_MAX];
    TRY(run_path(run, "run.json", path));
    run->finished = false;
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
    run->finished = json_is_true(json_object_get(object, "finished"));
    const char *weights = json_string_value(json_object_get(object, "weights"));
    const char *machine = json_string_value(json_object_get(object, "machine"));
    snprintf(run->weights, sizeof run->weights, "%s", weights != NULL ? weights : "");
    snprintf(run->machine, sizeof run->machine, "%s", machine != NULL ? machine : "");
    json_decref(object);
    TRY(status);
    return run_count_begun(run);
}

// ---- Training -----------------------------------------------------------------------------------

static void course_follow(void *user, const resnet_train_progress *now) {
    Course *course = user;
    course->last = *now;
    curve_recorder_follow(&course->recorder, now);
    course->follow(course->user, now);
}

static resnet_status trainer_run(const Run *run, Course *course,
                                 const volatile sig_atomic_t *stop) {
    const RunSettings *settings = &run->settings;
    double epochs = (double)settings->iterations * settings->batch / settings->samples;
    int64_t log_every = settings->iterations / SIGNAL_LINES;
    resnet_train_options train;
    resnet_train_options_default(&train);
    train.model = run->model;
    train.shortcut = run->shortcut;
    train.data = settings->data;
    train.out = run->folder;
    train.recipe = settings->recipe;
    train.resume = 1;
    train.threads = settings->threads;
    train.seed = settings->seed;
    train.batch = settings->batch;
    train.iterations = settings->iterations;
    train.lr = settings->lr;
    train.test_samples = settings->test_samples;
    train.log_gradients = 1;
    train.log_every = log_every > 0 ? log_every : 1;
    // A test costs a third of an epoch's training: at most fifty of them, and one for a short run.
    train.test_every = epochs < 2 ? epochs : fmax(1, floor(epochs / 50));
    train.save_every = curve_window(settings->iterations); // so that windows are never cut
    train.stop = stop;
    return resnet_train(&train, course_follow, course);
}

void run_machine(int threads, char out[RUN_MACHINE]) {
    threads = threads > 0 ? threads : resnet_cpu_count();
    snprintf(out, RUN_MACHINE, "%s, %s, %d thread%s", resnet_cpu_name(), resnet_isa(), threads,
             threads == 1 ? "" : "s");
}

static resnet_status run_finish(Run *run) {
    char model[PATH_MAX];
    TRY(run_path(run, "model.safetensors", model));
    TRY(digest_file(model, run->weights));
    run_machine(run->settings.threads, run->machine);
    run->finished = true;
    return run_store(run);
}

resnet_status run_train(Run *run, resnet_train_callback *follow, void *user,
                        const volatile sig_atomic_t *stop) {
    char curve[PATH_MAX];
    TRY(run_path(run, "curve.jsonl", curve));
    TRY(folder_make(run->folder));
    TRY(run_store(run));
    Course course = {.follow = follow, .user = user};
    curve_recorder_begin(&course.recorder, curve, run->settings.iterations);
    resnet_status status = trainer_run(run, &course, stop);
    resnet_status recorded = curve_recorder_end(&course.recorder);
    if (status == RESNET_INTERRUPTED) {
        return failure_say(RESNET_INTERRUPTED,
                           "stopped at iteration %s of %s of %s, saved in %s; the same command "
                           "goes on",
                           figure_whole(course.last.iteration),
                           figure_whole(course.last.iterations), run->model, run->folder);
    }
    TRY(status);
    TRY(recorded);
    return run_finish(run);
}

// ---- Results ------------------------------------------------------------------------------------

static void training_average(Run *run) {
    double steps = 0, loss = 0, error = 0, spread = 0;
    int windows = 0;
    for (int i = 0; i < run->train.count; i++) {
        const CurvePoint *point = &run->train.points[i];
        if (5 * point->iteration > 4 * run->settings.iterations) {
            steps += (double)point->steps;
            loss += point->loss * (double)point->steps;
            error += point->error * (double)point->steps;
            windows++;
        }
    }
    run->train_loss = loss / steps;
    run->train_error.value = error / steps;
    for (int i = run->train.count - windows; i < run->train.count && windows > 1; i++) {
        const double away = run->train.points[i].error - run->train_error.value;
        spread += away * away / (windows - 1);
    }
    run->train_error.error = windows > 0 ? sqrt(spread / windows) : 0;
}

static void test_last(Run *run) {
    const CurvePoint *last = &run->test.points[run->test.count - 1];
    const double share = last->error / 100, samples = run->settings.test_samples;
    run->test_loss = last->loss;
    run->test_error.value = last->error;
    run->test_error.error = 100 * sqrt(fmax(0, share * (1 - share)) / samples);
}

resnet_status run_read(Run *run) {
    char curve[PATH_MAX], metrics[PATH_MAX];
    TRY(run_path(run, "curve.jsonl", curve));
    TRY(run_path(run, "metrics.jsonl", metrics));
    run_release(run);
    TRY(curve_read_training(curve, &run->train));
    TRY(curve_read_tests(metrics, &run->test, &run->seconds));
    if (run->train.count == 0 || run->test.count == 0) {
        return failure_say(RESNET_FAILED,
                           "%s: has no results, though the run is finished; remove the folder %s "
                           "to train again",
                           run->train.count == 0 ? curve : metrics, run->folder);
    }
    training_average(run);
    test_last(run);
    return RESNET_OK;
}

void run_release(Run *run) {
    curve_release(&run->train);
    curve_release(&run->test);
}
