/* The report of this moment: a COSE_Sign1 by the device's key, put into flash piece by piece. */
#include "report.h"

#define HEAD_BYTES 96u
#define PIECE_BYTES 256u

static const char typ[] = "tocsin/report";
static const char aad[] = "tocsin report";

/* The body is made twice: to learn its length, and to write it. */
static struct {
    bool counting;
    uint32_t length;
    uint8_t bytes[PIECE_BYTES];
    tn_writer to;
} piece;

static void flush(void)
{
    piece.length += piece.to.length;
    if (!piece.counting) {
        tn_out_add(piece.bytes, piece.to.length);
    }
    piece.to.length = 0;
}

static void put_digest(uint8_t key, const uint8_t *digest, uint32_t length)
{
    tn_put_uint(&piece.to, key);
    tn_put_bytes(&piece.to, digest, length);
}

static void put_number(uint8_t key, uint64_t number)
{
    tn_put_uint(&piece.to, key);
    tn_put_uint(&piece.to, number);
}

static void put_words(uint8_t key, const char *words)
{
    tn_put_uint(&piece.to, key);
    tn_put_text(&piece.to, words);
}

static void put_version(uint8_t key, const tn_version_part version[4])
{
    tn_put_uint(&piece.to, key);
    tn_put_array(&piece.to, 4);
    for (uint32_t i = 0; i < 4u; i++) {
        tn_put_uint(&piece.to, version[i]);
    }
}

static void put_notice(const tn_notice_track *track)
{
    bool seen = track->state == TN_NOTICE_SHOWN || track->state == TN_NOTICE_ACKNOWLEDGED;
    bool has_language = track->language[0] != '\0';
    tn_put_map(&piece.to, 7u + (has_language ? 1u : 0u) + (track->confirmed != 0u ? 1u : 0u));
    put_words(1, track->id);
    put_number(2, track->revision);
    put_digest(3, track->digest, TN_HASH);
    put_number(4, track->state);
    put_number(5, track->time);
    put_number(6, track->reason);
    put_number(7, seen ? TN_SURFACE_SCREEN : TN_SURFACE_NONE);
    if (has_language) {
        put_words(8, track->language);
    }
    if (track->confirmed != 0u) {
        put_number(9, track->confirmed);
    }
    flush();
}

static void put_consent(const tn_patch_track *track)
{
    bool has_language = track->consent_language[0] != '\0';
    tn_put_uint(&piece.to, 6);
    tn_put_map(&piece.to, 3u + (track->consent_has_notice ? 1u : 0u) + (has_language ? 1u : 0u));
    put_number(1, track->consent_how);
    put_number(2, track->consent_time);
    put_digest(3, track->consent_question, TN_HASH);
    if (track->consent_has_notice) {
        put_digest(4, track->consent_notice, TN_HASH);
    }
    if (has_language) {
        put_words(5, track->consent_language);
    }
}

static void put_patch(const tn_patch_track *track)
{
    bool loads = track->state == TN_PATCH_DOWNLOADING;
    tn_put_map(&piece.to, 5u + (track->consent ? 1u : 0u) + (loads ? 1u : 0u) + (track->deferrals != 0u ? 1u : 0u));
    put_digest(1, track->digest, TN_HASH);
    put_number(2, track->sequence);
    put_number(3, track->state);
    put_number(4, track->time);
    put_number(5, track->reason);
    if (track->consent) {
        put_consent(track);
    }
    if (loads) {
        put_number(7, track->done);
    }
    if (track->deferrals != 0u) {
        put_number(8, track->deferrals);
    }
    flush();
}

/* What goes on stands before what has ended, the newest first: how many of `count` come before `mine`. */
static uint32_t rank_of(const uint64_t times[], const bool ended[], uint32_t count, uint32_t mine)
{
    uint32_t rank = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool before = ended[i] != ended[mine] ? ended[mine] : times[i] > times[mine];
        bool same = ended[i] == ended[mine] && times[i] == times[mine];
        rank += before || (same && i < mine) ? 1u : 0u;
    }
    return rank;
}

static void put_tracks(void)
{
    uint64_t times[TN_NOTICES_MAX + TN_PATCHES_MAX];
    bool ended[TN_NOTICES_MAX + TN_PATCHES_MAX];
    uint8_t which[TN_NOTICES_MAX + TN_PATCHES_MAX];
    for (uint32_t kind = 0; kind < 2u; kind++) {
        uint32_t count = 0;
        for (uint32_t i = 0; i < (kind == 0u ? TN_NOTICES_MAX : TN_PATCHES_MAX); i++) {
            const tn_notice_track *notice = &tn_stored.notices[i % TN_NOTICES_MAX];
            const tn_patch_track *patch = &tn_stored.patches[i % TN_PATCHES_MAX];
            if (kind == 0u ? notice->id[0] != '\0' : patch->here) {
                times[count] = kind == 0u ? notice->time : patch->time;
                ended[count] = kind == 0u ? TN_IN(TN_SET_NOTICE_DONE, notice->state)
                                          : TN_IN(TN_SET_PATCH_ENDED, patch->state);
                which[count++] = (uint8_t)i;
            }
        }
        tn_put_uint(&piece.to, 17u + kind);
        tn_put_array(&piece.to, count);
        for (uint32_t rank = 0; rank < count; rank++) {
            for (uint32_t i = 0; i < count; i++) {
                if (rank_of(times, ended, count, i) == rank && kind == 0u) {
                    put_notice(&tn_stored.notices[which[i]]);
                } else if (rank_of(times, ended, count, i) == rank) {
                    put_patch(&tn_stored.patches[which[i]]);
                }
            }
        }
    }
}

/* The oldest entries that no receipt covers, without a gap: from `first` on, `count` of them. */
static void put_journal(uint64_t first, uint32_t count)
{
    tn_put_uint(&piece.to, 21);
    tn_put_array(&piece.to, count);
    for (uint32_t i = 0; i < count; i++) {
        tn_put_source(&piece.to, tn_journal_read((uint32_t)first + i));
        flush();
    }
}

static void put_body(const tn_report *report)
{
    const tn_floor *catalogue = tn_trust_floor(TN_FLOOR_CATALOGUE, tn_maker.product);
    bool has_catalogue = catalogue != NULL && tn_stored.catalogue_length != 0u;
    bool has_stamp = tn_stored.has_timestamp && tn_trust_floor(TN_FLOOR_TIMESTAMP, tn_maker.product) != NULL;
    piece.length = 0;
    piece.to = (tn_writer){piece.bytes, sizeof(piece.bytes), 0};
    tn_put_map(&piece.to, 17u + (has_catalogue ? 1u : 0u) + (has_stamp ? 1u : 0u) + (report->has_asked ? 1u : 0u));
    put_words(1, "report");
    put_digest(2, tn_stored.fleet, TN_HASH);
    tn_put_uint(&piece.to, 3);
    tn_put_array(&piece.to, 1);
    tn_put_text(&piece.to, tn_maker.id);
    flush();
    put_number(4, report->sequence);
    put_number(5, report->issued);
    if (has_stamp) {
        put_digest(9, tn_stored.stamp_audit_head, TN_HASH);
    }
    put_words(10, tn_maker.product);
    put_version(11, tn_now.installed);
    put_number(12, tn_stored.boot_epoch);
    put_number(13, tn_trust_root()->version);
    flush();
    if (has_catalogue) {
        put_digest(14, catalogue->digest, TN_HASH);
    }
    put_digest(15, report->nonce, sizeof(report->nonce));
    if (report->has_asked) {
        put_digest(16, report->asked, sizeof(report->asked));
    }
    flush();
    put_tracks();
    put_number(19, tn_stored.journal_count);
    put_digest(20, tn_stored.journal_head, TN_HASH);
    put_journal(report->first, report->entries);
    put_words(22, tn_maker.language);
    tn_put_uint(&piece.to, 23);
    tn_put_array(&piece.to, 1);
    tn_put_int(&piece.to, TN_ALG_ED25519);
    flush();
}

/* Protected header: algorithm, key id, type. */
static uint32_t put_header(uint8_t *bytes, uint32_t room)
{
    uint8_t key[TN_PUBLIC], kid[TN_HASH], cose[48];
    tn_writer of_key = {cose, sizeof(cose), 0}, to = {bytes, room, 0};
    tn_ed25519_public(tn_maker.seed, key);
    tn_put_map(&of_key, 3); /* COSE_Key: OKP, Ed25519, x */
    tn_put_int(&of_key, 1);
    tn_put_int(&of_key, 1);
    tn_put_int(&of_key, -1);
    tn_put_int(&of_key, 6);
    tn_put_int(&of_key, -2);
    tn_put_bytes(&of_key, key, sizeof(key));
    tn_sha256_of(tn_in_memory(cose, of_key.length), kid);
    tn_put_map(&to, 3);
    tn_put_uint(&to, 1);
    tn_put_int(&to, TN_ALG_ED25519);
    tn_put_uint(&to, 4);
    tn_put_bytes(&to, kid, sizeof(kid));
    tn_put_uint(&to, 16);
    tn_put_text(&to, typ);
    return to.length;
}

void tn_report_make(tn_report *report)
{
    uint8_t bytes[HEAD_BYTES + 64u], header[HEAD_BYTES], signature[TN_SIGNATURE];
    uint32_t header_length = put_header(header, sizeof(header));
    tn_writer to = {bytes, sizeof(bytes), 0};
    tn_source parts[3];
    piece.counting = true;
    put_body(report);
    while (piece.length > TN_REPORT_BYTES_MAX - 2u * HEAD_BYTES && report->entries > 0u) {
        report->entries--;
        put_body(report);
    }
    tn_put_tag(&to, TN_COSE_SIGN1);
    tn_put_array(&to, 4);
    tn_put_bytes(&to, header, header_length);
    tn_put_map(&to, 0);
    tn_put_bytes_head(&to, piece.length);
    tn_out_begin(TN_LEAF_REPORT);
    tn_out_add(bytes, to.length);
    uint32_t from = to.length;
    piece.counting = false;
    put_body(report);
    to.length = 0;
    tn_put_array(&to, 4);
    tn_put_text(&to, "Signature1");
    tn_put_bytes(&to, header, header_length);
    tn_put_bytes(&to, aad, sizeof(aad) - 1u);
    tn_put_bytes_head(&to, piece.length);
    parts[0] = tn_in_memory(bytes, to.length);
    tn_out_added(from, &parts[1]);
    tn_ed25519_sign(tn_maker.seed, parts, 3, signature);
    to.length = 0;
    tn_put_bytes(&to, signature, sizeof(signature));
    tn_out_add(bytes, to.length);
    tn_out_publish(NULL, 0);
}
