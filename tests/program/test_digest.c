// SPDX-License-Identifier: Apache-2.0
// SHA-256 against FIPS 180-4's examples, and at the lengths where the padding changes its form.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "console/failure.h"
#include "paper/digest.h"

// The digest of `count` letters `letter`.
static void expect_letters(char letter, size_t count, const char *expected) {
    char path[] = "/tmp/digest-XXXXXX", text[DIGEST_TEXT];
    FILE *file = fdopen(mkstemp(path), "wb");
    assert_non_null(file);
    for (size_t i = 0; i < count; i++) {
        fputc(letter, file);
    }
    fclose(file);
    assert_int_equal(digest_file(path, text), RESNET_OK);
    assert_string_equal(text, expected);
    unlink(path);
}

static void known_digests(void **state) {
    (void)state;
    expect_letters('a', 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_letters('a', 1, "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb");
    expect_letters('a', 55, "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
    expect_letters('a', 56, "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
    expect_letters('a', 64, "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
    expect_letters('a', 1000000,
                   "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void missing_file(void **state) {
    (void)state;
    char text[DIGEST_TEXT];
    assert_int_equal(digest_file("/nowhere/weights", text), RESNET_FAILED);
    assert_string_equal(failure_sentence(),
                        "/nowhere/weights: cannot open: No such file or directory");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
