// SPDX-License-Identifier: Apache-2.0
#include "train/train_data.h"

#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "weights/checksum.h"

// `major` of RANDOM_SPLIT.
enum { SPLIT_VALIDATION, SPLIT_SUBSET };

static int compare_indices(const void *a, const void *b) {
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

// Keeps [begin, end) of a permutation of the samples, in the order of the file.
static Status keep_part(Dataset *set, uint64_t seed, int major, uint32_t begin, uint32_t end) {
    uint32_t *order = malloc(((size_t)set->count + 1) * sizeof *order);
    if (order == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory to split %s", set->name);
    }
    random_permutation(order, set->count, seed, RANDOM_SPLIT, (uint64_t)major);
    qsort(order + begin, end - begin, sizeof *order, compare_indices);
    Status status = dataset_select(set, order + begin, end - begin);
    free(order);
    return status;
}

// Keeps the first samples of the file.
static Status keep_first(Dataset *set, uint32_t count) {
    uint32_t *order = malloc(((size_t)count + 1) * sizeof *order);
    if (order == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory to split %s", set->name);
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    Status status = dataset_select(set, order, count);
    free(order);
    return status;
}

static Status limit_tests(const TrainOptions *options, Dataset *test) {
    uint32_t wanted = (uint32_t)options->test_samples;
    if (wanted > test->count) {
        return status_fail(STATUS_USAGE, "%u test samples are wanted, but there are %u", wanted,
                           test->count);
    }
    return wanted > 0 ? keep_first(test, wanted) : STATUS_OK;
}

static Status split(const TrainOptions *options, TrainData *data) {
    uint32_t held_out = (uint32_t)options->validation;
    if (held_out > 0) {
        if (held_out >= data->train->count) {
            return status_fail(STATUS_USAGE,
                               "%u of %u training samples cannot be held out for validation",
                               held_out, data->train->count);
        }
        uint32_t count = data->train->count;
        TRY(dataset_open(options->data, SPLIT_TRAIN, &data->test));
        TRY(keep_part(data->test, options->seed, SPLIT_VALIDATION, 0, held_out));
        TRY(keep_part(data->train, options->seed, SPLIT_VALIDATION, held_out, count));
    } else {
        TRY(dataset_open(options->data, SPLIT_TEST, &data->test));
    }
    uint32_t wanted = (uint32_t)options->train_samples;
    if (wanted > data->train->count) {
        return status_fail(STATUS_USAGE, "%u training samples are wanted, but there are %u", wanted,
                           data->train->count);
    }
    if (wanted > 0) {
        TRY(keep_part(data->train, options->seed, SPLIT_SUBSET, 0, wanted));
    }
    return limit_tests(options, data->test);
}

static size_t sample_bytes(const Dataset *set) {
    return (size_t)set->channels * (size_t)set->height * (size_t)set->width;
}

static uint64_t checksum_set(uint64_t state, const Dataset *set) {
    state = checksum_add(state, set->labels, (size_t)set->count * sizeof *set->labels);
    return checksum_add(state, set->pixels, (size_t)set->count * sample_bytes(set));
}

static Status normalize(const TrainOptions *options, bool pixel_mean, TrainData *data) {
    const Dataset *set = data->train;
    Preprocess *preprocess = &data->preprocess;
    *preprocess = (Preprocess){.channels = set->channels,
                               .height = set->height,
                               .width = set->width,
                               .deviation = {1, 1, 1}};
    if (options->mean != NULL) {
        memcpy(preprocess->mean, options->mean, sizeof preprocess->mean);
        memcpy(preprocess->deviation, options->std, sizeof preprocess->deviation);
        return STATUS_OK;
    }
    if (!pixel_mean) {
        dataset_channel_statistics(set, preprocess->mean, preprocess->deviation);
        for (int c = 0; c < set->channels; c++) {
            if (!(preprocess->deviation[c] > 0)) {
                preprocess->deviation[c] = 1; // a channel without any contrast
            }
        }
        return STATUS_OK;
    }
    data->pixel_mean = malloc(sample_bytes(set) * sizeof(float));
    if (data->pixel_mean == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for the mean image");
    }
    dataset_pixel_mean(set, data->pixel_mean);
    preprocess->pixel_mean = data->pixel_mean;
    return STATUS_OK;
}

static Status open_train(const TrainOptions *options, Dataset **out) {
    TRY(dataset_open(options->data, SPLIT_TRAIN, out));
    if ((*out)->paths != NULL) {
        return status_fail(STATUS_USAGE,
                           "data '%s' are photographs in files, which can be evaluated and "
                           "predicted, but trainings want data of one size in memory",
                           options->data);
    }
    return STATUS_OK;
}

Status train_data_open(const TrainOptions *options, bool pixel_mean, TrainData *out) {
    *out = (TrainData){0};
    Status status = open_train(options, &out->train);
    if (status == STATUS_OK) {
        status = split(options, out);
    }
    if (status == STATUS_OK) {
        status = normalize(options, pixel_mean, out);
    }
    if (status != STATUS_OK) {
        train_data_close(out);
        return status;
    }
    out->checksum = checksum_set(checksum_set(CHECKSUM_START, out->train), out->test);
    return STATUS_OK;
}

void train_data_close(TrainData *data) {
    if (data->train != NULL) {
        dataset_close(data->train);
    }
    if (data->test != NULL) {
        dataset_close(data->test);
    }
    free(data->pixel_mean);
    *data = (TrainData){0};
}
