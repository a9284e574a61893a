/* SHA-256, SHA-512, Ed25519 over bytes that may lie in flash; CRCs. */
#ifndef TN_CRYPTO_H
#define TN_CRYPTO_H

#include "source.h"

#define TN_HASH 32u      /* bytes of a SHA-256 */
#define TN_PUBLIC 32u    /* of an Ed25519 public key, and of its seed */
#define TN_SIGNATURE 64u

/* SHA-256, or with a `size` of 64 SHA-512, of parts one after the other, of less than 2^29 bytes in all. The digest may
 * be where they lie. */
void tn_sha(uint32_t size, const tn_source *parts, uint32_t count, uint8_t *digest);
void tn_sha256_of(const void *bytes, uint32_t length, uint8_t digest[TN_HASH]);
bool tn_hashes_to(const void *bytes, uint32_t length, const uint8_t digest[TN_HASH]);

/* What is signed is the parts one after the other, from parts[2] on: the first two are of use here only. `count` is of
 * all. */
bool tn_ed25519_check(const uint8_t key[TN_PUBLIC], const uint8_t signature[TN_SIGNATURE], tn_source *parts,
                      uint32_t count);
void tn_ed25519_public(const uint8_t seed[TN_PUBLIC], uint8_t key[TN_PUBLIC]);
void tn_ed25519_sign(const uint8_t seed[TN_PUBLIC], tn_source *parts, uint32_t count, uint8_t signature[TN_SIGNATURE]);
/* Canonical, and none of the eight points of low order, for which anybody can sign. */
bool tn_ed25519_is_key(const uint8_t key[TN_PUBLIC]);

uint16_t tn_crc16(uint16_t crc, const void *bytes, uint32_t length); /* XMODEM: begin with 0 */
uint32_t tn_crc32(uint32_t crc, const void *bytes, uint32_t length); /* BZIP2: begin with 0 */

#endif
