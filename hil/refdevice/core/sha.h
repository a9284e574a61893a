/* What SHA-256 and SHA-512 share (FIPS 180-4): constants, of which the words of one are the upper halves of the other's
 * (4.2, 5.3), and how bytes become blocks (5.1, 5.2). */
#ifndef TN_SHA_H
#define TN_SHA_H

#include "source.h"

extern const uint64_t tn_sha_begin[8];
extern const uint64_t tn_sha_round[80];

typedef struct {
    uint32_t size;           /* of a block, in bytes; the length at its end takes an eighth */
    void (*compress)(void *hash);
} tn_sha;

/* Take bytes in; `count` and `block` are the hash's own. */
void tn_sha_add(const tn_sha *sha, void *hash, uint64_t *count, uint8_t *block, tn_source from);
/* Take in what stands behind the last byte: a bit, zeros, and the length in bits. */
void tn_sha_close(const tn_sha *sha, void *hash, uint64_t count, uint8_t *block);

#endif
