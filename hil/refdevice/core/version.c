/* Versions of firmware: four numbers of 8, 8, 16 and 32 bits (advisories/versions.py). */
#include "notice.h"

char *tn_version(char to[TN_VERSION_ROOM], const tn_version_part version[4], char separator)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < (version[3] != 0u ? 4u : 3u); i++) {
        char room[TN_NUMBER_ROOM];
        const char *number = tn_number(room, version[i]);
        uint32_t length = tn_length(number);
        if (i > 0u) {
            to[at++] = i < 3u ? '.' : separator;
        }
        tn_copy(to + at, number, length + 1u);
        at += length;
    }
    return to;
}

bool tn_version_read(tn_source words, tn_version_part version[4])
{
    static const char between[] = "..+";
    static const uint32_t most[4] = {0xFFu, 0xFFu, 0xFFFFu, 0xFFFFFFFFu};
    static const uint8_t digits[4] = {3, 3, 5, 10}; /* as many as the largest has: zeros before it count */
    uint32_t at = 0, digit;
    tn_fill(version, 0, 4u * sizeof(version[0]));
    for (uint32_t i = 0; i < 4u; i++, at++) {
        uint32_t from = at, number = 0;
        for (; at < words.length && (digit = (uint32_t)words.bytes[at] - '0') <= 9u; at++) {
            if (at - from >= digits[i] || number > (most[i] - digit) / 10u) {
                return false;
            }
            number = number * 10u + digit;
        }
        version[i] = number;
        if (at == from || at == words.length) {
            return at > from && i >= 2u;
        }
        if (words.bytes[at] != between[i]) {
            return false;
        }
    }
    return false;
}

bool tn_version_is_from(tn_item version)
{
    for (uint32_t i = 0; i < 4u; i++) {
        uint32_t part = (uint32_t)tn_value(tn_nth(version, i));
        if (tn_now.image.version[i] != part) {
            return tn_now.image.version[i] > part;
        }
    }
    return true;
}
