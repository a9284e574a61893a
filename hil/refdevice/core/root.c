/* The root of trust: which keys exist, who holds them, and what every type of document demands (keys/root.py). */
#include <stddef.h>

#include "policy.h"
#include "tocsin_limits.h"

static const char root_role[] = "root";

/* -- reading -- */

/* Read a key that must come next. */
static bool key_is(tn_cbor *reader, int32_t *last, int32_t key)
{
    return tn_cbor_key(reader, last) && *last == key;
}

static tn_source from(tn_source body, uint32_t at)
{
    return tn_part(body, at, body.length - at);
}

/* Read one key of the root: {1: COSE_Key, 2: roles, 3: holder}. Of what does not fit, `cose` may be whole. */
static bool read_entry(tn_cbor *reader, tn_root_entry *entry)
{
    int32_t last = -1;
    uint32_t entries;
    tn_source role;
    tn_fill(entry, 0, sizeof(*entry));
    if (!tn_cbor_map(reader, 3, UINT32_MAX, &entries) || !key_is(reader, &last, 1) || !tn_cbor_skip(reader, &entry->cose) ||
        !key_is(reader, &last, 2) || !tn_cbor_array(reader, 1, TN_ROLES_MAX, &entry->roles)) {
        return false;
    }
    entry->reader = *reader;
    for (uint32_t i = 0; i < entry->roles; i++) {
        (void)tn_cbor_name(reader, TN_NAME_BYTES_MAX, &role);
    }
    return key_is(reader, &last, 3) && tn_cbor_name(reader, TN_NAME_BYTES_MAX, &entry->holder) && entries == 3u;
}

/* Read one policy row: {1: type, 2: {role: threshold}, ?3: product}. */
static bool read_line(tn_cbor *reader, tn_root_line *line)
{
    int32_t last = -1;
    uint32_t entries;
    uint64_t times;
    tn_source role = {NULL, 0};
    tn_fill(line, 0, sizeof(*line));
    if (!tn_cbor_map(reader, 2, 3, &entries) || !key_is(reader, &last, 1) ||
        !tn_cbor_ident(reader, TN_NAME_BYTES_MAX, &line->type) || !key_is(reader, &last, 2) ||
        !tn_cbor_map(reader, 0, TN_ROLES_MAX, &line->roles)) {
        return false;
    }
    line->reader = *reader;
    for (uint32_t i = 0; i < line->roles; i++) {
        tn_source before = role;
        if (!tn_cbor_name(reader, TN_NAME_BYTES_MAX, &role) || (i > 0u && tn_order(before, role) >= 0) ||
            !tn_cbor_uint(reader, TN_SIGNATURES_MAX, &times)) {
            return false;
        }
    }
    return entries == 2u || (key_is(reader, &last, 3) && tn_cbor_ident(reader, TN_NAME_BYTES_MAX, &line->product));
}

void tn_root_entry_open(const tn_root *root, uint32_t key, tn_root_entry *entry)
{
    tn_cbor reader;
    tn_cbor_open(&reader, from(root->body, root->key_at[key]));
    (void)read_entry(&reader, entry);
}

void tn_root_line_open(const tn_root *root, uint32_t row, tn_root_line *line)
{
    tn_cbor reader;
    tn_cbor_open(&reader, from(root->body, root->row_at[row]));
    (void)read_line(&reader, line);
}

bool tn_line_next(tn_root_line *line, tn_label *role, uint32_t *times)
{
    uint64_t value;
    if (line->roles == 0u) {
        return false;
    }
    line->roles--;
    role->mark = 0;
    (void)tn_cbor_text(&line->reader, 1, TN_NAME_BYTES_MAX, &role->text);
    (void)tn_cbor_uint(&line->reader, TN_SIGNATURES_MAX, &value);
    *times = (uint32_t)value;
    return true;
}

static tn_reason read_keys(tn_cbor *reader, uint32_t rest, tn_root *root)
{
    uint32_t count;
    if (!tn_cbor_array(reader, 1, TN_WIRE_ROOT_KEYS_MAX, &count)) {
        return TN_MALFORMED;
    }
    for (uint32_t i = 0; i < count; i++) {
        tn_root_entry entry;
        bool other = false;
        if (i == TN_KEYS_MAX) {
            return TN_LIMIT_REACHED;
        }
        root->key_at[i] = (uint16_t)(rest + reader->at);
        bool whole = read_entry(reader, &entry);
        tn_reason reason = entry.cose.length > 0u ? tn_key_read(entry.cose, &other) : TN_MALFORMED;
        if (reason != TN_OK || !whole) {
            return reason != TN_OK ? reason : TN_MALFORMED;
        }
        root->others |= (tn_signers)other << i;
        root->key_count++;
    }
    return TN_OK;
}

static tn_reason read_rows(tn_cbor *reader, uint32_t rest, tn_root *root)
{
    uint32_t count;
    if (!tn_cbor_array(reader, 1, TN_WIRE_POLICY_ROWS_MAX, &count)) {
        return TN_MALFORMED;
    }
    for (uint32_t i = 0; i < count; i++) {
        tn_root_line line;
        if (i == TN_ROWS_MAX) {
            return TN_LIMIT_REACHED;
        }
        root->row_at[i] = (uint16_t)(rest + reader->at);
        if (!read_line(reader, &line)) {
            return TN_MALFORMED;
        }
        root->row_count++;
    }
    return TN_OK;
}

/* Of the same holder, the first key stands for all; and the same key must not stand twice. */
static void compare_entries(tn_root *root)
{
    for (uint32_t key = 0; key < root->key_count; key++) {
        tn_root_entry entry, other;
        tn_root_entry_open(root, key, &entry);
        root->holder[key] = (uint8_t)key;
        for (uint32_t i = key; i > 0u; i--) {
            tn_root_entry_open(root, i - 1u, &other);
            if (tn_same(entry.holder, other.holder)) {
                root->holder[key] = (uint8_t)(i - 1u);
            }
            root->twice = root->twice || tn_same(entry.cose, other.cose);
        }
    }
}

static tn_reason read_own(tn_cbor *reader, const tn_document *found, tn_root *root)
{
    int32_t last = -1;
    if (found->count < 3u || !key_is(reader, &last, 10)) {
        return TN_MALFORMED;
    }
    tn_reason reason = read_keys(reader, found->rest, root);
    if (reason == TN_OK) {
        reason = key_is(reader, &last, 11) ? read_rows(reader, found->rest, root) : TN_MALFORMED;
    }
    if (reason == TN_OK && (!key_is(reader, &last, 12) || !tn_cbor_bool(reader, &root->exercise) || found->count != 3u ||
                            !tn_cbor_ended(reader))) {
        reason = TN_MALFORMED;
    }
    return reason;
}

tn_reason tn_root_read(tn_source document, tn_root *root)
{
    tn_message message;
    tn_document found;
    tn_cbor reader;
    tn_fill(root, 0, sizeof(*root));
    if (document.length > TN_ROOT_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    tn_reason reason = tn_cose_open(document, TN_COSE_SIGN, true, &message);
    if (reason == TN_OK) {
        reason = message.attached ? tn_document_read(message.payload, &found) : TN_MALFORMED;
    }
    if (reason != TN_OK) {
        return reason;
    }
    root->body = message.payload;
    root->version = found.version;
    root->issued = found.issued;
    root->expires = found.expires;
    root->first = found.fleet.length == 0u;
    root->narrow = found.subject_count > 0u;
    tn_cbor_open(&reader, from(root->body, found.rest));
    reason = read_own(&reader, &found, root);
    if (reason == TN_OK) {
        compare_entries(root);
    }
    return reason;
}

/* -- a root that is possible at all -- */

/* Whether the row for root demands its own role only, and one key more than it demands is there. */
static bool has_spare_key(const tn_seats *everyone, tn_root_line *line)
{
    tn_label role;
    uint32_t times, keys = 0;
    if (line->product.length > 0u || line->roles != 1u || !tn_line_next(line, &role, &times) ||
        !tn_same(role.text, tn_bytes_of(root_role))) {
        return false;
    }
    for (uint32_t key = 0; key < everyone->root->key_count; key++) {
        keys += tn_seats_may(everyone, key, &role) ? 1u : 0u;
    }
    return keys > times;
}

/* Whether a row stands once, demands something, and no more than there is. `rooted`: one is for root. */
static bool is_row_possible(const tn_root *root, uint32_t row, bool *rooted)
{
    tn_seats seats;
    tn_root_line line;
    tn_label role;
    uint32_t times, sum = 0;
    tn_root_line_open(root, row, &line);
    tn_seats_begin(&seats, root, ((tn_signers)1 << root->key_count) - 1u);
    if (tn_root_row(root, line.type, line.product) != (int32_t)row) {
        return false;
    }
    if (tn_same(line.type, tn_bytes_of(root_role))) {
        *rooted = true;
        if (!has_spare_key(&seats, &line)) {
            return false;
        }
        tn_root_line_open(root, row, &line);
    }
    while (tn_line_next(&line, &role, &times)) {
        seats.lacking = seats.lacking || times == 0u;
        sum += times;
        tn_seats_add(&seats, &role, times);
    }
    return sum > 0u && sum <= TN_SIGNATURES_MAX && tn_seats_filled(&seats);
}

tn_reason tn_root_check(const tn_root *root)
{
    bool rooted = false, possible = !root->twice && !root->narrow && root->expires > root->issued &&
                                    root->first == (root->version == 1u);
    for (uint32_t row = 0; row < root->row_count && possible; row++) {
        possible = is_row_possible(root, row, &rooted);
    }
    return possible && rooted ? TN_OK : TN_BAD_ROOT;
}

/* -- keys -- */

void tn_root_thumbprint(const tn_root *root, uint32_t key, uint8_t digest[TN_HASH])
{
    tn_root_entry entry;
    tn_root_entry_open(root, key, &entry);
    tn_sha256_of(entry.cose, digest); /* only the required members stand there, in the one encoding */
}

tn_mark tn_root_mark(const tn_root *root, uint32_t key)
{
    uint8_t digest[TN_HASH];
    tn_mark mark;
    tn_root_thumbprint(root, key, digest);
    tn_copy(&mark, digest, sizeof(mark));
    return mark;
}

int32_t tn_root_key(const tn_root *root, tn_source kid)
{
    uint8_t item[2u + TN_HASH] = {0x58, TN_HASH};
    int32_t key = root->key_count;
    do {
        key--;
        if (key >= 0) {
            tn_root_thumbprint(root, (uint32_t)key, item + 2);
        }
    } while (key >= 0 && !tn_equals(kid, item, sizeof(item)));
    return key;
}

tn_reason tn_root_verify(const tn_root *root, uint32_t key, const tn_message *message, const tn_signature *signature,
                         tn_source payload)
{
    uint8_t public_key[TN_PUBLIC];
    tn_root_entry entry;
    if ((root->others >> key & 1u) != 0u) {
        return TN_UNSUPPORTED;
    }
    tn_root_entry_open(root, key, &entry);
    tn_read(entry.cose, TN_KEY_HEAD_BYTES, public_key, TN_PUBLIC);
    return tn_cose_check(message, signature, public_key, payload);
}
