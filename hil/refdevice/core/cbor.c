#include "cbor.h"

#include <stddef.h>

/* COSE_Mac0, COSE_Sign1, COSE_Mac, COSE_Sign, SUIT_Envelope, bare SUIT manifest (keys.cbor.TAGS_ALLOWED). */
static const uint16_t tags_allowed[] = {17, 18, 97, 98, 107, 1070};

/* An array, map or tag that is being passed over: where it begins, where its last key lies, its head included. Nothing
 * that is passed over has 65,536 bytes. */
typedef struct {
    uint16_t at;
    uint16_t key_at, key_length;
    uint16_t left; /* items to come: two for every entry of a map */
    bool map;
} level;

void tn_cbor_open(tn_cbor *reader, tn_source in)
{
    reader->in = in;
    reader->at = 0;
    reader->bad = false;
}

static bool spoil(tn_cbor *reader)
{
    reader->bad = true;
    return false;
}

static uint8_t next_byte(tn_cbor *reader)
{
    if (reader->bad || reader->at >= reader->in.length) {
        reader->bad = true;
        return 0;
    }
    return reader->in.bytes[reader->at++];
}

/* Read a head: its first byte, and its argument in the shortest form that holds it. */
static uint64_t next_head(tn_cbor *reader, uint8_t *first)
{
    *first = next_byte(reader);
    uint8_t info = *first & 31u;
    if (info < 24u) {
        return info;
    }
    if (info > 27u) { /* reserved, or a length that is not definite */
        reader->bad = true;
        return 0;
    }
    uint32_t size = 1u << (info - 24u);
    uint64_t value = 0;
    for (uint32_t i = 0; i < size; i++) {
        value = value << 8 | next_byte(reader);
    }
    uint64_t least = size == 1u ? 24u : (uint64_t)1 << (4u * size);
    if (value < least) {
        reader->bad = true;
    }
    return value;
}

static bool expect(tn_cbor *reader, tn_cbor_kind kind, uint64_t least, uint64_t most, uint64_t *value)
{
    uint8_t first;
    *value = next_head(reader, &first);
    if (reader->bad || first >> 5 != (uint8_t)kind || *value < least || *value > most) {
        *value = 0;
        return spoil(reader);
    }
    return true;
}

static bool expect_count(tn_cbor *reader, tn_cbor_kind kind, uint32_t least, uint32_t most, uint32_t *count)
{
    uint64_t value;
    bool read = expect(reader, kind, least, most < TN_CBOR_ITEMS_MAX ? most : TN_CBOR_ITEMS_MAX, &value);
    *count = (uint32_t)value;
    return read;
}

/* Pass over the content of a byte string. */
static bool pass(tn_cbor *reader, uint64_t length)
{
    if (reader->bad || length > reader->in.length - reader->at) {
        return spoil(reader);
    }
    reader->at += (uint32_t)length;
    return true;
}

/* Pass over the content of a text: UTF-8 in its shortest form, no surrogates, nothing above U+10FFFF (RFC 3629). */
static bool pass_text(tn_cbor *reader, uint64_t length)
{
    if (reader->bad || length > reader->in.length - reader->at) {
        return spoil(reader);
    }
    uint32_t end = reader->at + (uint32_t)length;
    while (reader->at < end) {
        uint8_t lead = next_byte(reader);
        if (lead < 0x80u) {
            continue;
        }
        if (lead < 0xC2u || lead > 0xF4u) {
            return spoil(reader);
        }
        uint32_t more = lead < 0xE0u ? 1u : lead < 0xF0u ? 2u : 3u;
        uint8_t low = lead == 0xE0u ? 0xA0u : lead == 0xF0u ? 0x90u : 0x80u;
        uint8_t high = lead == 0xEDu ? 0x9Fu : lead == 0xF4u ? 0x8Fu : 0xBFu;
        if (more > end - reader->at) {
            return spoil(reader);
        }
        for (; more > 0u; more--) {
            uint8_t byte = next_byte(reader);
            if (byte < low || byte > high) {
                return spoil(reader);
            }
            low = 0x80u;
            high = 0xBFu;
        }
    }
    return true;
}

tn_cbor_kind tn_cbor_peek(tn_cbor *reader)
{
    if (reader->bad || reader->at >= reader->in.length) {
        return TN_CBOR_NONE;
    }
    return (tn_cbor_kind)(reader->in.bytes[reader->at] >> 5);
}

bool tn_cbor_uint(tn_cbor *reader, uint64_t most, uint64_t *value)
{
    return expect(reader, TN_CBOR_UINT, 0, most, value);
}

bool tn_cbor_int(tn_cbor *reader, int64_t *value)
{
    bool negative = tn_cbor_peek(reader) == TN_CBOR_NINT;
    uint64_t argument;
    bool read = expect(reader, negative ? TN_CBOR_NINT : TN_CBOR_UINT, 0, INT64_MAX, &argument);
    *value = negative && read ? -1 - (int64_t)argument : (int64_t)argument;
    return read;
}

bool tn_cbor_bool(tn_cbor *reader, bool *value)
{
    uint8_t byte = next_byte(reader);
    *value = byte == TN_CBOR_TRUE;
    return byte == TN_CBOR_TRUE || byte == TN_CBOR_FALSE || spoil(reader);
}

bool tn_cbor_null(tn_cbor *reader)
{
    return next_byte(reader) == TN_CBOR_NULL || spoil(reader);
}

bool tn_cbor_tag(tn_cbor *reader, uint32_t tag)
{
    uint64_t value;
    return expect(reader, TN_CBOR_TAG, tag, tag, &value);
}

static bool string(tn_cbor *reader, tn_cbor_kind kind, uint32_t least, uint32_t most, tn_source *value)
{
    uint64_t length;
    bool read = expect(reader, kind, least, most, &length);
    uint32_t at = reader->at;
    read = read && (kind == TN_CBOR_TEXT ? pass_text(reader, length) : pass(reader, length));
    *value = tn_part(reader->in, at, read ? (uint32_t)length : 0u);
    return read;
}

bool tn_cbor_bytes(tn_cbor *reader, uint32_t least, uint32_t most, tn_source *value)
{
    return string(reader, TN_CBOR_BYTES, least, most, value);
}

bool tn_cbor_text(tn_cbor *reader, uint32_t least, uint32_t most, tn_source *value)
{
    return string(reader, TN_CBOR_TEXT, least, most, value);
}

bool tn_cbor_array(tn_cbor *reader, uint32_t least, uint32_t most, uint32_t *count)
{
    return expect_count(reader, TN_CBOR_ARRAY, least, most, count);
}

bool tn_cbor_map(tn_cbor *reader, uint32_t least, uint32_t most, uint32_t *count)
{
    return expect_count(reader, TN_CBOR_MAP, least, most, count);
}

bool tn_cbor_key(tn_cbor *reader, int32_t *last)
{
    uint64_t key;
    if (!expect(reader, TN_CBOR_UINT, 0, INT32_MAX, &key) || (int32_t)key <= *last) {
        return spoil(reader);
    }
    *last = (int32_t)key;
    return true;
}

bool tn_cbor_text_key(tn_cbor *reader, uint32_t most, tn_source *last)
{
    tn_source key;
    if (!tn_cbor_text(reader, 0, most, &key) || (last->bytes != NULL && tn_order(key, *last) <= 0)) {
        return spoil(reader);
    }
    *last = key;
    return true;
}

static bool allowed(uint64_t tag)
{
    for (uint32_t i = 0; i < sizeof tags_allowed / sizeof *tags_allowed; i++) {
        if (tags_allowed[i] == tag) {
            return true;
        }
    }
    return false;
}

/* Pass over one item, of a container its head only: how many items it holds is said. Returns the head's first byte. */
static uint8_t pass_one(tn_cbor *reader, uint32_t *items)
{
    uint8_t first;
    uint64_t value = next_head(reader, &first);
    tn_cbor_kind kind = (tn_cbor_kind)(first >> 5);
    bool fine = true;
    *items = 0;
    switch (kind) {
    case TN_CBOR_BYTES:
        fine = pass(reader, value);
        break;
    case TN_CBOR_TEXT:
        fine = pass_text(reader, value);
        break;
    case TN_CBOR_ARRAY:
    case TN_CBOR_MAP:
        fine = value <= TN_CBOR_ITEMS_MAX;
        *items = (uint32_t)value << (kind == TN_CBOR_MAP ? 1u : 0u);
        break;
    case TN_CBOR_TAG:
        fine = allowed(value);
        *items = 1;
        break;
    case TN_CBOR_SIMPLE:
        fine = first >= TN_CBOR_FALSE && first <= TN_CBOR_NULL;
        break;
    default: /* numbers: the head is all */
        break;
    }
    if (!fine) {
        reader->bad = true;
    }
    return first;
}

/* An item that began at `at` is over; where it is a key of `in`, say whether it may be the next one. */
static bool follows(const tn_cbor *reader, level *in, uint8_t first, uint32_t at)
{
    bool key = in->map && in->left % 2u == 0u;
    uint32_t length = reader->at - at;
    in->left--;
    if (!key) {
        return true;
    }
    if (first >> 5 > TN_CBOR_ARRAY ||
        tn_order(tn_part(reader->in, at, length), tn_part(reader->in, in->key_at, in->key_length)) <= 0) {
        return false;
    }
    in->key_at = (uint16_t)at;
    in->key_length = (uint16_t)length;
    return true;
}

bool tn_cbor_skip(tn_cbor *reader, tn_source *item)
{
    level levels[TN_CBOR_DEPTH_MAX];
    uint32_t depth = 0;
    uint32_t start = reader->at;
    do {
        uint32_t at = reader->at;
        uint32_t items;
        uint8_t first = pass_one(reader, &items);
        if (reader->bad || reader->at > UINT16_MAX || (items > 0u && depth == TN_CBOR_DEPTH_MAX)) {
            reader->bad = true;
            break;
        }
        if (items > 0u) {
            levels[depth++] = (level){(uint16_t)at, 0, 0, (uint16_t)items, first >> 5 == TN_CBOR_MAP};
            continue;
        }
        while (depth > 0u) { /* one item is over, and with it all that it is the last of */
            level *in = &levels[depth - 1u];
            if (!follows(reader, in, first, at)) {
                reader->bad = true;
            }
            if (in->left > 0u) {
                break;
            }
            at = in->at;
            first = reader->in.bytes[at];
            depth--;
        }
    } while (depth > 0u && !reader->bad);
    if (item != NULL) {
        *item = tn_part(reader->in, start, reader->bad ? 0u : reader->at - start);
    }
    return !reader->bad;
}

bool tn_cbor_ended(const tn_cbor *reader)
{
    return !reader->bad && reader->at == reader->in.length;
}
