// SPDX-License-Identifier: Apache-2.0
// `resnet train`: every choice of a training as an option, its course on the terminal.
#include <math.h>
#include <stddef.h>
#include <stdio.h>

#include "console/command.h"
#include "console/failure.h"
#include "console/output.h"
#include "console/progress.h"

typedef struct Arguments {
    resnet_train_options train;
    OptionChannels mean, std;
    int json;
} Arguments;

#define PLACE(field) offsetof(Arguments, train.field)

static const Option options[] = {
    {OPTION_HEADING, "What to train", NULL, 0, NULL},
    {OPTION_TEXT, "model", "NAME", PLACE(model), "architecture (needed); see `resnet models`"},
    {OPTION_TEXT, "data", "SPEC", PLACE(data), "data set (needed)"},
    {OPTION_TEXT, "out", "DIR", PLACE(out),
     "folder for checkpoint, model, metrics.jsonl and TensorBoard events (needed)"},
    {OPTION_FLAG, "resume", NULL, PLACE(resume),
     "go on from DIR's checkpoint where there is one; the result has the same bits as without "
     "the interruption"},
    {OPTION_TEXT, "init", "FILE", PLACE(init),
     "begin with these weights; auxiliary heads (GoogLeNet) that they lack are drawn"},
    {OPTION_CHOICE, "shortcut", "A|B|C", PLACE(shortcut),
     "how shortcuts change dimensions (paper, section 3.3)"},
    {OPTION_CHOICE, "stride-in", "1x1|3x3", PLACE(stride_in),
     "where bottleneck blocks have their stride (default 3x3)"},
    {OPTION_SEED, "seed", "N", PLACE(seed),
     "of initialisation, order and augmentation (default 1)"},

    {OPTION_HEADING, "How to train (what is left out comes from the recipe)", NULL, 0, NULL},
    {OPTION_CHOICE, "recipe", "paper|short|best", PLACE(recipe),
     "paper: section 4.2, 64,000 iterations; short (default): a modern one of 20 epochs; best: "
     "the least error in 50 epochs"},
    {OPTION_POSITIVE, "epochs", "X", PLACE(epochs), "the schedule is scaled along"},
    {OPTION_WHOLE, "iterations", "N", PLACE(iterations), "instead of --epochs"},
    {OPTION_COUNT, "batch", "N", PLACE(batch), "images a step"},
    {OPTION_COUNT, "shard", "N", PLACE(shard),
     "images that share batch statistics (default: the batch)"},
    {OPTION_FLAG, "recompute", NULL, PLACE(recompute),
     "activation checkpointing: keep block inputs only, compute the rest again in the backward "
     "pass; less memory, the same bits, about a third more time (see `resnet summary "
     "--recompute`)"},
    {OPTION_NUMBER, "lr", "X", PLACE(lr), "learning rate at its highest"},
    {OPTION_NUMBER, "shift-rate", "X", PLACE(shift_rate),
     "how many times the learning rate the shifts of norms learn at"},
    {OPTION_CHOICE, "schedule", "step|cosine|one-cycle|constant", PLACE(schedule),
     "how the learning rate falls"},
    {OPTION_NUMBER, "warmup-epochs", "X", PLACE(warmup_epochs), "begin with a low rate"},
    {OPTION_NUMBER, "momentum", "X", PLACE(momentum), "of SGD"},
    {OPTION_FLAG, "nesterov", NULL, PLACE(nesterov), "Nesterov's momentum"},
    {OPTION_NO_FLAG, "no-nesterov", NULL, PLACE(nesterov), "the paper's momentum"},
    {OPTION_NUMBER, "weight-decay", "X", PLACE(weight_decay), "pull towards zero"},
    {OPTION_YES_NO, "decay-norm-bias", "yes|no", PLACE(decay_norm_bias),
     "weight decay for norms and biases too, as in the paper"},
    {OPTION_NUMBER, "label-smoothing", "X", PLACE(label_smoothing), "0.1: targets of 0.9"},
    {OPTION_CHOICE, "augment", "standard|alternating|crop|none", PLACE(augment),
     "standard: pad by 4, crop at random, flip at random; alternating: flip each image in every "
     "second epoch"},
    {OPTION_CHOICE, "border", "zero|mirror", PLACE(border),
     "what crops show beyond the image: zeros, or the image mirrored"},
    {OPTION_NUMBER, "small-share", "X", PLACE(small_share),
     "begin with X of all epochs on cuts of three quarters of the sides: faster steps"},
    {OPTION_CHOICE, "normalize", "channel|pixel", PLACE(normalize),
     "mean and deviation of each channel, or the paper's mean of each pixel"},
    {OPTION_CHANNELS, "mean", "R,G,B", offsetof(Arguments, mean),
     "instead of the data's own: (byte / 255 - mean) / std"},
    {OPTION_CHANNELS, "std", "R,G,B", offsetof(Arguments, std), "see --mean"},
    {OPTION_FLAG, "bn-recompute", NULL, PLACE(bn_recompute),
     "average batch statistics plainly over the training data at the end, as the paper's authors "
     "did"},

    {OPTION_HEADING, "What to measure and keep", NULL, 0, NULL},
    {OPTION_COUNT, "validation", "N", PLACE(validation),
     "hold N training images out and test on them (the paper's 45k/5k: 5000)"},
    {OPTION_COUNT, "train-samples", "N", PLACE(train_samples), "train on N images only"},
    {OPTION_COUNT, "test-samples", "N", PLACE(test_samples), "test on the first N images only"},
    {OPTION_POSITIVE, "test-every", "X", PLACE(test_every), "epochs between tests (default 1)"},
    {OPTION_NUMBER, "save-minutes", "X", PLACE(save_minutes),
     "minutes between checkpoints (default 5); there is one at the end of each epoch, too"},
    {OPTION_WHOLE, "save-every", "N", PLACE(save_every), "iterations between checkpoints"},
    {OPTION_WHOLE, "stop-after", "N", PLACE(stop_after),
     "save and stop after N iterations of this call"},
    {OPTION_FLAG, "log-gradients", NULL, PLACE(log_gradients),
     "norms of gradients and deviations of responses by layer in DIR/gradients.jsonl, each epoch"},
    {OPTION_WHOLE, "log-every", "N", PLACE(log_every), "iterations between these lines instead"},
    {OPTION_COUNT, "threads", "N", PLACE(threads),
     "default: the CPUs that are free to use; any number gives the same bits"},
    {OPTION_FLAG, "json", NULL, offsetof(Arguments, json),
     "one JSON object an epoch: epoch, iteration, train_loss, train_top1, test_loss, test_top1, "
     "lr, seconds"},
    {.kind = OPTION_END}};

typedef struct Course {
    const Arguments *arguments;
    Progress progress;
    resnet_train_progress last;
    bool stop_told;
} Course;

static void course_start(Course *course, const resnet_train_progress *now) {
    const resnet_train_options *train = &course->arguments->train;
    progress_note(&course->progress, "%s on %s: %s iterations, %.4g epochs, into %s", train->model,
                  train->data, figure_whole(now->iterations), now->epochs, train->out);
    if (now->iteration > 0) {
        progress_note(&course->progress, "going on from iteration %s",
                      figure_whole(now->iteration));
    }
}

static void course_epoch(Course *course, const resnet_train_progress *now) {
    progress_note(&course->progress,
                  "epoch %.4g/%.4g  train loss %.4f error %.2f %%  test loss %.4f error %.2f %%  "
                  "lr %.4g  %s",
                  now->epoch, now->epochs, now->train_loss, 100 - now->train_top1, now->test_loss,
                  100 - now->test_top1, now->lr, figure_seconds(now->seconds));
    if (course->arguments->json) {
        json_line(json_pack(
            "{s:f, s:I, s:o, s:o, s:o, s:o, s:f, s:f}", "epoch", now->epoch, "iteration",
            (json_int_t)now->iteration, "train_loss", json_figure(now->train_loss), "train_top1",
            json_figure(now->train_top1), "test_loss", json_figure(now->test_loss), "test_top1",
            json_figure(now->test_top1), "lr", now->lr, "seconds", now->seconds));
    }
}

static void course_follow(void *user, const resnet_train_progress *now) {
    Course *course = user;
    course->last = *now;
    switch (now->event) {
    case RESNET_TRAIN_START:
        course_start(course, now);
        break;
    case RESNET_TRAIN_STEP:
        progress_training(&course->progress, course->arguments->train.model, now);
        if (*course->arguments->train.stop && !course->stop_told) {
            course->stop_told = true;
            progress_note(&course->progress, "stopping: saving the checkpoint");
        }
        break;
    case RESNET_TRAIN_EPOCH:
        course_epoch(course, now);
        break;
    case RESNET_TRAIN_NOTE:
        progress_note(&course->progress, "%s", now->note);
        break;
    case RESNET_TRAIN_DONE:
        break;
    }
}

static resnet_status train_run(int argc, char **argv) {
    Arguments arguments = {0};
    resnet_train_options *train = &arguments.train;
    resnet_train_options_default(train);
    char **operands;
    int count;
    TRY(options_parse(&command_train, argc, argv, &arguments, &operands, &count));
    TRY(options_require(train->model, "--model NAME"));
    TRY(options_require(train->data, "--data SPEC"));
    TRY(options_require(train->out, "--out DIR"));
    TRY(options_check_normalization(&arguments.mean, &arguments.std));
    if (train->epochs >= 0 && train->iterations > 0) {
        return failure_say(RESNET_USAGE, "--epochs and --iterations exclude each other");
    }
    if (arguments.mean.given) {
        train->mean = arguments.mean.value;
        train->std = arguments.std.value;
    }
    train->stop = stop_flag_install();
    Course course = {.arguments = &arguments, .progress = progress_begin()};
    resnet_status status = resnet_train(train, course_follow, &course);
    progress_clear(&course.progress);
    if (status == RESNET_INTERRUPTED) {
        return failure_say(
            RESNET_INTERRUPTED, "stopped at iteration %s of %s, saved in %s; --resume goes on",
            figure_whole(course.last.iteration), figure_whole(course.last.iterations), train->out);
    }
    TRY(status);
    if (!arguments.json) {
        printf("test error %.2f %%, training error %.2f %%, %s; weights in %s/model.safetensors\n",
               100 - course.last.test_top1, 100 - course.last.train_top1,
               figure_seconds(course.last.seconds), train->out);
    }
    return RESNET_OK;
}

const Command command_train = {
    .name = "train",
    .summary = "Trains a network from scratch, or goes on with a training",
    .usage = "--model NAME --data SPEC --out DIR [OPTION]...",
    .details = DATA_SPEC_HELP "\nCtrl-C saves a checkpoint and exits with 130; --resume goes on.",
    .example = "resnet train --model resnet20 --data cifar10:cifar-10-batches-bin \\\n"
               "      --recipe short --out runs/resnet20",
    .options = options,
    .run = train_run,
};
