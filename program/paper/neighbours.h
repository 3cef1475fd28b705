// SPDX-License-Identifier: Apache-2.0
// The ImageNet nets that the paper compares, and weights of them that others published: what they
// cost here, what the paper measured, and how accurate given files are on given pictures
// (DIR/accuracies.jsonl, a line a file: {weights, images, model, shortcut, samples,
// top1_error, top5_error}).
#ifndef PROGRAM_NEIGHBOURS_H
#define PROGRAM_NEIGHBOURS_H

#include "paper/campaign.h"

// Errors of the ImageNet validation set in percent; 0: the paper tells none.
typedef struct Neighbour {
    const char *title, *model, *shortcut; // NULL shortcut: the model's own
    double gigamacs;                      // by Table 1 and section 4.1
    double top1_crops, top5_crops;        // Table 3, ten crops
    double top1_single, top5_single;      // Table 4, the best single models
} Neighbour;

// NULL past the table's end.
const Neighbour *neighbour_get(int index);

typedef struct Accuracy {
    char weights[256], model[64], shortcut[8];
    int samples;
    double top1_error, top5_error; // percent
} Accuracy;

enum { MOST_WEIGHTS = 32 };

// Evaluates the files of --weights that were not yet, and gives them all.
resnet_status accuracies_get(const CampaignOptions *options, Accuracy *out, int *count);

#endif
