// SPDX-License-Identifier: Apache-2.0
#include "paper/experiments.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "console/failure.h"
#include "paper/judges.h"

#define PAPER "He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, "
#define IMAGENET_NOTE                                                                              \
    "The paper's figures are top-1 errors on ImageNet, ours test errors on other data by smaller " \
    "nets: orders compare, figures do not."

// clang-format off
static const Experiment experiments[] = {
    {
        .name = "degradation",
        .title = "Degradation: plain against residual nets",
        .claim = "The deep plain nets suffer from increased depth, and exhibit higher training "
                 "error when going deeper. [...] our ResNets manage to overcome the optimization "
                 "difficulty and demonstrate accuracy gains when the depth increases.",
        .source = PAPER "section 4.2, Fig. 6 and Table 6",
        .entries = {{"plain20", 0}, {"plain32", 0}, {"plain44", 0}, {"plain56", 0},
                    {"resnet20", 8.75}, {"resnet32", 7.51}, {"resnet44", 7.17},
                    {"resnet56", 6.97}, {"resnet110", 6.43}},
        .paper_column = "paper's test error",
        .paper_note = "The paper's figures (Table 6) are for CIFAR-10 after 64,000 iterations; it "
                      "tells none for plain nets.",
        .parts = PART_ERRORS,
        .judge = degradation_judge,
    },
    {
        .name = "gradients",
        .title = "Gradients: the degradation is not vanishing gradients",
        .claim = "We argue that this optimization difficulty is unlikely to be caused by vanishing "
                 "gradients. These plain networks are trained with BN, which ensures forward "
                 "propagated signals to have non-zero variances. We also verify that the backward "
                 "propagated gradients exhibit healthy norms with BN. So neither forward nor "
                 "backward signals vanish.",
        .source = PAPER "section 4.1",
        .entries = {{"plain56", 0}, {"resnet56", 0}},
        .parts = PART_GRADIENTS,
        .judge = gradients_judge,
    },
    {
        .name = "depth",
        .title = "Depth: 18 against 34 layers",
        .claim = "The deeper 34-layer plain net has higher validation error than the shallower "
                 "18-layer plain net. [...] the situation is reversed with residual learning: the "
                 "34-layer ResNet is better than the 18-layer ResNet.",
        .source = PAPER "section 4.1, Table 2 and Fig. 4",
        .entries = {{"plain18", 27.94}, {"plain34", 28.54}, {"resnet18", 27.88},
                    {"resnet34", 25.03}},
        .paper_column = "paper's error",
        .paper_note = IMAGENET_NOTE,
        .parts = PART_ERRORS,
        .judge = depth_judge,
    },
    {
        .name = "shortcuts",
        .title = "Shortcuts: identity against projection",
        .claim = "All three options are considerably better than the plain counterpart. B is "
                 "slightly better than A. [...] C is marginally better than B. [...] But the small "
                 "differences among A/B/C indicate that projection shortcuts are not essential for "
                 "addressing the degradation problem.",
        .source = PAPER "section 4.1 and Table 3 (34 layers)",
        .entries = {{"plain20", 28.54}, {"resnet20", 25.03}, {"resnet20-B", 24.52},
                    {"resnet20-C", 24.19}},
        .paper_column = "paper's error, 34 layers",
        .paper_note = IMAGENET_NOTE,
        .parts = PART_ERRORS,
        .judge = shortcuts_judge,
    },
    {
        .name = "bottleneck",
        .title = "Bottleneck blocks: deeper at equal cost",
        .claim = "We replace each 2-layer block in the 34-layer net with this 3-layer bottleneck "
                 "block, resulting in a 50-layer ResNet. [...] This model has 3.8 billion FLOPs. "
                 "[...] The 50/101/152-layer ResNets are more accurate than the 34-layer ones by "
                 "considerable margins.",
        .source = PAPER "section 4.1, Tables 1 and 3",
        .entries = {{"resnet20-B", 24.52}, {"bottleneck29", 22.85}, {"resnet56", 0},
                    {"bottleneck83", 0}},
        .paper_column = "paper's error, 34 and 50 layers",
        .paper_note = IMAGENET_NOTE,
        .parts = PART_ERRORS | PART_COSTS,
        .judge = bottleneck_judge,
    },
    {
        .name = "comparison",
        .title = "Comparison: residual nets and their neighbours",
        .claim = "Although the depth is significantly increased, the 152-layer ResNet (11.3 "
                 "billion FLOPs) still has lower complexity than VGG-16/19 nets (15.3/19.6 billion "
                 "FLOPs). [...] Our 152-layer ResNet has a single-model top-5 validation error of "
                 "4.49%. This single-model result outperforms all previous ensemble results.",
        .source = PAPER "section 4.1, Tables 3 to 5",
        .entries = {{"alexnet", 0}, {"vgg16", 0}, {"googlenet", 0}, {"resnet20", 0},
                    {"resnet56", 0}, {"seresnet20", 0}},
        .parts = PART_ERRORS | PART_COSTS | PART_NEIGHBOURS,
        .judge = comparison_judge,
    },
    {
        .name = "responses",
        .title = "Responses: residual functions are small",
        .claim = "ResNets have generally smaller responses than their plain counterparts. [...] the "
                 "deeper ResNet has smaller magnitudes of responses [...] When there are more "
                 "layers, an individual layer of ResNets tends to modify the signal less.",
        .source = PAPER "section 4.2 and Fig. 7",
        .entries = {{"plain20", 0}, {"plain56", 0}, {"resnet20", 0}, {"resnet56", 0},
                    {"resnet110", 0}},
        .parts = PART_RESPONSES,
        .judge = responses_judge,
    },
};
// clang-format on

const Experiment *experiment_get(int index) {
    const int count = sizeof experiments / sizeof experiments[0];
    return index >= 0 && index < count ? &experiments[index] : NULL;
}

// Whether the first word of the list is the experiment's name; *length: of that word.
static bool word_names(const char *list, const Experiment *experiment, size_t *length) {
    *length = strcspn(list, ",");
    return strlen(experiment->name) == *length && strncmp(list, experiment->name, *length) == 0;
}

static const char *word_next(const char *list, size_t length) {
    return list + length + (list[length] == ',');
}

bool experiment_wanted(const Experiment *experiment, const char *names) {
    bool wanted = names == NULL;
    for (size_t length; !wanted && *names != '\0'; names = word_next(names, length)) {
        wanted = word_names(names, experiment, &length);
    }
    return wanted;
}

static resnet_status word_refuse(const char *word, size_t length) {
    char names[256] = "";
    size_t end = 0;
    for (int e = 0; experiment_get(e) != NULL && end < sizeof names; e++) {
        end += (size_t)snprintf(names + end, sizeof names - end, "%s%s", e > 0 ? ", " : "",
                                experiment_get(e)->name);
    }
    return failure_say(RESNET_USAGE, "--only: '%.*s' is no experiment; there are %s", (int)length,
                       word, names);
}

resnet_status experiments_check(const char *names) {
    while (names != NULL && *names != '\0') {
        size_t length = strcspn(names, ",");
        bool found = false;
        for (int e = 0; experiment_get(e) != NULL && !found; e++) {
            found = word_names(names, experiment_get(e), &length);
        }
        if (!found) {
            return word_refuse(names, length);
        }
        names = word_next(names, length);
    }
    return RESNET_OK;
}
