/* Inside the trust room: rows of a root, names that may be known by their mark only, and seats that holders must fill. */
#ifndef TN_POLICY_H
#define TN_POLICY_H

#include "trust.h"

/* A key as it stands in the root: its COSE_Key, its holder, and a reader that stands before its `roles` texts. */
typedef struct {
    tn_cbor reader;
    tn_source cose, holder;
    uint32_t roles;
} tn_root_entry;

void tn_root_entry_open(const tn_root *root, uint32_t key, tn_root_entry *entry);
tn_mark tn_root_mark(const tn_root *root, uint32_t key); /* of its thumbprint */

/* A role or holder: as it stands in a document, or its mark only. */
typedef struct {
    tn_source text;
    tn_mark mark; /* 0: the text counts */
} tn_label;

/* A policy row; the reader stands before the first of `roles` pairs of role and threshold. */
typedef struct {
    tn_cbor reader;
    tn_source type, product;
    uint32_t roles;
} tn_root_line;

void tn_root_line_open(const tn_root *root, uint32_t row, tn_root_line *line);
/* Read the next role and its threshold; false: there is none. */
bool tn_line_next(tn_root_line *line, tn_label *role, uint32_t *times);

/* Seats of one demand, a role each, and the holders that are able to take them. */
typedef struct {
    const tn_root *root;
    tn_signers keys;              /* whose holders may sit down */
    tn_label author_holder, author_role;
    bool has_author;              /* who counts for that role only; not in an exercise */
    bool lacking;                 /* some seat stays empty, whoever sits where */
    uint8_t count;
    uint16_t able[TN_SIGNATURES_MAX]; /* of a seat: bit n: holder n (tn_root.holder) */
} tn_seats;

void tn_seats_begin(tn_seats *seats, const tn_root *root, tn_signers keys);
/* Whether a key may sign for a role; the author may for the author's own role only. */
bool tn_seats_may(const tn_seats *seats, uint32_t key, const tn_label *role);
/* `times` more seats for one role. */
void tn_seats_add(tn_seats *seats, const tn_label *role, uint32_t times);
/* Say whether every seat can be taken at once, each holder taking one (keys.root.Root.missing is empty). */
bool tn_seats_filled(const tn_seats *seats);
/* Whether these keys meet a row; `author` may be NULL. */
bool tn_row_is_met(const tn_root *root, uint32_t row, tn_signers keys, const tn_author *author);

/* For tn_expected.shape: passes over whatever is there. */
tn_reason tn_any_shape(tn_cbor *reader, uint32_t count);

/* Forget every floor; the second is the step of a root update that keeps those that the new root would still bear, and
 * writes what they rest on to `to`, an erased page of flash: `from` is where the old root's lies. */
void tn_floors_clear(void);
void tn_floors_carry(const tn_root *old, uint32_t from, const tn_root *now, uint32_t to);

#define TN_KEY_HEAD_BYTES 8u /* of a COSE_Key for Ed25519: what stands before the key */

/* Check one COSE_Key (keys.algorithms.PublicKey.from_cose): MALFORMED, UNSUPPORTED (a kind that the protocol does not know).
 * `other`: not of Ed25519. */
tn_reason tn_key_read(tn_source item, bool *other);

#endif
