// SPDX-License-Identifier: Apache-2.0
// Weights given on the command line, with the normalisation that belongs to them.
#ifndef PROGRAM_WEIGHTS_H
#define PROGRAM_WEIGHTS_H

#include "options.h"
#include "resnet.h"

// Loads weights. --mean and --std override what they carry; where there is neither, a warning says
// which default is taken.
resnet_status weights_open(const char *path, const OptionChannels *mean, const OptionChannels *std,
                           resnet_model **out);

#endif
