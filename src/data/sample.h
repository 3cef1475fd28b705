// SPDX-License-Identifier: Apache-2.0
// From a picture's file to the numbers that a network sees.
#ifndef RESNET_DATA_SAMPLE_H
#define RESNET_DATA_SAMPLE_H

#include "data/preprocess.h"

// Reads a picture and writes [height][width][channels] normalised values. A picture of the
// network's own size is taken as it is. Others are resized so that the shorter side fits (for
// networks of 128 pixels and more 256/224 of it, as torchvision does for ImageNet), and the centre
// is cut out.
Status sample_load(const char *path, const Preprocess *preprocess, float *out);

#endif
