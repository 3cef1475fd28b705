// SPDX-License-Identifier: Apache-2.0
// An output pixel (y, x) shows the source pixel (y + dy, x + dx), mirrored in x when flipped, and
// outside of the picture zero, or the picture mirrored at its border:
//
//        dx < 0            dy and dx from -pad on, as far as the crop stays in the padded picture,
//     +---------+          drawn as one number below the count of places
//     |0 +------|--+       a 256-entry table of each channel does the normalisation, which has the
//     |0 |      |  |       bits of (byte / 255 - mean) / deviation in float, as PyTorch computes it
//     +---------+  |
//        +---------+
#include "data/preprocess.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

typedef struct Row {
    const uint8_t *from; // the first source pixel that is seen
    const float *mean;   // its mean, with a per-pixel mean
    float *to;           // where that pixel goes
    int count;           // pixels
    int step;            // floats from one pixel to the next: -channels when flipped
} Row;

// By the picture's channels, of which the network's first is the last one with `bgr`.
typedef struct Tables {
    float value[3][256]; // normalised, or byte * scale alone with a per-pixel mean
    float deviation[3];
    int place[3]; // where a channel goes
} Tables;

// byte / 255 is not byte * (1 / 255): PyTorch divides.
static float scaled(const Preprocess *preprocess, int byte) {
    float scale = preprocess->scale;
    return scale == 0 || scale == 1.0F / 255 ? (float)byte / 255 : (float)byte * scale;
}

static void make_tables(const Preprocess *preprocess, Tables *tables) {
    for (int c = 0; c < preprocess->channels; c++) {
        int place = preprocess->bgr ? preprocess->channels - 1 - c : c;
        float mean = preprocess->mean[place], deviation = preprocess->deviation[place];
        tables->place[c] = place;
        tables->deviation[c] = deviation;
        for (int byte = 0; byte < 256; byte++) {
            tables->value[c][byte] = scaled(preprocess, byte);
        }
        if (preprocess->pixel_mean == NULL) {
            for (int byte = 0; byte < 256; byte++) {
                tables->value[c][byte] = (tables->value[c][byte] - mean) / deviation;
            }
        }
    }
}

// Inlined with a literal number of channels, which unrolls the inner loop.
static inline void fill_row(const Tables *tables, Row row, int channels) {
    if (row.mean == NULL) {
        for (int x = 0; x < row.count; x++) {
            for (int c = 0; c < channels; c++) {
                row.to[tables->place[c]] = tables->value[c][row.from[c]];
            }
            row.from += channels;
            row.to += row.step;
        }
        return;
    }
    for (int x = 0; x < row.count; x++) {
        for (int c = 0; c < channels; c++) {
            int place = tables->place[c];
            float value = tables->value[c][row.from[c]];
            row.to[place] = (value - row.mean[place]) / tables->deviation[c];
        }
        row.from += channels;
        row.mean += channels;
        row.to += row.step;
    }
}

static void fill_any_row(const Tables *tables, Row row, int channels) {
    switch (channels) {
    case 1:
        fill_row(tables, row, 1);
        break;
    case 3:
        fill_row(tables, row, 3);
        break;
    default:
        fill_row(tables, row, channels);
    }
}

// The line that is seen in place of line i of `count`: i itself inside.
static int mirrored(int i, int count) {
    if (count == 1) {
        return 0;
    }
    const int period = 2 * (count - 1);
    i = abs(i) % period;
    return i < count ? i : period - i;
}

static void zero(float *to, int pixels, int channels) {
    memset(to, 0, (size_t)pixels * (size_t)channels * sizeof *to);
}

void preprocess_sample(const Preprocess *preprocess, const Augment *augment, uint64_t seed,
                       uint64_t epoch, uint64_t sample, const uint8_t *pixels, float *out) {
    const int channels = preprocess->channels;
    const int height = preprocess->height, width = preprocess->width;
    assert(channels >= 1 && channels <= 3);
    const int pad = augment != NULL ? augment->pad : 0;
    const int rows = augment != NULL && augment->height > 0 ? augment->height : height;
    const int columns = augment != NULL && augment->width > 0 ? augment->width : width;
    assert(pad < 0x3fff && rows <= height && columns <= width);
    int dy = 0, dx = 0;
    bool flip = false;
    const uint32_t places_y = (uint32_t)(height - rows + 2 * pad + 1);
    const uint32_t places_x = (uint32_t)(width - columns + 2 * pad + 1);
    if (places_y * places_x > 1) {
        uint32_t draw = random_below(places_y * places_x, seed, RANDOM_CROP, epoch, sample);
        dy = (int)(draw / places_x) - pad;
        dx = (int)(draw % places_x) - pad;
    }
    if (augment != NULL && augment->flip == FLIP_RANDOM) {
        flip = random_bits(seed, RANDOM_FLIP, epoch, sample) >> 63 != 0;
    } else if (augment != NULL && augment->flip == FLIP_ALTERNATING) {
        flip = (random_bits(seed, RANDOM_FLIP, 0, sample) >> 63 ^ (epoch & 1)) != 0;
    }

    Tables tables;
    make_tables(preprocess, &tables);
    // Columns `before` ... `after` - 1 of the crop, not yet flipped, show the picture.
    const bool mirror = augment != NULL && augment->border == BORDER_MIRROR;
    const int before = dx < 0 ? -dx : 0, after = width - dx < columns ? width - dx : columns;
    const ptrdiff_t step = flip ? -channels : channels;
    for (int y = 0; y < rows; y++) {
        float *row = out + (ptrdiff_t)y * columns * channels;
        const int from_y = mirror ? mirrored(y + dy, height) : y + dy;
        if (from_y < 0 || from_y >= height) {
            zero(row, columns, channels);
            continue;
        }
        float *to = flip ? row + (ptrdiff_t)(columns - 1) * channels : row; // of column x
        for (int x = 0, count; x < columns; x += count, to += count * step) {
            const bool inside = x >= before && x < after;
            count = inside ? after - x : 1;
            if (!inside && !mirror) {
                zero(to, 1, channels);
                continue;
            }
            const ptrdiff_t offset =
                ((ptrdiff_t)from_y * width + mirrored(x + dx, width)) * channels;
            const float *mean = preprocess->pixel_mean;
            fill_any_row(&tables,
                         (Row){
                             .from = pixels + offset,
                             .mean = mean == NULL ? NULL : mean + offset,
                             .to = to,
                             .count = count,
                             .step = (int)step,
                         },
                         channels);
        }
    }
}
