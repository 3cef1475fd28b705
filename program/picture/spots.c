// SPDX-License-Identifier: Apache-2.0
#include "picture/spots.h"

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

// Where a rectangle of that size lies whose nearest corner or side is `right` and `down` of (x, y).
static Box box_beside(double x, double y, double right, double down, double width, double height) {
    const double across = (right > 0) - (right < 0), below = (down > 0) - (down < 0);
    const double left = x + right + (across - 1) * width / 2;
    const double top = y + down + (below - 1) * height / 2;
    return (Box){left, top, left + width, top + height};
}

bool spots_find(Spots *spots, double x, double y, double radius, int reach, double width,
                double height, Box *out) {
    static const double near[][2] = {{1, 0},      {-1, 0},    {0, -1},      {0, 1},
                                     {0.7, -0.7}, {0.7, 0.7}, {-0.7, -0.7}, {-0.7, 0.7}};
    enum { ALL = sizeof near / sizeof near[0], LEVEL = 2 }; // level words are for next to the point
    for (int i = 0; i < ALL * reach; i++) {
        const double distance = radius * (1 + i / ALL);
        const double *side = near[i % ALL];
        if (i >= ALL && i % ALL < LEVEL) {
            continue;
        }
        const Box box = box_beside(x, y, side[0] * distance, side[1] * distance, width, height);
        if (spots_free(spots, &box)) {
            spots_take(spots, box);
            *out = box;
            return true;
        }
    }
    return false;
}
