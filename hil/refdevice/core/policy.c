/* What a policy row demands, and whether different enough holders stand behind the signatures (keys/root.py). */
#include "policy.h"
#include "tocsin_states.h"

#include <stddef.h>

tn_mark tn_mark_of(const void *bytes, uint32_t length)
{
    union {
        uint8_t digest[TN_HASH];
        tn_mark mark;
    } hash;
    tn_sha256_of(bytes, length, hash.digest);
    return hash.mark;
}

tn_mark tn_mark_of_item(tn_item name)
{
    return name != NULL ? tn_mark_of(tn_first(name), (uint32_t)tn_value(name)) : 0u;
}

uint32_t tn_seats_of(tn_item demands, tn_mark seats[TN_SIGNATURES_MAX])
{
    uint32_t count = 0;
    tn_item role;
    tn_fill(seats, 0, TN_SIGNATURES_MAX * sizeof(*seats));
    for (uint32_t i = 0; (role = tn_nth(demands, i)) != NULL; i += 2u) {
        uint32_t more = (uint32_t)tn_value(tn_behind(role));
        if (more == 0u || more > TN_SIGNATURES_MAX - count) {
            return 0;
        }
        for (; more > 0u; more--) {
            seats[count++] = tn_mark_of_item(role);
        }
    }
    return count;
}

/* Which holders among these keys (tn_root.holder) may take a seat. Who is the author may sign for the author's own role
 * only, but in an exercise. */
static uint32_t able(const tn_root *root, tn_signers keys, const tn_mark *role, const tn_mark *author)
{
    uint32_t holders = 0;
    for (uint32_t key = 0; key < root->key_count; key++) {
        tn_item roles = tn_key_part(root, key, TN_KEY_ROLES), one;
        bool bound = author != NULL && !root->exercise && author[1] != *role &&
                     author[0] == tn_mark_of_item(tn_key_part(root, key, TN_KEY_HOLDER));
        for (uint32_t i = 0; TN_IN(keys, key) && !bound && (one = tn_nth(roles, i)) != NULL; i++) {
            holders |= tn_mark_of_item(one) == *role ? 1u << root->holder[key] : 0u;
        }
    }
    return holders;
}

static uint32_t count_of(uint32_t bits)
{
    uint32_t count = 0;
    for (; bits != 0u; bits &= bits - 1u) {
        count++;
    }
    return count;
}

/* By Hall's theorem: every choice of seats has as many holders who can take one of them. Each choice is looked at with
 * its last seat. In an exercise one holder may act for several roles: there a choice is of seats of one role. */
bool tn_seats_filled(const tn_root *root, tn_signers keys, const tn_mark seats[TN_SIGNATURES_MAX],
                     const tn_mark *author)
{
    uint32_t holders[TN_SIGNATURES_MAX]; /* who can take it */
    uint32_t count = 0;
    for (uint32_t i = 0; i < TN_SIGNATURES_MAX && seats[i] != 0u; i++) {
        if (root->exercise && i > 0u && seats[i] != seats[i - 1u]) {
            count = 0;
        }
        holders[count] = able(root, keys, &seats[i], author);
        for (uint32_t choice = 1u << count; choice < 2u << count; choice++) {
            uint32_t some = 0, chosen = 0;
            for (uint32_t seat = 0; seat <= count; seat++) {
                if (TN_IN(choice, seat)) {
                    some |= holders[seat];
                    chosen++;
                }
            }
            if (count_of(some) < chosen) {
                return false;
            }
        }
        count++;
    }
    return true;
}

int32_t tn_root_row(const tn_root *root, const char *type, const char *product)
{
    int32_t common = -1;
    tn_item row;
    for (uint32_t i = 0; (row = tn_nth(root->rows, i)) != NULL; i++) {
        if (tn_is(tn_at(row, TN_ROW_TYPE), type)) {
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

tn_reason tn_root_meets(const tn_root *root, int32_t row, const tn_signed *found)
{
    tn_mark seats[TN_SIGNATURES_MAX];
    if (row < 0) {
        return TN_NO_POLICY_ROW;
    }
    (void)tn_seats_of(tn_at(tn_nth(root->rows, (uint32_t)row), TN_ROW_DEMANDS), seats);
    if (tn_seats_filled(root, found->by, seats, found->author)) {
        return TN_OK;
    }
    bool unread = found->passed != 0u && tn_seats_filled(root, found->by | found->passed, seats, found->author);
    return unread ? TN_UNSUPPORTED : TN_THRESHOLD_NOT_MET;
}
