// SPDX-License-Identifier: Apache-2.0
#include "paper/digest.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "console/failure.h"

enum { BLOCK = 64, WORDS = 8, ROUNDS = 64 };

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
static const uint32_t K[ROUNDS] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t x, int bits) { return x >> bits | x << (32 - bits); }

static void block_mix(uint32_t state[WORDS], const unsigned char block[BLOCK]) {
    uint32_t w[ROUNDS], s[WORDS];
    for (int i = 0; i < 16; i++) {
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    }
    for (int i = 16; i < ROUNDS; i++) {
        const uint32_t a = w[i - 15], b = w[i - 2];
        w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >> 3) + w[i - 7] +
               (turn(b, 17) ^ turn(b, 19) ^ b >> 10);
    }
    memcpy(s, state, sizeof s);
    for (int i = 0; i < ROUNDS; i++) {
        const uint32_t one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) +
                             ((s[4] & s[5]) ^ (~s[4] & s[6])) + K[i] + w[i];
        const uint32_t two = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) +
                             ((s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]));
        memmove(s + 1, s, (WORDS - 1) * sizeof *s);
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < WORDS; i++) {
        state[i] += s[i];
    }
}

// The last block: what is left of the file, a one bit, zeros, and the length in bits.
static void end_mix(uint32_t state[WORDS], unsigned char block[BLOCK], size_t left,
                    uint64_t length) {
    block[left++] = 0x80;
    if (left > BLOCK - 8) {
        memset(block + left, 0, BLOCK - left);
        block_mix(state, block);
        left = 0;
    }
    memset(block + left, 0, BLOCK - left);
    for (int i = 0; i < 8; i++) {
        block[BLOCK - 1 - i] = (unsigned char)(8 * length >> 8 * i);
    }
    block_mix(state, block);
}

resnet_status digest_file(const char *path, char text[DIGEST_TEXT]) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return failure_say(RESNET_FAILED, "%s: cannot open: %s", path, strerror(errno));
    }
    uint32_t state[WORDS] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                             0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    unsigned char block[BLOCK];
    uint64_t length = 0;
    size_t left;
    while ((left = fread(block, 1, BLOCK, file)) == BLOCK) {
        block_mix(state, block);
        length += BLOCK;
    }
    const int failed = ferror(file), reason = errno;
    fclose(file);
    if (failed) {
        return failure_say(RESNET_FAILED, "%s: cannot read: %s", path, strerror(reason));
    }
    end_mix(state, block, left, length + left);
    for (int i = 0; i < WORDS; i++) {
        snprintf(text + 8 * i, 9, "%08x", (unsigned)state[i]);
    }
    return RESNET_OK;
}
