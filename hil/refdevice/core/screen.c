/* What stands on the display: lines of words, or drawn pages where it has no letters for them. */
#include "notice.h"
#include "port.h"

#define COLUMNS 78u
#define LINE_ROOM 240u

/* What was drawn last since the board started. */
static struct {
    const tn_notice_track *track; /* NULL: nothing was */
    bool confirmed;
    tn_shown shown;
} screen;

static const char *const severities[] = {"none", "low", "medium", "high", "critical"};
static const char *const labels[] = {"", "What you must do: ", "What happened: ", "What is affected: ",
                                     "What we are doing: ", "Contact: "};

/* Lines are made from the first one on; only the one that is asked for is kept. */
typedef struct {
    uint32_t wanted, number; /* the line that is being made */
    char *line;
    uint32_t room, length, columns;
} page;

static void put(page *to, const char *words, uint32_t length)
{
    for (uint32_t i = 0; i < length; i++) {
        to->columns += ((uint8_t)words[i] & 0xC0u) != 0x80u ? 1u : 0u;
        if (to->number == to->wanted && to->length < to->room) {
            to->line[to->length++] = words[i];
        }
    }
}

static void end_line(page *to)
{
    if (to->columns > 0u) {
        to->number++;
        to->columns = 0;
    }
}

/* Put one word, on the next line where it finds no room. */
static void put_word(page *to, const char *word, uint32_t length, uint32_t columns)
{
    if (to->columns > 0u && to->columns + 1u + columns > COLUMNS) {
        end_line(to);
    } else if (to->columns > 0u) {
        put(to, " ", 1);
    }
    put(to, word, length);
}

/* Put words that may lie in flash; what is longer than a line is cut there. */
static void put_words(page *to, tn_source words)
{
    char word[64];
    uint32_t length = 0, columns = 0;
    for (uint32_t at = 0; at <= words.length; at++) {
        char letter = at < words.length ? (char)words.bytes[at] : ' ';
        bool begins = ((uint8_t)letter & 0xC0u) != 0x80u;
        bool ends = letter == ' ' || letter == '\n';
        if (length > 0u && (ends || (begins && length > sizeof(word) - 4u))) {
            put_word(to, word, length, columns);
            length = 0;
            columns = 0;
        }
        if (letter == '\n') {
            end_line(to);
        } else if (!ends) {
            word[length++] = letter;
            columns += begins ? 1u : 0u;
        }
    }
}

static void put_text(page *to, const char *text)
{
    put_words(to, tn_in_memory(text, tn_length(text)));
}

/* The first 30 bits of the header's digest in Crockford's base 32 (advisories.notice.check_code). */
static void put_code(page *to, const uint8_t digest[TN_HASH])
{
    static const char letters[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    char code[7];
    uint32_t bits = ((uint32_t)digest[0] << 24 | (uint32_t)digest[1] << 16 | (uint32_t)digest[2] << 8 | digest[3]) >> 2;
    for (uint32_t i = 0; i < 7u; i++) {
        uint32_t place = i < 3u ? i : i - 1u;
        code[i] = i == 3u ? '-' : letters[bits >> (25u - 5u * place) & 31u];
    }
    put_word(to, code, sizeof(code), sizeof(code));
}

static void put_proof(page *to, const tn_notice_track *track, bool confirmed)
{
    char number[TN_NUMBER_ROOM];
    put_text(to, "Signed notice");
    put_text(to, track->id);
    put_text(to, "revision");
    put_text(to, tn_number(number, track->revision));
    put_text(to, "check code");
    put_code(to, track->digest);
    end_line(to);
    put_text(to, confirmed ? "Confirmed current." : "NOT CONFIRMED CURRENT.");
    end_line(to);
}

/* Make the lines of a notice; return how many there are. */
static uint32_t make(page *to, const tn_notice_track *track, bool confirmed)
{
    tn_item words = tn_notice_words(track).bytes;
    if (tn_is_true(tn_at(tn_notice_header(track), TN_NOTICE_EXERCISE)) || tn_trust_root()->exercise) {
        put_text(to, "*** EXERCISE: This is a drill. Nothing is wrong with your device. ***");
        end_line(to);
    }
    put_text(to, "SECURITY NOTICE, SEVERITY");
    put_text(to, severities[tn_notice_says(track, TN_NOTICE_SEVERITY)]);
    end_line(to);
    if (tn_words_are_plain(words)) {
        for (uint32_t i = 0; i < 6u; i++) {
            put_text(to, labels[i]);
            put_words(to, tn_string(tn_at(words, TN_TEXT_TITLE + i)));
            end_line(to);
        }
    } else {
        char number[TN_NUMBER_ROOM];
        put_text(to, "Drawn pages:");
        put_text(to, tn_number(number, tn_value(tn_at(words, TN_TEXT_PAGES))));
        end_line(to);
    }
    put_proof(to, track, confirmed);
    return to->number;
}

uint32_t tn_screen_line(uint32_t number, char *line, uint32_t room)
{
    page to = {number, 0, line, room, 0, 0};
    if (screen.track != NULL) {
        (void)make(&to, screen.track, screen.confirmed);
    }
    return to.length;
}

static bool draw_pages(const tn_notice_track *track)
{
    for (uint32_t at = 0; at < track->pages_length; at += TN_PAGE_BYTES) {
        if (!port_display_page(tn_notice_pages(track).bytes + at)) {
            return false;
        }
    }
    return true;
}

bool tn_screen_draw(const tn_notice_track *track, bool confirmed)
{
    char line[LINE_ROOM];
    page count = {UINT32_MAX, 0, line, 0, 0, 0};
    const tn_notice_track *before = screen.track;
    screen.track = track;
    screen.confirmed = confirmed;
    uint32_t lines = make(&count, track, confirmed);
    bool works = lines > 0u && draw_pages(track);
    for (uint32_t i = 0; works && i < lines; i++) {
        works = port_display_line(i, line, tn_screen_line(i, line, sizeof(line)));
    }
    if (!works) {
        screen.track = before;
        return false;
    }
    screen.shown = (tn_shown){track, severities[tn_notice_says(track, TN_NOTICE_SEVERITY)], confirmed, lines};
    return true;
}

void tn_screen_forget(const tn_notice_track *track)
{
    if (screen.track == track) {
        screen.track = NULL;
    }
}

bool tn_screen_differs(const tn_notice_track *track, bool confirmed)
{
    return screen.track == track && screen.confirmed != confirmed;
}

const tn_shown *tn_screen_shown(void)
{
    return screen.track != NULL ? &screen.shown : NULL;
}
