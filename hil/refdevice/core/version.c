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

bool tn_version_item(tn_cbor *reader, tn_version_part version[4])
{
    uint32_t count;
    uint64_t part;
    if (!tn_cbor_array(reader, 4, 4, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < 4u; i++) {
        if (!tn_cbor_uint(reader, most[i], &part)) {
            return false;
        }
        version[i] = (uint32_t)part;
    }
    return true;
}

static int compare(const tn_version_part one[4], const tn_version_part other[4])
{
    for (uint32_t i = 0; i < 4u; i++) {
        if (one[i] != other[i]) {
            return one[i] < other[i] ? -1 : 1;
        }
    }
    return 0;
}

/* A range is two bounds: null, or a version; the first is in it, the second is not. */
bool tn_range_item(tn_cbor *reader, const tn_version_part version[4], bool *contains)
{
    tn_version_part bound[4];
    uint32_t count;
    *contains = true;
    if (!tn_cbor_array(reader, 2, 2, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < 2u; i++) {
        if (tn_cbor_peek(reader) == TN_CBOR_SIMPLE) {
            (void)tn_cbor_null(reader);
        } else if (tn_version_item(reader, bound)) {
            bool above = compare(version, bound) >= 0;
            *contains = *contains && above == (i == 0u);
        }
    }
    return !reader->bad;
}
