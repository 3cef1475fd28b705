// SPDX-License-Identifier: Apache-2.0
// Fully-convolutional testing at several scales (paper §3.4): the same parameters in networks of
// the pictures' own sizes.
#ifndef RESNET_API_SCALES_H
#define RESNET_API_SCALES_H

#include "api/explain.h"
#include "api/handles.h"
#include "train/evaluate.h"

typedef struct Scales Scales;

// STATUS_USAGE for models that take one size only: without global pooling, or with a mean for each
// pixel. quantization: the model's, or NULL for float. All of them must outlive it.
Status scales_create(const resnet_model *model, const Quantization *quantization, Threads *threads,
                     Scales **out);
void scales_destroy(Scales *scales);

// Adds the scores of the whole picture with short side 224, 256, 384, 480 and 640 to `scores`.
// Keeps the network of each scale for the next picture, which may have the same size. `explain`
// NULL: none.
Status scales_run(Scales *scales, const char *name, const Image *picture,
                  const Preprocess *preprocess, Explain *explain, ViewScores *scores);

#endif
