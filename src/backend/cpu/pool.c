// SPDX-License-Identifier: Apache-2.0
// Pooling: max_pool, avg_pool, global_pool, with the windows and divisors of PyTorch. A task is a
// row of output pixels in forward, of input pixels in backward.
//
// Along one axis of `size` pixels, window o covers o*stride - pad … + kernel-1; max_pool's saved
// bytes number the pixels of a whole window row by row, those in the pad included. Adaptive window
// o covers floor(o*size/windows) … ceil((o+1)*size/windows) - 1.
#include "backend/cpu/bytes.h"
#include "backend/cpu/kernels/map_kernels.h"
#include "backend/cpu/ops.h"
#include "backend/cpu/pieces.h"

typedef struct Range {
    int begin, count;
} Range;

typedef struct Run {
    const Call *call;
    const PoolKernels *kernels;
    PoolAttr attr;
    Shape in, out;
    float *divisors; // avg_pool backward: [out.height][out.width]
    float *columns;  // max_pool at inference: [worker][in.width][channels]
} Run;

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

// Part o of `length` pixels cut into `parts`: all the pixels that it touches. Window o touches
// pixel i exactly when pixel i touches window o, so this also finds the windows of a pixel.
static Range even_part(int o, int parts, int length) {
    int begin = (int)((int64_t)o * length / parts);
    int end = (int)((((int64_t)o + 1) * length + parts - 1) / parts);
    return (Range){begin, end - begin};
}

// The part of window o inside the axis.
static Range window_inside(const PoolAttr *attr, int o, int size) {
    if (attr->adaptive > 0) {
        return even_part(o, attr->adaptive, size);
    }
    int start = o * attr->stride - attr->pad;
    int begin = larger(start, 0);
    return (Range){begin, smaller(start + attr->kernel, size) - begin};
}

// The windows, `windows` in all, that pixel i of `size` lies in; none for a pixel that strides step
// over.
static Range windows_of(const PoolAttr *attr, int i, int size, int windows) {
    if (attr->adaptive > 0) {
        return even_part(i, size, windows);
    }
    int place = i + attr->pad;
    int begin = place < attr->kernel ? 0 : (place - attr->kernel) / attr->stride + 1;
    int end = smaller(place / attr->stride + 1, windows);
    return end > begin ? (Range){begin, end - begin} : (Range){0, 0};
}

// What counts of window o along an axis: with include_pad also the pad, but nothing behind it,
// where `ceil` lets a window reach.
static int window_extent(const PoolAttr *attr, int o, int size) {
    if (!attr->include_pad || attr->adaptive > 0) {
        return window_inside(attr, o, size).count;
    }
    int start = o * attr->stride - attr->pad;
    return smaller(start + attr->kernel, size + attr->pad) - start;
}

static float window_divisor(const Run *run, int y, int x) {
    return (float)(window_extent(&run->attr, y, run->in.height) *
                   window_extent(&run->attr, x, run->in.width));
}

static int64_t pixel_at(Shape shape, int sample, int y, int x) {
    return (((int64_t)sample * shape.height + y) * shape.width + x) * shape.channels;
}

static Run pool_run(const Call *call, const Kernels *kernels) {
    return (Run){.call = call,
                 .kernels = kernels->map->pool,
                 .attr = call->node->pool,
                 .in = call->input_shape[0],
                 .out = call->node->shape,
                 .divisors = call->workspace,
                 .columns = call->workspace};
}

// max_pool where nobody asks for the places of maxima: of each column first, which windows share.
static void largest_task(void *context, int task, int worker) {
    const Run *run = context;
    const int channels = run->in.channels, row = run->in.width * channels;
    const int sample = task / run->out.height, y = task % run->out.height;
    const Range rows = window_inside(&run->attr, y, run->in.height);
    const float *input =
        (const float *)run->call->input[0] + pixel_at(run->in, sample, rows.begin, 0);
    float *columns = run->columns + (ptrdiff_t)worker * row;
    float *output = (float *)run->call->output + pixel_at(run->out, sample, y, 0);
    run->kernels->largest(columns, input, row, rows.count, (size_t)row);
    for (int x = 0; x < run->out.width; x++) {
        const Range window = window_inside(&run->attr, x, run->in.width);
        run->kernels->largest(output + (ptrdiff_t)x * channels,
                              columns + (ptrdiff_t)window.begin * channels, channels, window.count,
                              (size_t)channels);
    }
}

static void forward_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const PoolAttr *attr = &run->attr;
    int sample = task / run->out.height, y = task % run->out.height;
    Range rows = window_inside(attr, y, run->in.height);
    for (int x = 0; x < run->out.width; x++) {
        Range columns = window_inside(attr, x, run->in.width);
        PoolWindow window = {
            .first = (const float *)run->call->input[0] +
                     pixel_at(run->in, sample, rows.begin, columns.begin),
            .step = (ptrdiff_t)run->in.width * run->in.channels,
            .rows = rows.count,
            .columns = columns.count,
            .channels = run->in.channels,
        };
        int64_t at = pixel_at(run->out, sample, y, x);
        float *output = (float *)run->call->output + at;
        if (run->call->node->op == OP_AVG_POOL) {
            run->kernels->average(output, &window, window_divisor(run, y, x));
        } else {
            int place = (rows.begin - (y * attr->stride - attr->pad)) * attr->kernel +
                        columns.begin - (x * attr->stride - attr->pad);
            run->kernels->max(output, (uint8_t *)run->call->saved + at, &window, place,
                              attr->kernel);
        }
    }
}

static void backward_task(void *context, int task, int worker) {
    (void)worker;
    const Run *run = context;
    const Call *call = run->call;
    const PoolAttr *attr = &run->attr;
    int sample = task / run->in.height, y = task % run->in.height;
    Range rows = windows_of(attr, y, run->in.height, run->out.height);
    for (int x = 0; x < run->in.width; x++) {
        Range columns = windows_of(attr, x, run->in.width, run->out.width);
        int64_t from = pixel_at(run->out, sample, rows.begin, columns.begin);
        PoolWindow windows = {
            .first = (const float *)call->output_gradient + from,
            .step = (ptrdiff_t)run->out.width * run->out.channels,
            .rows = rows.count,
            .columns = columns.count,
            .channels = run->out.channels,
        };
        float *gradient = (float *)call->input_gradient[0] + pixel_at(run->in, sample, y, x);
        if (call->node->op == OP_AVG_POOL) {
            const float *divisor =
                run->divisors + (ptrdiff_t)rows.begin * run->out.width + columns.begin;
            run->kernels->average_gradient(gradient, &windows, divisor, run->out.width,
                                           call->accumulate[0]);
        } else {
            int place = (y + attr->pad - rows.begin * attr->stride) * attr->kernel + x + attr->pad -
                        columns.begin * attr->stride;
            run->kernels->max_gradient(gradient, (const uint8_t *)call->saved + from, &windows,
                                       place, attr->stride * attr->kernel, attr->stride,
                                       call->accumulate[0]);
        }
    }
}

static void forward(const Call *call, const Kernels *kernels) {
    Run run = pool_run(call, kernels);
    const bool largest = call->node->op == OP_MAX_POOL && call->saved == NULL;
    threads_run(call->threads, call->batch * run.out.height, largest ? largest_task : forward_task,
                &run);
}

static void backward(const Call *call, const Kernels *kernels) {
    Run run = pool_run(call, kernels);
    if (call->input_gradient[0] == NULL) {
        return;
    }
    if (call->node->op == OP_AVG_POOL) {
        for (int y = 0; y < run.out.height; y++) {
            for (int x = 0; x < run.out.width; x++) {
                run.divisors[y * run.out.width + x] = window_divisor(&run, y, x);
            }
        }
    }
    threads_run(call->threads, call->batch * run.in.height, backward_task, &run);
}

static size_t max_pool_workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                                      int threads) {
    (void)batch;
    const Shape in = graph->nodes[node->input[0]].shape;
    const size_t row = (size_t)in.width * (size_t)in.channels * sizeof(float);
    return phase == PHASE_INFERENCE ? row * (size_t)threads : 0;
}

static size_t avg_pool_workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                                      int threads) {
    (void)graph, (void)batch, (void)threads;
    return phase == PHASE_TRAINING ? (size_t)shape_pixels(node->shape) * sizeof(float) : 0;
}

typedef struct GlobalRun {
    const Call *call;
    const ElementKernels *kernels;
    int pixels, channels;
} GlobalRun;

static GlobalRun global_run(const Call *call, const Kernels *kernels) {
    return (GlobalRun){.call = call,
                       .kernels = kernels->map->element,
                       .pixels = shape_pixels(call->input_shape[0]),
                       .channels = call->node->shape.channels};
}

static void global_task(void *context, int task, int worker) {
    (void)worker;
    const GlobalRun *run = context;
    int64_t at = (int64_t)task * run->channels;
    run->kernels->sum_rows((float *)run->call->output + at,
                           (const float *)run->call->input[0] + at * run->pixels, NULL,
                           (float)run->pixels, false, run->pixels, run->channels);
}

static void global_gradient_task(void *context, int task, int worker) {
    const GlobalRun *run = context;
    const Call *call = run->call;
    int64_t at = (int64_t)task * run->channels;
    float *share = (float *)call->workspace + (int64_t)worker * run->channels;
    const float *dy = (const float *)call->output_gradient + at;
    for (int c = 0; c < run->channels; c++) {
        share[c] = dy[c] / (float)run->pixels;
    }
    run->kernels->fill_rows((float *)call->input_gradient[0] + at * run->pixels, share,
                            call->accumulate[0], run->pixels, run->channels);
}

static void global_forward(const Call *call, const Kernels *kernels) {
    GlobalRun run = global_run(call, kernels);
    threads_run(call->threads, call->batch, global_task, &run);
}

static void global_backward(const Call *call, const Kernels *kernels) {
    GlobalRun run = global_run(call, kernels);
    if (call->input_gradient[0] != NULL) {
        threads_run(call->threads, call->batch, global_gradient_task, &run);
    }
}

static size_t global_workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                                    int threads) {
    (void)graph, (void)batch;
    size_t row = (size_t)node->shape.channels * sizeof(float);
    return phase == PHASE_TRAINING ? row * (size_t)threads : 0;
}

const CpuOp cpu_max_pool = {
    .workspace_size = max_pool_workspace_size,
    .forward = forward,
    .forward_bytes = bytes_max_pool,
    .backward = backward,
};
const CpuOp cpu_avg_pool = {
    .workspace_size = avg_pool_workspace_size,
    .forward = forward,
    .backward = backward,
};
const CpuOp cpu_global_pool = {
    .workspace_size = global_workspace_size,
    .forward = global_forward,
    .forward_bytes = bytes_global_pool,
    .backward = global_backward,
};
