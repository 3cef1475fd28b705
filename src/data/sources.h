// SPDX-License-Identifier: Apache-2.0
// The data sets that a SPEC can name: one row each, and the decoders of their two file formats.
// Decoders work on memory alone, so that damaged files can be tried without a disk.
#ifndef RESNET_DATA_SOURCES_H
#define RESNET_DATA_SOURCES_H

#include "base/files.h"
#include "data/dataset.h"

enum { SOURCE_FILES_MAX = 5, SAMPLE_SIDE = 32 };

// A file's content, and the path that sentences name it by.
typedef struct DataFile {
    const char *path;
    FileBytes content;
} DataFile;

typedef struct Source Source;

// Checks every byte that says anything, then allocates and fills pixels, labels, count and shape of
// *out (the caller sets the rest, and frees both blocks whatever the status).
typedef Status SourceDecode(const Source *source, const DataFile *files, int count, Dataset *out);

struct Source {
    const char *name;                       // the SPEC's word and Dataset.name
    const char *folder;                     // what the published archive unpacks to
    const char *files[2][SOURCE_FILES_MAX]; // by Split, in the order of the samples
    const char *names_file;                 // one class name a line; NULL: there is none
    const char *const *class_names;         // [classes], for where that file is absent
    int classes;
    int label_bytes;     // CIFAR: labels that begin a row, the last of which is taken
    bool may_be_gzipped; // files may come as NAME.gz
    SourceDecode *decode;
};

// NULL when there is no such source.
const Source *source_find(const char *name, size_t length);
// "cifar10, cifar100, ..., folder or list": for sentences, cut to `size`.
void source_list(char *text, size_t size);

// Rows of label bytes and 1024 red, 1024 green, 1024 blue bytes; any number of files.
SourceDecode cifar_decode;
// Two files, images and labels; each plain or gzipped, as its first bytes say.
SourceDecode idx_decode;

// Gets the two blocks for `count` samples of SAMPLE_SIDE x SAMPLE_SIDE, zeroed.
Status dataset_allocate(Dataset *dataset, int channels, uint32_t count);

#endif
