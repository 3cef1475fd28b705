// SPDX-License-Identifier: Apache-2.0
#include "predictor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"
#include "console/output.h"

resnet_status predictor_create(const resnet_model *model, const PredictorOptions *options,
                               Predictor *out) {
    int classes = resnet_model_classes(model);
    *out = (Predictor){
        .options = *options,
        .model = model,
        .classes = classes,
        .probability = malloc((size_t)classes * sizeof(float)),
        .order = malloc((size_t)classes * sizeof(int)),
    };
    out->options.top = options->top < classes ? options->top : classes;
    resnet_session_options session;
    resnet_session_options_default(&session);
    session.threads = options->threads;
    session.precision = options->precision;
    resnet_status status = RESNET_OK;
    if (out->probability == NULL || out->order == NULL) {
        status = failure_say(RESNET_FAILED, "cannot get memory for %d classes", classes);
    }
    if (status == RESNET_OK) {
        status = resnet_session_create(model, &session, &out->session);
    }
    if (status != RESNET_OK) {
        predictor_destroy(out);
    }
    return status;
}

void predictor_destroy(Predictor *predictor) {
    resnet_session_free(predictor->session);
    free(predictor->probability);
    free(predictor->order);
}

// The `top` most probable classes by repeated selection: top is small.
static void predictor_rank(Predictor *predictor) {
    for (int i = 0; i < predictor->classes; i++) {
        predictor->order[i] = i;
    }
    for (int rank = 0; rank < predictor->options.top; rank++) {
        int best = rank;
        for (int i = rank + 1; i < predictor->classes; i++) {
            float candidate = predictor->probability[predictor->order[i]];
            float leader = predictor->probability[predictor->order[best]];
            if (candidate > leader ||
                (!(candidate < leader) && predictor->order[i] < predictor->order[best])) {
                best = i;
            }
        }
        int swap = predictor->order[rank];
        predictor->order[rank] = predictor->order[best];
        predictor->order[best] = swap;
    }
}

static const char *predictor_label(const Predictor *predictor, int index) {
    static char number[32];
    const char *name = resnet_model_class_name(predictor->model, index);
    if (name == NULL && predictor->data != NULL) {
        name = resnet_data_class_name(predictor->data, index);
    }
    if (name == NULL) {
        snprintf(number, sizeof number, "class %d", index);
    }
    return name != NULL ? name : number;
}

static const char *truth_name(const Predictor *predictor, const Truth *truth) {
    return truth->name != NULL ? truth->name : predictor_label(predictor, truth->label);
}

// The model's class of that name, else the one with the data set's number.
static int truth_label(const Predictor *predictor, const Truth *truth) {
    for (int i = 0; truth->name != NULL && i < predictor->classes; i++) {
        const char *name = resnet_model_class_name(predictor->model, i);
        if (name != NULL && strcmp(name, truth->name) == 0) {
            return i;
        }
    }
    return truth->label;
}

static resnet_status predictor_json(const Predictor *predictor, const char *file,
                                    const Truth *truth) {
    json_t *list = json_array();
    for (int rank = 0; rank < predictor->options.top; rank++) {
        int index = predictor->order[rank];
        json_array_append_new(list,
                              json_pack("{s:i, s:o, s:o}", "index", index, "label",
                                        json_text(predictor_label(predictor, index)), "probability",
                                        json_figure(predictor->probability[index])));
    }
    json_t *line = json_pack("{s:o, s:o}", "file", json_text(file), "predictions", list);
    if (truth != NULL) {
        json_object_set_new(line, "truth", json_text(truth_name(predictor, truth)));
    }
    return json_line(line);
}

static void predictor_text(const Predictor *predictor, const char *file, const Truth *truth) {
    printf("%s%s%s", style_begin(stdout, STYLE_BOLD), file, style_begin(stdout, STYLE_PLAIN));
    if (truth != NULL) {
        bool right = predictor->order[0] == truth_label(predictor, truth);
        printf(" is %s: %s%s%s", truth_name(predictor, truth),
               style_begin(stdout, right ? STYLE_GREEN : STYLE_RED),
               right ? "recognised" : "mistaken", style_begin(stdout, STYLE_PLAIN));
    }
    printf("\n");
    for (int rank = 0; rank < predictor->options.top; rank++) {
        int index = predictor->order[rank];
        printf("  %6.2f %%  %s\n", 100 * (double)predictor->probability[index],
               predictor_label(predictor, index));
    }
}

resnet_status predictor_failure(Predictor *predictor, const char *shown) {
    predictor->seen++;
    predictor->failed++;
    if (predictor->options.json) {
        TRY(json_line(json_pack("{s:o, s:o}", "file", json_text(shown), "error",
                                json_text(resnet_last_error()))));
    }
    if (predictor->options.alone) {
        return RESNET_FAILED;
    }
    fflush(stdout);
    output_error("%s", resnet_last_error());
    return RESNET_OK;
}

// What predictor->probability holds.
static resnet_status predictor_answer(Predictor *predictor, const char *shown, const Truth *truth) {
    predictor->seen++;
    predictor_rank(predictor);
    if (predictor->options.json) {
        return predictor_json(predictor, shown, truth);
    }
    predictor_text(predictor, shown, truth);
    return RESNET_OK;
}

resnet_status predictor_file(Predictor *predictor, const char *path, const char *shown,
                             const Truth *truth) {
    resnet_status status = resnet_session_predict_file(
        predictor->session, path, &predictor->options.views, predictor->probability);
    if (status == RESNET_USAGE) {
        return status; // no picture would fare better
    }
    return status == RESNET_OK ? predictor_answer(predictor, shown, truth)
                               : predictor_failure(predictor, shown);
}

typedef struct Files {
    Predictor *predictor;
    const char *const *paths;
} Files;

static resnet_status files_tell(void *user, int index, const float *probabilities) {
    const Files *files = user;
    Predictor *predictor = files->predictor;
    const char *path = files->paths[index];
    bool piped = strcmp(path, "-") == 0 && !predictor->options.json;
    const char *shown = piped ? "standard input" : path;
    if (probabilities == NULL) {
        return predictor_failure(predictor, shown);
    }
    memcpy(predictor->probability, probabilities, (size_t)predictor->classes * sizeof(float));
    return predictor_answer(predictor, shown, NULL);
}

resnet_status predictor_files(Predictor *predictor, const char *const *paths, int count) {
    Files files = {predictor, paths};
    return resnet_session_predict_files(predictor->session, paths, count, &predictor->options.views,
                                        files_tell, &files);
}

resnet_status predictor_finish(const Predictor *predictor) {
    if (predictor->failed == 0) {
        return RESNET_OK;
    }
    return failure_say(RESNET_FAILED, "%d of %d images could not be classified", predictor->failed,
                       predictor->seen);
}
