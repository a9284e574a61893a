/* From a whole payload in the spare slot to a confirmed boot, or back (device_sim.core.execution, carrier, install).
 * The device always boots a whole image: the boot record is stored only after the slot was read back and matched, and
 * is made final only after the self-test. */
#include "patches.h"

#define ATTEMPTS_MAX 3u
#define WRITTEN (1u << TN_PATCH_DOWNLOADING | 1u << TN_PATCH_DOWNLOADED | 1u << TN_PATCH_VERIFIED)

static void save_boot(uint32_t active, bool trial)
{
    tn_boot_record record = {(uint8_t)active, trial, false, (uint8_t)(1u - active)};
    tn_save();
    tn_boot_save(&record);
}

/* Bring everything once more after a pause, or give up. */
static void again(tn_patch_track *track)
{
    uint8_t random;
    track->attempts++;
    (void)tn_random(&random, 1);
    if (track->attempts >= ATTEMPTS_MAX) {
        tn_patch_move(track, TN_PATCH_FAILED, TN_DIGEST_MISMATCH);
        return;
    }
    tn_patch_move(track, TN_PATCH_DOWNLOADING, TN_DIGEST_MISMATCH);
    tn_blocks_begin(track);
    tn_blocks_later(1000u + ((1000u << track->attempts) * (192u + random / 2u)) / 256u);
}

void tn_slots_bring(tn_patch_track *track)
{
    if (tn_blocks_step(track)) {
        track->done = 100;
        tn_patch_move(track, TN_PATCH_DOWNLOADED, TN_OK);
    }
}

/* Read the slot back; true: it holds what was promised, whatever that is. */
static bool matches(const tn_patch_track *track, tn_image *image, tn_reason *reason)
{
    *reason = tn_image_read(track->slot, track->image_size, image);
    return tn_compare(image->digest, track->image_digest, TN_HASH) == 0;
}

static bool is_version(const tn_patch_track *track, const tn_version_part version[4])
{
    return !track->has_version || tn_compare(version, track->version, sizeof(track->version)) == 0;
}

void tn_slots_verify(tn_patch_track *track)
{
    tn_image image;
    tn_reason reason;
    if (!matches(track, &image, &reason)) {
        again(track);
        return;
    }
    if (reason == TN_OK && !is_version(track, image.version)) {
        reason = TN_WRONG_VERSION;
    } else if (reason == TN_OK && image.counter < tn_stored.security_counter) {
        reason = TN_DOWNGRADE_REFUSED;
    }
    if (reason == TN_OK) { /* where the manifest states no version, the image's header does, now that it is verified */
        tn_copy(track->version, image.version, sizeof(track->version));
        track->has_version = true;
        track->counter = image.counter;
    }
    tn_patch_move(track, reason == TN_OK ? TN_PATCH_VERIFIED : TN_PATCH_REJECTED, reason);
}

void tn_slots_install(tn_patch_track *track)
{
    tn_image image;
    tn_reason reason = tn_patch_is_signed(track), fault;
    if (reason != TN_OK || !matches(track, &image, &fault)) {
        tn_patch_move(track, TN_PATCH_FAILED, reason != TN_OK ? reason : TN_DIGEST_MISMATCH);
        return;
    }
    save_boot(tn_now.slot, true);
    tn_patch_move(track, TN_PATCH_INSTALLED, TN_OK);
    tn_patch_move(track, TN_PATCH_REBOOTING, TN_OK);
    tn_now.rebooting = true;
}

/* -- the trial -- */

/* The boot loader goes back by itself; said aloud for the case that it was confirmed before. */
static void go_back(tn_patch_track *track, tn_reason reason)
{
    track->reason = (uint8_t)reason;
    tn_patch_changed(track);
    save_boot(1u - track->slot, false);
    tn_now.rebooting = true;
}

#ifdef TN_TEST_BUILD
/* Whether an image is made to fail, so that a revert can be shown. */
static bool is_spoilt(uint8_t slot, uint32_t length)
{
    static const char mark[] = "SELFTEST-FAILS";
    uint32_t at = TN_AT_SLOTS + slot * TN_SLOT_BYTES, found = 0;
    for (uint32_t i = 0; i < length && mark[found] != '\0'; i++) {
        uint8_t byte;
        tn_read(tn_in_flash(at + i, 1), 0, &byte, 1);
        found = byte == (uint8_t)mark[found] ? found + 1u : byte == (uint8_t)mark[0] ? 1u : 0u;
    }
    return mark[found] == '\0';
}
#endif

/* Why what runs on trial may not stay: it must be the very image that was verified. */
static tn_reason fault_of(const tn_patch_track *track)
{
    bool works = tn_now.measured;
#ifdef TN_TEST_BUILD
    works = works && !is_spoilt(track->slot, track->image_size);
#endif
    if (!works) {
        return TN_BOOT_NOT_CONFIRMED;
    }
    if (!is_version(track, tn_now.image.version)) {
        return TN_WRONG_VERSION;
    }
    return tn_compare(tn_now.image.digest, track->image_digest, TN_HASH) == 0 ? TN_OK : TN_DIGEST_MISMATCH;
}

static void raise_counter(uint32_t counter)
{
    if (counter > tn_stored.security_counter) {
        tn_stored.security_counter = counter;
    }
}

void tn_slots_test(tn_patch_track *track)
{
    tn_reason reason = fault_of(track);
    if (reason != TN_OK) {
        go_back(track, reason);
        return;
    }
    save_boot(track->slot, false);
    tn_patch_track *before = tn_patch_in(1u << TN_PATCH_SUCCEEDED);
    if (before != NULL) { /* what was installed before is no more */
        tn_patch_move(before, TN_PATCH_REMOVED, TN_OK);
    }
    tn_patch_move(track, TN_PATCH_SUCCEEDED, TN_OK);
    tn_stored.has_patch_floor = true;
    tn_stored.patch_floor = track->sequence;
    tn_copy(tn_stored.patch_floor_digest, track->offer.digest, TN_HASH);
    raise_counter(track->counter);
    tn_now.trial = false;
    tn_notices_installed();
}

/* Take up an install at which the power went, or after its restart. */
static bool resume(tn_patch_track *track)
{
    if (track->slot == tn_now.slot) {
        while (track->state < TN_PATCH_TESTING) {
            tn_patch_move(track, track->state + 1u, TN_OK);
        }
        return true;
    }
    if (track->state != TN_PATCH_INSTALLING) { /* else it was not tried */
        tn_patch_move(track, TN_PATCH_ROLLED_BACK,
                      track->reason != TN_OK ? (tn_reason)track->reason : TN_BOOT_NOT_CONFIRMED);
    }
    return false;
}

bool tn_slots_booted(tn_patch_track *track)
{
    if (track != NULL && TN_IN(TN_SET_NO_RETURN, track->state)) {
        return resume(track);
    }
    if (track != NULL && TN_IN(WRITTEN, track->state) && track->slot == tn_now.slot) {
        tn_patch_move(track, TN_PATCH_FAILED, TN_UPDATE_FAILED); /* never write the slot that runs */
    }
    if (!tn_now.trial) {
        raise_counter(tn_now.image.counter);
    }
    return false;
}
