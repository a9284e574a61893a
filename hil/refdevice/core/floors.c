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

static tn_floor *find(tn_floor_type type, tn_mark mark)
{
    for (uint32_t i = 0; i < TN_FLOORS_MAX; i++) {
        tn_floor *floor = &tn_stored.floors[i];
        if (floor->type == (uint8_t)type && floor->name == mark) {
            return floor;
        }
    }
    return NULL;
}

const tn_floor *tn_trust_floor(tn_floor_type type, const char *name)
{
    return find(type, tn_mark_of(tn_bytes_of(name)));
}

/* Types that a single key may sign: their time of issue never makes a warning late. */
static bool is_metadata(uint8_t type)
{
    return type != TN_FLOOR_NOTICE;
}

uint64_t tn_trust_time_floor(bool metadata)
{
    uint64_t latest = tn_trust_root()->issued;
    for (uint32_t i = 0; i < TN_FLOORS_MAX; i++) {
        const tn_floor *floor = &tn_stored.floors[i];
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
    tn_item demands = tn_at(tn_nth(root->rows, floor->row), TN_ROW_DEMANDS), role;
    uint32_t kids = 0, seats = 0;
    tn_fill(basis, 0, sizeof(*basis));
    for (uint32_t key = 0; key < root->key_count; key++) {
        if ((floor->kids >> key & 1u) != 0u) {
            basis->kids[kids++] = tn_root_mark(root, key);
        }
    }
    for (uint32_t i = 0; (role = tn_nth(demands, i)) != NULL; i += 2u) {
        tn_mark mark = tn_mark_of(tn_string(role));
        for (uint32_t times = (uint32_t)tn_value(tn_nth(demands, i + 1u)); times > 0u; times--) {
            basis->seats[seats++] = mark; /* a root in force demands TN_SIGNATURES_MAX at most (tn_root_check) */
        }
    }
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

/* Whether those who signed could still have signed, by what was demanded then. */
static bool stands(const tn_floor *floor, const tn_basis *basis, const tn_root *root)
{
    tn_seats seats;
    tn_seats_begin(&seats, root, floor->kids);
    seats.has_author = floor->author_holder != 0u;
    seats.author[0].mark = floor->author_holder;
    seats.author[1].mark = floor->author_role;
    for (uint32_t i = 0, times; i < TN_SIGNATURES_MAX && basis->seats[i] != 0u; i += times) {
        tn_label role = {NULL, basis->seats[i]};
        times = 1;
        while (i + times < TN_SIGNATURES_MAX && basis->seats[i + times] == role.mark) {
            times++;
        }
        tn_seats_add(&seats, &role, times);
    }
    return tn_seats_filled(&seats);
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
        if (stands(floor, &basis, now)) {
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
    for (uint32_t i = 0; i < TN_FLOORS_MAX; i++) {
        tn_floor *floor = &tn_stored.floors[i];
        if (floor->type == TN_FLOOR_NONE) {
            return floor;
        }
        if (floor->until <= now && (over == NULL || floor->until < over->until)) {
            over = floor;
        }
    }
    return over;
}

static tn_mark mark_of_item(tn_item name)
{
    return name != NULL ? tn_mark_of(tn_string(name)) : 0u;
}

/* `now`: by the clock alone, or 0. */
static tn_reason raise_floor(const tn_document *found, tn_floor_type type, const char *name, int32_t row, uint64_t now)
{
    tn_item author = tn_at(found->body.bytes, TN_AUTHOR), expires = tn_at(found->body.bytes, TN_EXPIRES);
    tn_mark mark = tn_mark_of(tn_bytes_of(name));
    tn_floor *floor = find(type, mark);
    tn_signers kids = found->signed_by;
    uint64_t version = tn_said(found, TN_VERSION), until = expires != NULL ? tn_value(expires) : TN_FOR_EVER;
    if (floor != NULL) {
        if (version < floor->version) {
            return TN_REPLAYED;
        }
        if (version == floor->version) {
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
    }
    floor->type = (uint8_t)type;
    floor->name = mark;
    floor->version = version;
    floor->issued = tn_said(found, TN_ISSUED);
    floor->until = until;
    floor->kids = (uint16_t)kids;
    floor->row = (uint8_t)row;
    floor->author_holder = mark_of_item(tn_nth(author, 0));
    floor->author_role = mark_of_item(tn_nth(author, 1));
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
    return tn_said(found, TN_SUBJECTS) == 0u || tn_document_is_about(found, name);
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
    if (type == TN_FLOOR_CATALOGUE && tn_said(found, 10) + tn_said(found, 11) > TN_WIRE_CATALOGUE_ENTRIES_MAX) {
        return TN_MALFORMED;
    }
    if (!has_name(found, type, name)) {
        return TN_WRONG_SUBJECT;
    }
    return raise_floor(found, type, name, tn_root_row(root, expected), clock);
}
