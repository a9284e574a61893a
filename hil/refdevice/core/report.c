/* The report of this moment: a COSE_Sign1 by the device's key, written into flash as it is made. */
#include "record.h"
#include "report.h"

#define HEAD_BYTES 61u /* of the document in front of the body */
#define SIGNED_BYTES 85u
#define HEADER_AT 14u /* of the protected header in what is signed, and of the key id */
#define HEADER_BYTES 53u
#define KID_AT 20u

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
#define GIVEN(key, way, value) {key, way, TN_OF_ARGUMENT, value}

/* -- notices -- */

static const tn_row rows_of_notice[] = {
    GIVEN(1, TN_ALWAYS, TN_ROW_AS(TN_ROW_TEXT, tn_notice_track, id)),
    GIVEN(2, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, revision)),
    GIVEN(3, TN_ALWAYS, TN_ROW_BYTES(tn_notice_track, digest)),
    GIVEN(4, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, state)),
    GIVEN(5, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, time)),
    GIVEN(6, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, reason)),
    TN_ROW_END,
};
static const tn_row rows_of_shown[] = {
    GIVEN(8, TN_UNLESS_EMPTY, TN_ROW_AS(TN_ROW_TEXT, tn_notice_track, language)),
    GIVEN(9, TN_UNLESS_EMPTY, TN_ROW_NUMBER(tn_notice_track, confirmed)),
    TN_ROW_END,
};

static void put_notice(tn_writer *to, const tn_notice_track *track)
{
    bool seen = track->state == TN_NOTICE_SHOWN || track->state == TN_NOTICE_ACKNOWLEDGED;
    tn_put_map(to, 7u + tn_count_rows(rows_of_shown, track));
    (void)tn_put_rows(to, rows_of_notice, track);
    tn_put_uint(to, 7);
    tn_put_uint(to, seen ? TN_SURFACE_SCREEN : TN_SURFACE_NONE);
    (void)tn_put_rows(to, rows_of_shown, track);
}

/* -- patches -- */

static const tn_row rows_of_patch[] = {
    GIVEN(1, TN_ALWAYS, TN_ROW_BYTES(tn_patch_track, digest)),
    GIVEN(2, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, sequence)),
    GIVEN(3, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, state)),
    GIVEN(4, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, time)),
    GIVEN(5, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, reason)),
    TN_ROW_END,
};
static const tn_row rows_of_consent[] = {
    GIVEN(1, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, consent_how)),
    GIVEN(2, TN_ALWAYS, TN_ROW_NUMBER(tn_patch_track, consent_time)),
    GIVEN(3, TN_ALWAYS, TN_ROW_BYTES(tn_patch_track, consent_question)),
    GIVEN(0, TN_ALWAYS, TN_ROW_AS(TN_ROW_IF, tn_patch_track, consent_has_notice)),
    GIVEN(4, TN_ALWAYS, TN_ROW_BYTES(tn_patch_track, consent_notice)),
    GIVEN(5, TN_UNLESS_EMPTY, TN_ROW_AS(TN_ROW_TEXT, tn_patch_track, consent_language)),
    TN_ROW_END,
};
static const tn_row rows_of_deferred[] = {
    GIVEN(8, TN_UNLESS_EMPTY, TN_ROW_NUMBER(tn_patch_track, deferrals)),
    TN_ROW_END,
};

static void put_patch(tn_writer *to, const tn_patch_track *track)
{
    bool loads = track->state == TN_PATCH_DOWNLOADING;
    tn_put_map(to, 5u + (track->consent ? 1u : 0u) + (loads ? 1u : 0u) + tn_count_rows(rows_of_deferred, track));
    (void)tn_put_rows(to, rows_of_patch, track);
    if (track->consent) {
        tn_put_uint(to, 6);
        tn_put_map(to, tn_count_rows(rows_of_consent, track));
        (void)tn_put_rows(to, rows_of_consent, track);
    }
    if (loads) {
        tn_put_uint(to, 7);
        tn_put_uint(to, track->done);
    }
    (void)tn_put_rows(to, rows_of_deferred, track);
}

/* -- both -- */

#define HERE (1ull << 62)
#define GOES_ON (1ull << 63)

/* Higher stands further in front: what goes on stands before what has ended, the newest first. 0: nothing is there. */
static uint64_t rank_of(uint32_t key, uint32_t number)
{
    const tn_notice_track *notice = &tn_stored.notices[number % TN_NOTICES_MAX];
    const tn_patch_track *patch = &tn_stored.patches[number % TN_PATCHES_MAX];
    bool notices = key == 17u;
    bool ended = notices ? TN_IN(TN_SET_NOTICE_DONE, notice->state) : TN_IN(TN_SET_PATCH_ENDED, patch->state);
    if (notices ? notice->id[0] == '\0' : number >= TN_PATCHES_MAX || !patch->here) {
        return 0;
    }
    return (notices ? notice->time : patch->time) | HERE | (ended ? 0u : GOES_ON);
}

static void put_tracks(tn_writer *to, uint32_t key)
{
    uint64_t ranks[TN_NOTICES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        ranks[i] = rank_of(key, i);
        count += ranks[i] != 0u ? 1u : 0u;
    }
    tn_put_uint(to, key);
    tn_put_array(to, count);
    for (; count > 0u; count--) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < TN_NOTICES_MAX; i++) {
            first = ranks[i] > ranks[first] ? i : first;
        }
        ranks[first] = 0;
        if (key == 17u) {
            put_notice(to, &tn_stored.notices[first]);
        } else {
            put_patch(to, &tn_stored.patches[first]);
        }
    }
}

/* -- all of it -- */

static const tn_row rows_of_report[] = {
    GIVEN(1, TN_POINTED, TN_ROW_AS(TN_ROW_TEXT, tn_report, type)),
    {2, TN_ALWAYS, TN_OF_STORED, TN_ROW_BYTES(tn_state, fleet)},
    TN_ROW_BYTE_IS(3, TN_CBOR_ARRAY << 5 | 1u),
    {0, TN_ALWAYS, TN_OF_MAKER, TN_ROW_AS(TN_ROW_TEXT, tn_factory, id)},
    GIVEN(4, TN_ALWAYS, TN_ROW_NUMBER(tn_report, sequence)),
    GIVEN(5, TN_ALWAYS, TN_ROW_NUMBER(tn_report, issued)),
    GIVEN(9, TN_POINTED, TN_ROW_AS(TN_ROW_BYTES_32, tn_report, audit_head)),
    {10, TN_ALWAYS, TN_OF_MAKER, TN_ROW_AS(TN_ROW_TEXT, tn_factory, product)},
    {11, TN_ALWAYS, TN_OF_NOW, TN_ROW_AS(TN_ROW_PARTS, tn_session, installed)},
    {12, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, boot_epoch)},
    GIVEN(13, TN_POINTED, TN_ROW_AS(TN_ROW_U64, tn_report, root)),
    GIVEN(14, TN_POINTED, TN_ROW_AS(TN_ROW_BYTES_32, tn_report, catalogue)),
    GIVEN(15, TN_ALWAYS, TN_ROW_BYTES(tn_report, nonce)),
    GIVEN(0, TN_ALWAYS, TN_ROW_AS(TN_ROW_IF, tn_report, has_asked)),
    GIVEN(16, TN_ALWAYS, TN_ROW_BYTES(tn_report, asked)),
    TN_ROW_END,
};
static const tn_row rows_of_journal[] = {
    {19, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, journal_count)},
    {20, TN_ALWAYS, TN_OF_STORED, TN_ROW_BYTES(tn_state, journal_head)},
    TN_ROW_END,
};
static const tn_row rows_of_device[] = {
    {22, TN_ALWAYS, TN_OF_MAKER, TN_ROW_AS(TN_ROW_TEXT, tn_factory, language)},
    TN_ROW_BYTE_IS(23, TN_CBOR_ARRAY << 5 | 1u),
    TN_ROW_BYTE_IS(0, TN_CBOR_NINT << 5 | (-1 - TN_ALG_ED25519)),
    TN_ROW_END,
};

static void put_body(tn_writer *to, const tn_report *report)
{
    tn_put_map(to, 7u + tn_count_rows(rows_of_report, report));
    (void)tn_put_rows(to, rows_of_report, report);
    put_tracks(to, 17);
    put_tracks(to, 18);
    (void)tn_put_rows(to, rows_of_journal, report);
    tn_put_uint(to, 21); /* the oldest entries that no receipt covers, without a gap */
    tn_put_array(to, report->entries);
    for (uint32_t i = 0; i < report->entries; i++) {
        tn_put_source(to, tn_journal_read(report->first + i));
    }
    (void)tn_put_rows(to, rows_of_device, report);
}

/* What is signed, up to the body: a Sig_structure with the protected header {1: -19, 4: key id, 16: type}, and what
 * else a report's signature is bound to. */
static void put_signed(tn_writer *to, uint32_t length)
{
    /* A device's COSE_Key: OKP, Ed25519, x. It is known by its SHA-256. */
    static const char cose_key[] = "\xA3\x01\x01\x20\x06\x21\x58\x20";
    static const char head[] = "\x84\x6ASignature1\x58\x35" "\xA3\x01\x32\x04\x58\x20";
    static const char rest[] = "\x10\x6Dtocsin/report" "\x4Dtocsin report";
    tn_put_raw(to, cose_key, sizeof(cose_key) - 1u);
    tn_ed25519_public(tn_maker.seed, to->bytes + to->length);
    tn_sha256_of(tn_in_memory(to->bytes, to->length + TN_PUBLIC), to->bytes + KID_AT);
    to->length = 0;
    tn_put_raw(to, head, KID_AT);
    to->length += TN_HASH;
    tn_put_raw(to, rest, sizeof(rest) - 1u);
    tn_put_bytes_head(to, length);
}

void tn_report_make(tn_report *report)
{
    uint8_t bytes[SIGNED_BYTES], signature[TN_SIGNATURE];
    tn_writer out = {NULL, TN_FLASH_PAGE, 0}, to = {bytes, sizeof(bytes), 0};
    const tn_floor *catalogue = tn_trust_floor(TN_FLOOR_CATALOGUE, tn_maker.product);
    bool has_stamp = tn_stored.has_timestamp && tn_trust_floor(TN_FLOOR_TIMESTAMP, tn_maker.product) != NULL;
    tn_source parts[5];
    report->type = "report";
    report->root = &tn_trust_root()->version;
    report->catalogue = catalogue != NULL && tn_stored.catalogue_length != 0u ? catalogue->digest : NULL;
    report->audit_head = has_stamp ? tn_stored.stamp_audit_head : NULL;
    tn_out_begin(TN_LEAF_REPORT);
    put_body(&out, report);
    put_signed(&to, out.length);
    parts[2] = tn_in_memory(bytes, to.length);
    tn_out_added(0, &parts[3]);
    tn_ed25519_sign(tn_maker.seed, parts, 5, signature);
    tn_put_bytes(&out, signature, sizeof(signature));
    /* The document's head is made of the same: COSE_Sign1, protected header, no unprotected one, length of the body. */
    tn_copy(bytes + HEADER_AT - 4u, "\xD2\x84\x58\x35", 4);
    to.length = HEADER_AT + HEADER_BYTES;
    tn_put_map(&to, 0);
    tn_put_bytes_head(&to, out.length - TN_SIGNATURE - 2u);
    tn_out_publish(bytes + HEADER_AT - 4u, to.length - HEADER_AT + 4u);
}
