/* The words of a text, and which of a notice's texts this device shows (device_sim.core.wording, advisories.languages). */
#include "notice.h"

#define LATIN_END 0x250u /* letters below are those that the display draws */
#define DASHES 0x2010u
#define DASHES_END 0x2027u

static const tn_shape entries[] = {
    {TN_TEXT_LANGUAGE, TN_WORDS, TN_LANGUAGE_BYTES_MAX, NULL},
    {TN_TEXT_TITLE, TN_WORDS, 160, NULL},
    {TN_TEXT_TITLE + 1, TN_WORDS, 600, NULL},
    {TN_TEXT_TITLE + 2, TN_WORDS, 600, NULL},
    {TN_TEXT_TITLE + 3, TN_WORDS, 600, NULL},
    {TN_TEXT_TITLE + 4, TN_WORDS, 600, NULL},
    {TN_TEXT_CONTACT, TN_WORDS, 200, NULL},
    {TN_TEXT_PAGES, TN_ARRAY | TN_SOME | TN_OPTIONAL, TN_PAGES_MAX, tn_digest},
    {0, TN_END, 0, NULL},
};
const tn_shape tn_text_shape[] = {{0, TN_RECORD, 0, entries}};

/* Whether the display can draw every letter: Latin ones, and dashes and quotes. */
static bool is_plain(tn_source text)
{
    for (uint32_t at = 0; at < text.length;) {
        uint32_t letter = tn_character_at(text, &at);
        if (letter >= LATIN_END && (letter < DASHES || letter > DASHES_END)) {
            return false;
        }
    }
    return true;
}

bool tn_words_are_plain(tn_item text)
{
    for (uint32_t key = TN_TEXT_TITLE; key <= TN_TEXT_CONTACT; key++) {
        if (!is_plain(tn_string(tn_at(text, key)))) {
            return false;
        }
    }
    return true;
}

/* A tag's language, without script and region. */
static tn_source primary(tn_source tag)
{
    uint32_t length = 0;
    while (length < tag.length && tag.bytes[length] != '-') {
        length++;
    }
    return tn_part(tag, 0, length);
}

/* How well a text fits: the same tag, the same language, English, any. */
static uint32_t rank_of(tn_source tag)
{
    tn_source wanted = tn_bytes_of(tn_maker.language);
    for (uint32_t i = 0; i < 4u; i += 2u, wanted = tn_bytes_of("en")) {
        if (tn_same(tag, wanted)) {
            return i;
        }
        if (tn_same(primary(tag), primary(wanted))) {
            return i + 1u;
        }
    }
    return 4;
}

/* Whether a tag comes before another one in the order of the alphabet. */
static bool is_before(tn_source one, tn_source other)
{
    int order = tn_compare(one.bytes, other.bytes, one.length < other.length ? one.length : other.length);
    return order != 0 ? order < 0 : one.length < other.length;
}

int32_t tn_language_of(tn_item texts, uint64_t passed_over)
{
    tn_source chosen = {NULL, 0};
    uint32_t best = 5;
    int32_t found = -1;
    for (uint32_t i = 0; i < tn_value(texts); i++) {
        tn_source tag = tn_string(tn_nth(texts, 2u * i));
        uint32_t rank = rank_of(tag);
        if ((passed_over >> i & 1u) == 0u && (rank < best || (rank == best && is_before(tag, chosen)))) {
            best = rank;
            chosen = tag;
            found = (int32_t)i;
        }
    }
    return found;
}

int32_t tn_language_choose(tn_item header, uint64_t passed_over)
{
    return tn_language_of(tn_at(header, TN_NOTICE_TEXTS), passed_over);
}

bool tn_language_is_own(tn_item header)
{
    int32_t best = tn_language_choose(header, 0);
    return best >= 0 && rank_of(tn_string(tn_nth(tn_at(header, TN_NOTICE_TEXTS), 2u * (uint32_t)best))) <= 1u;
}
