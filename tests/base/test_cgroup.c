// SPDX-License-Identifier: Apache-2.0
// CPU quotas in made-up trees of /proc and /sys.
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

#include "base/cgroup.h"
#include "base/cpu.h"

enum { FILES = 6 };

typedef struct Tree {
    const char *meaning;
    int cpus;
    struct {
        const char *path, *text;
    } files[FILES];
} Tree;

#define SELF "/proc/self/cgroup"
#define CGROUP "/sys/fs/cgroup"

static const Tree TREES[] = {
    {"nothing there", 0, {{NULL, NULL}}},
    {"no quota at the root", 0, {{SELF, "0::/\n"}, {CGROUP "/cgroup.procs", "1\n"}}},
    {"v2, a container's root", 3, {{SELF, "0::/\n"}, {CGROUP "/cpu.max", "250000 100000\n"}}},
    {"v2, unlimited", 0, {{SELF, "0::/a\n"}, {CGROUP "/a/cpu.max", "max 100000\n"}}},
    {"v2, the own one", 2, {{SELF, "0::/a/b\n"}, {CGROUP "/a/b/cpu.max", "200000 100000\n"}}},
    {"v2, half a CPU is one", 1, {{SELF, "0::/a\n"}, {CGROUP "/a/cpu.max", "50000 100000\n"}}},
    {"v2, the least is above",
     4,
     {{SELF, "0::/a.slice/b.scope/c\n"},
      {CGROUP "/a.slice/b.scope/c/cpu.max", "max 100000\n"},
      {CGROUP "/a.slice/b.scope/cpu.max", "800000 100000\n"},
      {CGROUP "/a.slice/cpu.max", "400000 100000\n"},
      {CGROUP "/cpu.max", "600000 100000\n"}}},
    {"v2, others' quotas do not count",
     0,
     {{SELF, "0::/a\n"}, {CGROUP "/a/b/cpu.max", "1 1\n"}, {CGROUP "/c/cpu.max", "1 1\n"}}},
    {"v2, a path of outside the container",
     2,
     {{SELF, "0::/docker/0123\n"}, {CGROUP "/cpu.max", "200000 100000\n"}}},
    {"v1, the own one",
     3,
     {{SELF, "5:memory:/m\n4:cpu,cpuacct:/a/b\n3:cpuset:/\n0::/\n"},
      {CGROUP "/cpu/a/b/cpu.cfs_quota_us", "300000\n"},
      {CGROUP "/cpu/a/b/cpu.cfs_period_us", "100000\n"},
      {CGROUP "/cpu/m/cpu.cfs_quota_us", "100000\n"},
      {CGROUP "/cpu/m/cpu.cfs_period_us", "100000\n"}}},
    {"v1, above, -1 is no limit",
     2,
     {{SELF, "4:cpuacct,cpu:/a\n"},
      {CGROUP "/cpu/a/cpu.cfs_quota_us", "-1\n"},
      {CGROUP "/cpu/a/cpu.cfs_period_us", "100000\n"},
      {CGROUP "/cpu/cpu.cfs_quota_us", "15000\n"},
      {CGROUP "/cpu/cpu.cfs_period_us", "10000\n"}}},
    {"v1, only the controller cpu",
     0,
     {{SELF, "3:cpuset:/a\n2:cpuacct:/a\n"},
      {CGROUP "/cpu/a/cpu.cfs_quota_us", "100000\n"},
      {CGROUP "/cpu/a/cpu.cfs_period_us", "100000\n"}}},
    {"what makes no sense",
     0,
     {{SELF, "nonsense\n0:\n0::/a\n"},
      {CGROUP "/a/cpu.max", "100000 0\n"},
      {CGROUP "/cpu.max", "9223372036854775807 1\n"}}},
};

static char root[64];

// A file with all folders above it.
static void put(const char *path, const char *text) {
    char whole[512];
    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(whole, 0777);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void trees(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof TREES / sizeof TREES[0]; i++) {
        snprintf(root, sizeof root, P_tmpdir "/resnet-test-XXXXXX");
        assert_non_null(mkdtemp(root));
        for (int f = 0; f < FILES && TREES[i].files[f].path != NULL; f++) {
            put(TREES[i].files[f].path, TREES[i].files[f].text);
        }
        int found = cgroup_cpus(root);
        char command[128];
        snprintf(command, sizeof command, "rm -rf %s", root);
        assert_int_equal(system(command), 0);
        if (found != TREES[i].cpus) {
            fail_msg("%s: %d CPUs, expected %d", TREES[i].meaning, found, TREES[i].cpus);
        }
    }
}

static void this_system(void **state) {
    (void)state;
    int quota = cgroup_cpus("");
    assert_true(quota >= 0);
    assert_true(cpu_count() >= 1);
    assert_true(quota == 0 || cpu_count() <= quota);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(trees), cmocka_unit_test(this_system)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
