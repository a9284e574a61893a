#include "crypto.h"

uint16_t tn_crc16(uint16_t crc, const void *bytes, uint32_t length)
{
    const uint8_t *data = bytes;
    uint32_t value = crc;
    for (uint32_t i = 0; i < length; i++) {
        value ^= (uint32_t)data[i] << 8;
        for (uint32_t bit = 0; bit < 8u; bit++) {
            value = (value << 1) ^ ((value & 0x8000u) != 0u ? 0x1021u : 0u);
        }
    }
    return (uint16_t)value;
}

uint32_t tn_crc32(uint32_t crc, const void *bytes, uint32_t length)
{
    const uint8_t *data = bytes;
    crc = ~crc;
    for (uint32_t i = 0; i < length; i++) {
        crc ^= data[i];
        for (uint32_t bit = 0; bit < 8u; bit++) {
            crc = crc >> 1 ^ ((crc & 1u) != 0u ? 0xEDB88320u : 0u);
        }
    }
    return ~crc;
}
