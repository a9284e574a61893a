/* Bytes held against a shape: strict, deterministic CBOR (RFC 8949, 4.2) and what a document may be made of, in one
 * pass and without recursion: what is open is kept on a short stack. */
#include "crypto.h"
#include "item.h"
#include "limits.h"
#include "tocsin_limits.h"

/* The outermost item stands in a level of its own; an empty one, and what holds none, may go deeper. */
#define LEVELS (TN_WIRE_CBOR_DEPTH_MAX + 2u)
#define YEAR 31536000u
#define KIND 0x1Fu
#define HEAD_BYTES_MAX 9u
#define WRONG UINT32_MAX

bool tn_beyond;

/* An item, and how far it has been read. */
typedef struct {
    tn_shape next;     /* of the next item within it; of a record: the entries to come */
    tn_item item, key; /* the present item; of a map: the last key */
    uint16_t left;     /* items to come */
    uint8_t kind;
} level;

/* A shape taken apart. */
typedef struct {
    uint32_t kind, flags, most;
    tn_shape of, behind;
} form;

const uint8_t tn_any[] = {TN_ANY, TN_ANY};

static void take_apart(tn_shape shape, form *found)
{
    found->flags = *shape;
    found->kind = *shape++ & KIND;
    found->most = TN_ALL;
    if (found->kind < TN_ANY || found->kind > TN_PAUSE) {
        found->most = *shape++;
    }
    if (found->most == TN_ALL) {
        found->most = UINT16_MAX;
    } else if (found->most == TN_WIDE) {
        found->most = (uint32_t)shape[0] << 8 | shape[1];
        shape += 2;
    }
    found->of = shape + 1;
    found->behind = found->kind < TN_ARRAY ? shape : found->of + *shape;
}

static tn_shape behind(tn_shape shape)
{
    form one;
    take_apart(shape, &one);
    return one.behind;
}

/* COSE_Mac0, COSE_Sign1, COSE_Mac, COSE_Sign, SUIT_Envelope, bare SUIT manifest (keys.cbor.TAGS_ALLOWED). */
static bool is_tag_allowed(uint32_t tag)
{
    return tag - 17u < 2u || tag - 97u < 2u || tag == 107u || tag == 1070u;
}

/* Of each kind the kind of its CBOR, and how large the head's argument is at least; EXACTLY: as large as at most. */
#define HEAD(cbor, least) (uint8_t)((cbor) << 5 | (least))
#define LEAST 31u
#define EXACTLY 31u
#define FALSE 20u /* simple values */
#define NULLS 22u
static const uint8_t heads[] = {
    [TN_UINT] = HEAD(TN_CBOR_UINT, 0),        [TN_BYTES] = HEAD(TN_CBOR_BYTES, EXACTLY),
    [TN_UP_TO] = HEAD(TN_CBOR_BYTES, 0),      [TN_IDENT] = HEAD(TN_CBOR_TEXT, 1),
    [TN_NAME] = HEAD(TN_CBOR_TEXT, 1),        [TN_WORDS] = HEAD(TN_CBOR_TEXT, 1),
    [TN_TEXT] = HEAD(TN_CBOR_TEXT, 0),        [TN_BOOL] = HEAD(TN_CBOR_SIMPLE, FALSE),
    [TN_UINT32] = HEAD(TN_CBOR_UINT, 0),      [TN_UINT53] = HEAD(TN_CBOR_UINT, 0),
    [TN_PAUSE] = HEAD(TN_CBOR_UINT, 0),       [TN_ARRAY] = HEAD(TN_CBOR_ARRAY, 0),
    [TN_MAP] = HEAD(TN_CBOR_MAP, 0),          [TN_TUPLE] = HEAD(TN_CBOR_ARRAY, EXACTLY),
    [TN_RECORD] = HEAD(TN_CBOR_MAP, 0),       [TN_TAG] = HEAD(TN_CBOR_TAG, EXACTLY),
    [TN_FIELDS] = HEAD(TN_CBOR_MAP, 0),       [TN_INSIDE] = HEAD(TN_CBOR_BYTES, 0),
    [TN_STEPS] = HEAD(TN_CBOR_ARRAY, 0),
};

/* Whether a head may stand where the shape is. Of numbers above 32 bits `high` is not 0. */
static bool is_head_of(const form *one, uint32_t cbor, uint32_t high, uint32_t low)
{
    uint32_t kind = one->kind, most = one->most, least = heads[kind] & LEAST;
    if (kind == TN_ANY) {
        return high == 0u || cbor < TN_CBOR_BYTES;
    }
    if (kind == TN_UINT53) {
        return cbor == TN_CBOR_UINT && high <= TN_WIRE_VERSION_MAX >> 32;
    }
    most = kind == TN_UINT32 ? UINT32_MAX : kind == TN_PAUSE ? YEAR : kind == TN_BOOL ? FALSE + 1u : most;
    least = least == EXACTLY ? most : (one->flags & TN_SOME) != 0u ? 1u : least;
    return cbor == heads[kind] >> 5 && high == 0u && low >= least && low <= most;
}

/* Read one item, of a container its head only; return how many items are in it, or WRONG. */
static uint32_t read_item(tn_item *at, tn_item end, form *one)
{
    tn_item item = *at;
    uint32_t left = (uint32_t)(end - item), head = left > 0u ? (uint32_t)(tn_first(item) - item) : WRONG;
    if (head > left || head > HEAD_BYTES_MAX) { /* cut off, reserved, or a length that is not definite */
        return WRONG;
    }
    uint64_t value = tn_value(item);
    uint32_t cbor = tn_kind(item), count = (uint32_t)value;
    if (*item == TN_CBOR_NULL && (one->flags & TN_OR_NULL) != 0u) {
        one->kind = TN_ANY;
    }
    if (tn_head_bytes(value) != head || !is_head_of(one, cbor, (uint32_t)(value >> 32), count)) {
        /* Severed: a digest in place of a byte string, or the other way round. */
        tn_beyond = one->kind == TN_INSIDE ? cbor == TN_CBOR_ARRAY : one->kind == TN_STEPS && cbor == TN_CBOR_BYTES;
        return WRONG;
    }
    item += head;
    *at = item;
    if (cbor < TN_CBOR_BYTES) {
        return 0;
    }
    if (cbor == TN_CBOR_TAG) {
        return is_tag_allowed(count) ? 1u : WRONG;
    }
    if (cbor == TN_CBOR_SIMPLE) {
        return count - FALSE <= NULLS - FALSE ? 0u : WRONG;
    }
    if (count > left - head) { /* every item within takes a byte, too */
        return WRONG;
    }
    if (cbor <= TN_CBOR_TEXT) {
        if (cbor == TN_CBOR_TEXT && !tn_is_text(tn_in_memory(item, count), one->kind)) {
            return WRONG;
        }
        *at = one->kind == TN_INSIDE ? item : item + count;
        return one->kind == TN_INSIDE ? 1u : 0u;
    }
    if (count > TN_CBOR_ITEMS_MAX || (one->kind == TN_STEPS && count % 2u != 0u)) {
        return WRONG;
    }
    return cbor == TN_CBOR_MAP ? 2u * count : count;
}

/* The shape behind a key that begins with this byte; TN_END: the end. NULL: there is none, or an entry that has to be
 * here is not. */
static tn_shape entry_of(level *in, uint32_t key, tn_shape own)
{
    bool lacking = false;
    for (tn_shape one = in->next;; one = behind(one + 1)) {
        if (*one == TN_OWN) {
            one = own;
        }
        if (*one == TN_END) {
            tn_beyond = key != TN_END;
            return tn_beyond || lacking ? NULL : one;
        }
        if (*one == key || ((one[1] & KIND) == TN_TEXT && key < *one && key > 0u)) {
            if (in->kind == TN_RECORD) { /* what may be left out may as well be passed over again */
                in->next = (one[1] & TN_OPTIONAL) != 0u ? one : behind(one + 1);
            }
            return lacking ? NULL : one + 1;
        }
        lacking = lacking || (one[1] & TN_OPTIONAL) == 0u;
    }
}

/* The shape of the next item within another one; NULL: none may stand here. */
static tn_shape next_shape(tn_item at, level *in, tn_shape own)
{
    tn_shape next = in->next;
    tn_item key = in->item, last = in->key;
    in->item = at;
    in->left--;
    if (in->kind == TN_TUPLE) {
        in->next = behind(next);
    }
    if (in->kind < TN_MAP) {
        return next;
    }
    bool keyed = in->kind == TN_RECORD || in->kind == TN_STEPS;
    if (in->left % 2u != 0u) {
        return keyed ? tn_any : next;
    }
    in->key = key;
    if (in->kind < TN_FIELDS && (tn_kind(key) > TN_CBOR_ARRAY || tn_order(tn_whole(key), tn_whole(last)) <= 0)) {
        return NULL;
    }
    return keyed ? entry_of(in, *key, own) : behind(next);
}

bool tn_fits(tn_source bytes, tn_shape shape, tn_shape own)
{
    level open[LEVELS], *in = open;
    tn_item at = bytes.bytes, end = at + bytes.length;
    form one;
    tn_beyond = false;
    *in = (level){shape, NULL, NULL, 1, TN_ARRAY};
    for (;;) {
        tn_item item = at;
        shape = next_shape(at, in, own);
        if (shape == NULL) {
            return false;
        }
        take_apart(*shape == TN_OWN ? own : shape, &one);
        uint32_t items = read_item(&at, end, &one);
        if (items == WRONG || (items > 0u && in == &open[TN_WIRE_CBOR_DEPTH_MAX])) {
            return false;
        }
        if (one.kind == TN_ANY) {
            one.of = tn_any;
            one.kind = tn_kind(item) == TN_CBOR_MAP ? TN_MAP : TN_ARRAY;
        }
        *++in = (level){one.of, NULL, NULL, (uint16_t)items, (uint8_t)one.kind};
        while (in->left == 0u) { /* what is complete is one item of what it lies in */
            if ((in->kind == TN_RECORD && entry_of(in, TN_END, own) == NULL) ||
                (in->kind == TN_INSIDE && at != tn_behind(in[-1].item))) {
                return false;
            }
            if (in == open) {
                return at == end;
            }
            in--;
        }
    }
}
