/* The journal's entries, in a ring of places in flash, until a receipt covers them. What lies there is the very CBOR
 * that the journal's head is made of and a report carries.
 *
 * An entry is written before the state that counts it. When the power goes in between, the next one that is written
 * has its index, or a lower one: what lies before that was never said. */
#include "record.h"
#include "rooms.h"
#include "port.h"

#define PLACE_BYTES 256u /* more than an entry takes: where the next place lies is told by shifts alone */
#define PLACES_OF_PAGE (TN_FLASH_PAGE / PLACE_BYTES)
#define PAGES (TN_JOURNAL_BYTES / TN_FLASH_PAGE)
#define PLACES (PLACES_OF_PAGE * PAGES)
#define ENTRY_BYTES 136u

typedef struct {
    uint32_t crc;    /* over what stands behind it, and the entry */
    uint32_t serial; /* which place this is: they are counted through, and the ring begins anew every PLACES of them */
    uint32_t index;
    uint32_t length; /* of the entry behind this */
} place;

/* An entry that is being made. What the journal's head is made of, the head before and the entry, lies together; then
 * the place takes that head's room. */
typedef struct {
    uint8_t before[TN_HASH - sizeof(place)];
    place here;
    uint8_t entry[ENTRY_BYTES];
} making;

typedef char place_fits[sizeof(place) + ENTRY_BYTES <= PLACE_BYTES ? 1 : -1];
/* What waits for a receipt lies in all pages but the one that is about to be erased. */
typedef char ring_fits[PLACES - PLACES_OF_PAGE >= TN_JOURNAL_MAX ? 1 : -1];

static uint32_t next; /* the place that is written to next */

static uint32_t crc_of(const void *here, uint32_t length)
{
    return tn_crc32(0, (const uint8_t *)here + sizeof(uint32_t), sizeof(place) - sizeof(uint32_t) + length);
}

static uint32_t place_at(uint32_t serial)
{
    return TN_AT_JOURNAL + serial % PLACES * PLACE_BYTES;
}

/* Read the head of a place; false: nothing whole lies there, of an index up to `most`. */
static bool read_place(uint32_t serial, uint32_t most, place *here)
{
    const uint8_t *bytes = port_flash() + place_at(serial);
    tn_copy(here, bytes, sizeof(*here));
    return here->index <= most && here->length <= ENTRY_BYTES && here->crc == crc_of(bytes, here->length);
}

static bool is_erased(uint32_t serial)
{
    const uint8_t *bytes = port_flash() + place_at(serial);
    uint8_t all = 0xFF;
    for (uint32_t i = 0; i < PLACE_BYTES; i++) {
        all &= bytes[i];
    }
    return all == 0xFFu;
}

/* Whether a page has an entry that waits for its receipt. */
static bool is_needed(uint32_t first)
{
    for (uint32_t serial = first; serial < first + PLACES_OF_PAGE; serial++) {
        place here;
        if (read_place(serial, tn_stored.journal_count - 1u, &here) && here.index >= tn_stored.journal_first) {
            return true;
        }
    }
    return false;
}

/* Find a place that can be written to; a torn one is passed over. */
static bool make_room(void)
{
    while (!is_erased(next)) {
        if (next % PLACES_OF_PAGE == 0u) {
            bool needed = is_needed(next);
            if (!needed) {
                tn_flash_erase(place_at(next), TN_FLASH_PAGE);
            }
            return !needed;
        }
        next++;
    }
    return true;
}

static void append(making *made, uint32_t length)
{
    made->here = (place){0, next, tn_stored.journal_count, length};
    made->here.crc = crc_of(&made->here, length);
    tn_flash_write(place_at(next), &made->here, (uint32_t)sizeof(place) + length);
    next++;
}

static uint32_t waiting(void)
{
    return tn_stored.journal_count - tn_stored.journal_first;
}

static void chain(making *made, const uint8_t *before, uint32_t length)
{
    tn_copy(made, before, TN_HASH);
    tn_sha256_of(made, TN_HASH + length, tn_stored.journal_head);
}

typedef struct {
    uint64_t time;
    const char *name;
    const uint8_t *digest;
    uint8_t track, from, to, reason;
} entry;

static const tn_row rows[] = {
    TN_ROW_MAP_OF(0, TN_ROW_REST),
    TN_ROW(1, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, journal_count)),
    TN_ROW(2, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_NUMBER(entry, time)),
    TN_ROW(3, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_NUMBER(entry, track)),
    TN_ROW(4, TN_POINTED, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_TEXT, entry, name)),
    TN_ROW(5, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_NUMBER(entry, from)),
    TN_ROW(6, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_NUMBER(entry, to)),
    TN_ROW(7, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_NUMBER(entry, reason)),
    TN_ROW(8, TN_POINTED, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_BYTES_32, entry, digest)),
    TN_ROW_END,
};

static void record(uint32_t says, const char *name, const uint8_t *digest)
{
    making made;
    entry now = {tn_warning_time(), name, digest,
                 (uint8_t)(says >> 24), (uint8_t)(says >> 16), (uint8_t)(says >> 8), (uint8_t)says};
    tn_write_to(made.entry, ENTRY_BYTES);
    (void)tn_put_rows(rows, &now);
    chain(&made, tn_stored.journal_head, tn_written.length);
    /* It is counted and chained even where there is no room to keep it. */
    if (tn_stored.journal_lost != 0u || waiting() >= TN_JOURNAL_MAX || !make_room()) {
        tn_stored.journal_lost++;
    } else {
        append(&made, tn_written.length);
    }
    tn_stored.journal_count++;
    tn_now.news = true;
}

void tn_record(uint32_t says, const char *name, const uint8_t *digest)
{
    if (tn_stored.journal_lost != 0u && waiting() < TN_JOURNAL_MAX - 1u) {
        char words[TN_COUNTED_ROOM];
        const char *gap = tn_counted(words, "journal gap ", tn_stored.journal_lost);
        tn_stored.journal_lost = 0;
        record(TN_SAYS(TN_TRACK_DEVICE, 0, 0, TN_LIMIT_REACHED), gap, NULL);
    }
    record(says, name, digest);
}

void tn_journal_begin(void)
{
    making made;
    uint32_t length = tn_length(tn_maker.id);
    tn_copy(made.entry, tn_maker.id, length);
    chain(&made, tn_stored.fleet, length);
}

void tn_journal_boot(void)
{
    for (uint32_t number = 0; number < PLACES; number++) {
        place here;
        if (read_place(number, UINT32_MAX, &here) && here.serial >= next) {
            next = here.serial + 1u;
        }
    }
}

tn_source tn_journal_read(uint32_t index)
{
    for (uint32_t back = 1; back <= PLACES; back++) { /* from the newest to the oldest */
        place here;
        if (read_place(next - back, index, &here)) {
            return tn_in_flash(place_at(next - back) + (uint32_t)sizeof(here), here.index == index ? here.length : 0u);
        }
    }
    return tn_in_flash(0, 0);
}
