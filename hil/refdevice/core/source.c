#include "source.h"

#include <stddef.h>

#include "port.h"

#define PIECE 32u /* bytes compared at a time */

tn_source tn_in_flash(uint32_t at, uint32_t length)
{
    return (tn_source){NULL, at, length};
}

tn_source tn_in_memory(const void *bytes, uint32_t length)
{
    return (tn_source){bytes, 0, length};
}

tn_source tn_part(tn_source whole, uint32_t from, uint32_t length)
{
    if (from > whole.length || length > whole.length - from) {
        whole.length = 0;
        return whole;
    }
    whole.at += from;
    whole.length = length;
    return whole;
}

void tn_read(tn_source from_source, uint32_t from, void *bytes, uint32_t count)
{
    uint32_t there = from < from_source.length ? from_source.length - from : 0u;
    if (there > count) {
        there = count;
    }
    if (there > 0u) {
        if (from_source.memory != NULL) {
            tn_copy(bytes, from_source.memory + from_source.at + from, there);
        } else {
            port_flash_read(from_source.at + from, bytes, there);
        }
    }
    tn_fill((uint8_t *)bytes + there, 0, count - there);
}

bool tn_same(tn_source one, tn_source other)
{
    return one.length == other.length && tn_order(one, other) == 0;
}

bool tn_equals(tn_source one, const void *bytes, uint32_t length)
{
    return tn_same(one, tn_in_memory(bytes, length));
}

int tn_order(tn_source one, tn_source other)
{
    if (one.length != other.length) {
        return one.length < other.length ? -1 : 1;
    }
    uint8_t left[PIECE];
    uint8_t right[PIECE];
    int order = 0;
    for (uint32_t at = 0; at < one.length && order == 0; at += PIECE) {
        /* Behind the end both read as 0. */
        tn_read(one, at, left, PIECE);
        tn_read(other, at, right, PIECE);
        order = tn_compare(left, right, PIECE);
    }
    return order;
}

bool tn_text(tn_source from_source, char *text, uint32_t room)
{
    if (room == 0u) {
        return false;
    }
    text[0] = 0;
    if (from_source.length >= room) {
        return false;
    }
    tn_read(from_source, 0, text, from_source.length + 1u);
    return tn_length(text) == from_source.length;
}

void tn_copy(void *to, const void *from, uint32_t count)
{
    uint8_t *target = to;
    const uint8_t *bytes = from;
    for (uint32_t i = 0; i < count; i++) {
        target[i] = bytes[i];
    }
}

void tn_fill(void *to, uint8_t value, uint32_t count)
{
    uint8_t *target = to;
    for (uint32_t i = 0; i < count; i++) {
        target[i] = value;
    }
}

int tn_compare(const void *one, const void *other, uint32_t count)
{
    const uint8_t *left = one;
    const uint8_t *right = other;
    for (uint32_t i = 0; i < count; i++) {
        if (left[i] != right[i]) {
            return left[i] < right[i] ? -1 : 1;
        }
    }
    return 0;
}

uint32_t tn_length(const char *text)
{
    uint32_t length = 0;
    while (text[length] != 0) {
        length++;
    }
    return length;
}
