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

/* The limb that a sum leaves, from -LIMB_HALF on; the rest is carried. */
static int32_t settle(int64_t *sum)
{
    int32_t limb = (int32_t)((uint32_t)*sum << (32u - LIMB_BITS)) >> (32u - LIMB_BITS);
    *sum = (*sum + LIMB_HALF) >> LIMB_BITS;
    return limb;
}

/* The product; `to` may be `other`, but not `one`. Limb k of it is the sum over i of one[i] times limb k of other times
 * 2^(29 i), which is other moved up by i limbs, where what leaves at the top comes in below, times WRAP: as a limb, and
 * what is too much for it goes to the limb above. So all of these stand in one row, moved[8 - i + k], but their lowest
 * limbs, to which nothing has been carried: low[8 - i]. */
static void multiply(element *to, const element *one, const element *other)
{
    int32_t moved[2u * LIMBS - 1u];
    int32_t low[LIMBS];
    int64_t sum;
    int32_t limb = other->limb[0];
    low[8] = limb;
    for (uint32_t i = LIMBS - 1u; i > 0u; i--) {
        sum = (int64_t)WRAP * other->limb[i];
        moved[8u + i] = other->limb[i];
        low[i - 1u] = settle(&sum);
        moved[i] = limb + (int32_t)sum;
        limb = low[i - 1u];
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
        to->limb[k] = settle(&sum);
        b = moved + k + 1u;
    }
    sum = sum * WRAP + to->limb[0];
    to->limb[0] = settle(&sum);
    to->limb[1] += (int32_t)sum;
}

/* From 32 bytes, the least significant first, without the highest bit. */
static void read(element *to, const uint8_t *bytes)
{
    tn_fill(to, 0, sizeof(*to));
    for (uint32_t bit = 255; bit > 0u;) {
        bit--;
        int32_t *limb = &to->limb[bit / LIMB_BITS];
        *limb = 2 * *limb + (bytes[bit / 8u] >> (bit % 8u) & 1);
    }
}

/* To 32 bytes, in the one way below p; what is returned is 0 only where the number is. The number is that and p times
 * `times`, which is floor((number + 19 times + 19) / 2^255): begun low, this comes to rest at the second turn. Then, in
 * the third one, adding 19 times and leaving out what stands above 2^255 is taking away p times. */
static uint32_t write(uint8_t *bytes, const element *from)
{
    uint32_t any = 0;
    int32_t times = -127, limb[LIMBS];
    for (uint32_t turn = 0; turn < 3u; turn++) {
        int32_t sum = 19 * times;
        for (uint32_t i = 0; i < LIMBS; i++) {
            sum += from->limb[i];
            limb[i] = sum & LIMB_MASK;
            sum >>= LIMB_BITS;
        }
        times = 64 * sum + (limb[8] >> 23) + (turn == 0u ? 1 : 0);
    }
    limb[8] &= 0x7FFFFF;
    for (uint32_t bit = 0; bit < 256u; bit++) {
        uint32_t set = (uint32_t)limb[bit / LIMB_BITS] >> (bit % LIMB_BITS) & 1u;
        bytes[bit / 8u] = (uint8_t)(bytes[bit / 8u] >> 1 | set << 7);
        any |= set;
    }
    return any;
}

static bool is_zero(const element *number)
{
    uint8_t bytes[32];
    return write(bytes, number) == 0u;
}

/* -- Formulas are steps, of 16 bits each: what to do, and the places of the result and of what it is made of. -- */

/* A point is X / Z, Y / Z, and E H = X Y / Z. What add[] takes is a term: Y + X, Y - X, 2 Z, 2 d X Y / Z. Behind the
 * two that are worked on stand 1, d, the root of -1, and the terms of the base point and of the key's negative. */
enum {
    X, Y, Z, E, H, F, G,
    PLUS, MINUS, TWICE, PRODUCT,
    ONE, D, ROOT,
    OF_BASE, OF_KEY = OF_BASE + 4, PLACES = OF_KEY + 4
};
#define POINT_PLACES 7u
#define TERM_PLACES 4u
#define AHEAD(term) ((term) - PLUS)

#define ADD(to, one, other) ((to) << 10 | (one) << 6 | (other))
#define SUB(to, one, other) (1u << 14 | (to) << 10 | (one) << 6 | (other))
#define MUL(to, one, other) (2u << 14 | (to) << 10 | (one) << 6 | (other)) /* to is not one */
#define SQUARE(to, one, times) (3u << 14 | (to) << 10 | (one) << 6 | (times)) /* so often */

/* Where one does not end with a step of 0, the next one follows. */
typedef struct {
    uint16_t double_point[14], add_term[15], make_term[7], before_inverse[1], raise[24], make_root[3], look_at_key[10],
        try_root[6], other_root[2], negate[2], take_root[6], divide[7], before_root[2];
} formulas;

static const formulas steps = {
    /* "dbl-2008-hwcd" with both signs turned. */
    .double_point = {ADD(F, Z, Z), MUL(F, Z, F), ADD(E, X, Y), SQUARE(G, E, 1), SQUARE(H, X, 1), SQUARE(X, Y, 1),
                     SUB(Y, H, X), ADD(H, H, X), SUB(E, H, G), ADD(F, F, Y), MUL(X, E, F), MUL(Z, F, Y), MUL(Y, H, Y)},
    /* "add-2008-hwcd-3", which has no exceptions on this curve. */
    .add_term = {MUL(H, E, H), MUL(H, PRODUCT, H), SUB(E, Y, X), MUL(E, MINUS, E), ADD(X, Y, X), MUL(X, PLUS, X),
                 MUL(Z, TWICE, Z), SUB(F, Z, H), ADD(G, Z, H), ADD(H, X, E), SUB(E, X, E), MUL(X, E, F), MUL(Y, G, H),
                 MUL(Z, F, G)},
    .make_term = {ADD(PLUS, Y, X), SUB(MINUS, Y, X), ADD(TWICE, Z, Z), MUL(G, E, H), ADD(G, G, G), MUL(PRODUCT, G, D)},
    /* 1 / z is (z^((p - 5) / 8))^8 z^3. */
    .before_inverse = {MUL(G, Z, ONE)},
    /* F = G^(2^252 - 3), which is G^((p - 5) / 8), by way of G^(2^k - 1): k = 2, 3, 6, 12, 24, 25, 50, 100, 200, 250 */
    .raise = {SQUARE(H, G, 1), MUL(F, H, G), SQUARE(H, F, 1), MUL(F, H, G), SQUARE(H, F, 3), MUL(F, H, F),
              SQUARE(H, F, 6), MUL(F, H, F), SQUARE(H, F, 12), MUL(F, H, F), SQUARE(H, F, 1), MUL(F, H, G),
              SQUARE(H, F, 25), MUL(Z, H, F), SQUARE(H, Z, 50), MUL(F, H, Z), SQUARE(H, F, 50), SQUARE(H, H, 50),
              MUL(F, H, F), SQUARE(H, F, 50), MUL(F, H, Z), SQUARE(H, F, 2), MUL(F, H, G)},
    /* d; and 2^((p - 1) / 4), which is 2 F^2, where G is 2. */
    .make_root = {SQUARE(H, F, 1), MUL(ROOT, H, G), MUL(D, X, ONE)},
    /* X = u = y^2 - 1, E = v = d y^2 + 1, of which x^2 = u / v; G = u v. H = y u (y^2 v + u): zero where the point's
     * order is 4, 1 or 2, or 8 (then x^2 = -y^2). */
    .look_at_key = {SQUARE(H, Y, 1), SUB(X, H, ONE), MUL(E, D, H), ADD(E, E, ONE), MUL(G, X, E), MUL(H, E, H),
                    ADD(H, H, X), MUL(H, X, H), MUL(H, Y, H)},
    /* F = u (u v)^((p - 5) / 8): then v F^2 is u or -u, if u / v has a root at all (RFC 8032, 5.1.3). */
    .try_root = {MUL(F, X, F), SQUARE(H, F, 1), MUL(H, E, H), SUB(Z, H, X), ADD(H, H, X)},
    .other_root = {MUL(F, ROOT, F)},
    .negate = {SUB(Z, F, F), SUB(F, Z, F)},
    .take_root = {SUB(Z, F, F), ADD(X, F, Z), ADD(E, F, Z), ADD(H, Y, Z), ADD(Z, Z, ONE)},
    .divide = {SQUARE(F, F, 3), MUL(F, G, F), MUL(F, G, F), MUL(F, G, F), MUL(X, F, X), MUL(Y, F, Y)},
    .before_root = {ADD(G, ONE, ONE)},
};
#define STEPS(name) offsetof(formulas, name)

/* What does not change is worked out once: it takes RAM where it would take flash. */
static element work[PLACES];

/* A formula, which takes its term from so many places ahead of PLUS. */
static void run(uint32_t formula, uint32_t ahead)
{
    const uint16_t *step = (const uint16_t *)(const void *)((const uint8_t *)&steps + formula);
    for (; *step != 0u; step++) {
        uint32_t what = (uint32_t)*step >> 14, times = *step & 63u;
        element *to = work + (*step >> 10 & 15u);
        uint32_t first = *step >> 6 & 15u;
        const element *one = work + (first < PLUS ? first : first + ahead);
        if (what == 3u) {
            for (; times > 0u; times--) {
                element root = *one;
                multiply(to, &root, &root);
                one = to;
            }
            continue;
        }
        const element *other = work + (times < PLUS ? times : times + ahead);
        if (what == 2u) {
            multiply(to, one, other);
            continue;
        }
        for (uint32_t i = 0; i < LIMBS; i++) {
            to->limb[i] = one->limb[i] + (1 - 2 * (int32_t)what) * other->limb[i];
        }
    }
}

/* X / Z, Y / Z */
static void divide(void)
{
    run(STEPS(before_inverse), 0);
    run(STEPS(divide), 0);
}

/* Write a point as RFC 8032 does. */
static void write_point(uint8_t *bytes)
{
    divide();
    (void)write(bytes, &work[X]);
    uint8_t sign = (uint8_t)(bytes[0] << 7);
    (void)write(bytes, &work[Y]);
    bytes[31] |= sign;
}

/* -A, where A is the key that read_key() has read; false: there is no such point. */
static bool read_point(uint32_t sign)
{
    uint8_t bytes[32];
    run(STEPS(raise), 0);
    run(STEPS(try_root), 0);
    if (!is_zero(&work[Z])) {
        if (!is_zero(&work[H])) {
            return false;
        }
        run(STEPS(other_root), 0);
    }
    (void)write(bytes, &work[F]);
    run((bytes[0] & 1u) == sign ? STEPS(negate) : STEPS(take_root), 0);
    return true;
}

static uint32_t bit_of(const uint32_t *words, uint32_t bit)
{
    return words[bit / 32u] >> (bit % 32u) & 1u;
}

static void make_constants(void)
{
    work[ONE].limb[0] = 1;
    /* d is -121665 / 121666, and the base point's y is 4 / 5 */
    work[X].limb[0] = -121665 * 5;
    work[Y].limb[0] = 4 * 121666;
    work[Z].limb[0] = 5 * 121666;
    divide();
    run(STEPS(before_root), 0);
    run(STEPS(raise), 0);
    run(STEPS(make_root), 0);
    (void)read_point(1);
    run(STEPS(make_term), 0);
    tn_copy(work + OF_BASE, work + PLUS, TERM_PLACES * sizeof(*work));
}

/* The neutral point. */
static void begin(void)
{
    if (work[ONE].limb[0] == 0) {
        make_constants();
    }
    tn_fill(work, 0, POINT_PLACES * sizeof(*work));
    work[Y].limb[0] = work[Z].limb[0] = 1;
}

/* What look_at_key[] says; false: it is none. */
static bool read_key(const uint8_t *key)
{
    uint8_t bytes[32];
    begin();
    read(&work[Y], key);
    run(STEPS(look_at_key), 0);
    (void)write(bytes, &work[Y]);
    bytes[31] |= key[31] & 0x80u;
    return tn_compare(bytes, key, sizeof(bytes)) == 0 && !is_zero(&work[H]);
}

bool tn_ed25519_is_key(const uint8_t key[TN_PUBLIC])
{
    return read_key(key);
}

bool tn_curve_check(const uint8_t r[32], const uint8_t key[32], const uint32_t s[8], const uint32_t hash[8])
{
    uint8_t written[32];
    if (!read_key(key) || !read_point(key[31] >> 7)) {
        return false;
    }
    run(STEPS(make_term), 0);
    tn_copy(work + OF_KEY, work + PLUS, TERM_PLACES * sizeof(*work));
    run(STEPS(add_term), AHEAD(OF_BASE)); /* in the end, the term that is worked on is that of B - A */
    run(STEPS(make_term), 0);
    begin();
    for (uint32_t bit = 253; bit > 0u;) { /* both are below L, which is below 2^253; and public */
        bit--;
        run(STEPS(double_point), 0);
        bool of_base = bit_of(s, bit) != 0u;
        if (bit_of(hash, bit) != 0u) {
            run(STEPS(add_term), of_base ? 0u : AHEAD(OF_KEY));
        } else if (of_base) {
            run(STEPS(add_term), AHEAD(OF_BASE));
        }
    }
    write_point(written);
    return tn_compare(written, r, sizeof(written)) == 0;
}

void tn_curve_base(const uint32_t scalar[8], uint8_t point[32])
{
    begin();
    for (uint32_t bit = 253; bit > 0u;) {
        bit--;
        run(STEPS(double_point), 0);
        /* the base point, or zero, which is 1, 1, 2, 0 as a term: both are worked out of all bits */
        volatile int32_t mask = -(int32_t)bit_of(scalar, bit);
        const int32_t *from = work[OF_BASE].limb;
        int32_t *to = work[PLUS].limb;
        for (uint32_t i = 0; i < TERM_PLACES * LIMBS; i++) {
            to[i] = from[i] & mask;
        }
        to[0] += 1 + mask;
        to[LIMBS] += 1 + mask;
        to[2u * LIMBS] += 2 * (1 + mask);
        run(STEPS(add_term), 0);
    }
    write_point(point);
}
