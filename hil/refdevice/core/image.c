/* MCUboot images, read from a slot (advisories/mcuboot.py): whole to the last byte, and what they say of themselves. */
#include "rooms.h"

#define HEADER_BYTES 32u
#define MAGIC 0x96F3B83Du
#define FLAGS_ALLOWED 0x121u /* position independent, loaded to RAM, fixed in ROM */
#define RECORD_BYTES 4u      /* a record's type and length; an area's magic and whole length */
#define AREA_PROTECTED 0x6908u
#define AREA_PLAIN 0x6907u
#define ALGORITHMS_MAX 8u

/* Records that may stand in an area once, but for dependencies: vendor and class as numbered now, and before. */
enum { SHA256, COUNTER, ALGORITHMS, VENDOR, VENDOR_BEFORE, CLASS, CLASS_BEFORE, DEPENDENCY, KINDS };
static const struct {
    uint8_t type, least, most; /* bytes, where it is protected */
} kinds[KINDS] = {
    {0x10, 0, 0xFF},          {0x50, 4, 4},             {0xA0, 4, 4u * ALGORITHMS_MAX}, {0x74, TN_UUID, TN_UUID},
    {0x80, TN_UUID, TN_UUID}, {0x75, TN_UUID, TN_UUID}, {0x81, TN_UUID, TN_UUID},       {0x40, 12, 12}};

/* Four bytes, the lowest first. Of a record these are its type, and above it its length. */
#define WORD(at) \
    ((uint32_t)(at)[0] | (uint32_t)(at)[1] << 8 | (uint32_t)(at)[2] << 16 | (uint32_t)(at)[3] << 24)

static tn_source content(const uint8_t *record)
{
    return tn_in_memory(record + RECORD_BYTES, WORD(record) >> 16);
}

/* Read the records of one area, of at most `most` bytes; return how many it has, 0: it is none. */
static uint32_t read_area(const uint8_t *at, uint32_t most, uint32_t magic, const uint8_t *records[KINDS])
{
    uint32_t size, length;
    if (most < RECORD_BYTES || (WORD(at) & UINT16_MAX) != magic) {
        return 0;
    }
    size = WORD(at) >> 16;
    if (size < RECORD_BYTES || size > most) {
        return 0;
    }
    tn_fill(records, 0, KINDS * sizeof(*records));
    for (uint32_t from = RECORD_BYTES; from < size; from += RECORD_BYTES + length) {
        const uint8_t *record = at + from;
        uint32_t left = size - from, says = left >= RECORD_BYTES ? WORD(record) : UINT32_MAX, i = 0;
        length = says >> 16;
        if (left < RECORD_BYTES + length) {
            return 0;
        }
        while (i < KINDS && kinds[i].type != (says & UINT16_MAX)) {
            i++;
        }
        if (i == KINDS) {
            continue;
        }
        bool fits = magic != AREA_PROTECTED || (length >= kinds[i].least && length <= kinds[i].most);
        if (!fits || (records[i] != NULL && i != DEPENDENCY)) {
            return 0;
        }
        records[i] = record;
    }
    return size;
}

/* Numbers with a sign, rising; which of them are known is of no matter. */
static bool algorithms_fit(const uint8_t *record)
{
    uint32_t length = content(record).length;
    bool fits = length % 4u == 0u;
    for (uint32_t at = RECORD_BYTES; fits && at < length; at += 4u) {
        uint32_t last = WORD(record + at) ^ 0x80000000u; /* so that they rise without a sign, too */
        fits = (WORD(record + at + 4u) ^ 0x80000000u) > last;
    }
    return fits;
}

static bool are_alike(const uint8_t *now, const uint8_t *before)
{
    return now == NULL || before == NULL || tn_compare(now + RECORD_BYTES, before + RECORD_BYTES, TN_UUID) == 0;
}

/* What a whole image says, of at most so many bytes: how many its own SHA-256 covers, and where that stands. */
static tn_reason read_parts(const uint8_t *head, uint32_t most, tn_image *image, uint32_t *covered,
                            const uint8_t **stated)
{
    const uint8_t *records[KINDS];
    if (most < HEADER_BYTES || WORD(head) != MAGIC) {
        return TN_MALFORMED;
    }
    uint32_t header = WORD(head + 8) & UINT16_MAX, guarded = WORD(head + 8) >> 16, body = WORD(head + 12);
    image->version[0] = head[20];
    image->version[1] = head[21];
    image->version[2] = WORD(head + 20) >> 16;
    image->version[3] = WORD(head + 24);
    if ((WORD(head + 16) & ~FLAGS_ALLOWED) != 0u) {
        return TN_UNSUPPORTED;
    }
    if (header < HEADER_BYTES || body == 0u || header > most || body > most - header) {
        return TN_MALFORMED;
    }
    uint32_t at = header + body;
    if (guarded != 0u) {
        if (read_area(head + at, most - at, AREA_PROTECTED, records) != guarded ||
            (records[ALGORITHMS] != NULL && !algorithms_fit(records[ALGORITHMS])) ||
            !are_alike(records[VENDOR], records[VENDOR_BEFORE]) || !are_alike(records[CLASS], records[CLASS_BEFORE])) {
            return TN_MALFORMED;
        }
        image->counter = records[COUNTER] != NULL ? WORD(records[COUNTER] + RECORD_BYTES) : 0u;
        at += guarded;
    }
    uint32_t plain = read_area(head + at, most - at, AREA_PLAIN, records);
    image->length = at + plain;
    *covered = at;
    *stated = records[SHA256];
    return plain != 0u && *stated != NULL ? TN_OK : TN_MALFORMED;
}

tn_reason tn_image_read(uint8_t slot, uint32_t length, tn_image *image)
{
    const uint8_t *bytes = tn_in_flash(TN_AT_SLOTS + slot * TN_SLOT_BYTES, 0).bytes, *stated;
    uint32_t covered;
    tn_fill(image, 0, sizeof(*image));
    if (length > TN_SLOT_BYTES) {
        return TN_TOO_BIG;
    }
    tn_reason reason = read_parts(bytes, length != 0u ? length : TN_SLOT_BYTES, image, &covered, &stated);
    if (length == 0u && reason == TN_OK) {
        length = image->length;
    }
    if (length != 0u) {
        tn_sha256_of(bytes, length, image->digest);
    }
    if (reason != TN_OK || length != image->length) {
        return reason != TN_OK ? reason : TN_MALFORMED;
    }
    tn_sha256_of(bytes, covered, image->hash);
    return tn_equals(content(stated), image->hash, TN_HASH) ? TN_OK : TN_DIGEST_MISMATCH;
}

#ifdef TN_TEST_BUILD
#define BODY_AT HEADER_BYTES
#define GUARDED_AT (BODY_AT + TN_HASH) /* counter 0, and Ed25519 (-19) as what it can verify */
#define PLAIN_AT (GUARDED_AT + 20u)
#define HASH_AT (PLAIN_AT + 8u)

void tn_image_make(const tn_version_part version[4])
{
    static const uint8_t form[HASH_AT] = {
        [0] = 0x3D, 0xB8, 0xF3, 0x96, [8] = HEADER_BYTES, [10] = 20, [12] = TN_HASH,
        [GUARDED_AT] = 0x08, 0x69, 20, 0, 0x50, 0, 4, 0, 0, 0, 0, 0, 0xA0, 0, 4, 0, 0xED, 0xFF, 0xFF, 0xFF,
        [PLAIN_AT] = 0x07, 0x69, 40, 0, 0x10, 0, TN_HASH, 0};
    uint8_t bytes[HASH_AT + TN_HASH];
    tn_boot_record record = *tn_boot();
    record.has_trial = false;
    tn_copy(bytes, form, sizeof(form));
    bytes[20] = (uint8_t)version[0];
    bytes[21] = (uint8_t)version[1];
    for (uint32_t i = 0; i < 6u; i++) {
        bytes[22u + i] = (uint8_t)(i < 2u ? version[2] >> (8u * i) : version[3] >> (8u * (i - 2u)));
    }
    tn_sha256_of(bytes, BODY_AT, bytes + BODY_AT); /* any code will do, another one for each version */
    tn_sha256_of(bytes, PLAIN_AT, bytes + HASH_AT);
    tn_flash_copy(TN_AT_SLOTS + record.active * TN_SLOT_BYTES, tn_in_memory(bytes, sizeof(bytes)));
    tn_boot_save(&record);
}
#endif
