// SPDX-License-Identifier: Apache-2.0
// Options on how a picture is looked at: its orientation, and several views whose scores are
// averaged.
#ifndef PROGRAM_VIEWS_H
#define PROGRAM_VIEWS_H

#include <stddef.h>

#include "console/options.h"
#include "resnet.h"

typedef struct ViewOptions {
    int exif, ten_crop, multi_scale;
} ViewOptions;

// Rows for the option table of a command whose Arguments have a ViewOptions `views`.
// clang-format off
#define VIEW_OPTIONS                                                                               \
    {OPTION_FLAG, "exif", NULL, offsetof(Arguments, views.exif),                                   \
     "turn pictures as their EXIF orientation says, which Pillow and torchvision do not"},         \
    {OPTION_FLAG, "ten-crop", NULL, offsetof(Arguments, views.ten_crop),                           \
     "average over corners, centre and their mirror images (paper, section 3.4)"},                 \
    {OPTION_FLAG, "multi-scale", NULL, offsetof(Arguments, views.multi_scale),                     \
     "average over whole pictures with short sides 224, 256, 384, 480 and 640 (section 3.4)"}
// clang-format on

// Fills *out; RESNET_USAGE where two choices exclude each other.
resnet_status views_choose(const ViewOptions *options, resnet_predict_options *out);

#endif
