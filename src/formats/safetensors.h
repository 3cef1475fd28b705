// SPDX-License-Identifier: Apache-2.0
// safetensors: 8 bytes of header length, a JSON header, one buffer of little-endian tensors.
#ifndef RESNET_FORMATS_SAFETENSORS_H
#define RESNET_FORMATS_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/files.h"
#include "base/status.h"

typedef enum Dtype {
    DTYPE_BOOL,
    DTYPE_U8,
    DTYPE_I8,
    DTYPE_U16,
    DTYPE_I16,
    DTYPE_F16,
    DTYPE_BF16,
    DTYPE_U32,
    DTYPE_I32,
    DTYPE_F32,
    DTYPE_U64,
    DTYPE_I64,
    DTYPE_F64,
    DTYPE_COUNT
} Dtype;

size_t dtype_bytes(Dtype dtype);
const char *dtype_name(Dtype dtype); // "F32"

enum { TENSOR_RANK_MAX = 8, SAFETENSORS_HEADER_MAX = 100000000 };

// One named tensor of a file; everything points into the owner's memory.
typedef struct Tensor {
    const char *name;
    Dtype dtype;
    int rank;
    int64_t dims[TENSOR_RANK_MAX];
    size_t elements;
    const void *data; // C order, little-endian; not aligned
    size_t bytes;
} Tensor;

typedef struct MetaEntry {
    const char *key, *value;
} MetaEntry;

typedef struct Safetensors Safetensors;

// Reads and checks all rules of the format: header at most 100,000,000 bytes and beginning with
// '{', known dtypes, no duplicate keys, offsets in order that cover the buffer without hole or
// overlap, sizes equal to shape x dtype, metadata string to string. Refusals name the file, the
// tensor, the offset, what was found and what was expected. Uses no memory beyond the header's size
// times a small constant; the buffer is mapped.
Status safetensors_open(const char *path, Safetensors **out);
// The same for a file in memory, which must outlive *out; `name` begins the sentences.
Status safetensors_parse(const void *bytes, size_t size, const char *name, Safetensors **out);
void safetensors_close(Safetensors *file); // NULL: nothing to do
int safetensors_count(const Safetensors *file);
const Tensor *safetensors_tensor(const Safetensors *file, int index);       // in order of offset
const Tensor *safetensors_find(const Safetensors *file, const char *name);  // NULL: none
const char *safetensors_metadata(const Safetensors *file, const char *key); // NULL: none
int safetensors_metadata_count(const Safetensors *file); // entries are in order of key
MetaEntry safetensors_metadata_at(const Safetensors *file, int index);

// Copies a floating tensor (F32, F64, F16, BF16) to `out` as float; an error, which names the
// tensor and no file, for other dtypes.
Status tensor_to_float(const Tensor *tensor, float *out);

// Writes beside, flushes, renames. Tensors are written in the order given; the header is padded
// with spaces so that the buffer begins at a multiple of 64. Same arguments give the same bytes.
// Refuses a name or key that is there twice, and text that is not UTF-8.
Status safetensors_write(const char *path, const Tensor *tensors, int tensor_count,
                         const MetaEntry *metadata, int metadata_count);

#endif
