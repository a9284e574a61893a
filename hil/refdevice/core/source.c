#include "source.h"

#include <stddef.h>

#include "port.h"

tn_source tn_in_flash(uint32_t at, uint32_t length)
{
    return (tn_source){port_flash() + at, length};
}

tn_source tn_in_memory(const void *bytes, uint32_t length)
{
    return (tn_source){bytes, length};
}

tn_source tn_part(tn_source whole, uint32_t from, uint32_t length)
{
    bool fits = from <= whole.length && length <= whole.length - from;
    return (tn_source){fits && from > 0u ? whole.bytes + from : whole.bytes, fits ? length : 0u};
}

void tn_read(tn_source from_source, uint32_t from, void *bytes, uint32_t count)
{
    uint32_t there = from < from_source.length ? from_source.length - from : 0u;
    there = there < count ? there : count;
    if (there > 0u) {
        tn_copy(bytes, from_source.bytes + from, there);
    }
    tn_fill((uint8_t *)bytes + there, 0, count - there);
}

bool tn_same(tn_source one, tn_source other)
{
    return tn_equals(one, other.bytes, other.length);
}

bool tn_equals(tn_source one, const void *bytes, uint32_t length)
{
    return one.length == length && tn_compare(one.bytes, bytes, length) == 0;
}

int tn_order(tn_source one, tn_source other)
{
    if (one.length != other.length) {
        return one.length < other.length ? -1 : 1;
    }
    return tn_compare(one.bytes, other.bytes, one.length);
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
    tn_copy(text, from_source.bytes, from_source.length);
    text[from_source.length] = 0;
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
            return left[i] - right[i];
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
