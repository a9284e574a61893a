/* Public keys as a root holds them: COSE_Key in, verdict out (keys/algorithms.py). */
#include <stddef.h>

#include "policy.h"

/* -- P-256 (FIPS 186-4, D.1.2.3): a root with a key that is no point is not well formed, also for a device that checks no
 * signature on this curve. Nothing here is secret; small counts, not fast. -- */

#define WORDS 8u
#define TURNED 0xFFFFFFFFu

typedef struct {
    uint32_t word[WORDS]; /* the least first */
} number;

static const number prime = {{0xFFFFFFFFu, 0xFFFFFFFFu, 0xFFFFFFFFu, 0, 0, 0, 1, 0xFFFFFFFFu}};
static const number curve_b = {
    {0x27D2604Bu, 0x3BCE3C3Eu, 0xCC53B0F6u, 0x651D06B0u, 0x769886BCu, 0xB3EBBD55u, 0xAA3A93E7u, 0x5AC635D8u}};

/* Add `more`, or with all bits turned its complement: then the carry says that nothing was borrowed. */
static uint32_t sum(number *to, const number *more, uint32_t turned)
{
    uint64_t carry = turned & 1u;
    for (uint32_t i = 0; i < WORDS; i++) {
        carry += (uint64_t)to->word[i] + (more->word[i] ^ turned);
        to->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    return (uint32_t)carry;
}

/* Of two numbers below the prime; `more` may be `to`. */
static void add(number *to, const number *more)
{
    uint32_t carry = sum(to, more, 0);
    number reduced = *to;
    if ((sum(&reduced, &prime, TURNED) | carry) != 0u) {
        *to = reduced;
    }
}

static number multiply(const number *one, const number *other)
{
    number product = {{0}};
    for (uint32_t bit = 32u * WORDS; bit > 0u; bit--) {
        add(&product, &product);
        if ((other->word[(bit - 1u) / 32u] >> ((bit - 1u) % 32u) & 1u) != 0u) {
            add(&product, one);
        }
    }
    return product;
}

/* False: it is not below the prime, where x and x + p would be the same point twice. */
static bool read(const uint8_t *bytes, number *value)
{
    tn_fill(value, 0, sizeof(*value));
    for (uint32_t i = 0; i < 4u * WORDS; i++) {
        value->word[WORDS - 1u - i / 4u] |= (uint32_t)bytes[i] << (24u - 8u * (i % 4u));
    }
    number left = *value;
    return sum(&left, &prime, TURNED) == 0u;
}

/* Whether two coordinates, the most significant byte first, are one point. */
static bool is_point(const uint8_t *x_bytes, const uint8_t *y_bytes)
{
    number x, y;
    if (!read(x_bytes, &x) || !read(y_bytes, &y)) {
        return false;
    }
    /* y^2 + 3x = x^3 + b */
    number left = multiply(&y, &y), right = multiply(&x, &x);
    right = multiply(&right, &x);
    add(&right, &curve_b);
    add(&left, &x);
    add(&left, &x);
    add(&left, &x);
    return tn_compare(&left, &right, sizeof(left)) == 0;
}

/* -- COSE_Key -- */

#define CURVE_BYTES 32u

/* How a key of each kind begins, and how long it is: only its required members, in the one encoding that counts. */
static const struct {
    const char *head;
    uint16_t head_bytes, bytes;
} key_forms[] = {
    {"\xA3\x01\x01\x20\x06\x21\x58\x20", TN_KEY_HEAD_BYTES, 40},       /* Ed25519 */
    {"\xA4\x01\x02\x20\x01\x21\x58\x20", TN_KEY_HEAD_BYTES, 75},       /* P-256 */
    {"\xA3\x01\x07\x03\x38\x2F\x20\x59\x05\x20", 10, 1322},         /* ML-DSA-44 */
    {"\xA3\x01\x07\x03\x38\x30\x20\x59\x07\xA0", 10, 1962},         /* ML-DSA-65 */
};
enum { FORM_ED25519, FORM_P256 };

/* What misfit() has to know of a label or value: its byte, or of two bytes the second behind 1; BYTES of a byte string. */
#define BYTES 0x40u
#define OTHER 0x200u

static uint32_t code_of(tn_source item)
{
    uint8_t bytes[2];
    tn_read(item, 0, bytes, sizeof(bytes));
    if (item.length == 1u) {
        return bytes[0];
    }
    if (bytes[0] >> 5 == TN_CBOR_BYTES) {
        return BYTES;
    }
    return item.length == 2u && bytes[0] == 0x38u ? 0x100u | bytes[1] : OTHER;
}

/* Whether what no form fits is at least of a kind that the protocol knows: then its members are wrong (keys.algorithms.
 * PublicKey.from_cose, where True, 0xF5, is 1 at first). */
static tn_reason misfit(tn_source item)
{
    tn_cbor reader;
    uint32_t count, kty = OTHER, alg = OTHER, curve = OTHER;
    tn_cbor_open(&reader, item);
    if (!tn_cbor_map(&reader, 0, UINT32_MAX, &count)) {
        return TN_MALFORMED;
    }
    for (; count > 0u; count--) {
        tn_source part;
        (void)tn_cbor_skip(&reader, &part);
        uint32_t label = code_of(part);
        (void)tn_cbor_skip(&reader, &part);
        uint32_t value = code_of(part);
        kty = label == 1u ? value : kty;
        alg = label == 3u ? value : alg;
        curve = label == 0x20u ? value : curve;
    }
    bool known = (kty == 2u && (curve == 1u || curve == 0xF5u)) || ((kty == 1u || kty == 0xF5u) && curve == 6u) ||
                 (kty == 7u && (alg == 0x12Fu || alg == 0x130u) && curve == BYTES);
    return known ? TN_MALFORMED : TN_UNSUPPORTED;
}

tn_reason tn_key_read(tn_source item, bool *other)
{
    uint8_t x[CURVE_BYTES], y[CURVE_BYTES + 3u];
    uint32_t form = 0;
    while (form < sizeof(key_forms) / sizeof(*key_forms) &&
           (item.length != key_forms[form].bytes ||
            !tn_equals(tn_part(item, 0, key_forms[form].head_bytes), key_forms[form].head, key_forms[form].head_bytes))) {
        form++;
    }
    tn_read(item, TN_KEY_HEAD_BYTES, x, sizeof(x));
    *other = form != FORM_ED25519;
    if (form == FORM_ED25519) {
        return tn_ed25519_is_key(x) ? TN_OK : TN_MALFORMED;
    }
    if (form == FORM_P256) {
        tn_read(item, TN_KEY_HEAD_BYTES + CURVE_BYTES, y, sizeof(y));
        return tn_compare(y, "\x22\x58\x20", 3) == 0 && is_point(x, y + 3) ? TN_OK : TN_MALFORMED;
    }
    return form < sizeof(key_forms) / sizeof(*key_forms) ? TN_OK : misfit(item);
}
