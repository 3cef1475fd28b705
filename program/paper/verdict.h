// SPDX-License-Identifier: Apache-2.0
// What runs say about a claim of the paper: computed from their figures, whichever way they fell.
#ifndef PROGRAM_VERDICT_H
#define PROGRAM_VERDICT_H

#include <stdbool.h>

#include "paper/outcome.h"

enum { VERDICT_SENTENCES = 8, SENTENCE_SIZE = 280 };

typedef struct Verdict {
    bool agrees; // with the paper
    char headline[SENTENCE_SIZE];
    char sentences[VERDICT_SENTENCES][SENTENCE_SIZE];
    int count;
} Verdict;

void verdict_headline(Verdict *verdict, bool agrees, const char *text);
void verdict_say(Verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

typedef enum ErrorKind { ERROR_TRAINING, ERROR_TEST } ErrorKind;

Measured outcome_error(const Outcome *outcome, ErrorKind kind);
// Says by how much and by how many standard errors one's error differs from the other's.
Contrast verdict_compare(Verdict *verdict, ErrorKind kind, const Outcome *one,
                         const Outcome *other);

#endif
