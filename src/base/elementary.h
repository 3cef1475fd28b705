// SPDX-License-Identifier: Apache-2.0
// Elementary functions with the same bits on every machine: the C library's differ between
// versions, and training must not. All in double with basic operations only (compiled without
// contraction), relative error below 1e-15 in the stated ranges unless said otherwise.
#ifndef RESNET_BASE_ELEMENTARY_H
#define RESNET_BASE_ELEMENTARY_H

// e^x; 0 below -745.2, denormal above that, infinity above 709.78; NaN for NaN.
double exact_exp(double x);

// Natural logarithm; -infinity for 0, NaN below 0 and for NaN.
double exact_log(double x);

// Cosine of pi·x for |x| <= 2^20 (absolute error below 1e-15): schedules and random_normal().
double exact_cos_pi(double x);

// The same bits for eight numbers at once, in little more than the time of one: logarithms of
// normal numbers above 0, cosines of pi·x for x in [0, 2].
enum { EXACT_LANES = 8 };
void exact_log_lanes(const double x[EXACT_LANES], double out[EXACT_LANES]);
void exact_cos_pi_lanes(const double x[EXACT_LANES], double out[EXACT_LANES]);

// base^exponent for base > 0 (relative error below 1e-13 for results within 1e±30): LRN, schedules.
double exact_pow(double base, double exponent);

#endif
