// SPDX-License-Identifier: Apache-2.0
// Pictures in files through a session: one, or many.
//
// Of many, the session's threads first decode some, each a picture at a time, then work together at
// the network of one after the other: all are busy all the time, and none more than there are CPUs.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/session.h"

enum {
    DECODED_EACH = 4,     // pictures of a round for each thread, so that sizes even out
    SENTENCE_BYTES = 1024 // the longest that status_fail() keeps
};

void resnet_predict_options_default(resnet_predict_options *options) {
    *options = (resnet_predict_options){.views = RESNET_VIEWS_CENTER};
}

// ---- one picture -------------------------------------------------------------------------------

// Crops of one size through the session's own network.
static Status add_crops(resnet_session *session, const char *name, const Image *picture,
                        const Preprocess *preprocess, Views views, Explain *explain,
                        ViewScores *scores) {
    size_t elements = shape_elements(model_input(session->model));
    size_t classes = (size_t)scores->classes, count = (size_t)views_count(views);
    float *images = malloc(count * elements * sizeof *images);
    float *logits = malloc(count * classes * sizeof *logits);
    Status status = STATUS_OK;
    if (images == NULL || logits == NULL) {
        status = status_fail(STATUS_FAILED, "%s: cannot get memory for its crops", name);
    } else {
        StageSink sink = {0};
        if (explain != NULL) {
            sink = explain_sink(explain);
        }
        status = sample_from_image(name, picture, preprocess, views, explain != NULL ? &sink : NULL,
                                   images);
    }
    if (status == STATUS_OK) {
        resnet_session_run(session, images, (int)count, logits);
        for (size_t i = 0; i < count; i++) {
            view_scores_add(scores, logits + i * classes);
        }
    }
    free(images);
    free(logits);
    return status;
}

// The scores of all views of a picture in memory.
static Status add_views(resnet_session *session, const char *path, const Preprocess *preprocess,
                        const resnet_predict_options *options, ViewScores *scores) {
    Views views = options->views == RESNET_VIEWS_TEN_CROP ? VIEWS_TEN_CROP : VIEWS_CENTER;
    Explain folder, *explain = NULL;
    if (options->explain != NULL) {
        TRY(explain_open(options->explain, views_count(views), &folder));
        explain = &folder;
    }
    Image picture;
    TRY(image_read(path, preprocess->channels, options->exif != 0, &picture));
    const char *name = image_name(path);
    Status status = options->views == RESNET_VIEWS_MULTI_SCALE
                        ? scales_run(session->scales, name, &picture, preprocess, explain, scores)
                        : add_crops(session, name, &picture, preprocess, views, explain, scores);
    image_free(&picture);
    return status;
}

// The common case: only what the crop shows is decoded, straight to the network.
static Status predict_center(resnet_session *session, const char *path,
                             const Preprocess *preprocess, bool exif, float *probabilities) {
    TRY(sample_load(path, preprocess, VIEWS_CENTER, exif, network_input(session->network)));
    network_forward(session->network, &(PassOptions){.count = 1});
    logits_softmax(network_output(session->network), resnet_model_classes(session->model),
                   probabilities);
    return STATUS_OK;
}

static Status predict_file(resnet_session *session, const char *path,
                           const resnet_predict_options *options, float *probabilities) {
    Preprocess preprocess = model_preprocess(session->model);
    if (options->views == RESNET_VIEWS_CENTER && options->explain == NULL) {
        return predict_center(session, path, &preprocess, options->exif != 0, probabilities);
    }
    if (options->views == RESNET_VIEWS_MULTI_SCALE) {
        TRY(session_scales(session));
    }
    ViewScores scores;
    TRY(view_scores_create(resnet_model_classes(session->model), &scores));
    Status status = add_views(session, path, &preprocess, options, &scores);
    if (status == STATUS_OK) {
        view_scores_probabilities(&scores, probabilities);
    }
    view_scores_destroy(&scores);
    return status;
}

static resnet_predict_options options_of(const resnet_predict_options *options) {
    resnet_predict_options defaults;
    resnet_predict_options_default(&defaults);
    return options != NULL ? *options : defaults;
}

resnet_status resnet_session_predict_file(resnet_session *session, const char *path,
                                          const resnet_predict_options *options,
                                          float *probabilities) {
    resnet_predict_options how = options_of(options);
    return (resnet_status)predict_file(session, path, &how, probabilities);
}

// ---- many pictures -----------------------------------------------------------------------------

typedef struct Pictures {
    resnet_session *session;
    const char *const *paths;
    int count;
    resnet_predict_options options;
    resnet_predict_callback *callback;
    void *user;
    float *probabilities; // [classes]
    float *logits;        // [views][classes]
} Pictures;

static resnet_status predict_in_turn(const Pictures *pictures) {
    resnet_status status = RESNET_OK;
    for (int i = 0; i < pictures->count && status == RESNET_OK; i++) {
        Status read = predict_file(pictures->session, pictures->paths[i], &pictures->options,
                                   pictures->probabilities);
        if (read == STATUS_USAGE) {
            return RESNET_USAGE; // no picture would fare better
        }
        status = pictures->callback(pictures->user, i,
                                    read == STATUS_OK ? pictures->probabilities : NULL);
    }
    return status;
}

// A picture on its way to the network.
typedef struct Decoded {
    float *values;                 // [views][height][width][channels]
    char sentence[SENTENCE_BYTES]; // why it could not be read; "": it was
} Decoded;

// Some pictures that all threads read at once.
typedef struct Round {
    const Pictures *pictures;
    const Preprocess *preprocess;
    Views views;
    int first, room; // of the pictures; most of a round
    Decoded *decoded;
} Round;

static void decode(void *context, int task, int worker) {
    (void)worker;
    const Round *round = context;
    const Pictures *pictures = round->pictures;
    Decoded *decoded = &round->decoded[task];
    Status status = sample_load(pictures->paths[round->first + task], round->preprocess,
                                round->views, pictures->options.exif != 0, decoded->values);
    snprintf(decoded->sentence, sizeof decoded->sentence, "%s",
             status == STATUS_OK ? "" : status_message());
}

static resnet_status predict_decoded(const Pictures *pictures, int index, const Decoded *decoded,
                                     int views, ViewScores *scores) {
    if (decoded->sentence[0] != '\0') {
        status_fail(STATUS_FAILED, "%s", decoded->sentence);
        return pictures->callback(pictures->user, index, NULL);
    }
    resnet_session_run(pictures->session, decoded->values, views, pictures->logits);
    view_scores_clear(scores);
    for (int v = 0; v < views; v++) {
        view_scores_add(scores, pictures->logits + (size_t)v * (size_t)scores->classes);
    }
    view_scores_probabilities(scores, pictures->probabilities);
    return pictures->callback(pictures->user, index, pictures->probabilities);
}

static resnet_status predict_rounds(Round *round, ViewScores *scores) {
    const Pictures *pictures = round->pictures;
    int views = views_count(round->views);
    resnet_status status = RESNET_OK;
    while (round->first < pictures->count && status == RESNET_OK) {
        int left = pictures->count - round->first, count = left < round->room ? left : round->room;
        threads_run(pictures->session->threads, count, decode, round);
        for (int i = 0; i < count && status == RESNET_OK; i++) {
            status = predict_decoded(pictures, round->first + i, &round->decoded[i], views, scores);
        }
        round->first += count;
    }
    return status;
}

static Status round_create(const Pictures *pictures, Round *out) {
    int room = DECODED_EACH * threads_count(pictures->session->threads);
    out->room = room < pictures->count ? room : pictures->count;
    out->decoded = calloc((size_t)out->room, sizeof *out->decoded);
    size_t values =
        (size_t)views_count(out->views) * shape_elements(model_input(pictures->session->model));
    bool failed = out->decoded == NULL;
    for (int i = 0; i < out->room && !failed; i++) {
        out->decoded[i].values = malloc(values * sizeof(float));
        failed = out->decoded[i].values == NULL;
    }
    return failed ? (Status)out_of_memory("several pictures") : STATUS_OK;
}

static void round_destroy(Round *round) {
    for (int i = 0; i < round->room && round->decoded != NULL; i++) {
        free(round->decoded[i].values);
    }
    free(round->decoded);
}

static resnet_status predict_together(const Pictures *pictures, Views views) {
    Preprocess preprocess = model_preprocess(pictures->session->model);
    Round round = {.pictures = pictures, .preprocess = &preprocess, .views = views};
    ViewScores scores = {0};
    Status status = round_create(pictures, &round);
    if (status == STATUS_OK) {
        status = view_scores_create(resnet_model_classes(pictures->session->model), &scores);
    }
    resnet_status result = (resnet_status)status;
    if (result == RESNET_OK) {
        result = predict_rounds(&round, &scores);
    }
    view_scores_destroy(&scores);
    round_destroy(&round);
    return result;
}

// Two readers would share the bytes of standard input between them.
static bool shares_input(const Pictures *pictures) {
    int found = 0;
    for (int i = 0; i < pictures->count; i++) {
        found += strcmp(pictures->paths[i], "-") == 0;
    }
    return found > 1;
}

resnet_status resnet_session_predict_files(resnet_session *session, const char *const *paths,
                                           int count, const resnet_predict_options *options,
                                           resnet_predict_callback *callback, void *user) {
    Pictures pictures = {session, paths, count, options_of(options), callback, user, NULL, NULL};
    Views views = pictures.options.views == RESNET_VIEWS_TEN_CROP ? VIEWS_TEN_CROP : VIEWS_CENTER;
    size_t classes = (size_t)resnet_model_classes(session->model);
    pictures.probabilities = malloc(classes * sizeof(float));
    pictures.logits = malloc((size_t)views_count(views) * classes * sizeof(float));
    resnet_status status;
    if (pictures.probabilities == NULL || pictures.logits == NULL) {
        status = out_of_memory("the scores of a picture");
    } else if (count > 1 && pictures.options.views != RESNET_VIEWS_MULTI_SCALE &&
               pictures.options.explain == NULL && !shares_input(&pictures)) {
        status = predict_together(&pictures, views);
    } else {
        status = predict_in_turn(&pictures);
    }
    free(pictures.probabilities);
    free(pictures.logits);
    return status;
}
