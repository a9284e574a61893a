/* Signed documents: genuine when the root's policy says so (keys/document.py). */
#include <stddef.h>

#include "policy.h"
#include "tocsin_limits.h"

/* What every body begins with (keys.root.Body). */
static const uint8_t body_shape[] = {TN_RECORD_OF(
    TN_TYPE, TN_IDENT, TN_NAME_BYTES_MAX,
    TN_FLEET, TN_UP_TO, TN_HASH,
    TN_SUBJECTS, TN_ARRAY, TN_WIRE_SUBJECTS_MAX, TN_OF(TN_IDENT, TN_NAME_BYTES_MAX),
    TN_VERSION, TN_UINT53,
    TN_ISSUED, TN_UINT53,
    TN_EXPIRES, TN_UINT53 | TN_OPTIONAL,
    TN_AUTHOR, TN_TUPLE | TN_OPTIONAL, 2, TN_OF(TN_NAME, TN_NAME_BYTES_MAX, TN_NAME, TN_NAME_BYTES_MAX),
    TN_OWN)};

bool tn_document_fits(tn_source body, tn_shape own)
{
    return tn_fits(body, body_shape, own);
}

bool tn_document_is_about(const tn_document *found, const char *subject)
{
    return tn_has(tn_at(found->body.bytes, TN_SUBJECTS), subject);
}

/* -- from bytes to a body that may be believed -- */

static bool is_typ(tn_item typ, const char *type)
{
    static const char prefix[] = "tocsin/";
    uint32_t head = sizeof(prefix) - 1u, length = tn_length(type); /* of a text of fewer than 24 bytes */
    return typ != NULL && *typ == (TN_CBOR_TEXT << 5) + head + length && tn_compare(typ + 1, prefix, head) == 0 &&
           tn_compare(typ + 1 + head, type, length) == 0;
}

/* Which keys of the root signed, and which did with what this device cannot check. */
static tn_reason verify(const tn_message *message, const tn_root *root, tn_signed *found)
{
    tn_signature signature;
    tn_fill(found, 0, sizeof(*found));
    for (uint32_t i = 0; tn_cose_signature(message, i, &signature); i++) {
        tn_reason reason = tn_root_take(root, message, &signature, found);
        if (reason != TN_OK) {
            return reason;
        }
    }
    if (found->by != 0u) {
        return TN_OK;
    }
    return found->passed != 0u ? TN_UNSUPPORTED : TN_UNKNOWN_KEY;
}

/* Hold all of the body against its shape, and compare every statement in it. */
static tn_reason understand(const tn_document *found, const uint8_t *fleet, const tn_expected *expected)
{
    tn_item body = found->body.bytes;
    if (found->body.length > expected->bytes_max) {
        return TN_TOO_BIG;
    }
    if (!tn_document_fits(found->body, expected->own)) {
        return TN_MALFORMED;
    }
    if (!tn_is(tn_at(body, TN_TYPE), expected->type)) {
        return TN_WRONG_TYPE;
    }
    tn_item its = tn_at(body, TN_FLEET);
    if (fleet != NULL ? !tn_is_hash(its, fleet) : tn_value(its) != 0u) {
        return TN_WRONG_FLEET;
    }
    bool about = expected->subject == NULL || tn_document_is_about(found, expected->subject);
    return about ? TN_OK : TN_WRONG_SUBJECT;
}

tn_reason tn_document_open(tn_source data, const tn_root *root, const uint8_t *fleet, const tn_expected *expected,
                           uint64_t now, tn_document *found)
{
    tn_message message;
    /* 1. Size, before anything is decoded. */
    if (data.length > expected->document_bytes_max) {
        return TN_TOO_BIG;
    }
    /* 2. Structure. Nothing unsigned: what the unprotected headers could carry would be anybody's words. */
    tn_reason reason = tn_cose_open(data, TN_COSE_SIGN, false, &message);
    if (reason == TN_OK && message.payload == NULL) {
        reason = TN_MALFORMED;
    }
    /* 3. Type, from the protected header: keeps one type's signature from serving another. */
    if (reason == TN_OK && !is_typ(tn_cose_typ(&message), expected->type)) {
        reason = TN_WRONG_TYPE;
    }
    /* 4. Signatures: at least one by a key of the root, and none of those may be wrong. */
    if (reason == TN_OK) {
        reason = verify(&message, root, &found->signers);
    }
    /* 5. Meaning: only now is the body read. */
    if (reason == TN_OK) {
        found->body = tn_string(message.payload);
        reason = understand(found, fleet, expected);
    }
    /* 6. Policy: enough different holders for every role of the row. */
    if (reason == TN_OK) {
        tn_item author = tn_at(found->body.bytes, TN_AUTHOR);
        found->signers.author[0] = tn_mark_of_item(tn_nth(author, 0));
        found->signers.author[1] = tn_mark_of_item(tn_nth(author, 1));
        found->row = tn_root_row(root, expected->type, expected->product);
        reason = tn_root_meets(root, found->row, &found->signers);
    }
    /* 7. Time. */
    tn_item expires = reason == TN_OK ? tn_at(found->body.bytes, TN_EXPIRES) : NULL;
    if (expected->expiring && expires != NULL && now >= tn_value(expires)) {
        reason = TN_EXPIRED;
    }
    if (reason == TN_OK) {
        tn_sha256_of(found->body.bytes, found->body.length, found->digest);
    }
    return reason;
}
