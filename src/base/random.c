// SPDX-License-Identifier: Apache-2.0
#include "base/random.h"

#include <math.h>

// The finaliser of splitmix64 (Steele, Lea, Flood 2014): a bijection in which every input bit
// reaches every output bit.
static uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9U;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebU;
    x ^= x >> 31;
    return x;
}

uint64_t random_bits(uint64_t seed, RandomPurpose purpose, uint64_t major, uint64_t minor) {
    const uint64_t golden = 0x9e3779b97f4a7c15U; // 2^64 / golden ratio, splitmix64's step
    uint64_t x = mix(seed + golden * (uint64_t)purpose);
    x = mix(x + golden * (major + 1));
    return mix(x + golden * (minor + 1));
}

double random_uniform(uint64_t seed, RandomPurpose purpose, uint64_t major, uint64_t minor) {
    return (double)(random_bits(seed, purpose, major, minor) >> 11) * 0x1p-53;
}

uint32_t random_below(uint32_t bound, uint64_t seed, RandomPurpose purpose, uint64_t major,
                      uint64_t minor) {
    uint64_t high = random_bits(seed, purpose, major, minor) >> 32;
    return (uint32_t)((high * bound) >> 32);
}

// Box and Muller, from the two halves of one draw's 64 bits hashed apart: u above 0, so that its
// logarithm is finite, and a turn in half-turns.
static void draw_two(uint64_t first, double *u, double *turn) {
    const uint64_t second = mix(first ^ 0xd1b54a32d192ed03U);
    *u = ((double)(first >> 11) + 0.5) * 0x1p-53;
    *turn = 2 * ((double)(second >> 11) * 0x1p-53);
}

double random_normal(uint64_t seed, RandomPurpose purpose, uint64_t major, uint64_t minor) {
    double u, turn;
    draw_two(random_bits(seed, purpose, major, minor), &u, &turn);
    return sqrt(-2 * exact_log(u)) * exact_cos_pi(turn);
}

void random_normals(uint64_t seed, RandomPurpose purpose, uint64_t major, uint64_t minor,
                    double normals[RANDOM_NORMALS]) {
    double u[RANDOM_NORMALS], turn[RANDOM_NORMALS], log[RANDOM_NORMALS], cosine[RANDOM_NORMALS];
    for (int i = 0; i < RANDOM_NORMALS; i++) {
        draw_two(random_bits(seed, purpose, major, minor + (uint64_t)i), &u[i], &turn[i]);
    }
    exact_log_lanes(u, log);
    exact_cos_pi_lanes(turn, cosine);
    for (int i = 0; i < RANDOM_NORMALS; i++) {
        normals[i] = sqrt(-2 * log[i]) * cosine[i];
    }
}

uint64_t random_hash(const char *text) {
    uint64_t hash = 0xcbf29ce484222325U; // FNV-1a, then mixed
    for (; *text != '\0'; text++) {
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3U;
    }
    return mix(hash);
}

// Fisher and Yates, each exchange drawn by its position.
void random_permutation(uint32_t *order, uint32_t count, uint64_t seed, RandomPurpose purpose,
                        uint64_t major) {
    for (uint32_t i = 0; i < count; i++) {
        order[i] = i;
    }
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = random_below(i, seed, purpose, major, i);
        uint32_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}
