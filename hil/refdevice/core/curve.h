/* Edwards25519: the one step of verifying that Monocypher does otherwise. */
#ifndef TN_CURVE_H
#define TN_CURVE_H

#include <stdbool.h>
#include <stdint.h>

/* Say whether S < L, and [S]B - [h]A is written exactly as R is (RFC 8032, 5.1.7, without the cofactor). `hash` is
 * SHA-512(R || A || M), reduced modulo L; `signature` is R and S, `key` is A. */
bool tn_curve_check(const uint8_t signature[64], const uint8_t key[32], const uint8_t hash[32]);

#endif
