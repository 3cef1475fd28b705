// SPDX-License-Identifier: Apache-2.0
// SHA-256 (FIPS 180-4) of a file, so that a report can name the very weights that it is about; what
// sha256sum prints.
#ifndef PROGRAM_DIGEST_H
#define PROGRAM_DIGEST_H

#include "resnet.h"

enum { DIGEST_TEXT = 65 };

// 64 hexadecimal digits and a zero.
resnet_status digest_file(const char *path, char text[DIGEST_TEXT]);

#endif
