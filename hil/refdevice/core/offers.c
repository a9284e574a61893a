/* Offers: taken when they are genuine, turned into a patch's track once the catalogue is current
 * (device_sim.core.offers). */
#include "patches.h"

#define RENEWABLE (TN_SET_PATCH_ENDED & ~(1u << TN_PATCH_SUCCEEDED | 1u << TN_PATCH_REMOVED))
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
    offer->last = last;
    offer->final = last - (quarter < FINAL_SECONDS ? quarter : FINAL_SECONDS);
    offer->here = true;
    offer->cancel = tn_is_true(tn_at(body, CANCEL));
    offer->sequence = tn_value_at(body, SEQUENCE);
    offer->catalogue_version = tn_value_at(body, CATALOGUE_VERSION);
    offer->from = tn_value(tn_nth(hours, 0));
    tn_copy(offer->digest, tn_first_at(body, DIGEST), TN_HASH);
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

/* What an offer is worth now: DEADLINE_PASSED, NOT_IN_CATALOGUE, or STALE: that cannot be told. */
static tn_reason judge(const tn_offer *offer, uint64_t sequence)
{
    if (tn_is_past(offer->last)) {
        return TN_DEADLINE_PASSED;
    }
    if (!tn_is_current()) {
        return TN_STALE;
    }
    return tn_currency_has_patch(sequence, offer->digest) ? TN_OK : TN_NOT_IN_CATALOGUE;
}

/* Where it takes the track. */
static void follow(tn_patch_track *track, tn_reason reason)
{
    uint32_t ended = reason == TN_DEADLINE_PASSED ? TN_PATCH_TIMED_OUT : TN_PATCH_REJECTED;
    tn_patch_move(track, reason == TN_OK ? (uint32_t)TN_PATCH_OFFERED : ended, reason);
}

/* Begin, renew or change the track of the newest offer; NULL: it has none. Of what it has been through before, state
 * and deferrals stay. */
static void open(tn_patch_track *track, tn_reason reason)
{
    tn_patch_track *active = tn_patch_active();
    bool anew = true;
    if (active != NULL && active != track) {
        tn_patch_move(active, TN_PATCH_SUPERSEDED, TN_SUPERSEDED);
    }
    if (track == NULL) { /* both are free, or have ended: the one that was touched longest ago goes */
        tn_patch_track *other = tn_stored.patches;
        track = other[1].touched < other[0].touched ? &other[1] : &other[0];
        track->state = TN_PATCH_QUEUED;
        track->deferrals = 0;
    } else if (!TN_IN(TN_SET_PATCH_ENDED, track->state)) {
        anew = false;
    } else if (!TN_IN(RENEWABLE, track->state) || reason != TN_OK) {
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
        follow(track, reason);
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
    if (!offer->here || tn_patch_in(TN_SET_NO_RETURN) != NULL) {
        return;
    }
    tn_patch_track *track = find();
    if (!offer->cancel) {
        tn_reason reason = judge(offer, offer->sequence);
        if (reason == TN_STALE ||
            (reason != TN_DEADLINE_PASSED && tn_stored.stamp_catalogue < offer->catalogue_version)) {
            return; /* stale metadata blocks installing; the missing pieces are being asked for */
        }
        open(track, reason);
    } else if (track != NULL && !TN_IN(TN_SET_PATCH_ENDED, track->state)) {
        tn_patch_move(track, TN_PATCH_CANCELED, TN_CANCELED);
    }
    offer->here = false; /* its track has it as it was: it may be taken up again */
}

bool tn_offers_end(tn_patch_track *track)
{
    tn_reason reason = judge(&track->offer, track->sequence);
    if (reason == TN_OK || reason == TN_STALE) {
        if (track->image_size == 0u || tn_patch_is_signed(track) == TN_OK) {
            return false;
        }
        reason = TN_THRESHOLD_NOT_MET;
    }
    follow(track, reason);
    return true;
}
