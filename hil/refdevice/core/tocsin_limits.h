/* Limits of what is said; the device's own stand in limits.h.
 * Made from keys/limits.py and advisories/limits.py by .ci/c-tables; edit the source. */
#ifndef TOCSIN_LIMITS_H
#define TOCSIN_LIMITS_H

#define TN_WIRE_CBOR_DEPTH_MAX 16u /* levels of nesting in any document */
#define TN_WIRE_CBOR_ITEMS_MAX 16384u /* entries in one array or map */
#define TN_WIRE_DOCUMENT_BYTES_MAX 100000u /* MQTT payload limit; a document type may set less */
#define TN_WIRE_SIGNATURES_BYTES_MAX 32768u /* all signatures of one document together, beside its body */
/* body of a root; the constrained profile allows 2,048 with its signatures */
#define TN_WIRE_ROOT_BYTES_MAX 32768u
#define TN_WIRE_SIGNATURES_MAX 16u /* signatures on one document */
#define TN_WIRE_ROOT_KEYS_MAX 64u /* keys in one root */
#define TN_WIRE_ROLES_MAX 16u /* roles of one key, and roles named in one policy row */
#define TN_WIRE_POLICY_ROWS_MAX 64u /* rows of one policy */
#define TN_WIRE_NAME_BYTES_MAX 64u /* role, holder, product, device id, advisory id */
#define TN_WIRE_SUBJECTS_MAX 64u /* products or devices that one document is about */
/* above any UTC second; larger is refused, exact in every JSON reader */
#define TN_WIRE_VERSION_MAX 9007199254740991ull
#define TN_WIRE_FLOORS_MAX 256u /* version floors that one trusted set keeps */
/* a trusted set as stored: a root and FLOORS_MAX floors, each at its largest */
#define TN_WIRE_STATE_BYTES_MAX 1048576u
/* body of a notice; the constrained profile allows 2,048 with its signatures */
#define TN_WIRE_NOTICE_BYTES_MAX 8192u
#define TN_WIRE_NOTICE_TEXT_BYTES_MAX 1024u /* one language's text */
/* one drawn page: 128 x 64 dots, one bit each; always exactly so many */
#define TN_WIRE_NOTICE_PAGE_BYTES 1024u
#define TN_WIRE_NOTICE_PAGES_MAX 4u /* drawn pages of one text */
#define TN_WIRE_NOTICE_LANGUAGES_MAX 64u /* languages of one notice */
#define TN_WIRE_NOTICE_PRODUCTS_MAX 64u /* products of one notice */
#define TN_WIRE_VERSION_RANGES_MAX 16u /* ranges for one product */
#define TN_WIRE_NOTICE_PATCHES_MAX 16u /* patches named by one notice, for one product */
#define TN_WIRE_CATALOGUE_BYTES_MAX 8192u /* body of a catalogue */
#define TN_WIRE_CATALOGUE_ENTRIES_MAX 64u /* current notices and patches of one product, together */
#define TN_WIRE_TIMESTAMP_BYTES_MAX 1024u /* body of a timestamp */
#define TN_WIRE_OFFER_BYTES_MAX 1024u /* body of an offer */
#define TN_WIRE_ANSWER_BYTES_MAX 1024u /* body of an answer */
#define TN_WIRE_DEVICES_BYTES_MAX 100000u /* a document of device records with its signature */
#define TN_WIRE_DEVICE_RECORDS_MAX 512u /* records in one document */
#define TN_WIRE_PATCH_BYTES_MAX 16384u /* a SUIT envelope without its payload */
#define TN_WIRE_ENVELOPE_BYTES_MAX 65536u /* a SUIT envelope with the payloads that travel in it */
#define TN_WIRE_REPORT_BYTES_MAX 16384u /* a report with its signature */
#define TN_WIRE_REPORT_STATES_MAX 16u /* advisories and patches in one report, together */
/* one SUIT_Report inside a report; what finds no room is left out */
#define TN_WIRE_SUIT_REPORT_BYTES_MAX 768u
#define TN_WIRE_REPORT_JOURNAL_MAX 64u /* journal entries carried by one report */
#define TN_WIRE_WANT_BYTES_MAX 2048u /* one request of a device for what it lacks */
#define TN_WIRE_WANT_TOPICS_MAX 16u /* topics in one such request */
#define TN_WIRE_BLOCK_BYTES_MAX 4096u /* firmware bytes in one block */
#define TN_WIRE_BLOCK_WINDOW_MAX 16u /* blocks asked for at a time */
/* bytes of an MCUboot image, and of what comes in blocks (8 MiB) */
#define TN_WIRE_IMAGE_BYTES_MAX 8388608u
/* bytes of any payload; above IMAGE_BYTES_MAX only by HTTPS */
#define TN_WIRE_PAYLOAD_BYTES_MAX 4294967295u
#define TN_WIRE_TOPIC_BYTES_MAX 256u /* bytes of a topic with its prefix */
#define TN_WIRE_TOPIC_SLASHES_MAX 7u /* slashes in a topic with its prefix */
#define TN_WIRE_ID_BYTES_MAX 64u /* advisory id, product, device id; one topic level each */
#define TN_WIRE_ALGORITHMS_MAX 8u /* algorithms that one device can verify with */
#define TN_WIRE_LANGUAGE_BYTES_MAX 35u /* a language tag (RFC 5646, section 4.4.1) */
#define TN_WIRE_URI_BYTES_MAX 255u /* bytes of the address of an image */

#endif
