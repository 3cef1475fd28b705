// SPDX-License-Identifier: Apache-2.0
// A session on a data set: accuracy, and the logits.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/classes.h"
#include "api/session.h"
#include "base/files.h"
#include "formats/npy.h"

typedef struct Run {
    resnet_session *session;
    const Dataset *set;
    Preprocess preprocess;
    resnet_evaluate_options options;
    EvaluateOptions evaluate; // what of it belongs to every way
    Evaluation result;
    double start; // seconds
} Run;

void resnet_evaluate_options_default(resnet_evaluate_options *options) {
    *options = (resnet_evaluate_options){.views = RESNET_VIEWS_CENTER};
}

// ---- what the caller is told --------------------------------------------------------------------

static resnet_evaluation figures(const Run *run, const Evaluation *result) {
    double samples = result->samples > 0 ? (double)result->samples : 1;
    double seconds = clock_seconds() - run->start;
    return (resnet_evaluation){
        .samples = (int)result->samples,
        .correct = (int)result->correct,
        .correct5 = (int)result->correct5,
        .failed = (int)result->failed,
        .top1 = 100 * (double)result->correct / samples,
        .top5 = 100 * (double)result->correct5 / samples,
        .loss = result->loss,
        .seconds = seconds,
        .images_per_second = seconds > 0 ? (double)result->samples / seconds : 0,
    };
}

static void tell_failure(void *user, const char *sentence) {
    const Run *run = user;
    if (run->options.failure != NULL) {
        run->options.failure(run->options.user, sentence);
    }
}

static void tell_progress(void *user, const Evaluation *so_far) {
    const Run *run = user;
    if (run->options.progress != NULL) {
        Evaluation mean = *so_far;
        evaluation_finish(&mean);
        resnet_evaluation told = figures(run, &mean);
        run->options.progress(run->options.user, &told, (int)run->set->count);
    }
}

// ---- the ways through the data -----------------------------------------------------------------

static Status run_loader(Run *run) {
    bool photographs = run->set->paths != NULL;
    int batch = run->session->batch;
    LoaderOptions options = {.batch = batch,
                             .workers = photographs ? threads_count(run->session->threads) : 1,
                             .ahead = LOADER_AHEAD,
                             .exif = run->options.exif != 0};
    ViewScores scores = {0};
    run->evaluate.batch = batch;
    if (run->options.views == RESNET_VIEWS_TEN_CROP) {
        options.views = VIEWS_TEN_CROP;
        run->evaluate.views = views_count(options.views);
        options.batch = (batch + run->evaluate.views - 1) / run->evaluate.views;
        TRY(view_scores_create(resnet_model_classes(run->session->model), &scores));
        run->evaluate.scores = &scores;
    }
    Loader *loader = NULL;
    Status status = loader_create(run->set, &run->preprocess, &options, &loader);
    if (status == STATUS_OK) {
        evaluate_run(run->session->network, loader, &run->evaluate, &run->result);
    }
    loader_destroy(loader);
    view_scores_destroy(&scores);
    return status;
}

static Status scales_of_file(const Run *run, const char *path, ViewScores *scores) {
    Image picture;
    TRY(image_read(path, run->preprocess.channels, run->options.exif != 0, &picture));
    view_scores_clear(scores);
    Status status =
        scales_run(run->session->scales, path, &picture, &run->preprocess, NULL, scores);
    image_free(&picture);
    return status;
}

// One picture after the other, each in networks of its own size.
static void run_scales(Run *run, ViewScores *scores) {
    const EvaluateOptions *evaluate = &run->evaluate;
    int classes = scores->classes;
    for (uint32_t i = 0; i < run->set->count; i++) {
        Status status = scales_of_file(run, run->set->paths[i], scores);
        if (status == STATUS_OK) {
            int32_t label = run->set->labels[i];
            label = evaluate->labels != NULL ? evaluate->labels[label] : label;
            view_scores_average(scores);
            evaluation_add(&run->result, scores->logits, classes, label);
        } else {
            run->result.failed++;
            tell_failure(run, status_message());
        }
        for (int c = 0; c < classes && evaluate->logits != NULL; c++) {
            evaluate->logits[(size_t)i * (size_t)classes + (size_t)c] =
                status == STATUS_OK ? scores->logits[c] : NAN;
        }
        tell_progress(run, &run->result);
    }
    evaluation_finish(&run->result);
}

static Status run_views(Run *run) {
    if (run->options.views == RESNET_VIEWS_CENTER || run->set->paths == NULL) {
        if (run->options.views != RESNET_VIEWS_CENTER) {
            return status_fail(STATUS_USAGE,
                               "several views are for photographs: the images of %s have the "
                               "network's size",
                               run->set->name);
        }
        return run_loader(run);
    }
    if (run->options.views == RESNET_VIEWS_TEN_CROP) {
        return run_loader(run);
    }
    TRY(session_scales(run->session));
    ViewScores scores;
    TRY(view_scores_create(resnet_model_classes(run->session->model), &scores));
    run_scales(run, &scores);
    view_scores_destroy(&scores);
    return STATUS_OK;
}

// ---- the public function -----------------------------------------------------------------------

static Status evaluate(Run *run, resnet_evaluation *out) {
    const char *logits_path = run->options.logits;
    size_t classes = (size_t)resnet_model_classes(run->session->model);
    if (logits_path != NULL) {
        run->evaluate.logits =
            malloc((size_t)run->set->count * classes * sizeof *run->evaluate.logits + 1);
        if (run->evaluate.logits == NULL) {
            return (Status)out_of_memory("the logits");
        }
    }
    run->start = clock_seconds();
    Status status = run_views(run);
    if (status == STATUS_OK) {
        *out = figures(run, &run->result);
    }
    if (status == STATUS_OK && logits_path != NULL) {
        const int64_t dims[2] = {run->set->count, (int64_t)classes};
        status = npy_write(logits_path, run->evaluate.logits, dims, 2);
    }
    free(run->evaluate.logits);
    return status;
}

resnet_status resnet_session_evaluate(resnet_session *session, const resnet_data *data,
                                      const resnet_evaluate_options *options,
                                      resnet_evaluation *out) {
    Run run = {.session = session,
               .set = data->dataset,
               .preprocess = model_preprocess(session->model),
               .evaluate = {.failure = tell_failure, .progress = tell_progress}};
    run.evaluate.user = &run;
    resnet_evaluate_options_default(&run.options);
    if (options != NULL) {
        run.options = *options;
    }
    int32_t *labels = NULL;
    Status status = classes_match(session->model, run.set, &labels);
    run.evaluate.labels = labels;
    if (status == STATUS_OK) {
        status = classes_check(session->model, run.set, labels);
    }
    if (status == STATUS_OK) {
        status = evaluate(&run, out);
    }
    free(labels);
    return (resnet_status)status;
}
