// SPDX-License-Identifier: Apache-2.0
#include "data/sources.h"

#include <stdio.h>
#include <string.h>

static const char *const cifar10_names[] = {
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
};

static const char *const cifar100_names[] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm",
};

static const char *const digit_names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

static const char *const fashion_names[] = {
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot",
};

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))
#define IDX_FILES                                                                                  \
    {                                                                                              \
        {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"},                                    \
            {"t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"},                                  \
    }

static const Source sources[] = {
    {
        .name = "cifar10",
        .folder = "cifar-10-batches-bin",
        .files = {{"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin",
                   "data_batch_5.bin"},
                  {"test_batch.bin"}},
        .names_file = "batches.meta.txt",
        .class_names = cifar10_names,
        .classes = COUNT(cifar10_names),
        .label_bytes = 1,
        .decode = cifar_decode,
    },
    {
        .name = "cifar100",
        .folder = "cifar-100-binary",
        .files = {{"train.bin"}, {"test.bin"}},
        .names_file = "fine_label_names.txt",
        .class_names = cifar100_names,
        .classes = COUNT(cifar100_names),
        .label_bytes = 2,
        .decode = cifar_decode,
    },
    {
        .name = "mnist",
        .folder = "MNIST/raw",
        .files = IDX_FILES,
        .class_names = digit_names,
        .classes = COUNT(digit_names),
        .may_be_gzipped = true,
        .decode = idx_decode,
    },
    {
        .name = "fashion-mnist",
        .folder = "FashionMNIST/raw",
        .files = IDX_FILES,
        .class_names = fashion_names,
        .classes = COUNT(fashion_names),
        .may_be_gzipped = true,
        .decode = idx_decode,
    },
};

const Source *source_find(const char *name, size_t length) {
    for (int i = 0; i < COUNT(sources); i++) {
        if (strlen(sources[i].name) == length && memcmp(sources[i].name, name, length) == 0) {
            return &sources[i];
        }
    }
    return NULL;
}

void source_list(char *text, size_t size) {
    size_t used = 0;
    for (int i = 0; i < COUNT(sources) && used < size; i++) {
        used += (size_t)snprintf(text + used, size - used, "%s, ", sources[i].name);
    }
    if (used < size) {
        snprintf(text + used, size - used, "folder or list");
    }
}
