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

static void test_prediction(void **state) {
    (void)state;
    char *program = getenv("RESNET_PROGRAM");
    const char *sanitize = getenv("RESNET_SANITIZE");
    if (program == NULL || (sanitize != NULL && *sanitize != '\0')) {
        skip(); // a sanitizer's own memory would be counted
    }
    char data[300], out[300], weights[400], text[300];
    snprintf(data, sizeof data, "cifar10:%s", scratch_path("data"));
    snprintf(out, sizeof out, "%s", scratch_path("run"));
    snprintf(weights, sizeof weights, "%s/model.safetensors", out);
    snprintf(text, sizeof text, "%s", scratch_path("text"));
    double alone = peak_bytes(text, (char *[]){program, "--version", NULL});
    peak_bytes(text, (char *[]){program, "summary", "resnet56", "--batch", "128", "--threads", "2",
                                "--json", NULL});
    json_t *summary = json_load_file(text, 0, NULL);
    assert_non_null(summary);
    double training = json_number_value(json_object_get(summary, "training_bytes"));
    double inference = json_number_value(json_object_get(summary, "inference_bytes"));
    json_decref(summary);
    double images = 3072.0 * (SCRATCH_TRAIN + SCRATCH_TEST);
    double taken = peak_bytes(text, (char *[]){program, "train", "--model", "resnet56", "--data",
                                               data, "--out", out, "--batch", "128", "--iterations",
                                               "2", "--threads", "2", NULL});
    check("training resnet56 with batch 128", taken - alone - images, training);
    taken = peak_bytes(text, (char *[]){program, "eval", weights, "--data", data, "--batch", "128",
                                        "--threads", "2", NULL});
    check("running resnet56 with batch 128", taken - alone - 3072.0 * SCRATCH_TEST, inference);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_prediction),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
