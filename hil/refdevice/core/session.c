/* What all rooms share: the time of this step, what must be stored before others may notice, pauses, and refusals. */
#include "port.h"
#include "rooms.h"
#include "smp.h"

tn_session tn_now;

static struct {
    uint32_t drawn;   /* pieces of randomness */
    uint32_t refused; /* documents journaled as refused in this boot */
    uint32_t marks[TN_REFUSALS_PER_BOOT_MAX]; /* how their digests begin */
} session;

void tn_begin(void)
{
    tn_now.now = port_time_utc();
    tn_now.ms = port_time_ms();
#ifdef TN_TEST_BUILD
    tn_now.now += (uint64_t)tn_now.clock_ahead;
    tn_now.ms += tn_now.ms_ahead;
#endif
    tn_now.heard = TN_OK;
}

static uint64_t at_least(uint64_t floor)
{
    return tn_now.now > floor ? tn_now.now : floor;
}

uint64_t tn_time(void)
{
    return at_least(tn_trust_time_floor(true));
}

uint64_t tn_warning_time(void)
{
    return at_least(tn_trust_time_floor(false));
}

bool tn_is_past(uint64_t utc)
{
    return tn_time() >= utc;
}

void tn_pause_begin(tn_pause *pause, uint32_t ms)
{
    pause->since = tn_now.ms;
    pause->ms = ms;
}

bool tn_pause_over(const tn_pause *pause)
{
    return tn_now.ms - pause->since >= pause->ms;
}

uint32_t tn_longer(uint32_t ms, uint32_t least, uint32_t most)
{
    ms = ms * 2u > least ? ms * 2u : least;
    return ms < most ? ms : most;
}

/* The boot epoch is stored before anything is drawn, and no two draws of one boot are alike. */
void tn_draw(uint32_t number, void *bytes, uint32_t count)
{
    uint8_t digest[TN_HASH];
    struct {
        uint32_t epoch, number;
        uint8_t seed[TN_PUBLIC];
    } drawn;
    drawn.epoch = tn_stored.boot_epoch;
    drawn.number = number;
    tn_copy(drawn.seed, tn_maker.seed, sizeof(drawn.seed));
    tn_sha256_of(&drawn, sizeof(drawn), digest);
    tn_copy(bytes, digest, count);
}

uint32_t tn_random(void *bytes, uint32_t count)
{
    session.drawn++;
    tn_draw(session.drawn, bytes, count);
    return session.drawn;
}

void tn_log(tn_reason reason, const char *words)
{
    if (reason != TN_OK && tn_now.heard == TN_OK) {
        tn_now.heard = reason;
        tn_put_words(tn_now.words, words);
    }
    tn_console(words);
}

static bool is_known(uint32_t mark)
{
    for (uint32_t i = 0; i < session.refused && i < TN_REFUSALS_PER_BOOT_MAX; i++) {
        if (session.marks[i] == mark) {
            return true;
        }
    }
    return false;
}

void tn_refuse(const char *notice, const char *what, tn_reason reason, const uint8_t digest[TN_HASH])
{
    uint32_t mark;
    tn_copy(&mark, digest, sizeof(mark));
    tn_log(reason, what);
    if (is_known(mark) || session.refused > TN_REFUSALS_PER_BOOT_MAX ||
        tn_stored.journal_count - tn_stored.journal_first >= TN_JOURNAL_REFUSALS_MAX) {
        return;
    }
    if (session.refused == TN_REFUSALS_PER_BOOT_MAX) {
        tn_record(TN_SAYS(TN_TRACK_REFUSAL, 0, 0, TN_LIMIT_REACHED), "more refusals", NULL);
    } else {
        session.marks[session.refused] = mark;
        tn_record((notice != NULL ? TN_SAYS(TN_TRACK_NOTICE, TN_NOTICE_DELIVERED, TN_NOTICE_REJECTED, 0)
                                  : TN_SAYS(TN_TRACK_REFUSAL, 0, 0, 0)) | (uint32_t)reason,
                  notice != NULL ? notice : what, digest);
    }
    session.refused++;
}

/* Divided by ten bit by bit: nothing else here would need a division of 64 bits. */
char *tn_number(char to[TN_NUMBER_ROOM], uint64_t number)
{
    char *next = to + TN_NUMBER_ROOM - 1u;
    *next = '\0';
    do {
        uint32_t digit = 0;
        for (uint32_t bit = 0; bit < 64u; bit++) {
            digit = digit << 1 | (uint32_t)(number >> 63);
            number <<= 1;
            if (digit >= 10u) {
                digit -= 10u;
                number++;
            }
        }
        *--next = (char)('0' + digit);
    } while (number != 0u);
    return next;
}

char *tn_counted(char to[TN_COUNTED_ROOM], const char *words, uint64_t number)
{
    uint32_t length = tn_length(words);
    char *start = tn_number(to + TN_COUNTED_ROOM - TN_NUMBER_ROOM, number) - length;
    tn_copy(start, words, length);
    return start;
}

void tn_put_words(char *to, const char *words)
{
    tn_copy(to, words, tn_length(words) + 1u);
}

bool tn_is_id(const char *words)
{
    return words[0] != '\0' && tn_is_text(tn_bytes_of(words), TN_IDENT);
}

bool tn_is_same(const char *one, const char *other)
{
    uint32_t length = tn_length(one);
    return length == tn_length(other) && tn_compare(one, other, length) == 0;
}
