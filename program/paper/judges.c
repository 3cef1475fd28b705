// SPDX-License-Identifier: Apache-2.0
#include "paper/judges.h"

#include <math.h>
#include <stddef.h>

// Where gradients vanish they do so exponentially: a factor a layer, over 55 layers.
static const double VANISHED = 1e-3;
static const double MATERIAL = 0.01; // a relative difference of responses

static void incomplete(Verdict *verdict) {
    verdict_headline(verdict, false, "Not judged: networks that this claim is about were left out");
}

Extent extent_of(const double *values, int count) {
    Extent extent = {INFINITY, 0, 0};
    for (int i = 0; i < count; i++) {
        extent.least = fmin(extent.least, values[i]);
        extent.most = fmax(extent.most, values[i]);
        extent.mean += values[i] / count;
    }
    return extent;
}

// ---- Plain against residual ---------------------------------------------------------------------

typedef struct Pairs {
    const Outcome *plain_shallow, *plain_deep, *residual_shallow, *residual_deep;
} Pairs;

static void pairs_judge(const Pairs *pairs, Verdict *verdict) {
    if (pairs->plain_shallow == NULL || pairs->plain_deep == NULL ||
        pairs->residual_shallow == NULL || pairs->residual_deep == NULL) {
        incomplete(verdict);
        return;
    }
    const Contrast worse =
        verdict_compare(verdict, ERROR_TRAINING, pairs->plain_deep, pairs->plain_shallow);
    const Contrast better =
        verdict_compare(verdict, ERROR_TRAINING, pairs->residual_deep, pairs->residual_shallow);
    const Contrast cure =
        verdict_compare(verdict, ERROR_TRAINING, pairs->residual_deep, pairs->plain_deep);
    verdict_compare(verdict, ERROR_TEST, pairs->plain_deep, pairs->plain_shallow);
    verdict_compare(verdict, ERROR_TEST, pairs->residual_deep, pairs->residual_shallow);
    const bool degraded = contrast_above(worse), cured = contrast_below(cure);
    if (degraded && cured && contrast_below(better)) {
        verdict_headline(verdict, true,
                         "As in the paper: the deeper plain net trains worse, the deeper residual "
                         "net trains better");
    } else if (degraded && cured) {
        verdict_headline(verdict, true,
                         "As in the paper, the deeper plain net trains worse and shortcuts cure "
                         "it; that the deeper residual net beats the shallower does not show here");
    } else if (degraded) {
        verdict_headline(verdict, false,
                         "The deeper plain net trains worse, but here shortcuts did not cure it");
    } else if (contrast_below(worse)) {
        verdict_headline(verdict, false,
                         "Against the paper: the deeper plain net trains better in these runs");
    } else {
        verdict_headline(verdict, false,
                         "No degradation beyond noise in these runs: more iterations or seeds tell "
                         "more");
    }
}

void degradation_judge(const Outcomes *outcomes, Verdict *verdict) {
    const Pairs pairs = {outcomes_find(outcomes, "plain20"), outcomes_find(outcomes, "plain56"),
                         outcomes_find(outcomes, "resnet20"), outcomes_find(outcomes, "resnet56")};
    pairs_judge(&pairs, verdict);
}

void depth_judge(const Outcomes *outcomes, Verdict *verdict) {
    const Pairs pairs = {outcomes_find(outcomes, "plain18"), outcomes_find(outcomes, "plain34"),
                         outcomes_find(outcomes, "resnet18"), outcomes_find(outcomes, "resnet34")};
    pairs_judge(&pairs, verdict);
}

// ---- Signals ------------------------------------------------------------------------------------

// The least ratio at any moment that was logged: of a layer's gradient to that of the last layer,
// where gradients come from, or of a layer's response to the largest.
typedef struct Least {
    double ratio;
    int64_t iteration;
} Least;

static Least least_ratio(const Signals *signals, bool responses) {
    Least least = {INFINITY, 0};
    for (int i = 0; i < signals->count; i++) {
        const SignalLine *line = &signals->lines[i];
        const Extent extent = responses ? extent_of(line->responses, line->response_count)
                                        : extent_of(line->gradients, line->gradient_count);
        const int last = line->gradient_count - 1;
        const double whole = responses || last < 0 ? extent.most : line->gradients[last];
        const double ratio = extent.least / whole;
        if (!(ratio >= least.ratio)) {
            least = (Least){ratio, line->iteration};
        }
    }
    return least;
}

static bool signals_sound(const Outcome *outcome, Verdict *verdict) {
    const SignalLine *last = signals_last(outcome->signals);
    const Extent end = extent_of(last->gradients, last->gradient_count);
    const Least gradient = least_ratio(outcome->signals, false);
    const Least response = least_ratio(outcome->signals, true);
    verdict_say(verdict,
                "%s: of %d moments logged, the smallest norm of a layer's gradient was %.2g of the "
                "last layer's (iteration %lld), and the smallest deviation of responses %.2g of "
                "the largest (iteration %lld)",
                outcome->net->title, outcome->signals->count, gradient.ratio,
                (long long)gradient.iteration, response.ratio, (long long)response.iteration);
    verdict_say(verdict, "%s: at the end its gradients have norms from %.3g to %.3g",
                outcome->net->title, end.least, end.most);
    return gradient.ratio >= VANISHED && response.ratio >= VANISHED;
}

void gradients_judge(const Outcomes *outcomes, Verdict *verdict) {
    const Outcome *plain = outcomes_find(outcomes, "plain56");
    const Outcome *residual = outcomes_find(outcomes, "resnet56");
    if (plain == NULL || residual == NULL || signals_last(plain->signals) == NULL ||
        signals_last(residual->signals) == NULL) {
        incomplete(verdict);
        return;
    }
    const bool plain_sound = signals_sound(plain, verdict);
    signals_sound(residual, verdict);
    verdict_say(verdict,
                "a layer counts as vanished below %g of that; a factor of 0.5 a layer would "
                "leave 3e-17 after 55",
                VANISHED);
    verdict_headline(verdict, plain_sound,
                     plain_sound ? "As in the paper: neither signals nor gradients vanish in the "
                                   "deep plain net"
                                 : "Against the paper: a layer of the deep plain net all but lost "
                                   "its signal or its gradient");
}

static double mean_response(const Outcome *outcome) {
    const SignalLine *last = outcome != NULL ? signals_last(outcome->signals) : NULL;
    return last != NULL ? extent_of(last->responses, last->response_count).mean : NAN;
}

void responses_judge(const Outcomes *outcomes, Verdict *verdict) {
    for (int i = 0; i < outcomes->count; i++) {
        const double mean = mean_response(&outcomes->list[i]);
        if (isfinite(mean)) {
            verdict_say(verdict, "%s: the deviations of its layers' responses average %.3f",
                        outcomes->list[i].net->title, mean);
        }
    }
    const double plain = mean_response(outcomes_find(outcomes, "plain56"));
    const double deep = mean_response(outcomes_find(outcomes, "resnet56"));
    const double shallow = mean_response(outcomes_find(outcomes, "resnet20"));
    if (isnan(plain) || isnan(deep) || isnan(shallow)) {
        incomplete(verdict);
    } else if (fabs(deep / plain - 1) < MATERIAL) {
        verdict_headline(verdict, false,
                         "Responses of residual and plain nets differ by less than one per cent in "
                         "these runs: scales of batch normalisation begin at 1 and move slowly");
    } else if (deep < plain && deep < (1 - MATERIAL) * shallow) {
        verdict_headline(verdict, true,
                         "As in the paper: residual nets have smaller responses than plain ones, "
                         "and the deeper one the smallest");
    } else if (deep < plain) {
        verdict_headline(verdict, false,
                         "As in the paper residual nets have smaller responses than plain ones; "
                         "against it, the deeper residual net's are not smaller than the "
                         "shallower's");
    } else {
        verdict_headline(verdict, false,
                         "Against the paper: in these runs the residual net's responses are not "
                         "smaller than the plain net's");
    }
}

// ---- Ways to build a block ----------------------------------------------------------------------

void shortcuts_judge(const Outcomes *outcomes, Verdict *verdict) {
    const Outcome *plain = outcomes_find(outcomes, "plain20");
    const Outcome *options[] = {outcomes_find(outcomes, "resnet20"),
                                outcomes_find(outcomes, "resnet20-B"),
                                outcomes_find(outcomes, "resnet20-C")};
    if (plain == NULL || options[0] == NULL || options[1] == NULL || options[2] == NULL) {
        incomplete(verdict);
        return;
    }
    const Outcome *best = options[0], *worst = options[0];
    for (int i = 1; i < 3; i++) {
        best = options[i]->test.value < best->test.value ? options[i] : best;
        worst = options[i]->test.value > worst->test.value ? options[i] : worst;
    }
    verdict_compare(verdict, ERROR_TEST, options[1], options[0]);
    verdict_compare(verdict, ERROR_TEST, options[2], options[1]);
    const Contrast gain = verdict_compare(verdict, ERROR_TEST, plain, worst);
    const Contrast span = measured_contrast(worst->test, best->test);
    if (span.points < gain.points && contrast_above(gain)) {
        verdict_headline(verdict, true,
                         "As in the paper: shortcuts of any kind matter more than which kind");
    } else if (!contrast_above(span)) {
        verdict_headline(verdict, true,
                         "As in the paper: the three kinds of shortcuts differ by no more than "
                         "noise");
    } else {
        verdict_headline(verdict, false,
                         "Against the paper: which kind of shortcut matters more than having one, "
                         "in these runs");
    }
}

void bottleneck_judge(const Outcomes *outcomes, Verdict *verdict) {
    const Outcome *basic = outcomes_find(outcomes, "resnet20-B");
    const Outcome *bottleneck = outcomes_find(outcomes, "bottleneck29");
    if (basic == NULL || bottleneck == NULL) {
        incomplete(verdict);
        return;
    }
    verdict_say(verdict, "%s has %.2f times the multiply-adds of %s and %.2f times its parameters",
                bottleneck->net->title, (double)bottleneck->cost.macs / (double)basic->cost.macs,
                basic->net->title,
                (double)bottleneck->cost.parameters / (double)basic->cost.parameters);
    verdict_compare(verdict, ERROR_TRAINING, bottleneck, basic);
    const Contrast contrast = verdict_compare(verdict, ERROR_TEST, bottleneck, basic);
    if (contrast_below(contrast)) {
        verdict_headline(verdict, true,
                         "As in the paper: bottleneck blocks are deeper and better at about equal "
                         "cost");
    } else if (contrast_above(contrast)) {
        verdict_headline(verdict, false,
                         "Against the paper: basic blocks have the lower test error in these runs");
    } else {
        verdict_headline(verdict, false,
                         "Bottleneck and basic blocks of about equal cost differ by no more than "
                         "noise in these runs");
    }
}

// ---- Neighbours ---------------------------------------------------------------------------------

void comparison_judge(const Outcomes *outcomes, Verdict *verdict) {
    static const char *const neighbours[] = {"alexnet", "vgg16", "googlenet"};
    const Outcome *shallow = outcomes_find(outcomes, "resnet20");
    const Outcome *deep = outcomes_find(outcomes, "resnet56");
    const Outcome *excited = outcomes_find(outcomes, "seresnet20");
    if (shallow == NULL || deep == NULL) {
        incomplete(verdict);
        return;
    }
    const Outcome *best = deep->test.value < shallow->test.value ? deep : shallow;
    int judged = 0, beaten = 0, clear = 0;
    for (int i = 0; i < 3; i++) {
        const Outcome *neighbour = outcomes_find(outcomes, neighbours[i]);
        if (neighbour != NULL) {
            const Contrast contrast = verdict_compare(verdict, ERROR_TEST, best, neighbour);
            judged++;
            beaten += contrast_above(contrast);
            clear += contrast_below(contrast);
        }
    }
    if (excited != NULL) {
        verdict_compare(verdict, ERROR_TEST, excited, shallow);
    }
    if (judged == 0) {
        incomplete(verdict);
    } else if (beaten > 0) {
        verdict_headline(verdict, false,
                         "Against the paper: a neighbour without shortcuts has the lower test "
                         "error in these runs");
    } else {
        verdict_headline(verdict, true,
                         clear == judged
                             ? "As in the paper: the residual net has the lowest test error"
                             : "As in the paper, no neighbour without shortcuts is better than "
                               "the residual net; not all differences exceed noise");
    }
}
