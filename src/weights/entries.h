// SPDX-License-Identifier: Apache-2.0
// The tensors and metadata of a model file, as lists being made for writing and as they are read.
// A model file and a checkpoint share all of this.
//
// The metadata "resnet.checksum" covers everything else in the file, in the file's own order, so
// that a flipped bit is told from a weight.
#ifndef RESNET_WEIGHTS_ENTRIES_H
#define RESNET_WEIGHTS_ENTRIES_H

#include "base/arena.h"
#include "formats/tensor_file.h"
#include "graph/graph.h"
#include "network/network.h"

// Entries are made with a capacity, and a list that is full is an error of the programmer. Running
// out of memory is remembered until entries_write().
typedef struct Entries {
    Arena *arena;
    Tensor *tensors;
    MetaEntry *metadata;
    int tensor_count, tensor_capacity;
    int metadata_count, metadata_capacity;
    bool failed;
} Entries;

Status entries_create(int tensors, int metadata, Entries *out);
void entries_destroy(Entries *entries);

// Adds float values of the given extents, which must live until entries_write(). The name is
// copied.
void entries_add_tensor(Entries *entries, const char *name, int rank, const int32_t *dims,
                        const float *values);
// Adds signed bytes, and under "NAME_scale" the floats [dims[0]] that they are multiples of. Both
// must live until entries_write().
void entries_add_bytes(Entries *entries, const char *name, int rank, const int32_t *dims,
                       const int8_t *bytes, const float *scales);
// Adds a line of metadata; both texts are copied.
void entries_add(Entries *entries, const char *key, const char *value);
// The metadata is put in order of key, and the checksum is added.
Status entries_write(Entries *entries, const char *path);

// Sentences of these do not name the file.
//
// The sentence when the checksum is not that of the content. A file without one is accepted:
// other programs may rewrite a file and leave it out.
Status entries_verify(const TensorFile *file);
// Copies the tensor "PREFIX" + name of `param` to values, bytes times their scales; sentences for
// one that is missing or has another shape or type, and for scales that are not finite or below 0.
Status entries_read_param(const TensorFile *file, const char *prefix, const Param *param,
                          float *values);
// Whether the tensor (and the scales of bytes) is there with its shape; and the tensor itself.
Status entries_check_param(const TensorFile *file, const char *prefix, const Param *param);
Status entries_find_param(const TensorFile *file, const char *prefix, const Param *param,
                          const Tensor **out);
// Whether a tensor of that name would be the scales of another one, which is of bytes.
bool entries_are_scales(const TensorFile *file, const char *name);

#endif
