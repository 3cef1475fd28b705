// SPDX-License-Identifier: Apache-2.0
// Which models can be tested at several scales: those that pool over whatever is left of a picture.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "api/scales.h"
#include "resnet.h"

static void scales_want_global_pooling(void **state) {
    (void)state;
    const struct {
        const char *model;
        Status status;
    } rows[] = {
        {"alexnet", STATUS_USAGE},      {"vgg11", STATUS_USAGE},   {"vgg19_bn", STATUS_USAGE},
        {"resnext50_32x4d", STATUS_OK}, {"seresnet18", STATUS_OK}, {"preresnet18", STATUS_OK},
        {"googlenet", STATUS_OK},       {"plain20", STATUS_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        resnet_model *other = NULL;
        Scales *scales = NULL;
        assert_int_equal(resnet_model_create(rows[i].model, NULL, &other), RESNET_OK);
        assert_int_equal(scales_create(other, NULL, NULL, &scales), rows[i].status);
        if (rows[i].status != STATUS_OK) {
            char sentence[256];
            snprintf(
                sentence, sizeof sentence,
                "%s takes pictures of 224x224 only (it has no global pooling), so it cannot be "
                "tested at several scales",
                rows[i].model);
            assert_string_equal(resnet_last_error(), sentence);
        }
        scales_destroy(scales);
        resnet_model_free(other);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(scales_want_global_pooling)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
