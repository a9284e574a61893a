/* What all rooms share: the time of this step, what must be stored before others may notice, and the journal's words. */
#include "port.h"
#include "rooms.h"
#include "smp.h"


tn_session tn_now;

static struct {
    bool dirty;
    uint32_t drawn;   /* pieces of randomness */
    uint32_t refused; /* documents journaled as refused in this boot */
    uint8_t digests[TN_REFUSALS_PER_BOOT_MAX][8];
} session;

void tn_begin(void)
{
    uint64_t utc = port_time_utc() + (uint64_t)tn_now.clock_ahead;
    uint64_t ms = port_time_ms() + tn_now.ms_ahead;
    tn_now.now = utc;
    tn_now.ms = ms;
    tn_now.heard = TN_OK;
    tn_now.words[0] = '\0';
}

void tn_touch(void)
{
    session.dirty = true;
}

void tn_save(void)
{
    if (session.dirty) {
        session.dirty = false;
        tn_store_save();
    }
}

uint64_t tn_time(void)
{
    uint64_t floor = tn_trust_time_floor(true);
    return tn_now.now > floor ? tn_now.now : floor;
}

uint64_t tn_warning_time(void)
{
    uint64_t floor = tn_trust_time_floor(false);
    return tn_now.now > floor ? tn_now.now : floor;
}

/* The boot epoch is stored before anything is drawn, and no two draws of one boot are alike. */
void tn_random(void *bytes, uint32_t count)
{
    uint8_t digest[TN_HASH];
    tn_sha256 hash;
    session.drawn++;
    tn_sha256_begin(&hash);
    tn_sha256_add(&hash, "tocsin random", 13);
    tn_sha256_add(&hash, tn_maker.seed, sizeof(tn_maker.seed));
    tn_sha256_add(&hash, &tn_stored.boot_epoch, sizeof(tn_stored.boot_epoch));
    tn_sha256_add(&hash, &session.drawn, sizeof(session.drawn));
    tn_sha256_end(&hash, digest);
    tn_copy(bytes, digest, count < TN_HASH ? count : TN_HASH);
}

void tn_log(tn_reason reason, const char *words)
{
    if (reason != TN_OK && reason != TN_SUCCESS && tn_now.heard == TN_OK) {
        uint32_t length = tn_length(words);
        uint32_t most = (uint32_t)sizeof(tn_now.words) - 1u;
        tn_now.heard = reason;
        length = length < most ? length : most;
        tn_copy(tn_now.words, words, length);
        tn_now.words[length] = '\0';
    }
    tn_console(words);
}

static void record(tn_track track, const char *name, tn_reason reason, uint32_t states, const uint8_t *digest)
{
    static tn_entry entry;
    uint8_t bytes[160];
    tn_writer writer = {bytes, sizeof(bytes), 0};
    tn_sha256 hash;
    uint32_t length = tn_length(name);
    tn_fill(&entry, 0, sizeof(entry));
    entry.index = tn_stored.journal_count;
    entry.time = tn_warning_time();
    entry.track = (uint8_t)track;
    entry.old_state = (uint8_t)(states >> 8);
    entry.new_state = (uint8_t)states;
    entry.reason = (uint8_t)reason;
    tn_copy(entry.name, name, length < TN_NAME_BYTES_MAX ? length : TN_NAME_BYTES_MAX);
    if (digest != NULL) {
        entry.has_digest = true;
        tn_copy(entry.digest, digest, TN_HASH);
    }
    tn_entry_put(&writer, &entry);
    tn_sha256_begin(&hash);
    tn_sha256_add(&hash, tn_stored.journal_head, TN_HASH);
    tn_sha256_add(&hash, bytes, writer.length);
    tn_sha256_end(&hash, tn_stored.journal_head);
    tn_stored.journal_count++;
    /* It is counted and chained even where there is no room to keep it. */
    if (tn_stored.journal_lost != 0u || !tn_journal_append(&entry)) {
        tn_stored.journal_lost++;
    }
    tn_now.news = true;
    tn_touch();
}

static uint64_t waiting(void)
{
    return tn_stored.journal_count - tn_stored.journal_first;
}

void tn_record(tn_track track, const char *name, tn_reason reason, uint8_t old_state, uint8_t new_state, const uint8_t *digest)
{
    if (tn_stored.journal_lost != 0u && waiting() < TN_JOURNAL_MAX - 1u) {
        char words[12 + TN_NUMBER_ROOM] = "journal gap ";
        (void)tn_number(words + 12, tn_stored.journal_lost);
        tn_stored.journal_lost = 0;
        record(TN_TRACK_DEVICE, words, TN_LIMIT_REACHED, 0, NULL);
    }
    record(track, name, reason, ((uint32_t)old_state << 8) | new_state, digest);
}

static bool is_known(const uint8_t *digest)
{
    for (uint32_t i = 0; i < session.refused && i < TN_REFUSALS_PER_BOOT_MAX; i++) {
        if (tn_compare(session.digests[i], digest, sizeof(session.digests[i])) == 0) {
            return true;
        }
    }
    return false;
}

void tn_refuse(tn_track track, const char *name, tn_reason reason, const uint8_t *digest, uint8_t old_state, uint8_t new_state)
{
    tn_log(reason, name);
    if (is_known(digest) || session.refused > TN_REFUSALS_PER_BOOT_MAX || waiting() >= TN_JOURNAL_REFUSALS_MAX) {
        return;
    }
    if (session.refused == TN_REFUSALS_PER_BOOT_MAX) {
        session.refused++;
        tn_record(TN_TRACK_REFUSAL, "more refusals", TN_LIMIT_REACHED, 0, 0, NULL);
        return;
    }
    tn_copy(session.digests[session.refused], digest, sizeof(session.digests[0]));
    session.refused++;
    tn_record(track, name, reason, old_state, new_state, digest);
}

char *tn_number(char to[TN_NUMBER_ROOM], uint64_t number)
{
    char digits[TN_NUMBER_ROOM];
    uint32_t count = 0, at = 0;
    do {
        digits[count++] = (char)('0' + (char)(number % 10u));
        number /= 10u;
    } while (number != 0u);
    while (count > 0u) {
        to[at++] = digits[--count];
    }
    to[at] = '\0';
    return to;
}

bool tn_is_id(const char *words)
{
    for (uint32_t i = 0; words[i] != '\0'; i++) {
        char c = words[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (i >= TN_NAME_BYTES_MAX || !(plain || (i > 0u && (c == '.' || c == '_' || c == '-')))) {
            return false;
        }
    }
    return words[0] != '\0';
}
