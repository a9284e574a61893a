/* One advisory's track, for the rooms that move it. */
#ifndef TN_NOTICES_H
#define TN_NOTICES_H

#include "notice.h"

/* A page of flash each, in every area. */
typedef enum { TN_PIECE_HEADER, TN_PIECE_TEXT, TN_PIECE_PAGES } tn_piece;
#define TN_PIECE_AT(area, piece) ((area) + (uint32_t)(piece) * TN_FLASH_PAGE)
tn_notice_track *tn_track_find(const char *advisory); /* NULL: there is none */
bool tn_track_on_screen(const tn_notice_track *track);
/* Whether there is something to show that has not been shown. */
bool tn_track_due(const tn_notice_track *track);
/* Make one transition of the table, journaled; one that is not in it is none. */
void tn_track_move(tn_notice_track *track, uint32_t state, tn_reason reason);
/* A change that is no transition. */
void tn_track_changed(void);
/* Say why it stands there. */
void tn_track_explain(tn_notice_track *track, tn_reason reason);
/* From now on it is current, where it is confirmed and was not before. */
void tn_track_confirm(tn_notice_track *track, bool confirmed);
/* The language of the text to show, and behind it the text's digest; NULL: none is left. */
tn_item tn_track_tag(const tn_notice_track *track);
/* Digests of the drawn pages that it waits for, as its text cannot be shown without them; NULL: it does not. */
tn_item tn_track_waits_for(const tn_notice_track *track);
/* Whether it is long enough since the display failed to try once more. */
bool tn_track_may_try(void);
/* Draw it; `reminders`: how many count as given once it stands on the display, 0: it is none. */
void tn_track_draw(tn_notice_track *track, uint32_t reminders);
/* Take the next language, for this one cannot be shown. */
void tn_track_pass_over(tn_notice_track *track);
/* Show the text in hand, wait for its drawn pages, or go on to another language. */
void tn_track_present(tn_notice_track *track);
/* Begin with a header; `carried`: how far its owner came with the same words in an earlier revision, or else
 * TN_NOTICE_VERIFIED. */
void tn_track_begin(tn_notice_track *track, uint8_t carried);
/* Decide from time, phase and installed version how far it goes. */
void tn_track_assess(tn_notice_track *track, uint8_t carried);

#endif
