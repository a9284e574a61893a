/* What the rooms of notices share. Headers and texts lie in flash, put there when they fitted their shapes. */
#ifndef TN_NOTICE_H
#define TN_NOTICE_H

#include "rooms.h"

typedef enum { TN_PHASE_INITIAL, TN_PHASE_UPDATE, TN_PHASE_RESOLVED, TN_PHASE_WITHDRAWN, TN_PHASE_CORRECTION } tn_phase;

/* Keys of a header behind the common ones (advisories.notice.Notice). */
enum {
    TN_NOTICE_REVISION = TN_NOTICE_ID + 1,
    TN_NOTICE_PHASE,
    TN_NOTICE_EXERCISE,
    TN_NOTICE_SEVERITY,
    TN_NOTICE_AFFECTED, /* product -> ranges of versions */
    TN_NOTICE_ACTION,
    TN_NOTICE_NEXT_UPDATE,
    TN_NOTICE_REMINDER, /* [pause in seconds, how many] */
    TN_NOTICE_TEXTS,    /* language -> digest */
    TN_NOTICE_PATCHES,  /* product -> digests */
    TN_NOTICE_RELEASE,
    TN_NOTICE_SAME_SINCE
};
extern const uint8_t tn_notice_own[];

/* What its header says; NULL: nothing. */
tn_item tn_notice_says(const tn_notice_track *track, uint32_t key);
/* Whether it has expired. */
bool tn_notice_is_over(const tn_notice_track *track);
/* Whether some version that this device runs, or may run, is affected. */
bool tn_notice_affects(const tn_notice_track *track);
/* What stands in a map under a text; NULL: nothing. */
tn_item tn_under(tn_item map, const char *text);
/* The same, under this device's product. */
tn_item tn_of_product(tn_item map);
/* Whether what runs is this version or a later one. */
bool tn_version_is_from(tn_item version);

/* Keys of one text (advisories.notice.Text): what is told lies between title and contact. */
enum { TN_TEXT_LANGUAGE = 1, TN_TEXT_TITLE, TN_TEXT_CONTACT = 7, TN_TEXT_PAGES };
extern const uint8_t tn_text_shape[];
/* The text in hand; NULL: none is. */
tn_item tn_notice_text(const tn_notice_track *track);
/* The drawn pages, one after the other, where they are here. */
const uint8_t *tn_notice_pages(const tn_notice_track *track);
/* Whether the display can draw every letter. */
bool tn_words_are_plain(tn_item text);

/* words.c: of a map of languages the tag of what to show, leaving aside the best `passed_over`; NULL: none is left. */
tn_item tn_language_of(tn_item texts, uint32_t passed_over);
/* Whether there is one in the owner's language. */
bool tn_language_is_own(tn_item texts);

/* screen.c: what was drawn last since the board started. */
extern tn_shown tn_screen;
/* Draw a notice; false: the display does not work. */
bool tn_screen_draw(tn_notice_track *track, bool confirmed);

#endif
