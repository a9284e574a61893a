/* Ed25519 (RFC 8032, 5.1). Whoever signs does the same steps for every key and message of one length. */
#include "crypto.h"
#include "curve.h"

#define WORDS 8u

/* L, the order of the base point: 2^252 and a little more; words from the least on. */
static const uint32_t order[WORDS] = {0x5CF5D3EDu, 0x5812631Au, 0xA2F79CD6u, 0x14DEF9DEu, 0, 0, 0, 0x10000000u};

/* Make `to` scale * to + factor * more, but what stands above its words: that is returned. `more` NULL: 1. */
static int32_t blend(uint32_t to[WORDS], uint32_t scale, const uint32_t *more, int32_t factor)
{
    int64_t sum = more == NULL ? factor : 0;
    for (uint32_t i = 0; i < WORDS; i++) {
        sum += (int64_t)((uint64_t)to[i] * scale) + (more == NULL ? 0 : (int64_t)factor * more[i]);
        to[i] = (uint32_t)sum;
        sum >>= 32;
    }
    return (int32_t)sum;
}

/* The same modulo L, of numbers below L; scale is 256 at most, factor 255. As many times L as there are 2^252 in the
 * sum may be too many, but by one only. */
static void step(uint32_t to[WORDS], uint32_t scale, const uint32_t *more, uint32_t factor)
{
    int32_t above = blend(to, scale, more, (int32_t)factor);
    above += blend(to, 1, order, -(int32_t)((uint32_t)above << 4 | to[WORDS - 1u] >> 28));
    (void)blend(to, 1, order, -above);
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

/* SHA-512 of up to two strings of 32 bytes and the parts. Apart from its callers, whose stack the curve needs. */
static void hash(const uint8_t *first, const uint8_t *second, const tn_source *parts, uint32_t count,
                 uint8_t digest[64])
{
    tn_sha512 sha;
    tn_sha512_begin(&sha);
    tn_sha512_add(&sha, tn_in_memory(first, 32));
    tn_sha512_add(&sha, tn_in_memory(second, second == NULL ? 0u : 32u));
    for (uint32_t i = 0; i < count; i++) {
        tn_sha512_add(&sha, parts[i]);
    }
    tn_sha512_end(&sha, digest);
}

bool tn_ed25519_check(const uint8_t key[TN_PUBLIC], const uint8_t signature[TN_SIGNATURE], const tn_source *parts,
                      uint32_t count)
{
    uint8_t digest[64];
    uint32_t s[WORDS], h[WORDS];
    multiply(s, signature + 32, 32, NULL);
    write(digest, s);
    if (tn_compare(digest, signature + 32, 32) != 0) { /* S is not below L */
        return false;
    }
    hash(signature, key, parts, count, digest);
    multiply(h, digest, 64, NULL);
    return tn_curve_check(signature, key, s, h);
}

/* 5.1.5: the secret scalar, modulo L, and in the upper half of the digest what nonces are made of. Nothing is wiped:
 * the seed itself stays in memory and in flash as long as the device runs. */
static void expand(const uint8_t seed[TN_PUBLIC], uint8_t digest[64], uint32_t secret[WORDS], uint8_t key[TN_PUBLIC])
{
    hash(seed, NULL, NULL, 0, digest);
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

void tn_ed25519_sign(const uint8_t seed[TN_PUBLIC], const tn_source *parts, uint32_t count,
                     uint8_t signature[TN_SIGNATURE])
{
    uint8_t digest[64], key[TN_PUBLIC];
    uint32_t secret[WORDS], nonce[WORDS], sum[WORDS];
    expand(seed, digest, secret, key);
    hash(digest + 32, NULL, parts, count, digest);
    multiply(nonce, digest, 64, NULL);
    tn_curve_base(nonce, signature);
    hash(signature, key, parts, count, digest);
    multiply(sum, digest, 64, secret);
    step(sum, 1, nonce, 1);
    write(signature + 32, sum);
}
