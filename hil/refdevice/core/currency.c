/* What is current: the accepted catalogue, and a timestamp that says it is still the one (device_sim.core.currency). */
#include "notice.h"

#define PAGE(page) (TN_AT_CATALOGUES + (page) * TN_FLASH_PAGE)

typedef struct {
    tn_cbor reader;
    uint32_t left;
} entries;

static bool read_digest(tn_cbor *reader, tn_source *digest)
{
    return tn_cbor_bytes(reader, TN_HASH, TN_HASH, digest);
}

typedef struct {
    tn_source id, digest;
    uint64_t number; /* revision, or sequence */
} entry;

/* One row of a catalogue: [id, revision, digest], or [sequence, digest]. */
static bool read_entry(tn_cbor *reader, bool notice, entry *found)
{
    uint32_t count, parts = notice ? 3u : 2u;
    return tn_cbor_array(reader, parts, parts, &count) &&
           (!notice || tn_cbor_ident(reader, TN_NAME_BYTES_MAX, &found->id)) &&
           tn_cbor_uint(reader, notice ? 0xFFFFu : TN_WIRE_VERSION_MAX, &found->number) &&
           read_digest(reader, &found->digest);
}

static tn_reason catalogue_shape(tn_cbor *reader, uint32_t count)
{
    int32_t last = 9;
    uint32_t rows, all = 0;
    entry row;
    for (int32_t key = 10; key < 12; key++) {
        if (count != 2u || !tn_cbor_key(reader, &last) || last != key ||
            !tn_cbor_array(reader, 0, TN_WIRE_CATALOGUE_ENTRIES_MAX, &rows)) {
            return TN_MALFORMED;
        }
        all += rows;
        while (rows-- > 0u) {
            if (!read_entry(reader, key == 10, &row)) {
                return TN_MALFORMED;
            }
        }
    }
    return all <= TN_WIRE_CATALOGUE_ENTRIES_MAX ? TN_OK : TN_MALFORMED;
}

typedef struct {
    uint64_t root, catalogue;
    tn_source digest, head;
} stamp;

static bool read_stamp(tn_cbor *reader, uint32_t count, stamp *found)
{
    int32_t last = 9;
    return count == 4u && tn_cbor_key(reader, &last) && last == 10 &&
           tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &found->root) && tn_cbor_key(reader, &last) && last == 11 &&
           tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &found->catalogue) && tn_cbor_key(reader, &last) && last == 12 &&
           read_digest(reader, &found->digest) && tn_cbor_key(reader, &last) && last == 13 &&
           read_digest(reader, &found->head);
}

static tn_reason stamp_shape(tn_cbor *reader, uint32_t count)
{
    stamp found;
    return read_stamp(reader, count, &found) ? TN_OK : TN_MALFORMED;
}

static tn_reason accept(tn_source data, const char *type, tn_floor_type floor, uint32_t bytes_max,
                        tn_reason (*shape)(tn_cbor *, uint32_t), tn_document *found)
{
    tn_expected expected = {
        .type = type,
        .bytes_max = bytes_max,
        .document_bytes_max = TN_DOCUMENT_BYTES_MAX,
        .subject = tn_maker.product,
        .expiring = true,
        .now = tn_now.now,
        .shape = shape,
    };
    return tn_trust_accept(data, &expected, floor, tn_maker.product, found);
}

tn_reason tn_catalogue_take(tn_source data)
{
    tn_document found;
    tn_reason reason = accept(data, "catalogue", TN_FLOOR_CATALOGUE, TN_WIRE_CATALOGUE_BYTES_MAX, catalogue_shape, &found);
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
    tn_cbor reader;
    stamp said;
    tn_reason reason = accept(data, "timestamp", TN_FLOOR_TIMESTAMP, TN_WIRE_TIMESTAMP_BYTES_MAX, stamp_shape, &found);
    if (reason == TN_OK) {
        tn_cbor_open(&reader, tn_part(found.body, found.rest, found.body.length - found.rest));
        (void)read_stamp(&reader, found.count, &said);
        tn_stored.has_timestamp = true;
        tn_stored.stamp_root = said.root;
        tn_stored.stamp_catalogue = said.catalogue;
        tn_stored.stamp_expires = found.has_expires ? found.expires : 0u;
        tn_read(said.digest, 0, tn_stored.stamp_catalogue_digest, TN_HASH);
        tn_read(said.head, 0, tn_stored.stamp_audit_head, TN_HASH);
        tn_touch();
    }
    return reason;
}

static bool is_root_fresh(void)
{
    return tn_time() < tn_trust_root()->expires;
}

/* The catalogue as far as the present root stands behind it, unexpired; NULL: none. */
static const tn_floor *catalogue(tn_document *body)
{
    const tn_floor *floor = tn_trust_floor(TN_FLOOR_CATALOGUE, tn_maker.product);
    if (floor == NULL || tn_stored.catalogue_length == 0u || !is_root_fresh() ||
        tn_document_read(tn_in_flash(PAGE(tn_stored.catalogue_page), tn_stored.catalogue_length), body) != TN_OK) {
        return NULL;
    }
    return body->has_expires && tn_time() < body->expires ? floor : NULL;
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

static const tn_floor *current(tn_document *body)
{
    const tn_floor *floor = catalogue(body);
    bool stands = floor != NULL && is_stamp_fresh() && tn_stored.stamp_root <= tn_trust_root()->version;
    return stands && is_named(floor) ? floor : NULL;
}

/* Begin with the rows of notices, or of patches. */
static void begin(const tn_document *body, bool notices, entries *rows)
{
    int32_t last = 9;
    entry row;
    tn_cbor_open(&rows->reader, tn_part(body->body, body->rest, body->body.length - body->rest));
    (void)tn_cbor_key(&rows->reader, &last);
    (void)tn_cbor_array(&rows->reader, 0, TN_WIRE_CATALOGUE_ENTRIES_MAX, &rows->left);
    if (!notices) {
        while (rows->left-- > 0u && read_entry(&rows->reader, true, &row)) {
        }
        (void)tn_cbor_key(&rows->reader, &last);
        (void)tn_cbor_array(&rows->reader, 0, TN_WIRE_CATALOGUE_ENTRIES_MAX, &rows->left);
    }
}

static bool next(entries *rows, bool notices, entry *row)
{
    return rows->left > 0u && rows->left-- > 0u && read_entry(&rows->reader, notices, row);
}

bool tn_is_current(void)
{
    tn_document body;
    return current(&body) != NULL;
}

uint64_t tn_currency_version(void)
{
    tn_document body;
    const tn_floor *floor = current(&body);
    return floor != NULL ? floor->version : 0u;
}

/* Whether the current catalogue has this row. */
static bool has(const char *advisory, uint64_t number, const uint8_t digest[TN_HASH])
{
    tn_document body;
    entries rows;
    entry row;
    if (current(&body) == NULL) {
        return false;
    }
    begin(&body, advisory != NULL, &rows);
    while (next(&rows, advisory != NULL, &row)) {
        bool same = advisory == NULL || tn_equals(row.id, advisory, tn_length(advisory));
        if (same && row.number == number && tn_equals(row.digest, digest, TN_HASH)) {
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

/* Whether the catalogue names a revision that is newer than any verified here. */
static bool is_unseen(const entry *row, const char *advisory)
{
    const tn_floor *floor = tn_trust_floor(TN_FLOOR_NOTICE, advisory);
    bool older = true;
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        const tn_notice_track *track = &tn_stored.notices[i];
        if (tn_equals(row->id, track->id, tn_length(track->id))) {
            older = track->revision < row->number;
        }
    }
    return floor == NULL || (!tn_equals(row->digest, floor->digest, TN_HASH) && older);
}

void tn_currency_step(void)
{
    char topic[TN_TOPIC_ROOM], advisory[TN_NAME_BYTES_MAX + 1u];
    tn_document body;
    entries rows;
    entry row;
    const tn_floor *floor = catalogue(&body);
    bool fresh = is_stamp_fresh();
    if (!fresh) {
        tn_missing(tn_topic(topic, "timestamp", tn_maker.product, NULL), false);
    }
    if (floor == NULL || (fresh && !is_named(floor))) {
        tn_missing(tn_topic(topic, "catalogue", tn_maker.product, NULL), false);
    }
    if (floor == NULL) {
        return;
    }
    begin(&body, true, &rows);
    while (next(&rows, true, &row)) {
        if (tn_text(row.id, advisory, sizeof(advisory)) && is_unseen(&row, advisory)) {
            tn_missing(tn_topic(topic, "notice", tn_maker.product, advisory, NULL), false);
        }
    }
}
