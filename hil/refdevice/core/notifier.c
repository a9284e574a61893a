/* Tocsin's own group: messages in and out, what is shown, what is stored (docs/protocol/serial.md). */
#include "port.h"
#include "report.h"
#include "smp.h"

#define PROTOCOL 1u
/* What `info` says of the board. */
#ifndef TN_HARDWARE
#define TN_HARDWARE "refdevice"
#endif
#define LINE_BYTES 240u
#define LENGTH_BYTES 3u /* of the head of a byte string or array that fits an answer */

#define NAME(NAME, number) {number, #NAME},
static const struct {
    uint8_t number;
    const char *name;
} reasons[] = {TN_REASONS(NAME)};

static const char *name_of(uint32_t reason)
{
    for (uint32_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].number == reason) {
            return reasons[i].name;
        }
    }
    return "";
}

static void put_words(tn_writer *to, const char *key, const char *words)
{
    tn_put_text(to, key);
    tn_put_text(to, words);
}

static void put_number(tn_writer *to, const char *key, uint64_t number)
{
    tn_put_text(to, key);
    tn_put_uint(to, number);
}

static void put_bytes(tn_writer *to, const char *key, const uint8_t *bytes, uint32_t length)
{
    tn_put_text(to, key);
    tn_put_bytes(to, bytes, length);
}

/* -- who and what -- */

int tn_on_NOTIFIER_INFO(const tn_request *request, tn_writer *answer)
{
    char version[TN_VERSION_ROOM];
    uint32_t count = 0;
    const tn_topic *open = tn_out_topic();
    (void)request;
    tn_put_map(answer, 10);
    put_number(answer, "proto", PROTOCOL);
    put_words(answer, "id", tn_maker.id);
    put_words(answer, "class", tn_maker.product);
    put_words(answer, "hw", TN_HARDWARE);
    put_words(answer, "fw", tn_now.measured ? tn_version(version, tn_now.installed, '+') : "none");
    tn_put_text(answer, "algs");
    tn_put_array(answer, 1);
    tn_put_int(answer, TN_ALG_ED25519);
    put_number(answer, "max", TN_MESSAGE_BYTES_MAX);
    while (tn_command_name(count) != NULL) {
        count++;
    }
    tn_put_text(answer, "caps");
    tn_put_array(answer, count);
    for (uint32_t i = 0; i < count; i++) {
        tn_put_text(answer, tn_command_name(i));
    }
    tn_put_text(answer, "filters");
    tn_put_array(answer, TN_TOPIC_FILTERS + (tn_fetch_open() ? 1u : 0u));
    for (uint32_t kind = 0; kind < TN_TOPIC_FILTERS; kind++) {
        tn_put_topic(answer, kind, tn_maker.language, "+", true);
    }
    if (tn_fetch_open()) {
        tn_put_topic(answer, open->kind, open->language, open->name, true);
    }
    put_bytes(answer, "boot", tn_now.boot, sizeof(tn_now.boot));
    return TOCSIN_SMP_RC_OK;
}

int tn_on_NOTIFIER_CLOCK(const tn_request *request, tn_writer *answer)
{
    (void)request;
    tn_begin();
    tn_put_map(answer, 1);
    put_number(answer, "utc", tn_now.now);
    return TOCSIN_SMP_RC_OK;
}

static void put_floors(tn_writer *to)
{
    static const struct {
        const char *word;
        uint8_t type;
    } kinds[] = {{"catalogue", TN_FLOOR_CATALOGUE}, {"timestamp", TN_FLOOR_TIMESTAMP}, {"offer", TN_FLOOR_OFFER}};
    const tn_floor *floors[3];
    uint32_t count = 3;
    for (uint32_t i = 0; i < 3u; i++) {
        tn_floor_type type = (tn_floor_type)kinds[i].type;
        floors[i] = tn_trust_floor(type, type == TN_FLOOR_OFFER ? tn_maker.id : tn_maker.product);
        count += floors[i] != NULL ? 1u : 0u;
    }
    tn_put_text(to, "floors");
    tn_put_map(to, count);
    put_number(to, "counter", tn_stored.security_counter);
    put_number(to, "patch", tn_stored.patch_floor);
    put_number(to, "root", tn_trust_root()->version);
    for (uint32_t i = 0; i < 3u; i++) {
        if (floors[i] != NULL) {
            put_number(to, kinds[i].word, floors[i]->version);
        }
    }
}

/* What of the lists is left out where not all fits: so many of their first entries. */
typedef struct {
    uint32_t kids, patches, notices;
} cut;

static uint32_t put_lists(tn_writer *to, const cut *without)
{
    uint8_t kid[TN_HASH];
    uint32_t keys = tn_trust_root()->key_count, before = to->length, here = 0;
    tn_put_text(to, "kids");
    tn_put_array(to, keys > without->kids ? keys - without->kids : 0u);
    for (uint32_t i = without->kids; i < keys; i++) {
        tn_root_thumbprint(tn_trust_root(), i, kid);
        tn_put_bytes(to, kid, 8);
    }
    for (uint32_t i = 0; i < TN_PATCHES_MAX; i++) {
        here += tn_stored.patches[i].here ? 1u : 0u;
    }
    tn_put_text(to, "patches");
    tn_put_array(to, here > without->patches ? here - without->patches : 0u);
    for (uint32_t i = 0, left = without->patches; i < TN_PATCHES_MAX; i++) {
        const tn_patch_track *track = &tn_stored.patches[i];
        if (track->here && (left == 0u || left-- == 0u)) {
            tn_put_map(to, 4);
            put_bytes(to, "digest", track->digest, 8);
            put_number(to, "sequence", track->sequence);
            put_number(to, "state", track->state);
            put_number(to, "reason", track->reason);
        }
    }
    here = 0;
    for (uint32_t i = 0; i < TN_NOTICES_MAX; i++) {
        here += tn_stored.notices[i].id[0] != '\0' ? 1u : 0u;
    }
    tn_put_text(to, "notices");
    tn_put_array(to, here > without->notices ? here - without->notices : 0u);
    for (uint32_t i = 0, left = without->notices; i < TN_NOTICES_MAX; i++) {
        const tn_notice_track *track = &tn_stored.notices[i];
        if (track->id[0] != '\0' && (left == 0u || left-- == 0u)) {
            tn_put_map(to, 5);
            put_words(to, "id", track->id);
            put_number(to, "revision", track->revision);
            put_number(to, "state", track->state);
            put_number(to, "reason", track->reason);
            tn_put_text(to, "confirmed");
            tn_put_bool(to, track->confirmed != 0u);
        }
    }
    return to->length - before;
}

int tn_on_NOTIFIER_STATE(const tn_request *request, tn_writer *answer)
{
    char words[TN_VERSION_ROOM];
    tn_boot_record record = *tn_boot();
    tn_image image;
    cut without = {0, 0, 0};
    bool pending = record.has_trial && !record.tried;
    tn_put_map(answer, pending ? 14u : 13u);
    put_bytes(answer, "boot", tn_now.boot, sizeof(tn_now.boot));
    put_number(answer, "epoch", tn_stored.boot_epoch);
    put_words(answer, "cause", tn_now.slot == record.trial && record.has_trial ? "update"
                               : port_was_reset()                             ? "reset"
                                                                              : "power-on");
    put_number(answer, "slot", tn_now.slot);
    put_words(answer, "installed", tn_version(words, tn_now.installed, '+'));
    if (pending) {
        bool whole = tn_image_read(record.trial, 0, &image) == TN_OK;
        put_words(answer, "pending", whole ? tn_version(words, image.version, '+') : "none");
    }
    put_floors(answer);
    put_number(answer, "root", tn_trust_root()->version);
    put_number(answer, "journal", tn_stored.journal_count);
    put_bytes(answer, "head", tn_stored.journal_head, TN_HASH);
    put_number(answer, "writes", tn_store_writes());
    uint32_t keys = tn_trust_root()->key_count, room = request->room - answer->length;
    tn_writer counter = {NULL, 0, 0};
    while (put_lists(&counter, &without) > room && without.notices < TN_NOTICES_MAX) {
        without.notices += without.kids == keys && without.patches == TN_PATCHES_MAX ? 1u : 0u;
        without.patches += without.kids == keys && without.patches < TN_PATCHES_MAX ? 1u : 0u;
        without.kids += without.kids < keys ? 1u : 0u;
    }
    (void)put_lists(answer, &without);
    return TOCSIN_SMP_RC_OK;
}

/* -- messages in and out -- */

static int say_verdict(tn_writer *answer, uint32_t reason, const char *words)
{
    tn_put_map(answer, words[0] != '\0' ? 3u : 2u);
    put_number(answer, "verdict", reason);
    put_words(answer, "name", name_of(reason));
    if (words[0] != '\0') {
        put_words(answer, "text", words);
    }
    return TOCSIN_SMP_RC_OK;
}

int tn_on_NOTIFIER_SUBMIT(const tn_request *request, tn_writer *answer)
{
    uint32_t verdict;
    if (tn_was_done(request, &verdict)) {
        return say_verdict(answer, verdict, "");
    }
    tn_source data = tn_staged(tn_field_bytes(request, "sha"));
    if (data.length == 0u) {
        return TOCSIN_SMP_RC_ENOENT;
    }
    verdict = (uint32_t)tn_agent_receive(tn_field_bytes(request, "topic"), data);
    tn_done(request, verdict);
    return say_verdict(answer, verdict, verdict != TN_OK ? tn_now.words : "");
}

int tn_on_NOTIFIER_REPORT(const tn_request *request, tn_writer *answer)
{
    uint64_t off = tn_field_uint(request, "off", 0), ack = tn_field_uint(request, "ack", 0);
    uint8_t piece[64];
    tn_out_acknowledge(ack < UINT32_MAX ? (uint32_t)ack : UINT32_MAX);
    const tn_out *head = tn_out_head();
    if (head == NULL) {
        tn_put_map(answer, 0);
        return TOCSIN_SMP_RC_OK;
    }
    if (off > head->data.length) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    tn_put_map(answer, 6);
    put_number(answer, "number", head->number);
    put_number(answer, "kind", head->kind);
    tn_put_text(answer, "topic");
    tn_put_topic(answer, head->topic, tn_out_topic()->language, tn_out_topic()->name, true);
    put_number(answer, "len", head->data.length);
    put_number(answer, "off", off);
    tn_put_text(answer, "data");
    uint32_t left = head->data.length - (uint32_t)off;
    uint32_t room = request->room > answer->length + LENGTH_BYTES ? request->room - answer->length - LENGTH_BYTES : 0u;
    left = left < room ? left : room;
    tn_put_bytes_head(answer, left);
    for (uint32_t done = 0; done < left; done += (uint32_t)sizeof(piece)) {
        uint32_t count = left - done < sizeof(piece) ? left - done : (uint32_t)sizeof(piece);
        tn_read(head->data, (uint32_t)off + done, piece, count);
        tn_put_raw(answer, piece, count);
    }
    return TOCSIN_SMP_RC_OK;
}

int tn_on_NOTIFIER_CARRIER(const tn_request *request, tn_writer *answer)
{
    tn_cbor value;
    uint32_t verdict;
    bool up = false;
    if (!tn_was_done(request, &verdict)) {
        (void)tn_field(request, "up", &value);
        (void)tn_cbor_bool(&value, &up);
        tn_agent_connected(up);
        tn_done(request, 0);
    }
    tn_put_map(answer, 0);
    return TOCSIN_SMP_RC_OK;
}

/* -- what the owner sees -- */

int tn_on_NOTIFIER_NOTICE(const tn_request *request, tn_writer *answer)
{
    char line[LINE_BYTES], version[TN_VERSION_ROOM];
    const tn_shown *shown = tn_screen_shown();
    const tn_patch_track *asking = tn_patches_asking();
    uint32_t count = shown != NULL ? shown->count : 0u, fits = 0, used;
    uint64_t off = tn_field_uint(request, "off", 0);
    if (off > count) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    tn_put_map(answer, 3u + (shown != NULL ? 5u : 0u) + (asking != NULL ? 1u : 0u));
    put_number(answer, "count", count);
    put_number(answer, "off", off);
    if (shown != NULL) {
        put_words(answer, "id", shown->track->id);
        put_number(answer, "revision", shown->track->revision);
        put_words(answer, "severity", shown->severity);
        put_words(answer, "language", shown->track->language);
        tn_put_text(answer, "confirmed");
        tn_put_bool(answer, shown->confirmed);
    }
    if (asking != NULL) {
        put_words(answer, "asks", asking->has_version ? tn_version(version, asking->version, '+') : "");
    }
    tn_put_text(answer, "lines");
    used = answer->length + LENGTH_BYTES;
    for (uint32_t i = (uint32_t)off; i < count; i++, fits++) {
        used += tn_screen_line(i, line, sizeof(line)) + LENGTH_BYTES;
        if (used > request->room) {
            break;
        }
    }
    tn_put_array(answer, fits);
    for (uint32_t i = (uint32_t)off; i < off + fits; i++) {
        tn_put_text_of(answer, line, tn_screen_line(i, line, sizeof(line)));
    }
    return TOCSIN_SMP_RC_OK;
}
