/* Between suit.c, suit_manifest.c and suit_text.c. */
#ifndef TN_SUIT_H
#define TN_SUIT_H

#include "rooms.h"

/* The one component of this device, as it is encoded: [h'00']. */
extern const uint8_t tn_suit_component[3];

/* Read a SUIT_Digest: MALFORMED, or UNSUPPORTED for another algorithm than SHA-256. `digest` is the 32 bytes. */
tn_reason tn_suit_digest(tn_cbor *reader, tn_source *digest);

/* What lies in an envelope. */
typedef struct {
    tn_source wrapper;
    tn_source manifest, whole; /* content of its byte string; and with its head */
    tn_source text;            /* the severed text, with its head */
    uint32_t members;          /* bit n: member n is there */
    bool beyond;               /* a payload travels in it */
} tn_envelope;

/* Read a manifest that has been compared with its digest, and run it as far as it can be run without a device
 * (advisories.suit.patch._patch). */
tn_reason tn_suit_manifest(const tn_envelope *envelope, tn_manifest *manifest);

/* Read the key of a map of which some numbers are known, each a bit: MALFORMED; UNSUPPORTED for another key. */
tn_reason tn_suit_key(tn_cbor *reader, int32_t *last, uint32_t known);
/* Read the text member, with its head: the version that it states of our component, whether the languages differ in
 * it, and the language in which it speaks to this owner (advisories.languages.fallback). MALFORMED, or UNSUPPORTED
 * for a kind of text that is in no table. */
tn_reason tn_suit_texts(tn_source member, tn_manifest *manifest);

/* UUIDv5 (RFC 9562) of a name; `space` NULL: that of domain names. */
void tn_uuid5(const uint8_t *space, const char *name, uint8_t uuid[TN_UUID]);

#endif
