/* COSE_Sign and COSE_Sign1 (RFC 9052, section 4): structure and signature checks, no policy (keys/cose.py). */
#include "trust.h"

#include <stddef.h>

#define HEADER_BYTES_MAX 512u
#define EMPTY_MAP 0xA0u
#define ALL 0xFFFFu /* bytes: the size of the whole is the caller's */

/* Header labels (RFC 9052; RFC 9596), each a byte as it is encoded. */
enum { ALG = 1, CRIT = 2, KID = 4, TYP = 16 };

#define HEADERS TN_UP_TO, TN_ALL, TN_MAP, TN_ALL, TN_OF(TN_ANY, TN_ANY) /* protected ones, and those that are not */
#define PAYLOAD TN_UP_TO | TN_OR_NULL, TN_ALL
#define SIGNATURE TN_UP_TO, TN_ALL
#define SIGNER TN_TUPLE, 3, TN_OF(HEADERS, SIGNATURE)
static const uint8_t sign_shape[] = {
    TN_TAG, TN_COSE_SIGN,
    TN_OF(TN_TUPLE, 4, TN_OF(HEADERS, PAYLOAD, TN_ARRAY | TN_SOME, TN_SIGNATURES_MAX, TN_OF(SIGNER)))};
static const uint8_t sign1_shape[] = {TN_TAG, TN_COSE_SIGN1, TN_OF(TN_TUPLE, 4, TN_OF(HEADERS, PAYLOAD, SIGNATURE))};

/* What a checked header says under a label; NULL: nothing. */
static tn_item said(tn_source header, uint32_t label)
{
    return header.length != 0u ? tn_at(header.bytes, label) : NULL;
}

/* Every critical header must be one that is understood, and there. */
static tn_reason check_critical(tn_source header)
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

static tn_reason check_header(tn_source header)
{
    tn_item label;
    if (header.length > HEADER_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    if (header.length == 0u) {
        return TN_OK;
    }
    if (!tn_fits(header, tn_any, NULL) || tn_kind(header.bytes) != TN_CBOR_MAP) {
        return TN_MALFORMED;
    }
    for (uint32_t i = 0; (label = tn_nth(header.bytes, i)) != NULL; i += 2u) {
        if (tn_kind(label) == TN_CBOR_BYTES) {
            return TN_MALFORMED;
        }
    }
    return check_critical(header);
}

tn_reason tn_cose_open(tn_source data, uint32_t tag, bool unprotected, tn_message *message)
{
    bool many = tag == TN_COSE_SIGN;
    if (!tn_fits(data, many ? sign_shape : sign1_shape, NULL)) {
        return TN_MALFORMED;
    }
    tn_item all = tn_first(data.bytes), payload = tn_nth(all, 2), one;
    message->header = tn_string(tn_nth(all, 0));
    message->payload = (tn_source){NULL, 0};
    if (*payload != TN_CBOR_NULL) {
        message->payload = tn_string(payload);
    }
    message->signatures = tn_nth(all, 3);
    message->many = many;
    message->bare = *tn_nth(all, 1) == EMPTY_MAP;
    tn_reason reason = message->bare || unprotected ? check_header(message->header) : TN_MALFORMED;
    for (uint32_t i = 0; many && reason == TN_OK && (one = tn_nth(message->signatures, i)) != NULL; i++) {
        message->bare = message->bare && *tn_nth(one, 1) == EMPTY_MAP;
        reason = message->bare || unprotected ? check_header(tn_string(tn_nth(one, 0))) : TN_MALFORMED;
    }
    return reason;
}

bool tn_cose_signature(const tn_message *message, uint32_t number, tn_signature *signature)
{
    tn_item one = message->many ? tn_nth(message->signatures, number) : message->signatures;
    if (one == NULL) {
        return false;
    }
    signature->header = message->many ? tn_string(tn_nth(one, 0)) : message->header;
    signature->value = tn_string(message->many ? tn_nth(one, 2) : one);
    return true;
}

tn_source tn_cose_typ(const tn_message *message)
{
    return tn_whole(said(message->header, TYP));
}

tn_source tn_cose_kid(const tn_signature *signature)
{
    return tn_whole(said(signature->header, KID));
}

tn_reason tn_cose_check(const tn_message *message, const tn_signature *signature, const uint8_t key[TN_PUBLIC],
                        tn_source payload)
{
    static const char sign[] = "\x85\x69Signature", sign1[] = "\x84\x6aSignature1";
    static const uint8_t ed25519 = 0x32; /* -19 */
    /* What is signed: body's header, signer's header, nothing besides, payload (RFC 9052, section 4.4). */
    tn_source said_of[] = {message->header, signature->header, {NULL, 0}, payload};
    tn_source parts[11] = {{NULL, 0}, {NULL, 0}, {(const uint8_t *)sign, sizeof(sign) - 1u}};
    uint8_t heads[16];
    uint32_t count = 3;
    if (!tn_equals(tn_whole(said(signature->header, ALG)), &ed25519, 1)) {
        return TN_ALGORITHM_MISMATCH;
    }
    if (signature->value.length != TN_SIGNATURE) {
        return TN_BAD_SIGNATURE;
    }
    if (!message->many) {
        parts[2] = (tn_source){(const uint8_t *)sign1, sizeof(sign1) - 1u};
    }
    tn_write_to(heads, sizeof(heads));
    for (uint32_t i = 0; i < 4u; i++) {
        if (i == 1u && !message->many) {
            continue;
        }
        if (i < 2u && said_of[i].length == 1u) { /* an empty map stands for the empty string (RFC 9052, section 3) */
            said_of[i].length = 0;
        }
        parts[count].bytes = heads + tn_written.length;
        tn_put_bytes_head(said_of[i].length);
        parts[count].length = (uint32_t)(heads + tn_written.length - parts[count].bytes);
        parts[count + 1u] = said_of[i];
        count += 2u;
    }
    return tn_ed25519_check(key, signature->value.bytes, parts, count) ? TN_OK : TN_BAD_SIGNATURE;
}
