/* Edwards25519: what Ed25519 needs of it, small, and as strict as OpenSSL. Numbers are 32 bytes, the least first. */
#ifndef TN_CURVE_H
#define TN_CURVE_H

#include <stdbool.h>
#include <stdint.h>

/* Say whether [S]B - [h]A is written exactly as R is (RFC 8032, 5.1.7, without the cofactor), and A is a key
 * (tn_ed25519_is_key). `signature` is R and S, `key` is A; S and `hash`, which is h, are below L. Its time tells what
 * it is given. */
bool tn_curve_check(const uint8_t signature[64], const uint8_t key[32], const uint8_t hash[32]);
/* [scalar]B as RFC 8032 writes a point; the same steps for every scalar, which is below L. Both may be one. */
void tn_curve_base(const uint8_t scalar[32], uint8_t point[32]);

#endif
