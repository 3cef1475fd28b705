// SPDX-License-Identifier: Apache-2.0
// Weights that a training begins with: what a network has for training alone is taken from files
// that have all of it, ours and others', and left as drawn else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "formats/safetensors.h"
#include "heads.h"
#include "scratch.h"
#include "train/init_file.h"
#include "weights/model_io.h"

enum { DRAWN = 1, FILED = 11 }; // seeds: of what is there before, of what files hold

// As others publish them: our names, which are torchvision's, in a wrapper and without our
// metadata. The parameter `odd` (NULL: none) is left out, or has other extents.
static void publish(const Subject *subject, const char *path, const char *odd, bool leave_out) {
    int count = 0, params = subject->graph->param_count;
    Tensor *tensors = calloc((size_t)params, sizeof *tensors);
    char(*names)[80] = calloc((size_t)params, sizeof *names);
    assert_true(tensors != NULL && names != NULL);
    for (int p = 0; p < params; p++) {
        const Param *param = &subject->graph->params[p];
        bool is_odd = odd != NULL && strcmp(param->name, odd) == 0;
        if (is_odd && leave_out) {
            continue;
        }
        Tensor *tensor = &tensors[count];
        snprintf(names[count], sizeof names[count], "module.%s", param->name);
        *tensor = (Tensor){.name = names[count],
                           .dtype = DTYPE_F32,
                           .rank = param->rank,
                           .elements = param->elements,
                           .data = parameters_values(subject->model->parameters, param),
                           .bytes = param->elements * sizeof(float)};
        for (int d = 0; d < param->rank; d++) {
            tensor->dims[d] = param->dims[d];
        }
        if (is_odd) {
            tensor->dims[tensor->rank++] = 1;
        }
        count++;
    }
    require(safetensors_write(path, tensors, count, NULL, 0));
    free(tensors);
    free(names);
}

static bool same_values(const Subject *a, const Subject *b, int first, int end) {
    bool same = true;
    for (int p = first; p < end && same; p++) {
        const Param *param = &a->graph->params[p];
        same = memcmp(parameters_values(a->model->parameters, param),
                      parameters_values(b->model->parameters, param),
                      param->elements * sizeof(float)) == 0;
    }
    return same;
}

static void copy_values(const Subject *from, const Subject *to) {
    for (int p = 0; p < from->graph->param_count; p++) {
        const Param *param = &from->graph->params[p];
        memcpy(parameters_values(to->model->parameters, param),
               parameters_values(from->model->parameters, param), param->elements * sizeof(float));
    }
}

typedef struct Trio {
    Subject filed, drawn, target;
} Trio;

static Trio trio_create(const char *model) {
    Trio trio = {subject_create(model, 32), subject_create(model, 32), subject_create(model, 32)};
    subject_fill(&trio.filed, FILED);
    subject_fill(&trio.drawn, DRAWN);
    return trio;
}

static void trio_destroy(Trio *trio) {
    subject_destroy(&trio->filed);
    subject_destroy(&trio->drawn);
    subject_destroy(&trio->target);
}

// Whether the heads come from the file, all or none of them; the rest always does.
static void check(const char *path, const Trio *trio, bool expected) {
    const Subject *target = &trio->target, *filed = &trio->filed;
    copy_values(&trio->drawn, target);
    bool heads = !expected;
    require(init_file_read(path, target->model, target->graph, &heads));
    int own = target->model->graph->param_count, all = target->graph->param_count;
    assert_true(same_values(target, filed, 0, own));
    assert_true(same_values(target, expected ? filed : &trio->drawn, own, all));
    assert_int_equal(heads, expected);
}

static void test_own(void **state) {
    (void)state;
    Trio trio = trio_create("googlenet");
    const char *path = scratch_path("own.safetensors");
    require(model_file_save(trio.filed.model, path));
    check(path, &trio, false);
    subject_save(&trio.filed, path);
    check(path, &trio, true);
    trio_destroy(&trio);
}

static void test_foreign(void **state) {
    (void)state;
    Trio trio = trio_create("googlenet");
    const char *path = scratch_path("foreign.safetensors");
    publish(&trio.filed, path, NULL, false);
    check(path, &trio, true);
    publish(&trio.filed, path, "aux1.fc1.bias", true);
    check(path, &trio, false);
    publish(&trio.filed, path, "aux2.fc2.bias", false);
    check(path, &trio, false);
    trio_destroy(&trio);
}

// A network without heads lacks none.
static void test_without(void **state) {
    (void)state;
    Trio trio = trio_create("resnet20");
    const char *path = scratch_path("without.safetensors");
    require(model_file_save(trio.filed.model, path));
    check(path, &trio, true);
    trio_destroy(&trio);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own),
        cmocka_unit_test(test_foreign),
        cmocka_unit_test(test_without),
    };
    return cmocka_run_group_tests(tests, scratch_create, scratch_remove);
}
