// SPDX-License-Identifier: Apache-2.0
// The trainings of a campaign, one after another. Time is foretold by work: multiply-adds, of which
// a step takes three times those of a pass, over a rate that a short measurement of one network
// gives first and the trainings themselves later.
#include <math.h>
#include <stdio.h>

#include "console/failure.h"
#include "console/output.h"
#include "console/timing.h"
#include "paper/board.h"
#include "paper/campaign.h"

typedef struct Course {
    Campaign *campaign;
    Board board;
    int lane;          // of the training that runs
    double rate;       // multiply-adds a second; NaN: not known
    double done, time; // work and seconds of this call's trainings that ended
    const volatile sig_atomic_t *stop;
    bool stop_told;
} Course;

static int runs_count(const Campaign *campaign) {
    int count = 0;
    for (int j = 0; j < campaign->count; j++) {
        count += campaign->jobs[j].seeds;
    }
    return count;
}

// Multiply-adds that a run still has to do from an iteration on.
static double run_work(const Campaign *campaign, int index, int64_t from) {
    const Job *job;
    const Run *run = campaign_run(campaign, index, &job);
    const double macs = (double)job->cost.macs;
    const double images = (double)(run->settings.iterations - from) * run->settings.batch;
    const double epochs = images / run->settings.samples;
    return macs * (3 * images + fmin(fmax(1, epochs), 50) * run->settings.test_samples);
}

static double course_left(void *user) {
    const Course *course = user;
    double work = 0;
    for (int i = 0; i < runs_count(course->campaign); i++) {
        const Lane *lane = &course->board.lanes[i];
        if (lane->state == LANE_WAITING || lane->state == LANE_RUNNING) {
            work += run_work(course->campaign, i, lane->iteration);
        }
    }
    return work / course->rate;
}

// A few steps of the first network that is to be trained.
static resnet_status rate_measure(Course *course, int first) {
    const Campaign *campaign = course->campaign;
    const Job *job;
    campaign_run(campaign, first, &job);
    const Net *net = job->net;
    resnet_model_options shape;
    resnet_model_options_default(&shape);
    shape.shortcut = net->shortcut;
    shape.classes = campaign->classes;
    shape.channels = campaign->channels;
    shape.height = campaign->height;
    shape.width = campaign->width;
    resnet_model *model = NULL;
    TRY(resnet_model_create(net->model, &shape, &model));
    const TimingOptions options = {.batch = campaign->batch,
                                   .threads = campaign->options->threads,
                                   .train = true,
                                   .repeat = 2};
    Timing timing;
    resnet_status status = timing_run(model, &options, &timing);
    course->rate = timing.flops / 2 / timing.p50;
    timing_free(&timing);
    resnet_model_free(model);
    return status;
}

// ---- Telling ------------------------------------------------------------------------------------

static void lanes_fill(Course *course) {
    const Campaign *campaign = course->campaign;
    for (int i = 0; i < runs_count(campaign); i++) {
        const Job *job;
        const Run *run = campaign_run(campaign, i, &job);
        Lane *lane = &course->board.lanes[i];
        if (job->seeds > 1) {
            snprintf(lane->name, sizeof lane->name, "%s seed %d", job->net->title,
                     (int)run->settings.seed);
        } else {
            snprintf(lane->name, sizeof lane->name, "%s", job->net->title);
        }
        lane->iterations = run->settings.iterations;
        lane->iteration = run->begun;
    }
}

static void lane_finish(Course *course, int index, LaneState state) {
    const Run *run = campaign_run(course->campaign, index, NULL);
    Lane *lane = &course->board.lanes[index];
    lane->state = state;
    lane->iteration = lane->iterations;
    lane->train_error = run->train_error.value;
    lane->test_error = run->test_error.value;
    lane->seconds = run->seconds;
    board_done(&course->board, index);
}

// Finished runs are read and told; how long the others will take.
static resnet_status course_announce(Course *course, int *waiting) {
    const int count = runs_count(course->campaign);
    int first = -1;
    *waiting = 0;
    for (int i = 0; i < count; i++) {
        Run *run = campaign_run(course->campaign, i, NULL);
        if (run->finished) {
            TRY(run_read(run));
            lane_finish(course, i, LANE_EARLIER);
        } else {
            first = first < 0 ? i : first;
            (*waiting)++;
        }
    }
    if (*waiting == 0) {
        return RESNET_OK;
    }
    TRY(rate_measure(course, first));
    for (int i = 0; i < count; i++) {
        Lane *lane = &course->board.lanes[i];
        if (lane->state == LANE_WAITING) {
            lane->seconds = run_work(course->campaign, i, lane->iteration) / course->rate;
        }
    }
    board_note(&course->board, "%d training%s, %d of them finished earlier; about %s to go", count,
               count == 1 ? "" : "s", count - *waiting, figure_seconds(course_left(course)));
    return RESNET_OK;
}

// ---- Training -----------------------------------------------------------------------------------

static void course_follow(void *user, const resnet_train_progress *now) {
    Course *course = user;
    const char *name = course->board.lanes[course->lane].name;
    switch (now->event) {
    case RESNET_TRAIN_START:
        if (now->iteration > 0) {
            board_note(&course->board, "%s: going on from iteration %s", name,
                       figure_whole(now->iteration));
        }
        break;
    case RESNET_TRAIN_STEP:
        board_step(&course->board, course->lane, now);
        if (*course->stop && !course->stop_told) {
            course->stop_told = true;
            board_note(&course->board, "stopping: saving the checkpoint");
        }
        break;
    case RESNET_TRAIN_NOTE:
        if (!course->board.table) {
            board_note(&course->board, "%s: %s", name, now->note);
        }
        break;
    case RESNET_TRAIN_EPOCH:
    case RESNET_TRAIN_DONE:
        break;
    }
}

static resnet_status course_run(Course *course, int index) {
    Run *run = campaign_run(course->campaign, index, NULL);
    const int64_t from = run->begun;
    const double begin = measure_clock();
    course->lane = index;
    TRY(run_train(run, course_follow, course, course->stop));
    TRY(run_read(run));
    course->time += measure_clock() - begin;
    course->done += run_work(course->campaign, index, from);
    course->rate = course->done / course->time;
    lane_finish(course, index, LANE_DONE);
    return RESNET_OK;
}

static resnet_status course_train(Course *course) {
    int waiting;
    TRY(board_begin(&course->board, runs_count(course->campaign)));
    course->board.left = course_left;
    course->board.user = course;
    lanes_fill(course);
    TRY(course_announce(course, &waiting));
    const Run *run;
    for (int i = 0; (run = campaign_run(course->campaign, i, NULL)) != NULL; i++) {
        if (!run->finished) {
            TRY(course_run(course, i));
        }
    }
    return RESNET_OK;
}

resnet_status campaign_train(Campaign *campaign, const volatile sig_atomic_t *stop) {
    Course course = {.campaign = campaign, .rate = NAN, .stop = stop};
    resnet_status status = course_train(&course);
    board_end(&course.board);
    return status;
}
