// SPDX-License-Identifier: Apache-2.0
#include "formats/tensor_file.h"

#include <stdlib.h>
#include <string.h>

#include "formats/tensor_list.h"
#include "formats/text.h"
#include "formats/torch_readers.h"

struct TensorFile {
    TensorFormat format;
    FileBytes map; // empty when the bytes are someone else's
    Safetensors *safetensors;
    TensorList own;         // of the other formats
    const TensorList *list; // either
};

static const char *const NAMES[] = {
    [FORMAT_SAFETENSORS] = "safetensors",
    [FORMAT_TORCH_ZIP] = "PyTorch zip",
    [FORMAT_TORCH_LEGACY] = "PyTorch legacy",
    [FORMAT_TORCH_TAR] = "PyTorch tar",
};

const char *tensor_format_name(TensorFormat format) { return NAMES[format]; }

// What people hand over in place of weights.
static const struct {
    size_t at;
    const char *bytes, *what;
} OTHERS[] = {
    {0, "version https://git-lfs", "a pointer of Git LFS: the weights themselves were not fetched"},
    {0, "<", "a page of the web or XML: was the download an error page?"},
    {0, "{", "JSON text"},
    {0, "\x1f\x8b", "compressed by gzip: unpack it first"},
    {0,
     "\xfd"
     "7zXZ",
     "compressed by xz: unpack it first"},
    {0, "BZh", "compressed by bzip2: unpack it first"},
    {0, "\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"},
    {0, "\x89HDF", "HDF5, as Keras writes it"},
    {0, "GGUF", "GGUF"},
    {0, "\x93NUMPY", "an array of NumPy"},
};

static bool has(const uint8_t *bytes, size_t size, size_t at, const char *wanted) {
    size_t length = strlen(wanted);
    return at <= size && length <= size - at && memcmp(bytes + at, wanted, length) == 0;
}

// A header length of safetensors may look like the first bytes of any other format; the '{' behind
// it, and its upper bytes being 0, do not.
static bool is_safetensors(const uint8_t *bytes, size_t size) {
    static const uint8_t zeros[4] = {0};
    return size > 8 && bytes[8] == '{' && memcmp(bytes + 4, zeros, sizeof zeros) == 0;
}

static bool find_format(const uint8_t *bytes, size_t size, TensorFormat *out) {
    if (is_safetensors(bytes, size)) {
        *out = FORMAT_SAFETENSORS;
    } else if (has(bytes, size, 0, "PK\3\4")) {
        *out = FORMAT_TORCH_ZIP;
    } else if (has(bytes, size, 257, "ustar")) {
        *out = FORMAT_TORCH_TAR;
    } else if (size >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5) {
        *out = FORMAT_TORCH_LEGACY;
    } else {
        return false;
    }
    return true;
}

static Status refuse_unknown(const uint8_t *bytes, size_t size) {
    const char *what = "nothing known";
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        if (has(bytes, size, OTHERS[i].at, OTHERS[i].bytes)) {
            what = OTHERS[i].what;
            break;
        }
    }
    char first[3 * 8 + 1] = "";
    size_t shown = size < 8 ? size : 8, length = 0;
    for (size_t i = 0; i < shown; i++) {
        static const char DIGITS[] = "0123456789abcdef";
        first[length++] = ' ';
        first[length++] = DIGITS[bytes[i] >> 4];
        first[length++] = DIGITS[bytes[i] & 15];
    }
    return status_fail(STATUS_FAILED,
                       "has %zu bytes that begin%s at byte 0 (%s), expected safetensors or "
                       "PyTorch's zip, pickle or tar",
                       size, length > 0 ? first : " and end", what);
}

static Status read_torch(TensorFile *file, const uint8_t *bytes, size_t size) {
    TRY(tensor_list_create(&file->own, size));
    if (!find_format(bytes, size, &file->format)) {
        return refuse_unknown(bytes, size);
    }
    TRY(file->format == FORMAT_TORCH_ZIP   ? torch_zip_read(bytes, size, &file->own)
        : file->format == FORMAT_TORCH_TAR ? torch_tar_read(bytes, size, &file->own)
                                           : torch_legacy_read(bytes, size, &file->own));
    file->list = &file->own;
    return tensor_list_finish(&file->own, true);
}

static Status read_safetensors(TensorFile *file, const void *bytes, size_t size, const char *name) {
    TRY(safetensors_parse(bytes, size, name, &file->safetensors));
    file->list = safetensors_list(file->safetensors);
    return STATUS_OK;
}

Status tensor_file_parse(const void *bytes, size_t size, const char *name, TensorFile **out) {
    *out = NULL;
    TensorFile *file = calloc(1, sizeof *file);
    if (file == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be read (out of memory)", name);
    }
    Status status;
    if (is_safetensors(bytes, size)) {
        status = read_safetensors(file, bytes, size, name);
    } else {
        status = read_torch(file, bytes, size);
        if (status != STATUS_OK) {
            sentence_of_file(status, name);
        }
    }
    if (status != STATUS_OK) {
        tensor_file_close(file);
        return status;
    }
    *out = file;
    return STATUS_OK;
}

Status tensor_file_open(const char *path, TensorFile **out) {
    *out = NULL;
    FileBytes map;
    TRY(file_map(path, &map));
    Status status = tensor_file_parse(map.bytes, map.size, path, out);
    if (status != STATUS_OK) {
        file_unmap(&map);
        return status;
    }
    (*out)->map = map;
    return STATUS_OK;
}

void tensor_file_close(TensorFile *file) {
    if (file == NULL) {
        return;
    }
    safetensors_close(file->safetensors);
    tensor_list_destroy(&file->own);
    file_unmap(&file->map);
    free(file);
}

TensorFormat tensor_file_format(const TensorFile *file) { return file->format; }

int tensor_file_count(const TensorFile *file) { return file->list->count; }

const Tensor *tensor_file_tensor(const TensorFile *file, int index) {
    return &file->list->tensors[index];
}

const Tensor *tensor_file_find(const TensorFile *file, const char *name) {
    return tensor_list_find(file->list, name);
}

int tensor_file_metadata_count(const TensorFile *file) { return file->list->metadata_count; }

MetaEntry tensor_file_metadata_at(const TensorFile *file, int index) {
    return file->list->metadata[index];
}

const char *tensor_file_metadata(const TensorFile *file, const char *key) {
    return tensor_list_metadata(file->list, key);
}
