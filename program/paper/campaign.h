// SPDX-License-Identifier: Apache-2.0
// All the trainings that the chosen experiments need, each once, and what is measured about them.
//
//     DIR/runs/KEY, DIR/runs/KEY-seed2   trainings (see runs.h)
//     DIR/costs.jsonl                    what networks cost (see costs.h)
//     DIR/accuracies.jsonl               published weights (see neighbours.h)
#ifndef PROGRAM_CAMPAIGN_H
#define PROGRAM_CAMPAIGN_H

#include <signal.h>

#include "paper/experiments.h"

typedef struct CampaignOptions {
    const char *data, *out;
    const char *only; // experiments, "depth,shortcuts"; NULL: all
    Scale scale;
    const char *recipe; // NULL: the scale's
    int64_t iterations; // 0: the scale's
    double lr;          // of all; 0: the scale's
    int batch;          // 0: the scale's
    int seeds, threads;
    bool timed;          // measure latencies
    const char *weights; // files to evaluate, "a.pth,b.pth"; NULL: none
    const char *images;  // SPEC to evaluate them on
} CampaignOptions;

// A network with its trainings, one a seed: those that are asked for, and further ones that an
// earlier call finished.
typedef struct Job {
    const Net *net;
    Run *runs;
    int seeds;
    Signals signals; // of the first seed
    Cost cost;
} Job;

typedef struct Campaign {
    const CampaignOptions *options;
    int samples, test_samples; // of a training's data
    int channels, height, width, classes;
    const char *recipe;
    double lr;
    int batch;
    Job *jobs;
    int count;
    Outcome *outcomes; // one a job, once measured
} Campaign;

// Opens the data, lists the trainings and looks at what earlier calls left; trains nothing.
// campaign_release() in any case.
resnet_status campaign_begin(Campaign *campaign, const CampaignOptions *options);
// Tells how long it will take, and trains what is not finished.
resnet_status campaign_train(Campaign *campaign, const volatile sig_atomic_t *stop);
// Reads all results from their files and measures what networks cost: fills the outcomes.
resnet_status campaign_measure(Campaign *campaign);
void campaign_release(Campaign *campaign);

// The trainings of all networks, one after the other, from 0 on; *job, unless it is NULL: whose.
// NULL behind the last.
Run *campaign_run(const Campaign *campaign, int index, const Job **job);

// A file in DIR.
resnet_status campaign_path(const CampaignOptions *options, const char *name, char out[PATH_MAX]);

#endif
