/* MCUboot images, read from a slot (advisories/mcuboot.py): whole to the last byte, and what they say of themselves. */
#include "rooms.h"

#define HEADER_BYTES 32u
#define MAGIC 0x96F3B83Du
#define FLAGS_ALLOWED 0x121u /* position independent, loaded to RAM, fixed in ROM */
#define RECORD_BYTES 4u      /* a record's type and length; an area's magic and whole length */
#define AREA_PROTECTED 0x6908u
#define AREA_PLAIN 0x6907u
#define ALGORITHMS_MAX 8u
#define IDENTIFIER_BYTES 16u
#define DEPENDENCY 0x40u
#define DEPENDENCY_BYTES 12u

/* Records that may stand in an area once: SHA-256, counter, algorithms; vendor and class as numbered now, and before.
 * */
enum { SHA256, COUNTER, ALGORITHMS, VENDOR, VENDOR_BEFORE, CLASS, CLASS_BEFORE, KINDS };
static const uint8_t kinds[KINDS] = {0x10, 0x50, 0xA0, 0x74, 0x80, 0x75, 0x81};

typedef struct {
    tn_source value[KINDS]; /* of the area read last */
    uint32_t found;         /* bit n: value n is there */
    uint32_t end;
    bool odd; /* a dependency has another length */
} area;

static uint32_t little(tn_source from, uint32_t at, uint32_t count)
{
    uint8_t bytes[4];
    uint32_t value = 0;
    tn_read(from, at, bytes, count);
    while (count > 0u) {
        count--;
        value = value << 8 | bytes[count];
    }
    return value;
}

/* Read the records of one area, which begins at `at`. */
static tn_reason read_area(tn_source in, uint32_t at, uint32_t magic, area *records)
{
    tn_fill(records, 0, sizeof(*records));
    if (in.length < RECORD_BYTES || at > in.length - RECORD_BYTES || little(in, at, 2) != magic) {
        return TN_MALFORMED;
    }
    uint32_t size = little(in, at + 2u, 2);
    if (size < RECORD_BYTES || size > in.length - at) {
        return TN_MALFORMED;
    }
    records->end = at + size;
    at += RECORD_BYTES;
    while (at < records->end) {
        if (records->end - at < RECORD_BYTES) {
            return TN_MALFORMED;
        }
        uint32_t kind = little(in, at, 2), length = little(in, at + 2u, 2), i = 0;
        at += RECORD_BYTES;
        if (length > records->end - at) {
            return TN_MALFORMED;
        }
        while (i < KINDS && kinds[i] != kind) {
            i++;
        }
        if (i < KINDS) {
            if (TN_IN(records->found, i)) {
                return TN_MALFORMED;
            }
            records->found |= 1u << i;
            records->value[i] = tn_part(in, at, length);
        }
        records->odd = records->odd || (kind == DEPENDENCY && length != DEPENDENCY_BYTES);
        at += length;
    }
    return TN_OK;
}

static bool identifier_fits(const area *records, uint32_t now, uint32_t before)
{
    bool both = TN_IN(records->found, now) && TN_IN(records->found, before);
    return (!TN_IN(records->found, now) || records->value[now].length == IDENTIFIER_BYTES) &&
           (!TN_IN(records->found, before) || records->value[before].length == IDENTIFIER_BYTES) &&
           (!both || tn_same(records->value[now], records->value[before]));
}

/* 1 to 8 numbers with a sign, rising; which of them are known is of no matter. */
static bool algorithms_fit(tn_source value)
{
    int64_t last = INT64_MIN;
    if (value.length % 4u != 0u || value.length == 0u || value.length > 4u * ALGORITHMS_MAX) {
        return false;
    }
    for (uint32_t at = 0; at < value.length; at += 4u) {
        uint32_t bits = little(value, at, 4);
        int64_t number = (int64_t)bits - (bits > INT32_MAX ? (int64_t)1 << 32 : 0);
        if (number <= last) {
            return false;
        }
        last = number;
    }
    return true;
}

static tn_reason check_protected(const area *records, tn_image *image)
{
    image->counter = 0;
    if (TN_IN(records->found, COUNTER)) {
        if (records->value[COUNTER].length != 4u) {
            return TN_MALFORMED;
        }
        image->counter = little(records->value[COUNTER], 0, 4);
    }
    bool fine = !TN_IN(records->found, ALGORITHMS) || algorithms_fit(records->value[ALGORITHMS]);
    fine = fine && identifier_fits(records, VENDOR, VENDOR_BEFORE) && identifier_fits(records, CLASS, CLASS_BEFORE);
    return fine && !records->odd ? TN_OK : TN_MALFORMED;
}

/* Hash the whole, and on the way what MCUboot's own record covers. */
static void hash(tn_source in, uint32_t covered, tn_image *image)
{
    static tn_sha256 inner; /* beside the other one too much for the stack */
    tn_sha256 whole;
    tn_sha256_begin(&whole);
    tn_sha256_add_source(&whole, tn_part(in, 0, covered));
    tn_copy(&inner, &whole, sizeof(inner));
    tn_sha256_end(&inner, image->hash);
    tn_sha256_add_source(&whole, tn_part(in, covered, in.length - covered));
    tn_sha256_end(&whole, image->digest);
}

typedef struct {
    area records;
    tn_source stated;   /* SHA-256 that the image says of itself */
    uint32_t covered;   /* bytes that it covers */
    tn_reason late;     /* a fault of the protected records: it counts behind the digest */
} reading;

static tn_reason read_records(tn_source in, bool whole, reading *now, tn_image *image)
{
    uint32_t header = little(in, 8, 2), guarded = little(in, 10, 2), body = little(in, 12, 4);
    if (header < HEADER_BYTES || body == 0u || header > in.length || body > in.length - header) {
        return TN_MALFORMED;
    }
    uint32_t at = header + body;
    if (guarded != 0u) {
        if (read_area(in, at, AREA_PROTECTED, &now->records) != TN_OK || now->records.end - at != guarded) {
            return TN_MALFORMED;
        }
        now->late = check_protected(&now->records, image);
        at = now->records.end;
    }
    now->covered = at;
    if (read_area(in, at, AREA_PLAIN, &now->records) != TN_OK || (whole && now->records.end != in.length) ||
        !TN_IN(now->records.found, SHA256)) {
        return TN_MALFORMED;
    }
    image->length = now->records.end;
    now->stated = now->records.value[SHA256];
    return TN_OK;
}

tn_reason tn_image_read(uint8_t slot, uint32_t length, tn_image *image)
{
    static reading now; /* too much for the stack */
    tn_source in = tn_in_flash(TN_AT_SLOTS + slot * TN_SLOT_BYTES, length == 0u ? TN_SLOT_BYTES : length);
    tn_reason reason = TN_MALFORMED;
    tn_fill(image, 0, sizeof(*image));
    tn_fill(&now, 0, sizeof(now));
    if (in.length > TN_SLOT_BYTES) {
        return TN_TOO_BIG;
    }
    if (in.length >= HEADER_BYTES && little(in, 0, 4) == MAGIC) {
        image->version[0] = (tn_version_part)little(in, 20, 1);
        image->version[1] = (tn_version_part)little(in, 21, 1);
        image->version[2] = (tn_version_part)little(in, 22, 2);
        image->version[3] = (tn_version_part)little(in, 24, 4);
        reason = (little(in, 16, 4) & ~FLAGS_ALLOWED) != 0u ? TN_UNSUPPORTED
                                                           : read_records(in, length != 0u, &now, image);
    }
    if (length == 0u) {
        in.length = image->length;
    }
    if (in.length != 0u) {
        hash(in, now.covered, image);
    }
    if (reason != TN_OK) {
        return reason;
    }
    return tn_equals(now.stated, image->hash, TN_HASH) ? now.late : TN_DIGEST_MISMATCH;
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
    tn_sha256_of(tn_in_memory(bytes, BODY_AT), bytes + BODY_AT); /* any code will do, another one for each version */
    tn_sha256_of(tn_in_memory(bytes, PLAIN_AT), bytes + HASH_AT);
    tn_flash_copy(TN_AT_SLOTS + record.active * TN_SLOT_BYTES, tn_in_memory(bytes, sizeof(bytes)));
    tn_boot_save(&record);
}
#endif
