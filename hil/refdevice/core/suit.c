/* SUIT envelopes: who signed which manifest (advisories/suit/envelope.py, patch.py). */
#include "suit.h"

#define ENVELOPE 107u
#define SIGN1_FIRST 0xD2u

/* The digest stands in the first of these byte strings, a signature of it in each of the others. */
static const uint8_t envelope[] = {TN_TAG, ENVELOPE, TN_OF(TN_RECORD_OF(
    TN_SUIT_AUTHENTICATION, TN_INSIDE, TN_ALL,
    TN_OF(TN_ARRAY | TN_SOME, TN_SIGNATURES_MAX + 1u, TN_OF(TN_UP_TO, TN_ALL)),
    TN_SUIT_MANIFEST, TN_UP_TO, TN_ALL,
    TN_SUIT_TEXT, TN_UP_TO | TN_OPTIONAL, TN_ALL))};
static const uint8_t digest_shape[] = {TN_SUIT_DIGEST};

bool tn_suit_names(tn_item digest, tn_item member)
{
    return tn_hashes_to(member, (uint32_t)(tn_behind(member) - member), digest + TN_SUIT_DIGEST_HEAD);
}

tn_reason tn_suit_fits(tn_source bytes, tn_shape shape, tn_shape own)
{
    if (tn_fits(bytes, shape, own)) {
        return TN_OK;
    }
    return tn_beyond ? TN_UNSUPPORTED : TN_MALFORMED;
}

static tn_reason check_block(tn_item block, tn_item stated, tn_signed *found)
{
    tn_source bytes = tn_string(block);
    tn_message message;
    tn_signature signature;
    tn_signed one = {.by = 0};
    if (*bytes.bytes != SIGN1_FIRST) { /* of another kind: it is passed over, if it is well formed */
        return tn_fits(bytes, tn_any, NULL) && tn_kind(bytes.bytes) == TN_CBOR_TAG ? TN_OK : TN_MALFORMED;
    }
    tn_reason reason = tn_cose_open(bytes, TN_COSE_SIGN1, true, &message);
    if (reason != TN_OK) {
        return reason;
    }
    (void)tn_cose_signature(&message, 0, &signature); /* it has one, which is checked even if that key has signed */
    message.bare = message.bare && message.payload == NULL;
    message.payload = stated;
    reason = tn_root_take(tn_trust_root(), &message, &signature, &one);
    found->by |= one.by;
    found->passed |= one.passed;
    return reason;
}

static tn_reason check_signatures(tn_item blocks)
{
    tn_signed found = {.by = 0};
    tn_item one;
    for (uint32_t i = 1; (one = tn_nth(blocks, i)) != NULL; i++) {
        tn_reason reason = check_block(one, tn_first(blocks), &found);
        if (reason != TN_OK) {
            return reason;
        }
    }
    if (found.by == 0u) {
        return found.passed != 0u ? TN_UNSUPPORTED : TN_UNKNOWN_KEY;
    }
    return tn_root_meets(tn_trust_root(), tn_root_row(tn_trust_root(), "patch", tn_maker.product), &found);
}

tn_reason tn_suit_open(tn_source data, tn_manifest *manifest)
{
    if (data.length > TN_PATCH_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    tn_reason reason = tn_suit_fits(data, envelope, NULL);
    if (reason != TN_OK) {
        return reason;
    }
    tn_item members = tn_first(data.bytes), blocks = tn_first_at(members, TN_SUIT_AUTHENTICATION);
    tn_source stated = tn_string(tn_first(blocks)); /* its bytes are what was signed */
    reason = tn_suit_fits(stated, digest_shape, NULL);
    if (reason == TN_OK) {
        reason = check_signatures(blocks);
    }
    if (reason != TN_OK) {
        return reason;
    }
    manifest->digest = stated.bytes + TN_SUIT_DIGEST_HEAD;
    bool named = tn_suit_names(stated.bytes, tn_at(members, TN_SUIT_MANIFEST));
    return named ? tn_suit_manifest(members, manifest) : TN_DIGEST_MISMATCH;
}
