/* Versions of firmware: four numbers of 8, 8, 16 and 32 bits (advisories/versions.py). */
#include "notice.h"

static const uint32_t most[4] = {0xFFu, 0xFFu, 0xFFFFu, 0xFFFFFFFFu};

char *tn_version(char to[TN_VERSION_ROOM], const tn_version_part version[4], char separator)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < (version[3] != 0u ? 4u : 3u); i++) {
        if (i > 0u) {
            to[at++] = i < 3u ? '.' : separator;
        }
        at += tn_length(tn_number(to + at, version[i]));
    }
    return to;
}

bool tn_version_read(const char *words, tn_version_part version[4])
{
    static const char between[] = "..+";
    tn_fill(version, 0, 4u * sizeof(version[0]));
    for (uint32_t i = 0; i < 4u; i++) {
        uint32_t digits = 0;
        uint64_t number = 0;
        for (; *words >= '0' && *words <= '9' && digits < 10u; words++, digits++) {
            number = number * 10u + (uint64_t)(*words - '0');
        }
        if (digits == 0u || number > most[i]) {
            return false;
        }
        version[i] = (uint32_t)number;
        if (*words == '\0' && i >= 2u) {
            return true;
        }
        if (i == 3u || *words != between[i]) {
            return false;
        }
        words++;
    }
    return false;
}

bool tn_version_is_from(tn_item version)
{
    for (uint32_t i = 0; i < 4u; i++) {
        uint32_t part = (uint32_t)tn_value(tn_nth(version, i));
        if (tn_now.installed[i] != part) {
            return tn_now.installed[i] > part;
        }
    }
    return true;
}
