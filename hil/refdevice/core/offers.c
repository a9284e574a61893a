/* Offers: taken when they are genuine, turned into a patch's track once the catalogue is current
 * (device_sim.core.offers). */
#include "patches.h"

#define RENEWABLE (TN_SET_PATCH_ENDED & ~(1u << TN_PATCH_SUCCEEDED | 1u << TN_PATCH_REMOVED))
#define ON_TRIAL (1u << TN_PATCH_INSTALLING | 1u << TN_PATCH_INSTALLED)

/* Keys of an offer behind the common ones. */
enum { PRODUCT = 10, SEQUENCE, DIGEST, CATALOGUE_VERSION, DEADLINE, WINDOW, CONSENT, CANCEL };
static const tn_shape window[] = {{0, TN_UINT53, 0, NULL}, {0, TN_UINT53, 0, NULL}};
static const tn_shape own[] = {
    {PRODUCT, TN_IDENT, TN_NAME_BYTES_MAX, NULL},
    {SEQUENCE, TN_UINT53, 0, NULL},
    {DIGEST, TN_BYTES, TN_HASH, NULL},
    {CATALOGUE_VERSION, TN_UINT53, 0, NULL},
    {DEADLINE, TN_UINT53, 0, NULL},
    {WINDOW, TN_TUPLE | TN_OPTIONAL, 2, window},
    {CONSENT, TN_UINT, 1, NULL},
    {CANCEL, TN_BOOL, 0, NULL},
    {0, TN_END, 0, NULL},
};

tn_reason tn_offer_take(tn_source data)
{
    tn_document found;
    tn_expected expected = {"offer", TN_WIRE_OFFER_BYTES_MAX, TN_DOCUMENT_BYTES_MAX, tn_maker.id, tn_maker.product,
                            true, tn_now.now, own};
    tn_offer *offer = &tn_stored.offer;
    const tn_floor *before = tn_trust_floor(TN_FLOOR_OFFER, tn_maker.id);
    uint64_t version = before != NULL ? before->version : 0u;
    bool had = before != NULL;
    tn_reason reason = tn_trust_accept(data, &expected, TN_FLOOR_OFFER, tn_maker.id, &found);
    if (reason != TN_OK || (had && tn_said(&found, TN_VERSION) == version)) { /* of one version there is one digest */
        return reason;
    }
    tn_touch();
    tn_item body = found.body.bytes, hours = tn_at(body, WINDOW);
    if (!tn_same(tn_string(tn_at(body, PRODUCT)), tn_bytes_of(tn_maker.product))) {
        return TN_WRONG_SUBJECT;
    }
    offer->here = true;
    offer->version = tn_said(&found, TN_VERSION);
    offer->issued = tn_said(&found, TN_ISSUED);
    offer->has_expires = tn_at(body, TN_EXPIRES) != NULL;
    offer->expires = tn_said(&found, TN_EXPIRES);
    offer->catalogue_version = tn_said(&found, CATALOGUE_VERSION);
    offer->sequence = tn_said(&found, SEQUENCE);
    offer->deadline = tn_said(&found, DEADLINE);
    offer->has_window = hours != NULL;
    offer->window_from = tn_value(tn_nth(hours, 0));
    offer->window_to = tn_value(tn_nth(hours, 1));
    offer->ask = tn_said(&found, CONSENT) != 0u;
    offer->cancel = tn_is_true(tn_at(body, CANCEL));
    tn_copy(offer->digest, tn_string(tn_at(body, DIGEST)).bytes, TN_HASH);
    return TN_OK;
}

uint64_t tn_offer_last(const tn_offer *offer)
{
    uint64_t last = offer->deadline;
    last = offer->has_expires && offer->expires < last ? offer->expires : last;
    return offer->has_window && offer->window_to < last ? offer->window_to : last;
}

/* End the patch under way, and let go of what is being brought for it. */
static void stop(tn_patch_track *track, uint32_t state, tn_reason reason)
{
    tn_patch_move(track, state, reason);
    tn_blocks_forget();
}

/* Take the offer of a patch up again, unless there is a newer one. */
void tn_offers_renew(const tn_patch_track *track)
{
    for (uint32_t i = 0; i < TN_PATCHES_MAX; i++) {
        if (tn_stored.patches[i].here && tn_stored.patches[i].offer.version > track->offer.version) {
            return;
        }
    }
    if (!tn_stored.offer.here) {
        tn_copy(&tn_stored.offer, &track->offer, sizeof(tn_stored.offer));
        tn_stored.offer.here = true;
        tn_touch();
    }
}

void tn_offers_begin_again(tn_patch_track *track, tn_reason reason)
{
    stop(track, TN_PATCH_CANCELED, reason);
    tn_offers_renew(track);
}

static tn_patch_track *track_of(const uint8_t digest[TN_HASH])
{
    for (uint32_t i = 0; i < TN_PATCHES_MAX; i++) {
        if (tn_stored.patches[i].here && tn_compare(tn_stored.patches[i].digest, digest, TN_HASH) == 0) {
            return &tn_stored.patches[i];
        }
    }
    return NULL;
}

/* Room for another track: of those that have ended, the one that was touched longest ago goes. */
static tn_patch_track *room(void)
{
    tn_patch_track *found = NULL;
    for (uint32_t i = 0; i < TN_PATCHES_MAX; i++) {
        tn_patch_track *track = &tn_stored.patches[i];
        if (!track->here) {
            return track;
        }
        if (TN_IN(TN_SET_PATCH_ENDED, track->state) && (found == NULL || track->touched < found->touched)) {
            found = track;
        }
    }
    return found;
}

/* Make the track a new one for this offer; what it has been through stays. */
static void begin(tn_patch_track *track, const tn_offer *offer, uint8_t state, uint8_t deferrals)
{
    uint8_t envelope = track->envelope;
    tn_fill(track, 0, sizeof(*track));
    tn_copy(&track->offer, offer, sizeof(*offer));
    tn_copy(track->digest, offer->digest, TN_HASH);
    track->here = true;
    track->sequence = offer->sequence;
    track->state = state;
    track->deferrals = deferrals;
    track->envelope = envelope;
}

/* Begin, renew or change the track of an offer. */
static void open(const tn_offer *offer, tn_patch_track *track, uint32_t state, tn_reason reason)
{
    tn_patch_track *active = tn_patch_active();
    if (active != NULL && active != track) {
        stop(active, TN_PATCH_SUPERSEDED, TN_SUPERSEDED);
    }
    if (track == NULL) {
        track = room();
        if (track != NULL) {
            begin(track, offer, TN_PATCH_QUEUED, 0);
            tn_patch_move(track, state, reason);
        }
    } else if (!TN_IN(TN_SET_PATCH_ENDED, track->state)) {
        tn_copy(&track->offer, offer, sizeof(*offer));
        tn_patch_changed(track);
    } else if (TN_IN(RENEWABLE, track->state) && state == (uint32_t)TN_PATCH_OFFERED) {
        begin(track, offer, track->state, track->deferrals);
        tn_patch_move(track, state, TN_OK);
    } else {
        tn_log(TN_SUPERSEDED, "a patch stays what it is");
    }
}

static void cancel(tn_patch_track *track)
{
    if (TN_IN(ON_TRIAL, track->state)) {
        tn_patch_move(track, TN_PATCH_CANCEL_REJECTED, TN_BUSY);
    } else if (TN_IN(TN_SET_NO_RETURN, track->state)) {
        tn_record(TN_SAYS(TN_TRACK_REFUSAL, 0, 0, TN_BUSY), "offer", track->digest);
    } else if (!TN_IN(TN_SET_PATCH_ENDED, track->state)) {
        stop(track, TN_PATCH_CANCELED, TN_CANCELED);
    }
}

void tn_offers_settle(void)
{
    tn_offer *offer = &tn_stored.offer;
    tn_patch_track *active = tn_patch_active();
    if (!offer->here) {
        return;
    }
    tn_patch_track *track = track_of(offer->digest);
    uint32_t state = TN_PATCH_TIMED_OUT;
    tn_reason reason = TN_DEADLINE_PASSED;
    if (!offer->cancel) {
        if (active != NULL && TN_IN(TN_SET_NO_RETURN, active->state)) {
            return;
        }
        if (tn_time() < tn_offer_last(offer)) {
            if (!tn_is_current() || tn_currency_version() < offer->catalogue_version) {
                return; /* stale metadata blocks installing; the missing pieces are being asked for */
            }
            bool named = tn_currency_has_patch(offer->sequence, offer->digest);
            state = named ? TN_PATCH_OFFERED : TN_PATCH_REJECTED;
            reason = named ? TN_OK : TN_NOT_IN_CATALOGUE;
        }
    }
    offer->here = false;
    tn_touch();
    if (!offer->cancel) {
        open(offer, track, state, reason);
    } else if (track != NULL) {
        cancel(track);
    }
}

bool tn_offers_end(tn_patch_track *track)
{
    tn_reason reason = TN_OK;
    uint32_t state = TN_PATCH_REJECTED;
    if (tn_time() >= tn_offer_last(&track->offer)) {
        state = TN_PATCH_TIMED_OUT;
        reason = TN_DEADLINE_PASSED;
    } else if (tn_is_current() && !tn_currency_has_patch(track->sequence, track->digest)) {
        reason = TN_NOT_IN_CATALOGUE;
    } else if (track->image_size != 0u && !tn_patch_is_signed(track, &reason)) {
        reason = TN_THRESHOLD_NOT_MET;
    } else {
        return false;
    }
    stop(track, state, reason);
    return true;
}
