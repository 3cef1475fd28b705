// SPDX-License-Identifier: Apache-2.0
#include "train/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "formats/tensorboard.h"

// A file of JSON lines that is only ever added to.
typedef struct LineFile {
    char *path;
    int descriptor;
} LineFile;

struct Metrics {
    LineFile lines, gradients; // gradients.path NULL: not asked for
    EventWriter *events;
};

static char *path_join(const char *directory, const char *name) {
    size_t bytes = strlen(directory) + strlen(name) + 2;
    char *path = malloc(bytes);
    if (path != NULL) {
        snprintf(path, bytes, "%s/%s", directory, name);
    }
    return path;
}

// ---- lines that are there -----------------------------------------------------------------------

// Calls `use` for each line of a file whose iteration is at most `iteration`. What is no line of
// ours, such as the half of one that a killed process left, is passed over.
typedef void LineUse(void *context, const json_t *line, const char *text, size_t size);

static Status lines_walk(const char *path, int64_t iteration, LineUse *use, void *context) {
    FileBytes file;
    TRY(file_map(path, &file));
    const char *text = (const char *)file.bytes;
    for (size_t done = 0; done < file.size;) {
        const char *at = text + done;
        const char *newline = memchr(at, '\n', file.size - done);
        if (newline == NULL) {
            break;
        }
        size_t size = (size_t)(newline + 1 - at);
        json_t *line = json_loadb(at, size, 0, NULL);
        const json_t *value = json_object_get(line, "iteration");
        if (json_is_integer(value) && json_integer_value(value) <= iteration) {
            use(context, line, at, size);
        }
        json_decref(line);
        done += size;
    }
    file_unmap(&file);
    return STATUS_OK;
}

static void use_copy(void *context, const json_t *line, const char *text, size_t size) {
    (void)line;
    file_writer_write(context, text, size);
}

static Status lines_keep(const char *path, int64_t iteration) {
    if (!file_exists(path)) {
        return STATUS_OK;
    }
    FileWriter *writer = NULL;
    TRY(file_writer_open(path, &writer));
    Status status = lines_walk(path, iteration, use_copy, writer);
    if (status != STATUS_OK) {
        file_writer_abandon(writer);
        return status;
    }
    return file_writer_commit(writer);
}

static double member(const json_t *line, const char *key) {
    const json_t *value = json_object_get(line, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void use_read(void *context, const json_t *line, const char *text, size_t size) {
    (void)text;
    (void)size;
    MetricsLine *out = context;
    *out = (MetricsLine){
        .epoch = member(line, "epoch"),
        .iteration = json_integer_value(json_object_get(line, "iteration")),
        .train_loss = member(line, "train_loss"),
        .train_top1 = member(line, "train_top1"),
        .test_loss = member(line, "test_loss"),
        .test_top1 = member(line, "test_top1"),
        .lr = member(line, "lr"),
        .seconds = member(line, "seconds"),
    };
}

void metrics_last(const char *directory, int64_t iteration, MetricsLine *out) {
    char *path = path_join(directory, "metrics.jsonl");
    if (path != NULL && file_exists(path)) {
        // What cannot be read is reported by metrics_open().
        (void)lines_walk(path, iteration, use_read, out);
    }
    free(path);
}

// ---- adding lines -------------------------------------------------------------------------------

static Status line_file_open(LineFile *file, const char *directory, const char *name,
                             int64_t iteration) {
    file->path = path_join(directory, name);
    if (file->path == NULL) {
        return status_fail(STATUS_FAILED, "%s/%s: cannot be opened (out of memory)", directory,
                           name);
    }
    TRY(lines_keep(file->path, iteration));
    file->descriptor = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (file->descriptor < 0) {
        return status_fail(STATUS_FAILED, "%s: cannot be written (%s)", file->path,
                           strerror(errno));
    }
    return STATUS_OK;
}

static void line_file_close(LineFile *file) {
    if (file->descriptor >= 0) {
        close(file->descriptor);
    }
    free(file->path);
}

// Writes the object, which is NULL when memory was out, and lets go of it.
static Status line_file_add(LineFile *file, json_t *object) {
    char *text = json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(9));
    json_decref(object);
    if (text == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", file->path);
    }
    size_t size = strlen(text);
    text[size++] = '\n'; // in place of the end
    errno = ENOSPC;      // of a write that comes up short
    bool good = write(file->descriptor, text, size) == (ssize_t)size;
    good = good && (fsync(file->descriptor) == 0 || errno == EINVAL);
    int error = errno;
    free(text);
    return good ? STATUS_OK
                : status_fail(STATUS_FAILED, "%s: cannot be written (%s)", file->path,
                              strerror(error));
}

Status metrics_open(const char *directory, int64_t last_line, int64_t last_gradients,
                    bool gradients, Metrics **out) {
    *out = NULL;
    Metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for metrics");
    }
    metrics->lines.descriptor = metrics->gradients.descriptor = -1;
    Status status = line_file_open(&metrics->lines, directory, "metrics.jsonl", last_line);
    if (status == STATUS_OK && gradients) {
        status = line_file_open(&metrics->gradients, directory, "gradients.jsonl", last_gradients);
    }
    if (status == STATUS_OK) {
        status = event_writer_open(directory, &metrics->events);
    }
    if (status != STATUS_OK) {
        metrics_close(metrics);
        return status;
    }
    *out = metrics;
    return STATUS_OK;
}

void metrics_close(Metrics *metrics) {
    if (metrics == NULL) {
        return;
    }
    line_file_close(&metrics->lines);
    line_file_close(&metrics->gradients);
    event_writer_close(metrics->events);
    free(metrics);
}

// null where there is no number that JSON could hold.
static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

// A whole epoch is an integer.
static json_t *epoch_number(double epoch) {
    return epoch == floor(epoch) ? json_integer((json_int_t)epoch) : json_real(epoch);
}

static Status write_scalars(EventWriter *events, const MetricsLine *line) {
    const struct {
        const char *tag;
        double value;
    } scalars[] = {
        {"train/loss", line->train_loss},
        {"train/top1", line->train_top1},
        {"test/loss", line->test_loss},
        {"test/top1", line->test_top1},
        {"lr", line->lr},
    };
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) {
        if (!isnan(scalars[i].value)) {
            TRY(event_writer_scalar(events, line->iteration, scalars[i].tag,
                                    (float)scalars[i].value));
        }
    }
    return STATUS_OK;
}

Status metrics_write(Metrics *metrics, const MetricsLine *line) {
    json_t *object = json_pack(
        "{s:o, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "epoch", epoch_number(line->epoch), "iteration",
        (json_int_t)line->iteration, "train_loss", number(line->train_loss), "train_top1",
        number(line->train_top1), "test_loss", number(line->test_loss), "test_top1",
        number(line->test_top1), "lr", number(line->lr), "seconds", number(line->seconds));
    TRY(line_file_add(&metrics->lines, object));
    return write_scalars(metrics->events, line);
}

// ---- gradients ----------------------------------------------------------------------------------

static double sum_of_squares(const float *values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (double)values[i] * values[i];
    }
    return sum;
}

// The variance that a norm leaves in each channel of a batch, scale^2 * v / (v + epsilon), averaged
// over channels, plus the variance of their means, the shifts.
static double response_deviation(const Graph *graph, const Parameters *parameters,
                                 const Param *scale) {
    for (NodeId id = 0; id < graph->node_count; id++) {
        const Node *node = &graph->nodes[id];
        if (node->op != OP_NORM || node->param[0] != scale->id) {
            continue;
        }
        const float *scales = parameters_values(parameters, scale);
        const float *shifts = parameters_values(parameters, &graph->params[node->param[1]]);
        const float *variances = parameters_values(parameters, &graph->params[node->param[3]]);
        double inner = 0, sum = 0, squares = 0, count = (double)scale->elements;
        for (size_t c = 0; c < scale->elements; c++) {
            double variance = variances[c];
            inner += (double)scales[c] * scales[c] * variance / (variance + node->norm.epsilon);
            sum += shifts[c];
            squares += (double)shifts[c] * shifts[c];
        }
        return sqrt(inner / count + fmax(0, squares / count - sum / count * (sum / count)));
    }
    return NAN;
}

// Length of "layer1.0.conv1" in "layer1.0.conv1.weight".
static size_t layer_length(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot != NULL ? (size_t)(dot - name) : strlen(name);
}

Status metrics_write_gradients(Metrics *metrics, const Graph *graph, const Parameters *parameters,
                               double epoch, int64_t iteration) {
    if (metrics->gradients.path == NULL) {
        return STATUS_OK;
    }
    json_t *layers = json_array();
    for (int32_t p = 0; p < graph->param_count;) {
        const char *name = graph->params[p].name;
        size_t length = layer_length(name);
        double gradients = 0, weights = 0;
        const Param *scale = NULL;
        for (; p < graph->param_count; p++) {
            const Param *param = &graph->params[p];
            if (layer_length(param->name) != length || strncmp(param->name, name, length) != 0) {
                break;
            }
            scale = param->role == PARAM_NORM_SCALE ? param : scale;
            if (!param_is_running(param->role)) {
                gradients +=
                    sum_of_squares(parameters_gradient(parameters, param), param->elements);
                weights += sum_of_squares(parameters_values(parameters, param), param->elements);
            }
        }
        json_t *layer = json_pack("{s:s%, s:o, s:o}", "name", name, length, "gradient_norm",
                                  number(sqrt(gradients)), "weight_norm", number(sqrt(weights)));
        if (scale != NULL) {
            json_object_set_new(layer, "response_std",
                                number(response_deviation(graph, parameters, scale)));
        }
        json_array_append_new(layers, layer);
    }
    return line_file_add(&metrics->gradients,
                         json_pack("{s:o, s:I, s:o}", "epoch", epoch_number(epoch), "iteration",
                                   (json_int_t)iteration, "layers", layers));
}
