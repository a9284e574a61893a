/* Answers and the report as tables: a row for each field, and one loop that writes them. */
#ifndef TN_RECORD_H
#define TN_RECORD_H

#include "cbor.h"

/* Every name that a field of a request or an answer has, once: letters and underscores. .ci/c-tables packs them into
 * tocsin_names.h. */
#define TN_NAMES(X) \
    X(ack) X(active) X(algs) X(answer) X(asks) X(block) X(boot) X(boot_mode) X(bootable) X(buf_count) X(buf_size) \
    X(caps) X(catalogue) X(cause) X(class) X(confirmed) X(count) X(counter) X(d) X(data) X(digest) X(epoch) X(err) \
    X(filters) X(floors) X(force) X(fw) X(group) X(hash) X(head) X(hw) X(id) X(images) X(installed) X(journal) X(key) \
    X(kids) X(kind) X(language) X(len) X(lines) X(max) X(notice) X(notices) X(number) X(off) X(offer) X(pages) \
    X(patch) X(patches) X(pending) X(proto) X(r) X(rc) X(reason) X(report) X(revision) X(root) X(sequence) X(severity) \
    X(sha) X(slot) X(state) X(text) X(timestamp) X(topic) X(up) X(utc) X(verdict) X(version) X(want) X(writes)
#define TN_NAMES_TEST(X) X(at) X(button) X(value) X(what) X(when)
#define TN_NAME(NAME) TN_NAME_##NAME,
/* Beyond the numbers that are keys of a report. */
enum {
    TN_NAME_NONE = 31,
    TN_NAMES(TN_NAME)
#ifdef TN_TEST_BUILD
        TN_NAMES_TEST(TN_NAME)
#endif
    TN_NAMES_END
};
/* The name in words, until another one is asked for. */
#define TN_NAME_ROOM 12u
const char *tn_name(uint32_t name);

/* Kinds of rows. From TN_ROW_U8 to TN_ROW_TEXT the last two bits say how wide the number is that lies there; of a text
 * it is the first byte. */
typedef enum {
    TN_ROW_STOP,    /* the table ends; with a key, only its value is the caller's, who then goes on */
    TN_ROW_IF,      /* so many rows as `key` says count only where this byte is not 0 */
    TN_ROW_MAP,     /* a map of the next rows: so many as `at` says */
    TN_ROW_PARTS,   /* a firmware version as an array of four numbers */
    TN_ROW_U8,
    TN_ROW_U16,
    TN_ROW_U32,
    TN_ROW_U64,
    TN_ROW_FLAG,    /* whether a byte is not 0 */
    TN_ROW_RAW,     /* a byte of CBOR as it is: what opens or closes an array or map, or a small number */
    TN_ROW_VERSION, /* a firmware version in words */
    TN_ROW_FLAG_64, /* whether a uint64_t is not 0 */
    TN_ROW_TEXT,    /* ends with 0 */
    TN_ROW_BYTES_8,
    TN_ROW_BYTES_16,
    TN_ROW_BYTES_32
} tn_row_kind;

typedef enum {
    TN_ALWAYS,
    TN_UNLESS_EMPTY, /* left out where the number is 0, or the text is empty */
    TN_POINTED,      /* a pointer to the value lies there; NULL: left out, or null where there is no key */
    TN_ITSELF        /* `at` is no place, but the number */
} tn_row_way;

typedef enum { TN_OF_ARGUMENT, TN_OF_MAKER, TN_OF_NOW, TN_OF_STORED } tn_row_base;

typedef struct {
    uint8_t key; /* a number from 1, or TN_NAME_...; 0: none, what is written belongs to the row before */
    uint8_t what; /* its kind, way and base: TN_ROW() */
    uint16_t at;
} tn_row;

/* A row: its key, when it counts, where its value lies (in the argument, tn_maker, tn_now or tn_stored), and what that
 * is: a number or a byte string of the size that the field has, or any other kind. */
#define TN_ROW(key, way, of, ...) TN_ROW_OF(key, way, of, __VA_ARGS__) /* kind and place */
#define TN_ROW_OF(key, way, of, kind, at) {key, (uint8_t)((kind) << 4 | (of) << 2 | (way)), at}
#define TN_ROW_LOG(size) ((size) == 8u ? 3u : (size) == 4u ? 2u : (size) == 2u ? 1u : 0u)
#define TN_ROW_SIZE(type, field) sizeof(((type *)NULL)->field)
#define TN_ROW_NUMBER(type, field) TN_ROW_U8 + TN_ROW_LOG(TN_ROW_SIZE(type, field)), offsetof(type, field)
#define TN_ROW_BYTES(type, field) TN_ROW_BYTES_8 + TN_ROW_LOG(TN_ROW_SIZE(type, field) / 8u), offsetof(type, field)
#define TN_ROW_AS(kind, type, field) kind, offsetof(type, field)
/* Rows that need no place. */
#define TN_ROW_IS(key, kind, number) TN_ROW_OF(key, TN_ITSELF, 0, kind, number)
#define TN_ROW_NUMBER_IS(key, number) TN_ROW_IS(key, TN_ROW_U16, number)
#define TN_ROW_BYTE_IS(key, byte) TN_ROW_IS(key, TN_ROW_RAW, byte)
#define TN_ROW_REST 255u /* of all that follow */
#define TN_ROW_MAP_OF(key, rows) TN_ROW_IS(key, TN_ROW_MAP, rows)
#define TN_ROW_STOP_AT(key) TN_ROW_IS(key, TN_ROW_STOP, 0)
#define TN_ROW_END TN_ROW_STOP_AT(0)

/* Write the fields of a table up to a TN_ROW_STOP, and return the row behind it. */
const tn_row *tn_put_rows(const tn_row *row, const void *argument);

/* A name as a key; what follows is the caller's. */
void tn_put_name(uint32_t name);
void tn_put_named(uint32_t name, uint32_t number);

#endif
