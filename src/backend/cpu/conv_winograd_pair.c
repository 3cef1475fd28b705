// SPDX-License-Identifier: Apache-2.0
// Training a Winograd layer together with the norm behind it. Layers of few channels wait for
// memory, and what one of the two has just made, the other finds in the same core's cache. So some
// images at a time, by one worker each:
//
//     forward   y = convolution of x;  moments of y
//     backward  dy = gradient of the norm;  dw += x, dy;  dx = convolution of dy
//
// dy never lies in memory. What is added to what, and in which order, is as without pairs.
#include "backend/cpu/conv_winograd_pair.h"

#include "backend/cpu/conv_winograd_weights.h"
#include "graph/plan.h"

enum {
    // Both directions' weights and the sums of dw must stay in the second cache beside the images.
    CHANNELS_MOST = PAIR_CHANNELS,
    // Floats of dy in a step.
    STEP_FLOATS = 16 * 1024,
    STEP_FLOATS_MOST = 64 * 1024,
    // With fewer tasks some of many threads would idle.
    TASKS_LEAST = 16
};

static int64_t image_floats(const ConvGeometry *g) {
    return (int64_t)g->out_height * g->out_width * g->out_channels;
}

static bool pays(const ConvGeometry *g) {
    return g->channels <= CHANNELS_MOST && g->out_channels <= CHANNELS_MOST &&
           image_floats(g) <= STEP_FLOATS_MOST;
}

// Images of a step backward.
static int step_images(const ConvGeometry *g) {
    const int images = (int)(STEP_FLOATS / image_floats(g));
    return images > 1 ? images : 1;
}

static ptrdiff_t buffer_floats(const ConvGeometry *g) {
    return winograd_odd_lines((ptrdiff_t)(step_images(g) * image_floats(g)));
}

static size_t norm_bytes(const ConvGeometry *g, int batch) {
    const Shape shape = {g->out_channels, g->out_height, g->out_width};
    const size_t bytes = norm_workspace_bytes(shape, batch);
    return block_aligned(bytes);
}

// The norm's workspace; then forward's of each worker, or backward's, its dy, and what dw needs.
size_t winograd_pair_bytes(const ConvGeometry *g, int threads) {
    if (!pays(g)) {
        return 0;
    }
    const size_t forward = (size_t)threads * winograd_worker_bytes(g->channels);
    const size_t worker =
        winograd_worker_bytes(g->out_channels) + (size_t)buffer_floats(g) * sizeof(float);
    const size_t backward = (size_t)threads * worker + winograd_weights_bytes(g, threads);
    return norm_bytes(g, g->batch) + (forward > backward ? forward : backward);
}

static float *behind_norm(const ConvGeometry *g, const Call *call) {
    return (float *)(void *)((char *)call->workspace + norm_bytes(g, g->batch));
}

// ---------------------------------------------------------------- forward

typedef struct Forward {
    Winograd w;
    const NormRun *norm;
    int images; // of a task
} Forward;

static void forward_task(void *context, int task, int worker) {
    const Forward *f = context;
    const int image = task * f->images, left = f->w.batch - image;
    const int count = left < f->images ? left : f->images, pixels = f->w.height * f->w.width;
    winograd_images(&f->w, image, count, f->w.source + (ptrdiff_t)image * pixels * f->w.depth,
                    worker);
    norm_moments(f->norm, (int64_t)image * pixels, (int64_t)count * pixels);
}

// The least number of images whose rows are whole chunks of the norm.
static int chunk_images(const ConvGeometry *g) {
    const int pixels = g->out_height * g->out_width, rows = norm_chunk_rows(g->out_channels);
    int a = pixels, b = rows;
    while (b != 0) {
        const int rest = a % b;
        a = b;
        b = rest;
    }
    return rows / a;
}

bool winograd_pair_forward(Winograd forward, const ConvGeometry *g, const Call *call,
                           const NormRun *norm) {
    const int images = chunk_images(g), tasks = (g->batch + images - 1) / images;
    if (!pays(g) || tasks < TASKS_LEAST) {
        return false;
    }
    Forward f = {.w = forward, .norm = norm, .images = images};
    f.w.workspace = behind_norm(g, call);
    threads_run(call->threads, tasks, forward_task, &f);
    return true;
}

// ---------------------------------------------------------------- backward

typedef struct Backward {
    Winograd w; // to the input
    const NormRun *norm;
    int pixels;
    float *buffers; // dy of a step, by worker
    ptrdiff_t buffer;
} Backward;

static const float *step_begin(void *context, int image, int count, int worker) {
    const Backward *b = context;
    float *dy = b->buffers + worker * b->buffer;
    norm_gradient(b->norm, (int64_t)image * b->pixels, count * b->pixels, dy);
    return dy;
}

static void step_end(void *context, int image, int count, int worker) {
    const Backward *b = context;
    if (b->w.out != NULL) {
        winograd_images(&b->w, image, count, b->buffers + worker * b->buffer, worker);
    }
}

bool winograd_pair_backward(Winograd to_input, const ConvGeometry *g, const Call *call,
                            const NormRun *norm) {
    if (!pays(g) || call->param_gradient[0] == NULL || call->param_gradient[1] != NULL ||
        !winograd_weights_whole(g)) {
        return false;
    }
    const int threads = threads_count(call->threads);
    Backward b = {.w = to_input,
                  .norm = norm,
                  .pixels = g->out_height * g->out_width,
                  .buffer = buffer_floats(g)};
    b.w.workspace = behind_norm(g, call);
    b.buffers = b.w.workspace +
                threads * (ptrdiff_t)(winograd_worker_bytes(g->out_channels) / sizeof(float));
    const WinogradSteps steps = {step_images(g), step_begin, step_end, &b};
    winograd_weights_steps(g, to_input.kernels, call->input[0], &steps, call->param_gradient[0],
                           b.buffers + threads * b.buffer, call->threads);
    return true;
}
