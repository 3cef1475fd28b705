// SPDX-License-Identifier: Apache-2.0
// From a photograph to the numbers that a network sees, as torchvision does it:
//
//     decode -> RGB -> resize the short side -> cut out -> (byte * scale - mean) / deviation
//
// The long side is int(size * long / short); the centre crop's margin is halved to even; what a
// crop lacks is black. `name` stands in sentences for the picture.
#ifndef RESNET_DATA_SAMPLE_H
#define RESNET_DATA_SAMPLE_H

#include "data/image.h"
#include "data/preprocess.h"

typedef enum Views {
    VIEWS_CENTER,  // one crop, the centre
    VIEWS_TEN_CROP // torchvision's TenCrop: upper left, upper right, lower left, lower right,
                   // centre, and the same five of the mirrored picture
} Views;

int views_count(Views views); // 1 or 10

// What a picture is at one stage: "decoded", "resized", "crop", "input"; the last one in values,
// the others in bytes. [height][width][channels].
typedef struct Stage {
    const char *name;
    int view; // 0 ... 9 for "crop" and "input" of several views
    int height, width, channels;
    const uint8_t *bytes;
    const float *values;
} Stage;

// Gets each stage; a failure ends the way.
typedef struct StageSink {
    Status (*put)(void *user, const Stage *stage);
    void *user;
} StageSink;

// Reads a picture and writes [views][height][width][channels] normalised values. Only the part of
// the picture that is seen is decoded and resized, where the format allows. Ten crops want a
// picture that is no smaller than the crop after resizing.
Status sample_load(const char *path, const Preprocess *preprocess, Views views, bool exif,
                   float *out);

// The same of a picture in memory. `sink` NULL: none.
Status sample_from_image(const char *name, const Image *image, const Preprocess *preprocess,
                         Views views, const StageSink *sink, float *out);

// The whole picture with short side `side`, for networks that take any size (paper §3.4). First its
// size, then its values [height][width][channels]; preprocess->pixel_mean must be NULL.
Status sample_whole_size(const char *name, const Image *image, int side, int *height, int *width);
Status sample_whole(const char *name, const Image *image, const Preprocess *preprocess, int side,
                    const StageSink *sink, float *out);

#endif
