/* Monocypher's curve, compiled here as a whole, because one step needs its inner functions: its own check multiplies by
 * the cofactor and takes R written in more than one way. Then a key's holder could make signatures that this device
 * takes and that OpenSSL, with which everybody else verifies, refuses; so R is compared byte by byte. */
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

/* Multiples of -A that the sliding window needs. */
static void multiples(ge_cached table[P_W_SIZE], const ge *point)
{
    ge twice;
    ge sum;
    ge_double(&twice, point, &sum);
    ge_cache(&table[0], point);
    for (uint32_t i = 1; i < P_W_SIZE; i++) {
        ge_add(&sum, &twice, &table[i - 1u]);
        ge_cache(&table[i], &sum);
    }
}

/* point = [s]B + [h]point: both at once, from the highest bit down, as crypto_eddsa_check_equation() does it. */
static void add_products(ge *point, const uint8_t *s, const uint8_t *h)
{
    ge_cached table[P_W_SIZE];
    multiples(table, point);
    slide_ctx h_slide;
    slide_ctx s_slide;
    slide_init(&h_slide, h);
    slide_init(&s_slide, s);
    ge_zero(point);
    for (int i = MAX(h_slide.next_check, s_slide.next_check); i >= 0; i--) {
        ge spare;
        ge_double(point, point, &spare);
        int digit = slide_step(&h_slide, P_W_WIDTH, i, h);
        if (digit > 0) {
            ge_add(point, point, &table[digit / 2]);
        } else if (digit < 0) {
            ge_sub(point, point, &table[-digit / 2]);
        }
        digit = slide_step(&s_slide, B_W_WIDTH, i, s);
        if (digit > 0) {
            ge_madd(point, point, &b_window[digit / 2], spare.X, spare.Y);
        } else if (digit < 0) {
            ge_msub(point, point, &b_window[-digit / 2], spare.X, spare.Y);
        }
    }
}

bool tn_curve_check(const uint8_t signature[64], const uint8_t key[32], const uint8_t hash[32])
{
    uint32_t s[8];
    ge point; /* -A, then [S]B - [h]A */
    load32_le_buf(s, signature + 32, 8);
    if (is_above_l(s) != 0 || ge_frombytes_neg_vartime(&point, key) != 0) {
        return false;
    }
    add_products(&point, signature + 32, hash);
    uint8_t written[32];
    ge_tobytes(written, &point);
    return crypto_verify32(written, signature) == 0;
}
