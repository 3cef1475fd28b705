// SPDX-License-Identifier: Apache-2.0
// Preprocessing that published weights were made for, by name: one row each.
#include <stdio.h>
#include <string.h>

#include "data/preprocess.h"

typedef struct Preset {
    const char *name;
    // Short side = crop * numerator / denominator, rounded down; 0: the crop's own.
    int numerator, denominator;
    Interpolation interpolation;
    bool bgr;
    float scale, mean[3], deviation[3];
} Preset;

#define IMAGENET                                                                                   \
    .scale = 1.0F / 255, .mean = {0.485F, 0.456F, 0.406F}, .deviation = {0.229F, 0.224F, 0.225F}

static const Preset presets[] = {
    {.name = "torchvision", .numerator = 256, .denominator = 224, IMAGENET},
    {.name = "torchvision-v2", .numerator = 232, .denominator = 224, IMAGENET},
    // floor(crop / crop_pct) with crop_pct 0.95: 235 for 224.
    {.name = "timm",
     .numerator = 100,
     .denominator = 95,
     .interpolation = INTERPOLATION_BICUBIC,
     IMAGENET},
    {.name = "caffe",
     .numerator = 256,
     .denominator = 224,
     .bgr = true,
     .scale = 1,
     .mean = {103.939F, 116.779F, 123.68F},
     .deviation = {1, 1, 1}},
    {.name = "cifar", .denominator = 1, IMAGENET},
    {.name = "inception",
     .numerator = 256,
     .denominator = 224,
     .scale = 1.0F / 255,
     .mean = {0.5F, 0.5F, 0.5F},
     .deviation = {0.5F, 0.5F, 0.5F}},
};

enum { PRESETS = sizeof presets / sizeof presets[0] };

static Status no_preset(const char *name) {
    char known[128] = "";
    for (int i = 0; i < PRESETS; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s",
                 i == 0             ? ""
                 : i + 1 == PRESETS ? " or "
                                    : ", ",
                 presets[i].name);
    }
    return status_fail(STATUS_USAGE, "preprocessing '%s' is unknown, expected %s", name, known);
}

Status preprocess_preset(const char *name, int channels, int height, int width, Preprocess *out) {
    const Preset *preset = NULL;
    for (int i = 0; i < PRESETS; i++) {
        if (strcmp(presets[i].name, name) == 0) {
            preset = &presets[i];
        }
    }
    if (preset == NULL) {
        return no_preset(name);
    }
    int crop = height < width ? height : width;
    *out = (Preprocess){
        .channels = channels,
        .height = height,
        .width = width,
        .resize = crop * preset->numerator / preset->denominator,
        .interpolation = preset->interpolation,
        .bgr = preset->bgr,
        .scale = preset->scale,
    };
    memcpy(out->mean, preset->mean, sizeof out->mean);
    memcpy(out->deviation, preset->deviation, sizeof out->deviation);
    return STATUS_OK;
}
