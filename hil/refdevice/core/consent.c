/* The owner's consent: asked for, put off, given (device_sim.core.consent). An answer counts only for the question
 * that was asked: the manifest, the notice that names the patch, the words that were shown and their language. */
#include "notice.h"
#include "patches.h"

#define DEFERRALS_MAX 3u
#define DEFER_SECONDS 86400u
#define FINAL_SECONDS 21600u
#define SEEN (1u << TN_NOTICE_SHOWN | 1u << TN_NOTICE_ACKNOWLEDGED)
#define IN_FORCE (SEEN | 1u << TN_NOTICE_DELIVERED | 1u << TN_NOTICE_VERIFIED)

static struct {
    bool asked, final; /* in this boot; it was the last time that it could be put off */
    uint8_t question[TN_HASH];
} consent;

/* -- which notice a patch mends (device_sim.core.mending) -- */

static bool mends(tn_item header, const uint8_t digest[TN_HASH])
{
    tn_item patches = tn_of_product(tn_at(header, TN_NOTICE_PATCHES));
    for (uint32_t i = 0; tn_nth(patches, i) != NULL; i++) {
        if (tn_equals(tn_string(tn_nth(patches, i)), digest, TN_HASH)) {
            return true;
        }
    }
    return false;
}

/* The notice in force that names a patch, the gravest and newest one of several. */
static const tn_notice_track *about(const uint8_t digest[TN_HASH])
{
    const tn_notice_track *best = NULL;
    uint64_t gravest = 0, newest = 0;
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        const tn_notice_track *track = &tn_stored.notices[i];
        tn_item header = tn_notice_header(track);
        if (track->id[0] == '\0' || !TN_IN(IN_FORCE, track->state) || !mends(header, digest)) {
            continue;
        }
        uint64_t severity = tn_value(tn_at(header, TN_NOTICE_SEVERITY)), issued = tn_value(tn_at(header, TN_ISSUED));
        bool better = best == NULL || severity > gravest || (severity == gravest && issued > newest);
        bool alike = !better && severity == gravest && issued == newest;
        if (better || (alike && tn_compare(track->id, best->id, sizeof(track->id)) > 0)) {
            best = track;
            gravest = severity;
            newest = issued;
        }
    }
    return best;
}

/* -- the question -- */

static void put_digest(tn_writer *to, const uint8_t *digest)
{
    if (digest != NULL) {
        tn_put_bytes(to, digest, TN_HASH);
    } else {
        tn_put_null(to);
    }
}

/* What a consent is bound to (advisories.report.question); `found` is the notice, `language` that of the question. */
static void make_question(const tn_patch_track *track, const tn_notice_track **found, const char **language,
                          uint8_t question[TN_HASH])
{
    uint8_t bytes[144], words[TN_HASH]; /* at most 1 + 3 * 34 + 37 */
    tn_writer to = {bytes, sizeof(bytes), 0};
    *found = about(track->digest);
    tn_source text = *found != NULL ? tn_notice_words(*found) : tn_in_memory(NULL, 0);
    bool seen = text.length != 0u && TN_IN(SEEN, (*found)->state);
    tn_sha256_of(text, words);
    *language = track->consent_language[0] == '\0' && seen ? (*found)->language : track->consent_language;
    tn_put_array(&to, 4);
    put_digest(&to, track->digest);
    put_digest(&to, *found != NULL ? (*found)->digest : NULL);
    put_digest(&to, seen ? words : NULL);
    if ((*language)[0] != '\0') {
        tn_put_text(&to, *language);
    } else {
        tn_put_null(&to);
    }
    tn_sha256_of(tn_in_memory(bytes, to.length), question);
}

/* The second from which on an offer can be put off no more: six hours before it is too late, or in the last quarter. */
static uint64_t final_from(const tn_offer *offer)
{
    uint64_t last = tn_offer_last(offer);
    uint64_t quarter = last > offer->issued ? (last - offer->issued) / 4u : 0u;
    return last - (quarter < FINAL_SECONDS ? quarter : FINAL_SECONDS);
}

static bool is_final(const tn_patch_track *track)
{
    return track->deferrals >= DEFERRALS_MAX || tn_time() >= final_from(&track->offer);
}

void tn_consent_ask(const tn_patch_track *track)
{
    const tn_notice_track *found;
    const char *language;
    make_question(track, &found, &language, consent.question);
    consent.final = is_final(track);
    consent.asked = true;
}

void tn_consent_ask_again(void)
{
    consent.asked = false;
}

bool tn_consent_answer(tn_patch_track *track, const char *answer)
{
    uint8_t question[TN_HASH];
    const tn_notice_track *found;
    const char *language;
    make_question(track, &found, &language, question);
    if (!consent.asked || tn_compare(question, consent.question, TN_HASH) != 0) {
        tn_log(TN_SUPERSEDED, "an answer to another question counts for nothing");
        consent.asked = false;
    } else if (answer[0] == 'y') {
        track->consent = true;
        track->consent_how = 0;
        track->consent_time = tn_time();
        tn_copy(track->consent_question, question, TN_HASH);
        track->consent_has_notice = found != NULL;
        if (found != NULL) {
            tn_copy(track->consent_notice, found->digest, TN_HASH);
        }
        if (language != track->consent_language) {
            tn_copy(track->consent_language, language, sizeof(track->consent_language));
        }
        return true;
    } else if (answer[0] == 'n') {
        tn_patch_move(track, TN_PATCH_DECLINED, TN_DECLINED);
    } else if (is_final(track)) {
        consent.asked = false; /* it cannot be put off any further: ask again */
    } else {
        uint64_t until = tn_time() + DEFER_SECONDS;
        track->deferrals++;
        track->defer_until = until < TN_WIRE_VERSION_MAX ? until : TN_WIRE_VERSION_MAX;
        tn_patch_move(track, TN_PATCH_DEFERRED, TN_DEFERRED);
    }
    return false;
}

void tn_consent_remind(tn_patch_track *track)
{
    uint64_t final = final_from(&track->offer);
    if (tn_time() >= (track->defer_until < final ? track->defer_until : final)) {
        consent.asked = false;
        tn_patch_move(track, TN_PATCH_WAITING_FOR_CONFIRMATION, TN_OK);
    }
}
