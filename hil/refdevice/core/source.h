/* Bytes that lie somewhere: in flash, where documents are staged, or in memory. Flash is mapped into memory, so both
 * are read alike, and nothing is copied that need not be. */
#ifndef TN_SOURCE_H
#define TN_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    const uint8_t *bytes;
    uint32_t length;
} tn_source;

tn_source tn_in_flash(uint32_t at, uint32_t length);
tn_source tn_in_memory(const void *bytes, uint32_t length);
/* A part of a source; one that does not fit is empty. */
tn_source tn_part(tn_source whole, uint32_t from, uint32_t length);
/* Copy `count` bytes from offset `from`; what lies behind the end reads as 0. */
void tn_read(tn_source from_source, uint32_t from, void *bytes, uint32_t count);
bool tn_same(tn_source one, tn_source other);
bool tn_equals(tn_source one, const void *bytes, uint32_t length);
/* Below, at or above 0: the shorter comes first, then the bytes decide. So deterministic CBOR orders a map's keys. */
int tn_order(tn_source one, tn_source other);
/* Copy a text of at most `room` - 1 bytes and end it with 0; false: it is too long (then nothing is copied), or has a
 * 0 in it. */
bool tn_text(tn_source from_source, char *text, uint32_t room);

/* Of two memories that do not overlap, or where `to` lies first. */
void tn_copy(void *to, const void *from, uint32_t count);
void tn_fill(void *to, uint8_t value, uint32_t count);
int tn_compare(const void *one, const void *other, uint32_t count);
uint32_t tn_length(const char *text);

#endif
