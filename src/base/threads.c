// SPDX-License-Identifier: Apache-2.0
#include "base/threads.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

// Workers first look for the next run for a short while without sleeping (a network has hundreds of
// runs a step, microseconds apart; a futex costs about as much as a small layer), then sleep.
enum { SPINS_BEFORE_SLEEP = 2000 };

typedef struct Worker {
    Threads *pool;
    int index;
    pthread_t thread;
} Worker;

struct Threads {
    int count;
    pthread_mutex_t mutex;
    pthread_cond_t start, finish;
    atomic_uint generation; // counts runs; a change wakes the workers
    atomic_bool stop;
    atomic_int next_task; // tasks are taken in order by whoever is free
    atomic_int working;   // workers that have not yet finished the current run
    int tasks;
    TaskFunction *function;
    void *context;
    Worker workers[THREADS_MAX];
};

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work(Threads *threads, int worker) {
    for (;;) {
        int task = atomic_fetch_add_explicit(&threads->next_task, 1, memory_order_relaxed);
        if (task >= threads->tasks) {
            return;
        }
        threads->function(threads->context, task, worker);
    }
}

static void *worker_main(void *argument) {
    Worker *self = argument;
    Threads *threads = self->pool;
    unsigned seen = 0;
    for (;;) {
        for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
            if (atomic_load_explicit(&threads->generation, memory_order_acquire) != seen) {
                break;
            }
            relax();
        }
        if (atomic_load_explicit(&threads->generation, memory_order_acquire) == seen) {
            pthread_mutex_lock(&threads->mutex);
            while (atomic_load(&threads->generation) == seen) {
                pthread_cond_wait(&threads->start, &threads->mutex);
            }
            pthread_mutex_unlock(&threads->mutex);
        }
        seen++;
        if (atomic_load(&threads->stop)) {
            return NULL;
        }
        work(threads, self->index);
        if (atomic_fetch_sub_explicit(&threads->working, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&threads->mutex);
            pthread_cond_signal(&threads->finish);
            pthread_mutex_unlock(&threads->mutex);
        }
    }
}

// Starts a new generation: a run, or the end.
static void wake(Threads *threads) {
    pthread_mutex_lock(&threads->mutex);
    atomic_fetch_add_explicit(&threads->generation, 1, memory_order_release);
    pthread_cond_broadcast(&threads->start);
    pthread_mutex_unlock(&threads->mutex);
}

Status threads_create(int count, Threads **out) {
    *out = NULL;
    if (count < 1 || count > THREADS_MAX) {
        return status_fail(STATUS_USAGE, "%d threads asked for, but 1 to %d are possible", count,
                           (int)THREADS_MAX);
    }
    Threads *threads = calloc(1, sizeof *threads);
    if (threads == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for a pool of %d threads", count);
    }
    pthread_mutex_init(&threads->mutex, NULL);
    pthread_cond_init(&threads->start, NULL);
    pthread_cond_init(&threads->finish, NULL);
    threads->count = 1;
    for (int i = 1; i < count; i++) {
        threads->workers[i] = (Worker){.pool = threads, .index = i};
        int error =
            pthread_create(&threads->workers[i].thread, NULL, worker_main, &threads->workers[i]);
        if (error != 0) {
            threads_destroy(threads);
            return status_fail(STATUS_FAILED, "cannot start thread %d of %d", i + 1, count);
        }
        threads->count = i + 1;
    }
    *out = threads;
    return STATUS_OK;
}

void threads_destroy(Threads *threads) {
    if (threads == NULL) {
        return;
    }
    atomic_store(&threads->stop, true);
    wake(threads);
    for (int i = 1; i < threads->count; i++) {
        pthread_join(threads->workers[i].thread, NULL);
    }
    pthread_cond_destroy(&threads->finish);
    pthread_cond_destroy(&threads->start);
    pthread_mutex_destroy(&threads->mutex);
    free(threads);
}

int threads_count(const Threads *threads) { return threads == NULL ? 1 : threads->count; }

void threads_run(Threads *threads, int tasks, TaskFunction *function, void *context) {
    if (threads == NULL || threads->count == 1 || tasks <= 1) {
        for (int task = 0; task < tasks; task++) {
            function(context, task, 0);
        }
        return;
    }
    threads->tasks = tasks;
    threads->function = function;
    threads->context = context;
    atomic_store_explicit(&threads->next_task, 0, memory_order_relaxed);
    atomic_store_explicit(&threads->working, threads->count - 1, memory_order_relaxed);
    wake(threads);
    work(threads, 0);
    for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
        if (atomic_load_explicit(&threads->working, memory_order_acquire) == 0) {
            return;
        }
        relax();
    }
    pthread_mutex_lock(&threads->mutex);
    while (atomic_load_explicit(&threads->working, memory_order_acquire) != 0) {
        pthread_cond_wait(&threads->finish, &threads->mutex);
    }
    pthread_mutex_unlock(&threads->mutex);
}
