// SPDX-License-Identifier: Apache-2.0
// The C library's memchr() and memcpy() are the fastest reader and copier at hand: both use the
// machine's widest loads.
#include "base/bandwidth.h"

#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/files.h"

enum { ROUNDS = 5, PIECES = 64 };

static const size_t LEAST_BYTES = (size_t)128 << 20, MOST_BYTES = (size_t)1 << 30;

typedef struct Stream {
    char *from, *to;
    size_t piece;      // bytes of one task
    int found[PIECES]; // what reading finds, so that it cannot be left out
} Stream;

static void touch(void *context, int task, int worker) {
    (void)worker;
    const Stream *stream = context;
    // Pages that were never written are all the same page of zeros.
    memset(stream->from + stream->piece * (size_t)task, 1, stream->piece);
    memset(stream->to + stream->piece * (size_t)task, 1, stream->piece);
}

static void copy(void *context, int task, int worker) {
    (void)worker;
    const Stream *stream = context;
    const size_t at = stream->piece * (size_t)task;
    memcpy(stream->to + at, stream->from + at, stream->piece);
}

static void read_all(void *context, int task, int worker) {
    (void)worker;
    Stream *stream = context;
    const char *piece = stream->from + stream->piece * (size_t)task;
    stream->found[task] += memchr(piece, 0, stream->piece) != NULL;
}

static double seconds_of(TaskFunction *function, Stream *stream, Threads *threads) {
    const double begin = clock_seconds();
    threads_run(threads, PIECES, function, stream);
    return clock_seconds() - begin;
}

// Twice the last cache, where the system tells its size.
static size_t block_bytes(void) {
    long cache = -1;
#ifdef _SC_LEVEL3_CACHE_SIZE
    cache = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
    const size_t wanted = cache > 0 ? 2 * (size_t)cache : 0;
    return wanted < LEAST_BYTES ? LEAST_BYTES : wanted < MOST_BYTES ? wanted : MOST_BYTES;
}

Status bandwidth_measure(Threads *threads, double *bytes_per_second) {
    Stream stream = {.piece = block_bytes() / PIECES};
    const size_t bytes = stream.piece * PIECES;
    void *from = NULL, *to = NULL;
    *bytes_per_second = 0;
    Status status = block_alloc(bytes, "measuring the memory's speed", &from);
    if (status == STATUS_OK) {
        status = block_alloc(bytes, "measuring the memory's speed", &to);
    }
    if (status == STATUS_OK) {
        stream.from = from;
        stream.to = to;
        threads_run(threads, PIECES, touch, &stream);
        for (int round = 0; round < ROUNDS; round++) {
            const double reading = (double)bytes / seconds_of(read_all, &stream, threads);
            const double copying = 2 * (double)bytes / seconds_of(copy, &stream, threads);
            const double rate = reading > copying ? reading : copying;
            *bytes_per_second = rate > *bytes_per_second ? rate : *bytes_per_second;
        }
    }
    block_free(from);
    block_free(to);
    return status;
}
