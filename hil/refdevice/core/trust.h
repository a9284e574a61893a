/* Who may say what: COSE envelopes, the root and its policy, what is genuine, and the newest version of everything. */
#ifndef TN_TRUST_H
#define TN_TRUST_H

#include "cbor.h"
#include "crypto.h"
#include "limits.h"
#include "tocsin_reasons.h" /* generated: tn_reason, TN_OK, TN_MALFORMED, ... */

/* -- COSE -- */

typedef struct {
    tn_source header;  /* protected header of one signer: a byte string's content */
    tn_source value;   /* the signature */
    int64_t alg;       /* 0: none stated */
    tn_source kid;     /* empty: none stated */
} tn_signature;

typedef struct {
    tn_source header;     /* protected header of the body, or of the only signer */
    tn_source typ;        /* empty: none stated */
    tn_source payload;
    bool attached;
    tn_source signatures; /* the array's items */
    uint32_t count;
} tn_message;

#define TN_COSE_SIGN 98u
#define TN_COSE_SIGN1 18u

/* Take an envelope apart (keys.cose.parse, with empty unprotected headers): MALFORMED, UNSUPPORTED (a critical header). */
tn_reason tn_cose_open(tn_source data, uint32_t tag, tn_message *message);
/* Begin with an opened reader over message->signatures; each call reads the next. */
tn_reason tn_cose_next(tn_cbor *reader, tn_signature *signature);

/* -- root -- */

typedef enum { TN_KEY_ED25519, TN_KEY_OTHER } tn_key_kind; /* OTHER: known to the protocol, not to this device */

typedef struct {
    tn_source document;           /* the COSE_Sign as it lies in flash */
    tn_source body;
    uint64_t version, issued, expires;
    bool exercise;
    uint8_t key_count, row_count;
    uint16_t key_at[TN_KEYS_MAX]; /* offsets in the body: {1: COSE_Key, 2: roles, 3: holder} */
    uint16_t row_at[TN_ROWS_MAX]; /* offsets in the body: {1: type, 2: {role: threshold}, ?3: product} */
} tn_root;

/* Read a root's body and check that it is possible at all (keys.root.checked): MALFORMED, BAD_ROOT, UNSUPPORTED, LIMIT_REACHED. */
tn_reason tn_root_read(tn_source document, tn_root *root);
/* SHA-256 over the COSE_Key's required members: what a `kid` says (RFC 9679). */
void tn_root_thumbprint(const tn_root *root, uint32_t key, uint8_t thumbprint[TN_HASH]);

typedef uint32_t tn_signers; /* bit n: key n of the root signed */

/* Say whether signers meet a row: TN_OK, THRESHOLD_NOT_MET, UNSUPPORTED where `passed` would make up for it, NO_POLICY_ROW.
 * `author`: reader at the body's author entry [holder, role], or NULL (keys.root.Root.missing, keys.document.require_met). */
typedef struct {
    tn_source holder, role; /* empty: no author */
} tn_author;
tn_reason tn_root_meets(const tn_root *root, tn_source type, tn_source product, tn_signers signed_, tn_signers passed,
                        const tn_author *author);

/* -- documents -- */

/* The seven entries with which every body begins. */
typedef struct {
    tn_source body;
    uint8_t digest[TN_HASH]; /* of the body */
    tn_source type, fleet;
    tn_source subjects;      /* the array's items */
    uint32_t subject_count;
    uint64_t version, issued, expires; /* expires 0: never (a body that says 0 is refused as expired where asked) */
    bool has_expires;
    tn_author author;
    tn_signers signed_by;
    uint32_t rest;  /* offset in the body of the first key that is the type's own */
    uint32_t count; /* entries from there on */
} tn_document;

typedef struct {
    const char *type;      /* "notice" */
    uint32_t bytes_max;    /* of the body; document_bytes_max: with its signatures */
    uint32_t document_bytes_max;
    const char *subject;   /* that it must be about; NULL: any */
    const char *product;   /* whose policy row counts; NULL: that of `subject`, or else of every subject */
    bool expiring;         /* refuse it when its time is over */
    uint64_t now;
    /* Checks everything of the body behind the common entries, and nothing else: MALFORMED or TN_OK. It runs at step 5. */
    tn_reason (*shape)(tn_cbor *reader, uint32_t count);
} tn_expected;

/* keys.document.open_document, step by step, with the same reason at the same step. */
tn_reason tn_document_open(tn_source data, const tn_root *root, const uint8_t *fleet, const tn_expected *expected,
                           tn_document *found);

/* -- what was accepted -- */

typedef enum { TN_FLOOR_NONE, TN_FLOOR_CATALOGUE, TN_FLOOR_TIMESTAMP, TN_FLOOR_OFFER, TN_FLOOR_ANSWER, TN_FLOOR_NOTICE } tn_floor_type;

/* The newest accepted version under one type and name, and what it rests on. */
typedef struct {
    uint8_t type;                 /* tn_floor_type */
    char name[TN_NAME_BYTES_MAX + 1];
    uint64_t version, issued, until;
    bool has_until;
    uint8_t digest[TN_HASH];
    uint8_t row[TN_HASH];         /* SHA-256 of the policy row's map of thresholds as it was then */
    tn_signers kids;              /* keys of the present root that signed it */
    uint16_t author_holder;       /* CRC16s; 0: no author (a floor falls where in doubt) */
    uint16_t author_role;
} tn_floor;

struct tn_state;

/* keys.trusted.TrustedSet.enrol / update_root / accept on tn_state. The root that is taken is copied to its own page of flash
 * before the state names it; a floor changes in memory only (tn_save makes it last). */
tn_reason tn_trust_enrol(tn_source root_1);
tn_reason tn_trust_update(tn_source document);
tn_reason tn_trust_accept(tn_source data, const tn_expected *expected, tn_floor_type type, const char *name, tn_document *found);
/* The root in force, read from flash: valid until the next root is taken. */
const tn_root *tn_trust_root(void);
const tn_floor *tn_trust_floor(tn_floor_type type, const char *name); /* NULL: none */
/* Latest time of issue accepted: of metadata too, or (false) of notices and roots only. */
uint64_t tn_trust_time_floor(bool metadata);

#endif
