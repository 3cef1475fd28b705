// SPDX-License-Identifier: Apache-2.0
// A folder for a test's files: made before the group's first test, removed after its last one.
#ifndef RESNET_TESTS_FORMATS_FOLDER_H
#define RESNET_TESTS_FORMATS_FOLDER_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static inline int folder_create(void **state) {
    static char folder[256];
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/resnet-test-XXXXXX", parent != NULL ? parent : "/tmp");
    *state = mkdtemp(folder);
    return *state != NULL ? 0 : -1;
}

static inline int folder_remove_one(const char *path, const struct stat *info, int type,
                                    struct FTW *walk) {
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static inline int folder_remove(void **state) {
    return nftw(*state, folder_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

// A path in the folder, valid until the second call after this one.
static inline const char *folder_path(const void *folder, const char *name) {
    static char paths[2][512];
    static int next;
    next = 1 - next;
    snprintf(paths[next], sizeof paths[next], "%s/%s", (const char *)folder, name);
    return paths[next];
}

#endif
