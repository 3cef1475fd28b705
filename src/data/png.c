// SPDX-License-Identifier: Apache-2.0
// PNG by libpng, which leaves its functions by longjmp() on an error: everything that lives across
// one is in a structure of the caller of the guarded function.
//
// Every colour type becomes 8-bit grey or RGB as Pillow's convert("RGB") has it: palettes are
// looked up, fewer bits are scaled, of 16 bits the upper 8 stay, transparency is dropped (not
// blended).
#include <png.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "data/decoders.h"

typedef struct Reader {
    const char *name;
    const uint8_t *bytes;
    size_t size, position;
    png_structp png;
    png_infop info;
    Image *out;
} Reader;

static void refuse(png_structp png, png_const_charp reason) {
    Reader *reader = png_get_error_ptr(png);
    status_fail(STATUS_FAILED, "%s: is a damaged PNG, at byte %zu of %zu (%s)", reader->name,
                reader->position, reader->size, reason);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp reason) {
    (void)png;
    (void)reason;
}

static void read_bytes(png_structp png, png_bytep to, size_t length) {
    Reader *reader = png_get_io_ptr(png);
    if (length > reader->size - reader->position) {
        reader->position = reader->size;
        png_error(png, "the file ends too early");
    }
    memcpy(to, reader->bytes + reader->position, length);
    reader->position += length;
}

// Deflate expands by at most 1032: a header that promises more than the file can hold is refused
// before there is memory for it.
static void check_ratio(Reader *reader, size_t width, size_t height) {
    size_t bits = (size_t)png_get_channels(reader->png, reader->info) *
                  png_get_bit_depth(reader->png, reader->info);
    if (width <= IMAGE_PIXELS_MAX && height <= IMAGE_PIXELS_MAX &&
        width * height / 8 * bits / 1032 > reader->size) {
        png_error(reader->png, "the file is too short for its width and height");
    }
}

static Status read_guarded(Reader *reader) {
    png_structp png = reader->png;
    if (setjmp(png_jmpbuf(png)) != 0) {
        return STATUS_FAILED; // with the sentence from refuse() or image_allocate()
    }
    png_set_read_fn(png, reader, read_bytes);
    png_set_user_limits(png, IMAGE_PIXELS_MAX, IMAGE_PIXELS_MAX);
    png_read_info(png, reader->info);
    size_t width = png_get_image_width(png, reader->info);
    size_t height = png_get_image_height(png, reader->info);
    int type = png_get_color_type(png, reader->info);
    check_ratio(reader, width, height);

    png_set_strip_16(png);
    png_set_strip_alpha(png);
    if (type == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(png);
    } else if ((type & PNG_COLOR_MASK_COLOR) == 0) {
        png_set_expand_gray_1_2_4_to_8(png);
    }
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, reader->info);
    int channels = (type & PNG_COLOR_MASK_COLOR) != 0 ? 3 : 1;
    if (png_get_rowbytes(png, reader->info) != width * (size_t)channels) {
        png_error(png, "its rows have an unexpected length");
    }
    if (image_allocate(reader->name, width, height, channels, reader->out) != STATUS_OK) {
        png_longjmp(png, 1);
    }
    for (int pass = 0; pass < passes; pass++) {
        for (size_t y = 0; y < height; y++) {
            png_read_row(png, reader->out->pixels + y * width * (size_t)channels, NULL);
        }
    }
    png_read_end(png, NULL);
    return STATUS_OK;
}

Status png_decode(const char *name, const uint8_t *bytes, size_t size, Image *out) {
    Reader reader = {.name = name, .bytes = bytes, .size = size, .out = out};
    reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, refuse, ignore);
    reader.info = reader.png == NULL ? NULL : png_create_info_struct(reader.png);
    Status status = reader.info == NULL
                        ? status_fail(STATUS_FAILED, "%s: cannot be decoded (out of memory)", name)
                        : read_guarded(&reader);
    png_destroy_read_struct(&reader.png, &reader.info, NULL);
    return status;
}

// ---- writing -----------------------------------------------------------------------------------

static void refuse_to_write(png_structp png, png_const_charp reason) {
    status_fail(STATUS_FAILED, "%s: cannot be written as PNG (%s)",
                (const char *)png_get_error_ptr(png), reason);
    png_longjmp(png, 1);
}

static void write_bytes(png_structp png, png_bytep from, size_t length) {
    file_writer_write(png_get_io_ptr(png), from, length);
}

static void flush_nothing(png_structp png) { (void)png; }

static Status write_guarded(png_structp png, png_infop info, FileWriter *writer,
                            const Image *image) {
    if (setjmp(png_jmpbuf(png)) != 0) {
        return STATUS_FAILED;
    }
    png_set_write_fn(png, writer, write_bytes, flush_nothing);
    png_set_IHDR(png, info, (png_uint_32)image->width, (png_uint_32)image->height, 8,
                 image->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    size_t row = (size_t)image->width * (size_t)image->channels;
    for (int y = 0; y < image->height; y++) {
        png_write_row(png, image->pixels + (size_t)y * row);
    }
    png_write_end(png, info);
    return STATUS_OK;
}

Status image_write_png(const char *path, const Image *image) {
    if ((image->channels != 1 && image->channels != 3) || image->width < 1 || image->height < 1) {
        return status_fail(STATUS_USAGE,
                           "%s: a picture of %dx%d with %d channels was to be written, expected "
                           "at least 1x1 with 1 or 3",
                           path, image->width, image->height, image->channels);
    }
    FileWriter *writer;
    TRY(file_writer_open(path, &writer));
    png_structp png =
        png_create_write_struct(PNG_LIBPNG_VER_STRING, (char *)path, refuse_to_write, ignore);
    png_infop info = png == NULL ? NULL : png_create_info_struct(png);
    Status status = info == NULL
                        ? status_fail(STATUS_FAILED, "%s: cannot be written (out of memory)", path)
                        : write_guarded(png, info, writer, image);
    png_destroy_write_struct(&png, &info);
    if (status != STATUS_OK) {
        file_writer_abandon(writer);
        return status;
    }
    return file_writer_commit(writer);
}
