/* The journal's entries, in a ring of places in flash, until a receipt covers them.
 *
 * An entry is written before the state that counts it. When the power goes in between, the next boot finds an entry
 * that nothing counts, and writes a mark behind it: what such an index says was never said. */
#include "rooms.h"
#include "port.h"

#define PLACE_BYTES 136u
#define PLACES_OF_PAGE (TN_FLASH_PAGE / PLACE_BYTES)
#define PAGES (TN_JOURNAL_BYTES / TN_FLASH_PAGE)
#define PLACES (PLACES_OF_PAGE * PAGES)
#define VOID 0xFFu /* track of a mark: what was written before it with its index or a higher one does not count */

typedef struct {
    uint32_t serial; /* rises with every place that is written */
    uint32_t crc;
    tn_entry entry;
} place;

typedef char place_fits[sizeof(place) <= PLACE_BYTES && PLACE_BYTES % TN_FLASH_UNIT == 0u ? 1 : -1];
/* What waits for a receipt lies in all pages but the one that is about to be erased. */
typedef char ring_fits[PLACES - PLACES_OF_PAGE >= TN_JOURNAL_MAX ? 1 : -1];

static struct {
    uint32_t serial; /* of the newest place; 0: none */
    uint32_t next;   /* the place behind it */
} ring;

static place here; /* what was read last, or is being written */

static uint32_t place_at(uint32_t number)
{
    return TN_AT_JOURNAL + number / PLACES_OF_PAGE * TN_FLASH_PAGE + number % PLACES_OF_PAGE * PLACE_BYTES;
}

static uint32_t place_crc(void)
{
    uint32_t crc = tn_crc32(0, &here.serial, sizeof(here.serial));
    return tn_crc32(crc, &here.entry, sizeof(here.entry));
}

/* Read one place into `here`; false: nothing whole is there. */
static bool load(uint32_t number)
{
    tn_copy(&here, port_flash() + place_at(number), sizeof(here));
    return here.serial != 0u && here.serial != 0xFFFFFFFFu && here.crc == place_crc();
}

static bool is_erased(uint32_t number)
{
    const uint8_t *bytes = port_flash() + place_at(number);
    uint8_t all = 0xFF;
    for (uint32_t i = 0; i < PLACE_BYTES; i++) {
        all &= bytes[i];
    }
    return all == 0xFFu;
}

/* Whether a page has an entry that waits for its receipt. */
static bool is_needed(uint32_t first)
{
    for (uint32_t number = first; number < first + PLACES_OF_PAGE; number++) {
        if (load(number) && here.entry.track != VOID && here.entry.index >= tn_stored.journal_first &&
            here.entry.index < tn_stored.journal_count) {
            return true;
        }
    }
    return false;
}

/* Find a place that can be written to; a torn one is passed over. */
static bool make_room(void)
{
    for (uint32_t tried = 0; tried < PLACES; tried++) {
        uint32_t page = ring.next / PLACES_OF_PAGE;
        if (is_erased(ring.next)) {
            return true;
        }
        if (ring.next % PLACES_OF_PAGE == 0u) {
            if (is_needed(ring.next)) {
                return false;
            }
            tn_flash_erase(TN_AT_JOURNAL + page * TN_FLASH_PAGE, TN_FLASH_PAGE);
            return true;
        }
        ring.next = (ring.next + 1u) % PLACES;
    }
    return false;
}

/* Write `here`, but for serial and CRC, which it is given. */
static void append(void)
{
    here.serial = ring.serial + 1u;
    here.crc = place_crc();
    tn_flash_write(place_at(ring.next), &here, sizeof(here));
    ring.serial = here.serial;
    ring.next = (ring.next + 1u) % PLACES;
}

bool tn_journal_append(const tn_entry *entry)
{
    if (entry->index - tn_stored.journal_first >= TN_JOURNAL_MAX || !make_room()) {
        return false;
    }
    here.entry = *entry;
    append();
    return true;
}

void tn_journal_boot(void)
{
    bool uncounted = false;
    ring.serial = 0;
    ring.next = 0;
    for (uint32_t number = 0; number < PLACES; number++) {
        if (load(number)) {
            uncounted = uncounted || (here.entry.track != VOID && here.entry.index >= tn_stored.journal_count);
            if (here.serial > ring.serial) {
                ring.serial = here.serial;
                ring.next = (number + 1u) % PLACES;
            }
        }
    }
    if (uncounted && make_room()) {
        tn_fill(&here, 0, sizeof(here));
        here.entry.index = tn_stored.journal_count;
        here.entry.track = VOID;
        append();
    }
}

const tn_entry *tn_journal_read(uint64_t index)
{
    uint32_t newest = 0, found = PLACES;
    for (uint32_t number = 0; number < PLACES; number++) {
        if (!load(number) || here.serial <= newest) {
            continue;
        }
        if (here.entry.track == VOID ? here.entry.index <= index : here.entry.index == index) {
            newest = here.serial;
            found = here.entry.track == VOID ? PLACES : number;
        }
    }
    return found != PLACES && load(found) ? &here.entry : NULL;
}

void tn_entry_put(tn_writer *to, const tn_entry *entry)
{
    tn_put_map(to, entry->has_digest ? 8u : 7u);
    tn_put_uint(to, 1);
    tn_put_uint(to, entry->index);
    tn_put_uint(to, 2);
    tn_put_uint(to, entry->time);
    const uint8_t rest[] = {3, entry->track, 5, entry->old_state, 6, entry->new_state, 7, entry->reason};
    tn_put_uint(to, rest[0]);
    tn_put_uint(to, rest[1]);
    tn_put_uint(to, 4);
    tn_put_text(to, entry->name);
    for (uint32_t i = 2; i < sizeof(rest); i++) {
        tn_put_uint(to, rest[i]);
    }
    if (entry->has_digest) {
        tn_put_uint(to, 8);
        tn_put_bytes(to, entry->digest, TN_HASH);
    }
}
