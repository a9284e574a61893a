/* Sorts messages, walks roots, and lets time pass for every room (device_sim.core.agent, device_sim.core.inbox). */
#include "port.h"
#include "rooms.h"

#define PROBE_MS 60000u
#define LEVELS_MAX 4u

static struct {
    bool probing;   /* something was refused that a newer root might cure: the next one is looked for */
    bool settled;   /* it was looked for in vain, at: */
    uint64_t probed;
} agent;

/* The levels of a topic below the prefix. */
typedef struct {
    char bytes[TN_TOPIC_ROOM];
    const char *level[LEVELS_MAX];
    uint32_t count;
} levels;

static bool split(const char *topic, levels *found)
{
    uint32_t head = tn_length(tn_maker.topics), length = tn_length(topic);
    found->count = 0;
    if (length <= head + 1u || length - head > TN_TOPIC_ROOM || topic[head] != '/' ||
        tn_compare(topic, tn_maker.topics, head) != 0) {
        return false;
    }
    tn_copy(found->bytes, topic + head + 1u, length - head);
    found->level[found->count++] = found->bytes;
    for (uint32_t i = 0; found->bytes[i] != '\0'; i++) {
        if (found->bytes[i] == '/') {
            found->bytes[i] = '\0';
            if (found->count == LEVELS_MAX) {
                return false;
            }
            found->level[found->count++] = found->bytes + i + 1u;
        }
    }
    return true;
}

static bool same(const char *one, const char *other)
{
    uint32_t length = tn_length(one);
    return length == tn_length(other) && tn_compare(one, other, length) == 0;
}

static bool is_number(const char *text)
{
    uint32_t length = tn_length(text);
    for (uint32_t i = 0; i < length; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return length >= 1u && length <= 16u;
}

/* What a topic carries; `owner` is the level that must name this product or device, `ids` is the level that is checked. */
typedef enum { KIND_ROOT, KIND_PATCH, KIND_TIMESTAMP, KIND_CATALOGUE, KIND_NOTICE, KIND_TEXT, KIND_PAGES, KIND_OFFER,
               KIND_ANSWER, KIND_BLOCK, KIND_NONE } kind;

static const struct {
    const char *first;
    uint8_t count; /* levels */
    bool number, id; /* the last level is a number, an id */
} kinds[KIND_NONE] = {
    {"root", 2, true, false},     {"patch", 3, true, false}, {"timestamp", 2, false, false},
    {"catalogue", 2, false, false}, {"notice", 3, false, true}, {"text", 4, false, true},
    {"pages", 4, false, true},    {"offer", 3, false, false}, {"answer", 3, false, false},
    {"block", 3, false, false},
};

static kind kind_of(const levels *topic)
{
    bool device = same(topic->level[0], "device");
    const char *last = topic->level[topic->count - 1u];
    for (uint32_t i = 0; i < KIND_NONE; i++) {
        bool own = i >= (uint32_t)KIND_OFFER;
        if (own != device || topic->count != kinds[i].count || !same(own ? last : topic->level[0], kinds[i].first)) {
            continue;
        }
        bool addressed = i == (uint32_t)KIND_ROOT || same(topic->level[1], own ? tn_maker.id : tn_maker.product);
        if (addressed && (!kinds[i].number || is_number(last)) && (!kinds[i].id || tn_is_id(last))) {
            return (kind)i;
        }
    }
    return KIND_NONE;
}

static bool is_root_over(void)
{
    return tn_time() >= tn_trust_root()->expires;
}

static tn_reason take_root(tn_source data)
{
    uint64_t before = tn_trust_root()->version;
    tn_reason reason = tn_trust_update(data);
    if (reason == TN_OK && tn_trust_root()->version != before) {
        char words[5 + TN_NUMBER_ROOM] = "root ";
        (void)tn_number(words + 5, tn_trust_root()->version);
        tn_record(TN_TRACK_DEVICE, words, TN_OK, 0, 0, NULL);
        agent.probing = false;
        agent.settled = false;
    }
    return reason;
}

static tn_reason dispatch(kind what, const levels *topic, tn_source data)
{
    switch (what) {
    case KIND_ROOT:
        return take_root(data);
    case KIND_TIMESTAMP:
        return tn_timestamp_take(data);
    case KIND_CATALOGUE:
        return tn_catalogue_take(data);
    case KIND_NOTICE:
        return tn_notice_take(data, topic->level[2]);
    case KIND_TEXT:
        return tn_text_take(data, topic->level[2], topic->level[3]);
    case KIND_PAGES:
        return tn_pages_take(data, topic->level[2], topic->level[3]);
    case KIND_PATCH:
        return tn_patch_take(data);
    case KIND_OFFER:
        return tn_offer_take(data);
    default:
        return tn_answer_take(data);
    }
}

static bool is_curable(tn_reason reason)
{
    return reason == TN_UNKNOWN_KEY || reason == TN_THRESHOLD_NOT_MET || reason == TN_UNSUPPORTED ||
           reason == TN_NO_POLICY_ROW || reason == TN_ROOT_GAP || (reason == TN_EXPIRED && is_root_over());
}

static void turn_away(kind what, const levels *topic, tn_source data, tn_reason reason)
{
    uint8_t digest[TN_HASH];
    if (is_curable(reason) && !(agent.settled && tn_now.ms < agent.probed + PROBE_MS)) {
        agent.probing = true;
    }
    tn_sha256_of(data, digest);
    if (what == KIND_NOTICE) {
        tn_refuse(TN_TRACK_NOTICE, topic->level[2], reason, digest, TN_NOTICE_DELIVERED, TN_NOTICE_REJECTED);
    } else {
        tn_refuse(TN_TRACK_REFUSAL, kinds[what].first, reason, digest, 0, 0);
    }
}

static void receive(const char *topic, tn_source data)
{
    static levels found;
    kind what = split(topic, &found) ? kind_of(&found) : KIND_NONE;
    tn_reason reason;
    if (data.length == 0u) {
        return;
    }
    if (what == KIND_NONE) {
        tn_log(TN_WRONG_TYPE, "a message on a topic that is not for this device");
        return;
    }
    if (what == KIND_BLOCK) { /* anyone may send nonsense: it is logged and not journaled */
        reason = tn_block_take(data);
        if (reason != TN_OK) {
            tn_log(reason, "block");
        }
        return;
    }
    reason = data.length > TN_DOCUMENT_BYTES_MAX ? TN_TOO_BIG : dispatch(what, &found, data);
    if (reason != TN_OK) {
        turn_away(what, &found, data, reason);
    }
}

/* The next root, when there is a sign of one. */
static void look_for_root(void)
{
    char topic[TN_TOPIC_ROOM], number[TN_NUMBER_ROOM];
    uint64_t version = tn_trust_root()->version;
    (void)tn_topic(topic, "root", tn_number(number, version + 1u), NULL);
    if (tn_absent(topic)) {
        agent.probing = false;
        agent.settled = true;
        agent.probed = tn_now.ms;
    }
    if (agent.probing || is_root_over() || (tn_stored.has_timestamp && tn_stored.stamp_root > version)) {
        tn_missing(topic, true);
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
    tn_image image;
    static const char words[] = "image";
    uint8_t digest[TN_HASH];
    tn_reason reason = tn_image_read(tn_now.slot, 0, &image);
    tn_now.measured = reason == TN_OK;
    if (!tn_now.measured) {
        tn_sha256_of(tn_in_memory(words, sizeof(words) - 1u), digest);
        tn_refuse(TN_TRACK_REFUSAL, words, reason, digest, 0, 0);
        return;
    }
    tn_copy(tn_now.installed, image.version, sizeof(tn_now.installed));
    tn_copy(tn_now.image, image.digest, TN_HASH);
    tn_now.counter = image.counter;
}

static bool begin_life(void)
{
    tn_sha256 hash;
    if (tn_stored.root_length != 0u) {
        return true;
    }
    if (tn_trust_enrol(tn_in_flash(TN_AT_ROOTS, tn_maker.root_1_length), tn_maker.root_1) != TN_OK) {
        return false;
    }
    tn_sha256_begin(&hash);
    tn_sha256_add(&hash, tn_stored.fleet, TN_HASH);
    tn_sha256_add(&hash, tn_maker.id, tn_length(tn_maker.id));
    tn_sha256_end(&hash, tn_stored.journal_head);
    return true;
}

bool tn_agent_boot(void)
{
    tn_boot_record record;
    tn_boot_load(&record);
    tn_now.slot = tn_boot_select();
    tn_now.trial = record.has_trial && !record.tried && tn_now.slot == record.trial;
    if (!tn_maker.provisioned || !begin_life()) {
        return false;
    }
    tn_begin();
    tn_stored.boot_epoch++; /* before anything random is drawn */
    tn_touch();
    tn_save();
    tn_random(tn_now.boot, sizeof(tn_now.boot));
    tn_reporter_boot();
    tn_journal_boot();
    begin();
    tn_record(TN_TRACK_DEVICE, "boot", TN_OK, 0, tn_now.slot, NULL);
    measure();
    tn_notices_booted();
    if (!tn_patches_booted()) {
        tn_notices_installed();
    }
    go_on();
    return true;
}

tn_reason tn_agent_receive(const char *topic, tn_source data)
{
    begin();
    go_on(); /* what is overdue is refused now, not while this message is judged */
    begin();
    receive(topic, data);
    tn_reason verdict = tn_now.heard;
    go_on();
    tn_now.heard = verdict != TN_OK ? verdict : tn_now.heard;
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

void tn_agent_clock(uint64_t utc)
{
    int64_t ahead = (int64_t)(utc - port_time_utc());
    if (ahead > tn_now.clock_ahead) { /* pauses go on with it; back they do not go */
        tn_now.ms_ahead += (uint64_t)(ahead - tn_now.clock_ahead) * 1000u;
    }
    tn_now.clock_ahead = ahead;
    tn_agent_tick();
}
