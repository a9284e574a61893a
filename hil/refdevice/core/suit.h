/* Between suit.c and suit_manifest.c. */
#ifndef TN_SUIT_H
#define TN_SUIT_H

#include "rooms.h"

/* Members of an envelope. */
enum { TN_SUIT_AUTHENTICATION = 2, TN_SUIT_MANIFEST, TN_SUIT_TEXT = 23 };

/* A SUIT_Digest: [-16, bytes]. */
#define TN_SUIT_ALGORITHMS TN_OF(0x2F, TN_BYTES | TN_OPTIONAL, TN_HASH, TN_END)
#define TN_SUIT_DIGEST TN_STEPS | TN_SOME, 2, TN_SUIT_ALGORITHMS

/* Its first bytes: an array of two, -16, and the head of 32 bytes. */
#define TN_SUIT_DIGEST_HEAD 4u
/* Whether it is that of a member, whose head it covers. */
bool tn_suit_names(tn_item digest, tn_item member);

/* Hold bytes against a shape: MALFORMED, or UNSUPPORTED where they have an entry that it does not know. */
tn_reason tn_suit_fits(tn_source bytes, tn_shape shape, tn_shape own);
/* Read the manifest of an envelope, which has been compared with its digest, and run it as far as it can be run
 * without a device (advisories.suit.patch._patch). */
tn_reason tn_suit_manifest(tn_item members, tn_manifest *manifest);

#ifdef TN_TEST_BUILD
/* UUIDv5 (RFC 9562) of a name; `space` NULL: that of domain names. A device that ships has its identifiers from its
 * maker, as bytes: it works out none. */
void tn_uuid5(const uint8_t *space, const char *name, uint8_t uuid[TN_UUID]);
#endif

#endif
