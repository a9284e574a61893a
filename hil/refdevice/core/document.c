/* Signed documents: genuine when the root's policy says so (keys/document.py). */
#include <stddef.h>

#include "policy.h"
#include "tocsin_limits.h"

/* -- what every body begins with (keys.root.Body) -- */

static bool read_subjects(tn_cbor *reader, tn_document *found)
{
    tn_source subject;
    if (!tn_cbor_array(reader, 0, TN_WIRE_SUBJECTS_MAX, &found->subject_count)) {
        return false;
    }
    uint32_t at = reader->at;
    for (uint32_t i = 0; i < found->subject_count; i++) {
        (void)tn_cbor_ident(reader, TN_NAME_BYTES_MAX, &subject);
    }
    found->subjects = tn_part(reader->in, at, reader->at - at);
    return !reader->bad;
}

static bool read_author(tn_cbor *reader, tn_author *author)
{
    uint32_t count;
    return tn_cbor_array(reader, 2, 2, &count) && tn_cbor_name(reader, TN_NAME_BYTES_MAX, &author->holder) &&
           tn_cbor_name(reader, TN_NAME_BYTES_MAX, &author->role);
}

/* Read the entry of one key; false: it is wrong, or the key is none of these. */
static bool read_entry(tn_cbor *reader, int32_t key, tn_document *found)
{
    switch (key) {
    case 1:
        return tn_cbor_ident(reader, TN_NAME_BYTES_MAX, &found->type);
    case 2:
        return tn_cbor_bytes(reader, 0, TN_HASH, &found->fleet);
    case 3:
        return read_subjects(reader, found);
    case 4:
        return tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &found->version);
    case 5:
        return tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &found->issued);
    case 6:
        found->has_expires = true;
        return tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &found->expires);
    default:
        return read_author(reader, &found->author);
    }
}

#define REQUIRED 5 /* keys 1 to 5; 6 and 7 may be missing */
#define COMMON 7

tn_reason tn_document_read(tn_source body, tn_document *found)
{
    tn_cbor reader;
    int32_t last = -1;
    found->has_expires = false;
    found->expires = 0;
    found->author = (tn_author){{NULL, 0}, {NULL, 0}};
    tn_cbor_open(&reader, body);
    if (!tn_cbor_map(&reader, REQUIRED, UINT32_MAX, &found->count)) {
        return TN_MALFORMED;
    }
    found->body = body;
    found->rest = reader.at;
    for (int32_t read = 0; found->count > 0u; read++) {
        if (!tn_cbor_key(&reader, &last)) {
            return TN_MALFORMED;
        }
        if (last > COMMON && read >= REQUIRED) {
            return TN_OK;
        }
        if ((read < REQUIRED && last != read + 1) || !read_entry(&reader, last, found)) {
            return TN_MALFORMED;
        }
        found->rest = reader.at;
        found->count--;
    }
    return TN_OK;
}

bool tn_document_is_about(const tn_document *found, const char *subject)
{
    tn_cbor reader;
    tn_source item;
    bool about = false;
    tn_cbor_open(&reader, found->subjects);
    while (!about && tn_cbor_text(&reader, 1, TN_NAME_BYTES_MAX, &item)) {
        about = tn_same(item, tn_bytes_of(subject));
    }
    return about;
}

/* -- from bytes to a body that may be believed -- */

static bool is_typ(tn_source typ, const char *type)
{
    static const char prefix[] = "?tocsin/"; /* behind the head of a text of fewer than 24 bytes */
    uint8_t head[sizeof(prefix) - 1u];
    uint32_t length = tn_length(type);
    tn_copy(head, prefix, sizeof(head));
    head[0] = (uint8_t)(0x60u + sizeof(head) - 1u + length);
    return typ.length == sizeof(head) + length && tn_equals(tn_part(typ, 0, sizeof(head)), head, sizeof(head)) &&
           tn_equals(tn_part(typ, sizeof(head), length), type, length);
}

/* Which keys of the root signed, and which did with what this device cannot check. */
static tn_reason verify(const tn_message *message, const tn_root *root, tn_signers *signed_by, tn_signers *passed)
{
    tn_cbor reader;
    tn_signature signature;
    *signed_by = 0;
    *passed = 0;
    tn_cbor_open(&reader, message->signatures);
    for (uint32_t i = 0; i < message->count; i++) {
        (void)tn_cose_next(message, &reader, &signature);
        int32_t key = tn_root_key(root, signature.kid);
        if (key < 0 || (*signed_by >> key & 1u) != 0u) {
            continue; /* of an unknown key: passed over, not refused */
        }
        tn_reason reason = tn_root_verify(root, (uint32_t)key, message, &signature, message->payload);
        if (reason == TN_UNSUPPORTED) {
            *passed |= (tn_signers)1 << key;
        } else if (reason == TN_OK) {
            *signed_by |= (tn_signers)1 << key;
        } else {
            return reason;
        }
    }
    if (*signed_by != 0u) {
        return TN_OK;
    }
    return *passed != 0u ? TN_UNSUPPORTED : TN_UNKNOWN_KEY;
}

/* Read all of the body, and compare every statement in it. */
static tn_reason understand(tn_source body, const uint8_t *fleet, const tn_expected *expected, tn_document *found)
{
    tn_cbor reader;
    if (body.length > expected->bytes_max) {
        return TN_TOO_BIG;
    }
    tn_reason reason = tn_document_read(body, found);
    if (reason != TN_OK) {
        return reason;
    }
    tn_cbor_open(&reader, tn_part(body, found->rest, body.length - found->rest));
    reason = expected->shape(&reader, found->count);
    if (reason != TN_OK) {
        return reason;
    }
    if (!tn_cbor_ended(&reader)) {
        return TN_MALFORMED;
    }
    if (!tn_same(found->type, tn_bytes_of(expected->type))) {
        return TN_WRONG_TYPE;
    }
    if (!tn_equals(found->fleet, fleet, fleet != NULL ? TN_HASH : 0u)) {
        return TN_WRONG_FLEET;
    }
    bool about = expected->subject == NULL || tn_document_is_about(found, expected->subject);
    return about ? TN_OK : TN_WRONG_SUBJECT;
}

tn_reason tn_document_open(tn_source data, const tn_root *root, const uint8_t *fleet, const tn_expected *expected,
                           tn_document *found)
{
    tn_message message;
    tn_signers passed;
    /* 1. Size, before anything is decoded. */
    if (data.length > expected->document_bytes_max) {
        return TN_TOO_BIG;
    }
    /* 2. Structure. Nothing unsigned: what the unprotected headers could carry would be anybody's words. */
    tn_reason reason = tn_cose_open(data, TN_COSE_SIGN, false, &message);
    if (reason == TN_OK && !message.attached) {
        reason = TN_MALFORMED;
    }
    /* 3. Type, from the protected header: keeps one type's signature from serving another. */
    if (reason == TN_OK && !is_typ(message.typ, expected->type)) {
        reason = TN_WRONG_TYPE;
    }
    /* 4. Signatures: at least one by a key of the root, and none of those may be wrong. */
    if (reason == TN_OK) {
        reason = verify(&message, root, &found->signed_by, &passed);
    }
    /* 5. Meaning: only now is the body read. */
    if (reason == TN_OK) {
        reason = understand(message.payload, fleet, expected, found);
    }
    /* 6. Policy: enough different holders for every role of the row. */
    if (reason == TN_OK) {
        tn_source product = tn_bytes_of(expected->product != NULL ? expected->product : expected->subject);
        reason = tn_root_meets(root, tn_bytes_of(expected->type), product, found->signed_by, passed, &found->author);
    }
    /* 7. Time. */
    if (reason == TN_OK && expected->expiring && found->has_expires && expected->now >= found->expires) {
        reason = TN_EXPIRED;
    }
    if (reason == TN_OK) {
        tn_sha256_of(found->body, found->digest);
    }
    return reason;
}
