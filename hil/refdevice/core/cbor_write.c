#include "cbor.h"
#include "rooms.h"

#define SIMPLE_FALSE 0xF4u
#define SIMPLE_NULL 0xF6u

tn_writer tn_written;

void tn_write_to(uint8_t *bytes, uint32_t room)
{
    tn_written.bytes = bytes;
    tn_written.room = room;
    tn_written.length = 0;
}

uint32_t tn_head_bytes(uint64_t value)
{
    uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value;
    return high != 0u ? 9u : low > UINT16_MAX ? 5u : low > UINT8_MAX ? 3u : low >= 24u ? 2u : 1u;
}

void tn_put_head(uint32_t kind, uint64_t value)
{
    uint8_t bytes[9];
    uint32_t high = (uint32_t)(value >> 32), low = (uint32_t)value, size = tn_head_bytes(value);
    uint32_t info = size == 9u ? 27u : size == 5u ? 26u : 22u + size;
    for (uint32_t i = 8; i > 0u; i--) {
        bytes[i] = (uint8_t)low;
        low = low >> 8 | high << 24;
        high >>= 8;
    }
    bytes[9u - size] = (uint8_t)(kind << 5 | (size == 1u ? (uint32_t)value : info));
    tn_put_raw(bytes + 9u - size, size);
}

void tn_put_byte(uint32_t byte)
{
    uint8_t bytes[1] = {(uint8_t)byte};
    tn_put_raw(bytes, 1);
}

void tn_put_uint(uint64_t value)
{
    tn_put_head(TN_CBOR_UINT, value);
}

void tn_put_int(int64_t value)
{
    if (value < 0) {
        tn_put_head(TN_CBOR_NINT, (uint64_t)(-1 - value));
    } else {
        tn_put_head(TN_CBOR_UINT, (uint64_t)value);
    }
}

void tn_put_bool(bool value)
{
    tn_put_byte(SIMPLE_FALSE + (value ? 1u : 0u));
}

void tn_put_null(void)
{
    tn_put_byte(SIMPLE_NULL);
}

void tn_put_tag(uint32_t tag)
{
    tn_put_head(TN_CBOR_TAG, tag);
}

void tn_put_bytes(const void *bytes, uint32_t length)
{
    tn_put_bytes_head(length);
    tn_put_raw(bytes, length);
}

void tn_put_bytes_head(uint32_t length)
{
    tn_put_head(TN_CBOR_BYTES, length);
}

void tn_put_text(const char *text)
{
    tn_put_text_of(text, tn_length(text));
}

void tn_put_text_of(const char *text, uint32_t length)
{
    tn_put_head(TN_CBOR_TEXT, length);
    tn_put_raw(text, length);
}

void tn_put_array(uint32_t count)
{
    tn_put_head(TN_CBOR_ARRAY, count);
}

void tn_put_map(uint32_t count)
{
    tn_put_head(TN_CBOR_MAP, count);
}

void tn_put_raw(const void *bytes, uint32_t length)
{
    tn_writer *to = &tn_written;
    if (to->bytes == NULL) {
        tn_out_add(bytes, length);
    } else if (to->length <= to->room && length <= to->room - to->length) {
        tn_copy(to->bytes + to->length, bytes, length);
    }
    /* What is counted never wraps: an impossible length stays one. */
    to->length = length > UINT32_MAX - to->length ? UINT32_MAX : to->length + length;
}

void tn_put_source(tn_source from)
{
    tn_put_raw(from.bytes, from.length);
}
