/* One advisory's track, for the rooms that move it. */
#ifndef TN_NOTICES_H
#define TN_NOTICES_H

#include "notice.h"

uint32_t tn_area_at(uint8_t area);
tn_notice_track *tn_track_find(const char *advisory); /* NULL: there is none */
bool tn_track_on_screen(const tn_notice_track *track);
bool tn_track_done(const tn_notice_track *track);
/* Whether there is something to show that has not been shown. */
bool tn_track_due(const tn_notice_track *track);
/* Make one transition of the table, journaled. */
void tn_track_move(tn_notice_track *track, tn_notice_state state, tn_reason reason);
/* A change that is no transition. */
void tn_track_changed(void);
/* The text in hand; NULL: none is. */
tn_item tn_track_words(const tn_notice_track *track);
/* Whether the text in hand can be shown only by drawn pages, and they are not here. */
bool tn_track_needs_pages(const tn_notice_track *track);
/* Draw it; `reminders`: how many count as given once it stands on the display, 0: it is none. */
void tn_track_draw(tn_notice_track *track, uint32_t reminders);
/* Take the next language, for this one cannot be shown. */
void tn_track_pass_over(tn_notice_track *track);
/* Show the text in hand, wait for its drawn pages, or go on to another language. */
void tn_track_present(tn_notice_track *track);
/* Decide from time, phase and installed version how far it goes; `carried`: TN_NOTICE_VERIFIED, or how far its owner came with
 * the same words in an earlier revision. */
void tn_track_assess(tn_notice_track *track, uint8_t carried);
/* What the display did with it in this boot. */
void tn_track_afresh(const tn_notice_track *track);
bool tn_track_failed(const tn_notice_track *track);
bool tn_track_may_draw(const tn_notice_track *track); /* no pause after a failure */

#endif
