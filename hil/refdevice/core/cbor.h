/* Deterministic CBOR (RFC 8949, 4.2): what its bytes are called, and how they are written. Whether bytes are such an
 * item is said by grammar.c, and item.c reads it. */
#ifndef TN_CBOR_H
#define TN_CBOR_H

#include "source.h"

/* keys/limits.py: entries in one array or map. */
#define TN_CBOR_ITEMS_MAX 16384u

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
    TN_CBOR_SIMPLE = 7
} tn_cbor_kind;

/* Where it is written to: one place at a time, which keeps every call short. What does not fit is counted but not
 * written: `length` beyond `room` says how much it would be. Without `bytes` it goes where tn_out_begin() has begun. */
typedef struct {
    uint8_t *bytes;
    uint32_t room;
    uint32_t length;
} tn_writer;
extern tn_writer tn_written;
void tn_write_to(uint8_t *bytes, uint32_t room);

/* A head of this kind (tn_cbor_kind), and a byte as it is: what is open at its end begins with TN_CBOR_OPEN_MAP or
 * TN_CBOR_OPEN_ARRAY, and ends with TN_CBOR_CLOSE. Answers on the serial line may have that, documents never. */
#define TN_CBOR_OPEN_ARRAY 0x9Fu
#define TN_CBOR_OPEN_MAP 0xBFu
#define TN_CBOR_CLOSE 0xFFu
uint32_t tn_head_bytes(uint64_t value); /* how long a head is that says this */
void tn_put_head(uint32_t kind, uint64_t value);
void tn_put_byte(uint32_t byte);

void tn_put_uint(uint64_t value);
void tn_put_int(int64_t value);
void tn_put_bool(bool value);
void tn_put_null(void);
void tn_put_tag(uint32_t tag);
void tn_put_bytes(const void *bytes, uint32_t length);
void tn_put_bytes_head(uint32_t length); /* the bytes follow by tn_put_raw */
void tn_put_text(const char *text);      /* ends with 0 */
void tn_put_text_of(const char *text, uint32_t length);
void tn_put_array(uint32_t count);
void tn_put_map(uint32_t count);
void tn_put_raw(const void *bytes, uint32_t length);
void tn_put_source(tn_source from); /* raw */

#endif
