/* Who may say what: COSE envelopes, the root and its policy, what is genuine, and the newest version of everything. */
#ifndef TN_TRUST_H
#define TN_TRUST_H

#include "cbor.h"
#include "crypto.h"
#include "item.h"
#include "limits.h"
#include "tocsin_reasons.h" /* generated: tn_reason, TN_OK, TN_MALFORMED, ... */

/* The bytes of a text that ends with 0; NULL is an empty one. */
tn_source tn_bytes_of(const char *text);

/* -- COSE -- */

/* Headers are byte strings. */
typedef struct {
    tn_item header; /* protected header of one signer */
    tn_item value;  /* the signature */
} tn_signature;

typedef struct {
    tn_item header;     /* protected header of the body, or of the only signer */
    tn_item payload;    /* a byte string; NULL: it is detached */
    tn_item signatures; /* an array of signers; of a COSE_Sign1 the signature itself */
    bool many;          /* a COSE_Sign */
    bool bare;          /* nothing stands in an unprotected header */
} tn_message;

#define TN_COSE_SIGN 98u
#define TN_COSE_SIGN1 18u

/* Take an envelope apart, to its last signer's header (keys.cose.parse): MALFORMED, UNSUPPORTED (a critical header),
 * TOO_BIG (a protected header above 512 bytes; the size of the whole is the caller's). `unprotected` false: nothing
 * may stand in an unprotected header. */
tn_reason tn_cose_open(tn_source data, uint32_t tag, bool unprotected, tn_message *message);
/* Signature number n; false: there are fewer. */
bool tn_cose_signature(const tn_message *message, uint32_t number, tn_signature *signature);
/* What the headers state, of any kind; NULL: nothing. */
tn_item tn_cose_typ(const tn_message *message);
tn_item tn_cose_kid(const tn_signature *signature);
/* Check one signature with one key (keys.cose.check): ALGORITHM_MISMATCH, BAD_SIGNATURE. */
tn_reason tn_cose_check(const tn_message *message, const tn_signature *signature, const uint8_t key[TN_PUBLIC]);

/* -- root -- */

typedef uint32_t tn_signers; /* bit n: key n of the root */

/* A root that was read. Without any it is all zeros, and has no key. */
typedef struct {
    tn_source body;              /* as it lies in flash */
    tn_item keys;                /* array of {1: COSE_Key, 2: roles, 3: holder} */
    tn_item rows;                /* array of {1: type, 2: {role: threshold}, ?3: product} */
    tn_signers others;           /* keys of algorithms that this device does not know */
    uint8_t holder[TN_KEYS_MAX]; /* the first key of the same holder */
    bool twice;                  /* a key stands twice */
    bool exercise;
    uint8_t key_count;
    uint64_t version, issued, expires;
} tn_root;

/* Read a root (keys.document.peek), believing nothing: TOO_BIG, MALFORMED, UNSUPPORTED (a key of a kind that the
 * protocol does not know, a critical header), LIMIT_REACHED (more keys or rows than this device keeps, and no more
 * than the protocol has). */
tn_reason tn_root_read(tn_source document, tn_root *root);
/* Check that it is possible at all (keys.root.checked): BAD_ROOT. */
tn_reason tn_root_check(const tn_root *root);
/* Number of the policy row for a type and product: that of the product, else that without one; -1: there is none.
 * (keys.root.Root.demands) */
int32_t tn_root_row(const tn_root *root, const char *type, const char *product);
/* SHA-256 over the required members of a key's COSE_Key (RFC 9679). */
void tn_root_thumbprint(const tn_root *root, uint32_t key, uint8_t digest[TN_HASH]);
/* Number of the key with this thumbprint, a byte string, or -1; NULL is none's. */
int32_t tn_root_key(const tn_root *root, tn_item kid);

/* A name, a role, a holder or a key, known again by the first 8 bytes of its SHA-256 (of a key: of its thumbprint). */
typedef uint64_t tn_mark;
tn_mark tn_mark_of(const void *bytes, uint32_t length);

/* Keys of the root that signed, and that did with what this device cannot check; holder and role of the author, 0: of
 * none. */
typedef struct {
    tn_signers by, passed;
    tn_mark author[2];
} tn_signed;

/* Check one signature by a key of the root (tn_cose_check), and count it; one by an unknown key is passed over.
 * MALFORMED: it would count, but something unsigned stands in the message. */
tn_reason tn_root_take(const tn_root *root, const tn_message *message, const tn_signature *signature,
                       tn_signed *found);
/* Say whether signers meet a row (keys.document.require_met): TN_OK, NO_POLICY_ROW, THRESHOLD_NOT_MET, or UNSUPPORTED
 * where what this device cannot check would make up for what is missing. */
tn_reason tn_root_meets(const tn_root *root, int32_t row, const tn_signed *found);

/* -- documents -- */

/* The entries with which every body begins; a type's own have keys from 10 on. */
enum { TN_TYPE = 1, TN_FLEET, TN_SUBJECTS, TN_VERSION, TN_ISSUED, TN_EXPIRES, TN_AUTHOR };

typedef struct {
    tn_source body;          /* one item, in the shape of its type */
    uint8_t digest[TN_HASH]; /* of the body */
    tn_signed signers;
    int32_t row;             /* of the root's policy */
    bool again;              /* this very version had been accepted before */
} tn_document;

typedef struct {
    const char *type;      /* "notice" */
    uint16_t bytes_max;    /* of the body; document_bytes_max: with its signatures */
    uint16_t document_bytes_max;
    const char *subject;   /* that it must be about; NULL: any */
    const char *product;   /* whose policy row counts; NULL: the row without a product */
    tn_shape own;          /* the shape of its own entries */
    uint8_t floor;         /* tn_floor_type */
    bool expiring;         /* refuse it when its time is over */
} tn_expected;

/* Whether a body begins as every body does, and goes on as `own` says. */
bool tn_document_fits(tn_source body, tn_shape own);
/* Whether a document is about this product or device. */
bool tn_document_is_about(const tn_document *found, const char *subject);
/* keys.document.open_document, step by step, with the same reason at the same step; `fleet` NULL: none;
 * `now` in UTC seconds. */
tn_reason tn_document_open(tn_source data, const tn_root *root, const uint8_t *fleet, const tn_expected *expected,
                           uint64_t now, tn_document *found);

#define TN_NOTICE_ID 10u /* the first of a notice's own entries */

/* -- what was accepted -- */

typedef enum {
    TN_FLOOR_NONE,
    TN_FLOOR_CATALOGUE,
    TN_FLOOR_TIMESTAMP,
    TN_FLOOR_OFFER,
    TN_FLOOR_ANSWER,
    TN_FLOOR_NOTICE
} tn_floor_type;

#define TN_ROW_CARRIED 0xFFu
#define TN_FOR_EVER UINT64_MAX

/* The newest accepted version under one type and name, and what it rests on. A floor keeps its place in the table:
 * what one rests on that was accepted under an older root lies behind the root in flash, by that place. */
typedef struct {
    tn_mark name;
    uint64_t version, issued;
    uint64_t until; /* a version accepted so far is valid until then; TN_FOR_EVER */
    tn_mark author[2]; /* holder, role; 0: none */
    uint8_t digest[TN_HASH];
    uint16_t kids;   /* keys of the present root that signed it */
    uint8_t type;    /* tn_floor_type */
    uint8_t row;     /* of the present root, or TN_ROW_CARRIED */
} tn_floor;

/* keys.trusted.TrustedSet.enrol / update_root / accept on tn_state. All change tn_stored in memory; tn_save() makes
 * it last. */

/* Check a root 1 by itself, and say its fleet; `pinned` may be NULL: reasons of tn_root_read(), WRONG_FLEET, ROOT_GAP,
 * BAD_ROOT, and of tn_document_open(). */
tn_reason tn_trust_is_root_1(tn_source root_1, const uint8_t *pinned, uint8_t fleet[TN_HASH]);
/* The same, and trust it from now on, and nothing else: it is copied to the first page of TN_AT_ROOTS unless it lies
 * there. */
tn_reason tn_trust_enrol(tn_source root_1, const uint8_t *pinned);
/* Walk one step, n to n + 1. The new root is in its place in flash before tn_stored names it, never where the root
 * lies that was stored last. */
tn_reason tn_trust_update(tn_source document);
/* Reasons of tn_document_open(); EXPIRED where the root itself is over; WRONG_SUBJECT where it is not about `name`;
 * REPLAYED, EQUIVOCATION, LIMIT_REACHED. */
tn_reason tn_trust_accept(tn_source data, const tn_expected *expected, const char *name, tn_document *found);
/* The root in force: it stays there, and changes when another one is taken. Without any it has no key. */
const tn_root *tn_trust_root(void);
const tn_floor *tn_trust_floor(tn_floor_type type, const char *name); /* NULL: none */
/* Latest time of issue accepted: of metadata too, or (false) of notices and roots only. */
uint64_t tn_trust_time_floor(bool metadata);

#endif
