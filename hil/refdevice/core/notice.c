/* A notice's header: one for all its products, each entry checked before anything of it is believed. */
#include "notice.h"

#define REMINDER_PAUSE_MAX 31536000u
#define FIRST 10
#define LAST 22
/* Entries that must be there: all but next update, reminder, patches, and same since. */
#define NEEDED (0x1FFFu & ~(1u << 7 | 1u << 8 | 1u << 10 | 1u << 12))

static bool read_small(tn_cbor *reader, uint32_t most, uint32_t *value)
{
    uint64_t number;
    bool good = tn_cbor_uint(reader, most, &number);
    *value = (uint32_t)number;
    return good;
}

/* Product -> ranges: whether this device's version lies in one of its product's; one that cannot tell is not left out. */
static bool read_affected(tn_cbor *reader, bool *affects)
{
    uint32_t products, ranges;
    tn_source product = {0};
    bool inside;
    *affects = false;
    if (!tn_cbor_map(reader, 0, TN_WIRE_NOTICE_PRODUCTS_MAX, &products)) {
        return false;
    }
    while (products-- > 0u) {
        if (!tn_id_key(reader, &product) || !tn_cbor_array(reader, 0, TN_WIRE_VERSION_RANGES_MAX, &ranges)) {
            return false;
        }
        bool mine = tn_equals(product, tn_maker.product, tn_length(tn_maker.product));
        *affects = *affects || (mine && !tn_now.measured && ranges > 0u);
        while (ranges-- > 0u) {
            if (!tn_range_item(reader, tn_now.installed, &inside)) {
                return false;
            }
            *affects = *affects || (mine && inside);
        }
    }
    return true;
}

bool tn_id_key(tn_cbor *reader, tn_source *last)
{
    tn_cbor again = *reader;
    tn_source id;
    return tn_cbor_text_key(reader, TN_NAME_BYTES_MAX, last) && tn_cbor_ident(&again, TN_NAME_BYTES_MAX, &id);
}

/* Language -> digest. */
static bool read_text(tn_cbor *reader, tn_source *last, tn_source *digest)
{
    tn_cbor again = *reader;
    tn_source language;
    return tn_cbor_text_key(reader, TN_LANGUAGE_BYTES_MAX, last) &&
           tn_cbor_words(&again, TN_LANGUAGE_BYTES_MAX, &language) &&
           tn_cbor_bytes(reader, TN_HASH, TN_HASH, digest);
}

static bool read_texts(tn_cbor *reader, tn_header *header)
{
    uint32_t from;
    tn_source last = {0}, digest;
    if (!tn_cbor_map(reader, 1, TN_WIRE_NOTICE_LANGUAGES_MAX, &header->languages)) {
        return false;
    }
    from = reader->at;
    for (uint32_t i = 0; i < header->languages; i++) {
        if (!read_text(reader, &last, &digest)) {
            return false;
        }
    }
    header->texts = tn_part(reader->in, from, reader->at - from);
    return true;
}

static bool read_patches(tn_cbor *reader)
{
    uint32_t products, count;
    tn_source product = {0}, digest;
    if (!tn_cbor_map(reader, 0, TN_WIRE_NOTICE_PRODUCTS_MAX, &products)) {
        return false;
    }
    while (products-- > 0u) {
        if (!tn_id_key(reader, &product) || !tn_cbor_array(reader, 0, TN_WIRE_NOTICE_PATCHES_MAX, &count)) {
            return false;
        }
        while (count-- > 0u) {
            if (!tn_cbor_bytes(reader, TN_HASH, TN_HASH, &digest)) {
                return false;
            }
        }
    }
    return true;
}

static bool read_reminder(tn_cbor *reader, tn_header *header)
{
    uint32_t count;
    return tn_cbor_array(reader, 2, 2, &count) &&
           tn_cbor_uint(reader, REMINDER_PAUSE_MAX, &header->reminder_pause) &&
           read_small(reader, 255, &header->reminders);
}

static bool read_entry(tn_cbor *reader, int32_t key, tn_header *header)
{
    static const uint8_t most[] = {[12 - FIRST] = TN_PHASE_CORRECTION, [14 - FIRST] = 4, [16 - FIRST] = 3};
    uint32_t value = 0;
    tn_source bytes;
    switch (key) {
    case 10:
        return tn_cbor_ident(reader, TN_NAME_BYTES_MAX, &bytes);
    case 11:
    case 22:
        (void)read_small(reader, 0xFFFF, &value);
        *(key == 11 ? &header->revision : &header->same_since) = (uint16_t)value;
        return !reader->bad;
    case 12:
    case 14:
    case 16:
        (void)read_small(reader, most[key - FIRST], &value);
        *(key == 12 ? &header->phase : key == 14 ? &header->severity : &header->action) = (uint8_t)value;
        return !reader->bad;
    case 13:
        return tn_cbor_bool(reader, &header->exercise);
    case 15:
        return read_affected(reader, &header->affects);
    case 17:
        return tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &header->next_update);
    case 18:
        return read_reminder(reader, header);
    case 19:
        return read_texts(reader, header);
    case 20:
        return read_patches(reader);
    case 21:
        return tn_cbor_bytes(reader, TN_HASH, TN_HASH, &bytes);
    default:
        return false;
    }
}

/* Where the encoded value of an entry is kept that owners are told; what is not told has no place. */
static int32_t place_of(int32_t key)
{
    static const int8_t places[] = {0, -1, 1, 2, 3, 4, 5, 6, 7, -1, 8, -1, -1};
    return places[key - FIRST];
}

static bool read_all(tn_cbor *reader, uint32_t count, tn_header *header)
{
    int32_t last = FIRST - 1;
    uint32_t seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!tn_cbor_key(reader, &last) || last > LAST) {
            return false;
        }
        uint32_t from = reader->at;
        if (!read_entry(reader, last, header)) {
            return false;
        }
        if (place_of(last) >= 0) {
            header->told[place_of(last)] = tn_part(reader->in, from, reader->at - from);
        }
        seen |= 1u << (last - FIRST);
    }
    return (seen & NEEDED) == NEEDED;
}

tn_reason tn_header_shape(tn_cbor *reader, uint32_t count)
{
    tn_header header;
    tn_fill(&header, 0, sizeof(header));
    return read_all(reader, count, &header) ? TN_OK : TN_MALFORMED;
}

bool tn_header_read(tn_source body, tn_header *header)
{
    tn_document common;
    tn_cbor reader;
    tn_fill(header, 0, sizeof(*header));
    if (tn_document_read(body, &common) != TN_OK) {
        return false;
    }
    header->expires = common.has_expires ? common.expires : 0u;
    tn_cbor_open(&reader, tn_part(body, common.rest, body.length - common.rest));
    return read_all(&reader, common.count, header);
}

tn_source tn_header_id(tn_source body)
{
    tn_document common;
    tn_cbor reader;
    tn_source id = {0};
    int32_t last = FIRST - 1;
    if (tn_document_read(body, &common) == TN_OK) {
        tn_cbor_open(&reader, tn_part(body, common.rest, body.length - common.rest));
        (void)tn_cbor_key(&reader, &last);
        (void)tn_cbor_ident(&reader, TN_NAME_BYTES_MAX, &id);
    }
    return id;
}

bool tn_header_text(const tn_header *header, uint32_t number, tn_source *language, tn_source *digest)
{
    tn_cbor reader;
    *language = (tn_source){0};
    tn_cbor_open(&reader, header->texts);
    for (uint32_t i = 0; i <= number && number < header->languages; i++) {
        if (!read_text(&reader, language, digest)) {
            return false;
        }
    }
    return number < header->languages;
}

static bool digest_in(const tn_header *header, const char *tag, tn_source *digest)
{
    tn_source language;
    for (uint32_t i = 0; tn_header_text(header, i, &language, digest); i++) {
        if (tn_equals(language, tag, tn_length(tag))) {
            return true;
        }
    }
    return false;
}

bool tn_header_tells_as(const tn_header *header, const tn_header *earlier, const char *language)
{
    tn_source mine, theirs;
    for (uint32_t i = 0; i < sizeof(header->told) / sizeof(header->told[0]); i++) {
        if (!tn_same(header->told[i], earlier->told[i])) {
            return false;
        }
    }
    return digest_in(header, language, &mine) && digest_in(earlier, language, &theirs) && tn_same(mine, theirs);
}
