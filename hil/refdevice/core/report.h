/* The report of this moment (advisories.report.Report); made by reporter.c's wish only. */
#ifndef TN_REPORT_H
#define TN_REPORT_H

#include "record.h"
#include "rooms.h"

#define TN_ALG_ED25519 (-19)

typedef struct {
    uint64_t issued;
    uint32_t sequence;
    uint8_t nonce[16], asked[16];
    bool has_asked; /* the gateway asked for a nonce: that one */
    uint32_t first, entries; /* of the journal's entries that it carries, and how many */
    /* tn_report_make() finds what follows. */
    const char *type;
    const uint64_t *root;
    const uint8_t *catalogue, *audit_head;
} tn_report;

/* Patches, and notices: where in a track things lie, how it is told in a report and in the answer to `state`, and which
 * states are special: what has ended, and what a row of the report asks for. */
#define TN_KINDS_OF_TRACKS 2u
typedef struct {
    const void *first;
    const tn_row *rows, *brief;
    uint32_t ended, special;
    uint16_t bytes;
    uint8_t most, here, state, time, name;
} tn_tracks;
extern const tn_tracks tn_all_tracks[TN_KINDS_OF_TRACKS];

/* Make, sign and publish it. The patches' SUIT_Reports, which are optional, are left out. */
void tn_report_make(tn_report *report);

#endif
