/* CBOR, of any kind: of what fits, every item lies within its bytes, wherever one steps to it; and written again,
 * item by item from what is read of it, it is byte by byte the same. */
#include "cbor.h"

#include "fuzz.h"
#include "item.h"

static uint8_t written[TN_STAGING_BYTES];

static void within(tn_source part, tn_source whole)
{
    HOLDS(part.bytes >= whole.bytes && part.length <= whole.length);
    HOLDS((size_t)(part.bytes - whole.bytes) <= whole.length - part.length);
}

/* Of a container only the head is written: what it holds comes next anyway. */
static void again(tn_item item)
{
    uint64_t value = tn_value(item);
    switch (tn_kind(item)) {
    case TN_CBOR_UINT:
        tn_put_uint(value);
        break;
    case TN_CBOR_NINT:
        if (value <= INT64_MAX) {
            tn_put_int(-1 - (int64_t)value);
        } else { /* below what 64 bits with a sign hold */
            tn_put_head(TN_CBOR_NINT, value);
        }
        break;
    case TN_CBOR_BYTES:
        tn_put_bytes_head((uint32_t)value);
        tn_put_source(tn_string(item));
        break;
    case TN_CBOR_TEXT:
        tn_put_text_of((const char *)tn_string(item).bytes, (uint32_t)value);
        break;
    case TN_CBOR_ARRAY:
        tn_put_array((uint32_t)value);
        break;
    case TN_CBOR_MAP:
        tn_put_map((uint32_t)value);
        break;
    case TN_CBOR_TAG:
        tn_put_tag((uint32_t)value);
        break;
    default:
        if (*item == TN_CBOR_NULL) {
            tn_put_null();
        } else {
            tn_put_bool(tn_is_true(item));
        }
    }
}

/* Whatever is asked for of a container: its items, in turn and by number, lie within it, and end where it ends. */
static void contained(tn_item container)
{
    tn_source whole = tn_whole(container);
    uint32_t count = (uint32_t)tn_value(container) * (tn_kind(container) == TN_CBOR_MAP ? 2u : 1u);
    tn_item one = tn_first(container);
    for (uint32_t i = 0; i < count; i++) {
        within(tn_whole(one), whole);
        if (i < 4u || i + 1u == count) {
            HOLDS(tn_nth(container, i) == one);
        }
        one = tn_behind(one);
    }
    HOLDS(one == whole.bytes + whole.length);
    HOLDS(tn_nth(container, count) == NULL && tn_nth(container, UINT32_MAX) == NULL);
    if (tn_kind(container) == TN_CBOR_MAP && count > 0u) {
        tn_item key = tn_nth(container, count - 2u);
        uint64_t number = tn_value(key);
        bool told = tn_kind(key) == TN_CBOR_UINT && number < 24u;
        HOLDS(!told || tn_at(container, (uint32_t)number) == tn_nth(container, count - 1u));
    }
}

static bool strict(tn_source in)
{
    if (!tn_fits(in, tn_any, NULL)) {
        return false;
    }
    tn_write_to(written, sizeof written);
    HOLDS(in.length > 0u && tn_equals(tn_whole(in.bytes), in.bytes, in.length));
    for (tn_item item = in.bytes; item < in.bytes + in.length;) {
        uint32_t kind = tn_kind(item);
        tn_source whole = tn_whole(item);
        within(whole, in);
        again(item);
        if (kind == TN_CBOR_BYTES || kind == TN_CBOR_TEXT) {
            within(tn_string(item), whole);
            item = tn_behind(item);
            continue;
        }
        if (kind == TN_CBOR_ARRAY || kind == TN_CBOR_MAP) {
            contained(item);
        }
        item = tn_first(item);
    }
    HOLDS(tn_equals(in, written, tn_written.length));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t ident[] = {TN_IDENT, 64}, digest[] = {TN_BYTES, 32};
    bool whole = strict(fuzz_staged(data, size));
    if (size <= TN_STAGING_BYTES - 64u) { /* all of it was staged: where it lies makes no difference */
        tn_source in = tn_in_memory(data, (uint32_t)size);
        HOLDS(strict(in) == whole);
        HOLDS(whole || !tn_fits(in, ident, NULL)); /* what has a shape is an item of any kind, too */
        HOLDS(whole || !tn_fits(in, digest, NULL));
    }
    return 0;
}
