/* A notice's header: one for all its products. */
#include "notice.h"

#define BOUND \
    TN_TUPLE | TN_OR_NULL, 4, TN_OF(TN_UINT, TN_MOST(0xFFu), TN_UINT, TN_MOST(0xFFu), TN_UINT, TN_ALL, TN_UINT32)
const uint8_t tn_notice_own[] = {
    TN_NOTICE_ID, TN_IDENT, TN_NAME_BYTES_MAX,
    TN_NOTICE_REVISION, TN_UINT, TN_ALL,
    TN_NOTICE_PHASE, TN_UINT, TN_PHASE_CORRECTION,
    TN_NOTICE_EXERCISE, TN_BOOL,
    TN_NOTICE_SEVERITY, TN_UINT, 4,
    TN_NOTICE_AFFECTED, TN_MAP, TN_WIRE_NOTICE_PRODUCTS_MAX,
    TN_OF(TN_IDENT, TN_NAME_BYTES_MAX,
          TN_ARRAY, TN_WIRE_VERSION_RANGES_MAX, TN_OF(TN_TUPLE, 2, TN_OF(BOUND, BOUND))),
    TN_NOTICE_ACTION, TN_UINT, 3,
    TN_NOTICE_NEXT_UPDATE, TN_UINT53 | TN_OPTIONAL,
    TN_NOTICE_REMINDER, TN_TUPLE | TN_OPTIONAL, 2, TN_OF(TN_PAUSE, TN_UINT, TN_MOST(0xFFu)),
    TN_NOTICE_TEXTS, TN_MAP | TN_SOME, TN_WIRE_NOTICE_LANGUAGES_MAX,
    TN_OF(TN_WORDS, TN_LANGUAGE_BYTES_MAX, TN_BYTES, TN_HASH),
    TN_NOTICE_PATCHES, TN_MAP | TN_OPTIONAL, TN_WIRE_NOTICE_PRODUCTS_MAX,
    TN_OF(TN_IDENT, TN_NAME_BYTES_MAX, TN_ARRAY, TN_WIRE_NOTICE_PATCHES_MAX, TN_OF(TN_BYTES, TN_HASH)),
    TN_NOTICE_RELEASE, TN_BYTES, TN_HASH,
    TN_NOTICE_SAME_SINCE, TN_UINT | TN_OPTIONAL, TN_ALL,
    TN_END,
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
