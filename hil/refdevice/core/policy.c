/* What a policy row demands, and whether different enough holders stand behind the signatures (keys/root.py). */
#include "policy.h"

#include <stddef.h>

#define NOBODY 0xFFu

tn_mark tn_mark_of(tn_source name)
{
    uint8_t digest[TN_HASH];
    tn_mark mark;
    tn_sha256_of(name, digest);
    tn_copy(&mark, digest, sizeof(mark));
    return mark;
}

static bool names(const tn_label *label, tn_source name)
{
    return label->mark != 0u ? label->mark == tn_mark_of(name) : tn_same(label->text, name);
}

void tn_seats_begin(tn_seats *seats, const tn_root *root, tn_signers keys)
{
    tn_fill(seats, 0, sizeof(*seats));
    seats->root = root;
    seats->keys = keys;
}

bool tn_seats_may(const tn_seats *seats, uint32_t key, const tn_label *role)
{
    tn_item roles = tn_key_part(seats->root, key, TN_KEY_ROLES);
    tn_source holder = tn_string(tn_key_part(seats->root, key, TN_KEY_HOLDER));
    bool bound = seats->has_author && !seats->root->exercise && names(&seats->author_holder, holder);
    tn_item one;
    for (uint32_t i = 0; (one = tn_nth(roles, i)) != NULL; i++) {
        tn_source name = tn_string(one);
        if (names(role, name) && (!bound || names(&seats->author_role, name))) {
            return true;
        }
    }
    return false;
}

static uint32_t count_of(uint32_t bits)
{
    uint32_t count = 0;
    for (; bits != 0u; bits &= bits - 1u) {
        count++;
    }
    return count;
}

void tn_seats_add(tn_seats *seats, const tn_label *role, uint32_t times)
{
    uint32_t able = 0;
    for (uint32_t key = 0; key < seats->root->key_count; key++) {
        if ((seats->keys >> key & 1u) != 0u && tn_seats_may(seats, key, role)) {
            able |= 1u << seats->root->holder[key];
        }
    }
    if (count_of(able) < times) {
        seats->lacking = true;
    } else if (!seats->root->exercise) { /* else one holder may act for several roles */
        for (; times > 0u && seats->count < TN_SIGNATURES_MAX; times--) {
            seats->able[seats->count++] = (uint16_t)able;
        }
        seats->lacking = seats->lacking || times > 0u;
    }
}

void tn_seats_demand(tn_seats *seats, tn_item demands)
{
    tn_item one;
    for (uint32_t i = 0; (one = tn_nth(demands, i)) != NULL; i += 2u) {
        tn_label role = {tn_string(one), 0};
        tn_seats_add(seats, &role, (uint32_t)tn_value(tn_nth(demands, i + 1u)));
    }
}

typedef struct {
    uint8_t seat_of[TN_KEYS_MAX];         /* holder -> seat */
    uint8_t holder_of[TN_SIGNATURES_MAX]; /* seat -> holder */
} places;

/* Everyone on the way moves one seat on: `holder` sits down on the seat that reached for him, and so on to the empty one. */
static void move(places *taken, const uint8_t *reached_by, uint8_t holder, uint8_t empty)
{
    uint8_t seat;
    do {
        seat = reached_by[holder];
        uint8_t before = taken->holder_of[seat];
        taken->seat_of[holder] = seat;
        taken->holder_of[seat] = holder;
        holder = before;
    } while (seat != empty);
}

/* Fill one more seat, moving others where need be (augmenting paths, by breadth); false: there is no way to. */
static bool fill(const tn_seats *seats, places *taken, uint8_t empty)
{
    uint8_t reached_by[TN_KEYS_MAX], waiting[TN_SIGNATURES_MAX];
    uint32_t tried = 0, last = 0;
    waiting[last++] = empty;
    for (uint32_t next = 0; next < last; next++) {
        uint32_t fresh = seats->able[waiting[next]] & ~tried;
        tried |= fresh;
        for (uint8_t holder = 0; holder < TN_KEYS_MAX; holder++) {
            if ((fresh >> holder & 1u) == 0u) {
                continue;
            }
            reached_by[holder] = waiting[next];
            if (taken->seat_of[holder] == NOBODY) {
                move(taken, reached_by, holder, empty);
                return true;
            }
            waiting[last++] = taken->seat_of[holder];
        }
    }
    return false;
}

bool tn_seats_filled(const tn_seats *seats)
{
    places taken;
    bool filled = !seats->lacking;
    tn_fill(&taken, NOBODY, sizeof(taken));
    for (uint8_t seat = 0; seat < seats->count && filled; seat++) {
        filled = fill(seats, &taken, seat);
    }
    return filled;
}

static bool is_met(const tn_root *root, int32_t row, tn_signers keys, tn_item author)
{
    tn_seats seats;
    tn_seats_begin(&seats, root, keys);
    seats.has_author = author != NULL;
    seats.author_holder.text = tn_string(tn_nth(author, 0));
    seats.author_role.text = tn_string(tn_nth(author, 1));
    tn_seats_demand(&seats, tn_at(tn_nth(root->rows, (uint32_t)row), TN_ROW_DEMANDS));
    return tn_seats_filled(&seats);
}

int32_t tn_root_row(const tn_root *root, const tn_expected *expected)
{
    tn_source product = tn_bytes_of(expected->product != NULL ? expected->product : expected->subject);
    int32_t common = -1;
    tn_item row;
    for (uint32_t i = 0; (row = tn_nth(root->rows, i)) != NULL; i++) {
        tn_item its = tn_at(row, TN_ROW_PRODUCT);
        if (!tn_same(tn_string(tn_at(row, TN_ROW_TYPE)), tn_bytes_of(expected->type))) {
            continue;
        }
        if (its == NULL) {
            common = (int32_t)i;
        } else if (tn_same(tn_string(its), product)) {
            return (int32_t)i;
        }
    }
    return common;
}

tn_reason tn_root_meets(const tn_root *root, int32_t row, tn_signers signed_by, tn_signers passed, tn_item author)
{
    if (row < 0) {
        return TN_NO_POLICY_ROW;
    }
    if (is_met(root, row, signed_by, author)) {
        return TN_OK;
    }
    bool unread = passed != 0u && is_met(root, row, signed_by | passed, author);
    return unread ? TN_UNSUPPORTED : TN_THRESHOLD_NOT_MET;
}
