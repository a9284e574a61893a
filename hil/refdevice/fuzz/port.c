#include "fuzz.h"

#include <string.h>

#include "port.h"

uint8_t fuzz_flash[TN_FLASH_BYTES];
uint64_t fuzz_ms, fuzz_utc = 1800000060u; /* a minute after the seeds were issued (tests/helpers.py) */
uint8_t fuzz_sent[8192];
uint32_t fuzz_sent_count;

tn_source fuzz_staged(const uint8_t *data, size_t size)
{
    uint32_t length = size > TN_STAGING_BYTES - 64u ? TN_STAGING_BYTES - 64u : (uint32_t)size;
    memset(fuzz_flash + TN_AT_STAGING, 0x5A, TN_STAGING_BYTES);
    memcpy(fuzz_flash + TN_AT_STAGING + 32u, data, length);
    return tn_in_flash(TN_AT_STAGING + 32u, length);
}

uint32_t port_uart_read(uint8_t *bytes, uint32_t most)
{
    (void)bytes;
    (void)most;
    return 0;
}

void port_uart_write(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count && fuzz_sent_count < sizeof fuzz_sent; i++) {
        fuzz_sent[fuzz_sent_count++] = bytes[i];
    }
}

