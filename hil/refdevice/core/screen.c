/* What stands on the display: lines of words, or drawn pages where it has no letters for them. */
#include "notice.h"
#include "port.h"

#define COLUMNS 78u
#define LINE_ROOM 240u /* a letter that the display draws takes three bytes at most */

tn_shown tn_screen;

static const char *const severities[] = {"none", "low", "medium", "high", "critical"};

/* What the owner reads. Behind % a character stands for what the notice says by a key, counted from '0' on: up to '9'
 * in its text, then in its header (':' is the advisory, ';' the revision); 's' is the severity, 'c' the check code. */
static const char exercise[] = "*** EXERCISE: This is a drill. Nothing is wrong with your device. ***\n";
static const char title[] = "SECURITY NOTICE, SEVERITY %s\n";
static const char told[] = "%2\n"
                           "What you must do: %3\n"
                           "What happened: %4\n"
                           "What is affected: %5\n"
                           "What we are doing: %6\n"
                           "Contact: %7\n";
static const char drawn[] = "Drawn pages: %8\n";
static const char proof[] = "Signed notice %: revision %; check code %c\n";

/* Lines are made from the first one on; only the one that is asked for is kept. */
typedef struct {
    char *line;
    uint32_t room, length;
    uint32_t wanted, number; /* the line that is being made */
    uint32_t columns;        /* it has so far */
} page;

/* Whether a byte begins a letter. */
static bool begins(uint8_t byte)
{
    return (byte & 0xC0u) != 0x80u;
}

static void end_line(page *to)
{
    to->number += to->columns > 0u ? 1u : 0u;
    to->columns = 0;
}

/* Put words, on the next line where they find no room; one that is longer than a line is cut. */
static void put_words(page *to, const uint8_t *next, uint32_t length)
{
    const uint8_t *end = next + length;
    while (next < end) {
        const uint8_t *word = next;
        uint32_t columns = 0, gap;
        if (*next <= ' ') {
            if (*next++ == '\n') {
                end_line(to);
            }
            continue;
        }
        do {
            columns += begins(*next++) ? 1u : 0u;
        } while (next < end && *next > ' ' && (columns < COLUMNS || !begins(*next)));
        if (to->columns + columns >= COLUMNS) {
            end_line(to);
        }
        gap = to->columns > 0u ? 1u : 0u;
        to->columns += gap + columns;
        length = gap + (uint32_t)(next - word);
        if (to->number == to->wanted && to->length + length < to->room) {
            to->line[to->length] = ' ';
            tn_copy(to->line + to->length + gap, word, length - gap);
            to->length += length;
        }
    }
}

/* The first 30 bits of the header's digest in Crockford's base 32 (advisories.notice.check_code). */
static void write_code(char code[8], const uint8_t digest[TN_HASH])
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    uint32_t bits = (uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3];
    for (uint32_t i = 0; i < 7u; i++) {
        code[i] = i == 3u ? '-' : letters[bits >> 27];
        bits <<= i == 3u ? 0 : 5;
    }
    code[7] = '\0';
}

static void put_layout(page *to, const char *layout)
{
    const tn_notice_track *track = tn_screen.track;
    char room[TN_NUMBER_ROOM];
    for (;; layout++) {
        const char *from = layout, *words = room;
        while (*layout != '%' && *layout != '\0') {
            layout++;
        }
        put_words(to, (const uint8_t *)from, (uint32_t)(layout - from));
        if (*layout++ == '\0') {
            return;
        }
        if (*layout == 's') {
            words = tn_screen.severity;
        } else if (*layout == 'c') {
            write_code(room, track->digest);
        } else {
            uint32_t key = (uint32_t)*layout - '0';
            tn_item said = tn_at(key < TN_NOTICE_ID ? tn_notice_text(track) : tn_notice_header(track), key);
            if (tn_kind(said) == TN_CBOR_TEXT) {
                tn_source text = tn_string(said);
                put_words(to, text.bytes, text.length);
                continue;
            }
            words = tn_number(room, tn_value(said));
        }
        put_words(to, (const uint8_t *)words, tn_length(words));
    }
}

uint32_t tn_screen_line(uint32_t number, char *line, uint32_t room)
{
    page to = {line, room, 0, number, 0, 0};
    const tn_notice_track *track = tn_screen.track;
    if (tn_is_true(tn_notice_says(track, TN_NOTICE_EXERCISE)) || tn_trust_root()->exercise) {
        put_layout(&to, exercise);
    }
    put_layout(&to, title);
    put_layout(&to, tn_words_are_plain(tn_notice_text(track)) ? told : drawn);
    put_layout(&to, proof);
    put_layout(&to, tn_screen.confirmed ? "Confirmed current.\n" : "NOT CONFIRMED CURRENT.\n");
    return to.length;
}

static bool draw_pages(const tn_notice_track *track)
{
    uint32_t count = (uint32_t)tn_value_at(tn_notice_text(track), TN_TEXT_PAGES);
    for (uint32_t i = 0; track->pages && i < count; i++) {
        if (!port_display_page(tn_notice_pages(track) + i * TN_PAGE_BYTES)) {
            return false;
        }
    }
    return true;
}

bool tn_screen_draw(tn_notice_track *track, bool confirmed)
{
    char line[LINE_ROOM];
    tn_shown before = tn_screen;
    uint32_t length;
    bool works = draw_pages(track);
    tn_screen = (tn_shown){track, severities[tn_value(tn_notice_says(track, TN_NOTICE_SEVERITY))], confirmed, 0};
    while (works && (length = tn_screen_line(tn_screen.count, line, sizeof(line))) != 0u) {
        works = port_display_line(tn_screen.count++, line, length);
    }
    if (!works) {
        tn_screen = before;
    }
    return works;
}

const tn_shown *tn_screen_shown(void)
{
    return tn_screen.track != NULL ? &tn_screen : NULL;
}
