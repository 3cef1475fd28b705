// SPDX-License-Identifier: Apache-2.0
#include "console/folder.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "console/failure.h"

resnet_status folder_make(const char *path) {
    char part[PATH_MAX];
    const size_t length = strlen(path);
    if (length >= sizeof part) {
        return failure_say(RESNET_FAILED, "%s: the path is too long", path);
    }
    for (size_t i = 1; i <= length; i++) {
        if (path[i] == '/' || path[i] == '\0') {
            memcpy(part, path, i);
            part[i] = '\0';
            if (mkdir(part, 0777) != 0 && errno != EEXIST) {
                return failure_say(RESNET_FAILED, "%s: cannot make the folder: %s", part,
                                   strerror(errno));
            }
        }
    }
    return RESNET_OK;
}
