// SPDX-License-Identifier: Apache-2.0
// Training a network with auxiliary heads (GoogLeNet): they are trained and kept in checkpoints as
// all the rest, the network that is tested and saved does not have them, and weights that lack
// them can be begun with.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>

#include "formats/tensor_file.h"
#include "heads.h"
#include "scratch_training.h"
#include "train/evaluate.h"
#include "weights/model_io.h"

// 4 iterations an epoch.
static TrainOptions small(const char *out) {
    TrainOptions options = scratch_training("googlenet", out);
    options.batch = 6;
    options.train_samples = 24;
    options.iterations = 3;
    options.lr = 0.01;
    options.schedule = "constant";
    return options;
}

// What a callback saw.
typedef struct Seen {
    TrainProgress last;
    int notes;
    char note[300];
    int kill_at;
} Seen;

static void see(void *user, const TrainProgress *progress) {
    Seen *seen = user;
    seen->last = *progress;
    if (progress->event == TRAIN_NOTE) {
        seen->notes++;
        snprintf(seen->note, sizeof seen->note, "%s", progress->note);
    }
    if (progress->event == TRAIN_STEP && progress->iteration == seen->kill_at) {
        kill(getpid(), SIGKILL);
    }
}

static Seen train(const TrainOptions *options) {
    Seen seen = {.kill_at = -1};
    require(train_run(options, see, &seen));
    return seen;
}

// A training that most tests begin with: three iterations on one thread.
static TrainProgress straight;

static int group_create(void **state) {
    if (scratch_create(state) != 0) {
        return -1;
    }
    TrainOptions options = small("one");
    options.threads = 1;
    options.log_gradients = 1;
    straight = train(&options).last;
    return 0;
}

static void expect_failure(const TrainOptions *options, const char *part) {
    assert_int_equal(train_run(options, NULL, NULL), STATUS_FAILED);
    if (strstr(status_message(), part) == NULL) {
        fail_msg("found '%s', expected '%s' in it", status_message(), part);
    }
}

// "OUT/NAME.safetensors" in the scratch folder.
static const char *in_folder(const char *out, const char *name) {
    char path[200];
    snprintf(path, sizeof path, "%.60s/%.60s.safetensors", out, name);
    return scratch_path(path);
}

// What googlenet is on CIFAR-10, with parameters as drawn by the default seed.
static Subject begun_create(void) {
    Subject begun = subject_create("googlenet", 32);
    subject_fill(&begun, 1);
    return begun;
}

// Largest absolute difference of a file's tensor from what was drawn.
static double distance(const TensorFile *file, const char *prefix, const char *name,
                       const Subject *begun) {
    char tensor_name[100];
    snprintf(tensor_name, sizeof tensor_name, "%s%s", prefix, name);
    ParamId id = graph_find_param(begun->graph, name);
    const Tensor *tensor = tensor_file_find(file, tensor_name);
    assert_true(id != PARAM_NONE);
    assert_non_null(tensor);
    const Param *param = &begun->graph->params[id];
    assert_int_equal(tensor->elements, param->elements);
    float *found = malloc(param->elements * sizeof *found);
    require(tensor_to_float(tensor, found));
    const float *drawn = parameters_values(begun->model->parameters, param);
    double most = 0;
    for (size_t i = 0; i < param->elements; i++) {
        most = fmax(most, fabs((double)found[i] - drawn[i]));
    }
    free(found);
    return most;
}

static int count_named(const TensorFile *file, const char *prefix) {
    int count = 0;
    for (int i = 0; i < tensor_file_count(file); i++) {
        count += strncmp(tensor_file_tensor(file, i)->name, prefix, strlen(prefix)) == 0;
    }
    return count;
}

// ---- exactness ----------------------------------------------------------------------------------

// One thread and two; killed one iteration behind the last checkpoint, and gone on.
static void test_exact(void **state) {
    (void)state;
    TrainOptions options = small("killed");
    options.log_gradients = 1;
    options.save_every = 1;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        train_run(&options, see, &(Seen){.kill_at = 2});
        _exit(0);
    }
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
    TensorFile *file = NULL;
    require(tensor_file_open(in_folder("killed", "checkpoint"), &file));
    assert_string_equal(tensor_file_metadata(file, "train.iteration"), "1");
    tensor_file_close(file);
    options.resume = 1;
    options.save_every = 0;
    assert_int_equal(train(&options).notes, 0);
    assert_true(files_equal(in_folder("one", "checkpoint"), in_folder("killed", "checkpoint")));
    assert_true(files_equal(in_folder("one", "model"), in_folder("killed", "model")));
    assert_true(
        files_equal(scratch_path("one/gradients.jsonl"), scratch_path("killed/gradients.jsonl")));
    size_t size = 0;
    char *gradients = (char *)file_read(scratch_path("one/gradients.jsonl"), &size);
    assert_non_null(strstr(gradients, "{\"name\":\"aux2.fc2\",\"gradient_norm\":"));
    free(gradients);
}

// ---- the loss -----------------------------------------------------------------------------------

// The loss that is trained on is CE(fc) + 0.3 CE(aux1) + 0.3 CE(aux2).
static void test_loss(void **state) {
    (void)state;
    enum { COUNT = 3, CLASSES = 10 };
    Subject begun = begun_create();
    NetworkOptions options = {.batch = COUNT, .phase = PHASE_TRAINING, .keep_values = true};
    Network *network = NULL;
    require(backend_cpu(&options.backend));
    require(network_create(begun.graph, begun.model->parameters, &options, &network));
    float *input = network_input(network);
    for (size_t i = 0; i < (size_t)COUNT * 3 * 32 * 32; i++) {
        input[i] = (float)random_normal(1, RANDOM_TEST, 7, i);
    }
    for (int i = 0; i < COUNT; i++) {
        network_labels(network)[i] = 3 * i;
    }
    network_forward(network,
                    &(PassOptions){.count = COUNT, .norm_momentum = 0.1f, .loss_scale = 1});
    const struct {
        const char *node;
        double weight;
    } losses[] = {{"fc", 1}, {"aux1.fc2", 0.3f}, {"aux2.fc2", 0.3f}};
    for (int i = 0; i < COUNT; i++) {
        double expected = 0;
        for (size_t k = 0; k < sizeof losses / sizeof losses[0]; k++) {
            Shape shape;
            const float *logits = network_value(network, losses[k].node, &shape);
            assert_non_null(logits);
            expected += losses[k].weight *
                        logits_cross_entropy(logits + (size_t)i * CLASSES, CLASSES, 3 * i);
        }
        double found = network_loss(network, i);
        if (!(fabs(found - expected) <= 1e-5 * expected)) {
            fail_msg("sample %d: loss %.9g, expected %.9g", i, found, expected);
        }
    }
    network_destroy(network);
    subject_destroy(&begun);
}

// ---- files --------------------------------------------------------------------------------------

// Accuracy and loss of a file's model on the test data.
static Evaluation evaluate(const char *path, const char *data) {
    ModelFile *model = NULL;
    Dataset *set = NULL;
    Loader *loader = NULL;
    Network *network = NULL;
    Evaluation result;
    require(model_file_load(path, NULL, &model));
    assert_int_equal(graph_find_param(model->graph, "aux1.fc2.weight"), PARAM_NONE);
    require(dataset_open(data, SPLIT_TEST, &set));
    LoaderOptions plain = {.batch = 25, .ahead = 1};
    require(loader_create(set, &model->preprocess, &plain, &loader));
    NetworkOptions options = {.batch = plain.batch, .phase = PHASE_INFERENCE, .fuse = true};
    require(backend_cpu(&options.backend));
    require(network_create(model->graph, model->parameters, &options, &network));
    evaluate_run(network, loader, NULL, &result);
    network_destroy(network);
    loader_destroy(loader);
    dataset_close(set);
    model_file_destroy(model);
    return result;
}

// The model is saved without heads and is what the training tested; the checkpoint has them with
// their momentum, and is the same model to a reader of models.
static void test_files(void **state) {
    (void)state;
    for (int f = 0; f < 2; f++) {
        const char *path = in_folder("one", f == 0 ? "model" : "checkpoint");
        Evaluation found = evaluate(path, small("one").data);
        assert_int_equal(found.samples, SCRATCH_TEST);
        assert_true(found.loss == straight.test_loss);
        assert_true(100 * (double)found.correct / (double)found.samples == straight.test_top1);
    }
    Subject begun = begun_create();
    TensorFile *file = NULL;
    require(tensor_file_open(in_folder("one", "model"), &file));
    assert_int_equal(count_named(file, "aux") + count_named(file, "training."), 0);
    tensor_file_close(file);
    require(tensor_file_open(in_folder("one", "checkpoint"), &file));
    assert_int_equal(count_named(file, "aux"), 0);
    // Of each head: a weight, a norm's scale, shift, mean and variance, two linear layers.
    assert_int_equal(count_named(file, "training.aux1."), 9);
    assert_int_equal(count_named(file, "training."), 18);
    assert_int_equal(count_named(file, "momentum.aux"), 14);
    static const char *const TRAINED[] = {"aux1.conv.conv.weight", "aux1.fc1.weight",
                                          "aux2.fc2.bias"};
    for (size_t i = 0; i < sizeof TRAINED / sizeof TRAINED[0]; i++) {
        assert_true(distance(file, "training.", TRAINED[i], &begun) > 0);
    }
    memset(begun.model->parameters->values, 0, begun.graph->trainable_elements * sizeof(float));
    for (size_t i = 0; i < sizeof TRAINED / sizeof TRAINED[0]; i++) {
        assert_true(distance(file, "momentum.", TRAINED[i], &begun) > 0);
    }
    tensor_file_close(file);
    subject_destroy(&begun);
}

// Weights without heads, which are drawn then: with a rate of zero a training keeps what it begins
// with. Which files have heads: test_init_file.c.
static void test_init(void **state) {
    (void)state;
    TrainOptions options = small("second");
    options.iterations = 1;
    options.lr = 0;
    options.init = in_folder("one", "model");
    Seen seen = train(&options);
    assert_int_equal(seen.notes, 1);
    assert_non_null(strstr(seen.note, "one/model.safetensors: has no auxiliary heads that fit, "
                                      "so they begin as drawn by the seed"));
    Subject begun = begun_create();
    TensorFile *file = NULL;
    require(tensor_file_open(in_folder("second", "checkpoint"), &file));
    assert_true(distance(file, "training.", "aux2.fc1.weight", &begun) == 0);
    assert_true(distance(file, "", "fc.weight", &begun) > 0);
    tensor_file_close(file);
    subject_destroy(&begun);
}

// The paper's form pools more than there is of so small an image.
static void test_small_images(void **state) {
    (void)state;
    TrainOptions options = small("paper");
    options.model = "googlenet_paper";
    expect_failure(&options, "maxpool4: kernel 3x3 with pad 0 does not fit 832x2x2");
    assert_int_equal(access(options.out, F_OK), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_files),        cmocka_unit_test(test_init),
        cmocka_unit_test(test_small_images),
    };
    return cmocka_run_group_tests(tests, group_create, scratch_remove);
}
