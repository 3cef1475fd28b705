// SPDX-License-Identifier: Apache-2.0
// Verdicts on made outcomes: those that agree with the paper, those that do not, those that noise
// could explain, and those that lack a network.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "paper/judges.h"

enum { MOST = 8 };

// Outcomes that a test fills.
typedef struct Made {
    Outcome list[MOST];
    int count;
} Made;

static Outcome *made_add(Made *made, const char *key, double train, double test) {
    Outcome *outcome = &made->list[made->count++];
    *outcome = (Outcome){.net = net_named(key),
                         .seeds = 1,
                         .train = {train, 0.5},
                         .test = {test, 0.5},
                         .cost = {.parameters = 1000, .macs = 2000}};
    assert_non_null(outcome->net);
    return outcome;
}

static Verdict judged(void (*judge)(const Outcomes *, Verdict *), const Made *made) {
    const Outcomes outcomes = {made->list, made->count};
    Verdict verdict = {0};
    judge(&outcomes, &verdict);
    assert_true(strlen(verdict.headline) > 0);
    return verdict;
}

static void expect(const Verdict *verdict, bool agrees, const char *part) {
    if (verdict->agrees != agrees || strstr(verdict->headline, part) == NULL) {
        fail_msg("expected %s '...%s...', found %s '%s'", agrees ? "agreement" : "none", part,
                 verdict->agrees ? "agreement" : "none", verdict->headline);
    }
}

static void expect_sentence(const Verdict *verdict, const char *sentence) {
    for (int i = 0; i < verdict->count; i++) {
        if (strcmp(verdict->sentences[i], sentence) == 0) {
            return;
        }
    }
    fail_msg("no sentence '%s'; the first is '%s'", sentence, verdict->sentences[0]);
}

static Made pairs(const char *const keys[4], const double train[4]) {
    Made made = {0};
    for (int i = 0; i < 4; i++) {
        made_add(&made, keys[i], train[i], train[i] + 1);
    }
    return made;
}

static void check_pairs(void (*judge)(const Outcomes *, Verdict *), const char *const keys[4]) {
    const struct {
        double train[4]; // plain shallow and deep, residual shallow and deep
        bool agrees;
        const char *headline;
    } cases[] = {
        {{35, 53, 28, 26}, true, "the deeper residual net trains better"},
        {{35, 53, 26, 28}, true, "does not show here"},
        {{35, 53, 28, 53}, false, "shortcuts did not cure it"},
        {{35, 35.5, 28, 26}, false, "No degradation beyond noise"},
        {{53, 35, 28, 26}, false, "Against the paper"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const Made made = pairs(keys, cases[i].train);
        const Verdict verdict = judged(judge, &made);
        expect(&verdict, cases[i].agrees, cases[i].headline);
    }
    Made made = pairs(keys, cases[0].train);
    made.count = 3;
    const Verdict verdict = judged(judge, &made);
    expect(&verdict, false, "Not judged");
}

static void degradation(void **state) {
    (void)state;
    static const char *const keys[4] = {"plain20", "plain56", "resnet20", "resnet56"};
    check_pairs(degradation_judge, keys);
    const Made made = pairs(keys, (double[4]){35, 53, 28, 26});
    const Verdict verdict = judged(degradation_judge, &made);
    expect_sentence(&verdict, "plain-56's training error is 18.00 points above plain-20's "
                              "(53.00 % against 35.00 %, 25.5 standard errors)");
    expect_sentence(&verdict, "resnet-56's test error is 2.00 points below resnet-20's "
                              "(27.00 % against 29.00 %, 2.8 standard errors)");
}

static void depth(void **state) {
    (void)state;
    static const char *const keys[4] = {"plain18", "plain34", "resnet18", "resnet34"};
    check_pairs(depth_judge, keys);
}

static void shortcuts(void **state) {
    (void)state;
    const struct {
        double test[4]; // plain, A, B, C
        bool agrees;
        const char *headline;
    } cases[] = {
        {{40, 30, 29, 28}, true, "matter more than which kind"},
        {{30, 30.4, 30, 29.8}, true, "no more than noise"},
        {{31, 40, 30, 20}, false, "Against the paper"},
    };
    static const char *const keys[4] = {"plain20", "resnet20", "resnet20-B", "resnet20-C"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Made made = {0};
        for (int n = 0; n < 4; n++) {
            made_add(&made, keys[n], 20, cases[i].test[n]);
        }
        const Verdict verdict = judged(shortcuts_judge, &made);
        expect(&verdict, cases[i].agrees, cases[i].headline);
    }
}

static void bottleneck(void **state) {
    (void)state;
    const struct {
        double test; // against 30
        bool agrees;
        const char *headline;
    } cases[] = {{25, true, "deeper and better"},
                 {30.5, false, "no more than noise"},
                 {35, false, "Against the paper"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Made made = {0};
        made_add(&made, "resnet20-B", 20, 30);
        made_add(&made, "bottleneck29", 20, cases[i].test)->cost.macs = 2300;
        const Verdict verdict = judged(bottleneck_judge, &made);
        expect(&verdict, cases[i].agrees, cases[i].headline);
        expect_sentence(&verdict, "bottleneck-29 has 1.15 times the multiply-adds of resnet-20 B "
                                  "and 1.00 times its parameters");
    }
}

static void comparison(void **state) {
    (void)state;
    const struct {
        double vgg, alexnet; // against 30 and 28
        bool agrees;
        const char *headline;
    } cases[] = {{35, 40, true, "the lowest test error"},
                 {28.2, 40, true, "not all differences exceed noise"},
                 {35, 20, false, "Against the paper"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        Made made = {0};
        made_add(&made, "alexnet", 20, cases[i].alexnet);
        made_add(&made, "vgg16", 20, cases[i].vgg);
        made_add(&made, "resnet20", 20, 30);
        made_add(&made, "resnet56", 20, 28);
        const Verdict verdict = judged(comparison_judge, &made);
        expect(&verdict, cases[i].agrees, cases[i].headline);
    }
}

// ---- Signals ------------------------------------------------------------------------------------

static void gradients(void **state) {
    (void)state;
    double healthy[] = {2, 0.5, 1}, vanishing[] = {1e-9, 1e-5, 1}, exploding[] = {1e6, 1e3, 1};
    double even[] = {1, 0.5, 1}, silent[] = {1, 1, 1e-6};
    const struct {
        double *gradients, *responses;
        bool agrees;
        const char *headline;
    } cases[] = {{healthy, even, true, "neither signals nor gradients vanish"},
                 {exploding, even, true, "neither signals nor gradients vanish"},
                 {vanishing, even, false, "all but lost"},
                 {healthy, silent, false, "all but lost"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        SignalLine first = {100, healthy, even, 3, 3};
        SignalLine lines[] = {first, {200, cases[i].gradients, cases[i].responses, 3, 3}, first};
        const Signals plain = {lines, 3, 3}, residual = {&first, 1, 1};
        Made made = {0};
        made_add(&made, "plain56", 20, 30)->signals = &plain;
        made_add(&made, "resnet56", 20, 30)->signals = &residual;
        const Verdict verdict = judged(gradients_judge, &made);
        expect(&verdict, cases[i].agrees, cases[i].headline);
    }
    const Signals none = {0};
    Made made = {0};
    made_add(&made, "plain56", 20, 30)->signals = &none;
    made_add(&made, "resnet56", 20, 30)->signals = &none;
    const Verdict verdict = judged(gradients_judge, &made);
    expect(&verdict, false, "Not judged");
}

static void responses(void **state) {
    (void)state;
    const struct {
        double plain, shallow, deep;
        bool agrees;
        const char *headline;
    } cases[] = {{0.9, 0.5, 0.3, true, "the deeper one the smallest"},
                 {0.9, 0.3, 0.5, false, "against it, the deeper residual net's"},
                 {0.9, 0.502, 0.5, false, "against it, the deeper residual net's"},
                 {1.001, 0.999, 0.998, false, "less than one per cent"},
                 {0.3, 0.5, 0.9, false, "Against the paper"}};
    static const char *const keys[] = {"plain56", "resnet20", "resnet56"};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const double levels[] = {cases[i].plain, cases[i].shallow, cases[i].deep};
        double values[3][2];
        SignalLine lines[3];
        Signals signals[3];
        Made made = {0};
        for (int n = 0; n < 3; n++) {
            values[n][0] = levels[n] - 0.1;
            values[n][1] = levels[n] + 0.1;
            lines[n] = (SignalLine){1, NULL, values[n], 0, 2};
            signals[n] = (Signals){&lines[n], 1, 1};
            made_add(&made, keys[n], 20, 30)->signals = &signals[n];
        }
        const Verdict verdict = judged(responses_judge, &made);
        expect(&verdict, cases[i].agrees, cases[i].headline);
    }
}

// ---- Standard errors ----------------------------------------------------------------------------

static void standard_errors(void **state) {
    (void)state;
    Run runs[3] = {{.train_error = {10, 1}, .test_error = {20, 9}},
                   {.train_error = {12, 1}, .test_error = {20, 9}},
                   {.train_error = {14, 1}, .test_error = {20, 9}}};
    const Outcome one = outcome_average(net_named("plain20"), runs, 1);
    assert_true(one.train.value == 10 && one.train.error == 1);
    const Outcome all = outcome_average(net_named("plain20"), runs, 3);
    assert_true(all.train.value == 12);
    assert_true(all.train.error > 1.1546 && all.train.error < 1.1548); // 2 / sqrt(3)
    // The seeds agree, by chance: each is known to 9 only.
    assert_true(all.test.value == 20 && fabs(all.test.error - 9 / sqrt(3)) < 1e-12);
    const Contrast contrast = measured_contrast((Measured){10, 3}, (Measured){20, 4});
    assert_true(contrast.points == -10 && contrast.errors == -2);
    assert_true(contrast_below(contrast) && !contrast_above(contrast));
    const Contrast exact = measured_contrast((Measured){2, 0}, (Measured){1, 0});
    assert_true(contrast_above(exact));
    const Contrast equal = measured_contrast((Measured){2, 0}, (Measured){2, 0});
    assert_false(contrast_above(equal) || contrast_below(equal));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(degradation), cmocka_unit_test(depth),
        cmocka_unit_test(shortcuts),   cmocka_unit_test(bottleneck),
        cmocka_unit_test(comparison),  cmocka_unit_test(gradients),
        cmocka_unit_test(responses),   cmocka_unit_test(standard_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
