// SPDX-License-Identifier: Apache-2.0
// Verdicts are computed from the runs, and say so when the runs disagree with the paper.
#include "experiments.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *model_title(const char *model) {
    static char titles[4][48];
    static int next;
    next = (next + 1) % 4;
    int letters = (int)strcspn(model, "0123456789");
    snprintf(titles[next], sizeof titles[next], "%.*s-%s", letters, model, model + letters);
    return titles[next];
}

int model_layers(const char *model) { return atoi(model + strcspn(model, "0123456789")); }

static void verdict_compare(Verdict *verdict, const Outcome *one, const Outcome *other) {
    double points = one->train_error - other->train_error;
    char *sentence = verdict->sentences[verdict->count++];
    if (fabs(points) < 0.05) {
        snprintf(sentence, SENTENCE_SIZE, "%s's training error equals %s's (%.1f %%)",
                 model_title(one->model), model_title(other->model), one->train_error);
    } else {
        snprintf(sentence, SENTENCE_SIZE,
                 "%s's training error is %.1f points %s %s's (%.1f %% against %.1f %%)",
                 model_title(one->model), fabs(points), points > 0 ? "above" : "below",
                 model_title(other->model), one->train_error, other->train_error);
    }
}

static Verdict degradation_judge(const Outcome *outcomes) {
    const Outcome *plain20 = &outcomes[0], *plain56 = &outcomes[1];
    const Outcome *resnet20 = &outcomes[2], *resnet56 = &outcomes[3];
    Verdict verdict = {0};
    verdict_compare(&verdict, plain56, plain20);
    verdict_compare(&verdict, resnet56, plain56);
    verdict_compare(&verdict, resnet56, resnet20);
    bool degraded = plain56->train_error > plain20->train_error;
    bool cured = resnet56->train_error < plain56->train_error;
    verdict.agrees = degraded && cured;
    if (verdict.agrees) {
        verdict.headline =
            "As in the paper: the deeper plain net trains worse, and shortcuts cure it";
    } else if (degraded) {
        verdict.headline = "The deeper plain net trains worse, but here shortcuts did not cure it";
    } else {
        verdict.headline = "No degradation in these runs: more iterations or seeds tell more";
    }
    return verdict;
}

static const char *const degradation_models[] = {"plain20", "plain56", "resnet20", "resnet56",
                                                 NULL};

static const Experiment experiments[] = {
    {
        .name = "degradation",
        .title = "Degradation: plain against residual nets",
        .models = degradation_models,
        .claim = "The deep plain nets suffer from increased depth, and exhibit higher training "
                 "error when going deeper. [...] our ResNets manage to overcome the optimization "
                 "difficulty and demonstrate accuracy gains when the depth increases.",
        .source = "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, section 4.2 "
                  "and Fig. 6 (64,000 iterations on CIFAR-10)",
        .judge = degradation_judge,
    },
};

const Experiment *experiment_get(int index) {
    int count = sizeof experiments / sizeof experiments[0];
    return index >= 0 && index < count ? &experiments[index] : NULL;
}
