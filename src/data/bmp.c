// SPDX-License-Identifier: Apache-2.0
// BMP: a file header, an information header that says its own length, masks or a palette, then rows
// of a multiple of four bytes from the bottom up (from the top down where the height is negative).
//
//     0 "BM" | 10 where the pixels begin | 14 header's length (12, or 40 and more) | 18 width,
//     height, planes, bits | 30 compression | 46 colours used | 54 masks, where they are
//
// Pixels are palette indices of 1, 4 or 8 bits (8 also run-length coded), 16 bits (5-5-5 or 5-6-5),
// or bytes B, G, R and, with 32 bits, one more; masks may order bytes differently. As in Pillow, an
// index without an entry is black, and transparency is dropped.
#include <string.h>

#include "data/decoders.h"

enum { FILE_HEADER = 14, OLD_HEADER = 12, HEADER = 40 };
enum { RAW = 0, RLE8 = 1, BITFIELDS = 3 };

typedef struct Bmp {
    const char *name;
    const uint8_t *bytes;
    size_t size;
    size_t header; // length of the information header
    size_t width, height;
    bool top_down;
    unsigned bits, compression;
    size_t pixels_at;
    uint32_t masks[3]; // red, green, blue; of 16 and 32 bits
    uint8_t palette[256][3];
} Bmp;

static uint32_t word(const uint8_t *bytes) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static unsigned half(const uint8_t *bytes) { return bytes[0] | (unsigned)bytes[1] << 8; }

static Status cut_off(const Bmp *bmp, const char *what, size_t end) {
    return status_fail(STATUS_FAILED, "%s: has %zu bytes, but its %s end at byte %zu", bmp->name,
                       bmp->size, what, end);
}

static Status read_size(Bmp *bmp) {
    const uint8_t *header = bmp->bytes + FILE_HEADER;
    if (bmp->header == OLD_HEADER) {
        bmp->width = half(header + 4);
        bmp->height = half(header + 6);
        bmp->bits = half(header + 10);
        return image_check(bmp->name, bmp->width, bmp->height);
    }
    uint32_t height = word(header + 8);
    bmp->width = word(header + 4);
    bmp->top_down = height >> 31 != 0;
    bmp->height = bmp->top_down ? 0U - height : height;
    bmp->bits = half(header + 14);
    bmp->compression = word(header + 16);
    return image_check(bmp->name, bmp->width, bmp->height);
}

// Masks lie in the header from 52 bytes on and behind it in shorter ones.
static Status read_masks(Bmp *bmp) {
    if (bmp->bits == 16) {
        memcpy(bmp->masks, (const uint32_t[]){0x7c00, 0x3e0, 0x1f}, sizeof bmp->masks);
    } else {
        memcpy(bmp->masks, (const uint32_t[]){0xff0000, 0xff00, 0xff}, sizeof bmp->masks);
    }
    if (bmp->compression != BITFIELDS) {
        return STATUS_OK;
    }
    size_t at = FILE_HEADER + HEADER;
    if (bmp->size < at + 12) {
        return cut_off(bmp, "masks", at + 12);
    }
    for (size_t i = 0; i < 3; i++) {
        bmp->masks[i] = word(bmp->bytes + at + 4 * i);
    }
    bool known = bmp->bits == 16 && bmp->masks[2] == 0x1f &&
                 ((bmp->masks[0] == 0x7c00 && bmp->masks[1] == 0x3e0) ||
                  (bmp->masks[0] == 0xf800 && bmp->masks[1] == 0x7e0));
    if (bmp->bits == 32) {
        known = (bmp->masks[0] | bmp->masks[1] | bmp->masks[2]) != 0 &&
                (bmp->masks[0] & bmp->masks[1]) == 0 &&
                ((bmp->masks[0] | bmp->masks[1]) & bmp->masks[2]) == 0;
        for (int i = 0; i < 3; i++) { // each a whole byte
            uint32_t mask = bmp->masks[i];
            known =
                known && (mask == 0xff || mask == 0xff00 || mask == 0xff0000 || mask == 0xff000000);
        }
    }
    if (!known) {
        return status_fail(STATUS_FAILED,
                           "%s: has masks %x, %x, %x for %u bits, expected whole bytes or 5-5-5 or "
                           "5-6-5 bits",
                           bmp->name, bmp->masks[0], bmp->masks[1], bmp->masks[2], bmp->bits);
    }
    return STATUS_OK;
}

static Status read_palette(Bmp *bmp) {
    if (bmp->bits > 8) {
        return STATUS_OK;
    }
    size_t at = FILE_HEADER + bmp->header;
    size_t entry = bmp->header == OLD_HEADER ? 3 : 4;
    size_t count = bmp->header == OLD_HEADER ? 0 : word(bmp->bytes + 46);
    size_t most = (size_t)1 << bmp->bits;
    count = count == 0 || count > most ? most : count;
    if (bmp->size < at + count * entry) {
        return cut_off(bmp, "palette's colours", at + count * entry);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t c = 0; c < 3; c++) {
            bmp->palette[i][c] = bmp->bytes[at + i * entry + 2 - c];
        }
    }
    return STATUS_OK;
}

static Status read_header(Bmp *bmp) {
    if (bmp->size < FILE_HEADER + OLD_HEADER) {
        return cut_off(bmp, "headers", FILE_HEADER + OLD_HEADER);
    }
    bmp->header = word(bmp->bytes + FILE_HEADER);
    if (bmp->header != OLD_HEADER && (bmp->header < HEADER || bmp->header > 124)) {
        return status_fail(STATUS_FAILED,
                           "%s: has a header of %zu bytes, expected 12 or from 40 to 124",
                           bmp->name, bmp->header);
    }
    if (bmp->size < FILE_HEADER + bmp->header) {
        return cut_off(bmp, "headers", FILE_HEADER + bmp->header);
    }
    TRY(read_size(bmp));
    bool raw = bmp->bits == 1 || bmp->bits == 4 || bmp->bits == 8 || bmp->bits == 16 ||
               bmp->bits == 24 || bmp->bits == 32;
    if (!(bmp->compression == RAW && raw) && !(bmp->compression == RLE8 && bmp->bits == 8) &&
        !(bmp->compression == BITFIELDS && (bmp->bits == 16 || bmp->bits == 32))) {
        return status_fail(STATUS_FAILED,
                           "%s: has %u bits a pixel in compression %u, expected 1, 4, 8, 16, 24 or "
                           "32 without, or 8 in run-length coding (1)",
                           bmp->name, bmp->bits, bmp->compression);
    }
    TRY(read_masks(bmp));
    TRY(read_palette(bmp));
    bmp->pixels_at = word(bmp->bytes + 10);
    if (bmp->pixels_at > bmp->size) {
        return status_fail(STATUS_FAILED, "%s: has %zu bytes, but its pixels begin at byte %zu",
                           bmp->name, bmp->size, bmp->pixels_at);
    }
    return STATUS_OK;
}

// ---- pixels ------------------------------------------------------------------------------------

static uint8_t *row_place(const Bmp *bmp, const Image *image, size_t row) {
    size_t y = bmp->top_down ? row : bmp->height - 1 - row;
    return image->pixels + y * bmp->width * 3;
}

// Masks of 5 and 6 bits are scaled to 8 by division, rounded down.
static uint8_t field(unsigned value, uint32_t mask) {
    while ((mask & 1) == 0) {
        mask >>= 1;
        value >>= 1;
    }
    return (uint8_t)((value & mask) * 255 / mask);
}

static void unpack_row(const Bmp *bmp, const uint8_t *from, uint8_t *to) {
    const size_t width = bmp->width;
    unsigned bits = bmp->bits;
    int shift[3]; // of the bytes in 32 bits
    for (int c = 0; c < 3; c++) {
        shift[c] = 0;
        while (bits == 32 && bmp->masks[c] >> shift[c] != 0xff) {
            shift[c] += 8;
        }
    }
    for (size_t x = 0; x < width; x++, to += 3) {
        if (bits <= 8) {
            unsigned at = (unsigned)(8 - bits - x * bits % 8);
            memcpy(to, bmp->palette[from[x * bits / 8] >> at & ((1U << bits) - 1)], 3);
        } else {
            for (int c = 0; c < 3; c++) {
                to[c] = bits == 16   ? field(half(from + 2 * x), bmp->masks[c])
                        : bits == 24 ? from[3 * x + 2 - (size_t)c]
                                     : (uint8_t)(word(from + 4 * x) >> shift[c]);
            }
        }
    }
}

static Status read_rows(const Bmp *bmp, Image *out) {
    size_t row = (bmp->width * bmp->bits + 31) / 32 * 4;
    size_t left = bmp->size - bmp->pixels_at;
    // The last row's filling may be missing.
    if (left < row * (bmp->height - 1) + (bmp->width * bmp->bits + 7) / 8) {
        return cut_off(bmp, "pixels", bmp->pixels_at + row * bmp->height);
    }
    TRY(image_allocate(bmp->name, bmp->width, bmp->height, 3, out));
    for (size_t y = 0; y < bmp->height; y++) {
        unpack_row(bmp, bmp->bytes + bmp->pixels_at + y * row, row_place(bmp, out, y));
    }
    return STATUS_OK;
}

// Pairs of bytes: count > 0 and an index; 0 0 the row's end; 0 1 the picture's end; 0 2 and a step
// to the right and up; 0 n and n indices, filled to an even number. What is passed over has index
// 0.
static Status read_runs(const Bmp *bmp, Image *out) {
    const size_t width = bmp->width;
    // A run is two bytes for at most 255 pixels; steps could pass over more, but none does
    // honestly.
    if (width * bmp->height / 255 > bmp->size) {
        return status_fail(STATUS_FAILED, "%s: has %zu bytes, too few for its %zux%zu pixels",
                           bmp->name, bmp->size, width, bmp->height);
    }
    TRY(image_allocate(bmp->name, width, bmp->height, 3, out));
    for (size_t i = 0; i < width * bmp->height; i++) {
        memcpy(out->pixels + 3 * i, bmp->palette[0], 3);
    }
    size_t at = bmp->pixels_at, x = 0, y = 0;
    while (y < bmp->height) {
        if (bmp->size - at < 2) {
            return cut_off(bmp, "pixels", at + 2);
        }
        unsigned count = bmp->bytes[at], value = bmp->bytes[at + 1];
        at += 2;
        bool literal = count == 0 && value > 2;
        size_t more = literal ? (value + 1) / 2 * 2 : count == 0 && value == 2 ? 2 : 0;
        if (bmp->size - at < more) {
            return cut_off(bmp, "pixels", at + more);
        }
        if (count > 0 || literal) {
            size_t pixels = literal ? value : count;
            for (size_t i = 0; i < pixels && x < width; i++, x++) {
                unsigned index = literal ? bmp->bytes[at + i] : value;
                memcpy(row_place(bmp, out, y) + 3 * x, bmp->palette[index], 3);
            }
        } else if (value == 0) {
            x = 0;
            y++;
        } else if (value == 1) {
            break;
        } else {
            x += bmp->bytes[at];
            y += bmp->bytes[at + 1];
        }
        at += more;
    }
    return STATUS_OK;
}

Status bmp_decode(const char *name, const uint8_t *bytes, size_t size, Image *out) {
    Bmp bmp = {.name = name, .bytes = bytes, .size = size};
    TRY(read_header(&bmp));
    return bmp.compression == RLE8 ? read_runs(&bmp, out) : read_rows(&bmp, out);
}
