/* Ed25519 (RFC 8032, 5.1). Whoever signs does the same steps for every key and message of one length. */
#include "crypto.h"
#include "curve.h"
#include "wide.h"

#define WORDS TN_WIDE

/* L, the order of the base point: 2^252 and a little more; words from the least on. */
static const uint32_t order[WORDS] = {0x5CF5D3EDu, 0x5812631Au, 0xA2F79CD6u, 0x14DEF9DEu, 0, 0, 0, 0x10000000u};

/* Make `to` scale * to + factor * more modulo L, of numbers below L; scale is 256 at most, factor 255. As many times L
 * as there are 2^252 in the sum may be too many, but by one only. */
static void step(uint32_t to[WORDS], uint32_t scale, const uint32_t *more, uint32_t factor)
{
    int32_t above = tn_wide_blend(to, scale, more, (int32_t)factor);
    above += tn_wide_blend(to, 1, order, -(int32_t)((uint32_t)above << 4 | to[WORDS - 1u] >> 28));
    (void)tn_wide_blend(to, 1, order, -above);
}

/* A number of up to 64 bytes, the least first, times another one, modulo L; NULL: times 1. */
static void multiply(uint32_t to[WORDS], const uint8_t *bytes, uint32_t count, const uint32_t *times)
{
    tn_fill(to, 0, sizeof(*to) * WORDS);
    while (count > 0u) {
        count--;
        step(to, 256, times, bytes[count]);
    }
}

static void write(uint8_t bytes[32], const uint32_t number[WORDS])
{
    for (uint32_t i = 0; i < 32u; i++) {
        bytes[i] = (uint8_t)(number[i / 4u] >> (8u * (i % 4u)));
    }
}

/* SHA-512 of R, the key, and what is signed, modulo L and times a number. */
static void challenge(uint32_t to[WORDS], const uint8_t *r, const uint8_t *key, tn_source *parts, uint32_t count,
                      const uint32_t *times)
{
    uint8_t digest[64];
    parts[0] = tn_in_memory(r, 32);
    parts[1] = tn_in_memory(key, TN_PUBLIC);
    tn_sha(sizeof(digest), parts, count, digest);
    multiply(to, digest, sizeof(digest), times);
}

bool tn_ed25519_check(const uint8_t key[TN_PUBLIC], const uint8_t signature[TN_SIGNATURE], tn_source *parts,
                      uint32_t count)
{
    uint8_t written[32];
    uint32_t s[WORDS], h[WORDS];
    multiply(s, signature + 32, 32, NULL);
    write(written, s);
    if (tn_compare(written, signature + 32, 32) != 0) { /* S is not below L */
        return false;
    }
    challenge(h, signature, key, parts, count, NULL);
    return tn_curve_check(signature, key, s, h);
}

/* 5.1.5: the secret scalar, modulo L, and in the upper half of the digest what nonces are made of. Nothing is wiped:
 * the seed itself stays in memory and in flash as long as the device runs. */
static void expand(const uint8_t seed[TN_PUBLIC], uint8_t digest[64], uint32_t secret[WORDS], uint8_t key[TN_PUBLIC])
{
    tn_source from = tn_in_memory(seed, TN_PUBLIC);
    tn_sha(64, &from, 1, digest);
    digest[0] &= 0xF8u;
    digest[31] = (uint8_t)((digest[31] & 0x7Fu) | 0x40u);
    multiply(secret, digest, 32, NULL);
    tn_curve_base(secret, key);
}

void tn_ed25519_public(const uint8_t seed[TN_PUBLIC], uint8_t key[TN_PUBLIC])
{
    uint8_t digest[64];
    uint32_t secret[WORDS];
    expand(seed, digest, secret, key);
}

void tn_ed25519_sign(const uint8_t seed[TN_PUBLIC], tn_source *parts, uint32_t count,
                     uint8_t signature[TN_SIGNATURE])
{
    uint8_t digest[64], key[TN_PUBLIC];
    uint32_t secret[WORDS], nonce[WORDS], sum[WORDS];
    expand(seed, digest, secret, key);
    parts[1] = tn_in_memory(digest + 32, 32);
    tn_sha(sizeof(digest), parts + 1, count - 1u, digest);
    multiply(nonce, digest, 64, NULL);
    tn_curve_base(nonce, signature);
    challenge(sum, signature, key, parts, count, secret);
    step(sum, 1, nonce, 1);
    write(signature + 32, sum);
}
