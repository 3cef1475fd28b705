// SPDX-License-Identifier: Apache-2.0
// PyTorch's files since 1.6: a zip file whose records are stored as they are, all in one folder of
// any name:
//
//     FOLDER/data.pkl    the object, with references to storages
//     FOLDER/data/KEY    the elements of a storage
//     FOLDER/byteorder   "little"; absent in older files, which are little-endian
#include <string.h>

#include "base/arena.h"
#include "formats/text.h"
#include "formats/torch_objects.h"
#include "formats/torch_readers.h"
#include "formats/zip_directory.h"

static const char PICKLE_NAME[] = "data.pkl", ORDER_NAME[] = "byteorder";

typedef struct TorchZip {
    ZipDirectory *directory;
    const char *folder;      // "archive/"
    const char *data_folder; // "archive/data/"
} TorchZip;

static Status find_storage(void *context, PickleText key, size_t bytes, TorchStorage *out) {
    const TorchZip *zip = context;
    const ZipRecord *record;
    TRY(zip_directory_find(zip->directory, zip->data_folder, key.text, key.size, &record));
    if (record == NULL) {
        return status_fail(STATUS_FAILED,
                           "its storage \"%.*s%.*s\" is no record of the file, expected one",
                           SHOWN(zip->data_folder), SHOWN_TEXT(key));
    }
    if (record->size != bytes) {
        return status_fail(STATUS_FAILED,
                           "record \"%.*s\" has %zu bytes, its number of elements expects %zu",
                           SHOWN(record->name), record->size, bytes);
    }
    *out = (TorchStorage){.bytes = record->bytes, .size = record->size};
    return STATUS_OK;
}

// The folder that holds "data.pkl".
static Status find_folder(TorchZip *zip, Arena *arena) {
    for (size_t i = 0; i < zip_directory_count(zip->directory); i++) {
        const char *name = zip_directory_record(zip->directory, i)->name;
        const char *slash = strrchr(name, '/');
        if (strcmp(slash != NULL ? slash + 1 : name, PICKLE_NAME) != 0) {
            continue;
        }
        if (zip->folder != NULL) {
            return status_fail(STATUS_FAILED,
                               "record \"%.*s\": another is \"%.*s%s\", expected one data.pkl",
                               SHOWN(name), SHOWN(zip->folder), PICKLE_NAME);
        }
        int size = slash != NULL ? (int)(slash + 1 - name) : 0;
        zip->folder = arena_format(arena, "%.*s", size, name);
        zip->data_folder = arena_format(arena, "%.*sdata/", size, name);
        if (zip->folder == NULL || zip->data_folder == NULL) {
            return status_fail(STATUS_FAILED, "out of memory");
        }
    }
    if (zip->folder == NULL) {
        return status_fail(STATUS_FAILED,
                           "zip directory: none of its %zu records is a data.pkl, expected "
                           "PyTorch's (torch.save)",
                           zip_directory_count(zip->directory));
    }
    return STATUS_OK;
}

static Status check_order(const TorchZip *zip) {
    const ZipRecord *order;
    TRY(zip_directory_find(zip->directory, zip->folder, ORDER_NAME, strlen(ORDER_NAME), &order));
    if (order == NULL) {
        return STATUS_OK;
    }
    PickleText text = {(const char *)order->bytes, order->size};
    if (!pickle_text_equal(text, "little")) {
        return status_fail(STATUS_FAILED, "record \"%.*s\": is \"%.*s\", expected \"little\"",
                           SHOWN(order->name), SHOWN_TEXT(text));
    }
    return STATUS_OK;
}

static Status read_objects(TorchZip *zip, TensorList *list) {
    TRY(find_folder(zip, list->arena));
    TRY(check_order(zip));
    const ZipRecord *record;
    TRY(zip_directory_find(zip->directory, zip->folder, PICKLE_NAME, strlen(PICKLE_NAME), &record));
    Pickle *pickle;
    Status status = pickle_read(record->bytes, record->size, 0, &pickle);
    if (status == STATUS_OK) {
        const TorchSource source = {.context = zip, .storage = find_storage};
        status = torch_objects_list(pickle, &source, list);
        pickle_free(pickle);
        return status;
    }
    return status_context(status, "record \"%.*s\"", SHOWN(record->name));
}

Status torch_zip_read(const uint8_t *bytes, size_t size, TensorList *list) {
    TorchZip zip = {0};
    TRY(zip_directory_read(bytes, size, &zip.directory));
    Status status = read_objects(&zip, list);
    zip_directory_free(zip.directory);
    return status;
}
