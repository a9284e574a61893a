#include "record.h"

#include "rooms.h"
#include "tocsin_names.h"

#define LETTER_BITS 5u
#define BEFORE_LETTERS 0x5Eu /* code 1 is an underscore, and 3 the first letter */

const char *tn_name(uint32_t name)
{
    static const uint8_t names[] = {
        TN_NAMES_PACKED
#ifdef TN_TEST_BUILD
        TN_NAMES_PACKED_TEST
#endif
        0 /* a letter is read from two bytes */
    };
    static char words[TN_NAME_ROOM];
    uint32_t length = 0;
    for (uint32_t bit = 0; name > TN_NAME_NONE; bit += LETTER_BITS) {
        const uint8_t *at = names + bit / 8u;
        uint32_t code = (uint32_t)(at[0] | at[1] << 8) >> bit % 8u & 31u;
        words[length++] = (char)(BEFORE_LETTERS + code);
        if (code == 0u) { /* the end of a name */
            words[length - 1u] = '\0';
            length = 0;
            name--;
        }
    }
    return words;
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

/* The number that lies there. */
static uint64_t number_of(uint32_t kind, const void *at)
{
    switch (kind & 3u) {
    case TN_ROW_U8 & 3u:
        return *(const uint8_t *)at;
    case TN_ROW_U16 & 3u:
        return *(const uint16_t *)at;
    case TN_ROW_U32 & 3u:
        return *(const uint32_t *)at;
    default:
        return *(const uint64_t *)at;
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

/* The first row from this one on that counts, and where its value lies. */
static const tn_row *next_of(const tn_row *row, const void *argument, const void **at)
{
    for (;; row++) {
        *at = value_of(row, argument);
        if (kind_of(row) == TN_ROW_IF) {
            row += *(const uint8_t *)*at == 0u ? row->key : 0u;
        } else if (*at != NULL || row->key == 0u) {
            return row;
        }
    }
}

/* How many entries a map has: of so many rows, and of none of the maps within. */
static uint32_t count_of(const tn_row *first, uint32_t rows, const void *argument)
{
    const void *at;
    uint32_t count = 0;
    for (const tn_row *row = first;; row++) {
        row = next_of(row, argument, &at);
        if ((uint32_t)(row - first) >= rows || (kind_of(row) == TN_ROW_STOP && row->key == 0u)) {
            return count;
        }
        count += row->key != 0u ? 1u : 0u;
        row += kind_of(row) == TN_ROW_MAP ? row->at : 0u;
    }
}

static void put_value(uint32_t kind, const void *at)
{
    char words[TN_VERSION_ROOM];
    if (kind >= TN_ROW_BYTES_8) {
        tn_put_bytes(at, 8u << (kind - TN_ROW_BYTES_8));
    } else if (kind == TN_ROW_TEXT || kind == TN_ROW_VERSION) {
        tn_put_text(kind == TN_ROW_TEXT ? at : tn_version(words, at, '+'));
    } else if (kind == TN_ROW_PARTS) {
        tn_put_array(4);
        for (uint32_t i = 0; i < 4u; i++) {
            tn_put_uint(((const tn_version_part *)at)[i]);
        }
    } else {
        uint64_t number = number_of(kind, at);
        if (kind < TN_ROW_FLAG) {
            tn_put_uint(number);
        } else if (kind == TN_ROW_RAW) {
            tn_put_byte((uint32_t)number);
        } else {
            tn_put_bool(number != 0u);
        }
    }
}

const tn_row *tn_put_rows(const tn_row *row, const void *argument)
{
    for (;; row++) {
        const void *at;
        row = next_of(row, argument, &at);
        if (row->key >= TN_NAME_NONE) {
            tn_put_name(row->key);
        } else if (row->key > 0u) {
            tn_put_uint(row->key);
        }
        uint32_t kind = kind_of(row);
        if (kind == TN_ROW_STOP) {
            return row + 1;
        }
        if (at == NULL) {
            tn_put_null();
        } else if (kind == TN_ROW_MAP) {
            tn_put_map(count_of(row + 1, row->at, argument));
        } else {
            put_value(kind, at);
        }
    }
}
