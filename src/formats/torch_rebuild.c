// SPDX-License-Identifier: Apache-2.0
// The calls that make tensors, with the arguments that PyTorch writes:
//
//     _rebuild_tensor   (storage, offset, size, stride)
//     _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks, metadata)
//     _rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, metadata)
#include <inttypes.h>
#include <string.h>

#include "formats/text.h"
#include "formats/torch_objects.h"

enum { UNREADABLE = DTYPE_COUNT, METADATA_MAX = 16 };

static const struct {
    const char *name;
    int dtype;
    size_t bytes;
} CLASSES[] = {
    {"FloatStorage", DTYPE_F32, 4},         {"HalfStorage", DTYPE_F16, 2},
    {"BFloat16Storage", DTYPE_BF16, 2},     {"DoubleStorage", DTYPE_F64, 8},
    {"LongStorage", DTYPE_I64, 8},          {"IntStorage", DTYPE_I32, 4},
    {"ShortStorage", DTYPE_I16, 2},         {"CharStorage", DTYPE_I8, 1},
    {"ByteStorage", DTYPE_U8, 1},           {"BoolStorage", DTYPE_BOOL, 1},
    {"UntypedStorage", DTYPE_U8, 1},        {"ComplexDoubleStorage", UNREADABLE, 16},
    {"ComplexFloatStorage", UNREADABLE, 8}, {"QInt32Storage", UNREADABLE, 4},
    {"QInt8Storage", UNREADABLE, 1},        {"QUInt8Storage", UNREADABLE, 1},
    {"QUInt4x2Storage", UNREADABLE, 1},     {"QUInt2x4Storage", UNREADABLE, 1},
};

static const struct {
    const char *name;
    Dtype dtype;
} DTYPE_NAMES[] = {
    {"float32", DTYPE_F32}, {"float16", DTYPE_F16}, {"bfloat16", DTYPE_BF16},
    {"float64", DTYPE_F64}, {"int64", DTYPE_I64},   {"int32", DTYPE_I32},
    {"int16", DTYPE_I16},   {"int8", DTYPE_I8},     {"uint64", DTYPE_U64},
    {"uint32", DTYPE_U32},  {"uint16", DTYPE_U16},  {"uint8", DTYPE_U8},
    {"bool", DTYPE_BOOL},
};

void torch_storage_class(const Pickle *pickle, PickleValue global, TorchReference *out) {
    PickleText module;
    out->known = out->readable = false;
    if (!pickle_global(pickle, global, &module, &out->class_name) ||
        !(pickle_text_equal(module, "torch") || pickle_text_equal(module, "torch.cuda") ||
          pickle_text_equal(module, "torch.storage"))) {
        return;
    }
    for (size_t i = 0; i < sizeof CLASSES / sizeof CLASSES[0]; i++) {
        if (pickle_text_equal(out->class_name, CLASSES[i].name)) {
            out->known = true;
            out->readable = CLASSES[i].dtype != UNREADABLE;
            out->dtype = out->readable ? (Dtype)CLASSES[i].dtype : DTYPE_U8;
            out->element_bytes = CLASSES[i].bytes;
        }
    }
}

static Status read_part(const Pickle *pickle, PickleValue part, TorchReference *out) {
    if (part == 0 || pickle_kind(pickle, part) == PICKLE_NONE) {
        return STATUS_OK;
    }
    out->part = true;
    if (!pickle_integer(pickle, pickle_element(pickle, part, 1), &out->part_offset) ||
        !pickle_integer(pickle, pickle_element(pickle, part, 2), &out->part_count) ||
        out->part_offset < 0 || out->part_count < 0 || out->part_offset > out->count ||
        out->part_count > out->count - out->part_offset) {
        return status_fail(STATUS_FAILED,
                           "storage \"%.*s\": elements %" PRId64 " … + %" PRId64
                           " of it are asked for, but it has %" PRId64,
                           SHOWN_TEXT(out->key), out->part_offset, out->part_count, out->count);
    }
    return STATUS_OK;
}

Status torch_reference_read(const Pickle *pickle, PickleValue persistent, bool *is_storage,
                            TorchReference *out) {
    PickleValue id = pickle_persistent(pickle, persistent);
    PickleValue what = pickle_element(pickle, id, 0), key = pickle_element(pickle, id, 2);
    *is_storage = pickle_kind(pickle, what) == PICKLE_TEXT &&
                  pickle_text_equal(pickle_text(pickle, what), "storage");
    if (!*is_storage) {
        return STATUS_OK;
    }
    *out = (TorchReference){.key = pickle_text(pickle, key)};
    torch_storage_class(pickle, pickle_element(pickle, id, 1), out);
    if (pickle_kind(pickle, key) != PICKLE_TEXT) {
        return status_fail(STATUS_FAILED, "a storage's key is %s, expected a text",
                           pickle_kind_name(pickle_kind(pickle, key)));
    }
    size_t bytes;
    if (!pickle_integer(pickle, pickle_element(pickle, id, 4), &out->count) || out->count < 0 ||
        __builtin_mul_overflow((size_t)out->count, out->known ? out->element_bytes : 1, &bytes)) {
        return status_fail(STATUS_FAILED,
                           "storage \"%.*s\": has no number of elements, or %" PRId64
                           ", expected one from 0 to 2^63 bytes",
                           SHOWN_TEXT(out->key), out->count);
    }
    return read_part(pickle, pickle_element(pickle, id, 5), out);
}

static const char *const REBUILDS[] = {"_rebuild_tensor", "_rebuild_tensor_v2",
                                       "_rebuild_tensor_v3"};

// Which of the calls above it is; -1: none.
static int rebuild_version(const Pickle *pickle, PickleValue function) {
    PickleText module, name;
    if (pickle_global(pickle, function, &module, &name) &&
        pickle_text_equal(module, "torch._utils")) {
        for (int i = 0; i < (int)(sizeof REBUILDS / sizeof REBUILDS[0]); i++) {
            if (pickle_text_equal(name, REBUILDS[i])) {
                return i;
            }
        }
    }
    return -1;
}

bool torch_is_rebuild(const Pickle *pickle, PickleValue function) {
    return rebuild_version(pickle, function) >= 0;
}

// torch.Size(…) in place of a tuple means the tuple.
static PickleValue tuple_of(const Pickle *pickle, PickleValue value) {
    PickleObject object = pickle_object(pickle, value);
    return pickle_is_global(pickle, object.function, "torch", "Size")
               ? pickle_element(pickle, object.arguments, 0)
               : value;
}

static Status read_axes(const Pickle *pickle, PickleValue value, const char *what, int *rank,
                        int64_t axes[TENSOR_RANK_MAX]) {
    PickleValue tuple = tuple_of(pickle, value);
    PickleKind kind = pickle_kind(pickle, tuple);
    if (kind != PICKLE_TUPLE) {
        return status_fail(STATUS_FAILED, "its %s is %s, expected a tuple", what,
                           pickle_kind_name(kind));
    }
    uint32_t count = pickle_count(pickle, tuple);
    if (count > TENSOR_RANK_MAX) {
        return status_fail(STATUS_FAILED, "its %s has %u axes, at most %d expected", what, count,
                           TENSOR_RANK_MAX);
    }
    *rank = (int)count;
    for (uint32_t i = 0; i < count; i++) {
        PickleValue axis = pickle_element(pickle, tuple, i);
        if (!pickle_integer(pickle, axis, &axes[i])) {
            return status_fail(STATUS_FAILED, "its %s holds %s, expected integers", what,
                               pickle_kind_name(pickle_kind(pickle, axis)));
        }
        if (axes[i] < 0) {
            return status_fail(STATUS_FAILED, "its %s holds %" PRId64 ", expected none below 0",
                               what, axes[i]);
        }
    }
    return STATUS_OK;
}

static Status read_geometry(const Pickle *pickle, PickleValue arguments, TorchView *out) {
    int stride_rank;
    PickleValue offset = pickle_element(pickle, arguments, 1);
    if (!pickle_integer(pickle, offset, &out->offset) || out->offset < 0) {
        return status_fail(STATUS_FAILED,
                           "its offset is %s (%" PRId64 "), expected an integer of at least 0",
                           pickle_kind_name(pickle_kind(pickle, offset)), out->offset);
    }
    TRY(read_axes(pickle, pickle_element(pickle, arguments, 2), "size", &out->rank, out->sizes));
    TRY(read_axes(pickle, pickle_element(pickle, arguments, 3), "stride", &stride_rank,
                  out->strides));
    if (stride_rank != out->rank) {
        return status_fail(STATUS_FAILED, "it has %d sizes and %d strides, expected equally many",
                           out->rank, stride_rank);
    }
    return STATUS_OK;
}

// The dtype of _v3, which is not the storage's.
static bool read_dtype(const Pickle *pickle, PickleValue global, PickleText *name, Dtype *out) {
    PickleText module;
    if (pickle_global(pickle, global, &module, name) && pickle_text_equal(module, "torch")) {
        for (size_t i = 0; i < sizeof DTYPE_NAMES / sizeof DTYPE_NAMES[0]; i++) {
            if (pickle_text_equal(*name, DTYPE_NAMES[i].name)) {
                *out = DTYPE_NAMES[i].dtype;
                return true;
            }
        }
    }
    return false;
}

Status torch_rebuild(const Pickle *pickle, const TorchSource *source, PickleValue function,
                     PickleValue arguments, bool *readable, PickleText *what, TorchView *out) {
    int version = rebuild_version(pickle, function);
    PickleValue storage = pickle_element(pickle, arguments, 0);
    bool is_storage;
    TorchReference reference;
    TRY(torch_reference_read(pickle, storage, &is_storage, &reference));
    if (!is_storage) {
        return status_fail(STATUS_FAILED, "its data is %s, expected a reference to a storage",
                           pickle_kind_name(pickle_kind(pickle, storage)));
    }
    PickleValue metadata = pickle_element(pickle, arguments, version == 2 ? 7 : 6);
    *what = reference.class_name;
    *readable = reference.readable;
    *out = (TorchView){.dtype = reference.dtype};
    if (version == 2) {
        *readable = reference.known &&
                    read_dtype(pickle, pickle_element(pickle, arguments, 6), what, &out->dtype);
    }
    if (pickle_count(pickle, metadata) > METADATA_MAX) {
        return status_fail(STATUS_FAILED, "its metadata has %u entries, at most %d expected",
                           pickle_count(pickle, metadata), METADATA_MAX);
    }
    if (pickle_bool(pickle, pickle_find(pickle, metadata, "neg"))) {
        *readable = false;
    }
    if (!*readable) {
        return STATUS_OK;
    }
    TRY(read_geometry(pickle, arguments, out));
    TRY(source->storage(source->context, reference.key,
                        (size_t)reference.count * reference.element_bytes, &out->storage));
    if (reference.part) {
        out->storage.bytes += (size_t)reference.part_offset * reference.element_bytes;
        out->storage.size = (size_t)reference.part_count * reference.element_bytes;
    }
    return STATUS_OK;
}
