/* SHA-256, SHA-512, Ed25519 over bytes that may lie in flash; CRCs. */
#ifndef TN_CRYPTO_H
#define TN_CRYPTO_H

#include "source.h"

#define TN_HASH 32u      /* bytes of a SHA-256 */
#define TN_PUBLIC 32u    /* of an Ed25519 public key, and of its seed */
#define TN_SIGNATURE 64u

/* sha.c says what stands where. At most 2^32 - 1 bytes are hashed. */
typedef struct {
    uint32_t words[2 + 8 + 16];
} tn_sha256;

void tn_sha256_begin(tn_sha256 *hash);
void tn_sha256_add(tn_sha256 *hash, const void *bytes, uint32_t length);
void tn_sha256_add_source(tn_sha256 *hash, tn_source from);
void tn_sha256_end(tn_sha256 *hash, uint8_t digest[TN_HASH]);
void tn_sha256_of(tn_source from, uint8_t digest[TN_HASH]);

typedef struct {
    uint32_t words[2 + 16 + 32];
} tn_sha512;

void tn_sha512_begin(tn_sha512 *hash);
void tn_sha512_add(tn_sha512 *hash, tn_source from);
void tn_sha512_end(tn_sha512 *hash, uint8_t digest[64]);

/* What is signed is the parts one after the other. */
bool tn_ed25519_check(const uint8_t key[TN_PUBLIC], const uint8_t signature[TN_SIGNATURE], const tn_source *parts,
                      uint32_t count);
void tn_ed25519_public(const uint8_t seed[TN_PUBLIC], uint8_t key[TN_PUBLIC]);
void tn_ed25519_sign(const uint8_t seed[TN_PUBLIC], const tn_source *parts, uint32_t count,
                     uint8_t signature[TN_SIGNATURE]);
/* Canonical, and none of the eight points of low order, for which anybody can sign. */
bool tn_ed25519_is_key(const uint8_t key[TN_PUBLIC]);

uint16_t tn_crc16(uint16_t crc, const void *bytes, uint32_t length); /* XMODEM: begin with 0 */
uint32_t tn_crc32(uint32_t crc, const void *bytes, uint32_t length); /* IEEE: begin with 0 */

#endif
