/* Headers, texts and drawn pages as they arrive, in any order (device_sim.core.notices). */
#include "notices.h"

#define END (tn_stored.notices + TN_NOTICES_MAX)
#define REPLACEABLE (TN_SET_NOTICE_DONE | 1u << TN_NOTICE_QUEUED | 1u << TN_NOTICE_NOT_APPLICABLE)

/* A place for one more: an empty one, whose time is 0, else the oldest that ended, else the oldest that never applied;
 * NULL: none. */
static tn_notice_track *room(void)
{
    tn_notice_track *found = NULL;
    uint64_t least = UINT64_MAX;
    for (tn_notice_track *track = tn_stored.notices; track < END; track++) {
        uint64_t rank = track->time | (track->state == TN_NOTICE_NOT_APPLICABLE ? 1ull << 63 : 0u);
        if (TN_IN(REPLACEABLE, track->state) && rank < least) {
            found = track;
            least = rank;
        }
    }
    return found;
}

/* There is one more area than places. */
static uint32_t free_area(void)
{
    uint32_t area = TN_AT_NOTICES;
    for (const tn_notice_track *track = tn_stored.notices; track < END;) {
        if (track->area == area) { /* all of them are asked once more about the next one */
            area += TN_NOTICE_AREA;
            track = tn_stored.notices;
        } else {
            track++;
        }
    }
    return area;
}

void tn_track_assess(tn_notice_track *track, uint8_t carried)
{
    if (tn_notice_is_over(track)) {
        tn_track_move(track, TN_NOTICE_EXPIRED, TN_EXPIRED);
    } else if (tn_value(tn_notice_says(track, TN_NOTICE_PHASE)) == TN_PHASE_WITHDRAWN) {
        tn_track_move(track, TN_NOTICE_WITHDRAWN, TN_OK);
        tn_track_present(track);
    } else if (!tn_notice_affects(track)) {
        tn_track_move(track, TN_NOTICE_NOT_APPLICABLE, TN_NOT_AFFECTED);
    } else if (TN_IN(1u << TN_NOTICE_DELIVERED | 1u << TN_NOTICE_NOT_APPLICABLE, track->state)) {
        bool own = tn_language_is_own(tn_notice_says(track, TN_NOTICE_TEXTS));
        tn_track_move(track, TN_NOTICE_VERIFIED, own ? TN_OK : TN_NO_LANGUAGE);
        for (uint32_t state = TN_NOTICE_SHOWN; state <= carried; state++) { /* then acknowledged: the next one */
            tn_track_move(track, state, TN_SAME_WORDS);
        }
        if (carried == TN_NOTICE_VERIFIED) {
            tn_track_present(track);
        }
    }
}

void tn_track_begin(tn_notice_track *track, uint8_t carried)
{
    if (tn_screen.track == track) {
        tn_screen.track = NULL;
    }
    track->state = TN_NOTICE_SENT;
    track->confirmed = 0;
    track->failed = false;
    tn_track_move(track, TN_NOTICE_DELIVERED, TN_OK);
    tn_track_assess(track, carried);
}

/* Whether the owner read in an earlier revision what this one would show, and no more. */
static bool is_known(const tn_notice_track *old, tn_item header)
{
    tn_item tag = tn_language_of(tn_at(header, TN_NOTICE_TEXTS), 0);
    uint32_t same_since = (uint32_t)tn_value_at(header, TN_NOTICE_SAME_SINCE);
    bool same = same_since != 0u && old->revision >= same_since && tn_track_on_screen(old) && tn_is(tag, old->language);
    for (uint32_t key = TN_NOTICE_ID; same && key <= TN_NOTICE_PATCHES; key++) {
        tn_item mine = tn_at(header, key), theirs = tn_notice_says(old, key);
        if (key == TN_NOTICE_TEXTS) { /* of the other languages none is shown here */
            mine = tn_behind(tag);
            theirs = tn_under(theirs, old->language);
        }
        same = key == TN_NOTICE_REVISION || tn_alike(mine, theirs);
    }
    return same;
}

tn_notice_track *tn_notice_place(const char *advisory)
{
    tn_notice_track *old = tn_track_find(advisory);
    return old != NULL ? old : room();
}

void tn_notice_take(tn_notice_track *track, const tn_document *found, const char *advisory)
{
    uint8_t carried = TN_NOTICE_VERIFIED;
    uint32_t area = free_area();
    bool told = false;
    if (tn_compare(track->digest, found->digest, TN_HASH) == 0) {
        return;
    }
    tn_flash_copy(TN_PIECE_AT(area, TN_PIECE_HEADER), found->body);
    if (tn_is_same(track->id, advisory)) {
        told = track->told || track->shown != 0u;
        if (is_known(track, found->body.bytes)) {
            carried = track->state;
            tn_flash_copy(TN_PIECE_AT(area, TN_PIECE_TEXT),
                          tn_in_flash(TN_PIECE_AT(track->area, TN_PIECE_TEXT), 2u * TN_FLASH_PAGE));
        }
        tn_track_move(track, TN_NOTICE_SUPERSEDED, TN_SUPERSEDED);
    }
    if (carried == TN_NOTICE_VERIFIED) {
        tn_fill(track, 0, sizeof(*track));
    }
    tn_put_words(track->id, advisory);
    tn_copy(track->digest, found->digest, TN_HASH);
    track->area = area;
    track->revision = (uint16_t)tn_value(tn_notice_says(track, TN_NOTICE_REVISION));
    track->told = told;
    track->passed_over = 0;
    tn_track_begin(track, carried);
}

tn_reason tn_text_take(const tn_arrival *text)
{
    const char *language = text->topic.language;
    tn_notice_track *track = tn_track_find(text->topic.name);
    if (text->data.length > TN_TEXT_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    if (track == NULL || track->text || !tn_track_due(track)) {
        return TN_OK; /* there is no room to keep what no header names yet: it is asked for when one does */
    }
    tn_item tag = tn_track_tag(track);
    if (!tn_is(tag, language) || !tn_hashes_to(text->data.bytes, text->data.length, tn_first(tn_behind(tag)))) {
        return TN_OK;
    }
    if (!tn_fits(text->data, tn_text_shape, NULL) || !tn_is(tn_at(text->data.bytes, TN_TEXT_LANGUAGE), language)) {
        return TN_MALFORMED;
    }
    tn_flash_copy(TN_PIECE_AT(track->area, TN_PIECE_TEXT), text->data);
    track->text = true;
    track->pages = false;
    tn_put_words(track->language, language);
    tn_track_changed();
    tn_track_present(track);
    return TN_OK;
}

tn_reason tn_pages_take(const tn_arrival *drawn)
{
    tn_notice_track *track = tn_track_find(drawn->topic.name);
    tn_item pages = track != NULL ? tn_track_waits_for(track) : NULL;
    if (pages == NULL || !tn_is_same(drawn->topic.language, track->language)) {
        return TN_OK;
    }
    uint32_t count = (uint32_t)tn_value(pages);
    if (drawn->data.length != count * TN_PAGE_BYTES) {
        return TN_DIGEST_MISMATCH; /* more than any text names would be no document (TN_DOCUMENT_BYTES_MAX) */
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!tn_hashes_to(drawn->data.bytes + i * TN_PAGE_BYTES, TN_PAGE_BYTES, tn_first(tn_nth(pages, i)))) {
            return TN_DIGEST_MISMATCH;
        }
    }
    tn_flash_copy(TN_PIECE_AT(track->area, TN_PIECE_PAGES), drawn->data);
    track->pages = true;
    tn_track_changed();
    tn_track_present(track);
    return TN_OK;
}
