/* Edwards25519: -x^2 + y^2 = 1 + d x^2 y^2 modulo p = 2^255 - 19. Small first: one way to multiply, no table of
 * multiples, and the formulas are data.
 *
 * Whatever tn_curve_base() calls neither branches on numbers nor takes addresses from them: the steps are the same for
 * every secret scalar. How long a step takes is up to the core: a Cortex-M3 needs fewer cycles to multiply small words
 * (SMLAL: 3 to 7), and tells so much; a Cortex-M4 or a later one does not. */
#include "curve.h"

#include "crypto.h"

/* A number modulo p: the sum of limb[i] 2^(29 i). Not in one way only: what multiply() makes has limbs from -2^28 to
 * 2^28 (and the second one a little beyond). Sums and differences are not carried on; multiply() takes limbs of up to
 * three times that on one side and four times that on the other. */
#define LIMBS 9u
#define LIMB_BITS 29u
#define LIMB_HALF (1 << (LIMB_BITS - 1u))
#define LIMB_MASK (2 * LIMB_HALF - 1)
#define WRAP (19 << 6) /* 2^261 modulo p */

typedef struct {
    int32_t limb[LIMBS];
} element;

/* The product; all three may be one. Limb k of it is the sum over i of one[i] times limb k of other 2^(29 i). That is
 * other moved up by i limbs, where what leaves at the top comes in below, times WRAP: as a limb, and what is too much
 * for it goes to the limb above. So all of these stand in one row, moved[8 - i + k], but their lowest limbs, to which
 * nothing has been carried: low[8 - i]. */
static void multiply(element *to, const element *one, const element *other)
{
    int32_t moved[2u * LIMBS - 1u];
    int32_t low[LIMBS];
    int64_t sum;
    moved[8] = low[8] = other->limb[0];
    for (uint32_t i = LIMBS - 1u; i > 0u; i--) {
        sum = (int64_t)WRAP * other->limb[i] + LIMB_HALF;
        moved[8u + i] = other->limb[i];
        moved[i] += (int32_t)(sum >> LIMB_BITS);
        moved[i - 1u] = low[i - 1u] = ((int32_t)sum & LIMB_MASK) - LIMB_HALF;
    }
    const int32_t *a = one->limb, *b = low;
    sum = 0;
    for (uint32_t k = 0; k < LIMBS; k++) {
        sum += (int64_t)a[0] * b[8];
        sum += (int64_t)a[1] * b[7];
        sum += (int64_t)a[2] * b[6];
        sum += (int64_t)a[3] * b[5];
        sum += (int64_t)a[4] * b[4];
        sum += (int64_t)a[5] * b[3];
        sum += (int64_t)a[6] * b[2];
        sum += (int64_t)a[7] * b[1];
        sum += (int64_t)a[8] * b[0];
        sum += LIMB_HALF;
        low[k] = ((int32_t)sum & LIMB_MASK) - LIMB_HALF;
        sum >>= LIMB_BITS;
        b = moved + k + 1u;
    }
    sum = sum * WRAP + low[0] + LIMB_HALF;
    low[0] = ((int32_t)sum & LIMB_MASK) - LIMB_HALF;
    low[1] += (int32_t)(sum >> LIMB_BITS);
    for (uint32_t i = 0; i < LIMBS; i++) {
        to->limb[i] = low[i];
    }
}

static uint32_t bit_of(const uint8_t *bytes, uint32_t bit)
{
    return (uint32_t)bytes[bit / 8u] >> (bit % 8u) & 1u;
}

/* From 32 bytes, the least significant first, without the highest bit. */
static void read(element *to, const uint8_t *bytes)
{
    tn_fill(to, 0, sizeof(*to));
    for (uint32_t bit = 255; bit > 0u;) {
        bit--;
        int32_t *limb = &to->limb[bit / LIMB_BITS];
        *limb = 2 * *limb + (int32_t)bit_of(bytes, bit);
    }
}

/* To 32 bytes, in the one way below p. The number is that and p times `times`, which is floor((number + 19 times + 19) /
 * 2^255): begun low, this comes to rest at the second turn. Then adding 19 times and leaving out what stands above 2^255
 * is taking away p times. */
static void write(uint8_t *bytes, const element *from)
{
    int32_t times = -128;
    for (uint32_t turn = 0; turn < 3u; turn++) {
        int64_t sum = 19 * times + (turn < 2u ? 19 : 0);
        uint32_t bits = 0;
        const int32_t *limb = from->limb;
        for (uint32_t i = 0; i < 32u; i++) {
            if (bits < 8u) {
                sum += (int64_t)((uint64_t)*limb++ << bits);
                bits += LIMB_BITS;
            }
            bytes[i] = (uint8_t)sum;
            sum >>= 8;
            bits -= 8u;
        }
        times = 2 * (int32_t)sum + (bytes[31] >> 7);
    }
    bytes[31] &= 0x7Fu;
}

static bool is_zero(const element *number)
{
    uint8_t bytes[32];
    uint8_t any = 0;
    write(bytes, number);
    for (uint32_t i = 0; i < sizeof(bytes); i++) {
        any |= bytes[i];
    }
    return any == 0u;
}

/* -- Formulas are steps, of 16 bits each: what to do, and the places of the result and of what it is made of. -- */

/* A point is X / Z, Y / Z, and E H = X Y / Z. What add[] takes is a term: Y + X, Y - X, 2 Z, 2 d X Y / Z. */
enum { X, Y, Z, E, H, F, G, TERM, PLUS = 11, MINUS, TWICE, PRODUCT, ONE = 11, D = 13, ROOT };
#define POINT_PLACES 7u
#define TERM_PLACES 4u

#define ADD(to, one, other) ((to) << 10 | (one) << 6 | (other))
#define SUB(to, one, other) (1u << 14 | (to) << 10 | (one) << 6 | (other))
#define MUL(to, one, other) (2u << 14 | (to) << 10 | (one) << 6 | (other))
#define SQUARE(to, one, times) (3u << 14 | (to) << 10 | (one) << 6 | (times)) /* so often */
#define END 0u

/* Places from PLUS on are those of `more`. */
static void run(const uint16_t *step, element *work, const element *more)
{
    for (; *step != END; step++) {
        uint32_t what = (uint32_t)*step >> 14, times = *step & 63u, first = *step >> 6 & 15u;
        element *to = work + (*step >> 10 & 15u);
        const element *one = first < PLUS ? work + first : more + (first - PLUS);
        const element *other = times < PLUS ? work + times : more + (times - PLUS);
        if (what < 2u) {
            for (uint32_t i = 0; i < LIMBS; i++) {
                to->limb[i] = one->limb[i] + (1 - 2 * (int32_t)what) * other->limb[i];
            }
            continue;
        }
        if (what == 2u) {
            times = 1;
        } else {
            other = one;
        }
        for (; times > 0u; times--) {
            multiply(to, one, other);
            one = other = to;
        }
    }
}

/* Of these the first four are the base point as a term, halved so that there is a 1. */
static const element constants[] = {
    /* (y + x) / 2, (y - x) / 2, 1, d x y */
    {{-87679540, -17674468, -243154138, -215103748, 169219709, -232384241, -188068329, -207405748, -3938353}},
    {{195053727, -197073897, 135779956, -107018799, -61845526, 17635876, 80694147, -114716799, 2260632}},
    {{1}},
    {{62739764, 254035990, -178744363, -102226995, -87269065, -9242799, 189838391, -158732090, 3639486}},
    /* d, the root of -1 */
    {{-212240202, 257584721, -260691235, 1350275, -24543225, 3980221, -103927011, -37392896, -3013779}},
    {{168730800, 124836154, 200875569, 103812442, -42306828, 5021438, -64180940, -267782084, 2851621}},
};
#define OTHERS (constants + 2)

/* "dbl-2008-hwcd" with both signs turned. */
static const uint16_t double_point[] = {
    ADD(F, Z, Z), MUL(F, F, Z), ADD(E, X, Y), MUL(E, E, E), MUL(X, X, X), MUL(Y, Y, Y), ADD(H, X, Y),
    SUB(G, X, Y), SUB(E, H, E), ADD(F, F, G), MUL(X, E, F), MUL(Y, G, H), MUL(Z, F, G), END};

/* "add-2008-hwcd-3", which has no exceptions on this curve. */
static const uint16_t add_term[] = {
    MUL(H, E, H), MUL(H, H, PRODUCT), SUB(E, Y, X), MUL(E, E, MINUS), ADD(X, Y, X), MUL(X, X, PLUS), MUL(Z, Z, TWICE),
    SUB(F, Z, H), ADD(G, Z, H), ADD(H, X, E), SUB(E, X, E), MUL(X, E, F), MUL(Y, G, H), MUL(Z, F, G), END};

static const uint16_t make_term[] = {
    ADD(TERM, Y, X), SUB(TERM + 1, Y, X), ADD(TERM + 2, Z, Z), MUL(G, E, H), ADD(G, G, G), MUL(TERM + 3, G, D), END};

/* F = G^(2^252 - 3), which is G^((p - 5) / 8): by way of G^(2^k - 1) for k = 2, 3, 6, 12, 24, 25, 50, 100, 200, 250. */
static const uint16_t raise[] = {
    SQUARE(H, G, 1),  MUL(F, H, G), SQUARE(H, F, 1),  MUL(F, H, G), SQUARE(H, F, 3),  MUL(F, H, F), SQUARE(H, F, 6),
    MUL(F, H, F),     SQUARE(H, F, 12), MUL(F, H, F), SQUARE(H, F, 1), MUL(F, H, G), SQUARE(H, F, 25), MUL(Z, H, F),
    SQUARE(H, Z, 50), MUL(F, H, Z), SQUARE(H, F, 50), SQUARE(H, H, 50), MUL(F, H, F), SQUARE(H, F, 50), MUL(F, H, Z),
    SQUARE(H, F, 2),  MUL(F, H, G), END};

/* X = u = y^2 - 1, E = v = d y^2 + 1, of which x^2 = u / v; G = u v. H = y u (y^2 v + u): zero where the point's order
 * is 4, 1 or 2, or 8 (then x^2 = -y^2). */
static const uint16_t look_at_key[] = {
    MUL(H, Y, Y), SUB(X, H, ONE), MUL(E, D, H), ADD(E, E, ONE), MUL(G, X, E), MUL(H, H, E), ADD(H, H, X), MUL(H, H, X),
    MUL(H, H, Y), END};
/* F = u (u v)^((p - 5) / 8): then v F^2 is u or -u, if u / v has a root at all (RFC 8032, 5.1.3). */
static const uint16_t try_root[] = {MUL(F, F, X), MUL(H, F, F), MUL(H, H, E), SUB(Z, H, X), ADD(H, H, X), END};
static const uint16_t other_root[] = {MUL(F, F, ROOT), END};
static const uint16_t negate[] = {SUB(Z, F, F), SUB(F, Z, F), END};
static const uint16_t take_root[] = {SUB(Z, F, F), ADD(X, F, Z), ADD(E, F, Z), ADD(H, Y, Z), ADD(Z, Z, ONE), END};

/* 1 / z is (z^((p - 5) / 8))^8 z^3. */
static const uint16_t before_inverse[] = {MUL(G, Z, ONE), END};
static const uint16_t divide[] = {
    SQUARE(F, F, 3), MUL(F, F, G), MUL(F, F, G), MUL(F, F, G), MUL(X, X, F), MUL(Y, Y, F), END};

/* Write a point as RFC 8032 does. */
static void write_point(uint8_t *bytes, element *work)
{
    run(before_inverse, work, OTHERS);
    run(raise, work, OTHERS);
    run(divide, work, OTHERS);
    write(bytes, &work[X]);
    uint8_t sign = (uint8_t)(bytes[0] << 7);
    write(bytes, &work[Y]);
    bytes[31] |= sign;
}

/* What look_at_key[] says; false: it is none. */
static bool read_key(element *work, const uint8_t *key)
{
    uint8_t bytes[32];
    read(&work[Y], key);
    run(look_at_key, work, OTHERS);
    write(bytes, &work[Y]);
    bytes[31] |= key[31] & 0x80u;
    return tn_compare(bytes, key, sizeof(bytes)) == 0 && !is_zero(&work[H]);
}

/* -A, where A is the key that read_key() has read; false: there is no such point. */
static bool read_point(element *work, uint32_t sign)
{
    uint8_t bytes[32];
    run(raise, work, OTHERS);
    run(try_root, work, OTHERS);
    if (!is_zero(&work[Z])) {
        if (!is_zero(&work[H])) {
            return false;
        }
        run(other_root, work, OTHERS);
    }
    write(bytes, &work[F]);
    if ((bytes[0] & 1u) == sign) {
        run(negate, work, OTHERS);
    }
    run(take_root, work, OTHERS);
    return true;
}

static void begin(element *work)
{
    tn_fill(work, 0, POINT_PLACES * sizeof(*work));
    work[Y].limb[0] = work[Z].limb[0] = 1;
}

bool tn_ed25519_is_key(const uint8_t key[TN_PUBLIC])
{
    element work[POINT_PLACES];
    return read_key(work, key);
}

bool tn_curve_check(const uint8_t signature[64], const uint8_t key[32], const uint8_t hash[32])
{
    /* a point; a term as it is made: in the end B - A; the term -A */
    element work[POINT_PLACES + 2u * TERM_PLACES];
    uint8_t written[32];
    if (!read_key(work, key) || !read_point(work, key[31] >> 7)) {
        return false;
    }
    run(make_term, work, OTHERS);
    tn_copy(work + TERM + TERM_PLACES, work + TERM, TERM_PLACES * sizeof(*work));
    run(add_term, work, constants);
    run(make_term, work, OTHERS);
    begin(work);
    for (uint32_t bit = 253; bit > 0u;) { /* both are below L, which is below 2^253; and public */
        bit--;
        run(double_point, work, NULL);
        bool of_base = bit_of(signature + 32, bit) != 0u;
        if (bit_of(hash, bit) != 0u) {
            run(add_term, work, work + TERM + (of_base ? 0u : TERM_PLACES));
        } else if (of_base) {
            run(add_term, work, constants);
        }
    }
    write_point(written, work);
    return tn_compare(written, signature, sizeof(written)) == 0;
}

void tn_curve_base(const uint8_t scalar[32], uint8_t point[32])
{
    static const uint8_t zero[TERM_PLACES] = {1, 1, 2, 0}; /* as a term */
    element work[POINT_PLACES + TERM_PLACES];
    begin(work);
    for (uint32_t bit = 253; bit > 0u;) {
        bit--;
        run(double_point, work, NULL);
        /* the base point, or zero: both are worked out of all bits */
        volatile int32_t mask = -(int32_t)bit_of(scalar, bit);
        for (uint32_t place = 0; place < TERM_PLACES; place++) {
            for (uint32_t i = 0; i < LIMBS; i++) {
                work[TERM + place].limb[i] = constants[place].limb[i] & mask;
            }
            work[TERM + place].limb[0] += zero[place] & ~mask;
        }
        run(add_term, work, work + TERM);
    }
    write_point(point, work);
}
