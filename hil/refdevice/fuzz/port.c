#include "fuzz.h"

#include <string.h>

#include "port.h"

uint8_t fuzz_flash[TN_FLASH_BYTES];
uint64_t fuzz_ms, fuzz_utc = 1800000060u; /* a minute after the seeds were issued (tests/helpers.py) */
uint8_t fuzz_sent[8192];
uint32_t fuzz_sent_count;
bool fuzz_reset;
static bool was_reset;

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

const uint8_t *port_flash(void)
{
    return fuzz_flash;
}

void port_flash_write(uint32_t at, const void *bytes, uint32_t count)
{
    HOLDS(at % TN_FLASH_UNIT == 0u && count % TN_FLASH_UNIT == 0u);
    HOLDS(at <= TN_FLASH_BYTES && count <= TN_FLASH_BYTES - at);
    for (uint32_t i = 0; i < count; i++) {
        HOLDS(fuzz_flash[at + i] == 0xFFu); /* written once between two erases */
    }
    memcpy(fuzz_flash + at, bytes, count);
}

void port_flash_erase(uint32_t at)
{
    HOLDS(at % TN_FLASH_PAGE == 0u && at < TN_FLASH_BYTES);
    memset(fuzz_flash + at, 0xFF, TN_FLASH_PAGE);
}

void port_flash_erase_half(uint32_t at)
{
    memset(fuzz_flash + at, 0xFF, TN_FLASH_PAGE / 2u);
}

uint32_t port_time_ms(void)
{
    return (uint32_t)fuzz_ms;
}

uint64_t port_time_utc(void)
{
    return fuzz_utc;
}

bool port_display_page(const uint8_t *dots)
{
    return dots[0] + dots[TN_PAGE_BYTES - 1u] <= 510;
}

bool port_display_line(uint32_t number, const char *text, uint32_t length)
{
    HOLDS(number < 1000u && length <= 240u);
    return memchr(text, 0, length) == NULL;
}

char port_display_pressed(void)
{
    return 0;
}

/* Neither returns on a board; here whoever drives the core looks, and starts it again. */
void port_reset(void)
{
    fuzz_reset = true;
    was_reset = true;
}

void port_power_off(void)
{
    fuzz_reset = true;
    was_reset = false;
}

bool port_was_reset(void)
{
    return was_reset;
}
