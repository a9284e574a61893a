/* Notices as time passes: expiry, currency, reminders, what could not be drawn, and what is still lacking. */
#include "notices.h"

void tn_notices_acknowledge(void)
{
    const tn_shown *shown = tn_screen_shown();
    for (uint32_t i = 0; shown != NULL && i < TN_NOTICES_MAX; i++) {
        tn_notice_track *track = &tn_stored.notices[i];
        if (track == shown->track && track->state == TN_NOTICE_SHOWN) {
            tn_track_move(track, TN_NOTICE_ACKNOWLEDGED, (tn_reason)track->reason);
        }
    }
}

/* Draw what was on the screen and has not been acknowledged, or can be shown only since this boot. */
void tn_notices_booted(void)
{
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        tn_notice_track *track = &tn_stored.notices[i];
        track->passed_over = 0; /* remembered for one boot */
        if (track->id[0] != '\0' && track->state == TN_NOTICE_SHOWN) {
            tn_track_draw(track, 0);
        } else if (track->id[0] != '\0' && tn_track_due(track)) {
            tn_track_present(track);
        }
    }
}

void tn_notices_installed(void)
{
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        tn_notice_track *track = &tn_stored.notices[i];
        if (track->id[0] != '\0' && !tn_track_done(track)) {
            tn_track_assess(track, TN_NOTICE_VERIFIED);
        }
    }
}

/* How many reminders will have been given with the one that is due; 0: none is. */
static uint32_t reminders_due(const tn_notice_track *track)
{
    tn_item reminder = tn_at(tn_notice_header(track), TN_NOTICE_REMINDER);
    uint32_t pause = (uint32_t)tn_value(tn_nth(reminder, 0)), most = (uint32_t)tn_value(tn_nth(reminder, 1)), due = 0;
    if (track->state != TN_NOTICE_SHOWN || track->reminders >= most) {
        return 0;
    }
    pause = pause != 0u ? pause : 1u;
    while (due < most && tn_warning_time() >= track->shown + (due + 1u) * (uint64_t)pause) {
        due++;
    }
    return due > track->reminders ? due : 0u;
}

static void pass_time(tn_notice_track *track)
{
    bool confirmed = tn_currency_names(track->id, track->revision, track->digest);
    uint8_t reason = track->reason;
    uint64_t at = confirmed && track->confirmed == 0u ? tn_warning_time() : track->confirmed;
    uint32_t reminders;
    if (tn_notice_is_over(tn_notice_header(track))) {
        tn_track_move(track, TN_NOTICE_EXPIRED, TN_EXPIRED);
        return;
    }
    if (tn_track_on_screen(track)) {
        reason = tn_track_failed(track) ? (uint8_t)TN_DISPLAY_FAILED : confirmed ? (uint8_t)TN_OK : (uint8_t)TN_STALE;
    }
    if (reason != track->reason || at != track->confirmed) {
        track->reason = reason;
        track->confirmed = at;
        tn_track_changed();
    }
    reminders = reminders_due(track);
    if (tn_track_on_screen(track) && tn_track_may_draw(track) &&
        (reminders != 0u || tn_track_failed(track) || tn_screen_differs(track, confirmed))) {
        tn_track_draw(track, reminders);
    }
}

/* Take a notice up again that ended by a wrong clock: whoever sets the time silences nobody. */
static void revive(tn_notice_track *track)
{
    if (track->state != TN_NOTICE_EXPIRED || tn_notice_is_over(tn_notice_header(track))) {
        return;
    }
    track->state = TN_NOTICE_SENT;
    track->shown = 0;
    track->confirmed = 0;
    track->reminders = 0;
    tn_screen_forget(track);
    tn_track_move(track, TN_NOTICE_DELIVERED, TN_OK);
    tn_track_assess(track, TN_NOTICE_VERIFIED);
}

/* Ask for what would be shown if only it were here. */
static void look_for(tn_notice_track *track)
{
    char language[TN_LANGUAGE_BYTES_MAX + 1u];
    tn_item header = tn_notice_header(track);
    if (tn_track_needs_pages(track)) {
        if (tn_absent(TN_TOPIC_PAGES, track->language, track->id)) {
            tn_track_pass_over(track);
        } else {
            tn_missing(TN_TOPIC_PAGES, track->language, track->id);
        }
        return;
    }
    int32_t chosen = tn_language_choose(header, track->passed_over);
    if (tn_track_due(track) && track->text_length == 0u && chosen >= 0) {
        (void)tn_text(tn_string(tn_nth(tn_at(header, TN_NOTICE_TEXTS), 2u * (uint32_t)chosen)), language, sizeof(language));
        tn_missing(TN_TOPIC_TEXT, language, track->id);
    }
}

void tn_notices_step(void)
{
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        tn_notice_track *track = &tn_stored.notices[i];
        if (track->id[0] == '\0') {
            continue;
        }
        if (tn_track_done(track)) {
            revive(track);
        } else {
            pass_time(track);
        }
        if (tn_track_failed(track) && track->text_length != 0u && tn_track_due(track) && tn_track_may_draw(track)) {
            tn_track_present(track);
        }
        look_for(track);
    }
}
