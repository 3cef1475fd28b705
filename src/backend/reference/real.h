// SPDX-License-Identifier: Apache-2.0
// The element type of the reference backend. The build compiles each file of this folder twice,
// with REAL_IS_FLOAT and with REAL_IS_DOUBLE; every name that leaves a file carries the type.
#ifndef RESNET_BACKEND_REFERENCE_REAL_H
#define RESNET_BACKEND_REFERENCE_REAL_H

#if defined(REAL_IS_DOUBLE)
typedef double Real;
#define REAL_NAME(name) name##_double
#elif defined(REAL_IS_FLOAT)
typedef float Real;
#define REAL_NAME(name) name##_float
#else
#error "define REAL_IS_FLOAT or REAL_IS_DOUBLE"
#endif

#endif
