/* What SHA-256 and SHA-512 share (FIPS 180-4): constants, of which the words of one are the upper halves of the other's
 * (4.2, 5.3), and how bytes become blocks (5.1, 5.2). All is done in words of 32 bits: SHA-512 has two for each of its
 * own, the upper half first. */
#ifndef TN_SHA_H
#define TN_SHA_H

#include "source.h"

extern const uint32_t tn_sha_round[160];


/* How a hash begins; `size` is that of its blocks in bytes, 64 or 128, and says which hash it is. */
void tn_sha_begin(uint32_t *hash, uint32_t size);
void tn_sha_add(uint32_t *hash, tn_source from);
void tn_sha_end(uint32_t *hash, uint8_t *digest);

/* Take in a block; where it stood, nothing of use is left. */
void tn_sha256_compress(uint32_t state[8], uint32_t block[16]);
void tn_sha512_compress(uint32_t state[16], uint32_t block[32]);

#endif
