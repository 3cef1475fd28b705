// SPDX-License-Identifier: Apache-2.0
#include "paper/campaign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/failure.h"
#include "console/folder.h"

// ---- Which networks ----------------------------------------------------------------------------

static bool net_wanted(const CampaignOptions *options, const Net *net) {
    const Experiment *experiment;
    for (int e = 0; (experiment = experiment_get(e)) != NULL; e++) {
        for (int i = 0; i < MOST_ENTRIES && experiment->entries[i].net != NULL; i++) {
            if (experiment_wanted(experiment, options->only) &&
                strcmp(experiment->entries[i].net, net->key) == 0) {
                return net->iterations[options->scale] > 0;
            }
        }
    }
    return false;
}

// ---- Beginning ----------------------------------------------------------------------------------

resnet_status campaign_path(const CampaignOptions *options, const char *name, char out[PATH_MAX]) {
    if (snprintf(out, PATH_MAX, "%s/%s", options->out, name) >= PATH_MAX) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", options->out);
    }
    return RESNET_OK;
}

static resnet_status data_look(Campaign *campaign) {
    const CampaignOptions *options = campaign->options;
    resnet_data *data = NULL;
    TRY(resnet_data_open(options->data, "train", &data));
    campaign->samples = resnet_data_count(data);
    campaign->classes = resnet_data_classes(data);
    resnet_data_shape(data, &campaign->channels, &campaign->height, &campaign->width);
    resnet_data_free(data);
    if (campaign->height == 0) {
        return failure_say(RESNET_USAGE,
                           "data '%s' are photographs in files, but the experiments train on small "
                           "images of one size, such as cifar10:DIR",
                           options->data);
    }
    TRY(resnet_data_open(options->data, "test", &data));
    campaign->test_samples = resnet_data_count(data);
    resnet_data_free(data);
    const int limit = scale_facts(options->scale)->test_samples;
    if (limit > 0 && limit < campaign->test_samples) {
        campaign->test_samples = limit;
    }
    if (campaign->batch > campaign->samples) {
        return failure_say(RESNET_USAGE,
                           "data '%s' have %d training images, fewer than a batch of %d; give a "
                           "smaller --batch",
                           options->data, campaign->samples, campaign->batch);
    }
    return RESNET_OK;
}

static CostSubject job_subject(const Campaign *campaign, const Net *net) {
    return (CostSubject){.model = net->model,
                         .shortcut = net->shortcut,
                         .channels = campaign->channels,
                         .height = campaign->height,
                         .width = campaign->width,
                         .classes = campaign->classes};
}

static resnet_status run_prepare(const Campaign *campaign, const Net *net, int seed, Run *run) {
    const CampaignOptions *options = campaign->options;
    char suffix[32] = "", name[96];
    *run =
        (Run){.model = net->model,
              .shortcut = net->shortcut,
              .settings = {.data = options->data,
                           .samples = campaign->samples,
                           .test_samples = campaign->test_samples,
                           .iterations = options->iterations > 0 ? options->iterations
                                                                 : net->iterations[options->scale],
                           .batch = campaign->batch,
                           .recipe = campaign->recipe,
                           .lr = campaign->lr,
                           .threads = options->threads,
                           .seed = (uint64_t)seed}};
    if (seed > 1) {
        snprintf(suffix, sizeof suffix, "-seed%d", seed);
    }
    snprintf(name, sizeof name, "runs/%s%s", net->key, suffix);
    TRY(campaign_path(options, name, run->folder));
    return run_recall(run);
}

static resnet_status job_begin(const Campaign *campaign, const Net *net, Job *job) {
    const CostSubject subject = job_subject(campaign, net);
    *job = (Job){.net = net};
    TRY(cost_count(&subject, &job->cost));
    while (true) {
        Run run, *runs;
        TRY(run_prepare(campaign, net, job->seeds + 1, &run));
        if (job->seeds >= campaign->options->seeds && !run.finished) {
            return RESNET_OK;
        }
        runs = realloc(job->runs, ((size_t)job->seeds + 1) * sizeof *runs);
        if (runs == NULL) {
            return failure_say(RESNET_FAILED, "cannot get memory for %d seeds", job->seeds + 1);
        }
        job->runs = runs;
        runs[job->seeds++] = run;
    }
}

Run *campaign_run(const Campaign *campaign, int index, const Job **job) {
    for (int j = 0; j < campaign->count; j++) {
        if (index < campaign->jobs[j].seeds) {
            if (job != NULL) {
                *job = &campaign->jobs[j];
            }
            return &campaign->jobs[j].runs[index];
        }
        index -= campaign->jobs[j].seeds;
    }
    return NULL;
}

resnet_status campaign_begin(Campaign *campaign, const CampaignOptions *options) {
    const ScaleFacts *scale = scale_facts(options->scale);
    *campaign = (Campaign){.options = options,
                           .recipe = options->recipe != NULL ? options->recipe : scale->recipe,
                           .lr = options->lr > 0 ? options->lr : scale->lr,
                           .batch = options->batch > 0 ? options->batch : scale->batch};
    TRY(data_look(campaign));
    TRY(folder_make(options->out));
    int nets = 0;
    while (net_get(nets) != NULL) {
        nets++;
    }
    campaign->jobs = calloc((size_t)nets, sizeof *campaign->jobs);
    campaign->outcomes = calloc((size_t)nets, sizeof *campaign->outcomes);
    if (campaign->jobs == NULL || campaign->outcomes == NULL) {
        return failure_say(RESNET_FAILED, "cannot get memory for %d networks", nets);
    }
    for (int n = 0; n < nets; n++) {
        if (net_wanted(options, net_get(n))) {
            TRY(job_begin(campaign, net_get(n), &campaign->jobs[campaign->count++]));
        }
    }
    return RESNET_OK;
}

void campaign_release(Campaign *campaign) {
    for (int j = 0; j < campaign->count; j++) {
        Job *job = &campaign->jobs[j];
        for (int s = 0; s < job->seeds; s++) {
            run_release(&job->runs[s]);
        }
        signals_release(&job->signals);
        free(job->runs);
    }
    free(campaign->jobs);
    free(campaign->outcomes);
    *campaign = (Campaign){0};
}

// ---- Measuring ----------------------------------------------------------------------------------

static resnet_status job_measure(const Campaign *campaign, Job *job, Outcome *outcome) {
    const CampaignOptions *options = campaign->options;
    const CostSubject subject = job_subject(campaign, job->net);
    char costs[PATH_MAX], gradients[PATH_MAX + 32];
    TRY(campaign_path(options, "costs.jsonl", costs));
    for (int s = 0; s < job->seeds; s++) {
        TRY(run_read(&job->runs[s]));
    }
    snprintf(gradients, sizeof gradients, "%s/gradients.jsonl", job->runs[0].folder);
    signals_release(&job->signals);
    TRY(signals_read(gradients, &job->signals));
    TRY(cost_get(costs, &subject, options->threads, options->timed, &job->cost));
    *outcome = outcome_average(job->net, job->runs, job->seeds);
    outcome->cost = job->cost;
    outcome->signals = &job->signals;
    return RESNET_OK;
}

resnet_status campaign_measure(Campaign *campaign) {
    for (int j = 0; j < campaign->count; j++) {
        TRY(job_measure(campaign, &campaign->jobs[j], &campaign->outcomes[j]));
    }
    return RESNET_OK;
}
