// SPDX-License-Identifier: Apache-2.0
// Many pictures decoded at once give what each gives alone, in their order.
#include "data/pictures.h"

#include "resnet.h"

enum { CLASSES = 10, PICTURES = 23, FEW = 2 };

static char folder[SCRATCH_PATH];
static char names[PICTURES][2 * SCRATCH_PATH];
static const char *paths[PICTURES];
static resnet_model *model;

static bool is_damaged(int picture) { return picture % 5 == 1; }

static int set_up(void **state) {
    (void)state;
    scratch_create(folder);
    for (int i = 0; i < PICTURES; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.jpg", i);
        snprintf(names[i], sizeof names[i], "%s/%s", folder, name);
        paths[i] = names[i];
        // Large ones beside small ones, so that those behind are ready first.
        int side = i % 4 == 0 ? 700 : 30 + 2 * i;
        Bytes file =
            picture_jpeg_of(side, side + 5 * i, (JpegKind){JCS_YCbCr, false, 2, 2, (unsigned)i});
        scratch_write(folder, name, is_damaged(i) ? (const void *)"GIF8" : file.bytes,
                      is_damaged(i) ? 4 : file.size);
        bytes_free(&file);
    }
    assert_int_equal(resnet_model_create("resnet20", NULL, &model), RESNET_OK);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    resnet_model_free(model);
    scratch_remove(folder);
    return 0;
}

typedef struct Seen {
    int count, stop_at; // stop_at: the picture at which the callback has enough
    bool failed[PICTURES];
    char sentences[PICTURES][2 * SCRATCH_PATH + 128];
    float probabilities[PICTURES][CLASSES];
} Seen;

static resnet_status see(void *user, int index, const float *probabilities) {
    Seen *seen = user;
    assert_int_equal(index, seen->count);
    seen->count++;
    seen->failed[index] = probabilities == NULL;
    if (probabilities == NULL) {
        snprintf(seen->sentences[index], sizeof seen->sentences[index], "%s", resnet_last_error());
    } else {
        memcpy(seen->probabilities[index], probabilities, CLASSES * sizeof(float));
    }
    return index == seen->stop_at ? RESNET_INTERRUPTED : RESNET_OK;
}

static void expect_alone(resnet_session *session, const resnet_predict_options *options,
                         const Seen *seen, int count) {
    assert_int_equal(seen->count, count);
    for (int i = 0; i < count; i++) {
        float alone[CLASSES];
        resnet_status status = resnet_session_predict_file(session, paths[i], options, alone);
        assert_int_equal(seen->failed[i], is_damaged(i));
        assert_int_equal(status, is_damaged(i) ? RESNET_FAILED : RESNET_OK);
        if (is_damaged(i)) {
            assert_string_equal(seen->sentences[i], resnet_last_error());
        } else {
            assert_memory_equal(seen->probabilities[i], alone, sizeof alone);
        }
    }
}

static void as_each_alone(void **state) {
    (void)state;
    const resnet_views views[] = {RESNET_VIEWS_CENTER, RESNET_VIEWS_TEN_CROP,
                                  RESNET_VIEWS_MULTI_SCALE};
    const resnet_session_options sessions[] = {
        {.threads = 1, .batch = 1}, {.threads = 2, .batch = 4}, {.threads = 7, .batch = 1}};
    static Seen seen;
    for (int s = 0; s < 3; s++) {
        resnet_session *session = NULL;
        assert_int_equal(resnet_session_create(model, &sessions[s], &session), RESNET_OK);
        for (int v = 0; v < (s == 1 ? 3 : 2); v++) { // several scales take long
            int count = views[v] == RESNET_VIEWS_MULTI_SCALE ? FEW : PICTURES;
            resnet_predict_options options;
            resnet_predict_options_default(&options);
            options.views = views[v];
            seen = (Seen){.stop_at = -1};
            assert_int_equal(
                resnet_session_predict_files(session, paths, count, &options, see, &seen),
                RESNET_OK);
            expect_alone(session, &options, &seen, count);
        }
        resnet_session_free(session);
    }
}

static void ended_by_the_caller(void **state) {
    (void)state;
    static Seen seen;
    resnet_session *session = NULL;
    resnet_session_options options = {.threads = 3, .batch = 1};
    assert_int_equal(resnet_session_create(model, &options, &session), RESNET_OK);
    for (int stop = 0; stop < 4; stop++) { // 1 is damaged
        seen = (Seen){.stop_at = stop};
        assert_int_equal(resnet_session_predict_files(session, paths, PICTURES, NULL, see, &seen),
                         RESNET_INTERRUPTED);
        assert_int_equal(seen.count, stop + 1);
    }
    seen = (Seen){.stop_at = -1};
    assert_int_equal(resnet_session_predict_files(session, paths, 0, NULL, see, &seen), RESNET_OK);
    assert_int_equal(seen.count, 0);
    resnet_session_free(session);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_each_alone),
                                       cmocka_unit_test(ended_by_the_caller)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
