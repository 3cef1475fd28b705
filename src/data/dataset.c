// SPDX-License-Identifier: Apache-2.0
#include "data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "data/photographs.h"
#include "data/sources.h"

// ---- opening -----------------------------------------------------------------------------------

static bool is_kind(const char *spec, const char *colon, const char *kind) {
    return strlen(kind) == (size_t)(colon - spec) && memcmp(spec, kind, strlen(kind)) == 0;
}

// "KIND:DIR" into what is after the colon and its row, which photographs have none of.
static Status parse_spec(const char *spec, const Source **source, const char **place) {
    char known[256];
    source_list(known, sizeof known);
    const char *colon = strchr(spec, ':');
    if (colon == NULL) {
        return status_fail(STATUS_USAGE, "data '%s' has no ':', expected KIND:DIR with KIND %s",
                           spec, known);
    }
    *source = source_find(spec, (size_t)(colon - spec));
    *place = colon + 1;
    if (*source == NULL && !is_kind(spec, colon, "folder") && !is_kind(spec, colon, "list")) {
        return status_fail(STATUS_USAGE, "data '%s' is of unknown kind '%.*s', expected %s", spec,
                           (int)(colon - spec), spec, known);
    }
    if (**place == '\0') {
        return status_fail(STATUS_USAGE,
                           "data '%s' has no folder or file after ':', expected KIND:DIR with KIND "
                           "%s",
                           spec, known);
    }
    return STATUS_OK;
}

static char *join(Arena *arena, const char *folder, const char *name) {
    return arena_format(arena, "%s/%s", folder, name);
}

// The path of a file of the source: NULL when it is not there or memory is out.
static const char *find_file(Arena *arena, const Source *source, const char *folder,
                             const char *name) {
    char *path = join(arena, folder, name);
    if (path != NULL && !file_exists(path) && source->may_be_gzipped) {
        path = arena_format(arena, "%s.gz", path);
    }
    return path != NULL && file_exists(path) ? path : NULL;
}

// DIR itself, or the folder in it that the published archive unpacks to.
static Status find_folder(Arena *arena, const Source *source, Split split, const char **folder) {
    if (!directory_exists(*folder)) {
        return status_fail(STATUS_FAILED, "%s: there is no such folder", *folder);
    }
    if (find_file(arena, source, *folder, source->files[split][0]) == NULL) {
        char *inner = join(arena, *folder, source->folder);
        if (inner != NULL && directory_exists(inner)) {
            *folder = inner;
        }
    }
    return STATUS_OK;
}

static Status map_files(Arena *arena, const Source *source, Split split, const char *folder,
                        DataFile *files, int *count) {
    for (*count = 0; *count < SOURCE_FILES_MAX; ++*count) {
        const char *name = source->files[split][*count];
        if (name == NULL) {
            break;
        }
        const char *path = find_file(arena, source, folder, name);
        if (path == NULL) {
            return status_fail(STATUS_FAILED, "%s: has no file %s%s, which %s's %s split needs",
                               folder, name, source->may_be_gzipped ? " or its .gz" : "",
                               source->name, split == SPLIT_TRAIN ? "train" : "test");
        }
        files[*count].path = path;
        TRY(file_map(path, &files[*count].content));
    }
    return STATUS_OK;
}

// ---- class names -------------------------------------------------------------------------------

// Copies names, which end at '\0' or at a line's end, into one block: the pointers, then the texts.
static Status copy_names(const char *const *names, int count, Dataset *out) {
    size_t bytes = 0;
    for (int i = 0; i < count; i++) {
        bytes += strcspn(names[i], "\r\n") + 1;
    }
    char **copy = malloc((size_t)count * sizeof *copy + bytes);
    if (copy == NULL) {
        return status_fail(STATUS_FAILED, "cannot get memory for %d class names", count);
    }
    char *text = (char *)(copy + count);
    for (int i = 0; i < count; i++) {
        size_t length = strcspn(names[i], "\r\n");
        copy[i] = memcpy(text, names[i], length);
        text[length] = '\0';
        text += length + 1;
    }
    out->class_names = copy;
    return STATUS_OK;
}

// Lines of `text` that are not empty; the first `most` of them are noted.
static int split_lines(const char *text, const char **lines, int most) {
    int count = 0;
    while (*(text += strspn(text, "\r\n")) != '\0') {
        if (count < most) {
            lines[count] = text;
        }
        count++;
        text += strcspn(text, "\r\n");
    }
    return count;
}

static Status read_names(Arena *arena, const char *path, Dataset *out) {
    FileBytes file;
    TRY(file_map(path, &file));
    char *text = NULL;
    for (size_t i = 0; i < file.size; i++) {
        uint8_t byte = file.bytes[i];
        if ((byte < ' ' && byte != '\n' && byte != '\r' && byte != '\t') || byte == 0x7f) {
            Status status =
                status_fail(STATUS_FAILED, "%s: byte %zu is 0x%02x, expected text", path, i, byte);
            file_unmap(&file);
            return status;
        }
    }
    text = arena_alloc(arena, file.size + 1);
    if (text != NULL && file.size > 0) {
        memcpy(text, file.bytes, file.size);
    }
    file_unmap(&file);
    const char **lines = arena_alloc(arena, (size_t)out->classes * sizeof *lines);
    if (text == NULL || lines == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be read (out of memory)", path);
    }
    int count = split_lines(text, lines, out->classes);
    if (count != out->classes) {
        return status_fail(STATUS_FAILED, "%s: has %d class names, expected %d", path, count,
                           out->classes);
    }
    return copy_names(lines, count, out);
}

static Status set_names(Arena *arena, const Source *source, const char *folder, Dataset *out) {
    if (source->names_file != NULL) {
        const char *path = join(arena, folder, source->names_file);
        if (path != NULL && file_exists(path)) {
            return read_names(arena, path, out);
        }
    }
    return copy_names(source->class_names, source->classes, out);
}

// ---- the public functions ----------------------------------------------------------------------

static Status open_in_memory(Arena *arena, const Source *source, const char *folder, Split split,
                             Dataset *out) {
    TRY(find_folder(arena, source, split, &folder));
    DataFile files[SOURCE_FILES_MAX] = {0};
    int count;
    Status status = map_files(arena, source, split, folder, files, &count);
    if (status == STATUS_OK) {
        status = source->decode(source, files, count, out);
    }
    for (int i = 0; i < SOURCE_FILES_MAX; i++) {
        file_unmap(&files[i].content);
    }
    TRY(status);
    out->name = source->name;
    out->classes = source->classes;
    return set_names(arena, source, folder, out);
}

static Status open_in(Arena *arena, const char *spec, Split split, Dataset *out) {
    const Source *source = NULL;
    const char *place = NULL;
    TRY(parse_spec(spec, &source, &place));
    if (source != NULL) {
        return open_in_memory(arena, source, place, split, out);
    }
    bool folder = spec[0] == 'f';
    out->name = folder ? "folder" : "list";
    return folder ? folder_open(place, split, out) : list_open(place, out);
}

Status dataset_open(const char *spec, Split split, Dataset **out) {
    *out = NULL;
    Arena *arena = arena_create();
    Dataset *dataset = calloc(1, sizeof *dataset);
    Status status;
    if (arena == NULL || dataset == NULL) {
        status = status_fail(STATUS_FAILED, "data '%s' cannot be read (out of memory)", spec);
    } else {
        status = open_in(arena, spec, split, dataset);
    }
    arena_destroy(arena);
    if (status != STATUS_OK) {
        dataset_close(dataset);
        return status;
    }
    *out = dataset;
    return STATUS_OK;
}

void dataset_close(Dataset *dataset) {
    if (dataset == NULL) {
        return;
    }
    block_free(dataset->pixels);
    block_free(dataset->labels);
    free(dataset->class_names);
    free(dataset->paths);
    free(dataset);
}

static size_t sample_bytes(const Dataset *dataset) {
    return (size_t)dataset->height * (size_t)dataset->width * (size_t)dataset->channels;
}

Status dataset_allocate(Dataset *dataset, int channels, uint32_t count) {
    dataset->channels = channels;
    dataset->height = dataset->width = SAMPLE_SIDE;
    dataset->count = count;
    void *block;
    TRY(block_alloc(count * sample_bytes(dataset), "the data's pixels", &block));
    dataset->pixels = block;
    TRY(block_alloc(count * sizeof *dataset->labels, "the data's labels", &block));
    dataset->labels = block;
    return STATUS_OK;
}

Status dataset_select(Dataset *dataset, const uint32_t *indices, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (indices[i] >= dataset->count) {
            return status_fail(STATUS_USAGE, "%s: sample %u was selected, but it has %u",
                               dataset->name, indices[i], dataset->count);
        }
    }
    size_t bytes = sample_bytes(dataset);
    void *pixels, *labels;
    TRY(block_alloc(count * bytes, "the selected pixels", &pixels));
    Status status = block_alloc(count * sizeof(int32_t), "the selected labels", &labels);
    if (status != STATUS_OK) {
        block_free(pixels);
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        memcpy((uint8_t *)pixels + i * bytes, dataset->pixels + indices[i] * bytes, bytes);
        ((int32_t *)labels)[i] = dataset->labels[indices[i]];
    }
    block_free(dataset->pixels);
    block_free(dataset->labels);
    dataset->pixels = pixels;
    dataset->labels = labels;
    dataset->count = count;
    return STATUS_OK;
}

// From a histogram, which is exact: no order of summation to care about.
void dataset_channel_statistics(const Dataset *dataset, float mean[3], float deviation[3]) {
    uint64_t histogram[3][256] = {{0}};
    size_t pixels = dataset->count * sample_bytes(dataset) / (size_t)dataset->channels;
    const uint8_t *at = dataset->pixels;
    for (size_t i = 0; i < pixels; i++) {
        for (int c = 0; c < dataset->channels; c++) {
            histogram[c][*at++]++;
        }
    }
    for (int c = 0; c < 3; c++) {
        mean[c] = 0;
        deviation[c] = 1;
        if (c >= dataset->channels || pixels == 0) {
            continue;
        }
        uint64_t sum = 0;
        for (int value = 0; value < 256; value++) {
            sum += histogram[c][value] * (uint64_t)value;
        }
        double centre = (double)sum / (double)pixels;
        double squares = 0;
        for (int value = 0; value < 256; value++) {
            squares += (double)histogram[c][value] * (value - centre) * (value - centre);
        }
        mean[c] = (float)(centre / 255);
        deviation[c] = (float)(sqrt(squares / (double)pixels) / 255);
    }
}

void dataset_pixel_mean(const Dataset *dataset, float *mean) {
    enum { STRIP = 512 }; // positions summed together: their sums stay in the first-level cache
    size_t bytes = sample_bytes(dataset);
    for (size_t begin = 0; begin < bytes; begin += STRIP) {
        size_t length = bytes - begin < STRIP ? bytes - begin : STRIP;
        uint64_t sums[STRIP] = {0};
        for (uint32_t n = 0; n < dataset->count; n++) {
            const uint8_t *from = dataset->pixels + n * bytes + begin;
            for (size_t i = 0; i < length; i++) {
                sums[i] += from[i];
            }
        }
        for (size_t i = 0; i < length; i++) {
            mean[begin + i] =
                dataset->count == 0 ? 0 : (float)((double)sums[i] / dataset->count / 255);
        }
    }
}
