/* The report of this moment: a COSE_Sign1 by the device's key, written into flash as it is made. */
#include "record.h"
#include "report.h"

/* What is signed, up to the body: a Sig_structure with the protected header {1: -19, 4: key id, 16: type}, and what
 * else a report's signature is bound to. */
#define HEADER_AT 12u /* of the protected header, a byte string, which the document begins with, too */
#define KID_AT 20u
#define HEADER_END 67u
#define LENGTH_AT 81u /* of the head of the body */
#define SIGNED_BYTES 84u
#define HEAD_BYTES (HEADER_END - HEADER_AT + 6u) /* of the document in front of the body */

/* The longest that parts of a report can be. */
#define REST_BYTES 512u
#define NOTICE_BYTES 176u
#define PATCH_BYTES 192u
#define ENTRY_BYTES 132u
typedef char report_fits[HEAD_BYTES <= TN_OUT_HEAD_BYTES &&
                                 TN_OUT_HEAD_BYTES + REST_BYTES + TN_NOTICES_MAX * NOTICE_BYTES +
                                         TN_PATCHES_MAX * PATCH_BYTES + TN_JOURNAL_REPORT_MAX * ENTRY_BYTES <=
                                     TN_FLASH_PAGE
                             ? 1
                             : -1];

/* A row of what is given with a table. */
#define GIVEN(key, way, value) TN_ROW(key, way, TN_OF_ARGUMENT, value)

/* -- notices and patches -- */

static const tn_row rows_of_notice[] = {
    TN_ROW_MAP_OF(0, TN_ROW_REST),
    GIVEN(1, TN_ALWAYS, TN_ROW_AS(TN_ROW_TEXT, tn_notice_track, id)),
    GIVEN(2, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, revision)),
    GIVEN(3, TN_ALWAYS, TN_ROW_BYTES(tn_notice_track, digest)),
    GIVEN(4, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, state)),
    GIVEN(5, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, time)),
    GIVEN(6, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, reason)),
    TN_ROW(7, TN_ALWAYS, TN_OF_NOW, TN_ROW_NUMBER(tn_session, special)), /* TN_SURFACE_SCREEN is 1, and NONE is 0 */
    GIVEN(8, TN_UNLESS_EMPTY, TN_ROW_AS(TN_ROW_TEXT, tn_notice_track, language)),
    GIVEN(9, TN_UNLESS_EMPTY, TN_ROW_NUMBER(tn_notice_track, confirmed)),
    TN_ROW_END,
};

static const tn_row rows_of_patch[] = {
    TN_ROW_MAP_OF(0, TN_ROW_REST),
    GIVEN(1, TN_ALWAYS, TN_ROW_BYTES(tn_patch_track, offer.digest)),
    GIVEN(2, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, sequence)),
    GIVEN(3, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, state)),
    GIVEN(4, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, time)),
    GIVEN(5, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, reason)),
    GIVEN(7, TN_ALWAYS, TN_ROW_AS(TN_ROW_IF, tn_patch_track, consent)),
    TN_ROW_MAP_OF(6, 6),
    TN_ROW_NUMBER_IS(1, 0), /* asked: nobody agrees beforehand on this device */
    GIVEN(2, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, consent_time)),
    GIVEN(3, TN_ALWAYS, TN_ROW_BYTES(tn_patch_track, consent_question)),
    GIVEN(1, TN_ALWAYS, TN_ROW_AS(TN_ROW_IF, tn_patch_track, consent_has_notice)),
    GIVEN(4, TN_ALWAYS, TN_ROW_BYTES(tn_patch_track, consent_notice)),
    GIVEN(5, TN_UNLESS_EMPTY, TN_ROW_AS(TN_ROW_TEXT, tn_patch_track, consent_language)),
    TN_ROW(1, TN_ALWAYS, TN_OF_NOW, TN_ROW_AS(TN_ROW_IF, tn_session, special)),
    GIVEN(7, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, done)),
    GIVEN(8, TN_UNLESS_EMPTY, TN_ROW_NUMBER(tn_patch_track, deferrals)),
    TN_ROW_END,
};

/* The same, as `state` says it. */
#define NAMED(name, way, value) TN_ROW(TN_NAME_##name, way, TN_OF_ARGUMENT, value)

static const tn_row brief_of_patch[] = {
    TN_ROW_MAP_OF(0, TN_ROW_REST),
    NAMED(digest, TN_ALWAYS, TN_ROW_AS(TN_ROW_BYTES_8, tn_patch_track, offer.digest)),
    NAMED(sequence, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, sequence)),
    NAMED(state, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, state)),
    NAMED(reason, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, reason)),
    TN_ROW_END,
};

static const tn_row brief_of_notice[] = {
    TN_ROW_MAP_OF(0, TN_ROW_REST),
    NAMED(id, TN_ALWAYS, TN_ROW_AS(TN_ROW_TEXT, tn_notice_track, id)),
    NAMED(revision, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, revision)),
    NAMED(state, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, state)),
    NAMED(reason, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, reason)),
    NAMED(confirmed, TN_ALWAYS, TN_ROW_AS(TN_ROW_FLAG_64, tn_notice_track, confirmed)),
    TN_ROW_END,
};

const tn_tracks tn_all_tracks[TN_KINDS_OF_TRACKS] = {
    {
        tn_stored.patches, rows_of_patch, brief_of_patch, TN_SET_PATCH_ENDED, 1u << TN_PATCH_DOWNLOADING,
        sizeof(tn_patch_track), TN_PATCHES_MAX, offsetof(tn_patch_track, state), offsetof(tn_patch_track, state),
        offsetof(tn_patch_track, time), TN_NAME_patches,
    },
    {
        tn_stored.notices, rows_of_notice, brief_of_notice, TN_SET_NOTICE_DONE,
        1u << TN_NOTICE_SHOWN | 1u << TN_NOTICE_ACKNOWLEDGED, sizeof(tn_notice_track), TN_NOTICES_MAX,
        offsetof(tn_notice_track, id), offsetof(tn_notice_track, state), offsetof(tn_notice_track, time),
        TN_NAME_notices,
    },
};

#define HERE (1ull << 62)
#define GOES_ON (1ull << 63)

/* What goes on stands before what has ended, the newest first. */
static void put_tracks(const tn_tracks *all)
{
    uint64_t ranks[TN_NOTICES_MAX]; /* higher stands further in front; 0: nothing is there */
    const uint8_t *track = all->first;
    uint32_t count = 0;
    for (uint32_t i = 0; i < all->most; i++, track += all->bytes) {
        ranks[i] = 0;
        if (track[all->here] != 0u) {
            ranks[i] = *(const uint64_t *)(const void *)(track + all->time) | HERE |
                       (TN_IN(all->ended, track[all->state]) ? 0u : GOES_ON);
            count++;
        }
    }
    for (tn_put_array(count); count > 0u; count--) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < all->most; i++) {
            first = ranks[i] > ranks[first] ? i : first;
        }
        ranks[first] = 0;
        track = (const uint8_t *)all->first + first * all->bytes;
        tn_now.special = TN_IN(all->special, track[all->state]);
        (void)tn_put_rows(all->rows, track);
    }
}

/* -- all of it -- */

static const tn_row rows_of_report[] = {
    TN_ROW_MAP_OF(0, TN_ROW_REST),
    GIVEN(1, TN_POINTED, TN_ROW_AS(TN_ROW_TEXT, tn_report, type)),
    TN_ROW(2, TN_ALWAYS, TN_OF_STORED, TN_ROW_BYTES(tn_state, fleet)),
    TN_ROW_BYTE_IS(3, TN_CBOR_ARRAY << 5 | 1u),
    TN_ROW(0, TN_ALWAYS, TN_OF_MAKER, TN_ROW_AS(TN_ROW_TEXT, tn_factory, id)),
    GIVEN(4, TN_ALWAYS, TN_ROW_NUMBER(tn_report, sequence)),
    GIVEN(5, TN_ALWAYS, TN_ROW_NUMBER(tn_report, issued)),
    GIVEN(9, TN_POINTED, TN_ROW_AS(TN_ROW_BYTES_32, tn_report, audit_head)),
    TN_ROW(10, TN_ALWAYS, TN_OF_MAKER, TN_ROW_AS(TN_ROW_TEXT, tn_factory, product)),
    TN_ROW(11, TN_ALWAYS, TN_OF_NOW, TN_ROW_AS(TN_ROW_PARTS, tn_session, image.version)),
    TN_ROW(12, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, boot_epoch)),
    GIVEN(13, TN_POINTED, TN_ROW_AS(TN_ROW_U64, tn_report, root)),
    GIVEN(14, TN_POINTED, TN_ROW_AS(TN_ROW_BYTES_32, tn_report, catalogue)),
    GIVEN(15, TN_ALWAYS, TN_ROW_BYTES(tn_report, nonce)),
    GIVEN(1, TN_ALWAYS, TN_ROW_AS(TN_ROW_IF, tn_report, has_asked)),
    GIVEN(16, TN_ALWAYS, TN_ROW_BYTES(tn_report, asked)),
    TN_ROW_STOP_AT(17), /* notices */
    TN_ROW_STOP_AT(18), /* patches */
    TN_ROW(19, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, journal_count)),
    TN_ROW(20, TN_ALWAYS, TN_OF_STORED, TN_ROW_BYTES(tn_state, journal_head)),
    TN_ROW_STOP_AT(21), /* the oldest entries that no receipt covers, without a gap */
    TN_ROW(22, TN_ALWAYS, TN_OF_MAKER, TN_ROW_AS(TN_ROW_TEXT, tn_factory, language)),
    TN_ROW_BYTE_IS(23, TN_CBOR_ARRAY << 5 | 1u),
    TN_ROW_BYTE_IS(0, TN_CBOR_NINT << 5 | (-1 - TN_ALG_ED25519)),
    TN_ROW_END,
};

static void put_body(const tn_report *report)
{
    const tn_row *row = tn_put_rows(rows_of_report, report);
    put_tracks(&tn_all_tracks[1]);
    row = tn_put_rows(row, report);
    put_tracks(&tn_all_tracks[0]);
    row = tn_put_rows(row, report);
    tn_put_array(report->entries);
    for (uint32_t i = 0; i < report->entries; i++) {
        tn_put_source(tn_journal_read(report->first + i));
    }
    (void)tn_put_rows(row, report);
}

void tn_report_make(tn_report *report)
{
    /* A device's COSE_Key: OKP, Ed25519, x. It is known by its SHA-256. */
    static const char cose_key[] = "\xA3\x01\x01\x20\x06\x21\x58\x20";
    static const char head[] = "\x84\x6ASignature1\x58\x35" "\xA3\x01\x32\x04\x58\x20";
    static const char rest[] = "\x10\x6Dtocsin/report" "\x4Dtocsin report";
    uint8_t bytes[SIGNED_BYTES], signature[2u + TN_SIGNATURE] = {TN_CBOR_BYTES << 5 | 24u, TN_SIGNATURE};
    const tn_floor *catalogue = tn_trust_floor(TN_FLOOR_CATALOGUE, tn_maker.product);
    bool has_stamp = tn_trust_floor(TN_FLOOR_TIMESTAMP, tn_maker.product) != NULL;
    tn_source parts[5];
    report->type = "report";
    report->root = &tn_trust_root()->version;
    report->catalogue = catalogue != NULL ? catalogue->digest : NULL;
    report->audit_head = has_stamp ? tn_stored.stamp_audit_head : NULL;
    tn_out_begin(TN_LEAF_REPORT);
    tn_write_to(NULL, 0);
    put_body(report);
    tn_copy(bytes, cose_key, sizeof(cose_key) - 1u);
    tn_ed25519_public(tn_maker.seed, bytes + sizeof(cose_key) - 1u);
    tn_sha256_of(bytes, sizeof(cose_key) - 1u + TN_PUBLIC, bytes + KID_AT);
    tn_copy(bytes, head, KID_AT);
    tn_copy(bytes + KID_AT + TN_HASH, rest, sizeof(rest) - 1u);
    uint32_t length = tn_written.length;
    tn_write_to(bytes + LENGTH_AT, SIGNED_BYTES - LENGTH_AT);
    tn_put_bytes_head(length);
    length = tn_written.length;
    parts[2] = tn_in_memory(bytes, LENGTH_AT + length);
    tn_out_added(&parts[3]);
    tn_ed25519_sign(tn_maker.seed, parts, 5, signature + 2);
    tn_out_add(signature, sizeof(signature));
    /* The document's head is made of the same: COSE_Sign1, protected header, no unprotected one, length of the body. */
    bytes[HEADER_AT - 2u] = 0xD2;
    bytes[HEADER_AT - 1u] = 0x84;
    bytes[HEADER_END] = 0xA0;
    tn_copy(bytes + HEADER_END + 1u, bytes + LENGTH_AT, length);
    tn_out_publish(bytes + HEADER_AT - 2u, HEADER_END - HEADER_AT + 3u + length);
}
