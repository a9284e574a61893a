/* Inside the trust room: rows of a root, names that may be known by their mark only, and seats that holders must
 * fill. */
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

/* A role or holder: as it stands in a document, or its mark only. */
typedef struct {
    tn_item text;
    tn_mark mark; /* 0: the text counts */
} tn_label;

/* Seats of one demand by their roles, and the holders that are able to take them. */
typedef struct {
    const tn_root *root;
    tn_signers keys;              /* whose holders may sit down */
    tn_label author[2];           /* holder, role: */
    bool has_author;              /* who counts for that role only; not in an exercise */
    bool lacking;                 /* a role has fewer holders than seats */
    uint8_t keys_able;                /* that may sign for the role that was added last */
    uint8_t count;                    /* roles */
    uint8_t times[TN_SIGNATURES_MAX]; /* of a role: how many seats */
    uint16_t able[TN_SIGNATURES_MAX]; /* and who can take one: bit n: holder n (tn_root.holder) */
} tn_seats;

void tn_seats_begin(tn_seats *seats, const tn_root *root, tn_signers keys);
/* Whether a key may sign for a role; the author may for the author's own role only. */
bool tn_seats_may(const tn_seats *seats, uint32_t key, const tn_label *role);
/* `times` more seats for one role. */
void tn_seats_add(tn_seats *seats, const tn_label *role, uint32_t times);
/* All that a policy row demands: role -> how many. */
void tn_seats_demand(tn_seats *seats, tn_item demands);
/* Say whether every seat can be taken at once, each holder taking one (keys.root.Root.missing is empty). */
bool tn_seats_filled(const tn_seats *seats);
/* Forget every floor; the second is the step of a root update that keeps those that the new root would still bear, and
 * writes what they rest on to `to`, an erased page of flash: `from` is where the old root's lies. */
void tn_floors_clear(void);
void tn_floors_carry(const tn_root *old, uint32_t from, const tn_root *now, uint32_t to);

#define TN_KEY_HEAD_BYTES 8u /* of a COSE_Key for Ed25519: what stands before the key */

/* Check one COSE_Key (keys.algorithms.PublicKey.from_cose): MALFORMED, UNSUPPORTED (a kind that the protocol does
 * not know). `other`: not of Ed25519. */
tn_reason tn_key_read(tn_source item, bool *other);

#endif
