// SPDX-License-Identifier: Apache-2.0
// Recipes: the paper's numbers, and how options and data change a recipe.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "train/recipe.h"

static Dataset train = {.name = "cifar10", .count = 50000};
static Dataset test = {.name = "cifar10", .count = 10000};

static TrainOptions base(const char *recipe) {
    TrainOptions options;
    train_options_default(&options);
    options.model = "resnet20";
    options.data = "cifar10:somewhere";
    options.out = "out";
    options.recipe = recipe;
    return options;
}

static Recipe settle(const TrainOptions *options) {
    TrainData data = {.train = &train, .test = &test};
    Recipe recipe;
    assert_int_equal(recipe_begin(options, &recipe), STATUS_OK);
    assert_int_equal(recipe_settle(options, &data, &recipe), STATUS_OK);
    return recipe;
}

static void test_paper(void **state) {
    (void)state;
    TrainOptions options = base("paper");
    Recipe recipe = settle(&options);
    assert_int_equal(recipe.batch, 128);
    assert_int_equal(recipe.shard, 128);
    assert_int_equal(recipe.steps_per_epoch, 391);
    assert_int_equal(recipe.schedule.iterations, 64000);
    assert_int_equal(recipe.schedule.kind, SCHEDULE_STEP);
    assert_int_equal(recipe.schedule.warmup, 0);
    assert_int_equal(recipe.schedule.careful, 0);
    assert_true(recipe.schedule.lr == 0.1);
    assert_int_equal(recipe.optimizer.form, MOMENTUM_PAPER);
    assert_true(recipe.optimizer.momentum == 0.9 && recipe.optimizer.weight_decay == 1e-4);
    assert_true(recipe.optimizer.decay_norm_bias && recipe.pixel_mean);
    assert_true(recipe.augment_crop && recipe.flip == FLIP_RANDOM);
    assert_true(recipe.label_smoothing == 0);
    options.model = "plain110";
    assert_int_equal(settle(&options).schedule.careful, 400);
    options.iterations = 1000;
    assert_int_equal(settle(&options).schedule.careful, 100);
    options.warmup_epochs = 1;
    assert_int_equal(settle(&options).schedule.careful, 0);
    assert_int_equal(settle(&options).schedule.warmup, 391);
}

static void test_short(void **state) {
    (void)state;
    TrainOptions options = base(NULL);
    Recipe recipe = settle(&options);
    assert_string_equal(recipe.name, "short");
    assert_int_equal(recipe.schedule.iterations, 20 * 391);
    assert_int_equal(recipe.schedule.warmup, 5 * 391);
    assert_int_equal(recipe.optimizer.form, MOMENTUM_NESTEROV);
    assert_false(recipe.optimizer.decay_norm_bias);
    assert_false(recipe.pixel_mean);
    options.epochs = 2.5;
    options.batch = 100;
    options.nesterov = 0;
    options.decay_norm_bias = 1;
    options.normalize = "pixel";
    recipe = settle(&options);
    assert_int_equal(recipe.schedule.iterations, 1250);
    assert_int_equal(recipe.optimizer.form, MOMENTUM_PYTORCH);
    assert_true(recipe.optimizer.decay_norm_bias && recipe.pixel_mean);
    options.epochs = 1e-6;
    assert_int_equal(settle(&options).schedule.iterations, 1);
}

static void test_best(void **state) {
    (void)state;
    TrainOptions options = base("short");
    assert_true(settle(&options).optimizer.shift_rate == 1);
    assert_int_equal(settle(&options).border, BORDER_ZERO);
    options.border = "mirror";
    options.shift_rate = 0;
    assert_true(settle(&options).optimizer.shift_rate == 0);
    assert_int_equal(settle(&options).border, BORDER_MIRROR);
    options = base("best");
    Recipe recipe = settle(&options);
    assert_int_equal(recipe.schedule.iterations, 50 * 391);
    assert_true(recipe.optimizer.shift_rate == 16);
    assert_int_equal(recipe.border, BORDER_MIRROR);
    options.border = "zero";
    assert_int_equal(settle(&options).border, BORDER_ZERO);
    options.border = "black";
    assert_int_equal(recipe_begin(&options, &recipe), STATUS_USAGE);
    options.border = NULL;
    options.shift_rate = 1e7;
    assert_int_equal(recipe_begin(&options, &recipe), STATUS_USAGE);
}

// Whole epochs on cuts of three quarters of the sides, where the net takes them.
static void test_cuts(void **state) {
    (void)state;
    train.channels = 3;
    train.height = train.width = 32;
    train.classes = 10;
    TrainOptions options = base("short");
    assert_int_equal(settle(&options).cut_iterations, 0);
    options.small_share = 0.3;
    options.epochs = 9.5;
    Recipe recipe = settle(&options); // 2.85 epochs
    assert_int_equal(recipe.cut_iterations, 2 * 391);
    assert_int_equal(recipe.cut.channels, 3);
    assert_int_equal(recipe.cut.height, 24);
    assert_int_equal(recipe.cut.width, 24);
    options = base("best");
    assert_int_equal(settle(&options).cut_iterations, 25 * 391);
    options.augment = "none"; // nor cuts, unless they are asked for
    assert_int_equal(settle(&options).cut_iterations, 0);
    options.small_share = 0.5;
    assert_int_equal(settle(&options).cut_iterations, 25 * 391);
    options.small_share = 0.91;
    assert_int_equal(recipe_begin(&options, &recipe), STATUS_USAGE);
    // Its linear layers see each place of a map on its own.
    options = base("best");
    options.model = "vgg11";
    assert_int_equal(settle(&options).cut_iterations, 0);
    options.small_share = 0.5;
    TrainData data = {.train = &train, .test = &test};
    assert_int_equal(recipe_begin(&options, &recipe), STATUS_OK);
    assert_int_equal(recipe_settle(&options, &data, &recipe), STATUS_USAGE);
    assert_string_equal(status_message(),
                        "small-share is 0.5, but vgg11 takes whole images of cifar10 only");
}

static void test_augment(void **state) {
    (void)state;
    TrainOptions options = base("short");
    train.name = "mnist";
    assert_int_equal(settle(&options).flip, FLIP_NONE);
    assert_true(settle(&options).augment_crop);
    options.augment = "standard";
    assert_int_equal(settle(&options).flip, FLIP_RANDOM);
    options.augment = "alternating";
    assert_int_equal(settle(&options).flip, FLIP_ALTERNATING);
    train.name = "fashion-mnist";
    options.augment = NULL;
    assert_int_equal(settle(&options).flip, FLIP_ALTERNATING);
    options.augment = "none";
    assert_false(settle(&options).augment_crop);
    train.name = "cifar10";
}

static const char *field(const TrainOptions *options, const char *name) {
    static RecipeField fields[RECIPE_FIELDS];
    TrainData data = {.train = &train, .test = &test, .checksum = 1};
    Recipe recipe = settle(options);
    recipe_fields(options, &data, &recipe, fields);
    for (int i = 0; i < RECIPE_FIELDS; i++) {
        if (strcmp(fields[i].name, name) == 0) {
            return fields[i].text;
        }
    }
    return "";
}

static void test_fields(void **state) {
    (void)state;
    TrainOptions options = base("paper");
    assert_string_equal(field(&options, "lr"), "0.1");
    assert_string_equal(field(&options, "weight-decay"), "0.0001");
    assert_string_equal(field(&options, "momentum-form"), "paper");
    assert_string_equal(field(&options, "seed"), "1");
    assert_string_equal(field(&options, "shift-rate"), "1");
    assert_string_equal(field(&options, "border"), "zero");
    assert_string_equal(field(&options, "data"),
                        "cifar10 with 50000 and 10000 samples, checksum 0000000000000001");
    // What differs between equal runs is not there.
    options.threads = 7;
    options.out = "elsewhere";
    assert_string_equal(field(&options, "threads"), "");
    assert_string_equal(field(&options, "out"), "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paper), cmocka_unit_test(test_short),   cmocka_unit_test(test_best),
        cmocka_unit_test(test_cuts),  cmocka_unit_test(test_augment), cmocka_unit_test(test_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
