/* The journal's entries, in a ring of places in flash, until a receipt covers them. What lies there is the very CBOR that
 * the journal's head is made of and a report carries.
 *
 * An entry is written before the state that counts it. When the power goes in between, the next boot finds an entry
 * that nothing counts, and writes a mark behind it: what such an index says was never said. */
#include "rooms.h"
#include "port.h"

#define PLACE_BYTES 152u
#define PLACES_OF_PAGE (TN_FLASH_PAGE / PLACE_BYTES)
#define PAGES (TN_JOURNAL_BYTES / TN_FLASH_PAGE)
#define PLACES (PLACES_OF_PAGE * PAGES)
#define ENTRY_BYTES (PLACE_BYTES - (uint32_t)sizeof(place))
#define MAKING_BYTES (TN_HASH + ENTRY_BYTES) /* of an entry, and the head before it */

typedef struct {
    uint32_t serial; /* rises with every place that is written */
    uint32_t index;
    uint32_t length; /* of the entry behind this; 0: a mark, no entry before it with this index or a higher one counts */
    uint32_t crc;    /* over what stands before, and the entry */
} place;

typedef char place_fits[sizeof(place) <= TN_HASH && ENTRY_BYTES >= 134u && PLACE_BYTES % TN_FLASH_UNIT == 0u ? 1 : -1];
/* What waits for a receipt lies in all pages but the one that is about to be erased. */
typedef char ring_fits[PLACES - PLACES_OF_PAGE >= TN_JOURNAL_MAX ? 1 : -1];

static struct {
    uint32_t serial; /* of the newest place; 0: none */
    uint32_t next;   /* the place behind it */
} ring;

static uint32_t place_at(uint32_t number)
{
    return TN_AT_JOURNAL + number / PLACES_OF_PAGE * TN_FLASH_PAGE + number % PLACES_OF_PAGE * PLACE_BYTES;
}

static bool is_whole(uint32_t number, const place *here)
{
    const uint8_t *entry = port_flash() + place_at(number) + sizeof(*here);
    return here->length <= ENTRY_BYTES &&
           here->crc == tn_crc32(tn_crc32(0, here, sizeof(*here) - sizeof(here->crc)), entry, here->length);
}

static place read_place(uint32_t number)
{
    place here;
    tn_copy(&here, port_flash() + place_at(number), sizeof(here));
    return here;
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
        place here = read_place(number);
        if (here.index >= tn_stored.journal_first && here.index < tn_stored.journal_count && here.length > 0u &&
            is_whole(number, &here)) {
            return true;
        }
    }
    return false;
}

/* Find a place that can be written to; a torn one is passed over. */
static bool make_room(void)
{
    while (!is_erased(ring.next)) {
        if (ring.next % PLACES_OF_PAGE == 0u) {
            bool needed = is_needed(ring.next);
            if (!needed) {
                tn_flash_erase(place_at(ring.next), TN_FLASH_PAGE);
            }
            return !needed;
        }
        ring.next = (ring.next + 1u) % PLACES;
    }
    return true;
}

/* Write an entry that is being made, its place in front of it. */
static void append(uint8_t *making, uint32_t index, uint32_t length)
{
    place here = {ring.serial + 1u, index, length, 0};
    uint8_t *bytes = making + TN_HASH - sizeof(here);
    here.crc = tn_crc32(tn_crc32(0, &here, sizeof(here) - sizeof(here.crc)), making + TN_HASH, length);
    tn_copy(bytes, &here, sizeof(here));
    tn_flash_write(place_at(ring.next), bytes, (uint32_t)sizeof(here) + length);
    ring.serial++;
    ring.next = (ring.next + 1u) % PLACES;
}

static uint32_t waiting(void)
{
    return tn_stored.journal_count - tn_stored.journal_first;
}

static void chain(uint8_t *making, uint32_t length)
{
    tn_sha256_of(tn_in_memory(making, TN_HASH + length), tn_stored.journal_head);
}

static void record(const uint8_t numbers[4], const char *name, const uint8_t *digest)
{
    uint8_t making[MAKING_BYTES];
    tn_writer to = {making + TN_HASH, ENTRY_BYTES, 0};
    tn_put_map(&to, digest != NULL ? 8u : 7u);
    tn_put_uint(&to, 1);
    tn_put_uint(&to, tn_stored.journal_count);
    tn_put_uint(&to, 2);
    tn_put_uint(&to, tn_warning_time());
    for (uint32_t i = 0; i < 4u; i++) {
        tn_put_uint(&to, i == 0u ? 3u : i + 4u);
        tn_put_uint(&to, numbers[i]);
        if (i == 0u) {
            tn_put_uint(&to, 4);
            tn_put_text(&to, name);
        }
    }
    if (digest != NULL) {
        tn_put_uint(&to, 8);
        tn_put_bytes(&to, digest, TN_HASH);
    }
    tn_copy(making, tn_stored.journal_head, TN_HASH);
    chain(making, to.length);
    /* It is counted and chained even where there is no room to keep it. */
    if (tn_stored.journal_lost != 0u || waiting() >= TN_JOURNAL_MAX || !make_room()) {
        tn_stored.journal_lost++;
    } else {
        append(making, tn_stored.journal_count, to.length);
    }
    tn_stored.journal_count++;
    tn_now.news = true;
    tn_touch();
}

void tn_record(tn_track track, const char *name, tn_reason reason, uint8_t old_state, uint8_t new_state, const uint8_t *digest)
{
    static const uint8_t gap[] = {TN_TRACK_DEVICE, 0, 0, TN_LIMIT_REACHED};
    const uint8_t numbers[] = {(uint8_t)track, old_state, new_state, (uint8_t)reason};
    if (tn_stored.journal_lost != 0u && waiting() < TN_JOURNAL_MAX - 1u) {
        char words[12 + TN_NUMBER_ROOM] = "journal gap ";
        (void)tn_number(words + 12, tn_stored.journal_lost);
        tn_stored.journal_lost = 0;
        record(gap, words, NULL);
    }
    record(numbers, name, digest);
}

void tn_journal_begin(void)
{
    uint8_t making[TN_HASH + TN_NAME_BYTES_MAX];
    uint32_t length = tn_length(tn_maker.id);
    tn_copy(making, tn_stored.fleet, TN_HASH);
    tn_copy(making + TN_HASH, tn_maker.id, length);
    chain(making, length);
}

void tn_journal_boot(void)
{
    bool uncounted = false;
    ring.serial = 0;
    ring.next = 0;
    for (uint32_t number = 0; number < PLACES; number++) {
        place here = read_place(number);
        if (is_whole(number, &here)) {
            uncounted = uncounted || (here.length > 0u && here.index >= tn_stored.journal_count);
            if (here.serial > ring.serial) {
                ring.serial = here.serial;
                ring.next = (number + 1u) % PLACES;
            }
        }
    }
    if (uncounted && make_room()) {
        uint8_t making[TN_HASH];
        append(making, tn_stored.journal_count, 0);
    }
}

tn_source tn_journal_read(uint32_t index)
{
    tn_source found = tn_in_flash(0, 0);
    for (uint32_t i = 0; i < PLACES; i++) { /* from the oldest to the newest */
        uint32_t number = (ring.next + i) % PLACES;
        place here = read_place(number);
        if ((here.length == 0u ? here.index <= index : here.index == index) && is_whole(number, &here)) {
            found = tn_in_flash(place_at(number) + (uint32_t)sizeof(here), here.length);
        }
    }
    return found;
}
