// SPDX-License-Identifier: Apache-2.0
// What pictures are prepared by where the weights carry nothing: each architecture's own preset.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "api/handles.h"
#include "models/models.h"
#include "resnet.h"

static const float IMAGENET_MEAN[3] = {0.485F, 0.456F, 0.406F};
static const float IMAGENET_STD[3] = {0.229F, 0.224F, 0.225F};
static const float HALF[3] = {0.5F, 0.5F, 0.5F};

static void expect_normalization(const resnet_model *model, const float *mean, const float *std) {
    float found_mean[3], found_std[3];
    resnet_model_normalization(model, found_mean, found_std);
    assert_memory_equal(found_mean, mean, sizeof found_mean);
    assert_memory_equal(found_std, std, sizeof found_std);
}

static void defaults(void **state) {
    (void)state;
    const struct {
        const char *model, *preset;
        int resize;
        const float *mean, *std;
    } rows[] = {
        {"resnet20", "cifar", 0, IMAGENET_MEAN, IMAGENET_STD},
        {"preresnet20", "cifar", 0, IMAGENET_MEAN, IMAGENET_STD},
        {"resnet50", "torchvision", 256, IMAGENET_MEAN, IMAGENET_STD},
        {"preresnet50", "torchvision", 256, IMAGENET_MEAN, IMAGENET_STD},
        {"vgg16", "torchvision", 256, IMAGENET_MEAN, IMAGENET_STD},
        {"alexnet", "torchvision", 256, IMAGENET_MEAN, IMAGENET_STD},
        {"googlenet", "inception", 256, HALF, HALF},
        {"googlenet_paper", "torchvision", 256, IMAGENET_MEAN, IMAGENET_STD},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        resnet_model *model = NULL;
        assert_int_equal(resnet_model_create(rows[i].model, NULL, &model), RESNET_OK);
        assert_string_equal(resnet_model_preset(model), rows[i].preset);
        assert_int_equal(model_preprocess(model).resize, rows[i].resize);
        expect_normalization(model, rows[i].mean, rows[i].std);
        assert_false(resnet_model_carries_normalization(model));
        resnet_model_free(model);
    }
}

static void every_preset_is_known(void **state) {
    (void)state;
    const ModelInfo *info = NULL;
    for (int i = 0; (info = model_info(i)) != NULL; i++) {
        Preprocess preprocess;
        assert_int_equal(preprocess_preset(info->preset, 3, 224, 224, &preprocess), STATUS_OK);
        assert_ptr_equal(model_info_named(info->name), info);
    }
    assert_null(model_info_named("resnet51"));
}

// In units of a byte / 255 and in the order red, green, blue, whatever the preset's own are.
static void in_one_unit(void **state) {
    (void)state;
    resnet_model *model = NULL;
    assert_int_equal(resnet_model_create("resnet18", NULL, &model), RESNET_OK);
    Preprocess caffe;
    assert_int_equal(preprocess_preset("caffe", 3, 224, 224, &caffe), STATUS_OK);
    assert_int_equal(model_file_set_preprocess(model->file, &caffe), STATUS_OK);
    expect_normalization(model, (const float[]){123.68F / 255, 116.779F / 255, 103.939F / 255},
                         (const float[]){1.0F / 255, 1.0F / 255, 1.0F / 255});
    resnet_model_set_normalization(model, HALF, IMAGENET_STD);
    expect_normalization(model, HALF, IMAGENET_STD);
    assert_true(resnet_model_carries_normalization(model));
    resnet_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_preset_is_known),
        cmocka_unit_test(in_one_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
