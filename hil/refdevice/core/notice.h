/* What the rooms of notices share: headers and texts as they lie in flash. */
#ifndef TN_NOTICE_H
#define TN_NOTICE_H

#include "rooms.h"

#define TN_DIGEST_ENTRY 34u /* bytes of an encoded digest */

bool tn_version_item(tn_cbor *reader, tn_version_part version[4]);
/* The next key of a map whose keys are ids. */
bool tn_id_key(tn_cbor *reader, tn_source *last);
bool tn_range_item(tn_cbor *reader, const tn_version_part version[4], bool *contains);

typedef enum { TN_PHASE_INITIAL, TN_PHASE_UPDATE, TN_PHASE_RESOLVED, TN_PHASE_WITHDRAWN, TN_PHASE_CORRECTION } tn_phase;

/* What a header says, as far as a device asks (advisories.notice.Notice). */
typedef struct {
    uint64_t expires, next_update, reminder_pause; /* 0: none */
    uint32_t reminders;
    uint16_t revision, same_since; /* 0: none */
    uint8_t phase, severity, action;
    bool exercise;
    bool affects;      /* some version that this device runs, or may run */
    tn_source texts;   /* the map's entries, `languages` of them: language, digest */
    uint32_t languages;
    tn_source told[9]; /* encoded values of all that an owner is told: compared between revisions */
} tn_header;

/* Checks the entries behind the common ones. */
tn_reason tn_header_shape(tn_cbor *reader, uint32_t count);
/* Read a header's body that was checked before. */
bool tn_header_read(tn_source body, tn_header *header);
/* The advisory's id. */
tn_source tn_header_id(tn_source body);
/* Text number n: its language and digest; false: there are fewer. */
bool tn_header_text(const tn_header *header, uint32_t number, tn_source *language, tn_source *digest);
/* Whether the owners of an earlier revision read the very same again in this language. */
bool tn_header_tells_as(const tn_header *header, const tn_header *earlier, const char *language);

/* The drawn pages, one after the other; empty where they are not here. */
tn_source tn_notice_pages(const tn_notice_track *track);

/* The words of one text (advisories.notice.Text). */
typedef struct {
    tn_source language;
    tn_source words[6]; /* title, action, happened, affected, doing, contact */
    tn_source pages;    /* the array's items: digests */
    uint32_t page_count;
} tn_words;
bool tn_words_read(tn_source text, tn_words *words);
/* Whether every letter is ASCII: the display can draw them. */
bool tn_words_are_plain(const tn_words *words);

/* words.c: number of the text to show, leaving aside those of `passed_over`; -1: there is none left. */
int32_t tn_language_choose(const tn_header *header, uint64_t passed_over);
/* Whether there is a text in the owner's language. */
bool tn_language_is_own(const tn_header *header);

/* screen.c: draw a notice; false: the display does not work. */
bool tn_screen_draw(const tn_notice_track *track, bool confirmed);
void tn_screen_forget(const tn_notice_track *track);
/* Whether it was drawn last, in this boot, with another word on its currency. */
bool tn_screen_differs(const tn_notice_track *track, bool confirmed);

#endif
