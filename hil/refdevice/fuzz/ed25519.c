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
    tn_source parts[2] = {tn_part(rest, 0, half), tn_part(rest, half, rest.length - half)};
    bool good = tn_ed25519_check(key, signature, parts, 2);
    HOLDS(!good || tn_ed25519_is_key(key));
    HOLDS(good == tn_ed25519_check(key, signature, &rest, 1));

    uint8_t own[TN_PUBLIC];
    uint8_t made[TN_SIGNATURE];
    tn_ed25519_public(key, own);
    tn_ed25519_sign(key, parts, 2, made);
    HOLDS(tn_ed25519_check(own, made, &rest, 1));
    made[signature[0] % TN_SIGNATURE] ^= 1u;
    HOLDS(!tn_ed25519_check(own, made, &rest, 1));
    return 0;
}
