/* Documents are read where they lie: held once against a shape, and trusted from then on. */
#ifndef TN_ITEM_H
#define TN_ITEM_H

#include "cbor.h"

/* -- shapes (docs/protocol/documents.cddl) -- */

/* Rows of bytes, for an item each: its kind; behind all kinds but five a limit (TN_MOST); and behind a kind with items
 * in it what those are (TN_OF). */
typedef const uint8_t *tn_shape;

enum {
    TN_UINT,    /* 0 to the limit */
    TN_BYTES,   /* exactly so many */
    TN_UP_TO,   /* 0 to so many bytes */
    TN_IDENT,   /* texts of 1 to so many bytes (shapes.c) */
    TN_NAME,
    TN_WORDS,
    TN_TEXT,    /* any text of up to so many bytes; in a record it stands for the smaller keys, too */
    TN_ANY,     /* strict, whatever it is; this kind and the next four have no limit of their own */
    TN_BOOL,
    TN_UINT32,
    TN_UINT53,  /* 0 to TN_WIRE_VERSION_MAX */
    TN_PAUSE,   /* seconds, a year at most */
    TN_ARRAY,   /* up to so many items, all of them as the first says that it is of */
    TN_TUPLE,   /* an array of exactly these items */
    TN_TAG,     /* the tag that is the limit, of an item */
    TN_INSIDE,  /* a byte string of up to so many bytes with one item */
    TN_MAP,     /* up to so many entries: keys as the first says, values as the second */
    TN_RECORD,  /* a map with these keys, each told by its first byte: numbers below 24, and what else there is */
    TN_FIELDS,  /* as TN_MAP, with keys in any order: what clients of SMP send */
    TN_STEPS,   /* an array of up to so many items: keys and values in turn, as in a record, in any order and number */
    TN_OWN = 0x1F,      /* what is the document's own follows: of a record its entries, or else an item */
    TN_SOME = 0x20,     /* of an array or map: not empty */
    TN_OR_NULL = 0x40,
    TN_OPTIONAL = 0x80, /* of an entry of a record */
    TN_END = 0xFF       /* of the entries of a record; no item begins with it */
};

/* A limit: one byte, or three. */
#define TN_ALL 0xFEu /* 65,535: the size of the whole is limited */
#define TN_WIDE 0xFFu
#define TN_MOST(limit) TN_WIDE, (limit) >> 8, (limit) & 0xFFu
/* What is in an item, and how many bytes say so. The entries of a record are a key and an item each. */
#define TN_OF(...) sizeof((const uint8_t[]){__VA_ARGS__}), __VA_ARGS__
#define TN_RECORD_OF(...) TN_RECORD, TN_ALL, TN_OF(__VA_ARGS__, TN_END)
/* Two items of any kind: of a shape the first, or a key and its value. */
extern const uint8_t tn_any[];

/* Whether all of the bytes are one item, strict, and of this shape; `own` goes on where it says
 * TN_OWN. */
bool tn_fits(tn_source bytes, tn_shape shape, tn_shape own);
/* Whether what did not fit last has a key that its shape does not know, or stands severed where it should not. */
extern bool tn_beyond;

/* -- items -- */

/* Where the head of a whole item lies, which fitted a shape; NULL: there is none, which counts as 0 or empty. */
typedef const uint8_t *tn_item;

uint64_t tn_value(tn_item item);      /* a number; how many bytes or entries of anything else */
bool tn_is_true(tn_item item);
tn_source tn_string(tn_item item);     /* what a byte string or a text holds */
tn_item tn_first(tn_item item); /* the first in an array or map, or the tagged one, right behind the head; NULL: none */
tn_item tn_behind(tn_item item);       /* right behind the whole of it; NULL: of none */
tn_source tn_whole(tn_item item);      /* its encoding */
/* The value under a key of one byte: a number below 24, or 0x20 for -1, and so on; NULL: there is none. */
tn_item tn_at(tn_item map, uint32_t key);
tn_item tn_first_at(tn_item map, uint32_t key); /* tn_first() of what stands there */
uint64_t tn_value_at(tn_item map, uint32_t key); /* of what stands there; 0: nothing does */
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
