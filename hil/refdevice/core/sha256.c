#include "crypto.h"
#include "sha.h"

static uint32_t turn(uint32_t word, uint32_t by)
{
    return word >> by | word << (32u - by);
}

/* FIPS 180-4, 6.2.2. */
void tn_sha256_compress(uint32_t state[8], uint32_t block[16])
{
    uint32_t v[8];
    tn_copy(v, state, sizeof(v));
    for (uint32_t i = 0; i < 64u; i++) {
        uint32_t *word = &block[i % 16u];
        if (i >= 16u) {
            uint32_t late = block[(i - 2u) % 16u];
            uint32_t early = block[(i - 15u) % 16u];
            *word += (turn(late, 17) ^ turn(late, 19) ^ late >> 10) + block[(i - 7u) % 16u] +
                     (turn(early, 7) ^ turn(early, 18) ^ early >> 3);
        }
        uint32_t one = v[7] + (turn(v[4], 6) ^ turn(v[4], 11) ^ turn(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) +
                       tn_sha_round[2u * i] + *word;
        uint32_t two = (turn(v[0], 2) ^ turn(v[0], 13) ^ turn(v[0], 22)) +
                       ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        for (uint32_t j = 7; j > 0u; j--) {
            v[j] = v[j - 1u];
        }
        v[4] += one;
        v[0] = one + two;
    }
    for (uint32_t i = 0; i < 8u; i++) {
        state[i] += v[i];
    }
}

void tn_sha256_begin(tn_sha256 *hash)
{
    tn_sha_begin(hash->words, 64);
}

void tn_sha256_add(tn_sha256 *hash, const void *bytes, uint32_t length)
{
    tn_sha256_add_source(hash, tn_in_memory(bytes, length));
}

void tn_sha256_add_source(tn_sha256 *hash, tn_source from)
{
    tn_sha_add(hash->words, from);
}

void tn_sha256_end(tn_sha256 *hash, uint8_t digest[TN_HASH])
{
    tn_sha_end(hash->words, digest);
}

void tn_sha256_of(tn_source from, uint8_t digest[TN_HASH])
{
    tn_sha256 hash;
    tn_sha256_begin(&hash);
    tn_sha256_add_source(&hash, from);
    tn_sha256_end(&hash, digest);
}
