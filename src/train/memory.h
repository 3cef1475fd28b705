// SPDX-License-Identifier: Apache-2.0
// How much memory a training takes, and whether it is there: a run that cannot end well should not
// begin.
#ifndef RESNET_TRAIN_MEMORY_H
#define RESNET_TRAIN_MEMORY_H

#include <stddef.h>

#include "base/threads.h"
#include "models/models.h"

// Bytes that this process may still take: what the system has available or what the cgroup's limit
// leaves, whichever is less. SIZE_MAX where neither can be told.
size_t memory_available(void);

// What a training's memory depends on besides the model.
typedef struct TrainSize {
    int batch, shard; // shard: samples in one pass
    bool recompute;   // NetworkOptions.recompute
    Threads *threads;
} TrainSize;

// Refuses a training that takes more than `available`: "training resnet110 with batch 4096 takes
// 12.3 GB, but 7.9 GB are free; try --recompute or --batch 2048".
Status memory_check(const char *model, const ModelOptions *options, const TrainSize *size,
                    size_t available);

#endif
