// SPDX-License-Identifier: Apache-2.0
// The data of a training: what is trained on, what is tested on, and how pixels become numbers.
#ifndef RESNET_TRAIN_TRAIN_DATA_H
#define RESNET_TRAIN_TRAIN_DATA_H

#include "data/dataset.h"
#include "data/preprocess.h"
#include "train/trainer.h"

typedef struct TrainData {
    Dataset *train, *test;
    Preprocess preprocess; // statistics of `train`, or the ones given
    float *pixel_mean;     // owned
    uint64_t checksum;     // of all pixels and labels of both
} TrainData;

// Opens options->data. With `validation`, that many samples drawn by seed are held out of the
// training split and tested on (the paper's 45k/5k split has 5000), and the test split is not
// looked at. With `train_samples`, only that many of the rest are kept. The order of samples stays
// the file's. pixel_mean: a mean for each pixel (the paper) instead of one for each channel.
Status train_data_open(const TrainOptions *options, bool pixel_mean, TrainData *out);
void train_data_close(TrainData *data);

#endif
