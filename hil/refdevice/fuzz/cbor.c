/* The CBOR reader: an item that is passed over is written again from what its readers say, byte by byte the same; and
 * readers called in any order, whatever comes, stay within their bytes. */
#include "cbor.h"

#include <string.h>

#include "fuzz.h"

static uint8_t written[TN_STAGING_BYTES];

static void again_tag(tn_cbor *reader, tn_writer *to)
{
    static const uint32_t tags[] = {17, 18, 97, 98, 107, 1070};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        tn_cbor tried = *reader;
        if (tn_cbor_tag(&tried, tags[i])) {
            *reader = tried;
            tn_put_tag(to, tags[i]);
            return;
        }
    }
    HOLDS(false);
}

static void again_negative(tn_cbor *reader, tn_writer *to)
{
    tn_cbor before = *reader;
    tn_source string;
    int64_t value;
    if (tn_cbor_int(reader, &value)) {
        HOLDS(value < 0);
        tn_put_int(to, value);
    } else { /* below what 64 bits with a sign hold */
        *reader = before;
        HOLDS(tn_cbor_skip(reader, &string));
        HOLDS(string.length == 9u);
        tn_put_source(to, string);
    }
}

/* Of a container only the head is read: what it holds comes next anyway. */
static void again(tn_cbor *reader, tn_writer *to)
{
    uint64_t number;
    uint32_t count;
    tn_source string;
    bool flag;
    switch (tn_cbor_peek(reader)) {
    case TN_CBOR_UINT:
        HOLDS(tn_cbor_uint(reader, UINT64_MAX, &number));
        tn_put_uint(to, number);
        break;
    case TN_CBOR_NINT:
        again_negative(reader, to);
        break;
    case TN_CBOR_BYTES:
        HOLDS(tn_cbor_bytes(reader, 0, UINT32_MAX, &string));
        tn_put_bytes_head(to, string.length);
        tn_put_source(to, string);
        break;
    case TN_CBOR_TEXT:
        HOLDS(tn_cbor_text(reader, 0, UINT32_MAX, &string));
        {
            static char text[TN_STAGING_BYTES];
            tn_read(string, 0, text, string.length);
            tn_put_text_of(to, text, string.length);
        }
        break;
    case TN_CBOR_ARRAY:
        HOLDS(tn_cbor_array(reader, 0, UINT32_MAX, &count));
        tn_put_array(to, count);
        break;
    case TN_CBOR_MAP:
        HOLDS(tn_cbor_map(reader, 0, UINT32_MAX, &count));
        tn_put_map(to, count);
        break;
    case TN_CBOR_TAG:
        again_tag(reader, to);
        break;
    default: {
        tn_cbor before = *reader;
        if (tn_cbor_null(reader)) {
            tn_put_null(to);
        } else {
            *reader = before;
            HOLDS(tn_cbor_bool(reader, &flag));
            tn_put_bool(to, flag);
        }
    }
    }
}

static void strict(tn_source in)
{
    tn_cbor reader;
    tn_source item;
    tn_cbor_open(&reader, in);
    bool whole = tn_cbor_skip(&reader, &item);
    HOLDS(whole ? item.length > 0u : item.length == 0u);
    HOLDS(whole != reader.bad);
    if (!whole) {
        HOLDS(tn_cbor_peek(&reader) == TN_CBOR_NONE && !tn_cbor_ended(&reader));
        return;
    }
    tn_writer to = {written, sizeof written, 0};
    tn_cbor_open(&reader, item);
    while (!tn_cbor_ended(&reader)) {
        again(&reader, &to);
        HOLDS(!reader.bad);
    }
    HOLDS(tn_equals(item, written, to.length));
}

/* Call readers as the first bytes say, over the others. */
static void anyhow(const uint8_t *calls, size_t count, tn_source in)
{
    tn_cbor reader;
    tn_source string = {0}, last = {0};
    uint64_t number;
    int64_t value;
    int32_t key = -1;
    uint32_t items;
    bool flag;
    tn_cbor_open(&reader, in);
    for (size_t i = 0; i < count; i++) {
        uint32_t bound = calls[i] >> 4;
        switch (calls[i] & 15u) {
        case 0: tn_cbor_uint(&reader, bound * 99u, &number); break;
        case 1: tn_cbor_int(&reader, &value); break;
        case 2: tn_cbor_bool(&reader, &flag); break;
        case 3: tn_cbor_null(&reader); break;
        case 4: tn_cbor_tag(&reader, 90u + bound); break;
        case 5: tn_cbor_bytes(&reader, bound, 4u * bound, &string); break;
        case 6: tn_cbor_text(&reader, bound, 4u * bound, &string); break;
        case 7: tn_cbor_array(&reader, 0, bound, &items); break;
        case 8: tn_cbor_map(&reader, 0, bound, &items); break;
        case 9: tn_cbor_key(&reader, &key); break;
        case 10: tn_cbor_text_key(&reader, bound, &last); break;
        case 11: tn_cbor_skip(&reader, &string); break;
        default: tn_cbor_peek(&reader); break;
        }
        HOLDS(reader.at <= in.length);
        HOLDS(string.length <= in.length && last.length <= in.length);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    strict(fuzz_staged(data, size));
    strict(tn_in_memory(data, size > 4096u ? 4096u : (uint32_t)size));
    size_t calls = size < 24u ? size / 2u : 12u;
    anyhow(data, calls, fuzz_staged(data + calls, size - calls));
    return 0;
}
