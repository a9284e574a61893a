/* Envelopes: all of what is found lies within the message, and the signatures are as many as were counted. */
#include "fuzz.h"
#include "trust.h"

static void within(tn_source part, tn_source whole)
{
    HOLDS(part.length == 0u || (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length));
}

static void opened(tn_source in, uint32_t tag, bool unprotected)
{
    tn_message message;
    if (tn_cose_open(in, tag, unprotected, &message) != TN_OK) {
        return;
    }
    within(message.header, in);
    within(message.typ, message.header);
    within(message.payload, in);
    within(message.signatures, in);
    HOLDS(message.attached || message.payload.length == 0u);
    HOLDS(unprotected || !message.unprotected);
    HOLDS(message.count >= 1u && message.count <= TN_SIGNATURES_MAX);
    tn_cbor reader;
    tn_cbor_open(&reader, message.signatures);
    for (uint32_t i = 0; i < message.count; i++) {
        static const uint8_t key[TN_PUBLIC] = {3};
        tn_signature signature;
        HOLDS(tn_cose_next(&message, &reader, &signature) == TN_OK);
        within(signature.header, in);
        within(signature.value, in);
        within(signature.kid, signature.header);
        HOLDS(i > 0u || tn_cose_check(&message, &signature, key, message.payload) != TN_OK);
    }
    HOLDS(tag == TN_COSE_SIGN1 || tn_cbor_ended(&reader));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tn_source in = fuzz_staged(data, size);
    opened(in, TN_COSE_SIGN, false);
    opened(in, TN_COSE_SIGN, true);
    opened(in, TN_COSE_SIGN1, true);
    return 0;
}
