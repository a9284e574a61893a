/* Offers: taken when they are genuine, turned into a patch's track once the catalogue is current
 * (device_sim.core.offers). */
#include "patches.h"

#define RENEWABLE (TN_SET_PATCH_ENDED & ~(1u << TN_PATCH_SUCCEEDED | 1u << TN_PATCH_REMOVED))
#define ON_TRIAL (1u << TN_PATCH_INSTALLING | 1u << TN_PATCH_INSTALLED)
#define FINAL_SECONDS 21600u /* so long before its end, or in its last quarter, it cannot be put off any more */

/* Keys of an offer behind the common ones. */
enum { PRODUCT = 10, SEQUENCE, DIGEST, CATALOGUE_VERSION, DEADLINE, WINDOW, CONSENT, CANCEL };
const uint8_t tn_offer_own[] = {
    PRODUCT, TN_IDENT, TN_NAME_BYTES_MAX,
    SEQUENCE, TN_UINT53,
    DIGEST, TN_BYTES, TN_HASH,
    CATALOGUE_VERSION, TN_UINT53,
    DEADLINE, TN_UINT53,
    WINDOW, TN_TUPLE | TN_OPTIONAL, 2, TN_OF(TN_UINT53, TN_UINT53),
    CONSENT, TN_UINT, 1,
    CANCEL, TN_BOOL,
    TN_END,
};

static uint64_t sooner(uint64_t last, tn_item other)
{
    return other != NULL && tn_value(other) < last ? tn_value(other) : last;
}

tn_reason tn_offer_take(tn_item body)
{
    tn_offer *offer = &tn_stored.offer;
    if (!tn_is(tn_at(body, PRODUCT), tn_maker.product)) {
        return TN_WRONG_SUBJECT;
    }
    tn_item hours = tn_at(body, WINDOW);
    uint64_t last = sooner(sooner(tn_value_at(body, DEADLINE), tn_at(body, TN_EXPIRES)), tn_nth(hours, 1));
    uint64_t issued = tn_value_at(body, TN_ISSUED);
    uint64_t quarter = (last - issued) >> 2; /* one that ends before it was issued is over, whatever this is */
    offer->here = true;
    offer->cancel = tn_is_true(tn_at(body, CANCEL));
    offer->sequence = tn_value_at(body, SEQUENCE);
    offer->catalogue_version = tn_value_at(body, CATALOGUE_VERSION);
    offer->from = tn_value(tn_nth(hours, 0));
    offer->last = last;
    offer->final = last - (quarter < FINAL_SECONDS ? quarter : FINAL_SECONDS);
    tn_copy(offer->digest, tn_first(tn_at(body, DIGEST)), TN_HASH);
    return TN_OK;
}

/* End the patch under way, and take its offer up again unless there is a newer one. Of those with a track it is the
 * newest: a later one of another patch would have ended this. */
void tn_offers_begin_again(tn_patch_track *track, tn_reason reason)
{
    tn_patch_move(track, TN_PATCH_CANCELED, reason);
    if (!tn_stored.offer.here) {
        tn_copy(&tn_stored.offer, &track->offer, sizeof(tn_stored.offer));
    }
}

/* Begin, renew or change the track of the newest offer; NULL: it has none. Of what it has been through before, state
 * and deferrals stay. */
static void open(tn_patch_track *track, uint32_t state, tn_reason reason)
{
    tn_patch_track *active = tn_patch_active(), *other = tn_stored.patches;
    bool anew = true;
    if (active != NULL && active != track) {
        tn_patch_move(active, TN_PATCH_SUPERSEDED, TN_SUPERSEDED);
    }
    if (track == NULL) { /* both are free, or have ended: the one that was touched longest ago goes */
        track = other[1].touched < other[0].touched ? &other[1] : &other[0];
        track->state = TN_PATCH_QUEUED;
        track->deferrals = 0;
    } else if (!TN_IN(TN_SET_PATCH_ENDED, track->state)) {
        anew = false;
    } else if (!TN_IN(RENEWABLE, track->state) || state != (uint32_t)TN_PATCH_OFFERED) {
        tn_log(TN_SUPERSEDED, "offer");
        return;
    }
    if (anew) {
        tn_fill(&track->has_version, 0, sizeof(*track) - offsetof(tn_patch_track, has_version));
        track->sequence = tn_stored.offer.sequence;
    }
    tn_copy(&track->offer, &tn_stored.offer, sizeof(track->offer));
    tn_patch_changed(track);
    if (anew) {
        tn_patch_move(track, state, reason);
    }
}

static void cancel(tn_patch_track *track)
{
    if (TN_IN(ON_TRIAL, track->state)) {
        tn_patch_move(track, TN_PATCH_CANCEL_REJECTED, TN_BUSY);
    } else if (TN_IN(TN_SET_NO_RETURN, track->state)) {
        tn_record(TN_SAYS(TN_TRACK_REFUSAL, 0, 0, TN_BUSY), "offer", track->offer.digest);
    } else if (!TN_IN(TN_SET_PATCH_ENDED, track->state)) {
        tn_patch_move(track, TN_PATCH_CANCELED, TN_CANCELED);
    }
}

/* The track of the newest offer's patch; NULL: it has none. */
static tn_patch_track *find(void)
{
    tn_patch_track *one = tn_stored.patches + TN_PATCHES_MAX;
    while (one-- > tn_stored.patches) {
        if (one->state != TN_PATCH_QUEUED && tn_compare(one->offer.digest, tn_stored.offer.digest, TN_HASH) == 0) {
            return one;
        }
    }
    return NULL;
}

void tn_offers_settle(void)
{
    tn_offer *offer = &tn_stored.offer;
    tn_patch_track *active = tn_patch_active(), *track = find();
    uint32_t state = TN_PATCH_TIMED_OUT;
    tn_reason reason = TN_DEADLINE_PASSED;
    if (!offer->here || (!offer->cancel && active != NULL && TN_IN(TN_SET_NO_RETURN, active->state))) {
        return;
    }
    if (!offer->cancel && !tn_is_past(offer->last)) {
        if (!tn_is_current() || tn_currency_version() < offer->catalogue_version) {
            return; /* stale metadata blocks installing; the missing pieces are being asked for */
        }
        bool named = tn_currency_has_patch(offer->sequence, offer->digest);
        state = named ? TN_PATCH_OFFERED : TN_PATCH_REJECTED;
        reason = named ? TN_OK : TN_NOT_IN_CATALOGUE;
    }
    offer->here = false;
    if (!offer->cancel) {
        open(track, state, reason);
    } else if (track != NULL) {
        cancel(track);
    }
}

bool tn_offers_end(tn_patch_track *track)
{
    tn_reason reason = TN_OK;
    uint32_t state = TN_PATCH_REJECTED;
    if (tn_is_past(track->offer.last)) {
        state = TN_PATCH_TIMED_OUT;
        reason = TN_DEADLINE_PASSED;
    } else if (tn_is_current() && !tn_currency_has_patch(track->sequence, track->offer.digest)) {
        reason = TN_NOT_IN_CATALOGUE;
    } else if (track->image_size != 0u && tn_patch_is_signed(track) != TN_OK) {
        reason = TN_THRESHOLD_NOT_MET;
    } else {
        return false;
    }
    tn_patch_move(track, state, reason);
    return true;
}
