/* What SHA-256 and SHA-512 share (FIPS 180-4, 4.2 and 5.3): the words of one are the upper halves of the other's. */
#ifndef TN_SHA_H
#define TN_SHA_H

#include <stdint.h>

extern const uint64_t tn_sha_begin[8];
extern const uint64_t tn_sha_round[80];

#endif
