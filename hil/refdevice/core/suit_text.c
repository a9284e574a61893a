/* The texts of a SUIT manifest (advisories/suit/texts.py): all of them are judged; the version and the owner's
 * language are taken from them. */
#include "suit.h"

#define UPDATE_DESCRIPTION 2
#define ABOUT 0x1Eu  /* texts about the whole: 1 to 4 */
#define WORDS 0x1FEu /* texts about a component: 1 to 8 */
#define VERSION 6
#define TAG_BYTES_MAX 255u

/* What one language says. */
typedef struct {
    bool speaks;       /* what the update does, or what it is */
    tn_source version; /* of our component; `in` of nothing: none */
} language;

static tn_reason read_component(tn_cbor *reader, bool ours, language *found)
{
    int32_t last = -1;
    uint32_t count;
    tn_source text;
    tn_reason reason = tn_cbor_map(reader, 0, UINT32_MAX, &count) ? TN_OK : TN_MALFORMED;
    for (; reason == TN_OK && count > 0u; count--) {
        reason = tn_suit_key(reader, &last, WORDS);
        if (reason == TN_OK && !tn_cbor_text(reader, 0, UINT32_MAX, &text)) {
            reason = TN_MALFORMED;
        }
        if (reason == TN_OK && ours && last == VERSION) {
            found->version = text;
        }
    }
    return reason;
}

/* Read a component's name: one or more byte strings. */
static tn_reason read_name(tn_cbor *reader)
{
    uint32_t count;
    tn_source level;
    for ((void)tn_cbor_array(reader, 1, UINT32_MAX, &count); count > 0u && !reader->bad; count--) {
        (void)tn_cbor_bytes(reader, 0, UINT32_MAX, &level);
    }
    return reader->bad ? TN_MALFORMED : TN_OK;
}

static tn_reason read_language(tn_cbor *reader, language *found)
{
    tn_source last = {0}, text;
    uint32_t count;
    tn_fill(found, 0, sizeof(*found));
    tn_reason reason = tn_cbor_map(reader, 0, UINT32_MAX, &count) ? TN_OK : TN_MALFORMED;
    for (; reason == TN_OK && count > 0u; count--) {
        uint32_t at = reader->at;
        int32_t kind = -1;
        bool named = tn_cbor_peek(reader) == TN_CBOR_ARRAY;
        reason = named ? read_name(reader) : tn_suit_key(reader, &kind, ABOUT);
        tn_source key = tn_part(reader->in, at, reader->at - at);
        if (reason == TN_OK && last.length != 0u && tn_order(key, last) <= 0) {
            reason = TN_MALFORMED;
        }
        last = key;
        if (reason == TN_OK && named) {
            reason = read_component(reader, tn_equals(key, tn_suit_component, sizeof(tn_suit_component)), found);
        } else if (reason == TN_OK) {
            reason = tn_cbor_text(reader, 0, UINT32_MAX, &text) ? TN_OK : TN_MALFORMED;
            found->speaks = found->speaks || (kind <= UPDATE_DESCRIPTION && text.length != 0u);
        }
    }
    return reason;
}

static uint32_t primary(const char *tag)
{
    uint32_t length = 0;
    while (tag[length] != '\0' && tag[length] != '-') {
        length++;
    }
    return length;
}

/* How near a tag is to one that is wanted: 0 the same, 1 the same language, 2 neither. */
static uint32_t distance(const char *tag, const char *wanted)
{
    uint32_t first = primary(wanted), whole = tn_length(wanted);
    if (primary(tag) != first || tn_compare(tag, wanted, first) != 0) {
        return 2;
    }
    return tn_length(tag) == whole && tn_compare(tag, wanted, whole) == 0 ? 0u : 1u;
}

/* Let a language take the place of the best one so far where it is nearer, or as near and earlier in the alphabet. */
static void prefer(tn_source tag, bool speaks, uint32_t *least, tn_manifest *manifest)
{
    char name[TN_LANGUAGE_BYTES_MAX + 1];
    tn_fill(name, 0, sizeof(name));
    if (!tn_text(tag, name, sizeof(name))) {
        return;
    }
    uint32_t far = distance(name, tn_maker.language);
    far = far < 2u ? far : 2u + distance(name, "en");
    if (far < *least || (far == *least && tn_compare(name, manifest->language, sizeof(name)) < 0)) {
        *least = far;
        manifest->speaks = speaks;
        tn_copy(manifest->language, name, sizeof(name));
    }
}

tn_reason tn_suit_texts(tn_source member, tn_manifest *manifest)
{
    tn_cbor reader;
    tn_source tag = {0}, stated = {0}, texts;
    language found;
    char words[TN_VERSION_ROOM];
    uint32_t count, least = UINT32_MAX;
    tn_cbor_open(&reader, member);
    (void)tn_cbor_bytes(&reader, 0, UINT32_MAX, &texts);
    tn_cbor_open(&reader, texts);
    tn_reason reason = tn_cbor_map(&reader, 0, UINT32_MAX, &count) ? TN_OK : TN_MALFORMED;
    for (; reason == TN_OK && count > 0u; count--) {
        reason = tn_cbor_text_key(&reader, TAG_BYTES_MAX, &tag) ? read_language(&reader, &found) : TN_MALFORMED;
        if (reason == TN_OK && found.version.length != 0u) {
            manifest->differ = manifest->differ || (stated.length != 0u && !tn_same(stated, found.version));
            stated = found.version;
        }
        prefer(tag, found.speaks, &least, manifest);
    }
    manifest->has_version = stated.length != 0u && tn_text(stated, words, sizeof(words)) &&
                            tn_version_read(words, manifest->version);
    if (!manifest->speaks) {
        manifest->language[0] = '\0';
    }
    return reason == TN_OK && !tn_cbor_ended(&reader) ? TN_MALFORMED : reason;
}
