/* What the rooms of notices share: headers and texts as they lie in flash, where they were put when they fitted their shapes. */
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
extern const tn_shape tn_notice_own[];

/* A number in its header; 0: not there. */
uint32_t tn_notice_says(const tn_notice_track *track, uint32_t key);
/* Whether it has expired. */
bool tn_notice_is_over(tn_item header);
/* Whether some version that this device runs, or may run, is affected. */
bool tn_notice_affects(tn_item header);
/* What stands under this device's product; NULL: nothing. */
tn_item tn_of_product(tn_item map);
/* Digest of the text in a language; NULL: there is none. */
tn_item tn_notice_text(tn_item header, const char *language);
/* Whether the owners of an earlier revision read the very same again in this language. */
bool tn_notice_tells_as(tn_item header, tn_item earlier, const char *language);
/* Whether what runs is this version or a later one. */
bool tn_version_is_from(tn_item version);

/* The drawn pages, one after the other; empty where they are not here. */
tn_source tn_notice_pages(const tn_notice_track *track);

/* Keys of one text (advisories.notice.Text): what is told lies between title and contact. */
enum { TN_TEXT_LANGUAGE = 1, TN_TEXT_TITLE, TN_TEXT_CONTACT = 7, TN_TEXT_PAGES };
extern const tn_shape tn_text_shape[];
/* Whether the display can draw every letter. */
bool tn_words_are_plain(tn_item text);

/* words.c: number of the text to show, leaving aside those of `passed_over`; -1: there is none left. */
int32_t tn_language_choose(tn_item header, uint64_t passed_over);
/* The same, of any map of at most 64 languages. */
int32_t tn_language_of(tn_item texts, uint64_t passed_over);
/* Whether there is a text in the owner's language. */
bool tn_language_is_own(tn_item header);

/* screen.c: draw a notice; false: the display does not work. */
bool tn_screen_draw(const tn_notice_track *track, bool confirmed);
void tn_screen_forget(const tn_notice_track *track);
/* Whether it was drawn last, in this boot, with another word on its currency. */
bool tn_screen_differs(const tn_notice_track *track, bool confirmed);

#endif
