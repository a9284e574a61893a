/* Bytes held against a shape: strict, deterministic CBOR (RFC 8949, 4.2) and what a document may be made of, in one
 * pass and without recursion: what is open is kept on a short stack. */
#include "crypto.h"
#include "item.h"
#include "limits.h"
#include "tocsin_limits.h"

/* The outermost item stands in a level of its own; an empty one may go deeper. */
#define LEVELS (TN_WIRE_CBOR_DEPTH_MAX + 2u)
#define YEAR 31536000u
#define KIND 0x1Fu
#define NO_KEY 0xFFu /* no item begins with it */

bool tn_beyond;

/* A container, and how far it has been read. Offsets of bytes that are read are below 65,536. */
typedef struct {
    const tn_shape *next;
    uint16_t item_at, key_at, key_length; /* where the present item begins; of a map: the last key */
    uint16_t left;                        /* items to come; of a record: entries */
    uint8_t kind;
} level;

typedef struct {
    tn_source in;
    uint32_t at;
    uint8_t first; /* byte of the last head */
    bool bad;
} reading;

const tn_shape tn_version_parts[] = {
    {0, TN_UINT, 0xFF, NULL}, {0, TN_UINT, 0xFF, NULL}, {0, TN_UINT, 0xFFFF, NULL}, {0, TN_UINT32, 0, NULL}};
const tn_shape tn_ident[] = {{0, TN_IDENT, TN_NAME_BYTES_MAX, NULL}};
const tn_shape tn_digest[] = {{0, TN_BYTES, TN_HASH, NULL}};
const tn_shape tn_any[] = {{0, TN_ANY, 0, NULL}, {0, TN_ANY, 0, NULL}}; /* an item; or a key and its value */

/* Read a head: its first byte, and its argument in the shortest form that holds it. */
static uint64_t next_head(reading *from)
{
    tn_item item = from->in.bytes + from->at;
    uint32_t left = from->in.length - from->at;
    from->first = left > 0u ? *item : 0xFFu;
    uint32_t info = from->first & 31u, size = info < 24u ? 0u : 1u << (info - 24u);
    if (size > 8u || size >= left) { /* cut off, reserved, or a length that is not definite */
        from->bad = true;
        return 0;
    }
    from->at += 1u + size;
    uint64_t value = tn_value(item);
    uint32_t least = size == 0u ? 0u : size == 1u ? 24u : 1u << (4u * (size & 7u));
    from->bad = size == 8u ? value >> 32 == 0u : (uint32_t)value < least;
    return value;
}

static bool is_tag_allowed(uint32_t tag)
{
    /* COSE_Mac0, COSE_Sign1, COSE_Mac, COSE_Sign, SUIT_Envelope, bare SUIT manifest (keys.cbor.TAGS_ALLOWED). */
    static const uint16_t allowed[] = {17, 18, 97, 98, 107, 1070};
    uint32_t i = 0;
    while (i < sizeof(allowed) / sizeof(*allowed) && allowed[i] != tag) {
        i++;
    }
    return i < sizeof(allowed) / sizeof(*allowed);
}

/* Of each kind the kind of its CBOR, and how large the head's argument is at least; EXACTLY: as large as at most. */
#define EXACTLY 0xFFu
#define FALSE 20u /* simple values */
#define NULLS 22u
static const struct {
    uint8_t cbor, least;
} kinds[] = {
    [TN_UINT] = {TN_CBOR_UINT, 0},        [TN_UINT32] = {TN_CBOR_UINT, 0},    [TN_UINT53] = {TN_CBOR_UINT, 0},
    [TN_PAUSE] = {TN_CBOR_UINT, 0},       [TN_BOOL] = {TN_CBOR_SIMPLE, FALSE}, [TN_BYTES] = {TN_CBOR_BYTES, EXACTLY},
    [TN_UP_TO] = {TN_CBOR_BYTES, 0},      [TN_IDENT] = {TN_CBOR_TEXT, 1},     [TN_NAME] = {TN_CBOR_TEXT, 1},
    [TN_WORDS] = {TN_CBOR_TEXT, 1},       [TN_ARRAY] = {TN_CBOR_ARRAY, 0},    [TN_MAP] = {TN_CBOR_MAP, 0},
    [TN_TUPLE] = {TN_CBOR_ARRAY, EXACTLY}, [TN_RECORD] = {TN_CBOR_MAP, 0},    [TN_TAG] = {TN_CBOR_TAG, EXACTLY},
    [TN_FIELDS] = {TN_CBOR_MAP, 0},
    [TN_TEXT] = {TN_CBOR_TEXT, 0},        [TN_INSIDE] = {TN_CBOR_BYTES, 0},   [TN_STEPS] = {TN_CBOR_ARRAY, 0},
};

/* Whether a head may stand where the shape is. */
static bool is_head_of(const tn_shape *shape, uint32_t cbor, uint64_t value)
{
    uint32_t kind = shape->kind & KIND, most = shape->most, least = kinds[kind].least;
    if (kind == TN_ANY) {
        return true;
    }
    if (kind == TN_UINT53) {
        return cbor == TN_CBOR_UINT && value <= TN_WIRE_VERSION_MAX;
    }
    most = kind == TN_UINT32 || kind == TN_RECORD ? UINT32_MAX : most;
    most = kind == TN_PAUSE ? YEAR : kind == TN_BOOL ? FALSE + 1u : most;
    least = least == EXACTLY ? most : (shape->kind & TN_SOME) != 0u ? 1u : least;
    return cbor == kinds[kind].cbor && value >= least && value <= most;
}

/* Read one item, of a container its head only; return how many items are in it. */
static uint32_t read_item(reading *from, const tn_shape *shape)
{
    uint64_t value = next_head(from);
    uint32_t cbor = (uint32_t)from->first >> 5, count = (uint32_t)value, kind = shape->kind & KIND;
    tn_source content = {from->in.bytes + from->at, count};
    if (from->first == TN_CBOR_NULL && (shape->kind & TN_OR_NULL) != 0u) {
        return 0;
    }
    if (from->bad || !is_head_of(shape, cbor, value) || (cbor >= TN_CBOR_BYTES && value > UINT16_MAX)) {
        from->bad = true;
        /* Severed: a digest in place of a byte string, or the other way round. */
        tn_beyond = (kind == TN_INSIDE && cbor == TN_CBOR_ARRAY) || (kind == TN_STEPS && cbor == TN_CBOR_BYTES);
        return 0;
    }
    switch (cbor) {
    case TN_CBOR_BYTES:
    case TN_CBOR_TEXT:
        from->bad = count > from->in.length - from->at || (cbor == TN_CBOR_TEXT && !tn_is_text(content, kind));
        if (kind == TN_INSIDE) {
            return 1;
        }
        from->at += count;
        return 0;
    case TN_CBOR_ARRAY:
    case TN_CBOR_MAP:
        from->bad = count > TN_CBOR_ITEMS_MAX || (kind == TN_STEPS && count % 2u != 0u);
        return cbor == TN_CBOR_MAP ? 2u * count : count;
    case TN_CBOR_TAG:
        from->bad = !is_tag_allowed(count);
        return 1;
    case TN_CBOR_SIMPLE:
        from->bad = count < FALSE || count > NULLS;
        return 0;
    default: /* numbers: the head is all */
        return 0;
    }
}

/* The entry for a key that begins with this byte; 0: the end. NULL: there is none, or one that has to be here is
 * not. */
static const tn_shape *entry_of(level *in, uint32_t key, const tn_shape *own)
{
    const tn_shape *one = in->next;
    bool lacking = false;
    for (;; one++) {
        if (one->kind == TN_OWN) {
            one = own;
        }
        if (one->key == key || one->kind == TN_END || ((one->kind & KIND) == TN_TEXT && key - 1u < one->key)) {
            break;
        }
        lacking = lacking || (one->kind & TN_OPTIONAL) == 0u;
    }
    tn_beyond = one->kind == TN_END && key != 0u;
    if (in->kind == TN_RECORD) { /* what may be left out may as well be passed over again */
        in->next = (one->kind & TN_OPTIONAL) != 0u ? one : one + 1;
    }
    return tn_beyond || lacking ? NULL : one;
}

/* The shape of the next item within a container; NULL: none may stand here. */
static const tn_shape *next_shape(const reading *from, level *in, const tn_shape *own)
{
    in->left--;
    in->item_at = (uint16_t)from->at;
    uint32_t key, second = in->left % 2u == 0u ? 1u : 0u; /* of a pair */
    switch (in->kind) {
    case TN_RECORD:
    case TN_STEPS:
        key = from->in.bytes[in->key_at];
        return second == 0u ? tn_any : entry_of(in, key != 0u ? key : NO_KEY, own);
    case TN_TUPLE:
        return in->next++;
    case TN_MAP:
    case TN_FIELDS:
        return in->next + second;
    default:
        return in->next;
    }
}

/* An item is over. Where it is a key, say whether it may be the next one. */
static bool may_follow(const reading *from, level *in)
{
    if (in->left % 2u == 0u) {
        return true;
    }
    tn_source key = {from->in.bytes + in->item_at, from->at - in->item_at};
    tn_source last = {from->in.bytes + in->key_at, in->key_length};
    in->key_at = in->item_at;
    in->key_length = (uint16_t)key.length;
    return (in->kind != TN_MAP && in->kind != TN_RECORD) ||
           (*key.bytes >> 5 <= TN_CBOR_ARRAY && tn_order(key, last) > 0);
}

static uint8_t container_of(uint32_t kind, uint8_t first)
{
    if (kind == TN_RECORD || kind == TN_TUPLE || kind >= TN_FIELDS) {
        return (uint8_t)kind;
    }
    return first >> 5 == TN_CBOR_MAP ? TN_MAP : TN_ARRAY;
}

bool tn_fits(tn_source bytes, const tn_shape *shape, const tn_shape *own)
{
    level open[LEVELS], *in = open;
    reading from = {bytes, 0, 0, false};
    tn_beyond = false;
    *in = (level){shape, 0, 0, 0, 1, TN_ARRAY};
    for (;;) {
        const tn_shape *one = next_shape(&from, in, own);
        uint32_t items = one != NULL ? read_item(&from, one) : 0u;
        if (one == NULL || from.bad || (items > 0u && in == &open[TN_WIRE_CBOR_DEPTH_MAX])) {
            return false;
        }
        uint32_t kind = one->kind & KIND;
        if (items > 0u || (kind >= TN_ARRAY && from.first != TN_CBOR_NULL)) {
            const tn_shape *of = kind == TN_ANY ? tn_any : one->of;
            *++in = (level){of, 0, 0, 0, (uint16_t)items, container_of(kind, from.first)};
        } else if (!may_follow(&from, in)) {
            return false;
        }
        while (in->left == 0u) { /* what is complete is one item of what it lies in */
            if ((in->kind == TN_RECORD && entry_of(in, 0, own) == NULL) ||
                (in->kind == TN_INSIDE && bytes.bytes + from.at != tn_behind(bytes.bytes + in[-1].item_at))) {
                return false;
            }
            if (in == open) {
                return from.at == bytes.length;
            }
            in--;
            if (!may_follow(&from, in)) {
                return false;
            }
        }
    }
}
