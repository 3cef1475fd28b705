// SPDX-License-Identifier: Apache-2.0
#include "backend/cpu/peak.h"

#include <time.h>

#include "backend/cpu/kernels/int8_kernels.h"

enum { ROUNDS = 5, TURNS = 2000000 };

typedef struct Peak {
    const Kernels *kernels;
    Arithmetic of;
    double rate[THREADS_MAX];
} Peak;

static double core_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void measure(void *context, int task, int worker) {
    (void)worker;
    Peak *peak = context;
    const float values[2] = {0.999f, 0.25f};
    for (int round = 0; round < ROUNDS; round++) {
        float result;
        int32_t sum;
        const double begin = core_seconds();
        const Kernels *kernels = peak->kernels;
        const double operations = peak->of == ARITHMETIC_BYTES ? kernels->int8->peak(TURNS, 3, &sum)
                                  : peak->of == ARITHMETIC_BF16
                                      ? kernels->bf16->peak(TURNS, values, &result)
                                      : kernels->conv->peak(TURNS, values, &result);
        const double rate = operations / (core_seconds() - begin);
        peak->rate[task] = rate > peak->rate[task] ? rate : peak->rate[task];
    }
}

double peak_measure(const Kernels *kernels, Arithmetic of, Threads *threads) {
    Peak peak = {.kernels = kernels, .of = of};
    const int workers = threads_count(threads);
    threads_run(threads, workers, measure, &peak);
    double sum = 0;
    for (int i = 0; i < workers; i++) {
        sum += peak.rate[i];
    }
    return sum;
}
