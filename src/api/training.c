// SPDX-License-Identifier: Apache-2.0
// Training: the public options and progress are the trainer's own, under public names.
#include <string.h>

#include "resnet.h"
#include "train/trainer.h"

_Static_assert(sizeof(resnet_train_options) == sizeof(TrainOptions) &&
                   offsetof(resnet_train_options, stop) == offsetof(TrainOptions, stop) &&
                   offsetof(resnet_train_options, lr) == offsetof(TrainOptions, lr),
               "resnet_train_options and TrainOptions have the same fields");
_Static_assert(sizeof(resnet_train_progress) == sizeof(TrainProgress) &&
                   offsetof(resnet_train_progress, note) == offsetof(TrainProgress, note),
               "resnet_train_progress and TrainProgress have the same fields");

void resnet_train_options_default(resnet_train_options *options) {
    train_options_default((TrainOptions *)options);
}

typedef struct CallbackBridge {
    resnet_train_callback *callback;
    void *user;
} CallbackBridge;

static void bridge_progress(void *user, const TrainProgress *progress) {
    const CallbackBridge *bridge = user;
    resnet_train_progress public_progress;
    memcpy(&public_progress, progress, sizeof public_progress);
    bridge->callback(bridge->user, &public_progress);
}

resnet_status resnet_train(const resnet_train_options *options, resnet_train_callback *callback,
                           void *user) {
    TrainOptions inner;
    memcpy(&inner, options, sizeof inner);
    CallbackBridge bridge = {callback, user};
    return (resnet_status)train_run(&inner, callback != NULL ? bridge_progress : NULL, &bridge);
}
