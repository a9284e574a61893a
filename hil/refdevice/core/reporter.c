/* Tells the gateway: the present states and the journal, again and again until a receipt comes (device_sim.core.reporter). */
#include "report.h"

#define REPORT_MS_MIN 200u
#define RECEIPT_MS_MIN 5000u
#define RECEIPT_MS_MAX 300000u

static struct {
    uint64_t sequence;
    bool pending, sent; /* a report was sent and no receipt has covered it; anything was sent at all */
    uint64_t last;
    uint32_t pause, wait;
    uint8_t reports[TN_NONCES_MAX][16], wants[TN_NONCES_MAX][16];
    uint32_t reports_made, wants_made;
    bool has_asked;
    uint8_t asked[16];
} reporter;

/* Keys of an answer behind the common ones. */
enum { NONCE = 10, RECEIPT, COUNT, NEXT };
static const tn_shape receipt[] = {{0, TN_UINT53, 0, NULL}, {0, TN_UINT53, 0, NULL}};
static const tn_shape own[] = {
    {NONCE, TN_BYTES, 16, NULL},
    {RECEIPT, TN_TUPLE | TN_OPTIONAL, 2, receipt}, /* boot epoch, sequence */
    {COUNT, TN_UINT53, 0, NULL},
    {NEXT, TN_BYTES, 16, NULL},
    {0, TN_END, 0, NULL},
};

static bool is_one_of(uint8_t nonces[TN_NONCES_MAX][16], uint32_t made, const uint8_t nonce[16])
{
    for (uint32_t i = 0; i < TN_NONCES_MAX && i < made; i++) {
        if (tn_compare(nonces[i], nonce, 16) == 0) {
            return true;
        }
    }
    return false;
}

static tn_reason open(tn_source data, tn_document *found)
{
    tn_expected expected = {
        .type = "answer",
        .bytes_max = TN_WIRE_ANSWER_BYTES_MAX,
        .document_bytes_max = TN_DOCUMENT_BYTES_MAX,
        .subject = tn_maker.id,
        .product = tn_maker.product,
        .expiring = true,
        .now = tn_now.now,
        .own = own,
    };
    uint64_t known = tn_trust_time_floor(true);
    tn_reason reason = tn_trust_accept(data, &expected, TN_FLOOR_ANSWER, tn_maker.id, found);
    if (tn_trust_time_floor(true) > known) {
        tn_touch(); /* signed time outlives a restart; the same answer again wears no flash */
    }
    if (reason == TN_REPLAYED || reason == TN_EQUIVOCATION) {
        /* A gateway that was restarted may count from its clock again. That an answer is fresh is told by its nonce. */
        expected.expiring = false;
        return tn_document_open(data, tn_trust_root(), tn_stored.fleet, &expected, found);
    }
    return reason;
}

tn_reason tn_answer_take(tn_source data)
{
    tn_document found;
    tn_reason reason = open(data, &found);
    if (reason != TN_OK) {
        return reason;
    }
    const uint8_t *nonce = tn_string(tn_at(found.body.bytes, NONCE)).bytes;
    tn_item newest_sent = tn_at(found.body.bytes, RECEIPT);
    uint64_t epoch = tn_value(tn_nth(newest_sent, 0)), count = tn_said(&found, COUNT);
    if (!is_one_of(reporter.reports, reporter.reports_made, nonce) && !is_one_of(reporter.wants, reporter.wants_made, nonce)) {
        tn_log(TN_WRONG_NONCE, "an answer to none of the last nonces");
        return TN_OK;
    }
    reporter.has_asked = true;
    tn_copy(reporter.asked, tn_string(tn_at(found.body.bytes, NEXT)).bytes, 16);
    uint64_t covered = count < tn_stored.journal_count ? count : tn_stored.journal_count;
    bool trimmed = covered > tn_stored.journal_first;
    if (trimmed) {
        tn_stored.journal_first = covered;
        tn_touch();
    }
    bool newest = epoch > tn_stored.boot_epoch ||
                  (epoch == tn_stored.boot_epoch && tn_value(tn_nth(newest_sent, 1)) >= reporter.sequence);
    if (newest_sent != NULL && newest) {
        reporter.pending = false;
        reporter.pause = RECEIPT_MS_MIN;
        /* The next entries follow at once, but only to a gateway that took some. */
        tn_now.news = tn_now.news || (trimmed && tn_stored.journal_first < tn_stored.journal_count);
    }
    return TN_OK;
}

void tn_want_nonce(uint8_t nonce[16])
{
    tn_random(nonce, 16);
    tn_copy(reporter.wants[reporter.wants_made % TN_NONCES_MAX], nonce, 16);
    reporter.wants_made++;
}

void tn_reporter_boot(void)
{
    tn_fill(&reporter, 0, sizeof(reporter));
    reporter.pause = RECEIPT_MS_MIN;
}

void tn_reporter_connected(void)
{
    tn_now.news = true;
    reporter.sent = false;
    reporter.pause = RECEIPT_MS_MIN;
}

/* The oldest entries that are kept, up to the first gap. */
static void choose_entries(tn_report *report)
{
    uint64_t index = tn_stored.journal_first;
    while (index < tn_stored.journal_count && tn_journal_read(index) == NULL) {
        index++;
    }
    report->first = index;
    while (report->entries < TN_JOURNAL_REPORT_MAX && index < tn_stored.journal_count &&
           tn_journal_read(index) != NULL) {
        report->entries++;
        index++;
    }
}

static void send(void)
{
    tn_report report;
    uint8_t jitter;
    tn_fill(&report, 0, sizeof(report));
    tn_now.news = false;
    reporter.pending = true;
    reporter.sent = true;
    reporter.last = tn_now.ms;
    tn_random(&jitter, 1);
    reporter.wait = reporter.pause / 4u * 3u + (uint32_t)((uint64_t)reporter.pause * jitter / 512u);
    reporter.sequence++;
    report.sequence = reporter.sequence;
    report.issued = tn_time();
    tn_random(report.nonce, 16);
    tn_copy(reporter.reports[reporter.reports_made % TN_NONCES_MAX], report.nonce, 16);
    reporter.reports_made++;
    report.has_asked = reporter.has_asked;
    tn_copy(report.asked, reporter.asked, 16);
    choose_entries(&report);
    tn_save();
    tn_report_make(&report);
}

void tn_reporter_step(void)
{
    if (!tn_now.connected || !(tn_now.news || reporter.pending)) {
        return;
    }
    /* One report at a time: what changes meanwhile goes into the next one. */
    if (reporter.sent && tn_now.ms < reporter.last + (reporter.pending ? reporter.wait : REPORT_MS_MIN)) {
        return;
    }
    if (reporter.pending && reporter.sent) {
        reporter.pause = reporter.pause * 2u < RECEIPT_MS_MAX ? reporter.pause * 2u : RECEIPT_MS_MAX;
    }
    send();
}
