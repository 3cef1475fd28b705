// SPDX-License-Identifier: Apache-2.0
// A 64-bit checksum of bytes: recognises a damaged model file and a data set that is not the one a
// training was begun with. Against accidents, not against forgers.
//
//     state = (state ^ word) * PRIME, then state ^= state >> 32, for each 8 bytes, little-endian
//
// Each step can be undone when the word is known, so that bytes which differ in one word only never
// have the same checksum.
#ifndef RESNET_WEIGHTS_CHECKSUM_H
#define RESNET_WEIGHTS_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_START UINT64_C(0x9e3779b97f4a7c15)

// The checksum of what gave `state` followed by these bytes and their number: two calls differ from
// one call with both pieces, so that names and values cannot run into each other.
uint64_t checksum_add(uint64_t state, const void *bytes, size_t size);
// The same for a string, its end included.
uint64_t checksum_add_text(uint64_t state, const char *text);

#endif
