/* The notice track: from a header that is genuine to a notice that the owner has acknowledged (device_sim.core.notices).
 *
 * A warning is never held up by metadata: it is shown as soon as header and text are in hand. */
#include "notices.h"

#define RETRY_MS 60000u /* before a display that failed is tried again */

/* What failed in this boot, by the track's place. */
static struct {
    uint64_t due;
    bool failed;
} drawing[TN_NOTICES_MAX];

uint32_t tn_area_at(uint8_t area)
{
    return TN_AT_NOTICES + (uint32_t)area * TN_NOTICE_AREA;
}

tn_item tn_notice_header(const tn_notice_track *track)
{
    return tn_in_flash(tn_area_at(track->area), 0).bytes;
}

tn_source tn_notice_words(const tn_notice_track *track)
{
    return tn_in_flash(tn_area_at(track->area) + TN_FLASH_PAGE, track->text_length);
}

tn_source tn_notice_pages(const tn_notice_track *track)
{
    return tn_in_flash(tn_area_at(track->area) + 2u * TN_FLASH_PAGE, track->pages_length);
}

static uint32_t place_of(const tn_notice_track *track)
{
    return (uint32_t)(track - tn_stored.notices);
}

void tn_track_afresh(const tn_notice_track *track)
{
    drawing[place_of(track)].failed = false;
}

bool tn_track_failed(const tn_notice_track *track)
{
    return drawing[place_of(track)].failed;
}

bool tn_track_may_draw(const tn_notice_track *track)
{
    return !tn_track_failed(track) || tn_now.ms >= drawing[place_of(track)].due;
}

tn_notice_track *tn_track_find(const char *advisory)
{
    uint32_t length = tn_length(advisory);
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        tn_notice_track *track = &tn_stored.notices[i];
        if (tn_length(track->id) == length && tn_compare(track->id, advisory, length) == 0) {
            return track;
        }
    }
    return NULL;
}

bool tn_track_on_screen(const tn_notice_track *track)
{
    return track->state == TN_NOTICE_SHOWN || track->state == TN_NOTICE_ACKNOWLEDGED;
}

bool tn_track_done(const tn_notice_track *track)
{
    return TN_IN(TN_SET_NOTICE_DONE, track->state);
}

/* Whether there is something to show that has not been shown. */
bool tn_track_due(const tn_notice_track *track)
{
    return track->state == TN_NOTICE_VERIFIED || (track->state == TN_NOTICE_WITHDRAWN && track->told);
}

/* Make one transition of the table, journaled. */
void tn_track_move(tn_notice_track *track, tn_notice_state state, tn_reason reason)
{
    uint8_t old = track->state;
    if (!tn_notice_may(old, state)) {
        return;
    }
    track->state = (uint8_t)state;
    track->time = tn_warning_time();
    track->reason = (uint8_t)reason;
    tn_record(TN_TRACK_NOTICE, track->id, reason, old, (uint8_t)state, track->digest);
}

/* A change that is no transition. */
void tn_track_changed(void)
{
    tn_now.news = true;
    tn_touch();
}

/* -- which text, and showing it -- */

tn_item tn_track_words(const tn_notice_track *track)
{
    return track->text_length != 0u ? tn_notice_words(track).bytes : NULL;
}

/* Whether the text in hand can be shown only by drawn pages, and they are not here. */
bool tn_track_needs_pages(const tn_notice_track *track)
{
    tn_item words = tn_track_words(track);
    return tn_track_due(track) && track->pages_length == 0u && tn_at(words, TN_TEXT_PAGES) != NULL && !tn_words_are_plain(words);
}

/* Draw it; what came of that decides how far it is. A reminder counts only once it stands on the display. */
void tn_track_draw(tn_notice_track *track, uint32_t reminders)
{
    uint32_t place = place_of(track);
    bool confirmed = tn_currency_names(track->id, track->revision, track->digest);
    tn_save();
    if (!tn_screen_draw(track, confirmed)) {
        drawing[place].failed = true;
        drawing[place].due = tn_now.ms + RETRY_MS;
        if (track->reason != TN_DISPLAY_FAILED) {
            track->reason = TN_DISPLAY_FAILED;
            tn_track_changed();
        }
        return;
    }
    drawing[place].failed = false;
    if (track->state == TN_NOTICE_VERIFIED) {
        track->shown = tn_warning_time();
        track->reminders = 0;
        if (confirmed && track->confirmed == 0u) {
            track->confirmed = track->shown;
        }
        tn_track_move(track, TN_NOTICE_SHOWN, confirmed ? TN_OK : TN_STALE);
    } else if (track->state == TN_NOTICE_SHOWN && reminders != 0u) {
        track->reminders = (uint8_t)reminders;
        tn_track_changed();
    } else if (track->state == TN_NOTICE_WITHDRAWN && track->reason != TN_OK) {
        track->reason = TN_OK;
        tn_track_changed();
    }
}

static void drop_text(tn_notice_track *track)
{
    track->text_length = 0;
    track->pages_length = 0;
    track->language[0] = '\0';
    tn_track_changed();
}

/* Take the next language, for this one cannot be shown; without another one, say so and wait for the best. */
void tn_track_pass_over(tn_notice_track *track)
{
    tn_item header = tn_notice_header(track);
    int32_t chosen = tn_language_choose(header, track->passed_over);
    if (chosen >= 0) {
        track->passed_over |= 1ull << chosen;
    }
    if (tn_language_choose(header, track->passed_over) >= 0) {
        drop_text(track);
        return;
    }
    track->passed_over = 0;
    if (track->reason != TN_FONT_MISSING) {
        track->reason = TN_FONT_MISSING;
        tn_track_changed();
    }
}

/* Show the text in hand, wait for its drawn pages, or go on to another language. */
void tn_track_present(tn_notice_track *track)
{
    tn_item words = tn_track_words(track);
    if (words == NULL) {
        return;
    }
    if (tn_words_are_plain(words) || track->pages_length != 0u) {
        tn_track_draw(track, 0);
    } else if (tn_at(words, TN_TEXT_PAGES) == NULL) {
        tn_track_pass_over(track);
    }
}
