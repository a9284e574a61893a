/* Deterministic CBOR (RFC 8949, 4.2), read strictly and written. A reader stops at its first fault and stays there. */
#ifndef TN_CBOR_H
#define TN_CBOR_H

#include "source.h"

/* keys/limits.py: levels of nesting, and entries in one array or map. */
#define TN_CBOR_DEPTH_MAX 16u
#define TN_CBOR_ITEMS_MAX 16384u

typedef struct {
    tn_source in;
    uint32_t at; /* of the next byte */
    bool bad; /* something did not fit: nothing read since counts */
} tn_cbor;

/* Simple values, as they are encoded. */
#define TN_CBOR_FALSE 0xF4u
#define TN_CBOR_TRUE 0xF5u
#define TN_CBOR_NULL 0xF6u

typedef enum {
    TN_CBOR_UINT = 0,
    TN_CBOR_NINT = 1,
    TN_CBOR_BYTES = 2,
    TN_CBOR_TEXT = 3,
    TN_CBOR_ARRAY = 4,
    TN_CBOR_MAP = 5,
    TN_CBOR_TAG = 6,
    TN_CBOR_SIMPLE = 7,
    TN_CBOR_NONE = 8 /* the end, or bad */
} tn_cbor_kind;

void tn_cbor_open(tn_cbor *reader, tn_source in);
tn_cbor_kind tn_cbor_peek(tn_cbor *reader);
/* Each of these reads one item of its kind, and returns false (and spoils the reader) where another comes: then the
 * value is 0 or empty. Heads are the shortest, lengths are definite. */
bool tn_cbor_uint(tn_cbor *reader, uint64_t most, uint64_t *value);
bool tn_cbor_int(tn_cbor *reader, int64_t *value);
bool tn_cbor_bool(tn_cbor *reader, bool *value);
bool tn_cbor_null(tn_cbor *reader);
bool tn_cbor_tag(tn_cbor *reader, uint32_t tag);
bool tn_cbor_bytes(tn_cbor *reader, uint32_t least, uint32_t most, tn_source *value);
bool tn_cbor_text(tn_cbor *reader, uint32_t least, uint32_t most, tn_source *value); /* valid UTF-8 */
bool tn_cbor_array(tn_cbor *reader, uint32_t least, uint32_t most, uint32_t *count);
bool tn_cbor_map(tn_cbor *reader, uint32_t least, uint32_t most, uint32_t *count);
/* Read the key of a map whose keys are unsigned numbers; `last` is -1 before the first. Falling or repeated keys spoil
 * it. */
bool tn_cbor_key(tn_cbor *reader, int32_t *last);
/* The same for keys that are texts, the shorter first; `last` is {0} before the first. */
bool tn_cbor_text_key(tn_cbor *reader, uint32_t most, tn_source *last);
/* Pass over one item of any kind, to TN_CBOR_DEPTH_MAX levels, checking it as strictly as keys.cbor.decode does: keys
 * of a map are numbers, byte strings, texts or arrays in the order of tn_order(), of tags only those of COSE and SUIT;
 * no floats. It must end before byte 65,536. `item` may be NULL. Whoever reads a body field by field passes over the
 * whole of it first, so that it is refused for its form before anything is read from it. */
bool tn_cbor_skip(tn_cbor *reader, tn_source *item);
/* True where all was read and nothing was wrong. */
bool tn_cbor_ended(const tn_cbor *reader);

/* A writer into memory. What does not fit is counted but not written: `length` beyond `room` says how much it would
 * be. Without `bytes` it only counts; with a room, too, it writes what tn_out_begin() has begun. */
typedef struct {
    uint8_t *bytes;
    uint32_t room;
    uint32_t length;
} tn_writer;

/* A head of this kind (tn_cbor_kind), and a byte as it is: what is open at its end begins with TN_CBOR_OPEN_MAP or
 * TN_CBOR_OPEN_ARRAY, and ends with TN_CBOR_CLOSE. Answers on the serial line may have that, documents never. */
#define TN_CBOR_OPEN_ARRAY 0x9Fu
#define TN_CBOR_OPEN_MAP 0xBFu
#define TN_CBOR_CLOSE 0xFFu
void tn_put_head(tn_writer *to, uint32_t kind, uint64_t value);
void tn_put_byte(tn_writer *to, uint32_t byte);

void tn_put_uint(tn_writer *to, uint64_t value);
void tn_put_int(tn_writer *to, int64_t value);
void tn_put_bool(tn_writer *to, bool value);
void tn_put_null(tn_writer *to);
void tn_put_tag(tn_writer *to, uint32_t tag);
void tn_put_bytes(tn_writer *to, const void *bytes, uint32_t length);
void tn_put_bytes_head(tn_writer *to, uint32_t length); /* the bytes follow by tn_put_raw */
void tn_put_text(tn_writer *to, const char *text);      /* ends with 0 */
void tn_put_text_of(tn_writer *to, const char *text, uint32_t length);
void tn_put_array(tn_writer *to, uint32_t count);
void tn_put_map(tn_writer *to, uint32_t count);
void tn_put_raw(tn_writer *to, const void *bytes, uint32_t length);
void tn_put_source(tn_writer *to, tn_source from); /* raw */

#endif
