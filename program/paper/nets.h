// SPDX-License-Identifier: Apache-2.0
// The networks that the paper's experiments train, and for how long at each scale. A network is
// trained once, whatever number of experiments look at it.
#ifndef PROGRAM_NETS_H
#define PROGRAM_NETS_H

#include <stdbool.h>
#include <stdint.h>

typedef enum Scale { SCALE_QUICK, SCALE_CLASS, SCALE_FULL, SCALE_COUNT } Scale;

typedef struct ScaleFacts {
    const char *name;   // as in --scale
    const char *recipe; // of `resnet train`: "paper", "short"
    double lr;          // the recipe's highest
    int batch;          // images a step
    int test_samples;   // tests look at the first that many; 0: all
    const char *means;  // "trainings of seconds, for a demonstration"
} ScaleFacts;

const ScaleFacts *scale_facts(Scale scale);
// False: there is no scale of that name.
bool scale_named(const char *name, Scale *out);

typedef struct Net {
    const char *key;              // names its folder: "resnet20-B"
    const char *title;            // "resnet-20 B"
    const char *model, *shortcut; // NULL shortcut: the model's own
    int layers;
    int64_t iterations[SCALE_COUNT]; // 0: left out at that scale
} Net;

// NULL past the table's end.
const Net *net_get(int index);
// NULL: there is none of that key.
const Net *net_named(const char *key);

#endif
