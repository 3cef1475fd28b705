// SPDX-License-Identifier: Apache-2.0
// Several models at once in one process: sessions and a trainer, each with a pool of its own and a
// thread of the application's that drives it, give the bits that they give alone, and nothing in
// the process runs while nobody asks for anything.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/random.h"
#include "resnet.h"

enum { CLASSES = 10, SIDE = 32, IMAGE = 3 * SIDE * SIDE, COUNT = 6, ROUNDS = 4, TRAINED = 3 };

typedef struct Job {
    const char *model;
    int threads, batch;
    bool trains; // else it predicts
    resnet_model *handle;
    resnet_session *session;
    resnet_trainer *trainer;
    float alone[COUNT * CLASSES], together[COUNT * CLASSES]; // logits, or losses
    bool failed;
} Job;

static Job jobs[] = {{"resnet20", 1, 1, false, NULL, NULL, NULL, {0}, {0}, false},
                     {"resnet20", 3, 4, false, NULL, NULL, NULL, {0}, {0}, false},
                     {"preresnet20", 2, 6, false, NULL, NULL, NULL, {0}, {0}, false},
                     {"plain32", 2, 2, false, NULL, NULL, NULL, {0}, {0}, false},
                     {"resnet20", 2, COUNT, true, NULL, NULL, NULL, {0}, {0}, false}};
enum { JOBS = sizeof jobs / sizeof *jobs };

static float images[COUNT * IMAGE];
static pthread_barrier_t start;

static bool create(Job *job) {
    const resnet_model_options options = {.seed = 3, .classes = CLASSES};
    resnet_session_options run;
    resnet_trainer_options train;
    resnet_session_options_default(&run);
    resnet_trainer_options_default(&train);
    run.threads = train.threads = job->threads;
    run.batch = train.batch = job->batch;
    return resnet_model_create(job->model, &options, &job->handle) == RESNET_OK &&
           (job->trains ? resnet_trainer_create(job->handle, &train, &job->trainer)
                        : resnet_session_create(job->handle, &run, &job->session)) == RESNET_OK;
}

static void destroy(Job *job) {
    resnet_session_free(job->session);
    resnet_trainer_free(job->trainer);
    resnet_model_free(job->handle);
    job->session = NULL;
    job->trainer = NULL;
    job->handle = NULL;
}

static bool work(Job *job, float *results) {
    if (!job->trains) {
        return resnet_session_run(job->session, images, COUNT, results) == RESNET_OK;
    }
    const int32_t labels[COUNT] = {0, 1, 2, 3, 4, 5};
    for (int i = 0; i < TRAINED; i++) {
        double loss = 0;
        if (resnet_trainer_step(job->trainer, images, labels, COUNT, 0.05, &loss) != RESNET_OK) {
            return false;
        }
        results[i] = (float)loss;
    }
    return true;
}

static void *run_job(void *argument) {
    Job *job = argument;
    pthread_barrier_wait(&start);
    for (int round = 0; round < ROUNDS && !job->failed; round++) {
        // A trainer begins anew, so that the rounds are alike.
        bool made = !job->trains || (destroy(job), create(job));
        job->failed = !made || !work(job, job->together) ||
                      memcmp(job->alone, job->together, sizeof job->alone) != 0;
    }
    return NULL;
}

static int set_up(void **state) {
    (void)state;
    for (int i = 0; i < COUNT * IMAGE; i++) {
        images[i] = (float)random_normal(1, RANDOM_TEST, 0, (uint64_t)i);
    }
    for (int j = 0; j < JOBS; j++) {
        if (!create(&jobs[j]) || !work(&jobs[j], jobs[j].alone)) {
            return 1;
        }
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    for (int j = 0; j < JOBS; j++) {
        destroy(&jobs[j]);
    }
    return 0;
}

static void test_together(void **state) {
    (void)state;
    pthread_t threads[JOBS];
    assert_int_equal(pthread_barrier_init(&start, NULL, JOBS), 0);
    for (int j = 0; j < JOBS; j++) {
        assert_int_equal(pthread_create(&threads[j], NULL, run_job, &jobs[j]), 0);
    }
    for (int j = 0; j < JOBS; j++) {
        pthread_join(threads[j], NULL);
    }
    pthread_barrier_destroy(&start);
    for (int j = 0; j < JOBS; j++) {
        if (jobs[j].failed) {
            fail_msg("job %d, %s: other bits beside the others than alone", j, jobs[j].model);
        }
    }
    // The same model with other threads and another batch; another model is another one.
    assert_memory_equal(jobs[0].alone, jobs[1].alone, sizeof jobs[0].alone);
    assert_memory_not_equal(jobs[0].alone, jobs[3].alone, sizeof jobs[0].alone);
    assert_true(jobs[JOBS - 1].alone[0] > 0);
}

// All contexts together, after they have worked: a hundredth of one core at most.
static void test_idle(void **state) {
    (void)state;
    const struct timespec settle = {.tv_nsec = 100000000}, idle = {.tv_nsec = 500000000};
    struct timespec begin, end;
    nanosleep(&settle, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    nanosleep(&idle, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    const double spent =
        (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) / 1e6;
    print_message("%.3f ms of CPU time in 500 ms\n", spent);
    assert_true(spent < 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_together),
        cmocka_unit_test(test_idle),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
