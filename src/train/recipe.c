// SPDX-License-Identifier: Apache-2.0
#include "train/recipe.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

typedef struct RecipeRow {
    const char *name;
    int batch;
    double epochs;      // 0: by iterations
    int64_t iterations; // 0: by epochs
    double lr, shift_rate, momentum, weight_decay, label_smoothing;
    double small_share;
    MomentumForm form;
    bool decay_norm_bias;
    ScheduleKind schedule;
    Flip flip;
    Border border;
    bool pixel_mean;
    bool careful_start; // of very deep nets
} RecipeRow;

static const RecipeRow ROWS[] = {
    // Paper, §4.2: "weight decay of 0.0001 and momentum of 0.9 ... mini-batch size of 128 ...
    // learning rate of 0.1, divide it by 10 at 32k and 48k iterations, and terminate at 64k".
    {
        .name = "paper",
        .batch = 128,
        .iterations = 64000,
        .lr = 0.1,
        .shift_rate = 1,
        .momentum = 0.9,
        .weight_decay = 1e-4,
        .form = MOMENTUM_PAPER,
        .decay_norm_bias = true,
        .schedule = SCHEDULE_STEP,
        .flip = FLIP_RANDOM,
        .pixel_mean = true,
        .careful_start = true,
    },
    // A high rate for a short time (Smith's one-cycle). No label smoothing: in so few epochs these
    // small nets do not overfit, and it would only blur what they learn.
    {
        .name = "short",
        .batch = 128,
        .epochs = 20,
        .lr = 0.2,
        .shift_rate = 1,
        .momentum = 0.9,
        .weight_decay = 5e-4,
        .form = MOMENTUM_NESTEROV,
        .decay_norm_bias = false,
        .schedule = SCHEDULE_ONE_CYCLE,
        .flip = FLIP_ALTERNATING,
        .pixel_mean = false,
    },
    // The least error that we know how to get out of these nets in a given time: `short`, longer,
    // with shifts that learn faster, borders without black bars, and steps that cost less while
    // the rate is high and details are lost anyway. See docs/measurements.md.
    {
        .name = "best",
        .batch = 128,
        .epochs = 50,
        .lr = 0.2,
        .shift_rate = 16,
        .small_share = 0.5,
        .momentum = 0.9,
        .weight_decay = 5e-4,
        .form = MOMENTUM_NESTEROV,
        .decay_norm_bias = false,
        .schedule = SCHEDULE_ONE_CYCLE,
        .flip = FLIP_ALTERNATING,
        .border = BORDER_MIRROR,
        .pixel_mean = false,
    },
};

enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

static const int64_t CAREFUL_ITERATIONS = 400;
static const double WARMUP_SHARE = 0.25; // of a one-cycle schedule

static const RecipeRow *row_find(const char *name) {
    for (int i = 0; i < ROW_COUNT; i++) {
        if (strcmp(ROWS[i].name, name) == 0) {
            return &ROWS[i];
        }
    }
    return NULL;
}

// ---- checks -------------------------------------------------------------------------------------

static Status check_range(const char *option, double value, bool allowed, const char *range) {
    return allowed ? STATUS_OK
                   : status_fail(STATUS_USAGE, "%s is %s, expected %s", option,
                                 number_double(value).text, range);
}

static Status check_numbers(const TrainOptions *o) {
    TRY(check_range("batch", o->batch, o->batch >= 0 && o->batch <= 1 << 20, "1 ... 1048576"));
    TRY(check_range("shard", o->shard, o->shard >= 0, "at least 1"));
    TRY(check_range("threads", o->threads, o->threads >= 0 && o->threads <= THREADS_MAX,
                    "1 ... 256"));
    TRY(check_range("epochs", o->epochs, o->epochs < 0 || (o->epochs > 0 && o->epochs <= 1e6),
                    "a number above 0 and up to a million"));
    TRY(check_range("iterations", (double)o->iterations,
                    o->iterations >= 0 && o->iterations <= INT64_C(1000000000000),
                    "1 ... 1000000000000"));
    TRY(check_range("lr", o->lr, isfinite(o->lr), "a finite number"));
    TRY(check_range("shift-rate", o->shift_rate, o->shift_rate <= 1e6, "0 to a million"));
    TRY(check_range("small-share", o->small_share, o->small_share <= 0.9, "0 to 0.9"));
    TRY(check_range("momentum", o->momentum, o->momentum < 1, "0 or more and below 1"));
    TRY(check_range("weight-decay", o->weight_decay, isfinite(o->weight_decay), "a finite number"));
    TRY(check_range("label-smoothing", o->label_smoothing, o->label_smoothing < 1,
                    "0 or more and below 1"));
    TRY(check_range("warmup-epochs", o->warmup_epochs, o->warmup_epochs <= 1e6,
                    "at most a million"));
    TRY(check_range("validation", o->validation, o->validation >= 0, "0 or more"));
    TRY(check_range("train-samples", o->train_samples, o->train_samples >= 0, "0 or more"));
    TRY(check_range("test-samples", o->test_samples, o->test_samples >= 0, "0 or more"));
    TRY(check_range("test-every", o->test_every, o->test_every > 0 && o->test_every <= 1e6,
                    "a number of epochs above 0"));
    TRY(check_range("save-every", (double)o->save_every, o->save_every >= 0, "0 or more"));
    TRY(check_range("log-every", (double)o->log_every, o->log_every >= 0, "0 or more"));
    TRY(check_range("stop-after", (double)o->stop_after, o->stop_after >= 0, "0 or more"));
    if (o->epochs > 0 && o->iterations > 0) {
        return status_fail(STATUS_USAGE,
                           "epochs %s and iterations %" PRId64
                           " are both given, only one of them can hold",
                           number_double(o->epochs).text, o->iterations);
    }
    return STATUS_OK;
}

static Status check_normalization(const TrainOptions *options) {
    if ((options->mean == NULL) != (options->std == NULL)) {
        return status_fail(STATUS_USAGE, "mean and std must be given together");
    }
    for (int c = 0; c < 3 && options->mean != NULL; c++) {
        if (!isfinite(options->mean[c]) || !isfinite(options->std[c]) || !(options->std[c] > 0)) {
            return status_fail(STATUS_USAGE, "mean %s and std %s of channel %d cannot be used",
                               number_float(options->mean[c]).text,
                               number_float(options->std[c]).text, c);
        }
    }
    if (options->mean != NULL && options->normalize != NULL &&
        strcmp(options->normalize, "pixel") == 0) {
        return status_fail(STATUS_USAGE,
                           "mean and std are given for channels, so normalize cannot be pixel");
    }
    return STATUS_OK;
}

static Status settle_words(const TrainOptions *options, Recipe *recipe) {
    if (options->schedule != NULL && !schedule_parse(options->schedule, &recipe->schedule.kind)) {
        return status_fail(STATUS_USAGE,
                           "schedule '%s' is none of step, cosine, one-cycle, constant",
                           options->schedule);
    }
    const char *augment = options->augment;
    if (augment != NULL && strcmp(augment, "standard") != 0 &&
        strcmp(augment, "alternating") != 0 && strcmp(augment, "crop") != 0 &&
        strcmp(augment, "none") != 0) {
        return status_fail(STATUS_USAGE,
                           "augment '%s' is none of standard, alternating, crop, none", augment);
    }
    const char *border = options->border;
    if (border != NULL && strcmp(border, "zero") != 0 && strcmp(border, "mirror") != 0) {
        return status_fail(STATUS_USAGE, "border '%s' is neither zero nor mirror", border);
    }
    if (border != NULL) {
        recipe->border = strcmp(border, "mirror") == 0 ? BORDER_MIRROR : BORDER_ZERO;
    }
    const char *normalize = options->normalize;
    if (normalize != NULL && strcmp(normalize, "channel") != 0 && strcmp(normalize, "pixel") != 0) {
        return status_fail(STATUS_USAGE, "normalize '%s' is neither channel nor pixel", normalize);
    }
    TRY(check_normalization(options));
    if (options->mean != NULL) {
        recipe->pixel_mean = false;
    } else if (normalize != NULL) {
        recipe->pixel_mean = strcmp(normalize, "pixel") == 0;
    }
    return STATUS_OK;
}

// ---- settling -----------------------------------------------------------------------------------

static double chosen(double option, double row) { return option < 0 ? row : option; }

Status recipe_begin(const TrainOptions *options, Recipe *out) {
    if (options->model == NULL || options->data == NULL || options->out == NULL) {
        return status_fail(STATUS_USAGE, "a training needs a model, data and a folder to write to");
    }
    const char *name = options->recipe != NULL ? options->recipe : "short";
    const RecipeRow *row = row_find(name);
    if (row == NULL) {
        return status_fail(STATUS_USAGE, "recipe '%s' is none of paper, short, best", name);
    }
    TRY(check_numbers(options));
    MomentumForm form = row->form;
    if (options->nesterov == 1) {
        form = MOMENTUM_NESTEROV;
    } else if (options->nesterov == 0 && form == MOMENTUM_NESTEROV) {
        form = MOMENTUM_PYTORCH;
    }
    *out = (Recipe){
        .name = row->name,
        .batch = options->batch > 0 ? options->batch : row->batch,
        .schedule = {.kind = row->schedule, .lr = chosen(options->lr, row->lr)},
        .optimizer = {.form = form,
                      .momentum = chosen(options->momentum, row->momentum),
                      .weight_decay = chosen(options->weight_decay, row->weight_decay),
                      .decay_norm_bias = options->decay_norm_bias < 0 ? row->decay_norm_bias
                                                                      : options->decay_norm_bias,
                      .shift_rate = chosen(options->shift_rate, row->shift_rate)},
        .label_smoothing = chosen(options->label_smoothing, row->label_smoothing),
        .border = row->border,
        .pixel_mean = row->pixel_mean,
    };
    out->shard = options->shard > 0 ? options->shard : out->batch;
    if (out->shard > out->batch) {
        return status_fail(STATUS_USAGE, "a shard of %d samples is larger than the batch of %d",
                           out->shard, out->batch);
    }
    return settle_words(options, out);
}

// The nets that did not start to learn at 0.1 (paper §4.2), and the plain one of that depth.
static bool is_very_deep(const char *model) {
    return strcmp(model, "resnet110") == 0 || strcmp(model, "resnet1202") == 0 ||
           strcmp(model, "plain110") == 0;
}

// Three quarters of an image's sides: 24x24 of 32x32, for a little more than half the work.
static Shape cut_of(const Dataset *set) {
    return (Shape){set->channels, set->height - set->height / 4, set->width - set->width / 4};
}

// Whether the net takes cuts with the parameters that it has for whole images.
static bool takes_cuts(const TrainOptions *options, const Dataset *set) {
    ModelOptions model = {
        .classes = set->classes, .input = {set->channels, set->height, set->width}, .loss = true};
    Graph *whole = NULL, *small = NULL;
    bool takes = model_build(options->model, &model, &whole) == STATUS_OK;
    model.input = cut_of(set);
    takes = takes && model_build(options->model, &model, &small) == STATUS_OK &&
            small->param_count == whole->param_count && graph_begins_with(whole, small);
    graph_destroy(whole);
    graph_destroy(small);
    return takes;
}

// How long cuts are seen: whole epochs.
static Status settle_cuts(const TrainOptions *options, const Dataset *set, double share,
                          Recipe *recipe) {
    const bool asked = options->small_share > 0;
    share = options->small_share >= 0 ? options->small_share : recipe->augment_crop ? share : 0;
    const double epochs = (double)recipe->schedule.iterations / (double)recipe->steps_per_epoch;
    const int64_t cut = (int64_t)floor(share * epochs + 1e-9) * recipe->steps_per_epoch;
    if (cut > 0 && !takes_cuts(options, set)) {
        return !asked ? STATUS_OK
                      : status_fail(STATUS_USAGE,
                                    "small-share is %s, but %s takes whole images of %s only",
                                    number_double(share).text, options->model, set->name);
    }
    recipe->cut = cut_of(set);
    recipe->cut_iterations = cut;
    return STATUS_OK;
}

static int64_t epochs_to_steps(double epochs, int64_t steps_per_epoch) {
    int64_t steps = (int64_t)floor(epochs * (double)steps_per_epoch + 0.5);
    return steps > 0 ? steps : 1;
}

Status recipe_settle(const TrainOptions *options, const TrainData *data, Recipe *recipe) {
    const RecipeRow *row = row_find(recipe->name);
    int64_t samples = data->train->count;
    if (samples == 0) {
        return status_fail(STATUS_FAILED, "%s: there are no training samples", options->data);
    }
    recipe->steps_per_epoch = (samples + recipe->batch - 1) / recipe->batch;
    Schedule *schedule = &recipe->schedule;
    if (options->epochs > 0) {
        schedule->iterations = epochs_to_steps(options->epochs, recipe->steps_per_epoch);
    } else if (options->iterations > 0) {
        schedule->iterations = options->iterations;
    } else if (row->epochs > 0) {
        schedule->iterations = epochs_to_steps(row->epochs, recipe->steps_per_epoch);
    } else {
        schedule->iterations = row->iterations;
    }
    if (options->warmup_epochs >= 0) {
        schedule->warmup =
            (int64_t)floor(options->warmup_epochs * (double)recipe->steps_per_epoch + 0.5);
    } else if (schedule->kind == SCHEDULE_ONE_CYCLE) {
        schedule->warmup = (int64_t)(WARMUP_SHARE * (double)schedule->iterations);
    } else if (row->careful_start && is_very_deep(options->model)) {
        int64_t tenth = schedule->iterations / 10;
        schedule->careful = tenth < CAREFUL_ITERATIONS ? tenth : CAREFUL_ITERATIONS;
    }
    if (schedule->warmup > schedule->iterations) {
        schedule->warmup = schedule->iterations;
    }
    const char *augment = options->augment;
    if (augment == NULL) {
        recipe->augment_crop = true;
        // A mirrored 2 is no digit.
        recipe->flip = strcmp(data->train->name, "mnist") != 0 ? row->flip : FLIP_NONE;
    } else {
        recipe->augment_crop = strcmp(augment, "none") != 0;
        recipe->flip = strcmp(augment, "standard") == 0      ? FLIP_RANDOM
                       : strcmp(augment, "alternating") == 0 ? FLIP_ALTERNATING
                                                             : FLIP_NONE;
    }
    return settle_cuts(options, data->train, row->small_share, recipe);
}

// ---- as text ------------------------------------------------------------------------------------

typedef struct FieldList {
    RecipeField *fields;
    int count;
} FieldList;

static void add(FieldList *list, const char *name, const char *text) {
    assert(list->count < RECIPE_FIELDS);
    RecipeField *field = &list->fields[list->count++];
    field->name = name;
    snprintf(field->text, sizeof field->text, "%s", text);
}

static void add_integer(FieldList *list, const char *name, int64_t value) {
    add(list, name, number_integer(value).text);
}

static void add_number(FieldList *list, const char *name, double value) {
    add(list, name, number_double(value).text);
}

static void add_channels(FieldList *list, const char *name, const float *values) {
    char text[120] = "of the data";
    if (values != NULL) {
        snprintf(text, sizeof text, "%s,%s,%s", number_float(values[0]).text,
                 number_float(values[1]).text, number_float(values[2]).text);
    }
    add(list, name, text);
}

void recipe_fields(const TrainOptions *options, const TrainData *data, const Recipe *recipe,
                   RecipeField fields[RECIPE_FIELDS]) {
    FieldList list = {fields, 0};
    char text[160];
    add(&list, "model", options->model);
    add(&list, "shortcut", options->shortcut != NULL ? options->shortcut : "default");
    add(&list, "stride-in", options->stride_in != NULL ? options->stride_in : "default");
    snprintf(text, sizeof text, "%s with %u and %u samples, checksum %s", data->train->name,
             data->train->count, data->test->count, number_bits(data->checksum).text);
    add(&list, "data", text);
    add(&list, "recipe", recipe->name);
    snprintf(text, sizeof text, "%" PRIu64, options->seed);
    add(&list, "seed", text);
    add(&list, "init", options->init != NULL ? "from a file" : "drawn by seed");
    add_integer(&list, "batch", recipe->batch);
    add_integer(&list, "shard", recipe->shard);
    add_integer(&list, "iterations", recipe->schedule.iterations);
    add_number(&list, "lr", recipe->schedule.lr);
    add_number(&list, "shift-rate", recipe->optimizer.shift_rate);
    add_number(&list, "momentum", recipe->optimizer.momentum);
    add(&list, "momentum-form", momentum_form_name(recipe->optimizer.form));
    add_number(&list, "weight-decay", recipe->optimizer.weight_decay);
    add_integer(&list, "decay-norm-bias", recipe->optimizer.decay_norm_bias);
    add_number(&list, "label-smoothing", recipe->label_smoothing);
    add(&list, "schedule", schedule_name(recipe->schedule.kind));
    add_integer(&list, "warmup-iterations", recipe->schedule.warmup);
    static const char *const flips[] = {"", " and flip", " and alternating flip"};
    snprintf(text, sizeof text, "%s%s", recipe->augment_crop ? "crop" : "none",
             flips[recipe->flip]);
    add(&list, "augment", text);
    add(&list, "border", recipe->border == BORDER_MIRROR ? "mirror" : "zero");
    add_integer(&list, "small-iterations", recipe->cut_iterations);
    add(&list, "normalize", recipe->pixel_mean ? "pixel" : "channel");
    add_channels(&list, "mean", options->mean);
    add_channels(&list, "std", options->std);
    add_integer(&list, "bn-recompute", options->bn_recompute != 0);
    add_integer(&list, "validation", options->validation);
    add_integer(&list, "train-samples", options->train_samples);
    assert(list.count == RECIPE_FIELDS);
}
