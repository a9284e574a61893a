/* COSE_Sign and COSE_Sign1 (RFC 9052, section 4): structure and signature checks, no policy (keys/cose.py). */
#include "trust.h"

#include <stddef.h>

#define HEADER_BYTES_MAX 512u
#define EMPTY_MAP_BYTES 1u

/* Header labels: alg, crit, kid (RFC 9052) and typ (RFC 9596), each as it is encoded. */
enum { ALG, CRIT, KID, TYP, LABELS };
static const uint8_t labels[LABELS] = {1, 2, 4, 16};

typedef struct {
    tn_source value[LABELS]; /* as encoded; empty: not there */
} header;

static uint32_t label_of(tn_source item)
{
    uint32_t i = 0;
    while (i < LABELS && !tn_equals(item, &labels[i], 1)) {
        i++;
    }
    return i;
}

/* Every critical header must be one that is understood, and there. */
static tn_reason check_critical(const header *found)
{
    tn_cbor reader;
    uint32_t count;
    if (found->value[CRIT].length == 0u) {
        return TN_OK;
    }
    tn_cbor_open(&reader, found->value[CRIT]);
    if (!tn_cbor_array(&reader, 1, HEADER_BYTES_MAX, &count)) {
        return TN_MALFORMED;
    }
    for (; count > 0u; count--) {
        tn_source item;
        uint32_t label = tn_cbor_skip(&reader, &item) ? label_of(item) : LABELS;
        if (label == LABELS || found->value[label].length == 0u) {
            return TN_UNSUPPORTED;
        }
    }
    return TN_OK;
}

static tn_reason read_header(tn_source bytes, header *found)
{
    tn_cbor reader;
    uint32_t count;
    tn_fill(found, 0, sizeof(*found));
    if (bytes.length > HEADER_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    if (bytes.length == 0u) {
        return TN_OK;
    }
    tn_cbor_open(&reader, bytes);
    if (!tn_cbor_skip(&reader, NULL) || !tn_cbor_ended(&reader)) {
        return TN_MALFORMED;
    }
    tn_cbor_open(&reader, bytes);
    if (!tn_cbor_map(&reader, 0, HEADER_BYTES_MAX, &count)) {
        return TN_MALFORMED;
    }
    for (; count > 0u; count--) {
        tn_source label, value;
        if (tn_cbor_peek(&reader) == TN_CBOR_BYTES) {
            return TN_MALFORMED;
        }
        (void)tn_cbor_skip(&reader, &label);
        (void)tn_cbor_skip(&reader, &value);
        uint32_t number = label_of(label);
        if (number < LABELS) {
            found->value[number] = value;
        }
    }
    return check_critical(found);
}

/* Begin an array of `size` items: the protected header, and past the unprotected one. */
static bool headers(tn_cbor *reader, uint32_t size, tn_source *bytes, bool *unprotected)
{
    uint32_t count;
    tn_source item;
    if (!tn_cbor_array(reader, size, size, &count) || !tn_cbor_bytes(reader, 0, UINT32_MAX, bytes)) {
        return false;
    }
    bool map = tn_cbor_peek(reader) == TN_CBOR_MAP;
    if (!tn_cbor_skip(reader, &item) || !map) {
        return false;
    }
    *unprotected = *unprotected || item.length > EMPTY_MAP_BYTES;
    return true;
}

static tn_reason name_signer(tn_signature *signature)
{
    header found;
    tn_reason reason = read_header(signature->header, &found);
    signature->alg = found.value[ALG];
    signature->kid = found.value[KID];
    return reason;
}

/* Read one signature of a COSE_Sign: its place, and what its header says. */
static tn_reason next_signer(tn_cbor *reader, bool allowed, bool *unprotected, tn_signature *signature)
{
    if (!headers(reader, 3, &signature->header, unprotected) || (*unprotected && !allowed) ||
        !tn_cbor_bytes(reader, 0, UINT32_MAX, &signature->value)) {
        return TN_MALFORMED;
    }
    return name_signer(signature);
}

tn_reason tn_cose_next(const tn_message *message, tn_cbor *reader, tn_signature *signature)
{
    bool unprotected = false;
    tn_fill(signature, 0, sizeof(*signature));
    if (message->tag == TN_COSE_SIGN) {
        return next_signer(reader, true, &unprotected, signature);
    }
    signature->header = message->header;
    if (!tn_cbor_bytes(reader, 0, UINT32_MAX, &signature->value)) {
        return TN_MALFORMED;
    }
    return name_signer(signature);
}

/* Tag, body header and payload: what both kinds begin with. */
static bool begin(tn_cbor *reader, bool unprotected, tn_message *message)
{
    if (!tn_cbor_tag(reader, message->tag) || !headers(reader, 4, &message->header, &message->unprotected) ||
        (message->unprotected && !unprotected)) {
        return false;
    }
    message->attached = tn_cbor_peek(reader) != TN_CBOR_SIMPLE;
    return message->attached ? tn_cbor_bytes(reader, 0, UINT32_MAX, &message->payload) : tn_cbor_null(reader);
}

tn_reason tn_cose_open(tn_source data, uint32_t tag, bool unprotected, tn_message *message)
{
    tn_cbor reader;
    header found;
    tn_signature signature;
    tn_fill(message, 0, sizeof(*message));
    message->tag = tag;
    message->count = 1;
    tn_cbor_open(&reader, data);
    if (!begin(&reader, unprotected, message)) {
        return TN_MALFORMED;
    }
    uint32_t at = reader.at;
    /* Of a COSE_Sign1 the signature comes before anything is said of its header. */
    if (tag == TN_COSE_SIGN1 && !tn_cbor_bytes(&reader, 0, UINT32_MAX, &signature.value)) {
        return TN_MALFORMED;
    }
    tn_reason reason = read_header(message->header, &found);
    message->typ = found.value[TYP];
    if (reason == TN_OK && tag == TN_COSE_SIGN) {
        if (!tn_cbor_array(&reader, 1, TN_SIGNATURES_MAX, &message->count)) {
            return TN_MALFORMED;
        }
        at = reader.at;
        for (uint32_t i = 0; i < message->count && reason == TN_OK; i++) {
            reason = next_signer(&reader, unprotected, &message->unprotected, &signature);
        }
    }
    if (reason == TN_OK && !tn_cbor_ended(&reader)) {
        reason = TN_MALFORMED;
    }
    message->signatures = tn_part(data, at, reader.at - at);
    return reason;
}

/* An empty map stands for the empty string (RFC 9052, section 3). */
static tn_source canonical(tn_source bytes)
{
    return bytes.length == EMPTY_MAP_BYTES ? tn_part(bytes, 0, 0) : bytes;
}

tn_reason tn_cose_check(const tn_message *message, const tn_signature *signature, const uint8_t key[TN_PUBLIC],
                        tn_source payload)
{
    static const char sign[] = "\x85\x69Signature", sign1[] = "\x84\x6aSignature1";
    static const uint8_t ed25519[] = {0x32}; /* -19 */
    uint8_t value[TN_SIGNATURE], heads[32];
    tn_writer to = {heads, sizeof(heads), 0};
    tn_source body = canonical(message->header);
    tn_source signer = canonical(signature->header);
    bool many = message->tag == TN_COSE_SIGN;
    if (!tn_equals(signature->alg, ed25519, 1)) {
        return TN_ALGORITHM_MISMATCH;
    }
    if (signature->value.length != TN_SIGNATURE) {
        return TN_BAD_SIGNATURE;
    }
    tn_read(signature->value, 0, value, TN_SIGNATURE);
    tn_put_raw(&to, many ? sign : sign1, many ? sizeof(sign) - 1u : sizeof(sign1) - 1u);
    tn_put_bytes_head(&to, body.length);
    uint32_t first = to.length;
    if (many) {
        tn_put_bytes_head(&to, signer.length);
    } else {
        signer.length = 0;
    }
    uint32_t second = to.length;
    tn_put_bytes_head(&to, 0); /* nothing besides is signed */
    tn_put_bytes_head(&to, payload.length);
    tn_source said = tn_in_memory(heads, to.length);
    tn_source parts[] = {tn_part(said, 0, first), body, tn_part(said, first, second - first), signer,
                         tn_part(said, second, to.length - second), payload};
    return tn_ed25519_check(key, value, parts, sizeof(parts) / sizeof(*parts)) ? TN_OK : TN_BAD_SIGNATURE;
}
