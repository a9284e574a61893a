/* The words of a text, and which of several this device shows (device_sim.core.wording, advisories.languages). */
#include "notice.h"

#define LATIN_END 0x250u /* letters below are those that the display draws */
#define DASHES 0x2010u
#define DASHES_END 0x2027u

const uint8_t tn_text_shape[] = {TN_RECORD_OF(
    TN_TEXT_LANGUAGE, TN_WORDS, TN_LANGUAGE_BYTES_MAX,
    TN_TEXT_TITLE, TN_WORDS, 160,
    TN_TEXT_TITLE + 1, TN_WORDS, TN_MOST(600u),
    TN_TEXT_TITLE + 2, TN_WORDS, TN_MOST(600u),
    TN_TEXT_TITLE + 3, TN_WORDS, TN_MOST(600u),
    TN_TEXT_TITLE + 4, TN_WORDS, TN_MOST(600u),
    TN_TEXT_CONTACT, TN_WORDS, 200,
    TN_TEXT_PAGES, TN_ARRAY | TN_SOME | TN_OPTIONAL, TN_PAGES_MAX, TN_OF(TN_BYTES, TN_HASH))};

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

/* How far a tag is from another one: 0, the same; 1, the same language in another script or region; 2, another. */
static uint32_t distance(tn_source tag, const char *other)
{
    bool primary = false; /* the same language */
    for (uint32_t at = 0;; at++) {
        char mine = '\0', its = other[at];
        if (at < tag.length) {
            mine = (char)tag.bytes[at];
        }
        if (mine != its) {
            return primary || ((mine == '-' || mine == '\0') && (its == '-' || its == '\0')) ? 1u : 2u;
        }
        if (mine == '\0') {
            return 0;
        }
        primary = primary || mine == '-';
    }
}

/* How well a text fits: the owner's language, English, any. */
static uint32_t rank_of(tn_item tag)
{
    uint32_t rank = distance(tn_string(tag), tn_maker.language);
    return rank < 2u ? rank : 2u + distance(tn_string(tag), "en");
}

/* Whether one tag is better than another one: among those that fit alike the alphabet decides. */
static bool is_better(tn_item tag, tn_item other)
{
    tn_source one = tn_string(tag), two = tn_string(other);
    uint32_t rank = rank_of(tag), others = rank_of(other);
    int order = tn_compare(one.bytes, two.bytes, one.length < two.length ? one.length : two.length);
    return rank != others ? rank < others : order != 0 ? order < 0 : one.length < two.length;
}

tn_item tn_language_of(tn_item texts, uint32_t passed_over)
{
    tn_item tag, other;
    for (uint32_t i = 0; (tag = tn_nth(texts, i)) != NULL; i += 2u) {
        uint32_t better = 0;
        for (uint32_t j = 0; (other = tn_nth(texts, j)) != NULL; j += 2u) {
            better += is_better(other, tag) ? 1u : 0u;
        }
        if (better == passed_over) {
            return tag;
        }
    }
    return NULL;
}

bool tn_language_is_own(tn_item texts)
{
    return rank_of(tn_language_of(texts, 0)) <= 1u;
}
