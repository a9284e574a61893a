/* How far each version has come, and what time it is at least (keys/trusted.py). */
#include <stddef.h>

#include "policy.h"
#include "rooms.h"
#include "tocsin_limits.h"

/* What needs a root that is not over. */
#define FRESH (1u << TN_FLOOR_CATALOGUE | 1u << TN_FLOOR_TIMESTAMP | 1u << TN_FLOOR_OFFER)

/* What a floor of an older root rests on: who signed it, and what was demanded then, by marks. A seat for each holder
 * demanded, the seats of one role one after the other; 0: no more. It lies in flash, by the place of its floor. */
typedef struct {
    tn_mark kids[TN_KEYS_MAX];
    tn_mark seats[TN_SIGNATURES_MAX];
} tn_basis;

typedef char bases_fit_a_page[sizeof(tn_basis) * TN_FLOORS_MAX <= TN_FLASH_PAGE ? 1 : -1];
typedef char bases_lie_even[sizeof(tn_basis) % TN_FLASH_UNIT == 0u ? 1 : -1];

static tn_floor *find(tn_floor_type type, const char *name)
{
    tn_mark mark = tn_mark_of(name, tn_length(name));
    for (tn_floor *floor = tn_stored.floors; floor < tn_stored.floors + TN_FLOORS_MAX; floor++) {
        if (floor->type == (uint8_t)type && floor->name == mark) {
            return floor;
        }
    }
    return NULL;
}

const tn_floor *tn_trust_floor(tn_floor_type type, const char *name)
{
    return find(type, name);
}

/* Types that a single key may sign: their time of issue never makes a warning late. */
static bool is_metadata(uint8_t type)
{
    return type != TN_FLOOR_NOTICE;
}

uint64_t tn_trust_time_floor(bool metadata)
{
    uint64_t latest = tn_trust_root()->issued;
    for (const tn_floor *floor = tn_stored.floors; floor < tn_stored.floors + TN_FLOORS_MAX; floor++) {
        if (floor->type != TN_FLOOR_NONE && (metadata || !is_metadata(floor->type)) && floor->issued > latest) {
            latest = floor->issued;
        }
    }
    return latest;
}

/* -- from one root to the next -- */

/* Say what a floor rests on, in a form that outlives the root. */
static void describe(const tn_floor *floor, const tn_root *root, tn_basis *basis)
{
    tn_fill(basis, 0, sizeof(*basis));
    for (uint32_t key = 0; key < root->key_count; key++) {
        if (TN_IN(floor->kids, key)) {
            basis->kids[key] = tn_root_mark(root, key);
        }
    }
    (void)tn_seats_of(tn_at(tn_nth(root->rows, floor->row), TN_ROW_DEMANDS), basis->seats);
}

/* Those who signed, as keys of another root. */
static uint16_t kids_of(const tn_basis *basis, const tn_root *root)
{
    uint32_t found = 0;
    for (uint32_t key = 0; key < root->key_count; key++) {
        tn_mark mark = tn_root_mark(root, key);
        for (uint32_t i = 0; i < TN_KEYS_MAX; i++) {
            found |= basis->kids[i] == mark ? 1u << key : 0u;
        }
    }
    return (uint16_t)found;
}

void tn_floors_clear(void)
{
    tn_fill(tn_stored.floors, 0, sizeof(tn_stored.floors));
}

void tn_floors_carry(const tn_root *old, uint32_t from, const tn_root *now, uint32_t to)
{
    tn_basis basis;
    for (uint32_t i = 0; i < TN_FLOORS_MAX; i++) {
        tn_floor *floor = &tn_stored.floors[i];
        uint32_t place = i * (uint32_t)sizeof(basis);
        if (floor->type == TN_FLOOR_NONE) {
            continue;
        }
        if (floor->row == TN_ROW_CARRIED) {
            tn_copy(&basis, tn_in_flash(from + place, sizeof(basis)).bytes, sizeof(basis));
        } else {
            describe(floor, old, &basis);
        }
        floor->kids = kids_of(&basis, now);
        floor->row = TN_ROW_CARRIED;
        if (tn_seats_filled(now, floor->kids, basis.seats, floor->author)) { /* they could still have signed */
            tn_flash_write(to + place, &basis, sizeof(basis));
        } else {
            tn_fill(floor, 0, sizeof(*floor));
        }
    }
}

/* -- what is accepted -- */

/* A place for one more: a free one, or else the floor goes of which every version has been over the longest. */
static tn_floor *make_room(uint64_t now)
{
    tn_floor *over = NULL;
    for (tn_floor *floor = tn_stored.floors; floor < tn_stored.floors + TN_FLOORS_MAX; floor++) {
        if (floor->type == TN_FLOOR_NONE) {
            return floor;
        }
        if (floor->until <= now && (over == NULL || floor->until < over->until)) {
            over = floor;
        }
    }
    return over;
}

/* `now`: by the clock alone, or 0. */
static tn_reason raise_floor(tn_document *found, tn_floor_type type, const char *name, uint64_t now)
{
    tn_item body = found->body.bytes, expires = tn_at(body, TN_EXPIRES);
    tn_floor *floor = find(type, name);
    tn_signers kids = found->signers.by;
    uint64_t version = tn_value_at(body, TN_VERSION), until = expires != NULL ? tn_value(expires) : TN_FOR_EVER;
    found->again = floor != NULL && version == floor->version;
    if (floor != NULL) {
        if (version < floor->version) {
            return TN_REPLAYED;
        }
        if (found->again) {
            if (tn_compare(found->digest, floor->digest, TN_HASH) != 0) {
                return TN_EQUIVOCATION;
            }
            kids |= floor->kids; /* another copy of the same bytes: whoever signed either copy has signed */
        }
        until = floor->until > until ? floor->until : until;
    } else {
        uint64_t warning = tn_trust_time_floor(false);
        floor = make_room(now > warning ? now : warning);
        if (floor == NULL) {
            return TN_LIMIT_REACHED;
        }
        floor->name = tn_mark_of(name, tn_length(name));
        floor->type = (uint8_t)type;
    }
    floor->version = version;
    floor->issued = tn_value_at(body, TN_ISSUED);
    floor->until = until;
    floor->kids = (uint16_t)kids;
    floor->row = (uint8_t)found->row;
    tn_copy(floor->author, found->signers.author, sizeof(floor->author));
    tn_copy(floor->digest, found->digest, TN_HASH);
    return TN_OK;
}

/* Whether the versions of a document may be counted under this name: a notice has one of its own, the first thing it
 * says. */
static bool has_name(const tn_document *found, tn_floor_type type, const char *name)
{
    if (type == TN_FLOOR_NOTICE) {
        return tn_is(tn_at(found->body.bytes, TN_NOTICE_ID), name);
    }
    return tn_value_at(found->body.bytes, TN_SUBJECTS) == 0u || tn_document_is_about(found, name);
}

tn_reason tn_trust_accept(tn_source data, const tn_expected *expected, const char *name, tn_document *found)
{
    const tn_root *root = tn_trust_root();
    tn_floor_type type = (tn_floor_type)expected->floor;
    uint64_t clock = expected->expiring ? tn_now.now : 0u, now = tn_trust_time_floor(is_metadata(expected->floor));
    now = clock > now ? clock : now;
    /* Stale metadata blocks installing; it never holds up a warning, nor an answer. */
    if (TN_IN(FRESH, type) && expected->expiring && now >= root->expires) {
        return TN_EXPIRED;
    }
    tn_reason reason = tn_document_open(data, root, tn_stored.fleet, expected, now, found);
    if (reason != TN_OK) {
        return reason;
    }
    /* Of a catalogue the notices (10) and patches (11) count together: their shapes hold each by itself. */
    tn_item body = found->body.bytes;
    uint32_t entries = (uint32_t)tn_value_at(body, 10) + (uint32_t)tn_value_at(body, 11);
    if (type == TN_FLOOR_CATALOGUE && entries > TN_WIRE_CATALOGUE_ENTRIES_MAX) {
        return TN_MALFORMED;
    }
    if (!has_name(found, type, name)) {
        return TN_WRONG_SUBJECT;
    }
    return raise_floor(found, type, name, clock);
}
