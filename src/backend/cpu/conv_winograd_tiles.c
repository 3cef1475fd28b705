// SPDX-License-Identifier: Apache-2.0
// How Winograd convolutions read, multiply and write their tiles: strips for the transforms, what
// is fetched ahead, products by ConvTiles, sums transformed back.
#include "backend/cpu/conv_winograd_tiles.h"

static int least(int a, int b) { return a < b ? a : b; }

WinogradOrder winograd_order(const WinogradTiles *tiles, int t0, int t1) {
    enum { CLASSES = 4 };
    int class_of[WINOGRAD_BLOCK_MAX], count[CLASSES] = {0}, begin[CLASSES + 1] = {0};
    for (int i = 0; i < t1 - t0; i++) {
        const WinogradPlace at = winograd_place(tiles, t0 + i);
        const bool high = at.row < tiles->high, wide = at.column < tiles->wide;
        class_of[i] = high ? (wide ? 1 : 0) : (wide ? 2 : 3);
        count[class_of[i]]++;
    }
    for (int i = 0; i < CLASSES; i++) {
        begin[i + 1] = begin[i] + count[i];
    }
    WinogradOrder order = {.all = {0, begin[4]},
                           .high = {0, begin[2]},
                           .wide = {begin[1], begin[3]},
                           .full = {begin[1], begin[2]}};
    for (int i = 0; i < t1 - t0; i++) {
        order.slots[i] = (uint8_t)begin[class_of[i]]++;
    }
    return order;
}

WinogradAhead winograd_ahead(const WinogradSource *source, WinogradUse use, int t0, int t1,
                             int steps) {
    WinogradAhead ahead = {.source = source, .use = use, .tile = t0};
    ahead.end = least(t1, source->tiles->count);
    // The outputs' own rows, and those below and above that they see.
    const int rows = (ahead.end - t0) * (WINOGRAD_OUTPUTS + (use == WINOGRAD_SEE ? 1 : 0));
    ahead.rate = (rows + steps - 1) / steps;
    return ahead;
}

// The rows of a tile that the tile above has not asked for already.
static void ahead_place(WinogradAhead *ahead) {
    const WinogradTiles *tiles = ahead->source->tiles;
    const WinogradPlace at = winograd_place(tiles, ahead->tile);
    const int first = ahead->use != WINOGRAD_SEE || at.y == 0 ? at.y : at.y + 1;
    const int end = at.y + at.height + (ahead->use == WINOGRAD_SEE ? 1 : 0);
    const ptrdiff_t pixel = ((ptrdiff_t)at.image * tiles->height + first) * tiles->width + at.x;
    ahead->from = ahead->source->images + ahead->source->first + pixel * ahead->source->pixel;
    ahead->rows = least(end, tiles->height) - first;
    ahead->columns = at.width;
}

// `write` is a literal after inlining.
static inline __attribute__((always_inline)) void fetch(const float *from, int pixel, int columns,
                                                        int channels, const bool write) {
    for (int x = 0; x < columns; x++) {
        for (int c = 0; c < channels; c += CONV_BLOCK) {
            if (write) {
                __builtin_prefetch(from + c, 1);
            } else {
                __builtin_prefetch(from + c, 0, 2);
            }
        }
        from += pixel;
    }
}

void winograd_ahead_rows(WinogradAhead *ahead) {
    const WinogradSource *source = ahead->source;
    const int pixel = source->pixel;
    for (int i = 0; i < ahead->rate && ahead->tile < ahead->end; i++) {
        if (ahead->row == 0) {
            ahead_place(ahead);
        }
        // All channels of pixels side by side are one piece of memory.
        const bool whole = source->channels == pixel;
        const int columns = whole ? 1 : ahead->columns;
        const int channels = whole ? ahead->columns * pixel : source->channels;
        if (ahead->row < ahead->rows && ahead->use == WINOGRAD_WRITE) {
            fetch(ahead->from, pixel, columns, channels, true);
        } else if (ahead->row < ahead->rows) {
            fetch(ahead->from, pixel, columns, channels, false);
        }
        ahead->from += (ptrdiff_t)source->tiles->width * pixel;
        if (++ahead->row >= ahead->rows) {
            ahead->row = 0;
            ahead->tile++;
        }
    }
}

// The pixels of `tiles` tiles side by side, `step` columns apart, with as many around them as
// `around` says; returns the floats of a row.
static ptrdiff_t fill_strip(const WinogradSource *source, WinogradPlace at, int tiles, int step,
                            int around, int first, int channels, float *strip) {
    const WinogradTiles *map = source->tiles;
    const int columns = (tiles - 1) * step + WINOGRAD_OUTPUTS + 2 * around;
    const int x0 = at.x - around, left = x0 < 0 ? -x0 : 0;
    const int pixels = least(columns, map->width - x0) - left;
    const float *image =
        source->images + first + (ptrdiff_t)at.image * map->height * map->width * source->pixel;
    for (int y = at.y - around; y < at.y + WINOGRAD_OUTPUTS + around; y++) {
        const bool inside = y >= 0 && y < map->height;
        const ptrdiff_t pixel = inside ? (ptrdiff_t)y * map->width + x0 + left : 0;
        source->kernels->conv->pack_row(strip, 0, image + pixel * source->pixel, source->pixel,
                                        inside ? left : columns, inside ? pixels : 0,
                                        inside ? columns - left - pixels : 0, channels, 0);
        strip += (ptrdiff_t)columns * CONV_BLOCK;
    }
    return (ptrdiff_t)columns * CONV_BLOCK;
}

// How many tiles from `t` on, at most `most`, lie side by side, alike and in order.
static int tiles_in_line(const WinogradTiles *tiles, WinogradPlace at, int most,
                         const uint8_t *slots) {
    const int alike = (at.column < tiles->wide ? tiles->wide : tiles->columns) - at.column;
    int count = 1;
    most = least(WINOGRAD_STRIP_TILES, least(alike, most));
    while (count < most && (slots == NULL || slots[count] == slots[0] + count)) {
        count++;
    }
    return count;
}

void winograd_transform(const WinogradSource *source, bool gradient, int t0, int t1,
                        const WinogradOrder *order, float *strip, ptrdiff_t point, ptrdiff_t plane,
                        float *to) {
    const WinogradKernels *kernels = source->kernels->winograd;
    for (int t = t0; t < t1;) {
        const WinogradPlace at = winograd_place(source->tiles, t);
        const uint8_t *slot = order != NULL ? order->slots + (t - t0) : NULL;
        const int tiles = tiles_in_line(source->tiles, at, t1 - t, slot);
        const int step = winograd_begin(at.column + 1, source->tiles->wide) - at.x;
        float *first = to + (ptrdiff_t)(slot != NULL ? *slot : t - t0) * CONV_BLOCK;
        for (int c = 0; c < source->channels; c += CONV_BLOCK) {
            const ptrdiff_t row =
                fill_strip(source, at, tiles, step, gradient ? 0 : 1, source->first + c,
                           least(CONV_BLOCK, source->channels - c), strip);
            (gradient ? kernels->gradient : kernels->input)(strip, row, step * CONV_BLOCK, tiles,
                                                            first + c / CONV_BLOCK * plane, point);
        }
        t += tiles;
    }
}

void winograd_multiply(const WinogradProducts *products, int panel, int tiles,
                       const WinogradOrder *order, const float *input, float *sums,
                       WinogradAhead ahead[], int aheads) {
    static const int32_t tap = 0;
    const ConvKernels *conv = products->kernels->conv;
    const int width = panel_width(products->kernels, products->lanes, panel);
    const int units = width / CONV_BLOCK, most = conv->rows[units - 1];
    const ptrdiff_t first = (ptrdiff_t)panel * panel_lanes(products->kernels);
    ConvTile tile = {.plane = products->plane,
                     .blocks = blocks_of(products->depth),
                     .last_depth = (products->depth - 1) % CONV_BLOCK + 1,
                     .tap = &tap,
                     .taps = 1,
                     .weights = products->weights + first * products->points * products->depth,
                     .output_stride = width};
    for (int point = 0; point < products->points; point++) {
        tile.ahead = (const char *)tile.weights;
        for (int i = 0; i < aheads; i++) {
            winograd_ahead_step(&ahead[i]);
        }
        const WinogradRange range =
            order != NULL ? winograd_range(order, point / WINOGRAD_SIDE, point % WINOGRAD_SIDE)
                          : (WinogradRange){0, tiles};
        const int slots = range.end - range.begin, count = (slots + most - 1) / most;
        for (int i = 0; i < count; i++) {
            const int t = range.begin + slots * i / count;
            const int rows = range.begin + slots * (i + 1) / count - t;
            tile.input[0] = input + (ptrdiff_t)t * CONV_BLOCK;
            tile.input[1] = tile.input[0] + (ptrdiff_t)(rows / 2) * CONV_BLOCK;
            tile.output[0] = sums + (ptrdiff_t)t * width;
            tile.output[1] = tile.output[0] + (ptrdiff_t)(rows / 2) * width;
            conv->tile[units - 1][rows - 1](&tile);
        }
        tile.weights += (ptrdiff_t)products->depth * width;
        input += products->input_point;
        sums += products->sum_point;
    }
}

void winograd_transform_sums(const WinogradTarget *target, int first, int width, int t0, int t1,
                             const WinogradOrder *order, const float *sums, ptrdiff_t point) {
    const WinogradTiles *tiles = target->tiles;
    WinogradOutput tile = {.point = point,
                           .lanes = least(width, target->lanes - first),
                           .start = target->start != NULL ? target->start + first : NULL,
                           .row = (ptrdiff_t)tiles->width * target->lanes,
                           .column = target->lanes,
                           .relu = target->relu,
                           .scaled = target->scaled};
    for (int t = t0; t < t1; t++) {
        const WinogradPlace at = winograd_place(tiles, t);
        const ptrdiff_t pixel = ((ptrdiff_t)at.image * tiles->height + at.y) * tiles->width + at.x;
        const ptrdiff_t place = pixel * target->lanes + first;
        tile.rows = at.height;
        tile.columns = at.width;
        tile.from = sums + (ptrdiff_t)(order != NULL ? order->slots[t - t0] : t - t0) * width;
        tile.output = target->out + place;
        tile.residual = target->residual != NULL ? target->residual + place : NULL;
        target->output(&tile);
    }
}
