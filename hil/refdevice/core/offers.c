/* Offers: taken when they are genuine, turned into a patch's track once the catalogue is current
 * (device_sim.core.offers). */
#include "patches.h"

#define RENEWABLE (TN_SET_PATCH_ENDED & ~(1u << TN_PATCH_SUCCEEDED | 1u << TN_PATCH_REMOVED))
#define ON_TRIAL (1u << TN_PATCH_INSTALLING | 1u << TN_PATCH_INSTALLED)
#define FIRST_KEY 10
#define WINDOW_KEY 15
#define FIELDS 7u /* without the window */

/* What the offer says behind the common entries; its last two fields come as numbers. */
static tn_reason read_offer(tn_cbor *reader, uint32_t count, tn_offer *offer, tn_source *product)
{
    tn_source digest;
    uint64_t consent;
    uint32_t pair;
    int32_t last = FIRST_KEY - 1;
    offer->has_window = count == FIELDS + 1u;
    if (count != FIELDS && !offer->has_window) {
        return TN_MALFORMED;
    }
    uint64_t *numbers[] = {&offer->catalogue_version, &offer->deadline};
    (void)tn_cbor_key(reader, &last);
    (void)tn_cbor_ident(reader, TN_NAME_BYTES_MAX, product);
    (void)tn_cbor_key(reader, &last);
    (void)tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &offer->sequence);
    (void)tn_cbor_key(reader, &last);
    (void)tn_cbor_bytes(reader, TN_HASH, TN_HASH, &digest);
    for (uint32_t i = 0; i < 2u; i++) {
        (void)tn_cbor_key(reader, &last);
        (void)tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, numbers[i]);
    }
    if (offer->has_window) {
        (void)tn_cbor_key(reader, &last);
        (void)tn_cbor_array(reader, 2, 2, &pair);
        (void)tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &offer->window_from);
        (void)tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &offer->window_to);
    } else {
        last = last == WINDOW_KEY - 1 ? WINDOW_KEY : 0;
    }
    (void)tn_cbor_key(reader, &last);
    (void)tn_cbor_uint(reader, 1, &consent);
    (void)tn_cbor_key(reader, &last);
    (void)tn_cbor_bool(reader, &offer->cancel);
    offer->ask = consent != 0u;
    tn_read(digest, 0, offer->digest, TN_HASH);
    /* Eight keys, or seven and one that was left out, that rise from 10 to 17. */
    return !reader->bad && last == FIRST_KEY + (int32_t)FIELDS ? TN_OK : TN_MALFORMED;
}

static tn_reason check_shape(tn_cbor *reader, uint32_t count)
{
    tn_offer offer;
    tn_source product;
    return read_offer(reader, count, &offer, &product);
}

tn_reason tn_offer_take(tn_source data)
{
    static tn_document found; /* too much for the stack */
    tn_expected expected = {"offer", TN_WIRE_OFFER_BYTES_MAX, TN_DOCUMENT_BYTES_MAX, tn_maker.id, tn_maker.product,
                            true, tn_now.now, check_shape};
    tn_offer *offer = &tn_stored.offer;
    tn_source product;
    tn_cbor reader;
    const tn_floor *before = tn_trust_floor(TN_FLOOR_OFFER, tn_maker.id);
    uint64_t version = before != NULL ? before->version : 0u;
    bool had = before != NULL;
    tn_reason reason = tn_trust_accept(data, &expected, TN_FLOOR_OFFER, tn_maker.id, &found);
    if (reason != TN_OK || (had && found.version == version)) { /* of one version there is one digest */
        return reason;
    }
    tn_touch();
    tn_cbor_open(&reader, found.body);
    reader.at = found.rest;
    tn_offer taken;
    tn_fill(&taken, 0, sizeof(taken));
    (void)read_offer(&reader, found.count, &taken, &product);
    if (!tn_equals(product, tn_maker.product, tn_length(tn_maker.product))) {
        return TN_WRONG_SUBJECT;
    }
    tn_copy(offer, &taken, sizeof(*offer));
    offer->here = true;
    offer->version = found.version;
    offer->issued = found.issued;
    offer->has_expires = found.has_expires;
    offer->expires = found.expires;
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
        tn_record(TN_TRACK_REFUSAL, "offer", TN_BUSY, 0, 0, track->digest);
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
