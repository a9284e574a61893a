/* SHA-256 and SHA-512 (FIPS 180-4) in one: words have 64 bits, and one of SHA-256 is the upper half of such a word,
 * whose lower half is 0. The constants of SHA-256 are the upper halves of the first ones of SHA-512 (4.2, 5.3). What
 * the two do not share is told by `lower`: the bits that a lower half may have, none or all. */
#include "crypto.h"
#include "wide.h"

#define WORDS 8u /* of the state */
#define BLOCK 16u
#define ROUNDS 80u
#define LAST_PRIME 409u /* the 80th */

/* What stands behind the point of the cube roots of the first 80 primes; and of the square roots of the first eight,
 * which are kept as a state is: the last word first. Worked out once, they take RAM where they would take flash. */
static uint64_t constants[ROUNDS + WORDS];

/* 64 bits behind the point of a square or cube root below 8. Bits are found from the highest on: one stays where the
 * power is not beyond the number then. */
static uint64_t behind_the_point(uint32_t number, uint32_t power)
{
    uint32_t powers[3][TN_WIDE] = {{0}}, *root = powers[0];
    for (uint32_t bit = 64 + 3; bit > 0u;) {
        bit--;
        root[bit / 32u] ^= 1u << bit % 32u;
        for (uint32_t i = 1; i < power; i++) {
            tn_fill(powers[i], 0, sizeof(powers[i]));
            for (uint32_t half = 5; half > 0u;) {
                half--;
                int32_t factor = root[half / 2u] >> half % 2u * 16u & 0xFFFF;
                (void)tn_wide_blend(powers[i], 1u << 16, powers[i - 1u], factor);
            }
        }
        if (powers[power - 1u][2u * power] >= number) {
            root[bit / 32u] ^= 1u << bit % 32u;
        }
    }
    return (uint64_t)root[1] << 32 | root[0];
}

static void make_constants(void)
{
    uint32_t left = ROUNDS;
    for (uint32_t number = LAST_PRIME; left > 0u; number--) {
        uint32_t factor = 2;
        while (number % factor != 0u) {
            factor++;
        }
        if (factor == number) {
            left--;
            constants[left] = behind_the_point(number, 3);
            if (left < WORDS) {
                constants[ROUNDS + WORDS - 1u - left] = behind_the_point(number, 2);
            }
        }
    }
}

/* 4.1: a word turned to the right by three numbers of bits, and the three added without carrying. */
#define SWAP 0x20u  /* by 32 more, also the turns that follow */
#define SHIFT 0x40u /* the last one: what leaves on the right does not come in on the left */
enum { SUM_0, SUM_1, SIGMA_0, SIGMA_1, FUNCTIONS };
static const uint8_t turns[2][FUNCTIONS][3] = {
    {{2, 13, 22}, {6, 11, 25}, {7, 18, SHIFT | 3}, {17, 19, SHIFT | 10}},
    {{28, SWAP | 2, 7}, {14, 18, SWAP | 9}, {1, 8, SHIFT | 7}, {19, SWAP | 29, SWAP | SHIFT | 6}},
};

static uint64_t turned(uint64_t word, const uint8_t *by, uint32_t lower)
{
    uint32_t high = (uint32_t)(word >> 32), low = lower == 0u ? high : (uint32_t)word;
    uint32_t to_high = 0, to_low = 0, left, how;
    const uint8_t *end = by + 3;
    do {
        how = *by++;
        left = 32u - (how & 31u);
        if ((how & SWAP) != 0u) {
            uint32_t other = high;
            high = low;
            low = other;
        }
        to_high ^= high >> (how & 31u) ^ low << left;
        to_low ^= low >> (how & 31u) ^ high << left;
    } while (by < end);
    if ((how & SHIFT) != 0u) {
        to_high ^= low << left;
    }
    return (uint64_t)to_high << 32 | (to_low & lower);
}

/* What is hashed: the parts, then a bit, then zeros. */
typedef struct {
    const tn_source *part;
    uint32_t parts, at, behind;
} reader;

static uint32_t read_half(reader *from)
{
    uint32_t half = 0;
    for (uint32_t i = 0; i < 4u; i++) {
        while (from->parts > 0u && from->at == from->part->length) {
            from->at = 0;
            from->part++;
            from->parts--;
        }
        half <<= 8;
        if (from->parts > 0u) {
            half |= from->part->bytes[from->at++];
        } else {
            half |= from->behind;
            from->behind = 0;
        }
    }
    return half;
}

/* 6.2.2, 6.4.2. In each round the window of words moves on by one: it begins with h to a, then comes the block, and
 * behind it the word that has its turn 16 rounds later. */
static void take_in(uint64_t state[WORDS], uint64_t *word, uint32_t lower)
{
    const uint8_t(*by)[3] = turns[lower & 1u];
    tn_copy(word, state, WORDS * sizeof(*word));
    for (uint32_t left = 64u + (lower & 16u), i = 0; left > 0u; left--) {
        uint64_t sum = word[0] + turned(word[3], by[SUM_1], lower) + (((word[2] ^ word[1]) & word[3]) ^ word[1]) +
                       word[8] + (constants[i++] & ((uint64_t)UINT32_MAX << 32 | lower));
        if (left > BLOCK) {
            word[24] =
                word[8] + turned(word[9], by[SIGMA_0], lower) + word[17] + turned(word[22], by[SIGMA_1], lower);
        }
        word[8] = sum + turned(word[7], by[SUM_0], lower) + (((word[6] | word[5]) & word[7]) | (word[6] & word[5]));
        word[4] += sum;
        word++;
    }
    for (uint32_t i = 0; i < WORDS; i++) {
        state[i] += word[i];
    }
}

void tn_sha(uint32_t size, const tn_source *parts, uint32_t count, uint8_t *digest)
{
    uint64_t state[WORDS], words[WORDS + ROUNDS];
    reader from = {parts, count, 0, 0x80};
    uint32_t length = 0, lower = size == TN_HASH ? 0u : UINT32_MAX;
    for (uint32_t i = 0; i < count; i++) {
        length += parts[i].length;
    }
    if (constants[0] == 0u) {
        make_constants();
    }
    for (uint32_t i = 0; i < WORDS; i++) {
        state[i] = constants[ROUNDS + i] & ((uint64_t)UINT32_MAX << 32 | lower);
    }
    /* 5.1: behind the zeros comes the length in bits, which takes an eighth of a block */
    int32_t left = (int32_t)(length + size / 4u);
    do {
        for (uint32_t i = WORDS; i < WORDS + BLOCK; i++) {
            uint32_t high = read_half(&from), low = lower == 0u ? 0u : read_half(&from);
            words[i] = (uint64_t)high << 32 | low;
        }
        left -= (int32_t)(2u * size);
        if (left < 0) {
            words[WORDS + BLOCK - 1u] = lower == 0u ? (uint64_t)(length << 3) << 32 : length << 3;
        }
        take_in(state, words, lower);
    } while (left >= 0);
    for (uint32_t i = WORDS; i > 0u;) {
        i--;
        uint64_t word = state[i];
        for (uint32_t bytes = 0; bytes < size / 8u; bytes++) {
            *digest++ = (uint8_t)(word >> 56);
            word <<= 8;
        }
    }
}

void tn_sha256_of(const void *bytes, uint32_t length, uint8_t digest[TN_HASH])
{
    tn_source from = tn_in_memory(bytes, length);
    tn_sha(TN_HASH, &from, 1, digest);
}

bool tn_hashes_to(const void *bytes, uint32_t length, const uint8_t digest[TN_HASH])
{
    uint8_t found[TN_HASH];
    tn_sha256_of(bytes, length, found);
    return tn_compare(found, digest, TN_HASH) == 0;
}
