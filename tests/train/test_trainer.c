// SPDX-License-Identifier: Apache-2.0
// Training on a small made-up CIFAR-10: it learns, and it is exact: the same bytes for any number
// of threads, on any instruction set with fused multiply-add, and however often it is interrupted.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cpu.h"
#include "scratch_training.h"
#include "weights/model_io.h"

// 300 samples: 10 iterations an epoch, the last one of 12 samples.
static TrainOptions small(const char *out) {
    TrainOptions options = scratch_training("resnet20", out);
    options.recipe = "short";
    options.batch = 32;
    options.lr = 0.1;
    options.iterations = 13;
    return options;
}

static void train(const TrainOptions *options) {
    if (train_run(options, NULL, NULL) != STATUS_OK) {
        fail_msg("%s", status_message());
    }
}

// The path of a file in one of the scratch folder's folders.
static const char *in_folder(const char *out, const char *name) {
    char path[200];
    snprintf(path, sizeof path, "%.60s/%.60s", out, name);
    return scratch_path(path);
}

static const char *checkpoint(const char *out) { return in_folder(out, "checkpoint.safetensors"); }

static const char *model(const char *out) { return in_folder(out, "model.safetensors"); }

// The lines of DIR/NAME; json_decref() it.
static json_t *read_lines(const char *out, const char *name) {
    size_t size = 0;
    char *text = (char *)file_read(in_folder(out, name), &size);
    assert_non_null(text);
    json_t *lines = json_array();
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        json_t *object = json_loads(line, 0, NULL);
        assert_non_null(object);
        json_array_append_new(lines, object);
    }
    free(text);
    return lines;
}

static double value(const json_t *lines, size_t index, const char *key) {
    const json_t *found = json_object_get(json_array_get(lines, index), key);
    assert_true(json_is_number(found));
    return json_number_value(found);
}

// The same but for the seconds.
static void expect_same_metrics(const char *a, const char *b) {
    json_t *left = read_lines(a, "metrics.jsonl"), *right = read_lines(b, "metrics.jsonl");
    assert_int_equal(json_array_size(left), json_array_size(right));
    for (size_t i = 0; i < json_array_size(left); i++) {
        json_object_del(json_array_get(left, i), "seconds");
        json_object_del(json_array_get(right, i), "seconds");
    }
    assert_true(json_equal(left, right));
    json_decref(left);
    json_decref(right);
}

// What a callback saw.
typedef struct Seen {
    int starts, steps, epochs, notes, dones;
    TrainProgress first, last;
    char note[200];
    int stop_at;
    volatile sig_atomic_t stop;
} Seen;

static void see(void *user, const TrainProgress *progress) {
    Seen *seen = user;
    int *counts[] = {&seen->starts, &seen->steps, &seen->epochs, &seen->notes, &seen->dones};
    ++*counts[progress->event];
    if (progress->event == TRAIN_START) {
        seen->first = *progress;
    }
    if (progress->event == TRAIN_NOTE) {
        snprintf(seen->note, sizeof seen->note, "%s", progress->note);
    }
    if (progress->event == TRAIN_STEP && progress->iteration == seen->stop_at) {
        seen->stop = 1;
    }
    seen->last = *progress;
}

// Under a sanitizer, where an iteration takes ten times as long, tests do without what compares
// numbers alone: the others take the same paths.
static void skip_sanitized(void) {
    const char *sanitize = getenv("RESNET_SANITIZE");
    if (sanitize != NULL && sanitize[0] != '\0') {
        skip();
    }
}

static void test_learns(void **state) {
    (void)state;
    skip_sanitized();
    TrainOptions options = small("learns");
    options.iterations = 0;
    options.epochs = 6;
    options.lr = 0.02;
    options.log_gradients = 1;
    Seen seen = {0};
    if (train_run(&options, see, &seen) != STATUS_OK) {
        fail_msg("%s", status_message());
    }
    assert_int_equal(seen.starts, 1);
    assert_int_equal(seen.steps, 60);
    assert_int_equal(seen.epochs, 6);
    assert_int_equal(seen.notes, 1);
    assert_string_equal(seen.note, "warm-up ended at iteration 15, lr 0.02");
    assert_int_equal(seen.dones, 1);
    assert_true(isnan(seen.first.test_top1));
    assert_int_equal(seen.first.iterations, 60);
    json_t *lines = read_lines("learns", "metrics.jsonl");
    assert_int_equal(json_array_size(lines), 6);
    assert_int_equal(value(lines, 0, "iteration"), 10);
    assert_true(value(lines, 5, "epoch") == 6);
    assert_true(value(lines, 0, "train_loss") > 1.5 && value(lines, 0, "train_loss") < 4);
    assert_true(value(lines, 5, "train_loss") < 0.5 * value(lines, 0, "train_loss"));
    assert_true(value(lines, 5, "train_top1") > 70);
    assert_true(value(lines, 5, "test_top1") > 70);
    assert_true(value(lines, 5, "test_top1") == seen.last.test_top1);
    json_decref(lines);
    json_t *gradients = read_lines("learns", "gradients.jsonl");
    assert_int_equal(json_array_size(gradients), 6);
    const json_t *layers = json_object_get(json_array_get(gradients, 5), "layers");
    assert_int_equal(json_array_size(layers), 39); // 19 convolutions, 19 norms, 1 linear layer
    const json_t *first = json_array_get(layers, 0);
    assert_string_equal(json_string_value(json_object_get(first, "name")), "conv1");
    assert_true(json_real_value(json_object_get(first, "gradient_norm")) > 0);
    assert_null(json_object_get(first, "response_std"));
    // A norm begins with responses of deviation 1 and has not gone far from there.
    const json_t *norm = json_array_get(layers, 1);
    assert_string_equal(json_string_value(json_object_get(norm, "name")), "bn1");
    double deviation = json_real_value(json_object_get(norm, "response_std"));
    assert_true(deviation > 0.8 && deviation < 1.2 && deviation != 1);
    json_decref(gradients);
    ModelFile *file = NULL;
    assert_int_equal(model_file_load(model("learns"), NULL, &file), STATUS_OK);
    assert_string_equal(file->class_names[9], "truck");
    assert_true(file->has_preprocess);
    model_file_destroy(file);
}

static void test_threads(void **state) {
    (void)state;
    skip_sanitized();
    TrainOptions options = small("one");
    options.threads = 1;
    train(&options);
    options.threads = 2;
    options.out = scratch_path("two");
    train(&options);
    options.threads = 5;
    options.out = scratch_path("five");
    train(&options);
    assert_true(files_equal(checkpoint("one"), checkpoint("two")));
    assert_true(files_equal(checkpoint("one"), checkpoint("five")));
    assert_true(files_equal(model("one"), model("five")));
    expect_same_metrics("one", "five");
    json_t *lines = read_lines("one", "metrics.jsonl");
    assert_int_equal(json_array_size(lines), 2);
    assert_true(fabs(value(lines, 1, "epoch") - 1.3) < 1e-9);
    assert_int_equal(value(lines, 1, "iteration"), 13);
    json_decref(lines);
    options.seed = 2;
    options.out = scratch_path("seed");
    train(&options);
    assert_false(files_equal(model("one"), model("seed")));
}

static void test_instruction_sets(void **state) {
    (void)state;
    if (!isa_supported(ISA_AVX2) || !isa_supported(ISA_AVX512)) {
        skip();
    }
    TrainOptions options = small("avx2");
    options.iterations = 6;
    setenv("RESNET_ISA", "avx2", 1);
    train(&options);
    options.out = scratch_path("avx512");
    setenv("RESNET_ISA", "avx512", 1);
    train(&options);
    unsetenv("RESNET_ISA");
    assert_true(files_equal(checkpoint("avx2"), checkpoint("avx512")));
    expect_same_metrics("avx2", "avx512");
}

// Stopped by count, by the flag, and at an epoch's end; the numbers of threads change as well.
static void test_resume(void **state) {
    (void)state;
    TrainOptions options = small("straight");
    options.bn_recompute = 1;
    options.test_every = 0.4;
    options.log_gradients = 1;
    options.log_every = 3;
    train(&options);
    options.out = scratch_path("broken");
    options.resume = 1;
    options.threads = 1;
    options.stop_after = 4;
    assert_int_equal(train_run(&options, NULL, NULL), STATUS_INTERRUPTED);
    assert_string_equal(status_message(), "stopped at iteration 4; go on with --resume");
    options.stop_after = 0;
    options.threads = 3;
    Seen seen = {.stop_at = 7};
    options.stop = &seen.stop;
    assert_int_equal(train_run(&options, see, &seen), STATUS_INTERRUPTED);
    assert_int_equal(seen.first.iteration, 4);
    assert_int_equal(seen.steps, 3);
    assert_string_equal(status_message(), "stopped at iteration 7; go on with --resume");
    options.stop = NULL;
    options.stop_after = 3;
    assert_int_equal(train_run(&options, NULL, NULL), STATUS_INTERRUPTED);
    options.stop_after = 0;
    // Half a line, as a killed process leaves it, and one from after the checkpoint.
    const char late[] = "{\"epoch\":1.2,\"iteration\":12,\"lr\":1}\n{\"epoch\":1.3,\"itera";
    FILE *file = fopen(scratch_path("broken/metrics.jsonl"), "ab");
    assert_non_null(file);
    fwrite(late, 1, sizeof late - 1, file);
    fclose(file);
    train(&options);
    assert_true(files_equal(checkpoint("straight"), checkpoint("broken")));
    assert_true(files_equal(model("straight"), model("broken")));
    assert_true(files_equal(scratch_path("straight/gradients.jsonl"),
                            scratch_path("broken/gradients.jsonl")));
    expect_same_metrics("straight", "broken");
    json_t *lines = read_lines("broken", "gradients.jsonl");
    assert_int_equal(json_array_size(lines), 5); // at iterations 3, 6, 9, 12, 13
    json_decref(lines);
    lines = read_lines("broken", "metrics.jsonl");
    assert_int_equal(json_array_size(lines), 5); // at iterations 4, 8, 10, 12, 13
    assert_true(json_is_null(json_object_get(json_array_get(lines, 2), "test_loss")));
    json_decref(lines);
    // A training that is complete has nothing left to do, but its model is put back.
    assert_int_equal(remove(model("broken")), 0);
    seen = (Seen){0};
    assert_int_equal(train_run(&options, see, &seen), STATUS_OK);
    assert_int_equal(seen.steps, 0);
    assert_int_equal(seen.dones, 1);
    assert_int_equal(seen.last.iteration, 13);
    assert_true(files_equal(model("straight"), model("broken")));
}

// Interrupted in the very last part, while norms are averaged.
static void test_resume_average(void **state) {
    (void)state;
    TrainOptions options = small("average");
    options.iterations = 3;
    options.bn_recompute = 1;
    train(&options);
    options.out = scratch_path("average2");
    Seen seen = {.stop_at = 3};
    options.stop = &seen.stop;
    assert_int_equal(train_run(&options, see, &seen), STATUS_INTERRUPTED);
    assert_string_equal(status_message(), "stopped at iteration 3; go on with --resume");
    assert_int_equal(access(model("average2"), F_OK), -1);
    options.stop = NULL;
    options.resume = 1;
    train(&options);
    assert_true(files_equal(checkpoint("average"), checkpoint("average2")));
    expect_same_metrics("average", "average2");
    options.resume = 0;
    options.bn_recompute = 0;
    options.out = scratch_path("average3");
    train(&options);
    assert_false(files_equal(model("average"), model("average3")));
}

static void kill_at_7(void *user, const TrainProgress *progress) {
    (void)user;
    if (progress->event == TRAIN_STEP && progress->iteration == 7) {
        kill(getpid(), SIGKILL);
    }
}

// Killed without warning, three iterations behind the last checkpoint.
static void test_killed(void **state) {
    (void)state;
    TrainOptions options = small("alive");
    options.iterations = 8;
    options.save_every = 4;
    train(&options);
    options.out = scratch_path("killed");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        train_run(&options, kill_at_7, NULL);
        _exit(0);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
    options.resume = 1;
    Seen seen = {0};
    assert_int_equal(train_run(&options, see, &seen), STATUS_OK);
    assert_int_equal(seen.first.iteration, 4);
    assert_true(files_equal(checkpoint("alive"), checkpoint("killed")));
    expect_same_metrics("alive", "killed");
}

static void test_shards(void **state) {
    (void)state;
    TrainOptions options = small("shard_a");
    options.iterations = 11;
    options.shard = 8;
    options.threads = 1;
    train(&options);
    options.threads = 3;
    options.out = scratch_path("shard_b");
    train(&options);
    options.shard = 32;
    options.out = scratch_path("shard_c");
    train(&options);
    options.shard = 0;
    options.out = scratch_path("shard_d");
    train(&options);
    assert_true(files_equal(checkpoint("shard_a"), checkpoint("shard_b")));
    assert_false(files_equal(model("shard_a"), model("shard_c")));
    assert_true(files_equal(checkpoint("shard_c"), checkpoint("shard_d")));
}

// Cuts first, then whole images: the same bytes wherever it is interrupted, by any threads.
static void test_cuts(void **state) {
    (void)state;
    TrainOptions options = small("cuts");
    options.train_samples = 80; // 3 iterations an epoch
    options.iterations = 8;     // 2.7 epochs, of which 1 on cuts
    options.small_share = 0.5;
    options.bn_recompute = 1;
    Seen seen = {0};
    assert_int_equal(train_run(&options, see, &seen), STATUS_OK);
    assert_string_equal(seen.note, "whole images from here on");
    assert_int_equal(seen.steps, 8);
    options.out = scratch_path("cuts2");
    options.resume = 1;
    static const int stops[] = {2, 1, 2, 0}; // at iterations 2, 3 and 5
    for (int i = 0; i < 4; i++) {
        options.threads = 1 + i;
        options.stop_after = stops[i];
        const Status expected = stops[i] > 0 ? STATUS_INTERRUPTED : STATUS_OK;
        assert_int_equal(train_run(&options, NULL, NULL), expected);
    }
    assert_true(files_equal(checkpoint("cuts"), checkpoint("cuts2")));
    assert_true(files_equal(model("cuts"), model("cuts2")));
    expect_same_metrics("cuts", "cuts2");
    options.small_share = 0.9;
    assert_int_equal(train_run(&options, NULL, NULL), STATUS_USAGE);
    assert_non_null(strstr(status_message(), "small-iterations"));
}

// Each way to train at least runs, and none gives another's bits.
static void test_ways(void **state) {
    (void)state;
    TrainOptions base = small("way0");
    base.iterations = 4;
    base.threads = 1;
    enum { WAYS = 15 };
    for (int way = 0; way < WAYS; way++) {
        static char names[WAYS][16];
        TrainOptions options = base;
        const float mean[3] = {0.5f, 0.4f, 0.3f}, deviation[3] = {0.2f, 0.3f, 0.25f};
        snprintf(names[way], sizeof names[way], "way%d", way);
        switch (way) {
        case 1:
            options.recipe = "paper";
            break;
        case 2:
            options.nesterov = 0;
            break;
        case 3:
            options.schedule = "cosine";
            break;
        case 4:
            options.augment = "none";
            break;
        case 5:
            options.normalize = "pixel";
            break;
        case 6:
            options.mean = mean, options.std = deviation;
            break;
        case 7:
            options.validation = 60;
            break;
        case 8:
            options.train_samples = 100;
            break;
        case 9:
            options.label_smoothing = 0.1;
            break;
        case 10:
            options.shortcut = "B";
            break;
        case 11:
            options.init = model("way0");
            break;
        case 12:
            options.shift_rate = 4;
            break;
        case 13:
            options.border = "mirror";
            break;
        case 14:
            options.train_samples = 64; // two epochs
            options.small_share = 0.5;
            break;
        }
        options.out = scratch_path(names[way]);
        train(&options);
        for (int other = 0; other < way; other++) {
            assert_false(files_equal(model(names[way]), model(names[other])));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_instruction_sets),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_resume_average),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_ways),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
