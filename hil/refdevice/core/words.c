/* The words of a text, and which of a notice's texts this device shows (device_sim.core.wording, advisories.languages). */
#include "notice.h"

#define LATIN_END 0x250u /* letters below are those that the display draws */
#define DASHES 0x2010u
#define DASHES_END 0x2027u

static const uint16_t most[] = {TN_LANGUAGE_BYTES_MAX, 160, 600, 600, 600, 600, 200};

bool tn_words_read(tn_source text, tn_words *words)
{
    tn_cbor reader;
    uint32_t count, from;
    int32_t last = -1;
    tn_source digest;
    tn_fill(words, 0, sizeof(*words));
    tn_cbor_open(&reader, text);
    if (!tn_cbor_map(&reader, 7, 8, &count)) {
        return false;
    }
    for (int32_t key = 1; key <= 7; key++) {
        tn_source *to = key == 1 ? &words->language : &words->words[key - 2];
        if (!tn_cbor_key(&reader, &last) || last != key || !tn_cbor_words(&reader, most[key - 1], to)) {
            return false;
        }
    }
    if (count == 8u) {
        if (!tn_cbor_key(&reader, &last) || last != 8 || !tn_cbor_array(&reader, 1, TN_PAGES_MAX, &words->page_count)) {
            return false;
        }
        from = reader.at;
        for (uint32_t i = 0; i < words->page_count; i++) {
            if (!tn_cbor_bytes(&reader, TN_HASH, TN_HASH, &digest)) {
                return false;
            }
        }
        words->pages = tn_part(text, from, reader.at - from);
    }
    return tn_cbor_ended(&reader);
}

/* Whether the display can draw every letter: Latin ones, and dashes and quotes. */
static bool is_plain(tn_source text)
{
    uint8_t bytes[3];
    for (uint32_t at = 0; at < text.length; at++) {
        tn_read(text, at, bytes, sizeof(bytes));
        uint32_t two = ((uint32_t)bytes[0] & 0x1Fu) << 6 | (bytes[1] & 0x3Fu);
        uint32_t three = ((uint32_t)bytes[0] & 0x0Fu) << 12 | ((uint32_t)bytes[1] & 0x3Fu) << 6 | (bytes[2] & 0x3Fu);
        if (bytes[0] >= 0xF0u || (bytes[0] >= 0xE0u && (three < DASHES || three > DASHES_END)) ||
            (bytes[0] >= 0xC0u && bytes[0] < 0xE0u && two >= LATIN_END)) {
            return false;
        }
    }
    return true;
}

bool tn_words_are_plain(const tn_words *words)
{
    for (uint32_t i = 0; i < 6u; i++) {
        if (!is_plain(words->words[i])) {
            return false;
        }
    }
    return true;
}

/* Length of a tag's language, without script and region. */
static uint32_t primary(tn_source tag)
{
    uint8_t letter = 0;
    uint32_t length = 0;
    for (; length < tag.length; length++) {
        tn_read(tag, length, &letter, 1);
        if (letter == '-') {
            break;
        }
    }
    return length;
}

/* How well a text fits: the same tag, the same language, English, any. */
static uint32_t rank_of(tn_source tag)
{
    const char *const wanted[] = {tn_maker.language, "en"};
    for (uint32_t i = 0; i < 2u; i++) {
        tn_source own = tn_in_memory(wanted[i], tn_length(wanted[i]));
        uint32_t length = primary(own);
        if (tn_same(tag, own)) {
            return 2u * i;
        }
        if (primary(tag) == length && tn_same(tn_part(tag, 0, length), tn_part(own, 0, length))) {
            return 2u * i + 1u;
        }
    }
    return 4;
}

/* Whether a tag comes before another one in the order of the alphabet. */
static bool is_before(tn_source one, tn_source other)
{
    uint8_t a[TN_LANGUAGE_BYTES_MAX], b[TN_LANGUAGE_BYTES_MAX];
    uint32_t shorter = one.length < other.length ? one.length : other.length;
    tn_read(one, 0, a, one.length);
    tn_read(other, 0, b, other.length);
    int order = tn_compare(a, b, shorter);
    return order != 0 ? order < 0 : one.length < other.length;
}

int32_t tn_language_choose(const tn_header *header, uint64_t passed_over)
{
    tn_source tag, digest, chosen = {0};
    uint32_t best = 5;
    int32_t found = -1;
    for (uint32_t i = 0; tn_header_text(header, i, &tag, &digest); i++) {
        uint32_t rank = rank_of(tag);
        if ((passed_over >> i & 1u) == 0u && (rank < best || (rank == best && is_before(tag, chosen)))) {
            best = rank;
            chosen = tag;
            found = (int32_t)i;
        }
    }
    return found;
}

bool tn_language_is_own(const tn_header *header)
{
    tn_source tag, digest;
    for (uint32_t i = 0; tn_header_text(header, i, &tag, &digest); i++) {
        if (rank_of(tag) <= 1u) {
            return true;
        }
    }
    return false;
}
