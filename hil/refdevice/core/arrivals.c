/* Headers, texts and drawn pages as they arrive, in any order (device_sim.core.notices). */
#include "notices.h"

/* The notice that may be forgotten: the oldest that ended, or else that never applied; NULL: none. */
static tn_notice_track *dispensable(void)
{
    tn_notice_track *found = NULL;
    for (uint32_t pass = 0; pass < 2u && found == NULL; pass++) {
        for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
            tn_notice_track *track = &tn_stored.notices[i];
            bool ends = pass == 0u ? tn_track_done(track) : track->state == TN_NOTICE_NOT_APPLICABLE;
            if (ends && (found == NULL || track->time < found->time)) {
                found = track;
            }
        }
    }
    return found;
}

static uint8_t free_area(void)
{
    uint32_t taken = 0;
    uint8_t area = 0;
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        if (tn_stored.notices[i].id[0] != '\0') {
            taken |= 1u << tn_stored.notices[i].area;
        }
    }
    while ((taken >> area & 1u) != 0u) {
        area++;
    }
    return area;
}

/* Decide from time, phase and installed version how far the notice goes; `carried` is how far its owner came with the same
 * words in an earlier revision. */
void tn_track_assess(tn_notice_track *track, uint8_t carried)
{
    tn_item header = tn_notice_header(track);
    if (tn_notice_is_over(header)) {
        tn_track_move(track, TN_NOTICE_EXPIRED, TN_EXPIRED);
    } else if (tn_notice_says(track, TN_NOTICE_PHASE) == TN_PHASE_WITHDRAWN) {
        tn_track_move(track, TN_NOTICE_WITHDRAWN, TN_OK);
        tn_track_present(track);
    } else if (!tn_notice_affects(header)) {
        tn_track_move(track, TN_NOTICE_NOT_APPLICABLE, TN_NOT_AFFECTED);
    } else if (track->state == TN_NOTICE_DELIVERED || track->state == TN_NOTICE_NOT_APPLICABLE) {
        tn_track_move(track, TN_NOTICE_VERIFIED, tn_language_is_own(header) ? TN_OK : TN_NO_LANGUAGE);
        if (carried == TN_NOTICE_VERIFIED) {
            tn_track_present(track);
            return;
        }
        tn_track_move(track, TN_NOTICE_SHOWN, TN_SAME_WORDS);
        if (carried == TN_NOTICE_ACKNOWLEDGED) {
            tn_track_move(track, TN_NOTICE_ACKNOWLEDGED, TN_SAME_WORDS);
        }
    }
}

/* Whether a language is that of the text to show. */
static bool is_chosen(tn_item header, uint64_t passed_over, const char *language)
{
    int32_t chosen = tn_language_choose(header, passed_over);
    return chosen >= 0 && tn_same(tn_string(tn_nth(tn_at(header, TN_NOTICE_TEXTS), 2u * (uint32_t)chosen)), tn_bytes_of(language));
}

/* Whether the owner read in an earlier revision what this one would show, and no more. */
static bool is_known(const tn_notice_track *old, tn_item header)
{
    uint64_t same_since = tn_value(tn_at(header, TN_NOTICE_SAME_SINCE));
    return same_since != 0u && old->revision >= same_since && tn_track_on_screen(old) && is_chosen(header, 0, old->language) &&
           tn_notice_tells_as(header, tn_notice_header(old), old->language);
}

static tn_reason accept(tn_source data, const char *advisory, tn_document *found)
{
    tn_expected expected = {
        .type = "notice",
        .bytes_max = TN_WIRE_NOTICE_BYTES_MAX,
        .document_bytes_max = TN_NOTICE_BYTES_MAX,
        .subject = tn_maker.product,
        .expiring = false,
        .now = 0,
        .own = tn_notice_own,
    };
    return tn_trust_accept(data, &expected, TN_FLOOR_NOTICE, advisory, found);
}

static tn_notice_track *empty_place(void)
{
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        if (tn_stored.notices[i].id[0] == '\0') {
            return &tn_stored.notices[i];
        }
    }
    return NULL;
}

tn_reason tn_notice_take(tn_source data, const char *advisory)
{
    tn_document found;
    uint8_t carried = TN_NOTICE_VERIFIED, area = free_area();
    tn_notice_track *track = tn_track_find(advisory);
    bool crowded = track == NULL && empty_place() == NULL;
    if (crowded && dispensable() == NULL) {
        return TN_LIMIT_REACHED;
    }
    tn_reason reason = accept(data, advisory, &found);
    if (reason != TN_OK) {
        return reason;
    }
    tn_touch();
    if (track != NULL && tn_compare(track->digest, found.digest, TN_HASH) == 0) {
        return TN_OK;
    }
    tn_flash_copy(tn_area_at(area), found.body);
    bool told = track != NULL && (track->told || track->shown != 0u);
    bool known = track != NULL && is_known(track, found.body.bytes);
    if (known) {
        carried = track->state;
        tn_flash_copy(tn_area_at(area) + TN_FLASH_PAGE, tn_notice_words(track));
        tn_flash_copy(tn_area_at(area) + 2u * TN_FLASH_PAGE, tn_notice_pages(track));
    }
    if (track != NULL && !tn_track_done(track)) {
        tn_track_move(track, TN_NOTICE_SUPERSEDED, TN_SUPERSEDED);
    }
    track = track != NULL ? track : crowded ? dispensable() : empty_place();
    tn_screen_forget(track);
    if (!known) {
        tn_fill(track, 0, sizeof(*track));
    }
    tn_copy(track->id, advisory, tn_length(advisory) + 1u);
    tn_copy(track->digest, found.digest, TN_HASH);
    track->area = area;
    track->revision = (uint16_t)tn_notice_says(track, TN_NOTICE_REVISION);
    track->header_length = (uint16_t)found.body.length;
    track->state = TN_NOTICE_SENT;
    track->told = told;
    track->confirmed = 0;
    track->passed_over = 0;
    tn_track_afresh(track);
    tn_track_move(track, TN_NOTICE_DELIVERED, TN_OK);
    tn_track_assess(track, carried);
    return TN_OK;
}

/* Whether this text is the one to show now, and is lacking. */
static bool is_wanted(const tn_notice_track *track, const char *language, const uint8_t digest[TN_HASH])
{
    tn_item header = tn_notice_header(track);
    return tn_equals(tn_string(tn_notice_text(header, language)), digest, TN_HASH) &&
           is_chosen(header, track->passed_over, language) && tn_track_due(track) && track->text_length == 0u;
}

tn_reason tn_text_take(tn_source data, const char *language, const char *advisory)
{
    uint8_t digest[TN_HASH];
    tn_notice_track *track = tn_track_find(advisory);
    if (data.length > TN_TEXT_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    tn_sha256_of(data, digest);
    if (track == NULL || !is_wanted(track, language, digest)) {
        return TN_OK; /* there is no room to keep what no header names yet: it is asked for when one does */
    }
    if (!tn_fits(data, tn_text_shape, NULL) || !tn_same(tn_string(tn_at(data.bytes, TN_TEXT_LANGUAGE)), tn_bytes_of(language))) {
        return TN_MALFORMED;
    }
    tn_flash_copy(tn_area_at(track->area) + TN_FLASH_PAGE, data);
    track->text_length = (uint16_t)data.length;
    track->pages_length = 0;
    tn_copy(track->language, language, tn_length(language) + 1u);
    tn_track_changed();
    tn_track_present(track);
    return TN_OK;
}

tn_reason tn_pages_take(tn_source data, const char *language, const char *advisory)
{
    tn_notice_track *track = tn_track_find(advisory);
    uint8_t digest[TN_HASH];
    if (track == NULL || !tn_same(tn_bytes_of(language), tn_bytes_of(track->language)) || !tn_track_needs_pages(track)) {
        return TN_OK;
    }
    tn_item pages = tn_at(tn_track_words(track), TN_TEXT_PAGES);
    uint32_t count = (uint32_t)tn_value(pages);
    if (data.length != count * TN_PAGE_BYTES) {
        return data.length > TN_PAGES_MAX * TN_PAGE_BYTES ? TN_TOO_BIG : TN_DIGEST_MISMATCH;
    }
    for (uint32_t i = 0; i < count; i++) {
        tn_sha256_of(tn_part(data, i * TN_PAGE_BYTES, TN_PAGE_BYTES), digest);
        if (!tn_equals(tn_string(tn_nth(pages, i)), digest, TN_HASH)) {
            return TN_DIGEST_MISMATCH;
        }
    }
    tn_flash_copy(tn_area_at(track->area) + 2u * TN_FLASH_PAGE, data);
    track->pages_length = (uint16_t)data.length;
    tn_track_changed();
    tn_track_draw(track, 0);
    return TN_OK;
}
