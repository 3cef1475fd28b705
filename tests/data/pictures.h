// SPDX-License-Identifier: Apache-2.0
// For tests: pictures in every encoding that image_read() takes, made in memory.
#ifndef RESNET_TESTS_DATA_PICTURES_H
#define RESNET_TESTS_DATA_PICTURES_H

#include "data/scratch.h"

#include <jpeglib.h>
#include <png.h>
#include <webp/encode.h>
#include <zlib.h>

#include "base/random.h"

// Smooth in both directions, so that JPEG keeps it nearly.
static inline uint8_t picture_value(int x, int y, int c) {
    return (uint8_t)(20 + 60 * c + (3 * x + 2 * y) % 100);
}

static inline void picture_append(png_structp png, png_bytep bytes, size_t size) {
    bytes_append(png_get_io_ptr(png), bytes, size);
}

// The row that a PNG of this type stores: random bits.
static inline void picture_png_row(uint8_t *row, size_t size, int y) {
    for (size_t i = 0; i < size; i++) {
        row[i] = (uint8_t)random_bits(5, RANDOM_TEST, (uint64_t)y, i);
    }
}

static inline Bytes picture_png(int width, int height, int bits, int type, bool interlaced) {
    Bytes file = {0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    assert_non_null(info);
    png_set_write_fn(png, &file, picture_append, NULL);
    png_set_IHDR(png, info, (png_uint_32)width, (png_uint_32)height, bits, type,
                 interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_color palette[256];
        uint8_t alpha[256];
        for (int i = 0; i < 1 << bits; i++) {
            palette[i] = (png_color){(uint8_t)(i + 1), (uint8_t)(2 * i + 5), (uint8_t)(255 - i)};
            alpha[i] = (uint8_t)(i % 7);
        }
        png_set_PLTE(png, info, palette, 1 << bits);
        png_set_tRNS(png, info, alpha, 1 << bits, NULL);
    }
    png_write_info(png, info);
    uint8_t row[1024];
    size_t size = png_get_rowbytes(png, info);
    assert_true(size <= sizeof row);
    int passes = png_set_interlace_handling(png);
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < height; y++) {
            picture_png_row(row, size, y);
            png_write_row(png, row);
        }
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    return file;
}

typedef struct JpegKind {
    J_COLOR_SPACE stored; // JCS_GRAYSCALE, JCS_YCbCr, JCS_RGB, JCS_CMYK or JCS_YCCK
    bool progressive;
    int horizontal, vertical; // sampling of the first component against the others; 0 reads as 1
    int orientation;          // in an EXIF block; 0: there is none
} JpegKind;

static inline void picture_exif(struct jpeg_compress_struct *jpeg, int orientation) {
    uint8_t block[] = "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0O\0\0\0\0\0";
    block[25] = (uint8_t)orientation;
    jpeg_write_marker(jpeg, JPEG_APP0 + 1, block, sizeof block - 1);
}

// Quality 100. CMYK's inks are picture_value() and K 30, stored inverted.
static inline Bytes picture_jpeg_of(int width, int height, JpegKind kind) {
    J_COLOR_SPACE stored = kind.stored;
    struct jpeg_compress_struct jpeg;
    struct jpeg_error_mgr errors;
    unsigned char *out = NULL;
    unsigned long size = 0;
    jpeg.err = jpeg_std_error(&errors);
    jpeg_create_compress(&jpeg);
    jpeg_mem_dest(&jpeg, &out, &size);
    bool inks = stored == JCS_CMYK || stored == JCS_YCCK;
    jpeg.image_width = (JDIMENSION)width;
    jpeg.image_height = (JDIMENSION)height;
    jpeg.input_components = stored == JCS_GRAYSCALE ? 1 : inks ? 4 : 3;
    jpeg.in_color_space = stored == JCS_GRAYSCALE ? JCS_GRAYSCALE : inks ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_colorspace(&jpeg, stored);
    jpeg_set_quality(&jpeg, 100, TRUE);
    for (int c = 0; c < jpeg.num_components; c++) {
        jpeg.comp_info[c].h_samp_factor = jpeg.comp_info[c].v_samp_factor = 1;
    }
    if (kind.horizontal > 0) {
        jpeg.comp_info[0].h_samp_factor = kind.horizontal;
        jpeg.comp_info[0].v_samp_factor = kind.vertical;
    }
    if (kind.progressive) {
        jpeg_simple_progression(&jpeg);
    }
    jpeg_start_compress(&jpeg, TRUE);
    if (kind.orientation > 0) {
        picture_exif(&jpeg, kind.orientation);
    }
    uint8_t row[4096];
    assert_true((size_t)width * 4 <= sizeof row);
    for (int y = 0; y < height; y++) {
        for (int i = 0; i < width * jpeg.input_components; i++) {
            int x = i / jpeg.input_components, c = i % jpeg.input_components;
            uint8_t value = c == 3 ? 30 : picture_value(x, y, c);
            row[i] = inks ? (uint8_t)(255 - value) : value;
        }
        JSAMPROW rows[1] = {row};
        jpeg_write_scanlines(&jpeg, rows, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    Bytes file = {0};
    bytes_append(&file, out, size);
    free(out);
    return file;
}

static inline Bytes picture_jpeg(int width, int height, J_COLOR_SPACE stored, bool progressive) {
    return picture_jpeg_of(width, height, (JpegKind){.stored = stored, .progressive = progressive});
}

// Of picture_value()s.
static inline Bytes picture_webp(int width, int height, bool lossless) {
    Bytes rgb = {0}, file = {0};
    for (int i = 0; i < width * height * 3; i++) {
        uint8_t value = picture_value(i / 3 % width, i / 3 / width, i % 3);
        bytes_append(&rgb, &value, 1);
    }
    uint8_t *packed = NULL;
    size_t size = lossless ? WebPEncodeLosslessRGB(rgb.bytes, width, height, 3 * width, &packed)
                           : WebPEncodeRGB(rgb.bytes, width, height, 3 * width, 90, &packed);
    assert_true(size > 0);
    bytes_append(&file, packed, size);
    WebPFree(packed);
    bytes_free(&rgb);
    return file;
}

// Rows of random bits; from the top down with a negative height.
typedef struct BmpKind {
    int bits, compression, header, colours;
    uint32_t masks[3];
} BmpKind;

static inline void picture_append_little(Bytes *file, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) {
        uint8_t byte = (uint8_t)(value >> 8 * i);
        bytes_append(file, &byte, 1);
    }
}

static inline Bytes picture_bmp(int width, int height, BmpKind kind) {
    Bytes file = {0};
    bool old = kind.header == 12;
    int palette = kind.bits > 8 ? 0 : kind.colours > 0 ? kind.colours : 1 << kind.bits;
    int masks = kind.compression == 3 && kind.header == 40 ? 12 : 0;
    bytes_append(&file, "BM", 2);
    picture_append_little(&file, 0, 4);
    picture_append_little(&file, 0, 4);
    picture_append_little(&file, (uint32_t)(14 + kind.header + masks + palette * (old ? 3 : 4)), 4);
    picture_append_little(&file, (uint32_t)kind.header, 4);
    picture_append_little(&file, (uint32_t)width, old ? 2 : 4);
    picture_append_little(&file, (uint32_t)height, old ? 2 : 4);
    picture_append_little(&file, 1, 2);
    picture_append_little(&file, (uint32_t)kind.bits, 2);
    if (!old) {
        picture_append_little(&file, (uint32_t)kind.compression, 4);
        for (int i = 0; i < 3; i++) {
            picture_append_little(&file, 0, 4);
        }
        picture_append_little(&file, (uint32_t)kind.colours, 4);
        picture_append_little(&file, 0, 4);
        for (int i = 0; i < 3 && (masks > 0 || kind.header > 40); i++) {
            picture_append_little(&file, kind.masks[i], 4);
        }
        while (file.size < (size_t)(14 + kind.header)) {
            picture_append_little(&file, 0, 1);
        }
    }
    for (int i = 0; i < palette; i++) { // blue, green, red
        const uint8_t entry[4] = {(uint8_t)(3 * i), (uint8_t)(2 * i), (uint8_t)i, 0};
        bytes_append(&file, entry, old ? 3 : 4);
    }
    int rows = height < 0 ? -height : height;
    size_t row_bytes = (size_t)(width * kind.bits + 31) / 32 * 4;
    for (int y = 0; y < rows; y++) {
        uint8_t row[4096];
        assert_true(row_bytes <= sizeof row);
        picture_png_row(row, row_bytes, y);
        bytes_append(&file, row, row_bytes);
    }
    return file;
}

// `header` as it stands, then picture_value()s.
static inline Bytes picture_pnm(const char *header, int width, int height, int channels) {
    Bytes file = {0};
    bytes_append(&file, header, strlen(header));
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            for (int c = 0; c < channels; c++) {
                uint8_t value = picture_value(x, y, c);
                bytes_append(&file, &value, 1);
            }
        }
    }
    return file;
}

#endif
