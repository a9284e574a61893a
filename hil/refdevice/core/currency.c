/* What is current: the accepted catalogue, and a timestamp that says it is still the one (device_sim.core.currency). */
#include "notices.h"
#include "port.h"

#define PAGE(page) (TN_AT_CATALOGUES + (page) * TN_FLASH_PAGE)

/* Keys of a catalogue and of a timestamp behind the common ones. */
enum { NOTICES = 10, PATCHES };
enum { STAMP_ROOT = 10, STAMP_CATALOGUE, STAMP_DIGEST, STAMP_HEAD };

const uint8_t tn_catalogue_own[] = {
    NOTICES, TN_ARRAY, TN_WIRE_CATALOGUE_ENTRIES_MAX,
    TN_OF(TN_TUPLE, 3, TN_OF(TN_IDENT, TN_NAME_BYTES_MAX, TN_UINT, TN_ALL, TN_BYTES, TN_HASH)),
    PATCHES, TN_ARRAY, TN_WIRE_CATALOGUE_ENTRIES_MAX, TN_OF(TN_TUPLE, 2, TN_OF(TN_UINT53, TN_BYTES, TN_HASH)),
    TN_END,
};
const uint8_t tn_timestamp_own[] = {
    STAMP_ROOT, TN_UINT53,
    STAMP_CATALOGUE, TN_UINT53,
    STAMP_DIGEST, TN_BYTES, TN_HASH,
    STAMP_HEAD, TN_BYTES, TN_HASH,
    TN_END,
};

void tn_catalogue_take(tn_source body)
{
    uint8_t page = tn_stored.catalogue_page ^ 1u;
    tn_flash_copy(PAGE(page), body);
    tn_stored.catalogue_page = page;
    tn_track_changed();
}

void tn_timestamp_take(tn_item body)
{
    tn_stored.stamp_root = tn_value_at(body, STAMP_ROOT);
    tn_stored.stamp_catalogue = tn_value_at(body, STAMP_CATALOGUE);
    tn_stored.stamp_expires = tn_value_at(body, TN_EXPIRES);
    tn_copy(tn_stored.stamp_catalogue_digest, tn_first_at(body, STAMP_DIGEST), TN_HASH);
    tn_copy(tn_stored.stamp_audit_head, tn_first_at(body, STAMP_HEAD), TN_HASH);
}

/* The newest catalogue's body. */
static tn_item rows_of(uint32_t key)
{
    return tn_at(port_flash() + PAGE(tn_stored.catalogue_page), key);
}

/* What the present root stands behind, unexpired: a catalogue, a timestamp; whether this one is about that one, and
 * about no later root, which may have taken away the very keys believed in. A document that has a floor is here. */
enum { CATALOGUE = 1, STAMP = 2, NAMED = 4, CURRENT = 8 };

static uint32_t believed(void)
{
    const tn_floor *catalogue = tn_trust_floor(TN_FLOOR_CATALOGUE, tn_maker.product);
    const tn_root *root = tn_trust_root();
    uint64_t now = tn_time();
    uint32_t found = 0;
    if (now >= root->expires) {
        return 0;
    }
    if (catalogue != NULL && now < tn_value(rows_of(TN_EXPIRES))) {
        found |= CATALOGUE;
    }
    if (now < tn_stored.stamp_expires && tn_trust_floor(TN_FLOOR_TIMESTAMP, tn_maker.product) != NULL) {
        found |= STAMP;
    }
    if (found == (CATALOGUE | STAMP) && catalogue->version == tn_stored.stamp_catalogue &&
        tn_compare(catalogue->digest, tn_stored.stamp_catalogue_digest, TN_HASH) == 0) {
        found |= tn_stored.stamp_root <= root->version ? NAMED | CURRENT : NAMED;
    }
    return found;
}

bool tn_is_current(void)
{
    return (believed() & CURRENT) != 0u;
}

/* Whether the current catalogue has this row: it ends with a number and a digest. */
static bool has(uint64_t number, const char *advisory, const uint8_t digest[TN_HASH])
{
    tn_item rows = tn_is_current() ? rows_of(advisory != NULL ? NOTICES : PATCHES) : NULL, row;
    for (uint32_t i = 0; (row = tn_nth(rows, i)) != NULL; i++) {
        tn_item last = tn_first(row);
        bool named = advisory == NULL || tn_is(last, advisory);
        last = advisory == NULL ? last : tn_behind(last);
        if (named && tn_value(last) == number && tn_is_hash(tn_behind(last), digest)) {
            return true;
        }
    }
    return false;
}

bool tn_currency_names(const tn_notice_track *track)
{
    return has(track->revision, track->id, track->digest);
}

bool tn_currency_has_patch(uint64_t sequence, const uint8_t digest[TN_HASH])
{
    return has(sequence, NULL, digest);
}

/* Say that the header of a row lacks, where it is newer than any verified here. */
static void look_for(tn_item row)
{
    char advisory[TN_NAME_BYTES_MAX + 1u];
    (void)tn_text(tn_string(tn_first(row)), advisory, sizeof(advisory));
    const tn_floor *floor = tn_trust_floor(TN_FLOOR_NOTICE, advisory);
    const tn_notice_track *track = tn_track_find(advisory);
    if (floor == NULL || (!tn_is_hash(tn_nth(row, 2), floor->digest) &&
                          (track == NULL || track->revision < tn_value(tn_nth(row, 1))))) {
        tn_missing(TN_TOPIC_NOTICE, "", advisory);
    }
}

void tn_currency_step(void)
{
    uint32_t found = believed();
    tn_item row;
    if ((found & STAMP) == 0u) {
        tn_missing(TN_TOPIC_TIMESTAMP, "", "");
    }
    if ((found & CATALOGUE) == 0u || found == (CATALOGUE | STAMP)) {
        tn_missing(TN_TOPIC_CATALOGUE, "", "");
    }
    for (uint32_t i = 0; (found & CATALOGUE) != 0u && (row = tn_nth(rows_of(NOTICES), i)) != NULL; i++) {
        look_for(row);
    }
}
