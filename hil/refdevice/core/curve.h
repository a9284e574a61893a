/* Edwards25519: what Ed25519 needs of it, small, and as strict as OpenSSL. Scalars are below L, words from the
 * least on. */
#ifndef TN_CURVE_H
#define TN_CURVE_H

#include <stdbool.h>
#include <stdint.h>

/* Say whether [S]B - [h]A is written exactly as R is (RFC 8032, 5.1.7, without the cofactor), and A is a key
 * (tn_ed25519_is_key). `key` is A, `hash` is h. Its time tells what it is given. */
bool tn_curve_check(const uint8_t r[32], const uint8_t key[32], const uint32_t s[8], const uint32_t hash[8]);
/* [scalar]B as RFC 8032 writes a point; the same steps for every scalar. */
void tn_curve_base(const uint32_t scalar[8], uint8_t point[32]);

#endif
