/* Every size of this device, and where things lie in its flash. What the wire allows stands in tocsin_limits.h;
 * here stands what this device takes of it (the constrained profile). */
#ifndef TN_LIMITS_H
#define TN_LIMITS_H

#define TN_FLASH_PAGE 4096u /* erased as a whole; a flash whose own pages are smaller erases several */
#ifndef TN_FLASH_UNIT
#define TN_FLASH_UNIT 8u /* written as a whole, once; a power of two from 4 to 32 */
#endif

/* Documents. What is larger is refused with TOO_BIG before anything is decoded. */
#define TN_DOCUMENT_BYTES_MAX 4096u /* any document: four drawn pages are the largest */
#define TN_MESSAGE_BYTES_MAX 4160u  /* any message: a block of firmware is the largest, and is no document */
#define TN_ROOT_BYTES_MAX 2048u     /* with its signatures */
#define TN_NOTICE_BYTES_MAX 2048u   /* with its signatures */
#define TN_PATCH_BYTES_MAX 2048u    /* a SUIT envelope */
#define TN_TEXT_BYTES_MAX 1024u
#define TN_PAGE_BYTES 1024u
#define TN_PAGES_MAX 4u
#define TN_REPORT_BYTES_MAX 3072u

/* How many of everything are remembered. */
#define TN_KEYS_MAX 16u       /* of one root; more: LIMIT_REACHED */
#define TN_ROWS_MAX 16u       /* of its policy */
#define TN_ROLES_MAX 16u      /* of a key, and of a row */
#define TN_SIGNATURES_MAX 16u /* on one document */
#define TN_NOTICES_MAX 4u
#define TN_PATCHES_MAX 2u
#define TN_FLOORS_MAX 16u     /* catalogue, timestamp, offer, answer, and twelve notices: they outlive their tracks */
#define TN_JOURNAL_MAX 64u    /* entries kept until a receipt covers them */
#define TN_JOURNAL_REFUSALS_MAX 48u
#define TN_JOURNAL_REPORT_MAX 12u /* entries in one report */
#define TN_REFUSALS_PER_BOOT_MAX 16u
#define TN_NONCES_MAX 4u

#define TN_NAME_BYTES_MAX 64u
#define TN_LANGUAGE_BYTES_MAX 35u
#define TN_TOPIC_BYTES_MAX 256u
#define TN_VERSION_ROOM 25u /* of a version in words: 255.255.65535+4294967295 */
#define TN_LOG_ROOM 40u     /* of a few words on why something was refused */
#define TN_NUMBER_ROOM 21u /* of a number in decimal */

/* The serial line. */
#define TN_SMP_BUFFER_BYTES 640u /* a whole message, its head included, with four bytes to spare: `info` just fits */
#define TN_SMP_LINE_BYTES 127u

/* Flash. Two pages hold nothing but what the maker writes; two banks of state take turns. */
#define TN_AT_FACTORY 0u
#define TN_FACTORY_BYTES (2u * TN_FLASH_PAGE) /* two copies, taking turns */
#define TN_AT_STATE (TN_AT_FACTORY + TN_FACTORY_BYTES)
#define TN_STATE_BYTES (8u * TN_FLASH_PAGE) /* snapshots of tn_state, one after the other */
#define TN_AT_JOURNAL (TN_AT_STATE + TN_STATE_BYTES)
#define TN_JOURNAL_BYTES (8u * TN_FLASH_PAGE)
#define TN_AT_BOOT (TN_AT_JOURNAL + TN_JOURNAL_BYTES)
#define TN_BOOT_BYTES (2u * TN_FLASH_PAGE) /* boot records, taking turns */
#define TN_AT_ROOTS (TN_AT_BOOT + TN_BOOT_BYTES)
#define TN_ROOT_AREA (2u * TN_FLASH_PAGE) /* a root, and in the second page what older floors rest on */
/* The pinned root 1; the trusted root, and the one that takes its place. */
#define TN_ROOTS_BYTES (TN_FLASH_PAGE + 2u * TN_ROOT_AREA)
#define TN_AT_CATALOGUES (TN_AT_ROOTS + TN_ROOTS_BYTES)
#define TN_CATALOGUES_BYTES (2u * TN_FLASH_PAGE)
#define TN_AT_NOTICES (TN_AT_CATALOGUES + TN_CATALOGUES_BYTES)
#define TN_NOTICE_AREA (3u * TN_FLASH_PAGE) /* header in the first page, text behind it, drawn pages in the last */
#define TN_NOTICE_AREAS (TN_NOTICES_MAX + 1u) /* one more: a new revision is written before the old one goes */
#define TN_AT_PATCH (TN_AT_NOTICES + TN_NOTICE_AREA * TN_NOTICE_AREAS)
#define TN_PATCH_AREA (TN_PATCHES_MAX * TN_FLASH_PAGE) /* an envelope for each track */
#define TN_AT_STAGING (TN_AT_PATCH + TN_PATCH_AREA)
#define TN_STAGING_BYTES (2u * TN_FLASH_PAGE) /* what `put` brings */
#define TN_AT_OUTBOX (TN_AT_STAGING + TN_STAGING_BYTES)
#define TN_OUTBOX_BYTES (2u * TN_FLASH_PAGE) /* the report that waits to be read, and the want */
#define TN_AT_NEXT_ROOT (TN_AT_OUTBOX + TN_OUTBOX_BYTES) /* one page: a root that is provisioned at the next reset */
#define TN_AT_SLOTS (TN_AT_NEXT_ROOT + TN_FLASH_PAGE)
#define TN_SLOT_BYTES (64u * TN_FLASH_PAGE) /* an image: 256 KiB */
#define TN_FLASH_BYTES (TN_AT_SLOTS + 2u * TN_SLOT_BYTES)

#endif
