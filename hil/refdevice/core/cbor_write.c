#include "cbor.h"

#define SIMPLE_FALSE 0xF4u
#define SIMPLE_NULL 0xF6u

/* What is counted never wraps: an impossible length stays one. */
static void count_in(tn_writer *to, uint32_t count)
{
    to->length = count > UINT32_MAX - to->length ? UINT32_MAX : to->length + count;
}

static void put_byte(tn_writer *to, uint8_t byte)
{
    if (to->length < to->room) {
        to->bytes[to->length] = byte;
    }
    count_in(to, 1);
}

static void put_head(tn_writer *to, tn_cbor_kind kind, uint64_t value)
{
    uint32_t size = 0; /* bytes of the argument behind the first byte */
    if (value >= 24u) {
        size = 1;
        while (size < 8u && value >> (8u * size) != 0u) {
            size *= 2u;
        }
    }
    uint8_t info = (uint8_t)value;
    if (size > 0u) {
        info = 24;
        for (uint32_t half = size; half > 1u; half /= 2u) {
            info++;
        }
    }
    put_byte(to, (uint8_t)((uint32_t)kind << 5 | info));
    while (size > 0u) {
        size--;
        put_byte(to, (uint8_t)(value >> (8u * size)));
    }
}

void tn_put_uint(tn_writer *to, uint64_t value)
{
    put_head(to, TN_CBOR_UINT, value);
}

void tn_put_int(tn_writer *to, int64_t value)
{
    if (value < 0) {
        put_head(to, TN_CBOR_NINT, (uint64_t)(-1 - value));
    } else {
        put_head(to, TN_CBOR_UINT, (uint64_t)value);
    }
}

void tn_put_bool(tn_writer *to, bool value)
{
    put_byte(to, (uint8_t)(SIMPLE_FALSE + (value ? 1u : 0u)));
}

void tn_put_null(tn_writer *to)
{
    put_byte(to, SIMPLE_NULL);
}

void tn_put_tag(tn_writer *to, uint32_t tag)
{
    put_head(to, TN_CBOR_TAG, tag);
}

void tn_put_bytes(tn_writer *to, const void *bytes, uint32_t length)
{
    tn_put_bytes_head(to, length);
    tn_put_raw(to, bytes, length);
}

void tn_put_bytes_head(tn_writer *to, uint32_t length)
{
    put_head(to, TN_CBOR_BYTES, length);
}

void tn_put_text(tn_writer *to, const char *text)
{
    tn_put_text_of(to, text, tn_length(text));
}

void tn_put_text_of(tn_writer *to, const char *text, uint32_t length)
{
    put_head(to, TN_CBOR_TEXT, length);
    tn_put_raw(to, text, length);
}

void tn_put_array(tn_writer *to, uint32_t count)
{
    put_head(to, TN_CBOR_ARRAY, count);
}

void tn_put_map(tn_writer *to, uint32_t count)
{
    put_head(to, TN_CBOR_MAP, count);
}

void tn_put_raw(tn_writer *to, const void *bytes, uint32_t length)
{
    tn_put_source(to, tn_in_memory(bytes, length));
}

void tn_put_source(tn_writer *to, tn_source from)
{
    if (to->length <= to->room && from.length <= to->room - to->length) {
        tn_read(from, 0, to->bytes + to->length, from.length);
    }
    count_in(to, from.length);
}
