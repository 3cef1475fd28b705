// SPDX-License-Identifier: Apache-2.0
// Data sets.
#include <stdlib.h>
#include <string.h>

#include "api/handles.h"
#include "data/image.h"

resnet_status resnet_data_open(const char *spec, const char *split, resnet_data **out) {
    *out = NULL;
    bool train = strcmp(split, "train") == 0;
    if (!train && strcmp(split, "test") != 0) {
        return (resnet_status)status_fail(STATUS_USAGE, "split '%s' is neither train nor test",
                                          split);
    }
    Dataset *dataset = NULL;
    Status status = dataset_open(spec, train ? SPLIT_TRAIN : SPLIT_TEST, &dataset);
    if (status != STATUS_OK) {
        return (resnet_status)status;
    }
    resnet_data *data = malloc(sizeof *data);
    if (data == NULL) {
        dataset_close(dataset);
        return out_of_memory("a data set");
    }
    data->dataset = dataset;
    *out = data;
    return RESNET_OK;
}

void resnet_data_free(resnet_data *data) {
    if (data != NULL) {
        dataset_close(data->dataset);
        free(data);
    }
}

int resnet_data_count(const resnet_data *data) { return (int)data->dataset->count; }

int resnet_data_classes(const resnet_data *data) { return data->dataset->classes; }

const char *resnet_data_class_name(const resnet_data *data, int index) {
    const Dataset *set = data->dataset;
    return set->class_names != NULL && index >= 0 && index < set->classes ? set->class_names[index]
                                                                          : NULL;
}

int resnet_data_label(const resnet_data *data, int sample) {
    return sample >= 0 && sample < (int)data->dataset->count ? data->dataset->labels[sample] : -1;
}

void resnet_data_shape(const resnet_data *data, int *channels, int *height, int *width) {
    *channels = data->dataset->channels;
    *height = data->dataset->height;
    *width = data->dataset->width;
}

resnet_status resnet_data_write_png(const resnet_data *data, int sample, const char *path) {
    const Dataset *set = data->dataset;
    if (sample < 0 || sample >= (int)set->count) {
        return (resnet_status)status_fail(
            STATUS_USAGE, "there is no sample %d: the data set has %u", sample, set->count);
    }
    if (set->paths != NULL) {
        Image picture;
        Status status = image_read(set->paths[sample], 3, false, &picture);
        if (status == STATUS_OK) {
            status = image_write_png(path, &picture);
            image_free(&picture);
        }
        return (resnet_status)status;
    }
    size_t bytes = (size_t)set->channels * (size_t)set->height * (size_t)set->width;
    Image image = {set->width, set->height, set->channels, set->pixels + (size_t)sample * bytes};
    return (resnet_status)image_write_png(path, &image);
}
