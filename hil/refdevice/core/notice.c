/* A notice's header: one for all its products. */
#include "notice.h"

static const tn_shape bounds[] = {{0, TN_TUPLE | TN_OR_NULL, 4, tn_version_parts}, {0, TN_TUPLE | TN_OR_NULL, 4, tn_version_parts}};
static const tn_shape range[] = {{0, TN_TUPLE, 2, bounds}};
static const tn_shape affected[] = {{0, TN_IDENT, TN_NAME_BYTES_MAX, NULL}, {0, TN_ARRAY, TN_WIRE_VERSION_RANGES_MAX, range}};
static const tn_shape patches[] = {{0, TN_IDENT, TN_NAME_BYTES_MAX, NULL}, {0, TN_ARRAY, TN_WIRE_NOTICE_PATCHES_MAX, tn_digest}};
static const tn_shape reminder[] = {{0, TN_PAUSE, 0, NULL}, {0, TN_UINT, 255, NULL}};
static const tn_shape texts[] = {{0, TN_WORDS, TN_LANGUAGE_BYTES_MAX, NULL}, {0, TN_BYTES, TN_HASH, NULL}};
const tn_shape tn_notice_own[] = {
    {TN_NOTICE_ID, TN_IDENT, TN_NAME_BYTES_MAX, NULL},
    {TN_NOTICE_REVISION, TN_UINT, 0xFFFF, NULL},
    {TN_NOTICE_PHASE, TN_UINT, TN_PHASE_CORRECTION, NULL},
    {TN_NOTICE_EXERCISE, TN_BOOL, 0, NULL},
    {TN_NOTICE_SEVERITY, TN_UINT, 4, NULL},
    {TN_NOTICE_AFFECTED, TN_MAP, TN_WIRE_NOTICE_PRODUCTS_MAX, affected},
    {TN_NOTICE_ACTION, TN_UINT, 3, NULL},
    {TN_NOTICE_NEXT_UPDATE, TN_UINT53 | TN_OPTIONAL, 0, NULL},
    {TN_NOTICE_REMINDER, TN_TUPLE | TN_OPTIONAL, 2, reminder},
    {TN_NOTICE_TEXTS, TN_MAP | TN_SOME, TN_WIRE_NOTICE_LANGUAGES_MAX, texts},
    {TN_NOTICE_PATCHES, TN_MAP | TN_OPTIONAL, TN_WIRE_NOTICE_PRODUCTS_MAX, patches},
    {TN_NOTICE_RELEASE, TN_BYTES, TN_HASH, NULL},
    {TN_NOTICE_SAME_SINCE, TN_UINT | TN_OPTIONAL, 0xFFFF, NULL},
    {0, TN_END, 0, NULL},
};

uint32_t tn_notice_says(const tn_notice_track *track, uint32_t key)
{
    return (uint32_t)tn_value(tn_at(tn_notice_header(track), key));
}

bool tn_notice_is_over(tn_item header)
{
    tn_item expires = tn_at(header, TN_EXPIRES);
    return expires != NULL && tn_warning_time() >= tn_value(expires);
}

/* A range is two bounds: null, or a version; the first is in it, the second is not. */
static bool is_inside(tn_item range_of, uint32_t bound)
{
    tn_item version = tn_nth(range_of, bound);
    return *version == TN_CBOR_NULL || tn_version_is_from(version) == (bound == 0u);
}

bool tn_notice_affects(tn_item header)
{
    tn_item ranges = tn_of_product(tn_at(header, TN_NOTICE_AFFECTED));
    for (uint32_t i = 0; tn_nth(ranges, i) != NULL; i++) {
        tn_item one = tn_nth(ranges, i);
        if (!tn_now.measured || (is_inside(one, 0) && is_inside(one, 1))) {
            return true; /* a device that cannot tell its version is not left out */
        }
    }
    return false;
}

tn_item tn_of_product(tn_item map)
{
    for (uint32_t i = 0; tn_nth(map, i) != NULL; i += 2u) {
        if (tn_same(tn_string(tn_nth(map, i)), tn_bytes_of(tn_maker.product))) {
            return tn_nth(map, i + 1u);
        }
    }
    return NULL;
}

tn_item tn_notice_text(tn_item header, const char *language)
{
    tn_item all = tn_at(header, TN_NOTICE_TEXTS);
    for (uint32_t i = 0; tn_nth(all, i) != NULL; i += 2u) {
        if (tn_same(tn_string(tn_nth(all, i)), tn_bytes_of(language))) {
            return tn_nth(all, i + 1u);
        }
    }
    return NULL;
}

bool tn_notice_tells_as(tn_item header, tn_item earlier, const char *language)
{
    static const uint8_t told[] = {TN_NOTICE_ID,     TN_NOTICE_PHASE,       TN_NOTICE_EXERCISE, TN_NOTICE_SEVERITY, TN_NOTICE_AFFECTED,
                                   TN_NOTICE_ACTION, TN_NOTICE_NEXT_UPDATE, TN_NOTICE_REMINDER, TN_NOTICE_PATCHES};
    tn_item mine = tn_notice_text(header, language), theirs = tn_notice_text(earlier, language);
    bool same = mine != NULL && theirs != NULL && tn_same(tn_whole(mine), tn_whole(theirs));
    for (uint32_t i = 0; i < sizeof(told) && same; i++) {
        same = tn_same(tn_whole(tn_at(header, told[i])), tn_whole(tn_at(earlier, told[i])));
    }
    return same;
}
