/* Numbers modulo L as Ed25519 reckons with them, for test_field.py: the file itself is a part of this one. */
#include "ed25519.c"
#include "port.h"

void test_scalar(uint32_t *to, const uint8_t *bytes, uint32_t count, const uint32_t *times);
void test_step(uint32_t *to, uint32_t scale, const uint32_t *more, uint32_t factor);

/* No test here reads flash. */
const uint8_t *port_flash(void)
{
    return NULL;
}

void test_scalar(uint32_t *to, const uint8_t *bytes, uint32_t count, const uint32_t *times)
{
    multiply(to, bytes, count, times);
}

void test_step(uint32_t *to, uint32_t scale, const uint32_t *more, uint32_t factor)
{
    step(to, scale, more, factor);
}
