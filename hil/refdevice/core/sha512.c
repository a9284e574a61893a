#include "crypto.h"
#include "sha.h"

const uint32_t tn_sha_round[160] = {
    0x428a2f98, 0xd728ae22, 0x71374491, 0x23ef65cd, 0xb5c0fbcf, 0xec4d3b2f,
    0xe9b5dba5, 0x8189dbbc, 0x3956c25b, 0xf348b538, 0x59f111f1, 0xb605d019,
    0x923f82a4, 0xaf194f9b, 0xab1c5ed5, 0xda6d8118, 0xd807aa98, 0xa3030242,
    0x12835b01, 0x45706fbe, 0x243185be, 0x4ee4b28c, 0x550c7dc3, 0xd5ffb4e2,
    0x72be5d74, 0xf27b896f, 0x80deb1fe, 0x3b1696b1, 0x9bdc06a7, 0x25c71235,
    0xc19bf174, 0xcf692694, 0xe49b69c1, 0x9ef14ad2, 0xefbe4786, 0x384f25e3,
    0x0fc19dc6, 0x8b8cd5b5, 0x240ca1cc, 0x77ac9c65, 0x2de92c6f, 0x592b0275,
    0x4a7484aa, 0x6ea6e483, 0x5cb0a9dc, 0xbd41fbd4, 0x76f988da, 0x831153b5,
    0x983e5152, 0xee66dfab, 0xa831c66d, 0x2db43210, 0xb00327c8, 0x98fb213f,
    0xbf597fc7, 0xbeef0ee4, 0xc6e00bf3, 0x3da88fc2, 0xd5a79147, 0x930aa725,
    0x06ca6351, 0xe003826f, 0x14292967, 0x0a0e6e70, 0x27b70a85, 0x46d22ffc,
    0x2e1b2138, 0x5c26c926, 0x4d2c6dfc, 0x5ac42aed, 0x53380d13, 0x9d95b3df,
    0x650a7354, 0x8baf63de, 0x766a0abb, 0x3c77b2a8, 0x81c2c92e, 0x47edaee6,
    0x92722c85, 0x1482353b, 0xa2bfe8a1, 0x4cf10364, 0xa81a664b, 0xbc423001,
    0xc24b8b70, 0xd0f89791, 0xc76c51a3, 0x0654be30, 0xd192e819, 0xd6ef5218,
    0xd6990624, 0x5565a910, 0xf40e3585, 0x5771202a, 0x106aa070, 0x32bbd1b8,
    0x19a4c116, 0xb8d2d0c8, 0x1e376c08, 0x5141ab53, 0x2748774c, 0xdf8eeb99,
    0x34b0bcb5, 0xe19b48a8, 0x391c0cb3, 0xc5c95a63, 0x4ed8aa4a, 0xe3418acb,
    0x5b9cca4f, 0x7763e373, 0x682e6ff3, 0xd6b2b8a3, 0x748f82ee, 0x5defb2fc,
    0x78a5636f, 0x43172f60, 0x84c87814, 0xa1f0ab72, 0x8cc70208, 0x1a6439ec,
    0x90befffa, 0x23631e28, 0xa4506ceb, 0xde82bde9, 0xbef9a3f7, 0xb2c67915,
    0xc67178f2, 0xe372532b, 0xca273ece, 0xea26619c, 0xd186b8c7, 0x21c0c207,
    0xeada7dd6, 0xcde0eb1e, 0xf57d4f7f, 0xee6ed178, 0x06f067aa, 0x72176fba,
    0x0a637dc5, 0xa2c898a6, 0x113f9804, 0xbef90dae, 0x1b710b35, 0x131c471b,
    0x28db77f5, 0x23047d84, 0x32caab7b, 0x40c72493, 0x3c9ebe0a, 0x15c9bebc,
    0x431d67c4, 0x9c100d4c, 0x4cc5d4be, 0xcb3e42b6, 0x597f299c, 0xfc657e2a,
    0x5fcb6fab, 0x3ad6faec, 0x6c44198c, 0x4a475817,
};

static uint64_t turn(uint64_t word, uint32_t by)
{
    return word >> by | word << (64u - by);
}

static uint64_t of_halves(const uint32_t *half)
{
    return (uint64_t)half[0] << 32 | half[1];
}

static void into_halves(uint32_t *half, uint64_t word)
{
    half[0] = (uint32_t)(word >> 32);
    half[1] = (uint32_t)word;
}

/* FIPS 180-4, 6.4.2. */
void tn_sha512_compress(uint32_t state[16], uint32_t block[32])
{
    uint64_t v[8];
    for (uint32_t i = 0; i < 8u; i++) {
        v[i] = of_halves(state + 2u * i);
    }
    for (uint32_t i = 0; i < 160u; i += 2u) {
        uint32_t *at = &block[i % 32u];
        uint64_t word = of_halves(at);
        if (i >= 32u) {
            uint64_t late = of_halves(&block[(i - 4u) % 32u]);
            uint64_t early = of_halves(&block[(i - 30u) % 32u]);
            word += (turn(late, 19) ^ turn(late, 61) ^ late >> 6) + of_halves(&block[(i - 14u) % 32u]) +
                    (turn(early, 1) ^ turn(early, 8) ^ early >> 7);
            into_halves(at, word);
        }
        uint64_t one = v[7] + (turn(v[4], 14) ^ turn(v[4], 18) ^ turn(v[4], 41)) +
                       ((v[4] & v[5]) ^ (~v[4] & v[6])) + of_halves(tn_sha_round + i) + word;
        uint64_t two = (turn(v[0], 28) ^ turn(v[0], 34) ^ turn(v[0], 39)) +
                       ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
        for (uint32_t j = 7; j > 0u; j--) {
            v[j] = v[j - 1u];
        }
        v[4] += one;
        v[0] = one + two;
    }
    for (uint32_t i = 0; i < 8u; i++) {
        into_halves(state + 2u * i, of_halves(state + 2u * i) + v[i]);
    }
}

void tn_sha512_begin(tn_sha512 *hash)
{
    tn_sha_begin(hash->words, 128);
}

void tn_sha512_add(tn_sha512 *hash, tn_source from)
{
    tn_sha_add(hash->words, from);
}

void tn_sha512_end(tn_sha512 *hash, uint8_t digest[64])
{
    tn_sha_end(hash->words, digest);
}
