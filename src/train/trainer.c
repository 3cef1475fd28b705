// SPDX-License-Identifier: Apache-2.0
// The loop. What must hold at every moment, so that a process killed anywhere goes on exactly:
// a line is written before the checkpoint that stands behind it (a line without checkpoint is
// dropped when the training goes on, and written again), and the model before the last checkpoint.
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/files.h"
#include "train/metrics.h"
#include "train/training.h"
#include "weights/model_io.h"

static const double SAVE_MINUTES = 5;

typedef struct Run {
    const TrainOptions *options;
    TrainCallback *callback;
    void *user;
    Training training;
    Metrics *metrics;
    TrainProgress progress;
    int64_t test_interval; // iterations
    double begun;          // clock at which the training would have begun without interruptions
    double saved;          // clock at the last checkpoint
    int64_t steps;         // of this call
    // For the speed and the time that is left: of its steps on images of this size, and of the last
    // evaluation.
    int64_t timed_steps, step_images;
    double step_seconds, test_seconds;
} Run;

void train_options_default(TrainOptions *options) {
    *options = (TrainOptions){
        .seed = 1,
        .epochs = -1,
        .lr = -1,
        .momentum = -1,
        .weight_decay = -1,
        .label_smoothing = -1,
        .shift_rate = -1,
        .small_share = -1,
        .nesterov = -1,
        .decay_norm_bias = -1,
        .warmup_epochs = -1,
        .test_every = 1,
        .save_minutes = -1,
    };
}

// ---- telling ------------------------------------------------------------------------------------

static double run_epoch(const Run *run) {
    return (double)run->training.state.iteration / (double)run->training.recipe.steps_per_epoch;
}

// In steps like the last one: whole images take as much more time than cuts as they have more
// pixels.
static double steps_left(const Run *run) {
    const Training *training = &run->training;
    const Recipe *recipe = &training->recipe;
    const int64_t iteration = training->state.iteration;
    if (!training->cuts) {
        return (double)(recipe->schedule.iterations - iteration);
    }
    const Preprocess *whole = &training->data.preprocess;
    const double longer =
        (double)whole->height * whole->width / ((double)recipe->cut.height * recipe->cut.width);
    return (double)(recipe->cut_iterations - iteration) +
           (double)(recipe->schedule.iterations - recipe->cut_iterations) * longer;
}

static void tell(Run *run, TrainEvent event, const char *note) {
    TrainProgress *progress = &run->progress;
    const TrainState *state = &run->training.state;
    const Recipe *recipe = &run->training.recipe;
    int64_t left = recipe->schedule.iterations - state->iteration;
    progress->event = event;
    progress->note = note;
    progress->iteration = state->iteration;
    progress->iterations = recipe->schedule.iterations;
    progress->epoch = run_epoch(run);
    progress->epochs = (double)progress->iterations / (double)recipe->steps_per_epoch;
    if (state->sums.samples > 0) {
        progress->train_loss = state->sums.loss / (double)state->sums.samples;
        progress->train_top1 = 100 * (double)state->sums.correct / (double)state->sums.samples;
    }
    progress->seconds = clock_seconds() - run->begun;
    if (run->step_seconds > 0) {
        int64_t tests = (left + run->test_interval - 1) / run->test_interval;
        progress->images_per_second = (double)run->step_images / run->step_seconds;
        progress->eta_seconds = steps_left(run) * run->step_seconds / (double)run->timed_steps +
                                (double)tests * run->test_seconds;
    }
    if (run->callback != NULL) {
        run->callback(run->user, progress);
    }
}

// A line for the moment between two steps, with an evaluation when one is due.
static Status write_line(Run *run, bool test) {
    TrainProgress *progress = &run->progress;
    MetricsLine line = {.test_loss = NAN, .test_top1 = NAN};
    if (test) {
        Evaluation evaluation;
        double start = clock_seconds();
        training_evaluate(&run->training, &evaluation);
        run->test_seconds = clock_seconds() - start;
        line.test_loss = evaluation.loss;
        line.test_top1 = 100 * (double)evaluation.correct / (double)evaluation.samples;
        progress->test_loss = line.test_loss;
        progress->test_top1 = line.test_top1;
    }
    tell(run, TRAIN_EPOCH, NULL);
    line.epoch = progress->epoch;
    line.iteration = progress->iteration;
    line.train_loss = progress->train_loss;
    line.train_top1 = progress->train_top1;
    line.lr = progress->lr;
    line.seconds = progress->seconds;
    return metrics_write(run->metrics, &line);
}

static Status write_gradients(Run *run) {
    const Training *training = &run->training;
    return metrics_write_gradients(run->metrics, training->graph, training->model->parameters,
                                   run_epoch(run), training->state.iteration);
}

// ---- saving and stopping ------------------------------------------------------------------------

static Status save(Run *run) {
    const Training *training = &run->training;
    TRY(checkpoint_save(training->checkpoint_path, training->model, training->graph,
                        training->fields, &training->state));
    run->saved = clock_seconds();
    return STATUS_OK;
}

static bool save_is_due(const Run *run) {
    const TrainOptions *options = run->options;
    double minutes = options->save_minutes < 0 ? SAVE_MINUTES : options->save_minutes;
    return (options->save_every > 0 && run->training.state.iteration % options->save_every == 0) ||
           clock_seconds() - run->saved >= 60 * minutes;
}

static bool stop_is_asked(const Run *run) {
    const TrainOptions *options = run->options;
    return (options->stop != NULL && *options->stop != 0) ||
           (options->stop_after > 0 && run->steps >= options->stop_after);
}

static Status stopped(const Run *run) {
    return status_fail(STATUS_INTERRUPTED, "stopped at iteration %" PRId64 "; go on with --resume",
                       run->training.state.iteration);
}

// ---- the loop -----------------------------------------------------------------------------------

static Status step(Run *run) {
    Training *training = &run->training;
    const Schedule *schedule = &training->recipe.schedule;
    int64_t iteration = training->state.iteration, samples = training->state.sums.samples;
    char note[128];
    run->progress.lr = schedule_lr(schedule, iteration);
    if (schedule_note(schedule, iteration, note, sizeof note)) {
        tell(run, TRAIN_NOTE, note);
    }
    double start = clock_seconds();
    TRY(training_step(training, run->progress.lr));
    run->step_seconds += clock_seconds() - start;
    run->step_images += training->state.sums.samples - samples;
    run->steps++;
    run->timed_steps++;
    tell(run, TRAIN_STEP, NULL);
    return STATUS_OK;
}

// From cuts to whole images.
static Status grow(Run *run) {
    TRY(training_fit(&run->training));
    training_seek(&run->training);
    run->timed_steps = run->step_images = 0;
    run->step_seconds = 0;
    tell(run, TRAIN_NOTE, "whole images from here on");
    return STATUS_OK;
}

// What comes between a step and the next one.
static Status between(Run *run) {
    TrainState *state = &run->training.state;
    const int64_t log_every = run->options->log_every;
    bool epoch_ends = state->iteration % run->training.recipe.steps_per_epoch == 0;
    bool test = state->iteration % run->test_interval == 0;
    if (epoch_ends || test) {
        TRY(write_line(run, test));
    }
    if (log_every > 0 ? state->iteration % log_every == 0 : epoch_ends) {
        TRY(write_gradients(run));
    }
    if (epoch_ends) {
        state->sums = (EpochSums){0};
    }
    bool stops = stop_is_asked(run);
    if (epoch_ends || stops || save_is_due(run)) {
        TRY(save(run));
    }
    return stops ? stopped(run) : STATUS_OK;
}

// What comes behind the last step.
static Status finish(Run *run) {
    Training *training = &run->training;
    if (run->steps > 0) {
        TRY(write_gradients(run));
    }
    if (run->options->bn_recompute) {
        TRY(save(run));
        if (!training_average_norms(training)) {
            return stopped(run);
        }
    }
    TRY(write_line(run, true));
    TRY(model_file_save(training->model, training->model_path));
    training->state.complete = true;
    return save(run);
}

static Status run_steps(Run *run) {
    Training *training = &run->training;
    TRY(directory_create(run->options->out));
    int64_t iteration = training->state.iteration;
    // The line behind the last step comes after everything else, see finish().
    bool steps_done = iteration == training->recipe.schedule.iterations;
    TRY(metrics_open(run->options->out, steps_done ? iteration - 1 : iteration, iteration,
                     run->options->log_gradients != 0, &run->metrics));
    run->saved = clock_seconds();
    training_seek(training);
    tell(run, TRAIN_START, NULL);
    if (!training->heads) {
        char note[256];
        snprintf(note, sizeof note,
                 "%.160s: has no auxiliary heads that fit, so they begin as drawn by the seed",
                 run->options->init);
        tell(run, TRAIN_NOTE, note);
    }
    while (training->state.iteration < training->recipe.schedule.iterations) {
        if (training->cuts && training->state.iteration >= training->recipe.cut_iterations) {
            TRY(grow(run));
        }
        TRY(step(run));
        if (training->state.iteration < training->recipe.schedule.iterations) {
            TRY(between(run));
        }
    }
    return finish(run);
}

static Status run_all(Run *run) {
    Training *training = &run->training;
    double interval = run->options->test_every * (double)training->recipe.steps_per_epoch;
    run->test_interval = interval < 1.5 ? 1 : (int64_t)(interval + 0.5);
    MetricsLine last = {.test_loss = NAN, .test_top1 = NAN};
    if (training->resumed) {
        metrics_last(run->options->out, training->state.iteration, &last);
    }
    run->begun = clock_seconds() - (isfinite(last.seconds) ? last.seconds : 0);
    int64_t done = training->state.iteration;
    run->progress.lr = schedule_lr(&training->recipe.schedule, done > 0 ? done - 1 : 0);
    run->progress.test_loss = last.test_loss;
    run->progress.test_top1 = last.test_top1;
    if (training->state.complete) {
        if (!file_exists(training->model_path)) {
            TRY(model_file_save(training->model, training->model_path));
        }
    } else {
        TRY(run_steps(run));
    }
    tell(run, TRAIN_DONE, NULL);
    return STATUS_OK;
}

Status train_run(const TrainOptions *options, TrainCallback *callback, void *user) {
    Run run = {.options = options, .callback = callback, .user = user};
    TRY(training_open(options, &run.training));
    Status status = run_all(&run);
    metrics_close(run.metrics);
    training_close(&run.training);
    return status;
}
