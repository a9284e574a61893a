/* Signatures, keys and hashes of any bytes: nothing overflows, and what a key signs it also checks. */
#include "crypto.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 96u) {
        return 0;
    }
    const uint8_t *key = data;
    const uint8_t *signature = data + 32;
    tn_source rest = fuzz_staged(data + 96, size - 96u);
    uint32_t half = rest.length / 2u;
    /* the first two are of use to the callee alone */
    tn_source parts[4] = {rest, rest, tn_part(rest, 0, half), tn_part(rest, half, rest.length - half)};
    tn_source whole[3] = {rest, rest, rest};
    bool good = tn_ed25519_check(key, signature, parts, 4);
    HOLDS(!good || tn_ed25519_is_key(key));
    HOLDS(good == tn_ed25519_check(key, signature, whole, 3));

    uint8_t own[TN_PUBLIC];
    uint8_t made[TN_SIGNATURE];
    tn_ed25519_public(key, own);
    tn_ed25519_sign(key, parts, 4, made);
    HOLDS(tn_ed25519_check(own, made, whole, 3));
    made[signature[0] % TN_SIGNATURE] ^= 1u;
    HOLDS(!tn_ed25519_check(own, made, whole, 3));
    return 0;
}
