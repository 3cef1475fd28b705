// SPDX-License-Identifier: Apache-2.0
// Trainings that cannot begin, go on or end well: one sentence each, and nothing earlier is harmed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "scratch_training.h"
#include "train/memory.h"

static TrainOptions small(const char *out) {
    TrainOptions options = scratch_training("resnet20", out);
    options.batch = 32;
    options.lr = 0.1;
    options.iterations = 3;
    options.schedule = "constant";
    return options;
}

static void expect(const TrainOptions *options, Status status, const char *part) {
    Status found = train_run(options, NULL, NULL);
    if (found != status || strstr(status_message(), part) == NULL) {
        fail_msg("found %d '%s', expected %d and '%s' in it", found, status_message(), status,
                 part);
    }
}

static void test_options(void **state) {
    (void)state;
    TrainOptions good = small("options"), bad = good;
    bad.model = "resnet21";
    expect(&bad, STATUS_USAGE, "resnet21");
    bad = good;
    bad.data = "cifar10:nowhere";
    expect(&bad, STATUS_FAILED, "nowhere");
    bad = good;
    bad.recipe = "long";
    expect(&bad, STATUS_USAGE, "recipe 'long' is none of paper, short, best");
    bad = good;
    bad.schedule = "linear";
    expect(&bad, STATUS_USAGE, "schedule 'linear'");
    bad = good;
    bad.momentum = 1;
    expect(&bad, STATUS_USAGE, "momentum is 1, expected 0 or more and below 1");
    bad = good;
    bad.lr = NAN;
    expect(&bad, STATUS_USAGE, "lr is nan");
    bad = good;
    bad.epochs = 2;
    expect(&bad, STATUS_USAGE, "epochs 2 and iterations 3");
    bad = good;
    bad.shard = 33;
    expect(&bad, STATUS_USAGE, "a shard of 33 samples is larger than the batch of 32");
    bad = good;
    bad.validation = 300;
    expect(&bad, STATUS_USAGE, "300 of 300 training samples");
    bad = good;
    bad.train_samples = 301;
    expect(&bad, STATUS_USAGE, "301 training samples are wanted, but there are 300");
    bad = good;
    bad.test_samples = 101;
    expect(&bad, STATUS_USAGE, "101 test samples are wanted, but there are 100");
    bad.test_samples = -1;
    expect(&bad, STATUS_USAGE, "test-samples is -1");
    bad = good;
    bad.shortcut = "D";
    expect(&bad, STATUS_USAGE, "shortcut 'D'");
    bad = good;
    const float zeros[3] = {0};
    bad.mean = zeros;
    expect(&bad, STATUS_USAGE, "mean and std must be given together");
    bad.std = zeros;
    expect(&bad, STATUS_USAGE, "cannot be used");
    bad = good;
    bad.init = "nothing.safetensors";
    expect(&bad, STATUS_FAILED, "nothing.safetensors: cannot be opened");
    bad = good;
    bad.out = scratch_path("data/test_batch.bin");
    expect(&bad, STATUS_FAILED, "test_batch.bin");
    // None of them left anything behind.
    assert_int_equal(access(scratch_path("options"), F_OK), -1);
}

static void test_memory(void **state) {
    (void)state;
    assert_true(memory_available() > 0);
    size_t bytes = 0, half = 0;
    assert_int_equal(train_bytes("resnet20", NULL, 64, false, NULL, &bytes), STATUS_OK);
    assert_int_equal(train_bytes("resnet20", NULL, 32, false, NULL, &half), STATUS_OK);
    assert_true(half < bytes && bytes > 20000000 && bytes < 400000000);
    TrainSize size = {.batch = 64, .shard = 64};
    assert_int_equal(memory_check("resnet20", NULL, &size, bytes), STATUS_OK);
    assert_int_equal(memory_check("resnet20", NULL, &size, bytes - 1), STATUS_FAILED);
    assert_non_null(strstr(status_message(), "training resnet20 with batch 64 takes 0."));
    assert_non_null(strstr(status_message(), "GB are free; try --recompute or --batch 32"));
    assert_int_equal(memory_check("resnet20", NULL, &size, 1000), STATUS_FAILED);
    assert_null(strstr(status_message(), "try"));
    // With recomputation there is less to take, and nothing but the batch to change.
    size_t less = 0;
    assert_int_equal(train_bytes("resnet20", NULL, 64, true, NULL, &less), STATUS_OK);
    assert_true(less < bytes);
    size.recompute = true;
    assert_int_equal(memory_check("resnet20", NULL, &size, less), STATUS_OK);
    assert_int_equal(memory_check("resnet20", NULL, &size, less - 1), STATUS_FAILED);
    assert_non_null(strstr(status_message(), "GB are free; try --batch 32"));
    TrainOptions options = small("memory");
    options.model = "resnet1202";
    options.batch = 1 << 20;
    expect(&options, STATUS_FAILED, "training resnet1202 with batch 1048576 takes ");
}

static void test_changed_options(void **state) {
    (void)state;
    TrainOptions options = small("changed");
    options.stop_after = 1;
    expect(&options, STATUS_INTERRUPTED, "stopped at iteration 1; go on with --resume");
    expect(&options, STATUS_USAGE, "checkpoint.safetensors: is the checkpoint of an earlier");
    options.resume = 1;
    options.stop_after = 0;
    TrainOptions other = options;
    other.lr = 0.2;
    expect(&other, STATUS_USAGE,
           "was begun with lr 0.1, which cannot be changed to 0.2 when the training goes on");
    other = options;
    other.iterations = 4;
    expect(&other, STATUS_USAGE, "was begun with iterations 3, which cannot be changed to 4");
    other = options;
    other.model = "resnet32";
    expect(&other, STATUS_USAGE, "was begun with model resnet20");
    other = options;
    other.train_samples = 200;
    expect(&other, STATUS_USAGE, "was begun with data cifar10 with 300 and 100 samples");
    other = options;
    other.test_samples = 50;
    expect(&other, STATUS_USAGE, "was begun with data cifar10 with 300 and 100 samples");
    other = options;
    other.seed = UINT64_MAX;
    expect(&other, STATUS_USAGE, "cannot be changed to 18446744073709551615");
    expect(&options, STATUS_OK, "");
}

static void test_damaged_checkpoint(void **state) {
    (void)state;
    TrainOptions options = small("damaged");
    options.stop_after = 1;
    expect(&options, STATUS_INTERRUPTED, "stopped");
    const char *path = scratch_path("damaged/checkpoint.safetensors");
    size_t size = 0;
    uint8_t *bytes = file_read(path, &size);
    assert_non_null(bytes);
    options.resume = 1;
    file_write(path, bytes, size / 2);
    expect(&options, STATUS_FAILED, "damaged/checkpoint.safetensors");
    bytes[size - 5] ^= 64;
    file_write(path, bytes, size);
    expect(&options, STATUS_FAILED, "checkpoint.safetensors: is damaged");
    bytes[size - 5] ^= 64;
    file_write(path, bytes, size);
    options.stop_after = 0;
    expect(&options, STATUS_OK, "");
    // A model is not a checkpoint.
    free(bytes);
    bytes = file_read(scratch_path("damaged/model.safetensors"), &size);
    file_write(path, bytes, size);
    free(bytes);
    expect(&options, STATUS_FAILED, "holds a model only");
}

static void test_not_finite(void **state) {
    (void)state;
    TrainOptions options = small("infinite");
    options.lr = 1e30;
    options.save_every = 1;
    Status status = train_run(&options, NULL, NULL);
    assert_int_equal(status, STATUS_FAILED);
    assert_non_null(strstr(status_message(), "not finite"));
    assert_non_null(strstr(status_message(), "try a smaller --lr"));
    options.out = scratch_path("infinite2");
    options.save_every = 0;
    status = train_run(&options, NULL, NULL);
    assert_int_equal(status, STATUS_FAILED);
    if (strstr(status_message(), "loss is nan at iteration 2: ") == NULL ||
        strstr(status_message(), " is the first layer whose result is not finite") == NULL) {
        fail_msg("found '%s'", status_message());
    }
    assert_int_equal(access(scratch_path("infinite2/checkpoint.safetensors"), F_OK), -1);
}

static void test_other_init(void **state) {
    (void)state;
    TrainOptions options = small("init");
    options.iterations = 1;
    expect(&options, STATUS_OK, "");
    options.init = scratch_path("init/model.safetensors");
    options.out = scratch_path("init2");
    options.model = "resnet32";
    expect(&options, STATUS_FAILED, "whose layer1.3.conv1.weight is missing");
}

// Root may write anywhere, so as root the training runs as somebody else.
static void test_read_only(void **state) {
    (void)state;
    enum { NOBODY = 65534 };
    TrainOptions options = small("read_only");
    assert_int_equal(mkdir(options.out, 0555), 0);
    assert_int_equal(chmod(scratch, 0755), 0);
    bool root = geteuid() == 0;
    if (root) {
        assert_int_equal(seteuid(NOBODY), 0);
    }
    Status status = train_run(&options, NULL, NULL);
    if (root) {
        assert_int_equal(seteuid(0), 0);
    }
    assert_int_equal(status, STATUS_FAILED);
    assert_non_null(strstr(status_message(), "read_only/metrics.jsonl: cannot be written (Perm"));
}

// A limit on the size of files stands for a full disk: the checkpoint cannot be written, and the
// earlier one stays as it was.
static void test_full_disk(void **state) {
    (void)state;
    TrainOptions options = small("full");
    options.stop_after = 1;
    expect(&options, STATUS_INTERRUPTED, "stopped");
    const char *path = scratch_path("full/checkpoint.safetensors");
    const char *copy = scratch_path("full/copy");
    size_t size = 0;
    uint8_t *bytes = file_read(path, &size);
    file_write(copy, bytes, size);
    free(bytes);
    options.resume = 1;
    options.stop_after = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct rlimit limit = {500000, 500000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        bool right = train_run(&options, NULL, NULL) == STATUS_FAILED &&
                     strstr(status_message(), "safetensors: cannot be written (") != NULL;
        _exit(right ? 0 : 1);
    }
    int result = -1;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFEXITED(result) && WEXITSTATUS(result) == 0);
    assert_true(files_equal(path, copy));
    expect(&options, STATUS_OK, "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options),         cmocka_unit_test(test_memory),
        cmocka_unit_test(test_changed_options), cmocka_unit_test(test_damaged_checkpoint),
        cmocka_unit_test(test_not_finite),      cmocka_unit_test(test_other_init),
        cmocka_unit_test(test_read_only),       cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
