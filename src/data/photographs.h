// SPDX-License-Identifier: Apache-2.0
// Data sets of pictures in files: folder:DIR and list:FILE.
#ifndef RESNET_DATA_PHOTOGRAPHS_H
#define RESNET_DATA_PHOTOGRAPHS_H

#include "data/dataset.h"

// The sub-folders of DIR/train or DIR/val (SPLIT_TEST), byte-wise sorted, are the classes; their
// files with a picture's extension are the samples, sorted likewise. Hidden names are passed over.
Status folder_open(const char *folder, Split split, Dataset *out);

// Lines "path label": white space between, further columns ignored, '#' begins a comment line.
// Paths are relative to the list's folder. Classes: the largest label and one. One list is both
// splits.
Status list_open(const char *path, Dataset *out);

// The same of the list's bytes.
Status list_decode(const char *path, const char *text, size_t size, Dataset *out);

#endif
