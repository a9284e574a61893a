/* What the fuzz targets share: a port whose flash is memory, and a way to say that something does not hold. */
#ifndef TN_FUZZ_H
#define TN_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "limits.h"
#include "source.h"

extern uint8_t fuzz_flash[TN_FLASH_BYTES];
extern uint64_t fuzz_ms, fuzz_utc;
/* What was sent over the line last, as far as there is room. */
extern uint8_t fuzz_sent[8192];
extern uint32_t fuzz_sent_count;
/* Set where the core asked for a reset, or a power cut was asked for. */
extern bool fuzz_reset;

/* Put an input where the device has its documents, so that it is read through the port; what does not fit is cut off.
 * Around it lie other bytes: who reads them instead reads something else. */
tn_source fuzz_staged(const uint8_t *data, size_t size);

#define HOLDS(what)  \
    do {             \
        if (!(what)) \
            abort(); \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
