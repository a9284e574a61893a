/* Items that fitted a shape: nothing here is checked again. */
#include "item.h"

uint64_t tn_value(tn_item item)
{
    if (item == NULL) {
        return 0;
    }
    uint32_t info = *item & 31u;
    if (info < 24u) {
        return info;
    }
    uint64_t value = 0;
    for (uint32_t left = 1u << (info - 24u); left > 0u; left--) {
        value = value << 8 | *++item;
    }
    return value;
}

bool tn_is_true(tn_item item)
{
    return item != NULL && *item == TN_CBOR_TRUE;
}

uint32_t tn_kind(tn_item item)
{
    return (uint32_t)*item >> 5;
}

tn_item tn_first(tn_item item)
{
    if (item == NULL) {
        return NULL;
    }
    uint32_t info = *item & 31u;
    return item + 1u + (info < 24u ? 0u : 1u << (info - 24u));
}

tn_source tn_string(tn_item item)
{
    return tn_in_memory(tn_first(item), (uint32_t)tn_value(item));
}

tn_item tn_behind(tn_item item)
{
    for (uint32_t left = item != NULL ? 1u : 0u; left > 0u; left--) {
        uint32_t kind = tn_kind(item), count = (uint32_t)tn_value(item);
        item = tn_first(item);
        if (kind == TN_CBOR_BYTES || kind == TN_CBOR_TEXT) {
            item += count;
        } else if (kind == TN_CBOR_ARRAY || kind == TN_CBOR_MAP) {
            left += kind == TN_CBOR_MAP ? 2u * count : count;
        } else if (kind == TN_CBOR_TAG) {
            left++;
        }
    }
    return item;
}

tn_source tn_whole(tn_item item)
{
    return tn_in_memory(item, (uint32_t)(tn_behind(item) - item));
}

tn_item tn_nth(tn_item array, uint32_t number)
{
    uint32_t count = (uint32_t)tn_value(array);
    if (array == NULL || number >= (tn_kind(array) == TN_CBOR_MAP ? 2u * count : count)) {
        return NULL;
    }
    for (array = tn_first(array); number > 0u; number--) {
        array = tn_behind(array);
    }
    return array;
}

tn_item tn_at(tn_item map, uint32_t key)
{
    uint32_t left = (uint32_t)tn_value(map);
    for (map = tn_first(map); left > 0u; left--) {
        bool found = *map == key;
        map = tn_behind(map);
        if (found) {
            return map;
        }
        map = tn_behind(map);
    }
    return NULL;
}

tn_item tn_first_at(tn_item map, uint32_t key)
{
    return tn_first(tn_at(map, key));
}

uint64_t tn_value_at(tn_item map, uint32_t key)
{
    return tn_value(tn_at(map, key));
}

static bool holds(tn_item string, const void *bytes, uint32_t length)
{
    return tn_value(string) == length && tn_compare(tn_first(string), bytes, length) == 0;
}

bool tn_is(tn_item string, const char *words)
{
    return holds(string, words, words != NULL ? tn_length(words) : 0u);
}

bool tn_is_hash(tn_item string, const uint8_t digest[32])
{
    return holds(string, digest, 32);
}

bool tn_alike(tn_item one, tn_item other)
{
    if (one == NULL || other == NULL) {
        return one == other;
    }
    return tn_compare(one, other, (uint32_t)(tn_behind(one) - one)) == 0; /* where an item ends it says itself */
}

bool tn_has(tn_item array, const char *words)
{
    tn_item one;
    for (uint32_t i = 0; (one = tn_nth(array, i)) != NULL; i++) {
        if (tn_is(one, words)) {
            return true;
        }
    }
    return false;
}
