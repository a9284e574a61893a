/* SUIT manifests for one component, as docs/protocol/suit.md emits them: read to the last byte, and run
 * (advisories/suit: manifest, texts, sequences, interpreter, survey). A straight line of steps, of which each
 * parameter is set once, is all that this device knows; anything else is UNSUPPORTED. */
#include "notice.h"
#include "suit.h"

#define URI_BYTES_MAX 255u
#define COMPONENTS_MAX 16u
#define REPORT_MAX 15u
#define TAG_BYTES_MAX 255u

/* The components, of which this device has one: [[h'00']]; the last part is its name. */
static const uint8_t components[] = {0x81, 0x81, 0x41, 0x00};

/* Members of a manifest; of what is common; of a text. */
enum { VERSION = 1, SEQUENCE = 2, COMMON = 3, VALIDATE = 7, INVOKE = 9, INSTALL = 20 };
enum { COMPONENTS = 2, SHARED = 4 };
enum { MANIFEST_DESCRIPTION = 1, UPDATE_DESCRIPTION, ABOUT_MOST = 4, A_COMPONENT = 0x81 };
enum { COMPONENT_VERSION = 6, WORDS_MOST = 8 };
/* Commands and parameters. */
enum { C_VENDOR = 1, C_CLASS = 2, C_MATCH = 3, C_OVERRIDE = 20, C_FETCH = 21, C_INVOKE = 23 };
enum { P_VENDOR = 1, P_CLASS = 2, P_DIGEST = 3, P_SIZE = 14, P_URI = 21, PARAMETERS };

static const uint8_t sequence[] = {TN_STEPS, TN_ALL, TN_OF(
    C_VENDOR, TN_UINT | TN_OPTIONAL, REPORT_MAX,
    C_CLASS, TN_UINT | TN_OPTIONAL, REPORT_MAX,
    C_MATCH, TN_UINT | TN_OPTIONAL, REPORT_MAX,
    C_OVERRIDE, TN_RECORD | TN_SOME | TN_OPTIONAL, TN_ALL, TN_OF(
        P_VENDOR, TN_BYTES | TN_OPTIONAL, TN_UUID,
        P_CLASS, TN_BYTES | TN_OPTIONAL, TN_UUID,
        P_DIGEST, TN_INSIDE | TN_OPTIONAL, TN_ALL, TN_OF(TN_SUIT_DIGEST),
        P_SIZE, TN_UINT53 | TN_OPTIONAL,
        P_URI, TN_ANY | TN_OPTIONAL,
        TN_END),
    C_FETCH, TN_UINT | TN_OPTIONAL, REPORT_MAX,
    C_INVOKE, TN_UINT | TN_OPTIONAL, REPORT_MAX,
    TN_END)};
/* Its own are the sequences. */
static const uint8_t manifest_shape[] = {TN_RECORD_OF(
    VERSION, TN_UINT53 | TN_OPTIONAL,
    SEQUENCE, TN_UINT53,
    COMMON, TN_INSIDE, TN_ALL, TN_OF(TN_RECORD_OF(
        COMPONENTS, TN_ARRAY | TN_SOME, COMPONENTS_MAX, TN_OF(TN_ANY),
        SHARED, TN_INSIDE | TN_OPTIONAL, TN_ALL, TN_OF(TN_OWN))),
    VALIDATE, TN_INSIDE | TN_OPTIONAL, TN_ALL, TN_OF(TN_OWN),
    INVOKE, TN_INSIDE | TN_OPTIONAL, TN_ALL, TN_OF(TN_OWN),
    INSTALL, TN_INSIDE | TN_OPTIONAL, TN_ALL, TN_OF(TN_OWN),
    TN_SUIT_TEXT, TN_STEPS | TN_SOME | TN_OPTIONAL, 2, TN_SUIT_ALGORITHMS)};

/* Texts by language: about the whole, and under a component's name about it. */
static const uint8_t texts[] = {TN_MAP, TN_WIRE_NOTICE_LANGUAGES_MAX, TN_OF(
    TN_TEXT, TN_MOST(TAG_BYTES_MAX),
    TN_RECORD_OF(
        ABOUT_MOST, TN_TEXT | TN_OPTIONAL, TN_ALL,
        A_COMPONENT, TN_RECORD | TN_OPTIONAL, TN_ALL, TN_OF(WORDS_MOST, TN_TEXT | TN_OPTIONAL, TN_ALL, TN_END)))};

/* Read the version that all languages state of our component, and find the one for this owner
 * (advisories.languages). */
static tn_reason read_texts(tn_item said, tn_manifest *manifest)
{
    tn_item one, name, stated = NULL, best = tn_language_of(said, 0);
    for (uint32_t i = 1; (one = tn_nth(said, i)) != NULL; i += 2u) {
        for (uint32_t j = 0; (name = tn_nth(one, j)) != NULL; j += 2u) {
            bool ours = tn_compare(name, components + 1, sizeof(components) - 1u) == 0;
            tn_item version = ours ? tn_at(tn_behind(name), COMPONENT_VERSION) : NULL;
            if (*name == A_COMPONENT && tn_kind(name + 1) != TN_CBOR_BYTES) {
                return TN_MALFORMED; /* names are byte strings */
            }
            if (version == NULL) {
                continue;
            }
            if (stated != NULL && !tn_alike(stated, version)) {
                return TN_MALFORMED;
            }
            stated = version;
        }
    }
    manifest->has_version = tn_version_read(tn_string(stated), manifest->version);
    one = tn_behind(best);
    bool speaks = (tn_value_at(one, MANIFEST_DESCRIPTION) | tn_value_at(one, UPDATE_DESCRIPTION)) != 0u;
    manifest->language = tn_string(speaks ? best : NULL);
    return TN_OK;
}

/* Compare the text with the digest that stayed, and read it; a missing one is fine, a wrong one is not. */
static tn_reason take_texts(tn_item text, tn_item named, tn_manifest *manifest)
{
    tn_reason reason = TN_OK;
    if (text != NULL) {
        if (named == NULL || !tn_suit_names(named, text)) {
            return named != NULL ? TN_DIGEST_MISMATCH : TN_MALFORMED;
        }
        reason = tn_suit_fits(tn_string(text), texts, NULL);
    }
    return reason == TN_OK ? read_texts(tn_first(text), manifest) : reason;
}

/* -- what is run -- */

/* What has been set and done: parameter n is bit n, command n bit 8 + n. */
#define DONE(command) (1u << (8u + (command)))
#define CHECKED (DONE(C_VENDOR) | DONE(C_CLASS))

typedef struct {
    tn_item said[PARAMETERS];
    uint32_t done;
} course;

/* Every parameter is set once: what comes again might change what was compared. */
static tn_reason set(tn_item map, course *now)
{
    tn_item name;
    for (uint32_t i = 0; (name = tn_nth(map, i)) != NULL; i += 2u) {
        if (now->said[*name] != NULL) {
            return TN_UNSUPPORTED;
        }
        now->said[*name] = name + 1;
        now->done |= 1u << *name;
    }
    return TN_OK;
}

/* Whether a command finds what it needs. */
static tn_reason act(uint32_t command, bool invoking, course *now)
{
    uint32_t needed = 1u << command; /* the identities have the numbers of their commands */
    bool known = true, fetched = (now->done & DONE(C_FETCH)) != 0u;
    if (command == C_MATCH) {
        known = fetched; /* before, it is a question about what runs now */
    } else if (command == C_FETCH) {
        needed = 1u << P_DIGEST | 1u << P_SIZE | 1u << P_URI | CHECKED;
        known = !fetched;
    } else if (command == C_INVOKE) {
        needed = CHECKED | DONE(C_MATCH);
        known = invoking;
    }
    now->done |= DONE(command);
    if (!known) {
        return TN_UNSUPPORTED;
    }
    return (now->done & needed) == needed ? TN_OK : TN_MALFORMED;
}

static tn_reason run(tn_item steps, bool invoking, course *now)
{
    tn_reason reason = TN_OK;
    tn_item command;
    for (uint32_t i = 0; reason == TN_OK && (command = tn_nth(steps, i)) != NULL; i += 2u) {
        reason = *command == C_OVERRIDE ? set(command + 1, now) : act(*command, invoking, now);
    }
    return reason;
}

static tn_reason run_all(tn_item manifest, course *now)
{
    static const uint8_t order[] = {INSTALL, VALIDATE, INVOKE};
    tn_reason reason = run(tn_first_at(tn_first_at(manifest, COMMON), SHARED), false, now);
    for (uint32_t i = 0; i < sizeof(order) && reason == TN_OK; i++) {
        reason = run(tn_first_at(manifest, order[i]), order[i] == INVOKE, now);
    }
    if (reason == TN_OK && (now->done & DONE(C_MATCH)) == 0u) { /* it brings nothing, or does not compare it */
        reason = (now->done & DONE(C_FETCH)) != 0u ? TN_MALFORMED : TN_UNSUPPORTED;
    }
    return reason;
}

/* A manifest is for this device where each of the identities that it checks is ours. */
static bool is_ours(const course *now)
{
    return tn_compare(now->said[P_VENDOR] + 1, tn_maker.vendor, TN_UUID) == 0 && /* behind a head of one byte */
           tn_compare(now->said[P_CLASS] + 1, tn_maker.model, TN_UUID) == 0;
}

/* Whether an address is one: a text of 1 to so many bytes. A payload in the envelope is none (`#`). */
static tn_reason check_address(tn_item address)
{
    if (tn_kind(address) != TN_CBOR_TEXT || (uint32_t)tn_value(address) - 1u >= URI_BYTES_MAX) {
        return TN_BAD_URI;
    }
    return *tn_first(address) != '#' ? TN_OK : TN_MALFORMED;
}

tn_reason tn_suit_manifest(tn_item members, tn_manifest *manifest)
{
    course now;
    tn_source bytes = tn_string(tn_at(members, TN_SUIT_MANIFEST));
    tn_fill(&now, 0, sizeof(now));
    tn_reason reason = tn_suit_fits(bytes, manifest_shape, sequence);
    if (reason != TN_OK) {
        return reason;
    }
    tn_item version = tn_at(bytes.bytes, VERSION), parts = tn_at(tn_first_at(bytes.bytes, COMMON), COMPONENTS);
    if (version == NULL || *version != 1u || tn_compare(parts, components, sizeof(components)) != 0) {
        return TN_UNSUPPORTED;
    }
    reason = take_texts(tn_at(members, TN_SUIT_TEXT), tn_at(bytes.bytes, TN_SUIT_TEXT), manifest);
    reason = reason == TN_OK ? run_all(bytes.bytes, &now) : reason;
    reason = reason == TN_OK ? check_address(now.said[P_URI]) : reason;
    if (reason != TN_OK) {
        return reason;
    }
    uint64_t size = tn_value(now.said[P_SIZE]);
    manifest->sequence = tn_value_at(bytes.bytes, SEQUENCE);
    manifest->image_digest = tn_first(now.said[P_DIGEST]) + TN_SUIT_DIGEST_HEAD;
    manifest->image_size = (uint32_t)size;
    manifest->ours = is_ours(&now);
    return size <= UINT32_MAX ? TN_OK : TN_TOO_BIG;
}
