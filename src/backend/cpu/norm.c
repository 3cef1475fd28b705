// SPDX-License-Identifier: Apache-2.0
// Batch normalisation (Ioffe and Szegedy, 2015), with what fusion adds to it:
//
//     y = relu((x - mean) * scale / sqrt(variance + epsilon) + shift + residual)
//
// over the N = batch*height*width rows of a channel. In training it is bound by memory: forward
// reads x twice and writes y, backward reads x and the gradient twice and writes dx. Rows are split
// into chunks by shape alone; a chunk's sums are floats, taken about a pivot near its mean, and the
// chunks are combined in their order in double (Chan, Golub, LeVeque 1979):
//
//     mean_ab = mean_a + (mean_b - mean_a) * n_b/n
//     M2_ab   = M2_a + M2_b + (mean_b - mean_a)^2 * n_a*n_b/n
//
// Backward, with g the gradient behind the ReLU, xhat the normalised input, and factor =
// scale / sqrt(variance + epsilon):
//
//     dshift = sum g,  dscale = sum g * xhat,  dx = factor * (g - dshift/N - xhat * dscale/N)
//
// The mask of a ReLU without a residual is computed again from x, with the bits that forward had:
// that is cheaper than reading the output from memory.
#include "backend/cpu/norm.h"

#include <math.h>

#include "backend/cpu/pieces.h"

enum {
    CHUNK_ELEMENTS = 65536,
    CHUNK_ROWS_LEAST = 64, // so that partial sums are small beside the map
    CHUNK_ROWS_MOST = 512, // so that float sums stay accurate
    PARTIAL_SUMS = 3,      // pivot and two sums
    FACTORS = 3,
    COMBINE_CHANNELS = 64, // channels of a task that combines chunks
    // Maps above this are written past the caches: whoever reads them next finds little of them
    // there anyway, and what they overwrite need not be fetched first.
    STREAM_FLOATS = 1 << 18
};

int norm_chunk_rows(int channels) {
    int rows = CHUNK_ELEMENTS / channels;
    rows = rows < CHUNK_ROWS_LEAST ? CHUNK_ROWS_LEAST : rows;
    return rows > CHUNK_ROWS_MOST ? CHUNK_ROWS_MOST : rows;
}

size_t norm_workspace_bytes(Shape shape, int batch) {
    const int64_t rows = (int64_t)batch * shape_pixels(shape);
    const size_t chunks = (size_t)pieces_of(rows, norm_chunk_rows(shape.channels));
    return (FACTORS + PARTIAL_SUMS * chunks) * (size_t)shape.channels * sizeof(float);
}

static size_t workspace_size(const Graph *graph, const Node *node, int batch, Phase phase,
                             int threads) {
    (void)graph, (void)threads;
    return phase == PHASE_TRAINING ? norm_workspace_bytes(node->shape, batch)
                                   : FACTORS * (size_t)node->shape.channels * sizeof(float);
}

NormRun norm_run(const Call *call, const Kernels *kernels) {
    NormRun run = {.call = call, .kernels = kernels->map->norm, .element = kernels->map->element};
    run.channels = call->node->shape.channels;
    run.rows = (int64_t)call->batch * shape_pixels(call->node->shape);
    run.stream = run.rows * run.channels > STREAM_FLOATS;
    run.chunk_rows = norm_chunk_rows(run.channels);
    run.chunks = pieces_of(run.rows, run.chunk_rows);
    run.scale = call->workspace;
    run.input_factor = run.scale + run.channels;
    run.constant = run.input_factor + run.channels;
    run.partials = run.constant + run.channels;
    return run;
}

static float *partial(const NormRun *run, int chunk, int sum, int64_t channel) {
    return run->partials + ((size_t)chunk * PARTIAL_SUMS + (size_t)sum) * (size_t)run->channels +
           channel;
}

// Tasks of the passes that write: pieces of rows, which need not be the chunks.
static int row_tasks(const NormRun *run) { return pieces_of(run->rows, piece_rows(run->channels)); }

static Piece task_rows(const NormRun *run, int task) {
    return piece_at(run->rows, piece_rows(run->channels), task);
}

static void chunk_moments(const NormRun *run, int chunk) {
    Piece rows = piece_at(run->rows, run->chunk_rows, chunk);
    run->kernels->moments((const float *)run->call->input[0] + rows.begin * run->channels,
                          rows.count, run->channels, partial(run, chunk, 0, 0),
                          partial(run, chunk, 1, 0), partial(run, chunk, 2, 0));
}

static void moments_task(void *context, int task, int worker) {
    (void)worker;
    chunk_moments(context, task);
}

void norm_moments(const NormRun *run, int64_t first, int64_t count) {
    const int chunk = (int)(first / run->chunk_rows), chunks = pieces_of(count, run->chunk_rows);
    for (int i = chunk; i < chunk + chunks; i++) {
        chunk_moments(run, i);
    }
}

static float moved(float running, double value, float momentum) {
    return (float)((1 - (double)momentum) * running + momentum * value);
}

// The statistics of a few channels: what normalises, what backward needs, the running ones.
static void statistics_task(void *context, int task, int worker) {
    (void)worker;
    const NormRun *run = context;
    const Call *call = run->call;
    Piece range = piece_at(run->channels, COMBINE_CHANNELS, task);
    double mean[COMBINE_CHANNELS] = {0}, squares[COMBINE_CHANNELS] = {0};
    for (int chunk = 0; chunk < run->chunks; chunk++) {
        Piece rows = piece_at(run->rows, run->chunk_rows, chunk);
        double part = (double)rows.count / (double)(rows.begin + rows.count);
        double weight = part * (double)rows.begin, inverse = 1 / (double)rows.count;
        const float *pivot = partial(run, chunk, 0, range.begin);
        const float *sum = partial(run, chunk, 1, range.begin);
        const float *square = partial(run, chunk, 2, range.begin);
        for (int c = 0; c < range.count; c++) {
            double shift = sum[c] * inverse;
            double own = square[c] - shift * sum[c];
            double apart = (pivot[c] + shift) - mean[c];
            mean[c] += apart * part;
            squares[c] += (own < 0 ? 0 : own) + apart * apart * weight;
        }
    }
    double others = run->rows > 1 ? (double)(run->rows - 1) : 1;
    float *saved = call->saved, *running_mean = call->param[2], *running_variance = call->param[3];
    for (int c = 0; c < range.count; c++) {
        int64_t channel = range.begin + c;
        double variance = squares[c] / (double)run->rows;
        saved[channel] = (float)mean[c];
        saved[run->channels + channel] =
            (float)(1 / sqrt(variance + (double)call->node->norm.epsilon));
        if (call->norm_momentum == 0) {
            continue;
        }
        running_mean[channel] = moved(running_mean[channel], mean[c], call->norm_momentum);
        running_variance[channel] =
            moved(running_variance[channel], squares[c] / others, call->norm_momentum);
    }
}

static int combine_tasks(const NormRun *run) { return pieces_of(run->channels, COMBINE_CHANNELS); }

static void normalise_task(void *context, int task, int worker) {
    (void)worker;
    const NormRun *run = context;
    const Call *call = run->call;
    Piece rows = task_rows(run, task);
    int64_t at = rows.begin * run->channels;
    const float *residual = call->input[1];
    run->kernels->normalise((float *)call->output + at, (const float *)call->input[0] + at,
                            residual == NULL ? NULL : residual + at, run->mean, run->scale,
                            call->param[1], rows.count, run->channels, call->node->relu,
                            run->stream);
}

// What training multiplies with, from the batch's statistics.
static void set_scale(const NormRun *run) {
    const float *scale = run->call->param[0],
                *inverse = (const float *)run->call->saved + run->channels;
    for (int c = 0; c < run->channels; c++) {
        run->scale[c] = scale[c] * inverse[c];
    }
}

static void normalise_all(NormRun *run) {
    threads_run(run->call->threads, row_tasks(run), normalise_task, run);
}

void norm_forward_end(NormRun *run) {
    const Call *call = run->call;
    threads_run(call->threads, combine_tasks(run), statistics_task, run);
    run->mean = call->saved;
    set_scale(run);
    normalise_all(run);
}

static void forward(const Call *call, const Kernels *kernels) {
    NormRun run = norm_run(call, kernels);
    if (call->phase == PHASE_TRAINING) {
        threads_run(call->threads, run.chunks, moments_task, &run);
        norm_forward_end(&run);
        return;
    }
    const float *scale = call->param[0], *variance = call->param[3];
    run.mean = call->param[2];
    for (int c = 0; c < run.channels; c++) {
        double deviation = sqrt((double)variance[c] + (double)call->node->norm.epsilon);
        run.scale[c] = (float)(scale[c] / deviation);
    }
    normalise_all(&run);
}

// The same pass from a row on.
static NormGradient gradient_from(const NormRun *run, int64_t row) {
    int64_t at = row * run->channels;
    NormGradient pass = run->gradient;
    pass.x += at;
    pass.output_gradient += at;
    pass.output = pass.output == NULL ? NULL : pass.output + at;
    pass.masked = pass.masked == NULL ? NULL : pass.masked + at;
    pass.input_gradient = pass.input_gradient == NULL ? NULL : pass.input_gradient + at;
    return pass;
}

static void gradient_sums_task(void *context, int task, int worker) {
    (void)worker;
    const NormRun *run = context;
    Piece rows = piece_at(run->rows, run->chunk_rows, task);
    NormGradient pass = gradient_from(run, rows.begin);
    run->kernels->gradient_sums(&pass, rows.count, run->channels, partial(run, task, 0, 0),
                                partial(run, task, 1, 0));
}

// The gradients of the parameters of a few channels, and what dx is computed with.
static void factors_task(void *context, int task, int worker) {
    (void)worker;
    const NormRun *run = context;
    const Call *call = run->call;
    Piece range = piece_at(run->channels, COMBINE_CHANNELS, task);
    double sums[COMBINE_CHANNELS] = {0}, products[COMBINE_CHANNELS] = {0};
    for (int chunk = 0; chunk < run->chunks; chunk++) {
        const float *sum = partial(run, chunk, 0, range.begin);
        const float *product = partial(run, chunk, 1, range.begin);
        for (int c = 0; c < range.count; c++) {
            sums[c] += sum[c];
            products[c] += product[c];
        }
    }
    float *scale_gradient = call->param_gradient[0], *shift_gradient = call->param_gradient[1];
    const float *inverse = (const float *)call->saved + run->channels;
    for (int c = 0; c < range.count; c++) {
        int64_t channel = range.begin + c;
        double along = products[c] * inverse[channel];
        if (scale_gradient != NULL) {
            scale_gradient[channel] = (float)along;
        }
        if (shift_gradient != NULL) {
            shift_gradient[channel] = (float)sums[c];
        }
        double factor = -(double)run->scale[channel] / (double)run->rows;
        run->constant[channel] = (float)(factor * sums[c]);
        run->input_factor[channel] = (float)(factor * along * inverse[channel]);
    }
}

void norm_backward_begin(NormRun *run) {
    const Call *call = run->call;
    const Node *node = call->node;
    set_scale(run);
    float *residual_gradient = call->accumulate[1] ? NULL : call->input_gradient[1];
    run->gradient = (NormGradient){
        .x = call->input[0],
        .output_gradient = call->output_gradient,
        .relu = node->relu,
        .output = node->relu && node->input[1] != NODE_NONE ? call->output : NULL,
        .mean = call->saved,
        .scale = run->scale,
        .shift = call->param[1],
        .masked = residual_gradient,
        // What was read a moment ago is in the caches.
        .stream_masked = run->stream && residual_gradient != call->output_gradient,
        .input_factor = run->input_factor,
        .constant = run->constant,
        .input_gradient = call->input_gradient[0],
        .accumulate = call->accumulate[0],
        .stream_input_gradient = run->stream,
    };
    if (residual_gradient == call->output_gradient && !node->relu) {
        run->gradient.masked = NULL; // it is there already
    }
    threads_run(call->threads, run->chunks, gradient_sums_task, run);
    if (run->gradient.masked != NULL) { // the second pass reads what the first one has masked
        run->gradient.output_gradient = residual_gradient;
        run->gradient.relu = false;
    }
    threads_run(call->threads, combine_tasks(run), factors_task, run);
}

// `pass` is of the rows from `first` on.
static void gradient_rows(const NormRun *run, const NormGradient *pass, int64_t first, int count) {
    const Call *call = run->call;
    if (call->input_gradient[1] != NULL && call->accumulate[1]) {
        run->element->pass((float *)call->input_gradient[1] + first * run->channels,
                           pass->output_gradient, pass->relu ? pass->output : NULL, true,
                           (size_t)count * (size_t)run->channels);
    }
    if (pass->input_gradient != NULL) {
        run->kernels->gradient(pass, count, run->channels);
    }
}

void norm_gradient(const NormRun *run, int64_t first, int count, float *to) {
    NormGradient pass = gradient_from(run, first);
    pass.input_gradient = to;
    pass.accumulate = pass.stream_input_gradient = false;
    gradient_rows(run, &pass, first, count);
}

static void gradient_task(void *context, int task, int worker) {
    (void)worker;
    const NormRun *run = context;
    const Piece rows = task_rows(run, task);
    const NormGradient pass = gradient_from(run, rows.begin);
    gradient_rows(run, &pass, rows.begin, rows.count);
}

void norm_backward_end(NormRun *run) {
    const Call *call = run->call;
    if (call->input_gradient[0] != NULL || call->input_gradient[1] != NULL) {
        threads_run(call->threads, row_tasks(run), gradient_task, run);
    }
}

static void backward(const Call *call, const Kernels *kernels) {
    NormRun run = norm_run(call, kernels);
    norm_backward_begin(&run);
    norm_backward_end(&run);
}

const CpuOp cpu_norm = {
    .workspace_size = workspace_size,
    .forward = forward,
    .backward = backward,
};
