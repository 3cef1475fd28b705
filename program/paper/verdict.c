// SPDX-License-Identifier: Apache-2.0
#include "paper/verdict.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

void verdict_headline(Verdict *verdict, bool agrees, const char *text) {
    verdict->agrees = agrees;
    snprintf(verdict->headline, sizeof verdict->headline, "%s", text);
}

void verdict_say(Verdict *verdict, const char *format, ...) {
    if (verdict->count == VERDICT_SENTENCES) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict->sentences[verdict->count++], SENTENCE_SIZE, format, arguments);
    va_end(arguments);
}

Measured outcome_error(const Outcome *outcome, ErrorKind kind) {
    return kind == ERROR_TRAINING ? outcome->train : outcome->test;
}

Contrast verdict_compare(Verdict *verdict, ErrorKind kind, const Outcome *one,
                         const Outcome *other) {
    const char *what = kind == ERROR_TRAINING ? "training" : "test";
    const Measured mine = outcome_error(one, kind), theirs = outcome_error(other, kind);
    const Contrast contrast = measured_contrast(mine, theirs);
    char errors[64] = "";
    if (isfinite(contrast.errors)) {
        snprintf(errors, sizeof errors, ", %.1f standard errors", fabs(contrast.errors));
    }
    if (fabs(contrast.points) < 0.005) {
        verdict_say(verdict, "%s's %s error equals %s's (%.2f %%)", one->net->title, what,
                    other->net->title, mine.value);
    } else {
        verdict_say(verdict, "%s's %s error is %.2f points %s %s's (%.2f %% against %.2f %%%s)",
                    one->net->title, what, fabs(contrast.points),
                    contrast.points > 0 ? "above" : "below", other->net->title, mine.value,
                    theirs.value, errors);
    }
    return contrast;
}
