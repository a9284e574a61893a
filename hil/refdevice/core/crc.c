#include "crypto.h"

/* From the highest bit on; a CRC of 16 bits stands in the upper half. */
static uint32_t crc_of(uint32_t crc, const void *bytes, uint32_t length, uint32_t polynomial)
{
    const uint8_t *data = bytes;
    crc = ~crc;
    for (uint32_t i = 0; i < length; i++) {
        crc ^= (uint32_t)data[i] << 24;
        for (uint32_t bit = 0; bit < 8u; bit++) {
            crc = crc << 1 ^ (crc >> 31 != 0u ? polynomial : 0u);
        }
    }
    return ~crc;
}

uint16_t tn_crc16(uint16_t crc, const void *bytes, uint32_t length)
{
    return (uint16_t)(~crc_of(~((uint32_t)crc << 16), bytes, length, 0x1021u << 16) >> 16);
}

uint32_t tn_crc32(uint32_t crc, const void *bytes, uint32_t length)
{
    return crc_of(crc, bytes, length, 0x04C11DB7u);
}
