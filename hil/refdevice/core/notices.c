/* The notice track: from a header that is genuine to a notice that the owner has acknowledged
 * (device_sim.core.notices).
 *
 * A warning is never held up by metadata: it is shown as soon as header and text are in hand. */
#include "notices.h"

#include "port.h"

#define RETRY_MS 60000u /* before a display that failed is tried again */

static tn_pause failure; /* of the display, the last one */

/* -- one track -- */

tn_item tn_notice_header(const tn_notice_track *track)
{
    return port_flash() + TN_PIECE_AT(track->area, TN_PIECE_HEADER);
}

tn_item tn_notice_text(const tn_notice_track *track)
{
    return track->text ? port_flash() + TN_PIECE_AT(track->area, TN_PIECE_TEXT) : NULL;
}

tn_source tn_notice_words(const tn_notice_track *track)
{
    return tn_whole(tn_notice_text(track));
}

const uint8_t *tn_notice_pages(const tn_notice_track *track)
{
    return port_flash() + TN_PIECE_AT(track->area, TN_PIECE_PAGES);
}

tn_notice_track *tn_track_find(const char *advisory)
{
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        if (tn_is_same(advisory, tn_stored.notices[i].id)) {
            return &tn_stored.notices[i];
        }
    }
    return NULL;
}

bool tn_track_on_screen(const tn_notice_track *track)
{
    return TN_IN(1u << TN_NOTICE_SHOWN | 1u << TN_NOTICE_ACKNOWLEDGED, track->state);
}

bool tn_track_due(const tn_notice_track *track)
{
    return track->state == TN_NOTICE_VERIFIED || (track->state == TN_NOTICE_WITHDRAWN && track->told);
}

void tn_track_move(tn_notice_track *track, uint32_t state, tn_reason reason)
{
    uint8_t old = track->state;
    if (old != state && !TN_IN(TN_SET_NOTICE_DONE, old)) {
        tn_must(tn_notice_may(old, state));
        track->state = (uint8_t)state;
        track->time = tn_warning_time();
        track->reason = (uint8_t)reason;
        tn_record(TN_SAYS(TN_TRACK_NOTICE, old, state, reason), track->id, track->digest);
    }
}

void tn_track_changed(void)
{
    tn_now.news = true;
}

void tn_track_explain(tn_notice_track *track, tn_reason reason)
{
    if (track->reason != (uint8_t)reason) {
        track->reason = (uint8_t)reason;
        tn_track_changed();
    }
}

void tn_track_confirm(tn_notice_track *track, bool confirmed)
{
    if (confirmed && track->confirmed == 0u) {
        track->confirmed = tn_warning_time();
        tn_track_changed();
    }
}

/* -- which text, and showing it -- */

tn_item tn_track_tag(const tn_notice_track *track)
{
    return tn_language_of(tn_notice_says(track, TN_NOTICE_TEXTS), track->passed_over);
}

tn_item tn_track_waits_for(const tn_notice_track *track)
{
    tn_item words = tn_notice_text(track);
    bool can = words == NULL || track->pages || !tn_track_due(track) || tn_words_are_plain(words);
    return can ? NULL : tn_at(words, TN_TEXT_PAGES);
}

bool tn_track_may_try(void)
{
    return tn_pause_over(&failure);
}

/* What came of drawing decides how far it is. A reminder counts only once it stands on the display. */
void tn_track_draw(tn_notice_track *track, uint32_t reminders)
{
    bool confirmed = tn_currency_names(track);
    tn_save();
    track->failed = !tn_screen_draw(track, confirmed);
    if (track->failed) {
        tn_pause_begin(&failure, RETRY_MS);
        tn_track_explain(track, TN_DISPLAY_FAILED);
    } else if (track->state == TN_NOTICE_VERIFIED) {
        track->shown = tn_warning_time();
        track->reminders = 0;
        tn_track_confirm(track, confirmed);
        tn_track_move(track, TN_NOTICE_SHOWN, confirmed ? TN_OK : TN_STALE);
    } else if (track->state == TN_NOTICE_WITHDRAWN) {
        tn_track_explain(track, TN_OK);
    } else if (track->state == TN_NOTICE_SHOWN && reminders != 0u) {
        track->reminders = (uint8_t)reminders;
        tn_track_changed();
    }
}

/* Without another one, say so and wait for the best. */
void tn_track_pass_over(tn_notice_track *track)
{
    track->passed_over++;
    if (tn_track_tag(track) == NULL) {
        track->passed_over = 0;
        tn_track_explain(track, TN_FONT_MISSING);
        return;
    }
    track->text = false;
    track->pages = false;
    track->language[0] = '\0';
    tn_track_changed();
}

void tn_track_present(tn_notice_track *track)
{
    tn_item words = tn_notice_text(track);
    if (words != NULL && (track->pages || tn_words_are_plain(words))) {
        tn_track_draw(track, 0);
    } else if (words != NULL && tn_at(words, TN_TEXT_PAGES) == NULL) {
        tn_track_pass_over(track);
    }
}
