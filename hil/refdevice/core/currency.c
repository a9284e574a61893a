/* What is current: the accepted catalogue, and a timestamp that says it is still the one (device_sim.core.currency). */
#include "notice.h"

#define PAGE(page) (TN_AT_CATALOGUES + (page) * TN_FLASH_PAGE)

/* Keys of a catalogue and of a timestamp behind the common ones. */
enum { NOTICES = 10, PATCHES };
enum { STAMP_ROOT = 10, STAMP_CATALOGUE, STAMP_DIGEST, STAMP_HEAD };

static const tn_shape notice_parts[] = {{0, TN_IDENT, TN_NAME_BYTES_MAX, NULL}, {0, TN_UINT, 0xFFFF, NULL}, {0, TN_BYTES, TN_HASH, NULL}};
static const tn_shape patch_parts[] = {{0, TN_UINT53, 0, NULL}, {0, TN_BYTES, TN_HASH, NULL}};
static const tn_shape notice_row[] = {{0, TN_TUPLE, 3, notice_parts}}, patch_row[] = {{0, TN_TUPLE, 2, patch_parts}};
static const tn_shape catalogue_own[] = {
    {NOTICES, TN_ARRAY, TN_WIRE_CATALOGUE_ENTRIES_MAX, notice_row},
    {PATCHES, TN_ARRAY, TN_WIRE_CATALOGUE_ENTRIES_MAX, patch_row},
    {0, TN_END, 0, NULL},
};
static const tn_shape stamp_own[] = {
    {STAMP_ROOT, TN_UINT53, 0, NULL},
    {STAMP_CATALOGUE, TN_UINT53, 0, NULL},
    {STAMP_DIGEST, TN_BYTES, TN_HASH, NULL},
    {STAMP_HEAD, TN_BYTES, TN_HASH, NULL},
    {0, TN_END, 0, NULL},
};

static tn_reason accept(tn_source data, const char *type, tn_floor_type floor, uint32_t bytes_max,
                        const tn_shape *own, tn_document *found)
{
    tn_expected expected = {
        .type = type,
        .bytes_max = bytes_max,
        .document_bytes_max = TN_DOCUMENT_BYTES_MAX,
        .subject = tn_maker.product,
        .expiring = true,
        .now = tn_now.now,
        .own = own,
    };
    return tn_trust_accept(data, &expected, floor, tn_maker.product, found);
}

tn_reason tn_catalogue_take(tn_source data)
{
    tn_document found;
    tn_reason reason = accept(data, "catalogue", TN_FLOOR_CATALOGUE, TN_WIRE_CATALOGUE_BYTES_MAX, catalogue_own, &found);
    if (reason == TN_OK) {
        uint8_t page = tn_stored.catalogue_page ^ 1u;
        tn_flash_copy(PAGE(page), found.body);
        tn_stored.catalogue_page = page;
        tn_stored.catalogue_length = (uint16_t)found.body.length;
        tn_now.news = true;
        tn_touch();
    }
    return reason;
}

tn_reason tn_timestamp_take(tn_source data)
{
    tn_document found;
    tn_reason reason = accept(data, "timestamp", TN_FLOOR_TIMESTAMP, TN_WIRE_TIMESTAMP_BYTES_MAX, stamp_own, &found);
    if (reason == TN_OK) {
        tn_stored.has_timestamp = true;
        tn_stored.stamp_root = tn_said(&found, STAMP_ROOT);
        tn_stored.stamp_catalogue = tn_said(&found, STAMP_CATALOGUE);
        tn_stored.stamp_expires = tn_said(&found, TN_EXPIRES);
        tn_copy(tn_stored.stamp_catalogue_digest, tn_string(tn_at(found.body.bytes, STAMP_DIGEST)).bytes, TN_HASH);
        tn_copy(tn_stored.stamp_audit_head, tn_string(tn_at(found.body.bytes, STAMP_HEAD)).bytes, TN_HASH);
        tn_touch();
    }
    return reason;
}

static bool is_root_fresh(void)
{
    return tn_time() < tn_trust_root()->expires;
}

/* The newest catalogue's body. */
static tn_item rows_of(uint32_t key)
{
    return tn_at(tn_in_flash(PAGE(tn_stored.catalogue_page), 0).bytes, key);
}

/* The catalogue as far as the present root stands behind it, unexpired; NULL: none. */
static const tn_floor *catalogue(void)
{
    const tn_floor *floor = tn_trust_floor(TN_FLOOR_CATALOGUE, tn_maker.product);
    bool here = floor != NULL && tn_stored.catalogue_length != 0u && is_root_fresh();
    return here && tn_time() < tn_value(rows_of(TN_EXPIRES)) ? floor : NULL;
}

static bool is_stamp_fresh(void)
{
    return tn_stored.has_timestamp && is_root_fresh() && tn_time() < tn_stored.stamp_expires &&
           tn_trust_floor(TN_FLOOR_TIMESTAMP, tn_maker.product) != NULL;
}

static bool is_named(const tn_floor *floor)
{
    return floor->version == tn_stored.stamp_catalogue &&
           tn_compare(floor->digest, tn_stored.stamp_catalogue_digest, TN_HASH) == 0;
}

static const tn_floor *current(void)
{
    const tn_floor *floor = catalogue();
    bool stands = floor != NULL && is_stamp_fresh() && tn_stored.stamp_root <= tn_trust_root()->version;
    return stands && is_named(floor) ? floor : NULL;
}

bool tn_is_current(void)
{
    return current() != NULL;
}

uint64_t tn_currency_version(void)
{
    const tn_floor *floor = current();
    return floor != NULL ? floor->version : 0u;
}

/* Whether the current catalogue has this row: it ends with a number and a digest. */
static bool has(const char *advisory, uint64_t number, const uint8_t digest[TN_HASH])
{
    tn_item rows = current() != NULL ? rows_of(advisory != NULL ? NOTICES : PATCHES) : NULL;
    uint32_t first = advisory != NULL ? 1u : 0u;
    for (uint32_t i = 0; tn_nth(rows, i) != NULL; i++) {
        tn_item row = tn_nth(rows, i);
        if (tn_value(tn_nth(row, first)) == number && tn_equals(tn_string(tn_nth(row, first + 1u)), digest, TN_HASH) &&
            (advisory == NULL || tn_same(tn_string(tn_nth(row, 0)), tn_bytes_of(advisory)))) {
            return true;
        }
    }
    return false;
}

bool tn_currency_names(const char *advisory, uint16_t revision, const uint8_t digest[TN_HASH])
{
    return has(advisory, revision, digest);
}

bool tn_currency_has_patch(uint64_t sequence, const uint8_t digest[TN_HASH])
{
    return has(NULL, sequence, digest);
}

/* Whether a row names a revision that is newer than any verified here. */
static bool is_unseen(tn_item row, const char *advisory)
{
    const tn_floor *floor = tn_trust_floor(TN_FLOOR_NOTICE, advisory);
    bool older = true;
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        const tn_notice_track *track = &tn_stored.notices[i];
        if (tn_same(tn_string(tn_nth(row, 0)), tn_bytes_of(track->id))) {
            older = track->revision < tn_value(tn_nth(row, 1));
        }
    }
    return floor == NULL || (!tn_equals(tn_string(tn_nth(row, 2)), floor->digest, TN_HASH) && older);
}

void tn_currency_step(void)
{
    char advisory[TN_NAME_BYTES_MAX + 1u];
    const tn_floor *floor = catalogue();
    bool fresh = is_stamp_fresh();
    if (!fresh) {
        tn_missing(TN_TOPIC_TIMESTAMP, "", "");
    }
    if (floor == NULL || (fresh && !is_named(floor))) {
        tn_missing(TN_TOPIC_CATALOGUE, "", "");
    }
    if (floor == NULL) {
        return;
    }
    for (uint32_t i = 0; tn_nth(rows_of(NOTICES), i) != NULL; i++) {
        tn_item row = tn_nth(rows_of(NOTICES), i);
        (void)tn_text(tn_string(tn_nth(row, 0)), advisory, sizeof(advisory));
        if (is_unseen(row, advisory)) {
            tn_missing(TN_TOPIC_NOTICE, "", advisory);
        }
    }
}
