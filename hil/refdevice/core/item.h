/* Documents are read where they lie: held once against a shape, and trusted from then on. */
#ifndef TN_ITEM_H
#define TN_ITEM_H

#include "cbor.h"

/* -- shapes (docs/protocol/documents.cddl) -- */

enum {
    TN_END,     /* of the entries of a record */
    TN_OWN,     /* the entries that are the document's own follow */
    TN_UINT,    /* 0 to `most` */
    TN_UINT32,
    TN_UINT53,  /* 0 to TN_WIRE_VERSION_MAX */
    TN_PAUSE,   /* seconds, a year at most */
    TN_BOOL,
    TN_BYTES,   /* exactly `most` */
    TN_UP_TO,   /* 0 to `most` bytes */
    TN_IDENT,   /* texts of 1 to `most` bytes (shapes.c) */
    TN_NAME,
    TN_WORDS,
    TN_ANY,     /* strict, whatever it is */
    TN_TEXT,    /* any text of up to `most` bytes; in a record it stands for the smaller keys, too */
    TN_ARRAY,   /* up to `most` items, each as `of` says */
    TN_MAP,     /* up to `most` entries: texts as of[0] says, values as of[1] */
    TN_TUPLE,   /* an array of `most` items, as of[0], of[1], ... say */
    TN_RECORD,  /* a map with the keys of `of`, each told by its first byte: numbers below 24, and what else there is */
    TN_TAG,     /* tag `most` of an item as of[0] says */
    TN_FIELDS,  /* as TN_MAP, with keys in any order: what clients of SMP send */
    TN_INSIDE,  /* a byte string of `most` bytes with one item, as of[0] says */
    TN_STEPS,   /* an array of up to `most` items: keys and values in turn, as in a record, in any order and number */
    TN_SOME = 0x20,     /* of an array or map: not empty */
    TN_OR_NULL = 0x40,
    TN_OPTIONAL = 0x80  /* of an entry of a record */
};

typedef struct tn_shape {
    uint8_t key, kind;
    uint16_t most;
    const struct tn_shape *of;
} tn_shape;

/* What recurs in shapes. */
extern const tn_shape tn_ident[], tn_digest[], tn_version_parts[], tn_any[];

/* Whether all of the bytes, fewer than 65,536, are one item, strict, and of this shape; `own` goes on where it says
 * TN_OWN. */
bool tn_fits(tn_source bytes, const tn_shape *shape, const tn_shape *own);
/* Whether what did not fit last has a key that its shape does not know, or stands severed where it should not. */
extern bool tn_beyond;

/* -- items -- */

/* Where the head of a whole item lies, which fitted a shape; NULL: there is none, which counts as 0 or empty. */
typedef const uint8_t *tn_item;

uint64_t tn_value(tn_item item);      /* a number; how many bytes or entries of anything else */
bool tn_is_true(tn_item item);
tn_source tn_string(tn_item item);     /* what a byte string or a text holds */
tn_item tn_first(tn_item item);        /* the first within an array or map, or the tagged one: right behind the head */
tn_item tn_behind(tn_item item);       /* right behind the whole of it */
tn_source tn_whole(tn_item item);      /* its encoding */
tn_item tn_at(tn_item map, uint32_t key); /* the value under a number; NULL: there is none */
uint32_t tn_kind(tn_item item);           /* tn_cbor_kind */
tn_item tn_nth(tn_item array, uint32_t number); /* NULL behind the last; of a map: keys and values in turn */

/* Whether what a string holds is these words; NULL is an empty text, on either side. */
bool tn_is(tn_item string, const char *words);
/* Whether what a string holds is this digest. */
bool tn_is_hash(tn_item string, const uint8_t digest[32]);
/* Whether two items are the same, or both are not there. */
bool tn_alike(tn_item one, tn_item other);
/* Whether an array of texts has these words. */
bool tn_has(tn_item array, const char *words);

/* Read a character of UTF-8 in its shortest form (RFC 3629); TN_NO_CHARACTER: it is none. */
#define TN_NO_CHARACTER UINT32_MAX
uint32_t tn_character_at(tn_source text, uint32_t *at);
/* Whether a text is UTF-8, and of a kind: TN_IDENT, TN_NAME or TN_WORDS, or TN_ANY (shapes.c). */
bool tn_is_text(tn_source text, uint32_t kind);

#endif
