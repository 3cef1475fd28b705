// SPDX-License-Identifier: Apache-2.0
// Published weights on real pictures: logits as PyTorch has them, to 1e-4 of their scale, and as
// many right answers. Skipped where ../shared/data is absent; RESNET_CIFAR10 names the folder of
// CIFAR-10's files.
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/files.h"
#include "data/loader.h"
#include "network/network.h"
#include "train/scratch.h"
#include "weights/model_io.h"

#define SHARED "../shared/data/"

enum { BATCH = 50 };

static void require(Status status) {
    if (status != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

typedef struct Run {
    ModelFile *model;
    Preprocess preprocess;
    Dataset *dataset;
    float *logits; // [count][classes]
    int classes;
} Run;

static void run_network(Run *run) {
    LoaderOptions options = {.batch = BATCH, .workers = 1, .ahead = LOADER_AHEAD};
    NetworkOptions network_options = {.batch = BATCH, .phase = PHASE_INFERENCE, .fuse = true};
    Loader *loader = NULL;
    Network *network = NULL;
    Threads *threads = NULL;
    require(threads_create(cpu_count(), &threads));
    network_options.threads = threads;
    require(backend_cpu(&network_options.backend));
    require(network_create(run->model->graph, run->model->parameters, &network_options, &network));
    require(loader_create(run->dataset, &run->preprocess, &options, &loader));
    size_t sample = shape_elements(run->model->options.input), done = 0;
    size_t classes = (size_t)run->classes;
    run->logits = malloc(run->dataset->count * classes * sizeof(float));
    loader_seek(loader, 0, 0);
    for (int b = 0; b < loader_batches(loader); b++) {
        Batch batch;
        loader_next(loader, &batch);
        size_t count = (size_t)batch.count;
        for (size_t i = 0; batch.failures != NULL && i < count; i++) {
            assert_null(batch.failures[i]);
        }
        memcpy(network_input(network), batch.pixels, count * sample * sizeof(float));
        network_forward(network, &(PassOptions){.count = batch.count});
        memcpy(run->logits + done * classes, network_output(network),
               count * classes * sizeof(float));
        done += count;
    }
    assert_int_equal(done, run->dataset->count);
    loader_destroy(loader);
    network_destroy(network);
    threads_destroy(threads);
}

static Run run_weights(const char *path, const char *preset, const char *spec) {
    Run run = {0};
    require(model_file_load(path, NULL, &run.model));
    Shape input = run.model->options.input;
    require(preprocess_preset(preset, input.channels, input.height, input.width, &run.preprocess));
    require(dataset_open(spec, SPLIT_TEST, &run.dataset));
    run.classes = run.model->options.classes;
    run_network(&run);
    return run;
}

static void release(Run *run) {
    free(run->logits);
    dataset_close(run->dataset);
    model_file_destroy(run->model);
}

// How many samples have their label among the `k` largest logits.
static int count_correct(const Run *run, const float *logits, int k) {
    int correct = 0;
    for (uint32_t i = 0; i < run->dataset->count; i++) {
        const float *row = logits + (size_t)i * (size_t)run->classes;
        int larger = 0;
        for (int c = 0; c < run->classes; c++) {
            larger += row[c] > row[run->dataset->labels[i]];
        }
        correct += larger < k;
    }
    return correct;
}

// The largest difference in units of the largest logit.
static double difference(const Run *run, const float *golden) {
    double scale = 0, worst = 0;
    for (size_t i = 0; i < (size_t)run->dataset->count * (size_t)run->classes; i++) {
        assert_true(isfinite(run->logits[i]));
        scale = fmax(scale, fabs((double)golden[i]));
        worst = fmax(worst, fabs((double)run->logits[i] - (double)golden[i]));
    }
    return worst / scale;
}

// Floats of a .npy file: behind 10 bytes and a header whose length is the last two of them.
static float *read_npy(const char *path, size_t count) {
    FileBytes file;
    require(file_map(path, &file));
    uint16_t header = 0;
    memcpy(&header, file.bytes + 8, sizeof header);
    assert_int_equal(file.size, 10 + header + count * sizeof(float));
    float *values = malloc(count * sizeof(float));
    memcpy(values, file.bytes + 10 + header, count * sizeof(float));
    file_unmap(&file);
    return values;
}

static void expect_golden(const Run *run, const char *path) {
    float *golden = read_npy(path, (size_t)run->dataset->count * (size_t)run->classes);
    double worst = difference(run, golden);
    print_message("%s: largest difference %.2e of the scale, %d right, %d in five\n", path, worst,
                  count_correct(run, run->logits, 1), count_correct(run, run->logits, 5));
    assert_true(worst <= 1e-4);
    assert_int_equal(count_correct(run, run->logits, 1), count_correct(run, golden, 1));
    assert_int_equal(count_correct(run, run->logits, 5), count_correct(run, golden, 5));
    free(golden);
}

// ---- CIFAR-10: PyTorch files of before 1.6, option A ----------------------------------------

static void check_cifar(const char *path, const char *golden, int right) {
    const char *folder = getenv("RESNET_CIFAR10");
    if (folder == NULL || !file_exists(path)) {
        skip();
    }
    char spec[1024];
    snprintf(spec, sizeof spec, "cifar10:%s", folder);
    Run run = run_weights(path, "cifar", spec);
    assert_int_equal(run.model->options.shortcut, SHORTCUT_PAD);
    assert_in_range(count_correct(&run, run.logits, 1), right - 1, right + 1);
    if (golden != NULL) {
        expect_golden(&run, golden);
    }
    release(&run);
}

static void test_resnet20(void **state) {
    (void)state;
    check_cifar(SHARED "resnet20-cifar10.th", SHARED "golden/resnet20_cifar10_test.npy", 9173);
}

static void test_resnet32(void **state) {
    (void)state;
    check_cifar(SHARED "resnet32-cifar10.th", NULL, 9263);
}

// ---- ImageNet: 100 photographs ------------------------------------------------------------------

// Runs a command of the system; false where it is missing or fails.
static bool shell(const char *format, const char *from, const char *to) {
    char command[2048];
    snprintf(command, sizeof command, format, from, to);
    return system(command) == 0;
}

static void check_imagenet(const char *weights, const char *golden) {
    if (!file_exists(weights) || !file_exists(SHARED "imagenet-sample-100.tar") ||
        !shell("xz -dc %s > %s 2>/dev/null", weights, scratch_path("weights")) ||
        !shell("tar -xf %s -C %s 2>/dev/null", SHARED "imagenet-sample-100.tar", scratch)) {
        skip();
    }
    char spec[1024];
    snprintf(spec, sizeof spec, "list:%s", scratch_path("imagenet-sample-100/labels.txt"));
    Run run = run_weights(scratch_path("weights"), "torchvision", spec);
    expect_golden(&run, golden);
    release(&run);
}

static void test_resnet18(void **state) {
    (void)state;
    check_imagenet(SHARED "resnet18-imagenet-pqf.safetensors.xz",
                   SHARED "golden/resnet18_imagenet-sample-100.npy");
}

static void test_resnet50(void **state) {
    (void)state;
    check_imagenet(SHARED "resnet50-imagenet-pqf.safetensors.xz",
                   SHARED "golden/resnet50_imagenet-sample-100.npy");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resnet20),
        cmocka_unit_test(test_resnet32),
        cmocka_unit_test(test_resnet18),
        cmocka_unit_test(test_resnet50),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
