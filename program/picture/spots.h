// SPDX-License-Identifier: Apache-2.0
// Room for words beside points of a picture: rectangles that are taken, and the search for a free
// one.
#ifndef PROGRAM_SPOTS_H
#define PROGRAM_SPOTS_H

#include <stdbool.h>

enum { MOST_SPOTS = 512 };

typedef struct Box {
    double left, top, right, bottom;
} Box;

typedef struct Spots {
    Box frame; // that words must not leave
    Box taken[MOST_SPOTS];
    int count;
} Spots;

void spots_begin(Spots *spots, Box frame);
// Takes a rectangle. Those above MOST_SPOTS are not kept in mind.
void spots_take(Spots *spots, Box box);
bool spots_free(const Spots *spots, const Box *box);
// Takes a free rectangle of that size beside a point of that radius: at its right, left, above,
// below, or at a corner; where all are taken, further away, up to `reach` times the radius. False:
// there is none.
bool spots_find(Spots *spots, double x, double y, double radius, int reach, double width,
                double height, Box *out);

#endif
