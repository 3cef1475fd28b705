// SPDX-License-Identifier: Apache-2.0
#include "data/stream.h"

#include <string.h>

enum { GZIP_ONLY = 15 + 16 }; // zlib: the largest window, with gzip's header and checksum

static bool begins_as_gzip(const DataFile *file, size_t position) {
    const FileBytes *content = &file->content;
    return content->size - position >= 2 && content->bytes[position] == 0x1f &&
           content->bytes[position + 1] == 0x8b;
}

Status stream_open(const DataFile *file, Stream *out) {
    *out = (Stream){.file = file, .gzipped = begins_as_gzip(file, 0)};
    if (out->gzipped && inflateInit2(&out->inflater, GZIP_ONLY) != Z_OK) {
        out->gzipped = false;
        return status_fail(STATUS_FAILED, "%s: cannot be decompressed (out of memory)", file->path);
    }
    return STATUS_OK;
}

void stream_close(Stream *stream) {
    if (stream->gzipped) {
        inflateEnd(&stream->inflater);
    }
    *stream = (Stream){0};
}

// What follows a complete gzip member: nothing, or another one (the format allows several).
static Status member_end(Stream *stream) {
    const DataFile *file = stream->file;
    if (stream->position == file->content.size) {
        stream->ended = true;
    } else if (begins_as_gzip(file, stream->position)) {
        inflateReset(&stream->inflater);
    } else {
        return status_fail(STATUS_FAILED,
                           "%s: %zu bytes follow the gzip data that ends at byte %zu", file->path,
                           file->content.size - stream->position, stream->position);
    }
    return STATUS_OK;
}

static Status expand(Stream *stream, uint8_t *buffer, size_t wanted, size_t *got) {
    const DataFile *file = stream->file;
    z_stream *inflater = &stream->inflater;
    while (*got < wanted && !stream->ended) {
        // zlib counts in 32 bits.
        const size_t most = (size_t)1 << 30;
        size_t given = file->content.size - stream->position;
        size_t room = wanted - *got;
        given = given < most ? given : most;
        room = room < most ? room : most;
        inflater->next_in = (Bytef *)file->content.bytes + stream->position;
        inflater->avail_in = (uInt)given;
        inflater->next_out = buffer + *got;
        inflater->avail_out = (uInt)room;
        int code = inflate(inflater, Z_NO_FLUSH);
        stream->position += given - inflater->avail_in;
        *got += room - inflater->avail_out;
        if (code == Z_STREAM_END) {
            TRY(member_end(stream));
        } else if (code == Z_MEM_ERROR) {
            return status_fail(STATUS_FAILED, "%s: cannot be decompressed (out of memory)",
                               file->path);
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            return status_fail(STATUS_FAILED, "%s: gzip data is damaged near byte %zu (%s)",
                               file->path, stream->position,
                               inflater->msg != NULL ? inflater->msg : "not gzip");
        } else if (inflater->avail_out > 0 && stream->position == file->content.size) {
            return status_fail(STATUS_FAILED, "%s: gzip data is cut off after %zu bytes",
                               file->path, file->content.size);
        }
    }
    return STATUS_OK;
}

Status stream_read(Stream *stream, void *buffer, size_t wanted, size_t *got) {
    *got = 0;
    if (stream->gzipped) {
        return expand(stream, buffer, wanted, got);
    }
    const FileBytes *content = &stream->file->content;
    size_t left = content->size - stream->position;
    *got = wanted < left ? wanted : left;
    if (*got > 0) {
        memcpy(buffer, content->bytes + stream->position, *got);
        stream->position += *got;
    }
    return STATUS_OK;
}
