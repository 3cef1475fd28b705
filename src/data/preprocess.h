// SPDX-License-Identifier: Apache-2.0
// From bytes to the numbers that a network sees: normalisation and training's augmentation.
#ifndef RESNET_DATA_PREPROCESS_H
#define RESNET_DATA_PREPROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/image.h"

// From a picture to the network's input; travels with the weights. Pictures of data sets in memory
// have the network's size already and skip the first two steps.
//
//     decode -> resize the short side -> cut out the centre -> (byte * scale - mean) / deviation
typedef struct Preprocess {
    int channels, height, width;
    // Short side before the crop (torchvision: 256 for 224). 0: the crop's own short side.
    int resize;
    Interpolation interpolation; // Pillow's, with antialias
    bool bgr;                    // channels in the order blue, green, red (Caffe)
    float scale;                 // 1/255, or 1 (Caffe); 0 reads as 1/255
    float mean[3], deviation[3]; // in units of byte * scale, in the network's order of channels
    float *pixel_mean;           // [height][width][channels], or NULL: mean[] holds for every pixel
} Preprocess;

// Presets by name for a network of that input: "torchvision" (resize 256/224 of the crop, bilinear,
// ImageNet mean and deviation), "torchvision-v2" (232/224), "timm" (crop_pct 0.95, bicubic),
// "caffe" (256/224, bilinear, BGR, scale 1, mean 103.939 116.779 123.68), "cifar" (no resize beyond
// the crop, ImageNet mean and deviation), "inception" (as torchvision, but mean and deviation 0.5:
// what its GoogLeNet makes of its input). STATUS_USAGE with a list for an unknown name.
Status preprocess_preset(const char *name, int channels, int height, int width, Preprocess *out);

// Which images are mirrored left-right.
typedef enum Flip {
    FLIP_NONE,
    FLIP_RANDOM,     // each with probability 1/2 in each epoch
    FLIP_ALTERNATING // each in every second epoch, so that two epochs show both forms of all of
                     // them; drawn is which half begins (Jordan, arXiv 2404.00498, section 3.6)
} Flip;

// What the padding shows.
typedef enum Border {
    BORDER_ZERO,  // zero after normalisation: the mean (paper §4.2)
    BORDER_MIRROR // the picture mirrored at its outermost pixels, which are seen once
} Border;

// Pad by `pad` pixels, cut out at random, then flip.
typedef struct Augment {
    int pad; // 4 (paper §4.2); 0: none
    Border border;
    Flip flip;
    int height, width; // of what is cut out, at most the picture's own; 0: these
} Augment;

// Writes one sample [height][width][channels] from RGB or grey pixels. `augment` NULL: as it is;
// else its height and width.
// Draws are functions of (seed, epoch, sample) alone.
void preprocess_sample(const Preprocess *preprocess, const Augment *augment, uint64_t seed,
                       uint64_t epoch, uint64_t sample, const uint8_t *pixels, float *out);

#endif
