#include "sha.h"

static const uint32_t first[16] = {
    0x6a09e667, 0xf3bcc908, 0xbb67ae85, 0x84caa73b, 0x3c6ef372, 0xfe94f82b,
    0xa54ff53a, 0x5f1d36f1, 0x510e527f, 0xade682d1, 0x9b05688c, 0x2b3e6c1f,
    0x1f83d9ab, 0xfb41bd6b, 0x5be0cd19, 0x137e2179,
};

/* A hash is the size of its blocks in bytes, how many bytes it has taken in, its state, and the block that is being
 * filled: bytes become words as they come. */
enum { SIZE, COUNT, STATE };

void tn_sha_begin(uint32_t *hash, uint32_t size)
{
    hash[SIZE] = size;
    hash[COUNT] = 0;
    for (uint32_t i = 0; i < size / 8u; i++) {
        hash[STATE + i] = first[i * 128u / size];
    }
}

static void put(uint32_t *hash, uint8_t byte)
{
    uint32_t size = hash[SIZE];
    uint32_t *state = hash + STATE, *block = state + size / 8u;
    uint32_t *word = block + (hash[COUNT] & (size - 1u)) / 4u;
    *word = *word << 8 | byte;
    if ((++hash[COUNT] & (size - 1u)) != 0u) {
        return;
    }
    if (size == 64u) {
        tn_sha256_compress(state, block);
    } else {
        tn_sha512_compress(state, block);
    }
}

void tn_sha_add(uint32_t *hash, tn_source from)
{
    for (uint32_t i = 0; i < from.length; i++) {
        put(hash, from.bytes[i]);
    }
}

/* Behind the last byte come a bit, zeros, and the length in bits, in an eighth of a block. */
void tn_sha_end(uint32_t *hash, uint8_t *digest)
{
    uint32_t size = hash[SIZE], bytes = hash[COUNT];
    put(hash, 0x80);
    for (uint32_t zeros = ((0u - size / 8u - hash[COUNT]) & (size - 1u)) + size / 8u - 5u; zeros > 0u; zeros--) {
        put(hash, 0);
    }
    put(hash, (uint8_t)(bytes >> 29)); /* the fifth byte from behind: there are no others than 0 before it */
    for (uint32_t bits = 32; bits > 0u;) {
        bits -= 8u;
        put(hash, (uint8_t)(bytes << 3 >> bits));
    }
    for (uint32_t i = 0; i < size / 2u; i++) {
        digest[i] = (uint8_t)(hash[STATE + i / 4u] >> (24u - 8u * (i % 4u)));
    }
}
