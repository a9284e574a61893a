/* COSE_Sign and COSE_Sign1 (RFC 9052, section 4): structure and signature checks, no policy (keys/cose.py). */
#include "trust.h"
#include "tocsin_states.h"

#include <stddef.h>

#define HEADER_BYTES_MAX 512u

#define EMPTY_MAP 0xA0u
static const uint8_t nothing[] = {0x40}; /* an empty byte string */

#define ED25519 0x32u /* -19, as it is encoded */

/* Header labels (RFC 9052; RFC 9596), each a byte as it is encoded. */
enum { ALG = 1, CRIT = 2, KID = 4, TYP = 16 };
#define LABELS (1u << TN_CBOR_UINT | 1u << TN_CBOR_NINT | 1u << TN_CBOR_TEXT)

#define HEADERS TN_UP_TO, TN_ALL, TN_MAP, TN_ALL, TN_OF(TN_ANY, TN_ANY) /* protected ones, and those that are not */
#define PAYLOAD TN_UP_TO | TN_OR_NULL, TN_ALL
#define SIGNATURE TN_UP_TO, TN_ALL
#define SIGNER TN_TUPLE, 3, TN_OF(HEADERS, SIGNATURE)
static const uint8_t sign_shape[] = {
    TN_TAG, TN_COSE_SIGN,
    TN_OF(TN_TUPLE, 4, TN_OF(HEADERS, PAYLOAD, TN_ARRAY | TN_SOME, TN_SIGNATURES_MAX, TN_OF(SIGNER)))};
static const uint8_t sign1_shape[] = {TN_TAG, TN_COSE_SIGN1, TN_OF(TN_TUPLE, 4, TN_OF(HEADERS, PAYLOAD, SIGNATURE))};

/* What a checked header says under a label; NULL: nothing. */
static tn_item said(tn_item header, uint32_t label)
{
    return tn_value(header) != 0u ? tn_at(tn_first(header), label) : NULL;
}

/* Every critical header must be one that is understood, and there. */
static tn_reason check_critical(tn_item header)
{
    tn_item critical = said(header, CRIT), label;
    if (critical != NULL && (tn_kind(critical) != TN_CBOR_ARRAY || tn_value(critical) == 0u)) {
        return TN_MALFORMED;
    }
    for (uint32_t i = 0; (label = tn_nth(critical, i)) != NULL; i++) {
        bool known = *label == ALG || *label == CRIT || *label == KID || *label == TYP;
        if (!known || said(header, *label) == NULL) {
            return TN_UNSUPPORTED;
        }
    }
    return TN_OK;
}

static tn_reason check_header(tn_item header)
{
    tn_source map = tn_string(header);
    tn_item label;
    if (map.length > HEADER_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    if (map.length == 0u) {
        return TN_OK;
    }
    if (!tn_fits(map, tn_any, NULL) || tn_kind(map.bytes) != TN_CBOR_MAP) {
        return TN_MALFORMED;
    }
    for (uint32_t i = 0; (label = tn_nth(map.bytes, i)) != NULL; i += 2u) {
        if (!TN_IN(LABELS, tn_kind(label))) {
            return TN_MALFORMED;
        }
    }
    return check_critical(header);
}

/* Check a protected header, and see whether something stands in the other one behind it. */
static tn_reason check_headers(tn_item header, bool unprotected, tn_message *message)
{
    message->bare = message->bare && *tn_behind(header) == EMPTY_MAP;
    return message->bare || unprotected ? check_header(header) : TN_MALFORMED;
}

tn_reason tn_cose_open(tn_source data, uint32_t tag, bool unprotected, tn_message *message)
{
    message->many = tag == TN_COSE_SIGN;
    message->bare = true;
    if (!tn_fits(data, message->many ? sign_shape : sign1_shape, NULL)) {
        return TN_MALFORMED;
    }
    tn_item all = tn_first(data.bytes), payload = tn_nth(all, 2), one;
    message->header = tn_first(all);
    message->payload = *payload != TN_CBOR_NULL ? payload : NULL;
    message->signatures = tn_behind(payload);
    tn_reason reason = check_headers(message->header, unprotected, message);
    for (uint32_t i = 0; message->many && reason == TN_OK && (one = tn_nth(message->signatures, i)) != NULL; i++) {
        reason = check_headers(tn_first(one), unprotected, message);
    }
    return reason;
}

bool tn_cose_signature(const tn_message *message, uint32_t number, tn_signature *signature)
{
    tn_item one = message->signatures;
    signature->header = message->header;
    signature->value = one;
    if (message->many) {
        one = tn_nth(one, number);
        if (one == NULL) {
            return false;
        }
        signature->header = tn_first(one);
        signature->value = tn_nth(one, 2);
    }
    return true;
}

tn_item tn_cose_typ(const tn_message *message)
{
    return said(message->header, TYP);
}

tn_item tn_cose_kid(const tn_signature *signature)
{
    return said(signature->header, KID);
}

/* A header as it is signed: an empty map stands for the empty string (RFC 9052, section 3). */
static tn_source signed_form(tn_item header)
{
    return tn_whole(tn_value(header) == 1u ? nothing : header);
}

tn_reason tn_cose_check(const tn_message *message, const tn_signature *signature, const uint8_t key[TN_PUBLIC])
{
    static const char sign[] = "\x85\x69Signature", sign1[] = "\x84\x6aSignature1";
    static const tn_source none = {nothing, sizeof(nothing)};
    tn_item algorithm = said(signature->header, ALG);
    if (algorithm == NULL || *algorithm != ED25519) {
        return TN_ALGORITHM_MISMATCH;
    }
    if (tn_value(signature->value) != TN_SIGNATURE) {
        return TN_BAD_SIGNATURE;
    }
    /* What is signed: body's header, signer's header, nothing besides, payload (RFC 9052, section 4.4). */
    tn_source parts[7] = {
        {NULL, 0}, {NULL, 0}, tn_bytes_of(message->many ? sign : sign1), signed_form(message->header),
        {NULL, 0}, none,      tn_whole(message->payload)};
    if (message->many) {
        parts[4] = signed_form(signature->header);
    }
    return tn_ed25519_check(key, tn_first(signature->value), parts, 7) ? TN_OK : TN_BAD_SIGNATURE;
}
