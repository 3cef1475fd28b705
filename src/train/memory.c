// SPDX-License-Identifier: Apache-2.0
#include "train/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "data/loader.h"
#include "network/network.h"
#include "train/shards.h"
#include "train/trainer.h"

// ---- what is there ------------------------------------------------------------------------------

// The number behind `word` at the beginning of a line, or of the first line when word is "".
// False for no file, no such line and "max".
static bool read_number(const char *path, const char *word, size_t *number) {
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    char line[256];
    bool found = false;
    while (!found && fgets(line, sizeof line, file) != NULL) {
        size_t length = strlen(word);
        found = strncmp(line, word, length) == 0 && sscanf(line + length, "%zu", number) == 1;
    }
    fclose(file);
    return found;
}

// What a control group's limit leaves. File pages that were not used lately do not count as taken.
static size_t group_available(const char *limit, const char *usage, const char *stat,
                              const char *inactive) {
    size_t most = 0, used = 0, cached = 0;
    if (!read_number(limit, "", &most) || !read_number(usage, "", &used)) {
        return SIZE_MAX;
    }
    if (read_number(stat, inactive, &cached)) {
        used -= cached < used ? cached : used;
    }
    return used < most ? most - used : 0;
}

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

size_t memory_available(void) {
    size_t available = SIZE_MAX, kilobytes = 0;
    if (read_number("/proc/meminfo", "MemAvailable:", &kilobytes)) {
        available = kilobytes * 1024;
    }
    available = smaller(available, group_available("/sys/fs/cgroup/memory.max",
                                                   "/sys/fs/cgroup/memory.current",
                                                   "/sys/fs/cgroup/memory.stat", "inactive_file "));
    return smaller(available,
                   group_available("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                                   "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                                   "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file "));
}

// ---- what is needed -----------------------------------------------------------------------------

static Status bytes_needed(const Graph *graph, const TrainSize *size, size_t *bytes) {
    NetworkOptions network = {.threads = size->threads,
                              .batch = size->shard,
                              .phase = PHASE_TRAINING,
                              .fuse = true,
                              .recompute = size->recompute};
    size_t training = 0, testing = 0;
    TRY(backend_cpu(&network.backend));
    TRY(network_bytes(graph, &network, &training));
    network.phase = PHASE_INFERENCE;
    TRY(network_bytes(graph, &network, &testing));
    size_t parameters = (3 * graph->trainable_elements + graph->running_elements) * sizeof(float);
    size_t sample = shape_elements(graph_shape(graph, graph->input));
    size_t loaders = loader_bytes(size->batch, LOADER_AHEAD, sample) +
                     loader_bytes(size->shard, LOADER_AHEAD, sample);
    int shards = (size->batch + size->shard - 1) / size->shard;
    *bytes =
        training + testing + parameters + loaders + shards_bytes(graph->trainable_elements, shards);
    return STATUS_OK;
}

static Status loss_graph(const char *model, const ModelOptions *options, Graph **out) {
    ModelOptions with_loss = options != NULL ? *options : (ModelOptions){0};
    with_loss.loss = true;
    return model_build(model, &with_loss, out);
}

Status train_bytes(const char *model, const ModelOptions *options, int batch, bool recompute,
                   Threads *threads, size_t *bytes) {
    *bytes = 0;
    Graph *graph = NULL;
    TRY(loss_graph(model, options, &graph));
    const TrainSize size = {batch, batch, recompute, threads};
    Status status = bytes_needed(graph, &size, bytes);
    graph_destroy(graph);
    return status;
}

static Status fits(const Graph *graph, const TrainSize *size, size_t available, bool *out) {
    size_t bytes = 0;
    TRY(bytes_needed(graph, size, &bytes));
    *out = bytes <= available;
    return STATUS_OK;
}

// The options that would make it fit, or "".
static Status find_advice(const Graph *graph, const TrainSize *wanted, size_t available,
                          char *advice, size_t room) {
    TrainSize size = *wanted;
    bool recompute = false, smaller_batch = false;
    if (!wanted->recompute) {
        size.recompute = true;
        TRY(fits(graph, &size, available, &recompute));
        size.recompute = false;
    }
    while (!smaller_batch && size.batch > 1) {
        size.batch /= 2;
        size.shard = size.shard < size.batch ? size.shard : size.batch;
        TRY(fits(graph, &size, available, &smaller_batch));
    }
    char batch[32] = "";
    if (smaller_batch) {
        snprintf(batch, sizeof batch, "--batch %d", size.batch);
    }
    snprintf(advice, room, "%s%s%s%s", recompute || smaller_batch ? "; try " : "",
             recompute ? "--recompute" : "", recompute && smaller_batch ? " or " : "", batch);
    return STATUS_OK;
}

static Status check(const char *model, const Graph *graph, const TrainSize *size,
                    size_t available) {
    size_t bytes = 0;
    TRY(bytes_needed(graph, size, &bytes));
    if (bytes <= available) {
        return STATUS_OK;
    }
    char advice[64] = "";
    TRY(find_advice(graph, size, available, advice, sizeof advice));
    return status_fail(STATUS_FAILED,
                       "training %s with batch %d takes %.1f GB, but %.1f GB are free%s", model,
                       size->batch, (double)bytes / 1e9, (double)available / 1e9, advice);
}

Status memory_check(const char *model, const ModelOptions *options, const TrainSize *size,
                    size_t available) {
    Graph *graph = NULL;
    TRY(loss_graph(model, options, &graph));
    Status status = check(model, graph, size, available);
    graph_destroy(graph);
    return status;
}
