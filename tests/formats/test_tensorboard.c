// SPDX-License-Identifier: Apache-2.0
// Event files: the checksum's known answers, the frames, and the messages read back field by field.
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/files.h"
#include "formats/folder.h"
#include "formats/tensorboard.h"

static void test_crc32c(void **state) {
    (void)state;
    assert_int_equal(crc32c("", 0), 0);
    assert_int_equal(crc32c("123456789", 9), 0xe3069283);
    assert_int_equal(crc32c("a", 1), 0xc1d04330);
    // RFC 3720, B.4.
    unsigned char bytes[32];
    memset(bytes, 0, sizeof bytes);
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x62a8ab43);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)i;
    }
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x46dd794e);
    for (int i = 0; i < 32; i++) {
        bytes[i] = (unsigned char)(31 - i);
    }
    assert_int_equal(crc32c(bytes, sizeof bytes), 0x113fdb5c);
}

// A reader of messages, independent of the writer.
typedef struct Reader {
    const uint8_t *at, *end;
} Reader;

static uint64_t read_varint(Reader *reader) {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
        assert_true(reader->at < reader->end && shift < 70);
        uint8_t byte = *reader->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return value;
        }
    }
}

static void read_bytes(Reader *reader, void *out, size_t size) {
    assert_true((size_t)(reader->end - reader->at) >= size);
    memcpy(out, reader->at, size);
    reader->at += size;
}

static void expect_key(Reader *reader, unsigned field, unsigned wire_type) {
    assert_int_equal(read_varint(reader), field << 3 | wire_type);
}

static Reader read_block(Reader *reader, unsigned field) {
    expect_key(reader, field, 2);
    uint64_t size = read_varint(reader);
    assert_true(size <= (size_t)(reader->end - reader->at));
    Reader block = {reader->at, reader->at + size};
    reader->at += size;
    return block;
}

static uint32_t mask(uint32_t crc) { return (crc >> 15 | crc << 17) + 0xa282ead8; }

static Reader read_record(Reader *file) {
    uint64_t length;
    uint32_t crc;
    const uint8_t *start = file->at;
    read_bytes(file, &length, 8);
    read_bytes(file, &crc, 4);
    assert_int_equal(crc, mask(crc32c(start, 8)));
    assert_true(length <= (size_t)(file->end - file->at));
    Reader record = {file->at, file->at + length};
    file->at += length;
    read_bytes(file, &crc, 4);
    assert_int_equal(crc, mask(crc32c(record.at, length)));
    return record;
}

static void expect_wall_time(Reader *event) {
    double seconds;
    expect_key(event, 1, 1);
    read_bytes(event, &seconds, 8);
    assert_true(seconds > (double)time(NULL) - 600 && seconds < (double)time(NULL) + 600);
}

static void expect_version(Reader *file) {
    Reader event = read_record(file);
    expect_wall_time(&event);
    Reader version = read_block(&event, 3);
    assert_int_equal(version.end - version.at, 13);
    assert_memory_equal(version.at, "brain.Event:2", 13);
    assert_ptr_equal(event.at, event.end);
}

static void expect_scalar(Reader *file, int64_t step, const char *tag, float value) {
    Reader event = read_record(file);
    expect_wall_time(&event);
    expect_key(&event, 2, 0);
    assert_int_equal(read_varint(&event), (uint64_t)step);
    Reader summary = read_block(&event, 5);
    Reader scalar = read_block(&summary, 1);
    Reader name = read_block(&scalar, 1);
    assert_int_equal(name.end - name.at, strlen(tag));
    assert_memory_equal(name.at, tag, strlen(tag));
    expect_key(&scalar, 2, 5);
    float found;
    read_bytes(&scalar, &found, 4);
    assert_memory_equal(&found, &value, 4);
    assert_ptr_equal(scalar.at, scalar.end);
    assert_ptr_equal(summary.at, summary.end);
    assert_ptr_equal(event.at, event.end);
}

static const char *only_folder(const void *state, const char *name) {
    const char *path = folder_path(state, name);
    assert_int_equal(mkdir(path, 0777), 0);
    return path;
}

// The names of a folder in order; returns how many.
static int list(const char *path, char names[][256], int most) {
    struct dirent **entries;
    int found = scandir(path, &entries, NULL, alphasort), count = 0;
    assert_true(found >= 0);
    for (int i = 0; i < found; i++) {
        if (entries[i]->d_name[0] != '.') {
            assert_true(count < most);
            snprintf(names[count++], 256, "%s", entries[i]->d_name);
        }
        free(entries[i]);
    }
    free(entries);
    return count;
}

static void test_records(void **state) {
    char folder[512], names[4][256], path[1024];
    snprintf(folder, sizeof folder, "%s", only_folder(*state, "records"));
    char longest[EVENT_TAG_MAX + 1];
    memset(longest, 't', EVENT_TAG_MAX);
    longest[EVENT_TAG_MAX] = '\0';

    EventWriter *writer;
    assert_int_equal(event_writer_open(folder, &writer), STATUS_OK);
    assert_int_equal(event_writer_scalar(writer, 0, "train/loss", 2.5f), STATUS_OK);
    assert_int_equal(event_writer_scalar(writer, 300, "test/top1", -0.0f), STATUS_OK);
    assert_int_equal(event_writer_scalar(writer, INT64_MAX, longest, 1e-40f), STATUS_OK);
    assert_int_equal(event_writer_scalar(writer, -1, "n", 1.0f), STATUS_OK);

    // Read before it is closed: a record is there when the call returns.
    assert_int_equal(list(folder, names, 4), 1);
    assert_memory_equal(names[0], "events.out.tfevents.", 20);
    snprintf(path, sizeof path, "%s/%s", folder, names[0]);
    FileBytes bytes;
    assert_int_equal(file_map(path, &bytes), STATUS_OK);
    Reader file = {bytes.bytes, bytes.bytes + bytes.size};
    expect_version(&file);
    expect_scalar(&file, 0, "train/loss", 2.5f);
    expect_scalar(&file, 300, "test/top1", -0.0f);
    expect_scalar(&file, INT64_MAX, longest, 1e-40f);
    expect_scalar(&file, -1, "n", 1.0f);
    assert_ptr_equal(file.at, file.end);
    file_unmap(&bytes);
    event_writer_close(writer);
    event_writer_close(NULL);
}

static void test_same_second(void **state) {
    char folder[512], names[3][256];
    snprintf(folder, sizeof folder, "%s", only_folder(*state, "second"));
    for (int i = 0; i < 3; i++) {
        EventWriter *writer;
        assert_int_equal(event_writer_open(folder, &writer), STATUS_OK);
        event_writer_close(writer);
    }
    assert_int_equal(list(folder, names, 3), 3);
}

static void test_refusals(void **state) {
    EventWriter *writer;
    const char *folder = folder_path(*state, "missing");
    assert_int_equal(event_writer_open(folder, &writer), STATUS_FAILED);
    assert_null(writer);
    assert_memory_equal(status_message(), folder, strlen(folder));
    assert_non_null(strstr(status_message(), ": cannot be written (No such file or directory)"));
}

// A record that does not fit any more leaves none of its bytes behind.
static void test_full_disk(void **state) {
    char folder[512], names[2][256], path[1024];
    snprintf(folder, sizeof folder, "%s", only_folder(*state, "full"));
    EventWriter *writer;
    assert_int_equal(event_writer_open(folder, &writer), STATUS_OK);
    assert_int_equal(event_writer_scalar(writer, 1, "a", 1.0f), STATUS_OK);
    assert_int_equal(list(folder, names, 2), 1);
    snprintf(path, sizeof path, "%s/%s", folder, names[0]);
    struct stat info;
    assert_int_equal(stat(path, &info), 0);

    struct rlimit before, limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = (rlim_t)info.st_size + 10;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    Status status = event_writer_scalar(writer, 2, "a", 2.0f);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, STATUS_FAILED);
    char expected[1200];
    snprintf(expected, sizeof expected, "%s: cannot be written (File too large)", path);
    assert_string_equal(status_message(), expected);

    assert_int_equal(event_writer_scalar(writer, 3, "a", 3.0f), STATUS_OK);
    event_writer_close(writer);
    FileBytes bytes;
    assert_int_equal(file_map(path, &bytes), STATUS_OK);
    Reader file = {bytes.bytes, bytes.bytes + bytes.size};
    expect_version(&file);
    expect_scalar(&file, 1, "a", 1.0f);
    expect_scalar(&file, 3, "a", 3.0f);
    assert_ptr_equal(file.at, file.end);
    file_unmap(&bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crc32c),      cmocka_unit_test(test_records),
        cmocka_unit_test(test_same_second), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_full_disk),
    };
    return cmocka_run_group_tests_name("formats.tensorboard", tests, folder_create, folder_remove);
}
