/* Between patches.c, offers.c, consent.c, blocks.c and slots.c. */
#ifndef TN_PATCHES_H
#define TN_PATCHES_H

#include "rooms.h"

/* From here on the new image boots, or is reverted, before anything else happens: from INSTALLING to the restart is one
 * step, in which nothing can be taken back (device_sim.core.patchbook.NO_RETURN). */
#define TN_SET_NO_RETURN \
    (1u << TN_PATCH_INSTALLING | 1u << TN_PATCH_INSTALLED | 1u << TN_PATCH_REBOOTING | 1u << TN_PATCH_TESTING)

/* The one patch in one of these states; NULL: none is. */
tn_patch_track *tn_patch_in(uint32_t states);
tn_patch_track *tn_patch_active(void);                          /* the one patch under way; NULL: none is */
void tn_patch_changed(tn_patch_track *track);                   /* something that is no transition */
void tn_patch_move(tn_patch_track *track, uint32_t state, tn_reason reason); /* one transition, journaled */

/* offers.c */
void tn_offers_settle(void);                                    /* the newest offer becomes a track, or changes one */
bool tn_offers_end(tn_patch_track *track); /* end a patch whose time is over, or that is not current */
void tn_offers_begin_again(tn_patch_track *track, tn_reason reason);
tn_reason tn_patch_is_signed(const tn_patch_track *track); /* whether the present root, too, would take it */

/* consent.c */
void tn_consent_remind(tn_patch_track *track);
bool tn_consent_answer(tn_patch_track *track, const char *answer); /* true: the patch may go on */

/* blocks.c */
void tn_blocks_begin(tn_patch_track *track); /* a patch that has just become DOWNLOADING */
void tn_blocks_later(uint32_t ms);           /* it begins after a pause, or at the next boot */
void tn_blocks_forget(void);
void tn_blocks_connected(void);
bool tn_blocks_step(tn_patch_track *track);  /* true: all of it is in the slot */

/* slots.c */
void tn_slots_bring(tn_patch_track *track);
void tn_slots_verify(tn_patch_track *track);
void tn_slots_install(tn_patch_track *track);
void tn_slots_test(tn_patch_track *track);
bool tn_slots_booted(tn_patch_track *track); /* `track` may be NULL; true: a new image is on trial */

#endif
