// SPDX-License-Identifier: Apache-2.0
#ifndef PROGRAM_FOLDER_H
#define PROGRAM_FOLDER_H

#include "resnet.h"

// Makes a folder and those above it.
resnet_status folder_make(const char *path);

#endif
