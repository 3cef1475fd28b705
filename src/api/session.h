// SPDX-License-Identifier: Apache-2.0
// What a session holds, for the files that run it.
#ifndef RESNET_API_SESSION_H
#define RESNET_API_SESSION_H

#include "api/handles.h"
#include "api/scales.h"

struct resnet_session {
    const resnet_model *model;
    Threads *threads;
    Network *network;
    const Quantization *quantization; // the model's; NULL: in float
    int batch;
    Scales *scales; // NULL until several scales are asked for
};

// Makes session->scales if there are none yet.
Status session_scales(resnet_session *session);

#endif
