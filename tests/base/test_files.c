// SPDX-License-Identifier: Apache-2.0
// Files: mapping, folders, and writing beside so that what was there stays whole; status sentences;
// arenas and blocks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/cpu.h"
#include "base/files.h"

static char folder[64];

static const char *in_folder(const char *name) {
    static char paths[4][256];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int set_up(void **state) {
    (void)state;
    snprintf(folder, sizeof folder, P_tmpdir "/resnet-test-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int clean_up(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void write_text(const char *path, const char *text) {
    FileWriter *writer = NULL;
    assert_int_equal(file_writer_open(path, &writer), STATUS_OK);
    file_writer_print(writer, "%s", text);
    assert_int_equal(file_writer_commit(writer), STATUS_OK);
}

static void assert_text(const char *path, const char *text) {
    FileBytes file;
    assert_int_equal(file_map(path, &file), STATUS_OK);
    assert_int_equal(file.size, strlen(text));
    if (file.size > 0) {
        assert_memory_equal(file.bytes, text, file.size);
    } else {
        assert_null(file.bytes);
    }
    file_unmap(&file);
    assert_null(file.bytes);
}

static void assert_message(Status status, const char *first, const char *second) {
    assert_int_equal(status, STATUS_FAILED);
    if (strstr(status_message(), first) == NULL || strstr(status_message(), second) == NULL) {
        fail_msg("\"%s\" names neither %s nor %s", status_message(), first, second);
    }
    assert_null(strchr(status_message(), '\n'));
}

static void test_write_and_map(void **state) {
    (void)state;
    const char *path = in_folder("file");
    const char *partial = in_folder("file.partial");
    assert_false(file_exists(path));
    write_text(path, "first");
    assert_true(file_exists(path));
    assert_false(file_exists(partial));
    assert_text(path, "first");

    FileWriter *writer = NULL;
    assert_int_equal(file_writer_open(path, &writer), STATUS_OK);
    file_writer_write(writer, "sec", 3);
    file_writer_write(writer, NULL, 0);
    file_writer_print(writer, "%s%d", "ond ", 2);
    assert_true(file_exists(partial));
    assert_text(path, "first"); // until the commit
    assert_int_equal(file_writer_commit(writer), STATUS_OK);
    assert_text(path, "second 2");

    assert_int_equal(file_writer_open(path, &writer), STATUS_OK);
    file_writer_write(writer, "third", 5);
    file_writer_abandon(writer);
    file_writer_abandon(NULL);
    assert_text(path, "second 2");
    assert_false(file_exists(partial));

    write_text(in_folder("empty"), "");
    assert_text(in_folder("empty"), "");
}

// More than a stream's buffer, so that the bytes go out in several writes.
static void test_large(void **state) {
    (void)state;
    enum { BYTES = 1 << 20 };
    uint8_t *bytes = malloc(BYTES);
    assert_non_null(bytes);
    for (int i = 0; i < BYTES; i++) {
        bytes[i] = (uint8_t)(i * 31 >> 3);
    }
    FileWriter *writer = NULL;
    assert_int_equal(file_writer_open(in_folder("large"), &writer), STATUS_OK);
    for (int i = 0; i < BYTES; i += 4096 / 4) {
        file_writer_write(writer, bytes + i, 4096 / 4);
    }
    assert_int_equal(file_writer_commit(writer), STATUS_OK);
    FileBytes file;
    assert_int_equal(file_map(in_folder("large"), &file), STATUS_OK);
    assert_int_equal(file.size, BYTES);
    assert_memory_equal(file.bytes, bytes, BYTES);
    file_unmap(&file);
    free(bytes);
}

static void test_map_refusals(void **state) {
    (void)state;
    FileBytes file;
    assert_message(file_map(in_folder("missing"), &file), "missing", "No such file");
    assert_null(file.bytes);
    assert_message(file_map(folder, &file), folder, "folder");
    assert_message(file_map("/dev/null", &file), "/dev/null", "device");
}

static void test_write_refusals(void **state) {
    (void)state;
    FileWriter *writer = NULL;
    assert_message(file_writer_open(in_folder("none/file"), &writer), "none/file", "No such file");
    assert_null(writer);
    // What stands there and is no file is never replaced: neither a folder nor a device.
    assert_int_equal(directory_create(in_folder("taken")), STATUS_OK);
    assert_message(file_writer_open(in_folder("taken"), &writer), "taken", "not a file");
    assert_null(writer);
    assert_false(file_exists(in_folder("taken.partial")));
    assert_true(directory_exists(in_folder("taken")));
    assert_message(file_writer_open("/dev/null", &writer), "/dev/null", "not a file");
    // A folder that appears meanwhile: the rename fails and the partial file goes.
    assert_int_equal(file_writer_open(in_folder("late"), &writer), STATUS_OK);
    assert_int_equal(directory_create(in_folder("late")), STATUS_OK);
    assert_message(file_writer_commit(writer), "late", "directory");
    assert_false(file_exists(in_folder("late.partial")));
}

// A disk that is full from the first byte: the old file stays.
static void test_full_disk(void **state) {
    (void)state;
    const char *path = in_folder("full"), *partial = in_folder("full.partial");
    write_text(path, "kept");
    assert_int_equal(symlink("/dev/full", partial), 0);
    FileWriter *writer = NULL;
    if (file_writer_open(path, &writer) != STATUS_OK) {
        skip(); // a container without /dev/full
    }
    file_writer_write(writer, "lost", 4);
    assert_message(file_writer_commit(writer), "full", "No space");
    assert_text(path, "kept");
}

static void test_directories(void **state) {
    (void)state;
    const char *path = in_folder("a/b//c");
    assert_int_equal(directory_create(path), STATUS_OK);
    assert_true(directory_exists(path));
    assert_int_equal(directory_create(path), STATUS_OK);
    assert_int_equal(directory_create(in_folder("a/b/d/")), STATUS_OK);
    assert_true(directory_exists(in_folder("a/b/d")));
    assert_int_equal(directory_create("/"), STATUS_OK);
    assert_message(directory_create(""), "cannot be made", "No such file");
    write_text(in_folder("a/file"), "x");
    assert_message(directory_create(in_folder("a/file")), "a/file", "a file of that name");
    assert_message(directory_create(in_folder("a/file/b")), "a/file", "a file of that name");
    assert_false(directory_exists(in_folder("a/file")));
    assert_false(file_exists(in_folder("a")));
}

static void test_read_only_folder(void **state) {
    (void)state;
    if (geteuid() == 0) {
        skip(); // the superuser may write everywhere
    }
    const char *path = in_folder("locked");
    assert_int_equal(mkdir(path, 0500), 0);
    assert_message(directory_create(in_folder("locked/inner")), "locked/inner",
                   "Permission denied");
    FileWriter *writer = NULL;
    assert_message(file_writer_open(in_folder("locked/file"), &writer), "locked/file",
                   "Permission denied");
}

static void test_status(void **state) {
    (void)state;
    assert_int_equal(status_fail(STATUS_USAGE, "%d things", 3), STATUS_USAGE);
    assert_string_equal(status_message(), "3 things");
    assert_int_equal(status_context(STATUS_FAILED, "file %s", "x"), STATUS_FAILED);
    assert_string_equal(status_message(), "file x: 3 things");
    // The old sentence may be an argument.
    status_fail(STATUS_FAILED, "again %s", status_message());
    assert_string_equal(status_message(), "again file x: 3 things");
    char text[3000];
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    status_fail(STATUS_FAILED, "%s", text);
    assert_int_equal(strlen(status_message()), 1023);
    status_context(STATUS_FAILED, "%s", text);
    assert_int_equal(strlen(status_message()), 1023);
}

static void test_arena(void **state) {
    (void)state;
    Arena *arena = arena_create();
    assert_non_null(arena);
    uint8_t *last = NULL;
    for (size_t bytes = 1; bytes < 300000; bytes = bytes * 2 + 1) {
        uint8_t *memory = arena_alloc(arena, bytes);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % 16, 0);
        assert_true(memory != last);
        for (size_t i = 0; i < bytes; i++) {
            assert_int_equal(memory[i], 0);
        }
        memset(memory, 0xff, bytes);
        last = memory;
    }
    assert_null(arena_alloc(arena, SIZE_MAX));
    assert_string_equal(arena_format(arena, "layer%d.%s", 3, "conv"), "layer3.conv");
    arena_destroy(arena);
    arena_destroy(NULL);
}

static void test_block(void **state) {
    (void)state;
    const size_t sizes[] = {1, 63, 64, 100000, (size_t)5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        void *block = NULL;
        assert_int_equal(block_alloc(sizes[i], "a test", &block), STATUS_OK);
        assert_int_equal((uintptr_t)block % BLOCK_ALIGNMENT, 0);
        for (size_t k = 0; k < sizes[i]; k += 97) {
            assert_int_equal(((uint8_t *)block)[k], 0);
        }
        memset(block, 0xff, sizes[i]);
        block_free(block);
    }
    void *block = (void *)sizes;
    assert_int_equal(block_alloc(0, "nothing", &block), STATUS_OK);
    assert_null(block);
    block_free(block);
    assert_message(block_alloc(SIZE_MAX - 5, "the universe", &block), "the universe", "MB");
    assert_null(block);
}

static void test_cpu(void **state) {
    (void)state;
    assert_true(cpu_count() >= 1);
    assert_true(strlen(cpu_name()) > 0);
    assert_true(isa_supported(ISA_PORTABLE));
    for (int isa = 0; isa < ISA_COUNT; isa++) {
        assert_non_null(isa_name((Isa)isa));
    }
    assert_null(isa_name(ISA_COUNT));
    assert_false(isa_supported(ISA_COUNT));
}

static void test_clock(void **state) {
    (void)state;
    double last = clock_seconds();
    for (int i = 0; i < 1000; i++) {
        double now = clock_seconds();
        assert_true(now >= last);
        last = now;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write_and_map),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_map_refusals),
        cmocka_unit_test(test_write_refusals),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_read_only_folder),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_cpu),
        cmocka_unit_test(test_clock),
    };
    return cmocka_run_group_tests(tests, set_up, clean_up);
}
