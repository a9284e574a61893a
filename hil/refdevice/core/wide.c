#include "wide.h"

#include <stddef.h>

int32_t tn_wide_blend(uint32_t to[TN_WIDE], uint32_t scale, const uint32_t *more, int32_t factor)
{
    int64_t sum = more == NULL ? factor : 0;
    for (uint32_t i = 0; i < TN_WIDE; i++) {
        sum += (int64_t)((uint64_t)to[i] * scale) + (more == NULL ? 0 : (int64_t)factor * more[i]);
        to[i] = (uint32_t)sum;
        sum >>= 32;
    }
    return (int32_t)sum;
}
