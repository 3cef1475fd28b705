// SPDX-License-Identifier: Apache-2.0
// TensorBoard event files: scalars over steps. Records are framed by lengths with masked CRC-32C.
#ifndef RESNET_FORMATS_TENSORBOARD_H
#define RESNET_FORMATS_TENSORBOARD_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct EventWriter EventWriter;

enum { EVENT_TAG_MAX = 255 };

// Makes DIR/events.out.tfevents.<seconds>.<host> with its version record. A resumed run makes
// another one (with ".1" and so on behind it in the same second); TensorBoard reads all of a
// folder. Each record is in the file when the call returns; one that does not fit is taken back
// whole.
Status event_writer_open(const char *directory, EventWriter **out);
// `tag`: 1 … EVENT_TAG_MAX bytes, such as "train/loss"; TensorBoard groups by what is before '/'.
Status event_writer_scalar(EventWriter *writer, int64_t step, const char *tag, float value);
void event_writer_close(EventWriter *writer); // NULL: nothing to do

// The Castagnoli CRC (polynomial 0x1edc6f41, reflected): 0xe3069283 for "123456789".
uint32_t crc32c(const void *bytes, size_t size);

#endif
