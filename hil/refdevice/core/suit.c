/* SUIT envelopes: who signed which manifest (advisories/suit/envelope.py, patch.py). */
#include "suit.h"

#define TAG_ENVELOPE 107u
#define AUTHENTICATION 2u
#define MANIFEST 3u
#define TEXT 23u
#define MEMBERS 0x0095C00Cu /* 2, 3, and what may be severed: 14, 15, 16, 18, 20, 23 */
#define NEEDED (1u << AUTHENTICATION | 1u << MANIFEST)
#define SHA256 (-16)
#define SIGN1_FIRST 0xD2u

static const uint8_t digest_head[4] = {0x82, 0x2F, 0x58, 0x20};

typedef struct {
    uint8_t signed_bytes[sizeof(digest_head) + TN_HASH];
    tn_signers signed_by, passed;
} signing;

tn_reason tn_suit_digest(tn_cbor *reader, tn_source *digest)
{
    uint32_t count;
    int64_t algorithm;
    if (!tn_cbor_array(reader, 2, 2, &count) || !tn_cbor_int(reader, &algorithm) ||
        !tn_cbor_bytes(reader, 0, UINT32_MAX, digest)) {
        return TN_MALFORMED;
    }
    if (algorithm != SHA256) {
        return TN_UNSUPPORTED;
    }
    return digest->length == TN_HASH ? TN_OK : TN_MALFORMED;
}

/* Read one member, or a payload, which comes behind all members. */
static tn_reason read_member(tn_cbor *reader, int32_t *last, tn_source *name, tn_envelope *envelope)
{
    tn_source content;
    tn_cbor_kind kind = tn_cbor_peek(reader);
    if (kind == TN_CBOR_TEXT) {
        envelope->beyond = true;
        return tn_cbor_text_key(reader, UINT32_MAX, name) && tn_cbor_bytes(reader, 0, UINT32_MAX, &content) ? TN_OK
                                                                                                        : TN_MALFORMED;
    }
    if (kind != TN_CBOR_UINT) {
        return tn_cbor_skip(reader, NULL) ? TN_UNSUPPORTED : TN_MALFORMED;
    }
    if (!tn_cbor_key(reader, last) || envelope->beyond) {
        return TN_MALFORMED;
    }
    if (*last > (int32_t)TEXT || !TN_IN(MEMBERS, *last)) {
        return TN_UNSUPPORTED;
    }
    uint32_t at = reader->at;
    if (!tn_cbor_bytes(reader, 0, UINT32_MAX, &content)) {
        return TN_MALFORMED;
    }
    tn_source whole = tn_part(reader->in, at, reader->at - at);
    envelope->members |= 1u << *last;
    if (*last == (int32_t)AUTHENTICATION) {
        envelope->wrapper = content;
    } else if (*last == (int32_t)MANIFEST) {
        envelope->manifest = content;
        envelope->whole = whole;
    } else if (*last == (int32_t)TEXT) {
        envelope->text = whole;
    }
    return TN_OK;
}

static tn_reason read_envelope(tn_source data, tn_envelope *envelope)
{
    tn_cbor reader;
    tn_source name = {0};
    int32_t last = -1;
    uint32_t count;
    tn_fill(envelope, 0, sizeof(*envelope));
    if (data.length > TN_PATCH_BYTES_MAX) {
        return TN_TOO_BIG;
    }
    tn_cbor_open(&reader, data);
    if (!tn_cbor_tag(&reader, TAG_ENVELOPE) || !tn_cbor_map(&reader, 0, UINT32_MAX, &count)) {
        return TN_MALFORMED;
    }
    for (; count > 0u; count--) {
        tn_reason reason = read_member(&reader, &last, &name, envelope);
        if (reason != TN_OK) {
            return reason;
        }
    }
    return tn_cbor_ended(&reader) && (envelope->members & NEEDED) == NEEDED ? TN_OK : TN_MALFORMED;
}

/* Read the authentication wrapper, up to its first block. */
static tn_reason read_wrapper(tn_cbor *reader, uint32_t *blocks, uint8_t digest[TN_HASH])
{
    tn_source content, value;
    tn_cbor inner;
    uint32_t count;
    if (!tn_cbor_array(reader, 1, TN_SIGNATURES_MAX + 1u, &count) || !tn_cbor_bytes(reader, 0, UINT32_MAX, &content)) {
        return TN_MALFORMED;
    }
    tn_cbor_open(&inner, content);
    tn_reason reason = tn_suit_digest(&inner, &value);
    if (reason != TN_OK) {
        return reason;
    }
    tn_read(value, 0, digest, TN_HASH);
    *blocks = count - 1u;
    return tn_cbor_ended(&inner) ? TN_OK : TN_MALFORMED;
}

/* All blocks are byte strings, and nothing follows them: that is seen before any signature is checked. */
static bool are_blocks(tn_cbor reader, uint32_t count)
{
    tn_source block;
    for (; count > 0u; count--) {
        (void)tn_cbor_bytes(&reader, 0, UINT32_MAX, &block);
    }
    return tn_cbor_ended(&reader);
}

static tn_reason check_block(tn_source block, signing *now)
{
    const tn_root *root = tn_trust_root();
    tn_message message;
    tn_signature signature;
    static tn_cbor reader; /* too much for the stack */
    uint8_t first;
    tn_read(block, 0, &first, 1);
    tn_cbor_open(&reader, block);
    if (first != SIGN1_FIRST) { /* of another kind: it is passed over, if it is well formed */
        bool tagged = tn_cbor_peek(&reader) == TN_CBOR_TAG;
        return tn_cbor_skip(&reader, NULL) && tn_cbor_ended(&reader) && tagged ? TN_OK : TN_MALFORMED;
    }
    tn_reason reason = tn_cose_open(block, TN_COSE_SIGN1, true, &message);
    int32_t key = -1;
    if (reason == TN_OK && tn_cose_signature(&message, 0, &signature)) {
        key = tn_root_key(root, tn_cose_kid(&signature));
    }
    if (key < 0) {
        return reason;
    }
    if (TN_IN(root->others, key)) {
        now->passed |= 1u << key;
        return TN_OK;
    }
    if (message.payload.bytes != NULL || !message.bare) {
        return TN_MALFORMED;
    }
    reason = tn_root_verify(root, (uint32_t)key, &message, &signature,
                            tn_in_memory(now->signed_bytes, sizeof(now->signed_bytes)));
    if (reason == TN_OK) {
        now->signed_by |= 1u << key;
    }
    return reason;
}

static tn_reason check_signatures(const tn_envelope *envelope, signing *now)
{
    static const tn_expected expected = {.type = "patch", .product = tn_maker.product};
    tn_cbor reader;
    uint32_t count = 0;
    tn_fill(now, 0, sizeof(*now));
    tn_copy(now->signed_bytes, digest_head, sizeof(digest_head));
    tn_cbor_open(&reader, envelope->wrapper);
    tn_reason reason = read_wrapper(&reader, &count, now->signed_bytes + sizeof(digest_head));
    if (reason == TN_OK && !are_blocks(reader, count)) {
        reason = TN_MALFORMED;
    }
    for (; reason == TN_OK && count > 0u; count--) {
        tn_source block;
        (void)tn_cbor_bytes(&reader, 0, UINT32_MAX, &block);
        reason = check_block(block, now);
    }
    if (reason != TN_OK) {
        return reason;
    }
    if (now->signed_by == 0u) {
        return now->passed != 0u ? TN_UNSUPPORTED : TN_UNKNOWN_KEY;
    }
    return tn_root_meets(tn_trust_root(), tn_root_row(tn_trust_root(), &expected), now->signed_by, now->passed, NULL);
}

tn_reason tn_suit_open(tn_source data, tn_manifest *manifest)
{
    static tn_envelope envelope; /* these two are too much for the stack */
    static signing now;
    tn_fill(manifest, 0, sizeof(*manifest));
    tn_reason reason = read_envelope(data, &envelope);
    if (reason == TN_OK) {
        reason = check_signatures(&envelope, &now);
    }
    if (reason != TN_OK) {
        return reason;
    }
    tn_sha256_of(envelope.whole, manifest->digest);
    if (tn_compare(manifest->digest, now.signed_bytes + sizeof(digest_head), TN_HASH) != 0) {
        return TN_DIGEST_MISMATCH;
    }
    return tn_suit_manifest(&envelope, manifest);
}
