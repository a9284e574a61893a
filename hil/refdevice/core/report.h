/* The report of this moment (advisories.report.Report); made by reporter.c's wish only. */
#ifndef TN_REPORT_H
#define TN_REPORT_H

#include "rooms.h"

#define TN_ALG_ED25519 (-19)

typedef struct {
    uint64_t sequence, issued;
    uint8_t nonce[16], asked[16];
    bool has_asked;
    uint64_t first;   /* of the journal's entries that it carries */
    uint32_t entries; /* how many; fewer where they do not fit */
} tn_report;

/* Make, sign and publish it. The patches' SUIT_Reports, which are optional, are left out. */
void tn_report_make(tn_report *report);

#endif
