// SPDX-License-Identifier: Apache-2.0
#include "formats/torch_view.h"

#include <inttypes.h>
#include <string.h>

#include "formats/text.h"

// Elements and bytes of the tensor; and the reach of the view, which ends behind its last element:
//     offset + sum of (size - 1) stride + 1,   0 when it has no elements
static Status measure(const TorchView *view, Tensor *tensor, size_t *reach) {
    *reach = 0;
    size_t elements = 1, last = 0;
    bool too_many = false, empty = false;
    for (int i = 0; i < view->rank; i++) {
        if (view->sizes[i] < 0 || view->strides[i] < 0) {
            return status_fail(STATUS_FAILED,
                               "tensor \"%.*s\": size %" PRId64 " with stride %" PRId64
                               ", expected none below 0",
                               SHOWN(tensor->name), view->sizes[i], view->strides[i]);
        }
        empty = empty || view->sizes[i] == 0;
        tensor->dims[i] = view->sizes[i];
    }
    for (int i = 0; i < view->rank; i++) {
        // A size of 0 counts as 1 here: whoever multiplies the others must not overflow either.
        size_t size = view->sizes[i] > 0 ? (size_t)view->sizes[i] : 1, step = 0;
        too_many |= __builtin_mul_overflow(elements, size, &elements);
        too_many |= !empty && __builtin_mul_overflow(size - 1, (size_t)view->strides[i], &step);
        too_many |= __builtin_add_overflow(last, step, &last);
    }
    too_many |= __builtin_mul_overflow(elements, dtype_bytes(view->dtype), &tensor->bytes);
    if (view->offset < 0) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": offset %" PRId64 ", expected none below 0",
                           SHOWN(tensor->name), view->offset);
    }
    too_many |= __builtin_add_overflow(last, (size_t)view->offset, &last);
    too_many |= __builtin_add_overflow(last, 1, &last);
    if (too_many) {
        return status_fail(STATUS_FAILED, "tensor \"%.*s\": sizes and strides beyond 64 bits",
                           SHOWN(tensor->name));
    }
    tensor->elements = empty ? 0 : elements;
    tensor->bytes = empty ? 0 : tensor->bytes;
    *reach = empty ? 0 : last;
    return STATUS_OK;
}

static bool in_order(const TorchView *view) {
    int64_t expected = 1;
    for (int i = view->rank - 1; i >= 0; i--) {
        if (view->sizes[i] != 1 && view->strides[i] != expected) {
            return false;
        }
        expected *= view->sizes[i];
    }
    return true;
}

// Copies the elements in C order: the innermost axis in a loop, the others as an odometer.
static void copy_in_order(const TorchView *view, const Tensor *tensor, unsigned char *to) {
    const size_t bytes = dtype_bytes(view->dtype);
    const int last = view->rank - 1;
    const size_t inner = (size_t)view->sizes[last], step = (size_t)view->strides[last] * bytes;
    int64_t index[TENSOR_RANK_MAX] = {0};
    size_t at = (size_t)view->offset * bytes;
    for (size_t done = 0; done < tensor->elements; done += inner) {
        const uint8_t *from = view->storage.bytes + at;
        for (size_t i = 0; i < inner; i++, to += bytes) {
            memcpy(to, from + i * step, bytes);
        }
        for (int axis = last - 1; axis >= 0; axis--) {
            at += (size_t)view->strides[axis] * bytes;
            if (++index[axis] < view->sizes[axis]) {
                break;
            }
            at -= (size_t)(view->sizes[axis] * view->strides[axis]) * bytes;
            index[axis] = 0;
        }
    }
}

Status torch_view_add(TensorList *list, const char *name, const TorchView *view) {
    Tensor tensor = {.name = name, .dtype = view->dtype, .rank = view->rank};
    size_t reach, stored = view->storage.size / dtype_bytes(view->dtype);
    TRY(measure(view, &tensor, &reach));
    if (reach > stored) {
        return status_fail(STATUS_FAILED,
                           "tensor \"%.*s\": reaches to element %zu of a storage of %zu",
                           SHOWN(name), reach, stored);
    }
    if (tensor.elements == 0) {
        tensor.data = "";
    } else if (in_order(view)) {
        tensor.data = view->storage.bytes + (size_t)view->offset * dtype_bytes(view->dtype);
    } else {
        void *copy;
        TRY(tensor_list_copy(list, name, tensor.bytes, &copy));
        copy_in_order(view, &tensor, copy);
        tensor.data = copy;
    }
    return tensor_list_add(list, tensor);
}
