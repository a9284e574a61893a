/* The patch track: what is decided at each of its states, from a signed offer to the install
 * (device_sim.core.patches). */
#include "patches.h"

#define HOLD_MS 60000u
#define OVERTAKEN \
    (1u << TN_PATCH_WAITING_FOR_WINDOW | 1u << TN_PATCH_VERIFIED | 1u << TN_PATCH_WAITING_FOR_CONFIRMATION | \
     1u << TN_PATCH_DEFERRED | 1u << TN_PATCH_DOWNLOADING | 1u << TN_PATCH_DOWNLOADED)

static struct {
    uint32_t signed_under; /* low bits of the version of the root that the envelope was verified with in this boot */
    tn_pause held;         /* since the reason for holding up changed last */
} patches;

tn_patch_track *tn_patch_in(uint32_t states)
{
    tn_patch_track *track = &tn_stored.patches[TN_PATCHES_MAX];
    while (track-- > tn_stored.patches) {
        if (TN_IN(states, track->state)) {
            return track;
        }
    }
    return NULL;
}

tn_patch_track *tn_patch_active(void)
{
    return tn_patch_in(~(TN_SET_PATCH_ENDED | 1u << TN_PATCH_QUEUED)); /* as a free one is */
}

void tn_patch_changed(tn_patch_track *track)
{
    uint32_t one = tn_stored.patches[0].touched, other = tn_stored.patches[1].touched;
    track->touched = (one > other ? one : other) + 1u;
}

void tn_patch_move(tn_patch_track *track, uint32_t state, tn_reason reason)
{
    char name[17];
    tn_must(tn_patch_may(track->state, state));
    for (uint32_t i = 0; i < 16u; i++) {
        uint32_t digit = (uint32_t)track->offer.digest[i / 2u] >> (i % 2u == 0u ? 4u : 0u) & 15u;
        name[i] = (char)(digit < 10u ? '0' + digit : 'a' - 10u + digit);
    }
    name[16] = '\0';
    tn_record(TN_SAYS(TN_TRACK_PATCH, track->state, state, reason), name, track->offer.digest);
    tn_log(reason, "patch");
    track->state = (uint8_t)state;
    track->reason = (uint8_t)reason;
    track->time = tn_warning_time();
    tn_patch_changed(track);
}

/* -- what arrives -- */

/* Where its envelope lies. It is written while the track waits for it, and so does the one that is stored. */
static uint32_t envelope_at(const tn_patch_track *track)
{
    return TN_AT_PATCH + (track == tn_stored.patches ? 0u : TN_FLASH_PAGE);
}

/* Verify an envelope under the present root, and that it is the one that was offered. */
static tn_reason open_for(const tn_patch_track *track, tn_source envelope, tn_manifest *manifest)
{
    tn_reason reason = tn_suit_open(envelope, manifest);
    if (reason == TN_OK && tn_compare(manifest->digest, track->offer.digest, TN_HASH) != 0) {
        reason = TN_DIGEST_MISMATCH;
    }
    patches.signed_under = reason == TN_OK ? (uint32_t)tn_trust_root()->version : 0u;
    return reason;
}

tn_reason tn_patch_is_signed(const tn_patch_track *track)
{
    tn_manifest manifest;
    if (patches.signed_under == (uint32_t)tn_trust_root()->version) {
        return TN_OK;
    }
    return open_for(track, tn_in_flash(envelope_at(track), track->envelope_length), &manifest);
}

/* Compare a genuine patch with this device. */
static tn_reason judge(const tn_patch_track *track, const tn_manifest *manifest)
{
    if (manifest->sequence != track->sequence) {
        return TN_MALFORMED;
    }
    if (!manifest->ours) {
        return TN_WRONG_MODEL;
    }
    if (manifest->image_size > TN_SLOT_BYTES || manifest->image_size == 0u) {
        return manifest->image_size != 0u ? TN_NO_SPACE : TN_MALFORMED;
    }
    if (!tn_stored.has_patch_floor || manifest->sequence > tn_stored.patch_floor) {
        return TN_OK;
    }
    if (manifest->sequence < tn_stored.patch_floor) {
        return TN_DOWNGRADE_REFUSED;
    }
    return tn_compare(track->offer.digest, tn_stored.patch_floor_digest, TN_HASH) == 0 ? TN_OK : TN_EQUIVOCATION;
}

tn_reason tn_patch_take(const tn_arrival *envelope)
{
    tn_manifest manifest;
    tn_patch_track *track = tn_patch_in(1u << TN_PATCH_OFFERED);
    if (track == NULL) {
        return TN_OK;
    }
    tn_reason reason = open_for(track, envelope->data, &manifest);
    if (reason != TN_OK) {
        return reason;
    }
    reason = judge(track, &manifest);
    if (reason != TN_OK) {
        tn_patch_move(track, reason == TN_WRONG_MODEL ? TN_PATCH_NOT_APPLICABLE : TN_PATCH_REJECTED, reason);
        return TN_OK;
    }
    tn_flash_copy(envelope_at(track), envelope->data);
    track->envelope_length = (uint16_t)envelope->data.length;
    tn_copy(track->image_digest, manifest.image_digest, TN_HASH);
    tn_copy(track->version, manifest.version, sizeof(track->version));
    track->image_size = manifest.image_size;
    track->has_version = manifest.has_version;
    (void)tn_text(manifest.language, track->consent_language, sizeof(track->consent_language));
    tn_patch_changed(track);
    return TN_OK;
}

/* -- one step a state -- */

/* Why a patch stays where it is. */
static void because(tn_patch_track *track, tn_reason reason)
{
    if (track->reason != (uint8_t)reason) {
        track->reason = (uint8_t)reason;
        tn_patch_changed(track);
        tn_now.news = true;
    }
}

/* Begin to bring a patch, or wait for its window; OUT_OF_WINDOW where it will always be too early or too late. */
static void bring(tn_patch_track *track)
{
    tn_reason reason = track->offer.from < track->offer.last ? TN_OK : TN_OUT_OF_WINDOW;
    if (reason == TN_OK && tn_is_past(track->offer.from)) {
        tn_patch_move(track, TN_PATCH_DOWNLOADING, TN_OK);
        tn_blocks_begin(track);
    } else if (track->state != TN_PATCH_WAITING_FOR_WINDOW) {
        tn_patch_move(track, TN_PATCH_WAITING_FOR_WINDOW, reason);
    } else {
        because(track, reason);
    }
}

/* Whether what a patch promises runs already. */
static bool runs(const tn_patch_track *track)
{
    return track->has_version && tn_now.measured &&
           tn_compare(track->version, tn_now.image.version, sizeof(track->version)) == 0;
}

static void consider(tn_patch_track *track)
{
    char number[TN_NUMBER_ROOM];
    if (track->image_size == 0u) {
        tn_missing(TN_TOPIC_PATCH, "", tn_number(number, track->sequence));
    } else if (runs(track)) {
        tn_patch_move(track, TN_PATCH_ALREADY_INSTALLED, TN_OK);
    } else {
        tn_patch_move(track, TN_PATCH_WAITING_FOR_CONFIRMATION, TN_OK);
    }
}

/* The last gate: only what is current now, inside the window. The reason for waiting stays as long as it holds, and
 * changes at most once a minute. */
static void begin_install(tn_patch_track *track)
{
    /* That it is not over tn_offers_end() has seen. */
    bool closed = !tn_is_past(track->offer.from), stale = !tn_is_current();
    if (!closed && !stale) {
        tn_patch_move(track, TN_PATCH_INSTALLING, TN_OK);
        return;
    }
    bool holds = (closed && track->reason == TN_OUT_OF_WINDOW) || (stale && track->reason == TN_STALE);
    if (!holds && (track->reason == TN_OK || tn_pause_over(&patches.held))) {
        tn_pause_begin(&patches.held, HOLD_MS);
        because(track, closed ? TN_OUT_OF_WINDOW : TN_STALE);
    }
}

static void step(tn_patch_track *track)
{
    switch (track->state) {
    case TN_PATCH_OFFERED:
        consider(track);
        break;
    case TN_PATCH_DEFERRED:
        tn_consent_remind(track);
        break;
    case TN_PATCH_WAITING_FOR_WINDOW:
        bring(track);
        break;
    case TN_PATCH_DOWNLOADING:
        tn_slots_bring(track);
        break;
    case TN_PATCH_DOWNLOADED:
        tn_slots_verify(track);
        break;
    case TN_PATCH_VERIFIED:
        begin_install(track);
        break;
    case TN_PATCH_TESTING:
        tn_slots_test(track);
        break;
    case TN_PATCH_INSTALLING:
        tn_slots_install(track);
        break;
    default: /* it restarts, or the owner is asked */
        break;
    }
}

/* Make one transition; false: there is none to make now. */
static bool advance(void)
{
    tn_offers_settle();
    tn_patch_track *track = tn_patch_active();
    if (track == NULL) {
        return false;
    }
    uint8_t before = track->state;
    if (TN_IN(TN_SET_NO_RETURN, before) || !tn_offers_end(track)) {
        step(track);
    }
    return track->state != before;
}

void tn_patches_step(void)
{
    while (advance()) { /* it ends: a state that was left in this step only a later one comes back to */
    }
}

/* -- what happens to the device -- */

bool tn_patches_booted(void)
{
    tn_patch_track *track = tn_patch_active();
    if (tn_slots_booted(track)) {
        return true;
    }
    /* Somebody else may have brought the very version that a patch promises. */
    if (track != NULL && TN_IN(OVERTAKEN, track->state) && runs(track)) {
        tn_offers_begin_again(track, TN_SUPERSEDED);
    }
    return false;
}

void tn_patches_connected(void)
{
    tn_blocks_connected();
}

const tn_patch_track *tn_patches_asking(void)
{
    return tn_patch_in(1u << TN_PATCH_WAITING_FOR_CONFIRMATION);
}

tn_reason tn_patches_consent(const char *answer)
{
    tn_patch_track *track = tn_patch_in(1u << TN_PATCH_WAITING_FOR_CONFIRMATION);
    if (track == NULL) {
        return TN_BUSY;
    }
    if (tn_consent_answer(track, answer)) {
        bring(track);
    }
    return TN_OK;
}
