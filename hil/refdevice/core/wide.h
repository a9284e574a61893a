/* Numbers of 256 bits: words from the least on. */
#ifndef TN_WIDE_H
#define TN_WIDE_H

#include <stdint.h>

#define TN_WIDE 8u

/* Make `to` scale * to + factor * more, but what stands above its words: that is returned. `more` NULL: 1. */
int32_t tn_wide_blend(uint32_t to[TN_WIDE], uint32_t scale, const uint32_t *more, int32_t factor);

#endif
