#include "record.h"

#include "rooms.h"

const char *tn_name(uint32_t name)
{
#define WORDS(NAME) #NAME "\0"
    static const char names[] = TN_NAMES(WORDS)
#ifdef TN_TEST_BUILD
        TN_NAMES_TEST(WORDS)
#endif
        ;
    const char *found = names;
    for (name -= TN_NAME_NONE + 1u; name > 0u; name--) {
        found += tn_length(found) + 1u;
    }
    return found;
}

void tn_put_name(uint32_t name)
{
    tn_put_text(tn_name(name));
}

void tn_put_named(uint32_t name, uint32_t number)
{
    tn_put_name(name);
    tn_put_uint(number);
}

static uint32_t kind_of(const tn_row *row)
{
    return row->what >> 4;
}

/* The number that lies there; of a text and of bytes the first byte. */
static uint64_t number_of(uint32_t kind, const void *at)
{
    switch (kind) {
    case TN_ROW_RAW:
    case TN_ROW_U16:
        return *(const uint16_t *)at;
    case TN_ROW_U32:
        return *(const uint32_t *)at;
    case TN_ROW_U64:
    case TN_ROW_FLAG_64:
        return *(const uint64_t *)at;
    default:
        return *(const uint8_t *)at;
    }
}

/* Where a row's value lies; NULL: the row is left out. */
static const void *value_of(const tn_row *row, const void *argument)
{
    const void *const bases[] = {argument, &tn_maker, &tn_now, &tn_stored};
    uint32_t way = row->what & 3u;
    if (way == TN_ITSELF) {
        return &row->at;
    }
    const void *at = (const uint8_t *)bases[row->what >> 2 & 3u] + row->at;
    if (way == TN_POINTED) {
        return *(const void *const *)at;
    }
    return way == TN_UNLESS_EMPTY && number_of(kind_of(row), at) == 0u ? NULL : at;
}

/* How many rows stand between this one and the next that counts. */
static uint32_t skipped(const tn_row *row, const void *at)
{
    return kind_of(row) == TN_ROW_IF && *(const uint8_t *)at == 0u ? row->key : 0u;
}

/* How many entries a map has: of so many rows, and of none of the maps within. */
static uint32_t count_of(const tn_row *row, uint32_t rows, const void *argument)
{
    uint32_t count = 0;
    while (rows != 0u && (kind_of(row) != TN_ROW_STOP || row->key != 0u)) {
        const void *at = value_of(row, argument);
        uint32_t step = 1u + skipped(row, at);
        if (at != NULL && row->key != 0u && kind_of(row) != TN_ROW_IF) {
            count++;
            step += kind_of(row) == TN_ROW_MAP ? row->at : 0u;
        }
        row += step;
        rows -= step;
    }
    return count;
}

static void put_value(uint32_t kind, const void *at)
{
    char words[TN_VERSION_ROOM];
    uint64_t number = number_of(kind, at);
    switch (kind) {
    case TN_ROW_FLAG:
    case TN_ROW_FLAG_64:
        tn_put_bool(number != 0u);
        break;
    case TN_ROW_RAW:
        tn_put_byte((uint32_t)number);
        break;
    case TN_ROW_VERSION:
        at = tn_version(words, at, '+');
        /* fall through */
    case TN_ROW_TEXT:
        tn_put_text(at);
        break;
    case TN_ROW_BYTES_8:
    case TN_ROW_BYTES_16:
    case TN_ROW_BYTES_32:
        tn_put_bytes(at, 8u << (kind - TN_ROW_BYTES_8));
        break;
    case TN_ROW_PARTS:
        tn_put_array(4);
        for (uint32_t i = 0; i < 4u; i++) {
            tn_put_uint(((const tn_version_part *)at)[i]);
        }
        break;
    default:
        tn_put_uint(number);
    }
}

const tn_row *tn_put_rows(const tn_row *row, const void *argument)
{
    for (;; row++) {
        const void *at = value_of(row, argument);
        uint32_t kind = kind_of(row);
        if (kind == TN_ROW_IF) {
            row += skipped(row, at);
            continue;
        }
        if (at == NULL) {
            continue;
        }
        if (row->key >= TN_NAME_NONE) {
            tn_put_name(row->key);
        } else if (row->key > 0u) {
            tn_put_uint(row->key);
        }
        if (kind == TN_ROW_STOP) {
            return row + 1;
        }
        if (kind == TN_ROW_MAP) {
            tn_put_map(count_of(row + 1, row->at, argument));
        } else {
            put_value(kind, at);
        }
    }
}
