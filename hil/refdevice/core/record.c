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

void tn_put_name(tn_writer *to, uint32_t name)
{
    tn_put_text(to, tn_name(name));
}

void tn_put_named(tn_writer *to, uint32_t name, uint32_t number)
{
    tn_put_name(to, name);
    tn_put_uint(to, number);
}

/* What a row's number is; of a text and of bytes the first byte. */
static uint64_t number_of(const tn_row *row, const void *at)
{
    switch (row->kind) {
    case TN_ROW_RAW:
    case TN_ROW_CONSTANT:
        return row->at;
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

static void put_value(tn_writer *to, uint32_t kind, const void *at, uint64_t number)
{
    char words[TN_VERSION_ROOM];
    switch (kind) {
    case TN_ROW_FLAG:
    case TN_ROW_FLAG_64:
        tn_put_bool(to, number != 0u);
        break;
    case TN_ROW_RAW:
        tn_put_byte(to, (uint32_t)number);
        break;
    case TN_ROW_VERSION:
        at = tn_version(words, at, '+');
        /* fall through */
    case TN_ROW_TEXT:
        tn_put_text(to, at);
        break;
    case TN_ROW_BYTES_8:
    case TN_ROW_BYTES_16:
    case TN_ROW_BYTES_32:
        tn_put_bytes(to, at, 8u << (kind - TN_ROW_BYTES_8));
        break;
    case TN_ROW_PARTS:
        tn_put_array(to, 4);
        for (uint32_t i = 0; i < 4u; i++) {
            tn_put_uint(to, ((const tn_version_part *)at)[i]);
        }
        break;
    default:
        tn_put_uint(to, number);
    }
}

uint32_t tn_put_rows(tn_writer *to, const tn_row *row, const void *argument)
{
    const void *const bases[] = {argument, &tn_maker, &tn_now, &tn_stored};
    uint32_t count = 0;
    for (; row->kind != TN_ROW_LAST; row++) {
        bool placed = row->kind != TN_ROW_CONSTANT && row->kind != TN_ROW_RAW;
        const void *at = (const uint8_t *)bases[row->of] + (placed ? row->at : 0u);
        if (row->way == TN_POINTED) {
            at = *(const void *const *)at;
            if (at == NULL) {
                continue;
            }
        }
        uint64_t number = number_of(row, at);
        if (row->kind == TN_ROW_IF) {
            row += number == 0u ? 1 : 0;
            continue;
        }
        if (number == 0u && row->way == TN_UNLESS_EMPTY) {
            continue;
        }
        if (row->key >= TN_NAME_NONE) {
            tn_put_name(to, row->key);
        } else if (row->key > 0u) {
            tn_put_uint(to, row->key);
        }
        put_value(to, row->kind, at, number);
        count += row->key > 0u ? 1u : 0u;
    }
    return count;
}

uint32_t tn_count_rows(const tn_row *row, const void *argument)
{
    tn_writer counter = {NULL, 0, 0};
    return tn_put_rows(&counter, row, argument);
}
