/* What a policy row demands, and whether different enough holders stand behind the signatures (keys/root.py). */
#include "policy.h"
#include "tocsin_states.h"

#include <stddef.h>

tn_mark tn_mark_of(tn_source name)
{
    union {
        uint8_t digest[TN_HASH];
        tn_mark mark;
    } hash;
    tn_sha256_of(name, hash.digest);
    return hash.mark;
}

static bool names(const tn_label *label, tn_item name)
{
    return label->mark != 0u ? label->mark == tn_mark_of(tn_string(name)) : tn_alike(label->text, name);
}

void tn_seats_begin(tn_seats *seats, const tn_root *root, tn_signers keys)
{
    tn_fill(seats, 0, sizeof(*seats));
    seats->root = root;
    seats->keys = keys;
}

bool tn_seats_may(const tn_seats *seats, uint32_t key, const tn_label *role)
{
    tn_item roles = tn_key_part(seats->root, key, TN_KEY_ROLES), one;
    const tn_label *author = seats->author;
    bool bound = seats->has_author && !seats->root->exercise &&
                 names(&author[0], tn_key_part(seats->root, key, TN_KEY_HOLDER));
    for (uint32_t i = 0; (one = tn_nth(roles, i)) != NULL; i++) {
        if (names(role, one) && (!bound || names(&author[1], one))) {
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
    seats->keys_able = 0;
    for (uint32_t key = 0; key < seats->root->key_count; key++) {
        if (TN_IN(seats->keys, key) && tn_seats_may(seats, key, role)) {
            able |= 1u << seats->root->holder[key];
            seats->keys_able++;
        }
    }
    seats->lacking = seats->lacking || count_of(able) < times;
    seats->able[seats->count] = (uint16_t)able;
    seats->times[seats->count++] = (uint8_t)times;
}

void tn_seats_demand(tn_seats *seats, tn_item demands)
{
    tn_item one;
    for (uint32_t i = 0; (one = tn_nth(demands, i)) != NULL; i += 2u) {
        tn_label role = {one, 0};
        tn_seats_add(seats, &role, (uint32_t)tn_value(tn_nth(demands, i + 1u)));
    }
}

/* By Hall's theorem: every choice of roles has as many holders who can act for one of them as it has seats. */
bool tn_seats_filled(const tn_seats *seats)
{
    bool filled = !seats->lacking;
    if (seats->root->exercise) {
        return filled; /* there one holder may act for several roles */
    }
    for (uint32_t choice = 1; filled && choice < 1u << seats->count; choice++) {
        uint32_t able = 0, times = 0;
        for (uint32_t role = 0; role < seats->count; role++) {
            if (TN_IN(choice, role)) {
                able |= seats->able[role];
                times += seats->times[role];
            }
        }
        filled = count_of(able) >= times;
    }
    return filled;
}

static bool is_met(const tn_root *root, int32_t row, tn_signers keys, tn_item author)
{
    tn_seats seats;
    tn_seats_begin(&seats, root, keys);
    seats.has_author = author != NULL;
    seats.author[0].text = tn_nth(author, 0);
    seats.author[1].text = tn_nth(author, 1);
    tn_seats_demand(&seats, tn_at(tn_nth(root->rows, (uint32_t)row), TN_ROW_DEMANDS));
    return tn_seats_filled(&seats);
}

int32_t tn_root_row(const tn_root *root, const tn_expected *expected)
{
    const char *product = expected->product != NULL ? expected->product : expected->subject;
    int32_t common = -1;
    tn_item row;
    for (uint32_t i = 0; (row = tn_nth(root->rows, i)) != NULL; i++) {
        if (tn_is(tn_at(row, TN_ROW_TYPE), expected->type)) {
            tn_item its = tn_at(row, TN_ROW_PRODUCT);
            if (its == NULL) {
                common = (int32_t)i;
            } else if (tn_is(its, product)) {
                return (int32_t)i;
            }
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
