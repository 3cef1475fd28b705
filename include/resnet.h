// SPDX-License-Identifier: Apache-2.0
// resnet: deep residual networks (He, Zhang, Ren, Sun, arXiv 1512.03385) in C.
//
// Classify a picture with weights from a file:
//
//     resnet_model *model = NULL;
//     resnet_session *session = NULL;
//     if (resnet_model_load("resnet20.safetensors", NULL, &model) != RESNET_OK ||
//         resnet_session_create(model, NULL, &session) != RESNET_OK) {
//         fprintf(stderr, "%s\n", resnet_last_error());
//     }
//     float probability[10];                       // resnet_model_classes(model)
//     resnet_session_predict_file(session, "cat.png", NULL, probability);
//     resnet_session_free(session);
//     resnet_model_free(model);
//
// Functions that can fail return a resnet_status; the reason is one sentence from
// resnet_last_error(). Objects are opaque and freed by their _free function (NULL is allowed).
// There is no global state: different threads may use different sessions at the same time, also of
// the same model. Nothing here prints, exits or aborts. Structs of options are filled by their
// _default function first, so that later versions can add fields.
#ifndef RESNET_H
#define RESNET_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define RESNET_API __attribute__((visibility("default")))
#else
#define RESNET_API
#endif

// Also the program's exit codes.
typedef enum resnet_status {
    RESNET_OK = 0,
    RESNET_FAILED = 1,       // a file, memory or data
    RESNET_USAGE = 2,        // the caller's arguments
    RESNET_INTERRUPTED = 130 // stopped as asked, after saving
} resnet_status;

// "0.1.0"
RESNET_API const char *resnet_version(void);
// The reason of this thread's last failure: one sentence that names file, place and reason.
RESNET_API const char *resnet_last_error(void);
// CPUs that this process may use (affinity and cgroup quota): the default number of threads.
RESNET_API int resnet_cpu_count(void);
// The instruction set that the kernels use here: "avx512bf16", "avx512vnni", "avx512", "avx2",
// "neon", "portable". The environment's RESNET_ISA forces one. NULL when that is not to be had (see
// resnet_last_error()).
RESNET_API const char *resnet_isa(void);
RESNET_API const char *resnet_cpu_name(void);

// ---- Architectures ------------------------------------------------------------------------------

typedef struct resnet_architecture {
    const char *name; // "resnet50"
    const char *description;
    int channels, height, width; // of its input
    int classes;
    int64_t parameters; // trainable
    int64_t macs;       // multiply-adds for one image (the paper's FLOPs)
} resnet_architecture;

RESNET_API int resnet_architecture_count(void);
RESNET_API resnet_status resnet_architecture_get(int index, resnet_architecture *out);

// ---- Models: an architecture with its parameters ------------------------------------------------

typedef struct resnet_model_options {
    const char *shortcut;  // "A", "B", "C" (paper §3.3); NULL: the architecture's own
    const char *stride_in; // "1x1" (v1, the paper's) or "3x3" (v1.5); NULL: 3x3. Bottlenecks only
    int classes;           // 0: the architecture's own
    int channels, height, width; // of the input; 0: the architecture's own
    uint64_t seed;               // of the initialisation
} resnet_model_options;

RESNET_API void resnet_model_options_default(resnet_model_options *options);

typedef struct resnet_model resnet_model;

// A fresh model with He initialisation. options NULL: defaults.
RESNET_API resnet_status resnet_model_create(const char *name, const resnet_model_options *options,
                                             resnet_model **out);
typedef struct resnet_load_options {
    const char *model;     // which architecture it is; NULL: as the file says or its tensors show
    const char *stride_in; // "1x1" or "3x3": for files that can't say; NULL: 3x3
    const char *preset; // preprocessing: "torchvision", "torchvision-v2", "timm", "caffe", "cifar",
                        // "inception"; NULL: what the file carries, else resnet_model_preset()
    const char *labels; // a text file with a class name a line; NULL: what the file carries
    // 1: weights stay in the file, mapped to memory, where they are 32-bit floats: a faster start
    // and less memory, but the file must not be overwritten in place while the model lives
    // (replacing it by another file of its name is no harm). 0: they are copied.
    int map;
} resnet_load_options;

RESNET_API void resnet_load_options_default(resnet_load_options *options);

// Weights from a file: ours, safetensors with PyTorch's names, or a PyTorch checkpoint (zip, legacy
// or tar). options NULL: defaults.
RESNET_API resnet_status resnet_model_load(const char *path, const resnet_load_options *options,
                                           resnet_model **out);
// Writes weights, running statistics, class names and preprocessing as safetensors.
RESNET_API resnet_status resnet_model_save(const resnet_model *model, const char *path);
RESNET_API void resnet_model_free(resnet_model *model);

// What a file of weights holds, whether or not it can be used.
typedef struct resnet_inspection resnet_inspection;
typedef struct resnet_tensor {
    const char *name, *dtype; // as in the file
    const char *parameter;    // what it is called here; NULL: not a parameter
    int rank;
    const int64_t *dims;
} resnet_tensor;

RESNET_API resnet_status resnet_inspect(const char *path, const char *model,
                                        resnet_inspection **out);
RESNET_API void resnet_inspection_free(resnet_inspection *inspection);
RESNET_API const char *resnet_inspection_format(const resnet_inspection *inspection);
RESNET_API const char *resnet_inspection_layout(const resnet_inspection *inspection);
RESNET_API const char *resnet_inspection_wrapper(const resnet_inspection *inspection);
// NULL when it was not recognised; resnet_inspection_refused() says why.
RESNET_API const char *resnet_inspection_model(const resnet_inspection *inspection);
RESNET_API const char *resnet_inspection_shortcut(const resnet_inspection *inspection);
RESNET_API const char *resnet_inspection_stride_in(const resnet_inspection *inspection); // or NULL
RESNET_API int resnet_inspection_classes(const resnet_inspection *inspection);
RESNET_API const char *resnet_inspection_precision(const resnet_inspection *inspection);
RESNET_API const char *resnet_inspection_refused(const resnet_inspection *inspection);
RESNET_API int resnet_inspection_notes(const resnet_inspection *inspection);
RESNET_API const char *resnet_inspection_note(const resnet_inspection *inspection, int index);
RESNET_API int resnet_inspection_tensors(const resnet_inspection *inspection);
RESNET_API resnet_status resnet_inspection_tensor(const resnet_inspection *inspection, int index,
                                                  resnet_tensor *out);
// Metadata that the file carries (epoch, arch, ...).
RESNET_API int resnet_inspection_metadata(const resnet_inspection *inspection);
RESNET_API resnet_status resnet_inspection_metadata_at(const resnet_inspection *inspection,
                                                       int index, const char **key,
                                                       const char **value);

RESNET_API const char *resnet_model_name(const resnet_model *model);     // "resnet20"
RESNET_API const char *resnet_model_shortcut(const resnet_model *model); // "A", "B", "C", "none"
RESNET_API int resnet_model_classes(const resnet_model *model);
// The name of a class that the weights carry; NULL when they carry none.
RESNET_API const char *resnet_model_class_name(const resnet_model *model, int index);
RESNET_API void resnet_model_input(const resnet_model *model, int *channels, int *height,
                                   int *width);
// The preset that pictures are prepared by where the weights carry no preprocessing: what most
// published weights of the architecture expect.
RESNET_API const char *resnet_model_preset(const resnet_model *model);
// Normalisation: value = (byte / 255 - mean) / std for red, green and blue. What the weights carry,
// else the preset's; setting overrides it, and `carries` tells whether there is any to override.
RESNET_API void resnet_model_normalization(const resnet_model *model, float mean[3], float std[3]);
RESNET_API void resnet_model_set_normalization(resnet_model *model, const float mean[3],
                                               const float std[3]);
RESNET_API int resnet_model_carries_normalization(const resnet_model *model);
// 1 where nothing told in which convolution the bottlenecks stride, and 3x3 (v1.5) was taken.
RESNET_API int resnet_model_stride_in_assumed(const resnet_model *model);
// "int8" for a model that was quantised (see resnet_model_quantize()), else "fp32".
RESNET_API const char *resnet_model_precision(const resnet_model *model);

typedef struct resnet_summary {
    int64_t parameters, macs;
    int64_t weight_bytes;      // parameters and running statistics
    int64_t inference_bytes;   // evaluating with that batch: weights, session, batches read ahead
    int64_t training_bytes;    // everything that a training of that batch takes, data set apart
    int64_t recomputing_bytes; // the same with resnet_train_options.recompute
    int layers;
} resnet_summary;

typedef struct resnet_layer {
    const char *name, *op;       // "layer1.0.conv1", "conv"
    int channels, height, width; // of its output
    int64_t parameters, macs;
    int kernel, stride; // 0 where it has none
    int groups;         // of a convolution: each output reads 1/groups of the channels; else 0
    int inputs[4];      // indices of the layers it reads; -1: none
} resnet_layer;

// Sizes for a batch and a number of threads (0: resnet_cpu_count()).
RESNET_API resnet_status resnet_model_summary(const resnet_model *model, int batch, int threads,
                                              resnet_summary *out);
RESNET_API resnet_status resnet_model_layer(const resnet_model *model, int index,
                                            resnet_layer *out);

// ---- Data ---------------------------------------------------------------------------------------

typedef struct resnet_data resnet_data;

// spec: cifar10:DIR, cifar100:DIR, mnist:DIR, fashion-mnist:DIR, folder:DIR (train/ and val/, a
// sub-folder a class, byte-wise sorted), list:FILE (lines "path label-index"). split: "train" or
// "test".
RESNET_API resnet_status resnet_data_open(const char *spec, const char *split, resnet_data **out);
RESNET_API void resnet_data_free(resnet_data *data);
RESNET_API int resnet_data_count(const resnet_data *data);
RESNET_API int resnet_data_classes(const resnet_data *data);
// NULL for lists, which name no classes.
RESNET_API const char *resnet_data_class_name(const resnet_data *data, int index);
RESNET_API int resnet_data_label(const resnet_data *data, int sample);
// Zeros for photographs, each of which has its own size.
RESNET_API void resnet_data_shape(const resnet_data *data, int *channels, int *height, int *width);
// Writes one sample as an 8-bit PNG; photographs as they are decoded, in RGB.
RESNET_API resnet_status resnet_data_write_png(const resnet_data *data, int sample,
                                               const char *path);

// ---- Sessions: a model ready to run -------------------------------------------------------------

typedef struct resnet_session_options {
    int threads;           // 0: resnet_cpu_count()
    int batch;             // most images at once; 1
    const char *precision; // "int8", "bf16" or "fp32"; NULL: as resnet_model_precision() tells
} resnet_session_options;

RESNET_API void resnet_session_options_default(resnet_session_options *options);

typedef struct resnet_session resnet_session;

// The model must outlive the session and must not change meanwhile.
RESNET_API resnet_status resnet_session_create(const resnet_model *model,
                                               const resnet_session_options *options,
                                               resnet_session **out);
RESNET_API void resnet_session_free(resnet_session *session);

// Logits [count][classes] of normalised images [count][height][width][channels]; any count.
RESNET_API resnet_status resnet_session_run(resnet_session *session, const float *images, int count,
                                            float *logits);
// Several views of one picture whose scores are averaged (paper §3.4): the softmax probabilities of
// each. Where logits of several views are asked for, they are the averages' natural logarithms.
typedef enum resnet_views {
    RESNET_VIEWS_CENTER,   // one centre crop
    RESNET_VIEWS_TEN_CROP, // four corners, centre, and their mirror images
    // The whole picture with short side 224, 256, 384, 480, 640; for models with global pooling,
    // else RESNET_USAGE.
    RESNET_VIEWS_MULTI_SCALE
} resnet_views;

typedef struct resnet_predict_options {
    resnet_views views;
    int exif;            // 1: turn the picture as its EXIF orientation says (Pillow does not)
    const char *explain; // folder for each stage of the preprocessing as PNG and .npy; NULL: none
} resnet_predict_options;

RESNET_API void resnet_predict_options_default(resnet_predict_options *options);

// Class probabilities of one picture (JPEG, PNG, WebP, BMP, PPM; "-": standard input): decoded,
// resized, cropped, normalised as the model says. options NULL: defaults.
RESNET_API resnet_status resnet_session_predict_file(resnet_session *session, const char *path,
                                                     const resnet_predict_options *options,
                                                     float *probabilities);

// Gets a picture's class probabilities; NULL: it could not be read, as resnet_last_error() says.
// What it returns but RESNET_OK ends the predictions.
typedef resnet_status resnet_predict_callback(void *user, int index, const float *probabilities);

// The same of many pictures, in their order. The session's threads decode some of them at once;
// several scales and explanations take one picture after the other.
RESNET_API resnet_status resnet_session_predict_files(resnet_session *session,
                                                      const char *const *paths, int count,
                                                      const resnet_predict_options *options,
                                                      resnet_predict_callback *callback,
                                                      void *user);

typedef struct resnet_evaluation {
    int samples, correct, correct5;
    int failed;              // pictures that could not be read; they are not among the samples
    double top1, top5, loss; // top1, top5 in percent
    double seconds, images_per_second;
} resnet_evaluation;

typedef struct resnet_evaluate_options {
    resnet_views views; // several are for photographs only
    int exif;           // as in resnet_predict_options
    // All logits in data order as a .npy file (NaN for pictures that could not be read); NULL:
    // none.
    const char *logits;
    void (*failure)(void *user, const char *sentence); // for each of these pictures; NULL: none
    // After each batch: what was measured so far, of `count` samples in all; NULL: none.
    void (*progress)(void *user, const resnet_evaluation *so_far, int count);
    void *user; // for both
} resnet_evaluate_options;

RESNET_API void resnet_evaluate_options_default(resnet_evaluate_options *options);

// Accuracy on a data set. The sub-folders of folder: are matched with the model's class names where
// it has them all, else by their order. Photographs are decoded by as many threads as the session
// has, ahead of the network. options NULL: defaults.
RESNET_API resnet_status resnet_session_evaluate(resnet_session *session, const resnet_data *data,
                                                 const resnet_evaluate_options *options,
                                                 resnet_evaluation *out);

// ---- Where the time goes ------------------------------------------------------------------------

// A layer as it runs: a layer of the model with those that were fused into it, which run in its
// inner loop (inference: conv+norm+add+relu; training: norm+add+relu).
typedef struct resnet_fused_layer {
    const char *name; // of its first part: "layer1.0.conv2"
    const char *op;   // of its first part: "conv"
    char parts[32];   // "conv+norm+add+relu"
    const char *path; // how it is computed, where there is a choice: "direct", "winograd"; or NULL
    int channels, height, width; // of its output
    int kernel, stride;          // 0 where it has none
    int64_t macs;                // multiply-adds for one image, whatever path is taken
    int64_t image_bytes;         // read and written for one image: inputs and output, once each
    int64_t weight_bytes;        // parameters, which a pass reads once for all images
} resnet_fused_layer;

RESNET_API int resnet_session_layers(const resnet_session *session);
RESNET_API resnet_status resnet_session_layer(const resnet_session *session, int index,
                                              resnet_fused_layer *out);
// One pass over at most the session's batch, with the seconds of each layer in
// seconds[resnet_session_layers()]. Gives the logits of resnet_session_run(), bit by bit.
RESNET_API resnet_status resnet_session_run_timed(resnet_session *session, const float *images,
                                                  int count, float *logits, double *seconds);

// Measures what that many cores (0: resnet_cpu_count()) can do at most: 10^9 floating point
// operations a second, multiply-adds in registers alone; for "bf16" and "int8" those of layers in
// them. precision: "fp32", "bf16", "int8".
RESNET_API resnet_status resnet_measure_peak(int threads, const char *precision, double *gflops);
// Measures 10^9 bytes a second between cores and memory; takes some hundred megabytes meanwhile.
RESNET_API resnet_status resnet_measure_bandwidth(int threads, double *gigabytes);

// ---- int8 ---------------------------------------------------------------------------------------

typedef struct resnet_quantize_options {
    const char *method; // how a scale is found: "mse" (NULL; the least error), "percentile", "max"
    double percentile;  // 99.99
    int samples;        // pictures to calibrate with, drawn by `seed`; 100
    uint64_t seed;      // 1
    double max_drop;    // points of top-1 on these pictures that may be lost; 0.5
    const char *keep;   // layers to keep in float in any case, "conv1,fc"; NULL: none
    int threads;        // 0: resnet_cpu_count()
    void (*failure)(void *user, const char *sentence); // a picture that cannot be read; NULL: none
    void (*progress)(void *user, const char *what, int done, int all); // NULL: none
    void *user;
} resnet_quantize_options;
RESNET_API void resnet_quantize_options_default(resnet_quantize_options *options);

// Ratios of signal to noise in decibels, infinite without noise: the weights as bytes, the output
// as bytes, and the output with the noise of all layers before it.
typedef struct resnet_quantized_layer {
    const char *name, *op; // "layer1.0.conv1", "conv"
    int is_int8, zero;     // is_int8 0: kept in float
    double scale;          // of its output: value = scale * (byte - zero); 0: the output is float
    double weight_ratio, rounding_ratio, output_ratio;
} resnet_quantized_layer;

typedef struct resnet_quantization_summary {
    int layers, int8_layers;                          // convolutions and linear layers
    int samples, failed, correct_float, correct_int8; // calibration pictures
    double logits_ratio;
} resnet_quantization_summary;
typedef struct resnet_quantization resnet_quantization;

// Calibrates a model for int8 and rounds its weights: later sessions run in int8, and files take a
// quarter of the size. No session of the model may exist meanwhile. On failure it is as it was.
RESNET_API resnet_status resnet_model_quantize(resnet_model *model, const resnet_data *data,
                                               const resnet_quantize_options *options,
                                               resnet_quantization **out);
RESNET_API void resnet_quantization_free(resnet_quantization *quantization);
RESNET_API void resnet_quantization_summarize(const resnet_quantization *quantization,
                                              resnet_quantization_summary *out);
RESNET_API resnet_status resnet_quantization_layer(const resnet_quantization *quantization,
                                                   int index, resnet_quantized_layer *out);

// ---- Training -----------------------------------------------------------------------------------

typedef struct resnet_train_options {
    const char *model; // architecture's name
    const char *data;  // SPEC
    const char *out;   // folder: metrics.jsonl, events.*, checkpoint.safetensors, model.safetensors
    const char *recipe; // "paper" (§4.2), "short" or "best"; sets what is left at its default below
    const char *shortcut, *stride_in; // as in resnet_model_options
    const char *init;                 // weights to begin with; NULL: He initialisation
    int resume;                       // 1: go on from out/checkpoint.safetensors when it is there
    int threads;                      // 0: resnet_cpu_count()
    uint64_t seed;                    // 1
    int batch;                        // 0: the recipe's
    int shard; // samples of a shard (statistics and partial gradients); 0: the batch
    // 1: activation checkpointing: keep the inputs of blocks only and compute the rest again in the
    // backward pass. Less memory, the same bits, more time; may change when a training goes on
    int recompute;
    double epochs; // < 0: the recipe's. Either epochs or iterations; the schedule is scaled along
    int64_t iterations; // 0: by epochs
    double lr;          // < 0: the recipe's
    double shift_rate;  // how many times lr the shifts of norms learn at; < 0: the recipe's
    // Share of the training, from its beginning, that sees cuts of three quarters of the sides at
    // random places: faster steps; < 0: the recipe's, 0 where the net takes one size only
    double small_share;
    double momentum, weight_decay, label_smoothing; // < 0: the recipe's
    int nesterov;                                   // -1: the recipe's
    int decay_norm_bias;  // weight decay also for norm parameters and biases; -1: the recipe's
    const char *schedule; // "step", "cosine", "one-cycle", "constant"; NULL: the recipe's
    double warmup_epochs; // < 0: the recipe's
    // "standard" (pad 4, crop, flip at random), "alternating" (flip in every second epoch), "crop",
    // "none"; NULL: the recipe's
    const char *augment;
    const char *border;      // of crops: "zero", "mirror"; NULL: the recipe's
    const char *normalize;   // "channel", "pixel" (per-pixel mean); NULL: the recipe's
    const float *mean, *std; // 3 each: instead of the data's own channel statistics; NULL: none
    int bn_recompute;  // 1: average batch statistics plainly over the training data at the end
    int validation;    // samples of the training split held out and used as test (45k/5k: 5000)
    int train_samples; // only that many training samples (a subset drawn by seed); 0: all
    int test_samples;  // test on the first that many samples only; 0: all
    double test_every; // epochs between evaluations; 1
    double
        save_minutes;   // minutes between checkpoints; < 0: 5. Checkpoints also at each epoch's end
    int64_t save_every; // iterations between checkpoints; 0: by time only
    int64_t stop_after; // stop with a checkpoint after that many iterations in this call; 0: never
    int log_gradients;  // 1: norms of gradients and deviations of responses by layer in
                        // DIR/gradients.jsonl
    int64_t log_every;  // iterations between its lines; 0: an epoch
    const volatile sig_atomic_t *stop; // set to non-zero: save and return RESNET_INTERRUPTED
} resnet_train_options;

RESNET_API void resnet_train_options_default(resnet_train_options *options);

typedef enum resnet_train_event {
    RESNET_TRAIN_START, // epochs, iterations known; resumed: iteration > 0
    RESNET_TRAIN_STEP,  // after each iteration
    RESNET_TRAIN_EPOCH, // after an epoch's evaluation
    // `note`: one sentence on a change of regime (warm-up ended, lr divided …), or on what `init`
    // did not have (auxiliary heads)
    RESNET_TRAIN_NOTE,
    RESNET_TRAIN_DONE
} resnet_train_event;

typedef struct resnet_train_progress {
    resnet_train_event event;
    int64_t iteration, iterations; // done, in all
    double epoch, epochs;
    double lr;
    double train_loss, train_top1; // of the running epoch so far, percent
    double test_loss, test_top1;   // of the last evaluation; NaN before the first
    double images_per_second, seconds, eta_seconds;
    const char *note;
} resnet_train_progress;

typedef void resnet_train_callback(void *user, const resnet_train_progress *progress);

// Trains from options->out's checkpoint or from the start. Gives the same bits for any number of
// threads, on any instruction set with fused multiply-add, and however often it is interrupted.
RESNET_API resnet_status resnet_train(const resnet_train_options *options,
                                      resnet_train_callback *callback, void *user);

// Training on batches of the caller's own, one step at a time: stochastic gradient descent with
// momentum, in PyTorch's form (v = momentum * v + gradient, w = w - lr * v).
typedef struct resnet_trainer_options {
    int threads;         // 0: resnet_cpu_count()
    int batch;           // most images in a step; 128
    double momentum;     // 0.9
    double weight_decay; // 0.0001, of all parameters
    int recompute;       // as in resnet_train_options
} resnet_trainer_options;

RESNET_API void resnet_trainer_options_default(resnet_trainer_options *options);

typedef struct resnet_trainer resnet_trainer;

// Takes a copy of the model's parameters, and trains that. Refuses with the figures where the
// memory is too small. options NULL: defaults.
RESNET_API resnet_status resnet_trainer_create(const resnet_model *model,
                                               const resnet_trainer_options *options,
                                               resnet_trainer **out);
RESNET_API void resnet_trainer_free(resnet_trainer *trainer);

// One step: forward, loss, backward, update, with normalised images
// [count][height][width][channels] and the class of each. *loss (may be NULL): their mean loss
// before the update. Fails without an update when that is not finite.
RESNET_API resnet_status resnet_trainer_step(resnet_trainer *trainer, const float *images,
                                             const int32_t *labels, int count, double lr,
                                             double *loss);
// Copies what was learnt to a model of the same architecture, shortcut, input and classes. Its
// sessions are to be made anew.
RESNET_API resnet_status resnet_trainer_store(const resnet_trainer *trainer, resnet_model *model);

// The layers as they run, and the seconds that each takes in a step, in arrays of
// [resnet_trainer_layers()]. Both passes together do three times a layer's macs.
RESNET_API int resnet_trainer_layers(const resnet_trainer *trainer);
RESNET_API resnet_status resnet_trainer_layer(const resnet_trainer *trainer, int index,
                                              resnet_fused_layer *out);
RESNET_API resnet_status resnet_trainer_step_timed(resnet_trainer *trainer, const float *images,
                                                   const int32_t *labels, int count, double lr,
                                                   double *loss, double *forward_seconds,
                                                   double *backward_seconds);

#ifdef __cplusplus
}
#endif

#endif
