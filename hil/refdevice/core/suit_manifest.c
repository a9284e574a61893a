/* SUIT manifests for one component, as docs/protocol/suit.md emits them: read to the last byte, and run
 * (advisories/suit: manifest, sequences, interpreter, survey). A straight line of steps, of which each parameter is
 * set once, is all that this device knows; anything else is UNSUPPORTED. */
#include "suit.h"

#define URI_BYTES_MAX 255u
#define COMPONENTS_MAX 16u
#define REPORT_MAX 15u
#define COMPONENTS 2
#define SHARED 4

const uint8_t tn_suit_component[3] = {0x81, 0x41, 0x00};

/* Members of a manifest. */
enum { VERSION = 1, SEQUENCE = 2, COMMON = 3, VALIDATE = 7, INVOKE = 9, INSTALL = 20, TEXT = 23 };
#define SECTIONS (1u << VALIDATE | 1u << INVOKE | 1u << INSTALL)
#define MEMBERS (SECTIONS | 1u << VERSION | 1u << SEQUENCE | 1u << COMMON | 1u << TEXT)
#define BESIDE (1u << 2 | 1u << 3 | 1u << TEXT) /* of an envelope, what we know */

/* Commands and parameters. */
enum { C_VENDOR = 1, C_CLASS = 2, C_MATCH = 3, C_OVERRIDE = 20, C_FETCH = 21, C_INVOKE = 23 };
#define COMMANDS (1u << C_VENDOR | 1u << C_CLASS | 1u << C_MATCH | 1u << C_OVERRIDE | 1u << C_FETCH | 1u << C_INVOKE)
enum { P_VENDOR = 1, P_CLASS = 2, P_DIGEST = 3, P_SIZE = 14, P_URI = 21 };
#define PARAMETERS (1u << P_VENDOR | 1u << P_CLASS | 1u << P_DIGEST | 1u << P_SIZE | 1u << P_URI)

/* What must be set, and done, before a command: parameters, and commands by the same bits. */
#define CHECKED (1u << C_VENDOR | 1u << C_CLASS)
#define CONTENT (1u << P_DIGEST | 1u << P_SIZE)

typedef struct {
    tn_source sections[INSTALL + 1], shared;
    tn_source text_digest;
    tn_source vendor, class_id, uri;
    uint32_t members, set, done; /* bit n: member, parameter, command n */
    uint64_t size;
    tn_manifest *manifest;
} outline;

/* Read the key of a map of which some numbers are known: MALFORMED; UNSUPPORTED for another. */
tn_reason tn_suit_key(tn_cbor *reader, int32_t *last, uint32_t known)
{
    if (tn_cbor_peek(reader) != TN_CBOR_UINT) {
        return tn_cbor_skip(reader, NULL) ? TN_UNSUPPORTED : TN_MALFORMED;
    }
    if (!tn_cbor_key(reader, last)) {
        return TN_MALFORMED;
    }
    return *last < 32 && TN_IN(known, *last) ? TN_OK : TN_UNSUPPORTED;
}

/* Read a map of which some numbers are known, entry by entry. */
static tn_reason read_map(tn_cbor *reader, uint32_t known, outline *now,
                          tn_reason (*entry)(tn_cbor *reader, int32_t number, outline *now))
{
    int32_t last = -1;
    uint32_t count;
    tn_reason reason = tn_cbor_map(reader, 0, UINT32_MAX, &count) ? TN_OK : TN_MALFORMED;
    for (; reason == TN_OK && count > 0u; count--) {
        reason = tn_suit_key(reader, &last, known);
        reason = reason == TN_OK ? entry(reader, last, now) : reason;
        reason = reason == TN_OK && reader->bad ? TN_MALFORMED : reason;
    }
    return reason;
}

static tn_reason read_member(tn_cbor *reader, int32_t number, outline *now)
{
    bool severed = tn_cbor_peek(reader) == TN_CBOR_ARRAY;
    now->members |= 1u << number;
    if (number == TEXT) {
        return severed ? tn_suit_digest(reader, &now->text_digest) : TN_UNSUPPORTED;
    }
    if (number == INSTALL && severed) {
        return TN_UNSUPPORTED;
    }
    if (number == VERSION) {
        uint64_t version;
        return !tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &version) || version == 1u ? TN_OK : TN_UNSUPPORTED;
    }
    if (number == SEQUENCE) {
        (void)tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &now->manifest->sequence);
    } else {
        (void)tn_cbor_bytes(reader, 0, UINT32_MAX, &now->sections[number]);
    }
    return TN_OK;
}

static tn_reason read_common(tn_cbor *reader, int32_t number, outline *now)
{
    tn_source component;
    uint32_t count;
    if (number == SHARED) {
        (void)tn_cbor_bytes(reader, 0, UINT32_MAX, &now->shared);
        return TN_OK;
    }
    now->set = 1; /* components are named */
    if (!tn_cbor_array(reader, 1, COMPONENTS_MAX, &count) || !tn_cbor_skip(reader, &component)) {
        return TN_MALFORMED;
    }
    bool ours = count == 1u && tn_equals(component, tn_suit_component, sizeof(tn_suit_component));
    return ours ? TN_OK : TN_UNSUPPORTED;
}

/* Every parameter is set once: what comes again might change what was compared. */
static tn_reason read_parameter(tn_cbor *reader, int32_t number, outline *now)
{
    tn_source content;
    tn_cbor inner;
    tn_reason reason = TN_OK;
    if (TN_IN(now->set, number)) {
        return TN_UNSUPPORTED;
    }
    now->set |= 1u << number;
    if (number == P_URI) {
        return tn_cbor_text(reader, 1, URI_BYTES_MAX, &now->uri) ? TN_OK : TN_BAD_URI;
    }
    if (number == P_SIZE) {
        (void)tn_cbor_uint(reader, TN_WIRE_VERSION_MAX, &now->size);
    } else if (number != P_DIGEST) {
        (void)tn_cbor_bytes(reader, TN_UUID, TN_UUID, number == P_VENDOR ? &now->vendor : &now->class_id);
    } else if (tn_cbor_bytes(reader, 0, UINT32_MAX, &content)) {
        tn_cbor_open(&inner, content);
        reason = tn_suit_digest(&inner, &content);
        tn_read(content, 0, now->manifest->image_digest, TN_HASH);
        reason = reason == TN_OK && !tn_cbor_ended(&inner) ? TN_MALFORMED : reason;
    }
    return reason;
}

/* Whether a command finds what it needs; what has been done stands among the bits of what was set. */
static tn_reason act(uint32_t command, uint32_t section, outline *now)
{
    bool again = TN_IN(now->done, command), fetched = TN_IN(now->done, C_FETCH);
    uint32_t set = 1u << command, done = 0; /* the identities have the numbers of their commands */
    if (command == C_MATCH) {
        set = 1u << P_DIGEST;
        if (!fetched) { /* a question about what runs now */
            return TN_UNSUPPORTED;
        }
    } else if (command == C_FETCH) {
        set = CONTENT | 1u << P_URI;
        done = CHECKED;
        if (again) {
            return TN_UNSUPPORTED;
        }
    } else if (command == C_INVOKE) {
        set = 0;
        done = CHECKED | 1u << C_MATCH;
        if (section != INVOKE) {
            return TN_UNSUPPORTED;
        }
    }
    now->done |= 1u << command;
    return (now->set & set) == set && (now->done & done) == done ? TN_OK : TN_MALFORMED;
}

static tn_reason run(tn_source sequence, uint32_t section, outline *now)
{
    tn_cbor reader;
    uint32_t count;
    tn_reason reason = TN_OK;
    tn_cbor_open(&reader, sequence);
    if (!tn_cbor_array(&reader, 0, UINT32_MAX, &count) || count % 2u != 0u) {
        return TN_MALFORMED;
    }
    for (; reason == TN_OK && count > 0u; count -= 2u) {
        uint64_t policy;
        int32_t command = -1;
        reason = tn_suit_key(&reader, &command, COMMANDS);
        if (reason == TN_OK && command == C_OVERRIDE) {
            uint32_t before = now->set;
            reason = read_map(&reader, PARAMETERS, now, read_parameter);
            reason = reason == TN_OK && now->set == before ? TN_MALFORMED : reason;
        } else if (reason == TN_OK) {
            reason = tn_cbor_uint(&reader, REPORT_MAX, &policy) ? act((uint32_t)command, section, now) : TN_MALFORMED;
        }
    }
    return reason == TN_OK && !tn_cbor_ended(&reader) ? TN_MALFORMED : reason;
}

/* Compare the text with the digest that stayed, and read it; a missing one is fine, a wrong one is not. */
static tn_reason read_text(const tn_envelope *envelope, const outline *now)
{
    uint8_t digest[TN_HASH];
    if (!TN_IN(envelope->members, TEXT)) {
        return TN_OK;
    }
    if (!TN_IN(now->members, TEXT)) {
        return TN_MALFORMED;
    }
    tn_sha256_of(envelope->text, digest);
    return tn_equals(now->text_digest, digest, TN_HASH) ? tn_suit_texts(envelope->text, now->manifest)
                                                        : TN_DIGEST_MISMATCH;
}

static tn_reason run_sections(outline *now)
{
    static const uint8_t order[] = {COMMON, INSTALL, VALIDATE, INVOKE};
    tn_reason reason = TN_OK;
    now->set = 0;
    now->sections[COMMON] = now->shared; /* it comes first */
    for (uint32_t i = 0; i < sizeof(order) && reason == TN_OK; i++) {
        if (now->sections[order[i]].length != 0u) {
            reason = run(now->sections[order[i]], order[i], now);
        }
    }
    if (reason == TN_OK && !TN_IN(now->done, C_FETCH)) {
        return TN_UNSUPPORTED; /* it brings nothing */
    }
    return reason == TN_OK && !TN_IN(now->done, C_MATCH) ? TN_MALFORMED : reason;
}

/* A manifest is for this device where each of the identities that it checks is ours. */
static bool is_ours(const outline *now)
{
    uint8_t vendor[TN_UUID], model[TN_UUID];
    tn_uuid5(NULL, tn_maker.vendor_domain, vendor);
    tn_uuid5(vendor, tn_maker.model, model);
    return tn_equals(now->vendor, vendor, TN_UUID) && tn_equals(now->class_id, model, TN_UUID);
}

tn_reason tn_suit_manifest(const tn_envelope *envelope, tn_manifest *manifest)
{
    static outline now; /* too much for the stack */
    tn_cbor reader;
    uint8_t first;
    tn_fill(&now, 0, sizeof(now));
    now.manifest = manifest;
    tn_cbor_open(&reader, envelope->manifest);
    tn_reason reason = read_map(&reader, MEMBERS, &now, read_member);
    const uint32_t needed = 1u << SEQUENCE | 1u << COMMON;
    if (reason == TN_OK && !tn_cbor_ended(&reader)) {
        return TN_MALFORMED;
    }
    if (reason == TN_OK && !TN_IN(now.members, VERSION)) {
        return TN_UNSUPPORTED;
    }
    if (reason != TN_OK || (now.members & needed) != needed) {
        return reason != TN_OK ? reason : TN_MALFORMED;
    }
    tn_cbor_open(&reader, now.sections[COMMON]);
    reason = read_map(&reader, 1u << COMPONENTS | 1u << SHARED, &now, read_common);
    if (reason == TN_OK && (!tn_cbor_ended(&reader) || now.set == 0u)) {
        reason = TN_MALFORMED;
    }
    reason = reason == TN_OK && (envelope->beyond || (envelope->members & ~BESIDE) != 0u) ? TN_UNSUPPORTED : reason;
    reason = reason == TN_OK ? read_text(envelope, &now) : reason;
    reason = reason == TN_OK ? run_sections(&now) : reason;
    if (reason != TN_OK || now.size > UINT32_MAX) {
        return reason != TN_OK ? reason : TN_TOO_BIG;
    }
    manifest->image_size = (uint32_t)now.size;
    manifest->ours = is_ours(&now);
    tn_read(now.uri, 0, &first, 1);
    return first == '#' || manifest->differ ? TN_MALFORMED : TN_OK;
}
