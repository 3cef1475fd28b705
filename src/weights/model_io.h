// SPDX-License-Identifier: Apache-2.0
// A model from a file, ours or someone else's, and to one.
#ifndef RESNET_WEIGHTS_MODEL_IO_H
#define RESNET_WEIGHTS_MODEL_IO_H

#include "weights/model_file.h"

// What a file need not say itself; zeros: as the file says, or the default.
typedef struct LoadOptions {
    const char *model;  // which architecture it is; NULL: as the file says or its tensors show
    StrideIn stride_in; // for files that can't say
    const char *preset; // of preprocess_preset(), instead of what the file carries
    const char *labels; // a file for labels_read(), instead of what the file carries
    bool map;           // parameters stay in the mapped file where they can
} LoadOptions;

// Reads a file that model_file_save() wrote, or any other file of tensors that weights_identify()
// recognises. Every parameter must be there with its shape, finite or not; other tensors of ours
// are refused unless named "momentum.*", "training.*" or "preprocess.*". Only ours carry a
// preprocessing. options NULL: all zeros. The sentence names the file and the tensor; STATUS_USAGE
// where the options are wrong for any file.
Status model_file_load(const char *path, const LoadOptions *options, ModelFile **out);
Status model_file_save(const ModelFile *file, const char *path);

#endif
