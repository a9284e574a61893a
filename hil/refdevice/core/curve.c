/* Monocypher is compiled here as a whole, because this needs its inner functions. Its field arithmetic is used as it
 * is. Of the points, two things are done otherwise:
 *
 * - Monocypher's own check multiplies by the cofactor and takes R written in more than one way. Then a key's holder
 *   could make signatures that this device takes and that OpenSSL, with which everybody else verifies, refuses.
 * - Its tables of multiples are for speed. Without them, and with one way to multiply, this takes
 *   6 KiB less flash, and time is enough.
 */
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#include "monocypher.c"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include "curve.h"

/* The base point (y = 4/5, x even) as ge_add() takes it: y + x, y - x, 1, 2 d x y. */
static const ge_cached base = {
    .Yp = {25967493, -14356035, 29566456, 3660896, -12694345, 4014787, 27544626, -11754271, -6079156, 2047605},
    .Ym = {-12545711, 934262, -2722910, 3049990, -727428, 9406986, 12720692, 5043384, 19500929, -15469378},
    .Z = {1},
    .T2 = {-8738181, 4489570, 9688441, -14785194, 10184609, -12363380, 29287919, 11864899, -24514362, -4438546},
};

/* A field element from 32 bytes, without the highest bit. Its limbs, of 26 and 25 bits by turns, are not negative:
 * fe_mul() takes them, also added to another product. */
static void field_from(fe element, const uint8_t *bytes)
{
    for (uint32_t i = 0; i < 10u; i++) {
        uint32_t bit = (51u * i + 1u) / 2u;
        uint32_t mask = i % 2u == 0u ? 0x3FFFFFFu : 0x1FFFFFFu;
        element[i] = (int32_t)(load32_le(bytes + bit / 8u) >> bit % 8u & mask);
    }
}

/* power = base^(2^252 - 3), which is base^((p - 5) / 8). From x^(2^k - 1), k squarings and one product lead to twice
 * the k, and one more of each to k + 1: so k grows to 250 by its binary digits. */
static void raise(fe power, const fe x)
{
    fe before;
    uint32_t k = 1;
    fe_copy(power, x);
    for (uint32_t bit = 1u << 6; bit > 0u; bit >>= 1) {
        fe_copy(before, power);
        for (uint32_t i = 0; i < k; i++) {
            fe_mul(power, power, power);
        }
        fe_mul(power, power, before);
        k *= 2u;
        if ((250u & bit) != 0u) {
            fe_mul(power, power, power);
            fe_mul(power, power, x);
            k++;
        }
    }
    fe_mul(power, power, power);
    fe_mul(power, power, power);
    fe_mul(power, power, x);
}

/* -A, where A is written in 32 bytes; false: there is no such point (RFC 8032, 5.1.3). With u = y^2 - 1 and
 * v = d y^2 + 1, x is u (u v)^((p - 5) / 8), or sqrt(-1) times that, or nothing. */
static bool negated_point(ge *point, const uint8_t *bytes)
{
    fe u, v, squared;
    field_from(point->Y, bytes);
    fe_1(point->Z);
    fe_mul(u, point->Y, point->Y);
    fe_mul(v, u, d);
    fe_sub(u, u, point->Z);
    fe_add(v, v, point->Z);
    fe_mul(point->T, u, v);
    raise(point->X, point->T);
    fe_mul(point->X, point->X, u);
    for (uint32_t tries = 0; tries < 2u; tries++) {
        fe_mul(squared, point->X, point->X);
        fe_mul(squared, squared, v);
        if (fe_isequal(squared, u) != 0) {
            if (fe_isodd(point->X) == bytes[31] >> 7) {
                fe_neg(point->X, point->X);
            }
            fe_mul(point->T, point->X, point->Y);
            return true;
        }
        fe_mul(point->X, point->X, sqrtm1);
    }
    return false;
}

/* Write a point as RFC 8032 does; 1 / z is (z^((p - 5) / 8))^8 z^3. */
static void write_point(uint8_t *bytes, const ge *point)
{
    fe inverse, other;
    raise(inverse, point->Z);
    for (uint32_t i = 0; i < 3u; i++) {
        fe_mul(inverse, inverse, inverse);
    }
    for (uint32_t i = 0; i < 3u; i++) {
        fe_mul(inverse, inverse, point->Z);
    }
    fe_mul(other, point->Y, inverse);
    fe_tobytes(bytes, other);
    fe_mul(other, point->X, inverse);
    bytes[31] ^= (uint8_t)(fe_isodd(other) << 7);
}

/* ge_double() with 2 Z^2 as (Z + Z) Z: all limbs stay within what fe_mul() takes, which squares here, too. */
static void double_point(ge *point)
{
    ge spare;
    fe_mul(spare.X, point->X, point->X);
    fe_mul(spare.Y, point->Y, point->Y);
    fe_add(spare.Z, point->Z, point->Z);
    fe_mul(spare.Z, spare.Z, point->Z);
    fe_add(spare.T, point->X, point->Y);
    fe_mul(point->T, spare.T, spare.T);
    fe_add(spare.T, spare.Y, spare.X);
    fe_sub(spare.Y, spare.Y, spare.X);
    fe_sub(spare.X, point->T, spare.T);
    fe_sub(spare.Z, spare.Z, spare.Y);
    fe_mul(point->X, spare.X, spare.Z);
    fe_mul(point->Y, spare.T, spare.Y);
    fe_mul(point->Z, spare.Y, spare.Z);
    fe_mul(point->T, spare.X, spare.T);
}

bool tn_curve_check(const uint8_t signature[64], const uint8_t key[32], const uint8_t hash[32])
{
    ge_cached key_term, both_term; /* -A, B - A */
    uint32_t order[8];
    uint8_t written[32];
    ge point;
    const uint8_t *s = signature + 32;
    load32_le_buf(order, s, 8);
    if (is_above_l(order) != 0 || !negated_point(&point, key)) {
        return false;
    }
    ge_cache(&key_term, &point);
    ge_add(&point, &point, &base);
    ge_cache(&both_term, &point);
    const ge_cached *const terms[] = {&base, &key_term, &both_term};
    ge_zero(&point);
    for (int bit = 252; bit >= 0; bit--) { /* both are below L, which is below 2^253 */
        double_point(&point);
        int which = scalar_bit(s, bit) + 2 * scalar_bit(hash, bit);
        if (which != 0) {
            ge_add(&point, &point, terms[which - 1]);
        }
    }
    write_point(written, &point);
    return crypto_verify32(written, signature) == 0;
}

void tn_curve_base(const uint8_t scalar[32], uint8_t point[32])
{
    ge sums[2]; /* without and with the bit that is looked at: both are worked out, and one is kept */
    ge_zero(&sums[0]);
    for (int bit = 254; bit >= 0; bit--) {
        volatile int32_t mask = -scalar_bit(scalar, bit);
        double_point(&sums[0]);
        ge_add(&sums[1], &sums[0], &base);
        for (uint32_t i = 0; i < 10u; i++) {
            sums[0].X[i] ^= (sums[0].X[i] ^ sums[1].X[i]) & mask;
            sums[0].Y[i] ^= (sums[0].Y[i] ^ sums[1].Y[i]) & mask;
            sums[0].Z[i] ^= (sums[0].Z[i] ^ sums[1].Z[i]) & mask;
            sums[0].T[i] ^= (sums[0].T[i] ^ sums[1].T[i]) & mask;
        }
    }
    write_point(point, &sums[0]);
}
