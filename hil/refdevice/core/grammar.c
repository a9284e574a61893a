/* Bytes held against a shape, without recursion: what is open is kept on a short stack. */
#include "crypto.h"
#include "item.h"
#include "limits.h"
#include "tocsin_limits.h"

#define DEPTH 6u /* of the deepest shape: a notice's bound of a range of a product */
#define YEAR 31536000u
#define KIND 0x1Fu

typedef struct {
    const tn_shape *next;
    tn_source key; /* of a map: the last one */
    uint32_t left; /* items to come; of a record: entries */
    uint8_t kind;
} level;

const tn_shape tn_version_parts[] = {
    {0, TN_UINT, 0xFF, NULL}, {0, TN_UINT, 0xFF, NULL}, {0, TN_UINT, 0xFFFF, NULL}, {0, TN_UINT32, 0, NULL}};
const tn_shape tn_ident[] = {{0, TN_IDENT, TN_NAME_BYTES_MAX, NULL}};
const tn_shape tn_digest[] = {{0, TN_BYTES, TN_HASH, NULL}};
const tn_shape tn_uint53[] = {{0, TN_UINT53, 0, NULL}};

static void read_leaf(tn_cbor *reader, const tn_shape *shape)
{
    static const uint64_t most[] = {0xFFFFFFFFu, TN_WIRE_VERSION_MAX, YEAR};
    uint32_t kind = shape->kind & KIND;
    uint64_t number;
    tn_source string;
    bool flag;
    switch (kind) {
    case TN_BOOL:
        (void)tn_cbor_bool(reader, &flag);
        break;
    case TN_BYTES:
    case TN_UP_TO:
        (void)tn_cbor_bytes(reader, kind == TN_BYTES ? shape->most : 0u, shape->most, &string);
        break;
    case TN_IDENT:
    case TN_NAME:
    case TN_WORDS:
        reader->bad = !tn_cbor_text(reader, 1, shape->most, &string) || !tn_is_text(string, kind);
        break;
    case TN_ANY:
        (void)tn_cbor_skip(reader, NULL);
        break;
    default:
        (void)tn_cbor_uint(reader, kind == TN_UINT ? shape->most : most[kind - TN_UINT32], &number);
    }
}

static void begin(tn_cbor *reader, const tn_shape *shape, level *in)
{
    uint32_t least = (shape->kind & TN_SOME) != 0u ? 1u : 0u, kind = shape->kind & KIND;
    if (kind == TN_ARRAY || kind == TN_TUPLE) {
        (void)tn_cbor_array(reader, kind == TN_TUPLE ? shape->most : least, shape->most, &in->left);
    } else {
        (void)tn_cbor_map(reader, least, kind == TN_RECORD ? UINT32_MAX : shape->most, &in->left);
        in->left *= kind == TN_MAP ? 2u : 1u;
    }
    in->kind = (uint8_t)kind;
    in->next = shape->of;
    in->key = (tn_source){NULL, 0};
}

/* Pass over entries that are not here; false: one of them has to be. */
static bool pass(level *in, uint32_t key, const tn_shape *own)
{
    while (in->next->key != key || in->next->kind == TN_OWN) {
        if (in->next->kind == TN_END) {
            return key == 0u;
        }
        if (in->next->kind == TN_OWN) {
            in->next = own;
        } else if ((in->next++->kind & TN_OPTIONAL) == 0u) {
            return false;
        }
    }
    return true;
}

/* The shape of the next item within a container. */
static const tn_shape *next(tn_cbor *reader, level *in, const tn_shape *own)
{
    uint64_t key;
    tn_cbor ahead = *reader;
    if (in->kind == TN_RECORD) {
        if (!tn_cbor_uint(reader, 0xFF, &key) || key == 0u || !pass(in, (uint32_t)key, own)) {
            reader->bad = true;
        }
    } else if (in->kind == TN_MAP && in->left % 2u == 0u) {
        reader->bad = !tn_cbor_text_key(&ahead, UINT32_MAX, &in->key);
    }
    in->left--;
    if (in->kind == TN_MAP) {
        return in->next + (in->left % 2u == 0u ? 1 : 0);
    }
    return in->kind == TN_ARRAY ? in->next : in->next++;
}

bool tn_fits(tn_source bytes, const tn_shape *shape, const tn_shape *own)
{
    level open[DEPTH];
    uint32_t depth = 0;
    tn_cbor reader;
    tn_cbor_open(&reader, bytes);
    for (;;) {
        uint32_t kind = shape->kind & KIND;
        if ((shape->kind & TN_OR_NULL) != 0u && tn_cbor_peek(&reader) == TN_CBOR_SIMPLE) {
            (void)tn_cbor_null(&reader);
        } else if (kind >= TN_ARRAY) {
            begin(&reader, shape, &open[depth++]);
        } else {
            read_leaf(&reader, shape);
        }
        while (!reader.bad && depth > 0u && open[depth - 1u].left == 0u) {
            depth--;
            reader.bad = open[depth].kind == TN_RECORD && !pass(&open[depth], 0, own);
        }
        if (reader.bad || depth == 0u) {
            return tn_cbor_ended(&reader);
        }
        shape = next(&reader, &open[depth - 1u], own);
        if (reader.bad) {
            return false;
        }
    }
}
