/* Sorts messages, walks roots, and lets time pass for every room (device_sim.core.agent, device_sim.core.inbox). */
#include "notice.h"
#include "port.h"

#define PROBE_MS 60000u
/* Why something was refused that a newer root might cure; and EXPIRED, where the root itself is over. */
#define CURE(reason) (1u << (uint32_t)((reason) - TN_UNSUPPORTED))
#define CURABLE \
    (CURE(TN_UNSUPPORTED) | CURE(TN_UNKNOWN_KEY) | CURE(TN_THRESHOLD_NOT_MET) | CURE(TN_NO_POLICY_ROW) | \
     CURE(TN_ROOT_GAP))

static struct {
    bool probing;   /* something was refused that a newer root might cure: the next one is looked for */
    tn_pause probed; /* since it was looked for in vain */
} agent;

static bool is_root_over(void)
{
    return tn_is_past(tn_trust_root()->expires);
}

static tn_reason take_root(const tn_arrival *document)
{
    uint8_t before = tn_stored.root_page;
    tn_reason reason = tn_trust_update(document->data);
    if (tn_stored.root_page != before) {
        char words[TN_COUNTED_ROOM];
        tn_record(TN_SAYS(TN_TRACK_DEVICE, 0, 0, TN_OK), tn_counted(words, "root ", tn_trust_root()->version), NULL);
        agent.probing = false;
        agent.probed.ms = 0;
    }
    return reason;
}

/* Documents of which the newest version counts: accepted when they are genuine, then each taken by its room. */
static tn_reason accept(const tn_arrival *document)
{
    static const tn_expected sorts[] = {
        [TN_TOPIC_TIMESTAMP] = {"timestamp", TN_WIRE_TIMESTAMP_BYTES_MAX, TN_DOCUMENT_BYTES_MAX, tn_maker.product,
                                tn_maker.product, tn_timestamp_own, TN_FLOOR_TIMESTAMP, true},
        [TN_TOPIC_CATALOGUE] = {"catalogue", TN_WIRE_CATALOGUE_BYTES_MAX, TN_DOCUMENT_BYTES_MAX, tn_maker.product,
                                tn_maker.product, tn_catalogue_own, TN_FLOOR_CATALOGUE, true},
        [TN_TOPIC_NOTICE] = {"notice", TN_WIRE_NOTICE_BYTES_MAX, TN_NOTICE_BYTES_MAX, tn_maker.product,
                             tn_maker.product, tn_notice_own, TN_FLOOR_NOTICE, false},
        [TN_TOPIC_OFFER] = {"offer", TN_WIRE_OFFER_BYTES_MAX, TN_DOCUMENT_BYTES_MAX, tn_maker.id, tn_maker.product,
                            tn_offer_own, TN_FLOOR_OFFER, true},
        [TN_TOPIC_ANSWER] = {"answer", TN_WIRE_ANSWER_BYTES_MAX, TN_DOCUMENT_BYTES_MAX, tn_maker.id,
                             tn_maker.product, tn_answer_own, TN_FLOOR_ANSWER, true},
    };
    const tn_expected *expected = &sorts[document->topic.kind];
    const char *name = expected->subject;
    tn_notice_track *track = NULL;
    tn_document found;
    if (document->topic.kind == TN_TOPIC_NOTICE) {
        name = document->topic.name;
        track = tn_notice_place(name);
        if (track == NULL) {
            return TN_LIMIT_REACHED;
        }
    }
    tn_reason reason = tn_trust_accept(document->data, expected, name, &found);
    if (document->topic.kind == TN_TOPIC_ANSWER && (reason == TN_REPLAYED || reason == TN_EQUIVOCATION)) {
        /* It is genuine, and has been read. A gateway that was restarted may count from its clock again; that an
         * answer is fresh is told by its nonce. */
        reason = TN_OK;
    }
    if (reason != TN_OK) {
        return reason;
    }
    tn_item body = found.body.bytes;
    switch (document->topic.kind) {
    case TN_TOPIC_TIMESTAMP:
        tn_timestamp_take(body);
        break;
    case TN_TOPIC_CATALOGUE:
        tn_catalogue_take(found.body);
        break;
    case TN_TOPIC_NOTICE:
        tn_notice_take(track, &found, name);
        break;
    case TN_TOPIC_OFFER:
        reason = found.again ? TN_OK : tn_offer_take(body); /* of one version there is one digest */
        break;
    default:
        tn_answer_take(body);
        break;
    }
    return reason;
}

static tn_reason dispatch(const tn_arrival *document)
{
    switch (document->topic.kind) {
    case TN_TOPIC_ROOT:
        return take_root(document);
    case TN_TOPIC_TEXT:
        return tn_text_take(document);
    case TN_TOPIC_PAGES:
        return tn_pages_take(document);
    case TN_TOPIC_PATCH:
        return tn_patch_take(document);
    default:
        return accept(document);
    }
}

static void turn_away(const tn_arrival *document, tn_reason reason)
{
    const tn_topic *topic = &document->topic;
    uint8_t digest[TN_HASH];
    uint32_t bit = (uint32_t)reason - TN_UNSUPPORTED;
    bool curable = reason == TN_EXPIRED ? is_root_over() : bit < 32u && (CURABLE >> bit & 1u) != 0u;
    if (curable && tn_pause_over(&agent.probed)) {
        agent.probing = true;
    }
    tn_sha256_of(document->data.bytes, document->data.length, digest);
    tn_refuse(topic->kind == TN_TOPIC_NOTICE ? topic->name : NULL, tn_topic_word(topic->kind), reason, digest);
}

static void receive(tn_source name, tn_source data)
{
    tn_arrival arrival;
    tn_reason reason = TN_TOO_BIG;
    arrival.data = data;
    if (data.length == 0u) {
        return;
    }
    if (!tn_topic_read(name, &arrival.topic)) {
        tn_log(TN_WRONG_TYPE, "not for this device");
    } else if (arrival.topic.kind == TN_TOPIC_BLOCK) { /* anyone may send nonsense: it is logged and not journaled */
        reason = tn_block_take(data);
        if (reason != TN_OK) {
            tn_log(reason, "block");
        }
    } else {
        if (data.length <= TN_DOCUMENT_BYTES_MAX) {
            reason = dispatch(&arrival);
        }
        if (reason != TN_OK) {
            turn_away(&arrival, reason);
        }
    }
}

/* The next root, when there is a sign of one. */
static void look_for_root(void)
{
    char room[TN_NUMBER_ROOM];
    uint64_t version = tn_trust_root()->version;
    const char *number = tn_number(room, version + 1u);
    if (tn_absent(TN_TOPIC_ROOT, number)) {
        agent.probing = false;
        tn_pause_begin(&agent.probed, PROBE_MS);
    }
    if (agent.probing || is_root_over() || tn_stored.stamp_root > version) {
        tn_missing(TN_TOPIC_ROOT, "", number);
    }
}

/* Every step ends so: each room goes on as far as it can, and what changed is stored. */
static void go_on(void)
{
    tn_currency_step();
    tn_notices_step();
    tn_patches_step();
    look_for_root();
    tn_fetch_step();
    tn_reporter_step();
    tn_save();
    if (tn_now.rebooting) {
        tn_now.rebooting = false;
        port_reset();
    }
}

static void begin(void)
{
    tn_begin();
    tn_fetch_begin();
}

static void measure(void)
{
    tn_reason reason = tn_image_read(tn_now.slot, 0, &tn_now.image);
    tn_now.measured = reason == TN_OK;
    if (!tn_now.measured) {
        tn_fill(&tn_now.image, 0, sizeof(tn_now.image));
        tn_refuse(NULL, "image", reason, tn_now.image.digest);
    }
}

static bool begin_life(void)
{
    if (tn_stored.root_length != 0u) {
        return true;
    }
    if (tn_trust_enrol(tn_in_flash(TN_AT_ROOTS, tn_maker.root_1_length), tn_maker.root_1) != TN_OK) {
        return false;
    }
    tn_journal_begin();
    return true;
}

bool tn_agent_boot(void)
{
    tn_now.slot = tn_boot_select();
    tn_now.trial = tn_boot()->has_trial; /* and it runs: it was not tried before */
    if (!tn_maker.provisioned || !begin_life()) {
        return false;
    }
    tn_stored.boot_epoch++; /* before anything random is drawn */
    tn_save();
    (void)tn_random(tn_now.boot, sizeof(tn_now.boot));
    tn_journal_boot();
    begin();
    tn_record(TN_SAYS(TN_TRACK_DEVICE, 0, tn_now.slot, TN_OK), "boot", NULL);
    measure();
    tn_notices_booted();
    if (!tn_patches_booted()) {
        tn_notices_installed();
    }
    go_on();
    return true;
}

tn_reason tn_agent_receive(tn_source topic, tn_source data)
{
    begin();
    go_on(); /* what is overdue is refused now, not while this message is judged */
    begin();
    receive(topic, data);
    go_on();
    return tn_now.heard;
}

void tn_agent_connected(bool up)
{
    begin();
    if (tn_now.connected) {
        tn_now.connected = false;
        tn_out_clear();
        tn_fetch_disconnected();
    }
    if (up) {
        tn_now.connected = true;
        tn_reporter_connected();
        tn_patches_connected();
    }
    go_on();
}

void tn_agent_acknowledge(void)
{
    begin();
    tn_notices_acknowledge();
    go_on();
}

tn_reason tn_agent_consent(const char *answer)
{
    begin();
    tn_reason reason = tn_patches_consent(answer);
    go_on();
    return reason;
}

void tn_agent_tick(void)
{
    begin();
    go_on();
}

#ifdef TN_TEST_BUILD
void tn_agent_clock(uint64_t utc)
{
    int64_t ahead = (int64_t)(utc - port_time_utc());
    if (ahead > tn_now.clock_ahead) { /* pauses go on with it; back they do not go */
        tn_now.ms_ahead += (uint32_t)(ahead - tn_now.clock_ahead) * 1000u;
    }
    tn_now.clock_ahead = ahead;
    tn_agent_tick();
}
#endif
