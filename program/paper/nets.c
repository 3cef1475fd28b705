// SPDX-License-Identifier: Apache-2.0
#include "paper/nets.h"

#include <stddef.h>
#include <string.h>

// A fifth of the paper's rate for the quick scale: 0.1 is right for 64,000 iterations, but in the
// first hundred of them a deep residual net, whose signal grows from block to block, only jumps
// about. The class scale begins with a low rate and ends with none: with the paper's steps, half of
// so few epochs would pass at a tenth and a hundredth of the rate, at which deep nets hardly move.
static const ScaleFacts scales[SCALE_COUNT] = {
    [SCALE_QUICK] = {"quick", "paper", 0.02, 128, 2000, "trainings of half a minute each"},
    [SCALE_CLASS] = {"class", "short", 0.1, 128, 0, "seven to eight epochs each"},
    [SCALE_FULL] = {"full", "paper", 0.1, 128, 0, "the paper's 64,000 iterations each"},
};

const ScaleFacts *scale_facts(Scale scale) { return &scales[scale]; }

bool scale_named(const char *name, Scale *out) {
    for (int i = 0; i < SCALE_COUNT; i++) {
        if (strcmp(scales[i].name, name) == 0) {
            *out = (Scale)i;
            return true;
        }
    }
    return false;
}

// clang-format off
static const Net nets[] = {
    {"plain20", "plain-20", "plain20", NULL, 20, {120, 3000, 64000}},
    {"plain32", "plain-32", "plain32", NULL, 32, {0, 0, 64000}},
    {"plain44", "plain-44", "plain44", NULL, 44, {0, 0, 64000}},
    {"plain56", "plain-56", "plain56", NULL, 56, {120, 3000, 64000}},
    {"resnet20", "resnet-20", "resnet20", NULL, 20, {120, 3000, 64000}},
    {"resnet32", "resnet-32", "resnet32", NULL, 32, {0, 0, 64000}},
    {"resnet44", "resnet-44", "resnet44", NULL, 44, {0, 0, 64000}},
    {"resnet56", "resnet-56", "resnet56", NULL, 56, {120, 3000, 64000}},
    {"resnet110", "resnet-110", "resnet110", NULL, 110, {0, 0, 64000}},
    {"resnet20-B", "resnet-20 B", "resnet20", "B", 20, {120, 3000, 64000}},
    {"resnet20-C", "resnet-20 C", "resnet20", "C", 20, {120, 3000, 64000}},
    {"plain18", "plain-18 small", "plain18_small", NULL, 18, {80, 2250, 64000}},
    {"plain34", "plain-34 small", "plain34_small", NULL, 34, {80, 2250, 64000}},
    {"resnet18", "resnet-18 small", "resnet18_small", NULL, 18, {80, 2250, 64000}},
    {"resnet34", "resnet-34 small", "resnet34_small", NULL, 34, {80, 2250, 64000}},
    {"bottleneck29", "bottleneck-29", "bottleneck29", NULL, 29, {120, 3000, 64000}},
    {"bottleneck83", "bottleneck-83", "bottleneck83", NULL, 83, {0, 0, 64000}},
    {"alexnet", "AlexNet small", "alexnet_small", NULL, 8, {120, 3000, 64000}},
    {"vgg16", "VGG-16 small", "vgg16_small", NULL, 14, {120, 3000, 64000}},
    {"googlenet", "GoogLeNet small", "googlenet_small", NULL, 21, {120, 3000, 64000}},
    {"seresnet20", "SE-resnet-20", "seresnet20", NULL, 20, {120, 3000, 64000}},
};
// clang-format on

const Net *net_get(int index) {
    const int count = sizeof nets / sizeof nets[0];
    return index >= 0 && index < count ? &nets[index] : NULL;
}

const Net *net_named(const char *key) {
    const Net *net = NULL;
    for (int i = 0; (net = net_get(i)) != NULL && strcmp(net->key, key) != 0; i++) {
    }
    return net;
}
