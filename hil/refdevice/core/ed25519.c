#include "crypto.h"
#include "curve.h"
#include "monocypher.h"

/* y of the four points of order 8, little-endian: the other four of low order have y = 0, 1 and p - 1. */
static const uint8_t order_8[2][TN_PUBLIC] = {
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
};

bool tn_ed25519_is_key(const uint8_t key[TN_PUBLIC])
{
    uint8_t y[TN_PUBLIC];
    tn_copy(y, key, TN_PUBLIC);
    y[31] &= 0x7Fu;
    uint8_t any = y[31]; /* bits set in the bytes above the lowest */
    uint8_t all = y[31] | 0x80u;
    for (uint32_t i = 1; i < 31u; i++) {
        any |= y[i];
        all &= y[i];
    }
    if (any == 0u && y[0] <= 1u) {
        return false;
    }
    if (all == 0xFFu && y[0] >= 0xECu) { /* p - 1, and what is not below p */
        return false;
    }
    return tn_compare(y, order_8[0], TN_PUBLIC) != 0 && tn_compare(y, order_8[1], TN_PUBLIC) != 0;
}

/* SHA-512 of up to two short strings and the parts, modulo L. Apart from its callers, whose stack the curve needs. */
static void hash_to_scalar(const uint8_t *one, const uint8_t *two, const tn_source *parts, uint32_t count,
                           uint8_t scalar[32])
{
    tn_sha512 hash;
    uint8_t digest[64];
    tn_sha512_begin(&hash);
    tn_sha512_add(&hash, one, 32);
    tn_sha512_add(&hash, two, two == NULL ? 0u : 32u);
    for (uint32_t i = 0; i < count; i++) {
        tn_sha512_add_source(&hash, parts[i]);
    }
    tn_sha512_end(&hash, digest);
    crypto_eddsa_reduce(scalar, digest);
}

bool tn_ed25519_check(const uint8_t key[TN_PUBLIC], const uint8_t signature[TN_SIGNATURE], const tn_source *parts,
                      uint32_t count)
{
    uint8_t hash[32];
    if (!tn_ed25519_is_key(key)) {
        return false;
    }
    hash_to_scalar(signature, key, parts, count, hash);
    return tn_curve_check(signature, key, hash);
}

/* RFC 8032, 5.1.5: the secret scalar, and behind it what the nonces are made of. Nothing is wiped: the seed itself
 * stays in memory and in flash as long as the device runs. */
static void expand(const uint8_t seed[TN_PUBLIC], uint8_t secret[64])
{
    tn_sha512 hash;
    tn_sha512_begin(&hash);
    tn_sha512_add(&hash, seed, TN_PUBLIC);
    tn_sha512_end(&hash, secret);
    crypto_eddsa_trim_scalar(secret, secret);
}

void tn_ed25519_public(const uint8_t seed[TN_PUBLIC], uint8_t key[TN_PUBLIC])
{
    uint8_t secret[64];
    expand(seed, secret);
    tn_curve_base(secret, key);
}

void tn_ed25519_sign(const uint8_t seed[TN_PUBLIC], const tn_source *parts, uint32_t count,
                     uint8_t signature[TN_SIGNATURE])
{
    uint8_t secret[64];
    uint8_t nonce[32];
    uint8_t key[TN_PUBLIC];
    uint8_t hash[32];
    expand(seed, secret);
    tn_curve_base(secret, key);
    hash_to_scalar(secret + 32, NULL, parts, count, nonce);
    tn_curve_base(nonce, signature);
    hash_to_scalar(signature, key, parts, count, hash);
    crypto_eddsa_mul_add(signature + 32, hash, secret, nonce);
}
