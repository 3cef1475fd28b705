// SPDX-License-Identifier: Apache-2.0
// A record of an event file, and the protobuf messages in it (TensorFlow's event.proto):
//
//     u64 length | u32 mask(crc32c(length)) | message | u32 mask(crc32c(message))
//     mask(crc) = (crc rotated right by 15) + 0xa282ead8
//
//     Event          1: double wall_time   2: int64 step   3: string file_version   5: Summary
//     Summary        1: Summary.Value
//     Summary.Value  1: string tag         2: float simple_value
//
// Protobuf puts (field number << 3 | wire type) before each field: 0 a varint, 1 eight bytes, 2 a
// length and as many bytes, 5 four bytes. Three messages need no library.
#include "formats/tensorboard.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "event files are little-endian");

enum { HOST_BYTES = 256, NAMES_MAX = 1000, MESSAGE_MAX = EVENT_TAG_MAX + 64 };

struct EventWriter {
    int descriptor;
    off_t size; // whole records
    char *path;
};

// By half bytes: sixteen entries, and records are short.
uint32_t crc32c(const void *bytes, size_t size) {
    static const uint32_t TABLE[16] = {
        0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1, 0x417b1dbc, 0x5125dad3,
        0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
        0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
    };
    const unsigned char *from = bytes;
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < size; i++) {
        crc ^= from[i];
        crc = crc >> 4 ^ TABLE[crc & 15];
        crc = crc >> 4 ^ TABLE[crc & 15];
    }
    return ~crc;
}

static uint32_t masked_crc(const void *bytes, size_t size) {
    uint32_t crc = crc32c(bytes, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

typedef struct Message {
    unsigned char bytes[MESSAGE_MAX];
    size_t size;
} Message;

static void put_bytes(Message *message, const void *bytes, size_t size) {
    assert(size <= sizeof message->bytes - message->size);
    memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

static void put_varint(Message *message, uint64_t value) {
    do {
        unsigned char byte = (unsigned char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        put_bytes(message, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

static void put_key(Message *message, int field, int wire_type) {
    put_varint(message, (uint64_t)(field << 3 | wire_type));
}

static void put_double(Message *message, int field, double value) {
    put_key(message, field, 1);
    put_bytes(message, &value, sizeof value);
}

static void put_float(Message *message, int field, float value) {
    put_key(message, field, 5);
    put_bytes(message, &value, sizeof value);
}

// A string or an inner message.
static void put_block(Message *message, int field, const void *bytes, size_t size) {
    put_key(message, field, 2);
    put_varint(message, size);
    put_bytes(message, bytes, size);
}

static double wall_time(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static Status write_record(EventWriter *writer, const Message *message) {
    unsigned char record[sizeof(uint64_t) + 2 * sizeof(uint32_t) + MESSAGE_MAX];
    uint64_t length = message->size;
    memcpy(record, &length, 8);
    uint32_t crc = masked_crc(record, 8);
    memcpy(record + 8, &crc, 4);
    memcpy(record + 12, message->bytes, message->size);
    crc = masked_crc(message->bytes, message->size);
    memcpy(record + 12 + message->size, &crc, 4);

    size_t size = message->size + 16, written = 0;
    while (written < size) {
        ssize_t result = write(writer->descriptor, record + written, size - written);
        if (result < 0 && errno == EINTR) {
            continue;
        }
        if (result <= 0) {
            int error = result < 0 ? errno : ENOSPC;
            // TensorBoard stops at a record that is cut short, so that later ones would be lost.
            if (ftruncate(writer->descriptor, writer->size) != 0) {
                error = errno;
            }
            return status_fail(STATUS_FAILED, "%s: cannot be written (%s)", writer->path,
                               strerror(error));
        }
        written += (size_t)result;
    }
    writer->size += (off_t)size;
    return STATUS_OK;
}

// Opens a file that is not there yet.
static Status create_file(EventWriter *writer, const char *directory) {
    char host[HOST_BYTES];
    if (gethostname(host, sizeof host) != 0) {
        strcpy(host, "localhost");
    }
    host[sizeof host - 1] = '\0';
    long long seconds = (long long)time(NULL);
    for (int copy = 0; copy < NAMES_MAX; copy++) {
        char suffix[16] = "";
        if (copy > 0) {
            snprintf(suffix, sizeof suffix, ".%d", copy);
        }
        if (asprintf(&writer->path, "%s/events.out.tfevents.%010lld.%s%s", directory, seconds, host,
                     suffix) < 0) {
            writer->path = NULL;
            return status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", directory);
        }
        writer->descriptor =
            open(writer->path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
        if (writer->descriptor >= 0) {
            return STATUS_OK;
        }
        if (errno != EEXIST) {
            break;
        }
        free(writer->path);
        writer->path = NULL;
    }
    return status_fail(STATUS_FAILED, "%s: cannot be written (%s)",
                       writer->path != NULL ? writer->path : directory, strerror(errno));
}

Status event_writer_open(const char *directory, EventWriter **out) {
    *out = NULL;
    EventWriter *writer = calloc(1, sizeof *writer);
    if (writer == NULL) {
        return status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", directory);
    }
    writer->descriptor = -1;
    Status status = create_file(writer, directory);
    if (status == STATUS_OK) {
        static const char VERSION[] = "brain.Event:2";
        Message event = {.size = 0};
        put_double(&event, 1, wall_time());
        put_block(&event, 3, VERSION, sizeof VERSION - 1);
        status = write_record(writer, &event);
    }
    if (status != STATUS_OK) {
        event_writer_close(writer);
        return status;
    }
    *out = writer;
    return STATUS_OK;
}

Status event_writer_scalar(EventWriter *writer, int64_t step, const char *tag, float value) {
    size_t tag_size = strlen(tag);
    assert(tag_size > 0 && tag_size <= EVENT_TAG_MAX);
    Message scalar = {.size = 0}, summary = {.size = 0}, event = {.size = 0};
    put_block(&scalar, 1, tag, tag_size);
    put_float(&scalar, 2, value);
    put_block(&summary, 1, scalar.bytes, scalar.size);
    put_double(&event, 1, wall_time());
    put_key(&event, 2, 0);
    put_varint(&event, (uint64_t)step);
    put_block(&event, 5, summary.bytes, summary.size);
    return write_record(writer, &event);
}

void event_writer_close(EventWriter *writer) {
    if (writer == NULL) {
        return;
    }
    if (writer->descriptor >= 0) {
        close(writer->descriptor);
    }
    free(writer->path);
    free(writer);
}
