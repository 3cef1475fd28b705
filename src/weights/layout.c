// SPDX-License-Identifier: Apache-2.0
#include "weights/layout.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct Prefix {
    Layout layout;
    const char *theirs, *ours;
} Prefix;

static const Prefix PREFIXES[] = {
    {LAYOUT_TIMM, "pre_logits.fc1.", "classifier.0."},
    {LAYOUT_TIMM, "pre_logits.fc2.", "classifier.3."},
    {LAYOUT_TIMM, "head.fc.", "classifier.6."},
    {LAYOUT_HUGGING_FACE, "embedder.embedder.convolution.", "conv1."},
    {LAYOUT_HUGGING_FACE, "embedder.embedder.normalization.", "bn1."},
    {LAYOUT_HUGGING_FACE, "classifier.1.", "fc."},
    {LAYOUT_CIFAR, "linear.", "fc."},
};

static const char *const WRAPPERS[] = {
    "state_dict.", "state_dict_ema.", "model.",    "model_ema.", "net.",
    "module.",     "_orig_mod.",      "backbone.", "resnet.",    "encoder_q.",
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

const char *layout_name(Layout layout) {
    static const char *const NAMES[] = {
        [LAYOUT_TORCHVISION] = "torchvision",
        [LAYOUT_TIMM] = "timm",
        [LAYOUT_HUGGING_FACE] = "hugging face",
        [LAYOUT_CIFAR] = "cifar",
        [LAYOUT_OWN] = "resnet",
    };
    return NAMES[layout];
}

static bool begins(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *text, const char *suffix) {
    size_t length = strlen(text), tail = strlen(suffix);
    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

const char *layout_unwrap(const char *name) {
    for (size_t i = 0; i < COUNT(WRAPPERS); i++) {
        if (begins(name, WRAPPERS[i])) {
            name += strlen(WRAPPERS[i]);
            i = SIZE_MAX; // all of them again, before what is left
        }
    }
    return name;
}

Layout layout_of(const char *name) {
    if (begins(name, "embedder.embedder.") || begins(name, "encoder.stages.")) {
        return LAYOUT_HUGGING_FACE;
    }
    if (begins(name, "linear.") || (begins(name, "layer") && strstr(name, ".shortcut.") != NULL)) {
        return LAYOUT_CIFAR;
    }
    if (strstr(name, ".se.fc1.") != NULL || begins(name, "pre_logits.fc1.") ||
        begins(name, "head.fc.")) {
        return LAYOUT_TIMM;
    }
    return LAYOUT_TORCHVISION;
}

// encoder.stages.1.layers.0.layer.2.convolution.weight -> layer2.0.conv3.weight
static const char *rename_block(Arena *arena, const char *name) {
    int stage = 0, block = 0, layer = 0, used = 0;
    if (sscanf(name, "encoder.stages.%4d.layers.%4d.%n", &stage, &block, &used) != 2 || used == 0) {
        return name;
    }
    const char *rest = name + used;
    used = 0;
    const char *conv = "downsample.", *norm = "downsample.";
    int conv_number = 0, norm_number = 1;
    if (sscanf(rest, "layer.%4d.%n", &layer, &used) == 1 && used > 0) {
        rest += used;
        conv = "conv";
        norm = "bn";
        conv_number = norm_number = layer + 1;
    } else if (begins(rest, "shortcut.")) {
        rest += strlen("shortcut.");
    } else {
        return name;
    }
    bool is_conv = begins(rest, "convolution.");
    if (!is_conv && !begins(rest, "normalization.")) {
        return name;
    }
    return arena_format(arena, "layer%d.%d.%s%d%s", stage + 1, block, is_conv ? conv : norm,
                        is_conv ? conv_number : norm_number, strchr(rest, '.'));
}

const char *layout_rename(Arena *arena, Layout layout, const char *name) {
    for (size_t i = 0; i < COUNT(PREFIXES); i++) {
        const Prefix *prefix = &PREFIXES[i];
        if (prefix->layout == layout && begins(name, prefix->theirs)) {
            return arena_format(arena, "%s%s", prefix->ours, name + strlen(prefix->theirs));
        }
    }
    if (layout == LAYOUT_HUGGING_FACE) {
        return rename_block(arena, name);
    }
    const char *shortcut = strstr(name, ".shortcut.");
    if (layout == LAYOUT_CIFAR && shortcut != NULL) {
        return arena_format(arena, "%.*s.downsample.%s", (int)(shortcut - name), name,
                            shortcut + strlen(".shortcut."));
    }
    return name;
}

typedef struct SparePattern {
    Spare spare;
    const char *prefix, *suffix;
} SparePattern;

Spare layout_spare(Layout layout, const char *name) {
    static const SparePattern PATTERNS[] = {
        {SPARE_COUNTER, "", "num_batches_tracked"},
        {SPARE_COUNTER, "n_averaged", ""},
        {SPARE_COUNTER, "", "total_ops"},
        {SPARE_COUNTER, "", "total_params"},
        {SPARE_HEAD, "aux1.", ""},
        {SPARE_HEAD, "aux2.", ""},
        {SPARE_OPTIMIZER, "optimizer.", ""},
    };
    if (layout == LAYOUT_OWN) {
        return begins(name, "momentum.")                                    ? SPARE_OPTIMIZER
               : begins(name, "training.")                                  ? SPARE_HEAD
               : begins(name, "preprocess.") || ends(name, ".weight_scale") ? SPARE_COUNTER
                                                                            : SPARE_NONE;
    }
    for (size_t i = 0; i < COUNT(PATTERNS); i++) {
        if (begins(name, PATTERNS[i].prefix) && ends(name, PATTERNS[i].suffix)) {
            return PATTERNS[i].spare;
        }
    }
    return SPARE_NONE;
}
