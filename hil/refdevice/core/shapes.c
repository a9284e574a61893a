/* Texts of documents (keys/shapes.py): what the bytes of a name may be. */
#include "item.h"
#include "trust.h"

#include <stddef.h>

tn_source tn_bytes_of(const char *text)
{
    return tn_in_memory(text, text != NULL ? tn_length(text) : 0u);
}

/* Ranges of characters, first and last. */
typedef struct {
    uint16_t first, last;
} range;

/* Control characters but new line: a device draws words, and nobody's escape sequences. */
static const range controls[] = {{0x00, 0x09}, {0x0B, 0x1F}, {0x7F, 0x9F}};
/* Line ends, and what turns the direction of writing: a name must read as it is spelt. */
static const range steering[] = {{0x0A, 0x0A}, {0x2028, 0x202E}, {0x2066, 0x2069}};
/* What Python strips from the ends of a text and is neither a control character nor a line end. */
static const range spaces[] = {{0x20, 0x20},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                               {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
static const range marks[] = {{'-', '.'}, {'_', '_'}};
static const range letters[] = {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}};

#define IN(table, character) within(table, sizeof(table) / sizeof(*(table)), character)

static bool within(const range *table, uint32_t count, uint32_t character)
{
    for (uint32_t i = 0; i < count; i++) {
        if (character >= table[i].first && character <= table[i].last) {
            return true;
        }
    }
    return false;
}

uint32_t tn_character_at(tn_source text, uint32_t *at)
{
    static const uint16_t least[] = {0, 0x80, 0x800, 0};
    uint32_t lead = text.bytes[(*at)++];
    uint32_t more = lead < 0xC0u ? 0u : lead < 0xE0u ? 1u : lead < 0xF0u ? 2u : 3u;
    uint32_t value = more == 0u ? lead : lead & (0x3Fu >> more);
    bool good = (lead < 0x80u || lead >= 0xC2u) && lead < 0xF5u && more <= text.length - *at;
    for (uint32_t i = 0; i < more && good; i++) {
        uint32_t byte = text.bytes[(*at)++];
        good = byte >> 6 == 2u;
        value = value << 6 | (byte & 0x3Fu);
    }
    good = good && value >= (more == 3u ? 0x10000u : least[more]) && value >> 11 != 0x1Bu && value <= 0x10FFFFu;
    return good ? value : TN_NO_CHARACTER;
}

bool tn_is_text(tn_source text, uint32_t kind)
{
    uint32_t at = 0;
    while (at < text.length) {
        bool first = at == 0u;
        uint32_t character = tn_character_at(text, &at);
        bool end = first || at == text.length;
        if (character == TN_NO_CHARACTER) {
            return false;
        }
        if (kind == TN_IDENT) {
            if (!IN(letters, character) && (first || !IN(marks, character))) {
                return false;
            }
        } else if (kind != TN_ANY && IN(controls, character)) {
            return false;
        } else if (kind == TN_NAME && (IN(steering, character) || (end && IN(spaces, character)))) {
            return false;
        }
    }
    return true;
}
