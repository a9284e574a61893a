/* Public keys as a root holds them: COSE_Key in, verdict out (keys/algorithms.py). */
#include "crypto.h"
#include "item.h"
#include "policy.h"

/* The members of a COSE_Key that count, by their labels, of one byte each: 1 (type), 3 (algorithm), -1 (curve, or all
 * of an ML-DSA key), -2 (x), -3 (y). */
enum { TYPE, ALGORITHM, CURVE, MEMBERS = 5, ENTRIES = 5 };
static const uint8_t labels[MEMBERS] = {0x01, 0x03, 0x20, 0x21, 0x22};

/* What an item says, as far as a key may need it: of a byte string the length, of others their one or two bytes. */
#define BYTES 0x4000u
#define LONGER 0xFFFFu

/* A key of each kind, where 0 is a member that is not there, and last how many are. Whether x and y of P-256 are a
 * point is not checked: this device verifies nothing with such a key, however it is made. */
static const uint16_t kinds[][MEMBERS + 1] = {
    {1, 0, 6, BYTES | TN_PUBLIC, 0, 3},     /* Ed25519 */
    {2, 0, 1, BYTES | 32u, BYTES | 32u, 4}, /* P-256: x stands under -2, y under -3 */
    {7, 0x382F, BYTES | 1312u, 0, 0, 3},    /* ML-DSA-44 */
    {7, 0x3830, BYTES | 1952u, 0, 0, 3},    /* ML-DSA-65 */
};

static uint16_t said(tn_item item)
{
    uint32_t length = (uint32_t)(tn_behind(item) - item);
    if (item == NULL) {
        return 0;
    }
    if (tn_kind(item) == TN_CBOR_BYTES) {
        return (uint16_t)(BYTES | tn_value(item));
    }
    if (length > 2u) {
        return LONGER;
    }
    return (uint16_t)(length == 1u ? item[0] : item[0] << 8 | item[1]);
}

/* A key of a known kind that does not fit is wrong; one of another kind may well be good. */
tn_reason tn_key_read(tn_item item, bool *other)
{
    uint16_t member[MEMBERS + 1];
    if (tn_kind(item) != TN_CBOR_MAP) {
        return TN_MALFORMED;
    }
    for (uint32_t i = 0; i < MEMBERS; i++) {
        member[i] = said(tn_at(item, labels[i]));
    }
    member[ENTRIES] = (uint16_t)tn_value(item);
    /* Where others have a curve, bytes may stand: then the algorithm tells the kind. */
    uint32_t telling = member[CURVE] >> 13 == BYTES >> 13 ? ALGORITHM : CURVE;
    for (uint32_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        const uint16_t *kind = kinds[i];
        if (kind[telling] != 0u && member[telling] == kind[telling] && member[TYPE] == kind[TYPE]) {
            *other = i > 0u;
            bool fits = tn_compare(member, kind, sizeof(*kinds)) == 0 &&
                        (*other || tn_ed25519_is_key(item + TN_KEY_HEAD_BYTES));
            return fits ? TN_OK : TN_MALFORMED;
        }
    }
    return TN_UNSUPPORTED;
}
