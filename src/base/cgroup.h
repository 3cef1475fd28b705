// SPDX-License-Identifier: Apache-2.0
// How much of the CPUs the process's cgroup gets: containers and batch systems limit time, not
// which CPUs are seen.
#ifndef RESNET_BASE_CGROUP_H
#define RESNET_BASE_CGROUP_H

// CPUs that the quotas of the process's own cgroup and of all above it allow, rounded up; 0: no
// limit. Reads ROOT/proc/self/cgroup and below ROOT/sys/fs/cgroup; root "": this system's.
int cgroup_cpus(const char *root);

#endif
