/* Notices as time passes: expiry, currency, reminders, what could not be drawn, and what is still lacking. */
#include "notices.h"

void tn_notices_acknowledge(void)
{
    tn_notice_track *track = tn_screen.track;
    if (track != NULL && track->state == TN_NOTICE_SHOWN) {
        tn_track_move(track, TN_NOTICE_ACKNOWLEDGED, (tn_reason)track->reason);
    }
}

/* Draw what was on the screen and has not been acknowledged, or can be shown only since this boot. */
void tn_notices_booted(void)
{
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        tn_notice_track *track = &tn_stored.notices[i];
        track->passed_over = 0; /* remembered for one boot */
        track->failed = false;
        if (track->state == TN_NOTICE_SHOWN) {
            tn_track_draw(track, 0);
        } else if (tn_track_due(track)) {
            tn_track_present(track);
        }
    }
}

/* A track in use that has not ended. */
static bool goes_on(const tn_notice_track *track)
{
    return track->state != TN_NOTICE_QUEUED && !TN_IN(TN_SET_NOTICE_DONE, track->state);
}

void tn_notices_installed(void)
{
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        if (goes_on(&tn_stored.notices[i])) {
            tn_track_assess(&tn_stored.notices[i], TN_NOTICE_VERIFIED);
        }
    }
}

/* How many reminders will have been given with the one that is due; 0: none is. */
static uint32_t reminders_due(const tn_notice_track *track)
{
    tn_item reminder = tn_notice_says(track, TN_NOTICE_REMINDER);
    uint32_t pause = (uint32_t)tn_value(tn_nth(reminder, 0)), most = (uint32_t)tn_value(tn_nth(reminder, 1)), given = 0;
    uint64_t now = tn_warning_time(), due = track->shown;
    pause = pause != 0u ? pause : 1u;
    while (given < most && (due += pause) <= now) {
        given++;
    }
    return track->state == TN_NOTICE_SHOWN && given > track->reminders ? given : 0u;
}

static void pass_time(tn_notice_track *track)
{
    bool confirmed = tn_currency_names(track);
    if (tn_notice_is_over(track)) {
        tn_track_move(track, TN_NOTICE_EXPIRED, TN_EXPIRED);
        return;
    }
    tn_track_confirm(track, confirmed);
    if (!tn_track_on_screen(track)) {
        return;
    }
    tn_track_explain(track, track->failed ? TN_DISPLAY_FAILED : confirmed ? TN_OK : TN_STALE);
    uint32_t reminders = reminders_due(track);
    bool differs = tn_screen.track == track && tn_screen.confirmed != confirmed;
    if (track->failed ? tn_track_may_try() : reminders != 0u || differs) {
        tn_track_draw(track, reminders);
    }
}

/* Take a notice up again that ended by a wrong clock: whoever sets the time silences nobody. */
static void revive(tn_notice_track *track)
{
    if (!tn_notice_is_over(track)) {
        track->shown = 0;
        track->reminders = 0;
        tn_track_begin(track, TN_NOTICE_VERIFIED);
    }
}

/* Ask for what would be shown if only it were here. */
static void look_for(tn_notice_track *track)
{
    char language[TN_LANGUAGE_BYTES_MAX + 1u];
    if (!track->text) {
        tn_item tag = tn_track_tag(track);
        (void)tn_text(tn_string(tag), language, sizeof(language));
        tn_missing(TN_TOPIC_TEXT, language, track->id);
    } else if (tn_track_waits_for(track) == NULL) {
        return;
    } else if (tn_absent(TN_TOPIC_PAGES, track->id)) {
        tn_track_pass_over(track);
    } else {
        tn_missing(TN_TOPIC_PAGES, track->language, track->id);
    }
}

void tn_notices_step(void)
{
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        tn_notice_track *track = &tn_stored.notices[i];
        if (track->state == TN_NOTICE_EXPIRED) {
            revive(track);
        } else if (goes_on(track)) {
            pass_time(track);
        }
        if (track->failed && tn_track_due(track) && tn_track_may_try()) {
            tn_track_present(track);
        }
        if (tn_track_due(track)) {
            look_for(track);
        }
    }
}
