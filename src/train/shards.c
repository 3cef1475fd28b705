// SPDX-License-Identifier: Apache-2.0
#include "train/shards.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { LEVELS_MAX = 31, CHUNK = 16384 };

struct Shards {
    size_t elements;
    int levels;
    Threads *threads;
    float *waiting[LEVELS_MAX];
    // Of the sum that runs.
    float *gradients;
    const float *other;
};

// Sums that can wait while more shards come: levels 0 … log2(shards - 1).
static int levels_for(int shards) {
    int levels = 0;
    for (int last = shards - 1; last > 0; last >>= 1) {
        levels++;
    }
    return levels;
}

size_t shards_bytes(size_t elements, int shards) {
    return elements * sizeof(float) * (size_t)levels_for(shards);
}

Status shards_create(size_t elements, int shards, Threads *threads, Shards **out) {
    *out = NULL;
    Shards *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for shards");
    }
    made->elements = elements;
    made->levels = levels_for(shards);
    made->threads = threads;
    for (int level = 0; level < made->levels; level++) {
        Status status = block_alloc(elements * sizeof(float), "gradients of shards",
                                    (void **)&made->waiting[level]);
        if (status != STATUS_OK) {
            shards_destroy(made);
            return status;
        }
    }
    *out = made;
    return STATUS_OK;
}

void shards_destroy(Shards *shards) {
    if (shards == NULL) {
        return;
    }
    for (int level = 0; level < shards->levels; level++) {
        block_free(shards->waiting[level]);
    }
    free(shards);
}

static void add_chunk(void *context, int task, int worker) {
    (void)worker;
    const Shards *shards = context;
    size_t begin = (size_t)task * CHUNK;
    size_t end = begin + CHUNK < shards->elements ? begin + CHUNK : shards->elements;
    float *restrict gradients = shards->gradients;
    const float *restrict other = shards->other;
    for (size_t i = begin; i < end; i++) {
        gradients[i] += other[i];
    }
}

static void add_waiting(Shards *shards, float *gradients, int level) {
    shards->gradients = gradients;
    shards->other = shards->waiting[level];
    int tasks = (int)((shards->elements + CHUNK - 1) / CHUNK);
    threads_run(shards->threads, tasks, add_chunk, shards);
}

void shards_add(Shards *shards, float *gradients, int shard, int count) {
    int level = 0;
    for (; (shard >> level & 1) != 0; level++) {
        add_waiting(shards, gradients, level);
    }
    if (shard < count - 1) {
        memcpy(shards->waiting[level], gradients, shards->elements * sizeof(float));
        return;
    }
    // What still waits when the last shard has come: the tree's right edge.
    for (; level < shards->levels; level++) {
        if ((shard >> level & 1) != 0) {
            add_waiting(shards, gradients, level);
        }
    }
}
