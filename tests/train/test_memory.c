// SPDX-License-Identifier: Apache-2.0
// What `resnet summary` promises is what a run takes: the peak of the resident memory of a training
// and of an evaluation, less that of the program alone, within 5 % of the prediction.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <jansson.h>

#include "train/scratch.h"

// Runs the program with its standard output in `output`; the peak of its resident bytes.
static double peak_bytes(const char *output, char *const arguments[]) {
    pid_t child = fork();
    if (child == 0) {
        int out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(out, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        execv(arguments[0], arguments);
        _exit(127);
    }
    int status = 0;
    struct rusage usage;
    assert_int_equal(wait4(child, &status, 0, &usage), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    return 1024.0 * (double)usage.ru_maxrss;
}

static void check(const char *what, double taken, double predicted) {
    print_message("%s: %.1f MB taken, %.1f MB predicted (%+.1f %%)\n", what, taken / 1e6,
                  predicted / 1e6, 100 * (predicted / taken - 1));
    assert_true(predicted > 0.95 * taken);
    assert_true(predicted < 1.05 * taken);
}

// What `resnet summary` predicts for a batch of 128 CIFAR images on two threads. recompute: NULL or
// that option.
static json_t *summarize(char *program, char *model, char *recompute) {
    char text[300];
    snprintf(text, sizeof text, "%s", scratch_path("text"));
    peak_bytes(text, (char *[]){program, "summary", model, "--classes", "10", "--input", "3x32x32",
                                "--batch", "128", "--threads", "2", "--json", recompute, NULL});
    json_t *summary = json_load_file(text, 0, NULL);
    assert_non_null(summary);
    return summary;
}

static double member(const json_t *summary, const char *key) {
    return json_number_value(json_object_get(summary, key));
}

// Also of a network whose auxiliary heads are there in training alone: two fifths of its weights;
// and with recomputation, which is worth having.
static void test_prediction(void **state) {
    (void)state;
    char *program = getenv("RESNET_PROGRAM");
    const char *sanitize = getenv("RESNET_SANITIZE");
    if (program == NULL || (sanitize != NULL && *sanitize != '\0')) {
        skip(); // a sanitizer's own memory would be counted
    }
    static char *const RUNS[][2] = {
        {"resnet56", NULL}, {"resnet56", "--recompute"}, {"googlenet", NULL}};
    char data[300], text[300];
    snprintf(data, sizeof data, "cifar10:%s", scratch_path("data"));
    snprintf(text, sizeof text, "%s", scratch_path("text"));
    double alone = peak_bytes(text, (char *[]){program, "--version", NULL});
    double images = 3072.0 * (SCRATCH_TRAIN + SCRATCH_TEST);
    double without = 0;
    for (int i = 0; i < 3; i++) {
        char *model = RUNS[i][0], *recompute = RUNS[i][1];
        char out[300], weights[400], what[100];
        snprintf(out, sizeof out, "%s", scratch_path(recompute != NULL ? "less" : model));
        snprintf(weights, sizeof weights, "%s/model.safetensors", out);
        json_t *summary = summarize(program, model, recompute);
        double taken =
            peak_bytes(text, (char *[]){program, "train", "--model", model, "--data", data, "--out",
                                        out, "--batch", "128", "--iterations", "2", "--threads",
                                        "2", recompute, NULL});
        snprintf(what, sizeof what, "training %s with batch 128%s", model,
                 recompute != NULL ? ", recomputing" : "");
        check(what, taken - alone - images, member(summary, "training_bytes"));
        if (recompute != NULL) {
            assert_true(taken - alone - images < without / 2);
        } else {
            without = taken - alone - images;
        }
        taken = peak_bytes(text, (char *[]){program, "eval", weights, "--data", data, "--batch",
                                            "128", "--threads", "2", NULL});
        snprintf(what, sizeof what, "running %s with batch 128", model);
        check(what, taken - alone - 3072.0 * SCRATCH_TEST, member(summary, "inference_bytes"));
        json_decref(summary);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prediction),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
