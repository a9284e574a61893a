/* Inside the trust room: rows of a root, and seats that holders must fill. */
#ifndef TN_POLICY_H
#define TN_POLICY_H

#include "trust.h"

/* Keys of a root's own entries, of an entry for a key, and of a policy row. */
enum { TN_ROOT_KEYS = 10, TN_ROOT_ROWS, TN_ROOT_EXERCISE };
enum { TN_KEY_COSE = 1, TN_KEY_ROLES, TN_KEY_HOLDER };
enum { TN_ROW_TYPE = 1, TN_ROW_DEMANDS, TN_ROW_PRODUCT };
extern const uint8_t tn_root_own[];

/* What the root says of a key. */
tn_item tn_key_part(const tn_root *root, uint32_t key, uint32_t part);
tn_mark tn_root_mark(const tn_root *root, uint32_t key); /* of its thumbprint */

tn_mark tn_mark_of_item(tn_item name);                   /* 0: of none */

/* What a policy row demands: a seat for each holder, those of one role one after the other, by the marks of the roles;
 * 0: no more. Returns how many there are; 0 where a role has none, or all have more than a document has signatures. */
uint32_t tn_seats_of(tn_item demands, tn_mark seats[TN_SIGNATURES_MAX]);
/* Say whether every seat can be taken at once by these keys, each holder taking one (keys.root.Root.missing is empty);
 * `author`: marks of holder and role, or NULL. */
bool tn_seats_filled(const tn_root *root, tn_signers keys, const tn_mark seats[TN_SIGNATURES_MAX],
                     const tn_mark *author);

/* Forget every floor; the second is the step of a root update that keeps those that the new root would still bear, and
 * writes what they rest on to `to`, an erased page of flash: `from` is where the old root's lies. */
void tn_floors_clear(void);
void tn_floors_carry(const tn_root *old, uint32_t from, const tn_root *now, uint32_t to);

#define TN_KEY_HEAD_BYTES 8u /* of a COSE_Key for Ed25519: what stands before the key */

/* Check one COSE_Key (keys.algorithms.PublicKey.from_cose): MALFORMED, UNSUPPORTED (a kind that the protocol does
 * not know). `other`: not of Ed25519. */
tn_reason tn_key_read(tn_item item, bool *other);

#endif
