// SPDX-License-Identifier: Apache-2.0
// A pool of worker threads for one context. Idle workers sleep.
//
// Exactness: threads_run() says nothing about which worker takes which task or when. Callers split
// their work into tasks by shapes alone (never by the number of threads), let every task write to
// memory of its own, and combine partial results in the order of the tasks afterwards.
#ifndef RESNET_BASE_THREADS_H
#define RESNET_BASE_THREADS_H

#include "base/status.h"

typedef struct Threads Threads;

// `task` in [0, tasks), `worker` in [0, threads_count()): at most one task at a time has a given
// worker number, so that per-worker workspace needs no lock.
typedef void TaskFunction(void *context, int task, int worker);

enum { THREADS_MAX = 256 };

// A pool of `count` workers (1 … THREADS_MAX), the caller of threads_run() being one of them.
Status threads_create(int count, Threads **out);
void threads_destroy(Threads *threads);

// 1 for NULL: every function that takes a pool accepts NULL and then runs on the caller alone.
int threads_count(const Threads *threads);

// Calls function(context, task, worker) once for each task and returns when all are done.
// Not reentrant: a task must not call threads_run() on the same pool. One caller at a time.
void threads_run(Threads *threads, int tasks, TaskFunction *function, void *context);

#endif
