// SPDX-License-Identifier: Apache-2.0
// WebP by libwebp with its defaults, as Pillow shows it. Transparency is dropped, not blended.
#include <webp/decode.h>

#include "data/decoders.h"

static const char *reason(VP8StatusCode code) {
    switch (code) {
    case VP8_STATUS_OUT_OF_MEMORY:
        return "out of memory";
    case VP8_STATUS_NOT_ENOUGH_DATA:
    case VP8_STATUS_SUSPENDED:
        return "the file ends too early";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
        return "it needs something that libwebp does not have";
    default:
        return "its bits make no picture";
    }
}

static Status refuse(const char *name, size_t size, VP8StatusCode code) {
    return status_fail(STATUS_FAILED, "%s: is a damaged WebP of %zu bytes (%s)", name, size,
                       reason(code));
}

Status webp_decode(const char *name, const uint8_t *bytes, size_t size, Image *out) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) {
        return status_fail(STATUS_FAILED, "%s: cannot be decoded (another version of libwebp)",
                           name);
    }
    VP8StatusCode code = WebPGetFeatures(bytes, size, &config.input);
    if (code != VP8_STATUS_OK) {
        return refuse(name, size, code);
    }
    if (config.input.has_animation) {
        return status_fail(STATUS_FAILED, "%s: is an animated WebP, expected a single picture",
                           name);
    }
    size_t width = (size_t)config.input.width, height = (size_t)config.input.height;
    TRY(image_allocate(name, width, height, 3, out));
    config.output.colorspace = MODE_RGB;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = out->pixels;
    config.output.u.RGBA.stride = (int)(3 * width);
    config.output.u.RGBA.size = 3 * width * height;
    code = WebPDecode(bytes, size, &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? STATUS_OK : refuse(name, size, code);
}
