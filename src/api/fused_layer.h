// SPDX-License-Identifier: Apache-2.0
// A node of a network that runs, as the public API tells it.
#ifndef RESNET_API_FUSED_LAYER_H
#define RESNET_API_FUSED_LAYER_H

#include "resnet.h"

#include "network/network.h"

// Names stay valid as long as the network.
Status fused_layer(const Network *network, int index, resnet_fused_layer *out);
// Kernel and stride of a node that has a window; else both are left alone.
void layer_window(const Node *node, int *kernel, int *stride);

#endif
