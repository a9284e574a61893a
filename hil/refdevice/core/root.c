/* The root of trust: which keys exist, who holds them, and what every type of document demands (keys/root.py). */
#include <stddef.h>

#include "policy.h"
#include "tocsin_states.h"
#include "tocsin_limits.h"

static const char root_role[] = "root";

#define ALL_KEYS UINT32_MAX

/* -- reading -- */

const uint8_t tn_root_own[] = {
    TN_ROOT_KEYS, TN_ARRAY | TN_SOME, TN_WIRE_ROOT_KEYS_MAX, TN_OF(TN_RECORD_OF(
        TN_KEY_COSE, TN_ANY,
        TN_KEY_ROLES, TN_ARRAY | TN_SOME, TN_ROLES_MAX, TN_OF(TN_NAME, TN_NAME_BYTES_MAX),
        TN_KEY_HOLDER, TN_NAME, TN_NAME_BYTES_MAX)),
    TN_ROOT_ROWS, TN_ARRAY | TN_SOME, TN_WIRE_POLICY_ROWS_MAX, TN_OF(TN_RECORD_OF(
        TN_ROW_TYPE, TN_IDENT, TN_NAME_BYTES_MAX,
        TN_ROW_DEMANDS, TN_MAP, TN_ROLES_MAX, TN_OF(TN_NAME, TN_NAME_BYTES_MAX, TN_UINT, TN_SIGNATURES_MAX),
        TN_ROW_PRODUCT, TN_IDENT | TN_OPTIONAL, TN_NAME_BYTES_MAX)),
    TN_ROOT_EXERCISE, TN_BOOL,
    TN_END,
};

tn_item tn_key_part(const tn_root *root, uint32_t key, uint32_t part)
{
    return tn_at(tn_nth(root->keys, key), part);
}

/* Whether two keys or rows have the same under a number, or both nothing. */
static bool are_same(tn_item one, tn_item other, uint32_t part)
{
    return tn_alike(tn_at(one, part), tn_at(other, part));
}

/* Of the same holder, the first key stands for all; and the same key must not stand twice. */
static tn_reason read_keys(tn_root *root)
{
    for (uint32_t key = 0; key < root->key_count; key++) {
        bool other = false;
        tn_item one = tn_nth(root->keys, key);
        tn_reason reason = tn_key_read(tn_at(one, TN_KEY_COSE), &other);
        if (reason != TN_OK) {
            return reason;
        }
        root->others |= (tn_signers)other << key;
        root->holder[key] = (uint8_t)key;
        for (uint32_t i = key; i-- > 0u;) {
            tn_item before = tn_nth(root->keys, i);
            root->twice = root->twice || are_same(one, before, TN_KEY_COSE);
            if (are_same(one, before, TN_KEY_HOLDER)) {
                root->holder[key] = (uint8_t)i;
            }
        }
    }
    return TN_OK;
}

tn_reason tn_root_read(tn_source document, tn_root *root)
{
    tn_message message;
    tn_fill(root, 0, sizeof(*root));
    if (document.length > TN_ROOT_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    tn_reason reason = tn_cose_open(document, TN_COSE_SIGN, true, &message);
    if (reason != TN_OK) {
        return reason;
    }
    root->body = tn_string(message.payload);
    if (message.payload == NULL || !tn_document_fits(root->body, tn_root_own)) {
        return TN_MALFORMED;
    }
    tn_item keys = tn_at(root->body.bytes, TN_ROOT_KEYS), rows = tn_at(root->body.bytes, TN_ROOT_ROWS);
    root->key_count = (uint8_t)tn_value(keys);
    if (root->key_count > TN_KEYS_MAX || (uint32_t)tn_value(rows) > TN_ROWS_MAX) {
        return TN_LIMIT_REACHED;
    }
    root->keys = keys;
    root->rows = rows;
    root->version = tn_value_at(root->body.bytes, TN_VERSION);
    root->issued = tn_value_at(root->body.bytes, TN_ISSUED);
    root->expires = tn_value_at(root->body.bytes, TN_EXPIRES);
    root->exercise = tn_is_true(tn_at(root->body.bytes, TN_ROOT_EXERCISE));
    return read_keys(root);
}

/* -- a root that is possible at all -- */

/* How many keys have the role of the root's own. */
static uint32_t root_keys(const tn_root *root)
{
    uint32_t count = 0;
    for (uint32_t key = 0; key < root->key_count; key++) {
        count += tn_has(tn_key_part(root, key, TN_KEY_ROLES), root_role) ? 1u : 0u;
    }
    return count;
}

/* Whether a row stands once, demands something of each of its roles, and no more than there is. */
static bool is_row_possible(const tn_root *root, tn_item row)
{
    tn_mark seats[TN_SIGNATURES_MAX];
    tn_item demands = tn_at(row, TN_ROW_DEMANDS), other;
    for (uint32_t i = 0; (other = tn_nth(root->rows, i)) != row; i++) {
        if (are_same(row, other, TN_ROW_TYPE) && are_same(row, other, TN_ROW_PRODUCT)) {
            return false;
        }
    }
    uint32_t count = tn_seats_of(demands, seats);
    /* The row for root is for all products, demands its own role only, and one key more than it demands is there. */
    if (tn_is(tn_at(row, TN_ROW_TYPE), root_role) &&
        (tn_at(row, TN_ROW_PRODUCT) != NULL || tn_value(demands) != 1u || !tn_is(tn_first(demands), root_role) ||
         root_keys(root) <= count)) {
        return false;
    }
    return count > 0u && tn_seats_filled(root, ALL_KEYS, seats, NULL);
}

tn_reason tn_root_check(const tn_root *root)
{
    tn_item body = root->body.bytes, row;
    bool possible = !root->twice && tn_value_at(body, TN_SUBJECTS) == 0u &&
                    root->expires > root->issued &&
                    (tn_value_at(body, TN_FLEET) == 0u) == (root->version == 1u) &&
                    tn_root_row(root, root_role, NULL) >= 0;
    for (uint32_t i = 0; possible && (row = tn_nth(root->rows, i)) != NULL; i++) {
        possible = is_row_possible(root, row);
    }
    return possible ? TN_OK : TN_BAD_ROOT;
}

/* -- keys -- */

void tn_root_thumbprint(const tn_root *root, uint32_t key, uint8_t digest[TN_HASH])
{
    /* Only the required members stand there, in the one encoding. */
    tn_item item = tn_key_part(root, key, TN_KEY_COSE);
    tn_sha256_of(item, (uint32_t)(tn_behind(item) - item), digest);
}

tn_mark tn_root_mark(const tn_root *root, uint32_t key)
{
    tn_item item = tn_key_part(root, key, TN_KEY_COSE);
    return tn_mark_of(item, (uint32_t)(tn_behind(item) - item));
}

int32_t tn_root_key(const tn_root *root, tn_item kid)
{
    uint8_t thumbprint[TN_HASH];
    if (kid == NULL || tn_kind(kid) != TN_CBOR_BYTES) {
        return -1;
    }
    int32_t key = (int32_t)root->key_count;
    while (--key >= 0) {
        tn_root_thumbprint(root, (uint32_t)key, thumbprint);
        if (tn_is_hash(kid, thumbprint)) {
            break;
        }
    }
    return key;
}

tn_reason tn_root_take(const tn_root *root, const tn_message *message, const tn_signature *signature,
                       tn_signed *found)
{
    int32_t key = tn_root_key(root, tn_cose_kid(signature));
    if (key < 0 || TN_IN(found->by, key)) {
        return TN_OK;
    }
    if (TN_IN(root->others, key)) {
        found->passed |= 1u << key;
        return TN_OK;
    }
    if (!message->bare) {
        return TN_MALFORMED;
    }
    found->by |= 1u << key; /* what is wrong refuses the whole */
    return tn_cose_check(message, signature, tn_key_part(root, (uint32_t)key, TN_KEY_COSE) + TN_KEY_HEAD_BYTES);
}
