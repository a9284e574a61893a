/* Tells the gateway: the present states and the journal, again and again until a receipt comes
 * (device_sim.core.reporter). */
#include "report.h"
#include "smp.h"

#define REPORT_MS_MIN 200u
#define RECEIPT_MS_MIN 5000u
#define RECEIPT_MS_MAX 300000u

static struct {
    bool pending;             /* a report waits for its receipt */
    tn_pause sent;            /* until the next report may follow; of no length: none was sent since it is connected */
    uint32_t pause;           /* until a report without a receipt is repeated */
    uint32_t made[TN_LEAVES]; /* nonces of each leaf in this boot */
    tn_report report;         /* the newest */
} reporter;

/* Keys of an answer behind the common ones. */
enum { NONCE = 10, RECEIPT, COUNT, NEXT };
const uint8_t tn_answer_own[] = {
    NONCE, TN_BYTES, 16,
    RECEIPT, TN_TUPLE | TN_OPTIONAL, 2, TN_OF(TN_UINT53, TN_UINT53), /* boot epoch, sequence */
    COUNT, TN_UINT53,
    NEXT, TN_BYTES, 16,
    TN_END,
};

/* Nonces have draws of their own, counted from here on; the other leaf's begin as far behind. */
#define FIRST_DRAW (1u << 30)

static void draw(uint32_t leaf, uint32_t back, uint8_t nonce[TN_NONCE])
{
    tn_draw((leaf + 1u) * FIRST_DRAW + reporter.made[leaf] - back, nonce, TN_NONCE);
}

void tn_nonce(tn_leaf leaf, uint8_t nonce[TN_NONCE])
{
    reporter.made[leaf]++;
    draw(leaf, 0, nonce);
}

/* Whether a nonce is one of the last; they are drawn once more, which takes less room than to keep them. Of one that
 * was never sent nobody knows. */
static bool is_ours(const uint8_t nonce[TN_NONCE])
{
    uint8_t drawn[TN_NONCE];
    for (uint32_t i = 0; i < TN_LEAVES * TN_NONCES_MAX; i++) {
        draw(i % TN_LEAVES, i / TN_LEAVES, drawn);
        if (tn_compare(drawn, nonce, TN_NONCE) == 0) {
            return true;
        }
    }
    return false;
}

void tn_answer_take(tn_item body)
{
    tn_item receipt = tn_at(body, RECEIPT); /* of none both numbers are 0, and no boot has that */
    uint32_t epoch = tn_number_of(tn_nth(receipt, 0)), sequence = tn_number_of(tn_nth(receipt, 1));
    uint32_t covered = tn_number_of(tn_at(body, COUNT));
    if (!is_ours(tn_first_at(body, NONCE))) {
        tn_log(TN_WRONG_NONCE, "an answer to none of the last nonces");
        return;
    }
    reporter.report.has_asked = true;
    tn_copy(reporter.report.asked, tn_first_at(body, NEXT), TN_NONCE);
    covered = covered < tn_stored.journal_count ? covered : tn_stored.journal_count;
    bool trimmed = covered > tn_stored.journal_first;
    if (trimmed) {
        tn_stored.journal_first = covered;
    }
    if (((uint64_t)epoch << 32 | sequence) >= ((uint64_t)tn_stored.boot_epoch << 32 | reporter.report.sequence)) {
        reporter.pending = false;
        reporter.sent.ms = REPORT_MS_MIN;
        reporter.pause = RECEIPT_MS_MIN;
        if (trimmed && covered < tn_stored.journal_count) {
            tn_now.news = true; /* the next entries follow at once, but only to a gateway that took some */
        }
    }
}

void tn_reporter_connected(void)
{
    tn_now.news = true;
    reporter.pending = false;
    reporter.sent.ms = 0;
    reporter.pause = RECEIPT_MS_MIN;
}

/* The oldest entries that are kept, up to the first gap. */
static void choose_entries(tn_report *report)
{
    uint32_t index = tn_stored.journal_first, entries = 0;
    for (; entries < TN_JOURNAL_REPORT_MAX && index < tn_stored.journal_count; index++) {
        if (tn_journal_read(index).length != 0u) {
            entries++;
        } else if (entries != 0u) {
            break;
        }
    }
    report->first = index - entries;
    report->entries = entries;
}

static void send(tn_report *report)
{
    uint8_t jitter;
    tn_now.news = false;
    reporter.pending = true;
    (void)tn_random(&jitter, 1);
    tn_pause_begin(&reporter.sent, reporter.pause / 4u * 3u + reporter.pause * jitter / 512u);
    report->sequence++;
    report->issued = tn_time();
    tn_nonce(TN_LEAF_REPORT, report->nonce);
    choose_entries(report);
    tn_save();
    tn_report_make(report);
}

void tn_reporter_step(void)
{
    if (!tn_now.connected || !(tn_now.news || reporter.pending)) {
        return;
    }
    /* One report at a time: what changes meanwhile goes into the next one. */
    if (!tn_pause_over(&reporter.sent)) {
        return;
    }
    if (reporter.pending) {
        reporter.pause = tn_longer(reporter.pause, 0, RECEIPT_MS_MAX);
    }
    send(&reporter.report);
}
