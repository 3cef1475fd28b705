// SPDX-License-Identifier: Apache-2.0
// The gradient of a batch from those of its shards, added in a fixed binary tree:
//
//     shard     0   1   2   3   4          the tree depends on the number of shards alone, so it
//                \ /     \ /    |          does not matter in how many processes they are
//                 +       +     |          computed. As a binary counter carries, a sum over 2^k
//                  \     /      |          shards waits at level k until its twin comes, so there
//                     +         |          are only log2(shards) blocks besides the gradients.
//                      \_______/
//                          +
#ifndef RESNET_TRAIN_SHARDS_H
#define RESNET_TRAIN_SHARDS_H

#include <stddef.h>

#include "base/status.h"
#include "base/threads.h"

typedef struct Shards Shards;

// Bytes of the blocks for that many shards of gradients of so many floats.
size_t shards_bytes(size_t elements, int shards);

Status shards_create(size_t elements, int shards, Threads *threads, Shards **out);
void shards_destroy(Shards *shards); // NULL: nothing to do

// To be called after the backward pass of shard 0, 1, … count-1 of a batch (count at most that of
// shards_create) with the shard's gradients. After the last one `gradients` holds the whole sum;
// after others its content is undefined. Allocates nothing.
void shards_add(Shards *shards, float *gradients, int shard, int count);

#endif
