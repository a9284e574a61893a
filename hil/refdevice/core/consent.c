/* The owner's consent: asked for, put off, given (device_sim.core.consent). An answer is bound to the question: the
 * manifest, the notice that names the patch, the words that were shown and their language. Between the end of a step,
 * which asks, and the answer none of these changes, so nothing is compared (tests/hil/refdevice/test_consent.py). */
#include "notice.h"
#include "patches.h"
#include "record.h"

#define DEFERRALS_MAX 3u
#define DEFER_SECONDS 86400u
#define SEEN (1u << TN_NOTICE_SHOWN | 1u << TN_NOTICE_ACKNOWLEDGED)
#define IN_FORCE (SEEN | 1u << TN_NOTICE_DELIVERED | 1u << TN_NOTICE_VERIFIED)

/* -- which notice a patch mends (device_sim.core.mending) -- */

static bool mends(tn_item header, const uint8_t digest[TN_HASH])
{
    tn_item patches = tn_of_product(tn_at(header, TN_NOTICE_PATCHES));
    tn_item one;
    for (uint32_t i = 0; (one = tn_nth(patches, i)) != NULL; i++) {
        if (tn_is_hash(one, digest)) {
            return true;
        }
    }
    return false;
}

/* The notice in force that names a patch, the gravest and newest one of several. */
static const tn_notice_track *about(const uint8_t digest[TN_HASH])
{
    const tn_notice_track *best = NULL;
    uint64_t most = 0;
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        const tn_notice_track *track = &tn_stored.notices[i];
        tn_item header = tn_notice_header(track);
        if (!TN_IN(IN_FORCE, track->state) || !mends(header, digest)) {
            continue;
        }
        /* How grave it is, then how new: times of issue have 53 bits. */
        uint64_t weight = tn_value_at(header, TN_NOTICE_SEVERITY) << 56 | tn_value_at(header, TN_ISSUED);
        if (best == NULL || weight > most ||
            (weight == most && tn_compare(track->id, best->id, sizeof(track->id)) > 0)) {
            best = track;
            most = weight;
        }
    }
    return best;
}

/* -- the question -- */

typedef struct {
    const uint8_t *patch, *notice, *words;
    const char *language;
} question;

static const tn_row rows[] = {
    TN_ROW_BYTE_IS(0, TN_CBOR_ARRAY << 5 | 4u),
    TN_ROW(0, TN_POINTED, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_BYTES_32, question, patch)),
    TN_ROW(0, TN_POINTED, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_BYTES_32, question, notice)),
    TN_ROW(0, TN_POINTED, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_BYTES_32, question, words)),
    TN_ROW(0, TN_POINTED, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_TEXT, question, language)),
    TN_ROW_END,
};

/* Store what a consent is bound to (advisories.report.question). */
static void agree(tn_patch_track *track)
{
    uint8_t bytes[144], words[TN_HASH]; /* at most 1 + 3 * 34 + 37 */
    const tn_notice_track *notice = about(track->offer.digest);
    char *language = track->consent_language;
    question asked = {track->offer.digest, NULL, NULL, NULL};
    if (notice != NULL) {
        tn_source text = tn_notice_words(notice);
        track->consent_has_notice = true;
        tn_copy(track->consent_notice, notice->digest, TN_HASH);
        asked.notice = notice->digest;
        if (text.length != 0u && TN_IN(SEEN, notice->state)) {
            tn_sha256_of(text.bytes, text.length, words);
            asked.words = words;
            if (language[0] == '\0') {
                tn_copy(language, notice->language, sizeof(track->consent_language));
            }
        }
    }
    asked.language = language[0] != '\0' ? language : NULL;
    tn_write_to(bytes, sizeof(bytes));
    (void)tn_put_rows(rows, &asked);
    tn_sha256_of(bytes, tn_written.length, track->consent_question);
    track->consent = true;
    track->consent_time = tn_time();
}

bool tn_consent_answer(tn_patch_track *track, const char *answer)
{
    if (answer[0] == 'y') {
        agree(track);
        return true;
    }
    if (answer[0] == 'n') {
        tn_patch_move(track, TN_PATCH_DECLINED, TN_DECLINED);
    } else if (track->deferrals < DEFERRALS_MAX && !tn_is_past(track->offer.final)) {
        track->deferrals++;
        track->defer_until = tn_time() + DEFER_SECONDS;
        tn_patch_move(track, TN_PATCH_DEFERRED, TN_DEFERRED);
    } /* else it cannot be put off any further, and is asked again */
    return false;
}

void tn_consent_remind(tn_patch_track *track)
{
    uint64_t due = track->defer_until < track->offer.final ? track->defer_until : track->offer.final;
    if (tn_is_past(due)) {
        tn_patch_move(track, TN_PATCH_WAITING_FOR_CONFIRMATION, TN_OK);
    }
}
