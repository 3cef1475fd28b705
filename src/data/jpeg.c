// SPDX-License-Identifier: Apache-2.0
// JPEG by libjpeg-turbo with its defaults (slow-integer DCT, fancy upsampling), which is what
// Pillow shows. The library leaves its functions by longjmp() on an error: everything that lives
// across one is in a structure of the caller of the guarded function.
//
// Four components are CMYK or YCCK in Adobe's manner, that is inverted; they become RGB as in
// Pillow: with K' = 255 - K, each of R, G, B = K' - C·K'/255, rounded.
#include <setjmp.h>
#include <stdio.h> // before jpeglib.h, which needs FILE and size_t

#include <jerror.h>
#include <jpeglib.h>

#include "data/decoders.h"

enum { SCANS_MAX = 500 }; // of a progressive file: a hostile one can have scans that say nothing

typedef struct Reader {
    struct jpeg_error_mgr errors; // first: the library hands out a pointer to it
    jmp_buf escape;
    struct jpeg_progress_mgr progress;
    struct jpeg_decompress_struct jpeg;
    const char *name;
    size_t size;
    Wish wish;
    Part *out;
} Reader;

static void refuse(j_common_ptr jpeg) {
    Reader *reader = (Reader *)jpeg->err;
    char reason[JMSG_LENGTH_MAX];
    reader->errors.format_message(jpeg, reason);
    status_fail(STATUS_FAILED, "%s: is a damaged JPEG of %zu bytes (%s)", reader->name,
                reader->size, reason);
    longjmp(reader->escape, 1);
}

// A warning whose pixels would be made up is an error; the harmless ones are not told.
static void weigh_warning(j_common_ptr jpeg, int level) {
    if (level >= 0) {
        return;
    }
    switch (jpeg->err->msg_code) {
    case JWRN_ADOBE_XFORM:
    case JWRN_BOGUS_PROGRESSION:
    case JWRN_EXTRANEOUS_DATA:
    case JWRN_JFIF_MAJOR:
    case JWRN_TOO_MUCH_DATA:
    case JWRN_BOGUS_ICC:
        break;
    default:
        refuse(jpeg);
    }
}

static void print_nothing(j_common_ptr jpeg) { (void)jpeg; }

static void count_scans(j_common_ptr jpeg) {
    Reader *reader = (Reader *)jpeg->err;
    if (reader->jpeg.input_scan_number > SCANS_MAX) {
        status_fail(STATUS_FAILED, "%s: has more than %d scans, as no honest JPEG has",
                    reader->name, (int)SCANS_MAX);
        longjmp(reader->escape, 1);
    }
}

static inline uint8_t unink(int ink, int light) {
    int product = ink * light + 128;
    return (uint8_t)(light - ((product + (product >> 8)) >> 8));
}

static void cmyk_to_rgb(const uint8_t *cmyk, size_t count, uint8_t *rgb) {
    for (size_t i = 0; i < count; i++, cmyk += 4, rgb += 3) {
        int light = cmyk[3]; // 255 - K, K being stored inverted
        for (int c = 0; c < 3; c++) {
            rgb[c] = unink(255 - cmyk[c], light);
        }
    }
}

// Chooses the output and checks the size before there is memory for it.
static Status prepare(Reader *reader) {
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    int components = jpeg->num_components;
    if (components != 1 && components != 3 && components != 4) {
        return status_fail(STATUS_FAILED, "%s: has %d components, expected 1, 3 or 4", reader->name,
                           components);
    }
    jpeg->out_color_space = components == 1 ? JCS_GRAYSCALE : components == 3 ? JCS_RGB : JCS_CMYK;
    // Huffman coding spends at least a bit on each block of 8x8.
    size_t pixels = (size_t)jpeg->image_width * jpeg->image_height;
    if (!jpeg->arith_code && pixels / 512 > reader->size) {
        return status_fail(STATUS_FAILED, "%s: has %zu bytes, too few for its %ux%u pixels",
                           reader->name, reader->size, jpeg->image_width, jpeg->image_height);
    }
    return image_check(reader->name, jpeg->image_width, jpeg->image_height);
}

// The part to decode: what is wished, in whole columns of coded units with one more on either side,
// beyond which upsampling does not reach. Several scans are decoded whole: where they stop short of
// full precision, the library smooths over more than that.
static Status choose_part(Reader *reader, JDIMENSION *rows) {
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    int width = (int)jpeg->output_width, height = (int)jpeg->output_height;
    Part *part = reader->out;
    *part = (Part){.width = width, .height = height};
    *rows = jpeg->output_height;
    if (reader->wish.want != NULL && !jpeg_has_multiple_scans(jpeg)) {
        Window window = reader->wish.want(reader->wish.context, width, height);
        int unit = jpeg->max_h_samp_factor * DCTSIZE;
        int left = window.left > unit ? window.left - unit : 0;
        int end = window.left + window.width;
        end = width - end > unit ? end + unit : width;
        JDIMENSION from = (JDIMENSION)left, count = (JDIMENSION)(end - left);
        if (end - left < width) {
            jpeg_crop_scanline(jpeg, &from, &count);
        }
        part->left = (int)from;
        part->top = window.top;
        *rows = (JDIMENSION)window.height;
    }
    return image_allocate(reader->name, jpeg->output_width, *rows,
                          jpeg->num_components == 1 ? 1 : 3, &part->image);
}

static Status read_guarded(Reader *reader, const uint8_t *bytes) {
    struct jpeg_decompress_struct *jpeg = &reader->jpeg;
    if (setjmp(reader->escape) != 0) {
        return STATUS_FAILED; // with the sentence from refuse() or count_scans()
    }
    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, bytes, reader->size);
    jpeg_read_header(jpeg, TRUE);
    TRY(prepare(reader));
    reader->progress.progress_monitor = count_scans;
    jpeg->progress = &reader->progress;
    jpeg_start_decompress(jpeg);
    JDIMENSION rows;
    TRY(choose_part(reader, &rows));
    size_t width = jpeg->output_width;
    size_t row_bytes = width * (size_t)reader->out->image.channels;
    JSAMPARRAY spare =
        NULL; // for a row of inks, or one that nobody asked for; freed with the decoder
    if (jpeg->output_components == 4 || rows < jpeg->output_height) {
        JDIMENSION samples = (JDIMENSION)(width * (size_t)jpeg->output_components);
        spare = jpeg->mem->alloc_sarray((j_common_ptr)jpeg, JPOOL_IMAGE, samples, 1);
    }
    if (reader->out->top > 0) {
        jpeg_skip_scanlines(jpeg, (JDIMENSION)reader->out->top);
    }
    for (JDIMENSION y = 0; y < rows; y++) {
        JSAMPROW row = reader->out->image.pixels + y * row_bytes;
        jpeg_read_scanlines(jpeg, jpeg->output_components == 4 ? spare : &row, 1);
        if (jpeg->output_components == 4) {
            cmyk_to_rgb(spare[0], width, row);
        }
    }
    // The last row makes the library look at all rows before it, so that no damage goes unseen.
    JDIMENSION left = jpeg->output_height - jpeg->output_scanline;
    if (left > 1) {
        jpeg_skip_scanlines(jpeg, left - 1);
    }
    if (left > 0) {
        jpeg_read_scanlines(jpeg, spare, 1);
    }
    jpeg_finish_decompress(jpeg);
    return STATUS_OK;
}

Status jpeg_decode(const char *name, const uint8_t *bytes, size_t size, Wish wish, Part *out) {
    Reader reader = {.name = name, .size = size, .wish = wish, .out = out};
    reader.jpeg.err = jpeg_std_error(&reader.errors);
    reader.errors.error_exit = refuse;
    reader.errors.emit_message = weigh_warning;
    reader.errors.output_message = print_nothing;
    Status status = read_guarded(&reader, bytes);
    jpeg_destroy_decompress(&reader.jpeg);
    return status;
}
