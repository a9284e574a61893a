/* Envelopes: all of what is found lies within the message, and the signatures are as many as were counted. */
#include "fuzz.h"
#include "trust.h"

static void within(tn_source part, tn_source whole)
{
    HOLDS(part.length == 0u || (part.bytes >= whole.bytes && part.bytes + part.length <= whole.bytes + whole.length));
}

static void opened(tn_source in, uint32_t tag, bool unprotected)
{
    static const uint8_t key[TN_PUBLIC] = {3};
    tn_message message;
    tn_signature signature;
    uint32_t count = 0;
    if (tn_cose_open(in, tag, unprotected, &message) != TN_OK) {
        return;
    }
    within(tn_whole(message.header), in);
    within(tn_whole(tn_cose_typ(&message)), tn_string(message.header));
    within(tn_whole(message.payload), in);
    within(tn_whole(message.signatures), in);
    for (; tn_cose_signature(&message, count, &signature); count++) {
        within(tn_whole(signature.header), in);
        within(tn_whole(signature.value), in);
        within(tn_whole(tn_cose_kid(&signature)), tn_string(signature.header));
        HOLDS(count > 0u || message.payload == NULL ||
              tn_cose_check(&message, &signature, key) != TN_OK);
        if (tag == TN_COSE_SIGN1) {
            break;
        }
    }
    HOLDS(count <= TN_SIGNATURES_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tn_source in = fuzz_staged(data, size);
    opened(in, TN_COSE_SIGN, false);
    opened(in, TN_COSE_SIGN, true);
    opened(in, TN_COSE_SIGN1, true);
    return 0;
}
