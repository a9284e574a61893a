#include "cbor.h"
#include "rooms.h"

#define SIMPLE_FALSE 0xF4u
#define SIMPLE_NULL 0xF6u

void tn_put_head(tn_writer *to, uint32_t kind, uint64_t value)
{
    uint8_t bytes[9];
    uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value, size = 1, info = 24;
    if (high == 0u && low < 24u) {
        size = 0;
        info = low;
    }
    while (size > 0u && size < 8u && (high | (size < 4u ? low >> (8u * size) : 0u)) != 0u) {
        size *= 2u;
        info++;
    }
    for (uint32_t i = 8; i > 0u; i--) {
        bytes[i] = (uint8_t)low;
        low = low >> 8 | high << 24;
        high >>= 8;
    }
    bytes[8u - size] = (uint8_t)(kind << 5 | info);
    tn_put_raw(to, bytes + 8u - size, size + 1u);
}

void tn_put_byte(tn_writer *to, uint32_t byte)
{
    uint8_t bytes[1] = {(uint8_t)byte};
    tn_put_raw(to, bytes, 1);
}

void tn_put_uint(tn_writer *to, uint64_t value)
{
    tn_put_head(to, TN_CBOR_UINT, value);
}

void tn_put_int(tn_writer *to, int64_t value)
{
    if (value < 0) {
        tn_put_head(to, TN_CBOR_NINT, (uint64_t)(-1 - value));
    } else {
        tn_put_head(to, TN_CBOR_UINT, (uint64_t)value);
    }
}

void tn_put_bool(tn_writer *to, bool value)
{
    tn_put_byte(to, SIMPLE_FALSE + (value ? 1u : 0u));
}

void tn_put_null(tn_writer *to)
{
    tn_put_byte(to, SIMPLE_NULL);
}

void tn_put_tag(tn_writer *to, uint32_t tag)
{
    tn_put_head(to, TN_CBOR_TAG, tag);
}

void tn_put_bytes(tn_writer *to, const void *bytes, uint32_t length)
{
    tn_put_bytes_head(to, length);
    tn_put_raw(to, bytes, length);
}

void tn_put_bytes_head(tn_writer *to, uint32_t length)
{
    tn_put_head(to, TN_CBOR_BYTES, length);
}

void tn_put_text(tn_writer *to, const char *text)
{
    tn_put_text_of(to, text, tn_length(text));
}

void tn_put_text_of(tn_writer *to, const char *text, uint32_t length)
{
    tn_put_head(to, TN_CBOR_TEXT, length);
    tn_put_raw(to, text, length);
}

void tn_put_array(tn_writer *to, uint32_t count)
{
    tn_put_head(to, TN_CBOR_ARRAY, count);
}

void tn_put_map(tn_writer *to, uint32_t count)
{
    tn_put_head(to, TN_CBOR_MAP, count);
}

void tn_put_raw(tn_writer *to, const void *bytes, uint32_t length)
{
    if (to->bytes == NULL) {
        if (to->room > 0u) {
            tn_out_add(bytes, length);
        }
    } else if (to->length <= to->room && length <= to->room - to->length) {
        tn_copy(to->bytes + to->length, bytes, length);
    }
    /* What is counted never wraps: an impossible length stays one. */
    to->length = length > UINT32_MAX - to->length ? UINT32_MAX : to->length + length;
}

void tn_put_source(tn_writer *to, tn_source from)
{
    tn_put_raw(to, from.bytes, from.length);
}
