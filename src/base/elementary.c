// SPDX-License-Identifier: Apache-2.0
#include "base/elementary.h"

#include <math.h>
#include <stdint.h>

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

// x = 2^k · m with m in [sqrt(1/2), sqrt(2)), and ln m = 2 atanh(s), s = (m-1)/(m+1), |s| < 0.172.
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
    double m = frexp(x, &k);
    if (m < 0.70710678118654752) {
        m *= 2;
        k--;
    }
    double s = (m - 1) / (m + 1);
    double square = s * s;
    double sum = 0;
    for (int odd = 23; odd >= 3; odd -= 2) {
        sum = (sum + 1.0 / odd) * square;
    }
    return k * LN2_HIGH + (2 * s + (2 * s * sum + k * LN2_LOW));
}

// Reduced to |y| <= 1/4 of a half-turn, where the Taylor series of sine or cosine is short.
double exact_cos_pi(double x) {
    x = fabs(x);
    x = x - 2 * floor(x / 2); // [0, 2)
    if (x > 1) {
        x = 2 - x; // cosine is even around 1
    }
    double sign = 1;
    if (x > 0.5) {
        x = 1 - x;
        sign = -1;
    }
    const double pi = 3.14159265358979323846;
    double sum = 1;
    if (x <= 0.25) {
        double square = (pi * x) * (pi * x);
        for (int term = 18; term >= 2; term -= 2) {
            sum = 1 - sum * square / (term * (term - 1));
        }
        return sign * sum;
    }
    double y = pi * (0.5 - x);
    for (int term = 19; term >= 3; term -= 2) {
        sum = 1 - sum * (y * y) / (term * (term - 1));
    }
    return sign * y * sum;
}

double exact_pow(double base, double exponent) { return exact_exp(exponent * exact_log(base)); }
