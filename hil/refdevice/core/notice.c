/* A notice's header: one for all its products. */
#include "notice.h"

static const tn_shape bounds[] = {
    {0, TN_TUPLE | TN_OR_NULL, 4, tn_version_parts}, {0, TN_TUPLE | TN_OR_NULL, 4, tn_version_parts}};
static const tn_shape range[] = {{0, TN_TUPLE, 2, bounds}};
static const tn_shape affected[] = {
    {0, TN_IDENT, TN_NAME_BYTES_MAX, NULL}, {0, TN_ARRAY, TN_WIRE_VERSION_RANGES_MAX, range}};
static const tn_shape patches[] = {
    {0, TN_IDENT, TN_NAME_BYTES_MAX, NULL}, {0, TN_ARRAY, TN_WIRE_NOTICE_PATCHES_MAX, tn_digest}};
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

tn_item tn_notice_says(const tn_notice_track *track, uint32_t key)
{
    return tn_at(tn_notice_header(track), key);
}

bool tn_notice_is_over(const tn_notice_track *track)
{
    tn_item expires = tn_notice_says(track, TN_EXPIRES);
    return expires != NULL && tn_warning_time() >= tn_value(expires);
}

/* A range is two bounds: null, or a version; the first is in it, the second is not. */
static bool is_inside(tn_item range_of, uint32_t bound)
{
    tn_item version = tn_nth(range_of, bound);
    return *version == TN_CBOR_NULL || tn_version_is_from(version) == (bound == 0u);
}

bool tn_notice_affects(const tn_notice_track *track)
{
    tn_item ranges = tn_of_product(tn_notice_says(track, TN_NOTICE_AFFECTED)), one;
    for (uint32_t i = 0; (one = tn_nth(ranges, i)) != NULL; i++) {
        if (!tn_now.measured || (is_inside(one, 0) && is_inside(one, 1))) {
            return true; /* a device that cannot tell its version is not left out */
        }
    }
    return false;
}

tn_item tn_under(tn_item map, const char *text)
{
    tn_item key;
    for (uint32_t i = 0; (key = tn_nth(map, i)) != NULL; i += 2u) {
        if (tn_is(key, text)) {
            return tn_behind(key);
        }
    }
    return NULL;
}

tn_item tn_of_product(tn_item map)
{
    return tn_under(map, tn_maker.product);
}
