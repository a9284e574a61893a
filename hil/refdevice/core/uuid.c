/* Names as SUIT knows them: UUIDv5 (RFC 9562), which is made of SHA-1. Nothing rests on its strength. Only what writes
 * identifiers needs it: `provision`, which test builds have. */
#include "suit.h"

#ifdef TN_TEST_BUILD

#define BLOCK 64u
#define ROUNDS 80u

static const uint8_t domains[TN_UUID] = {0x6B, 0xA7, 0xB8, 0x10, 0x9D, 0xAD, 0x11, 0xD1,
                                         0x80, 0xB4, 0x00, 0xC0, 0x4F, 0xD4, 0x30, 0xC8};

static uint32_t turn(uint32_t value, uint32_t bits)
{
    return value << bits | value >> (32u - bits);
}

static uint32_t choose(uint32_t part, const uint32_t v[5])
{
    static const uint32_t added[4] = {0x5A827999u, 0x6ED9EBA1u, 0x8F1BBCDCu, 0xCA62C1D6u};
    uint32_t mixed = v[1] ^ v[2] ^ v[3];
    if (part == 0u) {
        mixed = (v[1] & v[2]) | (~v[1] & v[3]);
    } else if (part == 2u) {
        mixed = (v[1] & v[2]) | (v[1] & v[3]) | (v[2] & v[3]);
    }
    return mixed + added[part];
}

/* SHA-1 over one block (RFC 3174, method 2). */
static void mix(uint32_t state[5], const uint8_t block[BLOCK])
{
    uint32_t words[16], v[5];
    tn_copy(v, state, sizeof(v));
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t *word = &words[i % 16u];
        if (i < 16u) {
            const uint8_t *from = block + 4u * i;
            *word = (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
        } else {
            *word = turn(words[(i + 13u) % 16u] ^ words[(i + 8u) % 16u] ^ words[(i + 2u) % 16u] ^ *word, 1);
        }
        uint32_t next = turn(v[0], 5) + choose(i / 20u, v) + v[4] + *word;
        v[4] = v[3];
        v[3] = v[2];
        v[2] = turn(v[1], 30);
        v[1] = v[0];
        v[0] = next;
    }
    for (uint32_t i = 0; i < 5u; i++) {
        state[i] += v[i];
    }
}

void tn_uuid5(const uint8_t *space, const char *name, uint8_t uuid[TN_UUID])
{
    uint32_t state[5] = {0x67452301u, 0xEFCDAB89u, 0x98BADCFEu, 0x10325476u, 0xC3D2E1F0u};
    uint8_t blocks[2u * BLOCK]; /* names have 64 bytes at most */
    uint32_t length = tn_length(name);
    length = TN_UUID + (length < TN_NAME_BYTES_MAX ? length : TN_NAME_BYTES_MAX);
    uint32_t bytes = length + 9u > BLOCK ? 2u * BLOCK : BLOCK;
    tn_fill(blocks, 0, sizeof(blocks));
    tn_copy(blocks, space != NULL ? space : domains, TN_UUID);
    tn_copy(blocks + TN_UUID, name, length - TN_UUID);
    blocks[length] = 0x80;
    blocks[bytes - 2u] = (uint8_t)(length >> 5);
    blocks[bytes - 1u] = (uint8_t)(length << 3);
    for (uint32_t at = 0; at < bytes; at += BLOCK) {
        mix(state, blocks + at);
    }
    for (uint32_t i = 0; i < TN_UUID; i++) {
        uuid[i] = (uint8_t)(state[i / 4u] >> (24u - 8u * (i % 4u)));
    }
    uuid[6] = (uint8_t)((uuid[6] & 0x0Fu) | 0x50u);
    uuid[8] = (uint8_t)((uuid[8] & 0x3Fu) | 0x80u);
}
#else
typedef int nothing_here;
#endif
