/* Texts of documents (keys/shapes.py): what the bytes of a name may be. */
#include "item.h"
#include "trust.h"

#include <stddef.h>

tn_source tn_bytes_of(const char *text)
{
    return tn_in_memory(text, tn_length(text));
}

/* Kinds of characters; any other is PLAIN. */
enum {
    PLAIN,
    LETTER,
    MARK,
    CONTROL, /* but new line: a device draws words, and nobody's escape sequences */
    STEERING, /* line ends, and what turns the direction of writing: a name must read as it is spelt */
    SPACE     /* that Python strips from the ends of a text, and is none of the above */
};

static const struct {
    uint16_t first;
    uint8_t more, kind; /* so many more are of this kind, too */
} ranges[] = {
    {0x00, 9, CONTROL},   {0x0A, 0, STEERING},   {0x0B, 20, CONTROL},  {0x20, 0, SPACE},    {'-', 1, MARK},
    {'0', 9, LETTER},     {'A', 25, LETTER},     {'_', 0, MARK},       {'a', 25, LETTER},   {0x7F, 32, CONTROL},
    {0xA0, 0, SPACE},     {0x1680, 0, SPACE},    {0x2000, 10, SPACE},  {0x2028, 6, STEERING}, {0x202F, 0, SPACE},
    {0x205F, 0, SPACE},   {0x2066, 3, STEERING}, {0x3000, 0, SPACE},
};

static uint32_t kind_of(uint32_t character)
{
    uint32_t i = 0;
    while (i < sizeof(ranges) / sizeof(*ranges) && character - ranges[i].first > ranges[i].more) {
        i++;
    }
    return i < sizeof(ranges) / sizeof(*ranges) ? ranges[i].kind : PLAIN;
}

uint32_t tn_character_at(tn_source text, uint32_t *at)
{
    uint32_t value = text.bytes[(*at)++];
    if (value < 0x80u) {
        return value;
    }
    uint32_t more = value < 0xE0u ? 1u : value < 0xF0u ? 2u : 3u;
    if (value < 0xC2u || more > text.length - *at) {
        return TN_NO_CHARACTER;
    }
    value -= 0x100u - (0x80u >> more);
    for (uint32_t i = 0; i < more; i++) {
        uint32_t byte = text.bytes[(*at)++];
        value = byte >> 6 == 2u ? value << 6 | (byte & 0x3Fu) : TN_NO_CHARACTER;
    }
    bool good = value >> (5u * more + 1u) != 0u && value >> 11 != 0x1Bu && value <= 0x10FFFFu;
    return good ? value : TN_NO_CHARACTER;
}

/* What may not stand in a text of a kind: anywhere, at its begin, at its end. */
#define NOT_IDENT (1u << PLAIN | 1u << CONTROL | 1u << STEERING | 1u << SPACE)
#define NOT_NAME (1u << CONTROL | 1u << STEERING)

bool tn_is_text(tn_source text, uint32_t kind)
{
    static const uint8_t refused[][3] = {
        {NOT_IDENT, NOT_IDENT | 1u << MARK, NOT_IDENT},
        {NOT_NAME, NOT_NAME | 1u << SPACE, NOT_NAME | 1u << SPACE},
        {1u << CONTROL, 1u << CONTROL, 1u << CONTROL},
        {0, 0, 0}, /* TN_ANY, TN_TEXT */
        {0, 0, 0},
    };
    for (uint32_t at = 0; at < text.length;) {
        bool first = at == 0u;
        uint32_t character = tn_character_at(text, &at);
        const uint8_t *set = refused[kind - TN_IDENT] + (first ? 1 : at == text.length ? 2 : 0);
        if (character == TN_NO_CHARACTER || (*set >> kind_of(character) & 1u) != 0u) {
            return false;
        }
    }
    return true;
}
