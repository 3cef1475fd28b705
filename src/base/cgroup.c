// SPDX-License-Identifier: Apache-2.0
// /proc/self/cgroup has a line "NUMBER:CONTROLLERS:PATH" for each hierarchy. Version 2's has no
// controllers and lies at /sys/fs/cgroup; of version 1 the one with the controller "cpu" counts, at
// /sys/fs/cgroup/cpu. A quota holds for everything below, so the least one up to the mount does.
// In a container PATH may be one outside, which is not there: only the mount itself says something.
#include "base/cgroup.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct CgroupPath {
    char text[PATH_MAX];
} CgroupPath;

// Reads up to two numbers of a small file; "max" reads as -1. Returns how many were read.
static int read_numbers(const char *folder, const char *name, long long *first, long long *second) {
    CgroupPath path;
    snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
    FILE *file = fopen(path.text, "r");
    if (file == NULL) {
        return 0;
    }
    char text[64] = "";
    int count = 0;
    if (fgets(text, sizeof text, file) != NULL) {
        if (strncmp(text, "max", 3) == 0) {
            *first = -1;
            count = 1;
        } else {
            count = sscanf(text, "%lld %lld", first, second);
        }
    }
    fclose(file);
    return count;
}

// CPUs by one folder's own quota, of either version, rounded up; INT_MAX for no limit.
static int folder_cpus(const char *folder) {
    long long quota = -1, period = 0;
    if (read_numbers(folder, "cpu.max", &quota, &period) != 2 &&
        (read_numbers(folder, "cpu.cfs_quota_us", &quota, &period) != 1 ||
         read_numbers(folder, "cpu.cfs_period_us", &period, &period) != 1)) {
        return INT_MAX;
    }
    if (quota <= 0 || period <= 0) {
        return INT_MAX;
    }
    long long cpus = quota / period + (quota % period != 0);
    return cpus < INT_MAX ? (int)cpus : INT_MAX;
}

// The least from MOUNT/path up to MOUNT.
static int least_cpus(const char *root, const char *mount, const char *path) {
    CgroupPath folder;
    int length = snprintf(folder.text, sizeof folder.text, "%s%s", root, mount);
    if (length >= (int)sizeof folder.text) {
        return INT_MAX;
    }
    snprintf(folder.text + length, sizeof folder.text - (size_t)length, "%s", path);
    int least = folder_cpus(folder.text);
    for (char *end; (end = strrchr(folder.text + length, '/')) != NULL;) {
        *end = '\0';
        int cpus = folder_cpus(folder.text);
        least = cpus < least ? cpus : least;
    }
    return least;
}

static bool list_has(const char *list, const char *word) {
    size_t length = strlen(word);
    while (*list != '\0') {
        size_t item = strcspn(list, ",");
        if (item == length && strncmp(list, word, length) == 0) {
            return true;
        }
        list += item + (list[item] == ',');
    }
    return false;
}

// Where the hierarchy with these controllers is mounted; NULL: it has no quota.
static const char *mount_of(const char *controllers) {
    return *controllers == '\0'           ? "/sys/fs/cgroup"
           : list_has(controllers, "cpu") ? "/sys/fs/cgroup/cpu"
                                          : NULL;
}

int cgroup_cpus(const char *root) {
    CgroupPath path;
    char line[PATH_MAX];
    int least = INT_MAX;
    snprintf(path.text, sizeof path.text, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path.text, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':');
        char *own = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
        if (own != NULL) {
            *own = '\0';
            const char *mount = mount_of(controllers + 1);
            int cpus = mount != NULL ? least_cpus(root, mount, own + 1) : INT_MAX;
            least = cpus < least ? cpus : least;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return least < INT_MAX ? least : 0;
}
