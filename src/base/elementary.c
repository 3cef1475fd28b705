// SPDX-License-Identifier: Apache-2.0
#include "base/elementary.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

// ln 2 in two parts: the first has 21 zero bits at its end, so that k·LN2_HIGH is exact.
static const double LN2_HIGH = 0x1.62e42fee00000p-1;
static const double LN2_LOW = 0x1.a39ef35793c76p-33;

// e^x = 2^k · e^r with |r| <= ln 2 / 2, and e^r by its Taylor series, which needs 14 terms there.
double exact_exp(double x) {
    if (isnan(x)) {
        return x;
    }
    if (x > 709.782712893384) {
        return INFINITY;
    }
    if (x < -745.2) {
        return 0;
    }
    double k = floor(x * 1.4426950408889634 + 0.5);
    double r = (x - k * LN2_HIGH) - k * LN2_LOW;
    double sum = 1;
    for (int term = 14; term >= 1; term--) {
        sum = 1 + sum * r / term;
    }
    return ldexp(sum, (int)k);
}

// The parts that take most of the time work on vectors: a single number's operations wait for each
// other, so that eight take little longer.
enum { LANES = EXACT_LANES };
typedef double Doubles __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t Longs __attribute__((vector_size(LANES * sizeof(int64_t))));

static inline void load(const double from[LANES], Doubles *to) { memcpy(to, from, sizeof *to); }
static inline void store(const Doubles *from, double to[LANES]) { memcpy(to, from, sizeof *from); }
static inline void select(const Longs *mask, const Doubles *yes, const Doubles *no, Doubles *out) {
    *out = (Doubles)((*mask & (Longs)*yes) | (~*mask & (Longs)*no));
}

// ln of 2^k · m with m in [1/2, 1): m is brought into [sqrt(1/2), sqrt(2)), and
// ln m = 2 atanh(s), s = (m-1)/(m+1), |s| < 0.172.
static void log_lanes(const double mantissa[LANES], const double exponent[LANES],
                      double out[LANES]) {
    Doubles m, k;
    load(mantissa, &m);
    load(exponent, &k);
    const Longs low = m < 0.70710678118654752;
    m += (Doubles)((Longs)m & low);
    k += __builtin_convertvector(low, Doubles);
    const Doubles s = (m - 1) / (m + 1), square = s * s;
    Doubles sum = {0};
    for (int odd = 23; odd >= 3; odd -= 2) {
        sum = (sum + 1.0 / odd) * square;
    }
    const Doubles log = k * LN2_HIGH + (2 * s + (2 * s * sum + k * LN2_LOW));
    store(&log, out);
}

double exact_log(double x) {
    if (isnan(x) || x < 0) {
        return NAN;
    }
    if (x == 0) {
        return -INFINITY;
    }
    if (isinf(x)) {
        return x;
    }
    int k = 0;
    const double m = frexp(x, &k);
    double log[LANES];
    log_lanes((double[LANES]){m}, (double[LANES]){k}, log);
    return log[0];
}

void exact_log_lanes(const double x[LANES], double out[LANES]) {
    double m[LANES], k[LANES];
    for (int i = 0; i < LANES; i++) {
        int exponent;
        m[i] = frexp(x[i], &exponent);
        k[i] = exponent;
    }
    log_lanes(m, k, out);
}

// Of x in [0, 2]: reduced to |y| <= 1/4 of a half-turn, where the Taylor series of sine or cosine
// is short. Both have nine terms.
void exact_cos_pi_lanes(const double from[LANES], double out[LANES]) {
    Doubles x;
    load(from, &x);
    const double pi = 3.14159265358979323846;
    const Doubles zero = {0}, one = 1 - zero;
    const Longs past_half = x > 1; // cosine is even around 1
    Doubles other = 2 - x, sign = one;
    select(&past_half, &other, &x, &x);
    const Longs negative = x > 0.5;
    other = 1 - x;
    select(&negative, &other, &x, &x);
    other = -one;
    select(&negative, &other, &one, &sign);
    const Longs near_one = x <= 0.25; // the cosine's series, else the sine's
    const Doubles sine = pi * (0.5 - x), cosine = pi * x;
    Doubles y, factor, sum = one;
    select(&near_one, &cosine, &sine, &y);
    select(&near_one, &one, &sine, &factor);
    const Doubles square = y * y;
    for (int term = 18; term >= 2; term -= 2) {
        const Doubles even = term * (term - 1) + zero, odd = (term + 1) * term + zero;
        Doubles divisor;
        select(&near_one, &even, &odd, &divisor);
        sum = 1 - sum * square / divisor;
    }
    const Doubles result = sign * factor * sum;
    store(&result, out);
}

double exact_cos_pi(double x) {
    x = fabs(x);
    x = x - 2 * floor(x / 2); // [0, 2)
    double cosine[LANES];
    exact_cos_pi_lanes((double[LANES]){x}, cosine);
    return cosine[0];
}

double exact_pow(double base, double exponent) { return exact_exp(exponent * exact_log(base)); }
