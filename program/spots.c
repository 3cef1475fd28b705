// SPDX-License-Identifier: Apache-2.0
#include "spots.h"

#include <stddef.h>

void spots_begin(Spots *spots, Box frame) {
    spots->frame = frame;
    spots->count = 0;
}

void spots_take(Spots *spots, Box box) {
    if (spots->count < MOST_SPOTS) {
        spots->taken[spots->count++] = box;
    }
}

static bool boxes_meet(const Box *a, const Box *b) {
    return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

bool spots_free(const Spots *spots, const Box *box) {
    bool free = box->left >= spots->frame.left && box->right <= spots->frame.right &&
                box->top >= spots->frame.top && box->bottom <= spots->frame.bottom;
    for (int i = 0; i < spots->count && free; i++) {
        free = !boxes_meet(box, &spots->taken[i]);
    }
    return free;
}

bool spots_find(Spots *spots, double x, double y, double radius, double width, double height,
                Box *out) {
    // Where the rectangle lies of the point, in halves of its width and height and in radii.
    static const double sides[][2] = {{1, 0},      {-1, 0},    {0, -1},      {0, 1},
                                      {0.7, -0.7}, {0.7, 0.7}, {-0.7, -0.7}, {-0.7, 0.7}};
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++) {
        const double right = (sides[i][0] > 0) - (sides[i][0] < 0);
        const double down = (sides[i][1] > 0) - (sides[i][1] < 0);
        const double left = x + sides[i][0] * radius + (right - 1) * width / 2;
        const double top = y + sides[i][1] * radius + (down - 1) * height / 2;
        const Box box = {left, top, left + width, top + height};
        if (spots_free(spots, &box)) {
            spots_take(spots, box);
            *out = box;
            return true;
        }
    }
    return false;
}
