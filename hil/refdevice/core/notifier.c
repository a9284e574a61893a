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
#define LENGTH_BYTES 3u /* of the head of a byte string that fits an answer */

/* A row of what is given with a table. */
#define GIVEN(name, way, value) TN_ROW(TN_NAME_##name, way, TN_OF_ARGUMENT, value)

/* -- who and what -- */

typedef struct {
    const char *hardware, *firmware;
} described;

static const tn_row rows_of_info[] = {
    TN_ROW_NUMBER_IS(TN_NAME_proto, PROTOCOL),
    TN_ROW(TN_NAME_id, TN_ALWAYS, TN_OF_MAKER, TN_ROW_AS(TN_ROW_TEXT, tn_factory, id)),
    TN_ROW(TN_NAME_class, TN_ALWAYS, TN_OF_MAKER, TN_ROW_AS(TN_ROW_TEXT, tn_factory, product)),
    GIVEN(hw, TN_POINTED, TN_ROW_AS(TN_ROW_TEXT, described, hardware)),
    GIVEN(fw, TN_POINTED, TN_ROW_AS(TN_ROW_TEXT, described, firmware)),
    TN_ROW_NUMBER_IS(TN_NAME_max, TN_MESSAGE_BYTES_MAX),
    TN_ROW(TN_NAME_boot, TN_ALWAYS, TN_OF_NOW, TN_ROW_BYTES(tn_session, boot)),
    TN_ROW_BYTE_IS(TN_NAME_algs, TN_CBOR_ARRAY << 5 | 1u),
    TN_ROW_BYTE_IS(0, TN_CBOR_NINT << 5 | (-1 - TN_ALG_ED25519)),
    TN_ROW_STOP_AT(TN_NAME_caps),
    TN_ROW_STOP_AT(TN_NAME_filters),
};

int tn_on_info(tn_request *request)
{
#define TEXT(NAME, handler) TOCSIN_SMP_##NAME##_TEXT
    static const char caps[] = "\x9F" TN_HANDLES_NOTIFIER(TEXT) "\xFF";
    char version[TN_VERSION_ROOM];
    described board = {TN_HARDWARE, tn_now.measured ? tn_version(version, tn_now.image.version, '+') : "none"};
    const tn_topic *open = tn_out_topic();
    (void)request;
    const tn_row *row = tn_put_rows(rows_of_info, &board);
    tn_put_raw(caps, sizeof(caps) - 1u);
    (void)tn_put_rows(row, &board);
    tn_put_byte(TN_CBOR_OPEN_ARRAY);
    for (uint32_t kind = 0; kind < TN_TOPIC_FILTERS; kind++) {
        tn_put_topic(kind, tn_maker.language, "+", true);
    }
    if (tn_fetch_open()) {
        tn_put_topic(open->kind, open->language, open->name, true);
    }
    tn_put_byte(TN_CBOR_CLOSE);
    return TOCSIN_SMP_RC_OK;
}

int tn_on_clock(tn_request *request)
{
    (void)request;
    tn_begin();
    tn_put_name(TN_NAME_utc);
    tn_put_uint(tn_now.now);
    return TOCSIN_SMP_RC_OK;
}

/* -- what is stored -- */

#define KID_BYTES 8u /* of a key's thumbprint */

/* The lists, without so many of their first entries. */
static void put_lists(uint32_t without)
{
    const tn_root *root = tn_trust_root();
    tn_put_name(TN_NAME_kids);
    tn_put_byte(TN_CBOR_OPEN_ARRAY);
    for (uint32_t i = 0; i < root->key_count; i++) {
        uint8_t kid[TN_HASH];
        if (without > 0u) {
            without--;
        } else {
            tn_root_thumbprint(root, i, kid);
            tn_put_bytes(kid, KID_BYTES);
        }
    }
    for (const tn_tracks *all = tn_all_tracks; all < tn_all_tracks + TN_KINDS_OF_TRACKS; all++) {
        const uint8_t *track = all->first;
        tn_put_byte(TN_CBOR_CLOSE);
        tn_put_name(all->name);
        tn_put_byte(TN_CBOR_OPEN_ARRAY);
        for (uint32_t i = 0; i < all->most; i++, track += all->bytes) {
            if (track[all->here] == 0u) {
                continue;
            }
            if (without > 0u) {
                without--;
            } else {
                (void)tn_put_rows(all->brief, track);
            }
        }
    }
    tn_put_byte(TN_CBOR_CLOSE);
}

typedef struct {
    const char *cause, *pending;
    const uint64_t *root, *catalogue, *timestamp, *offer;
    uint32_t writes;
} standing;

static const tn_row rows_of_state[] = {
    TN_ROW(TN_NAME_boot, TN_ALWAYS, TN_OF_NOW, TN_ROW_BYTES(tn_session, boot)),
    TN_ROW(TN_NAME_epoch, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, boot_epoch)),
    GIVEN(cause, TN_POINTED, TN_ROW_AS(TN_ROW_TEXT, standing, cause)),
    TN_ROW(TN_NAME_slot, TN_ALWAYS, TN_OF_NOW, TN_ROW_NUMBER(tn_session, slot)),
    TN_ROW(TN_NAME_installed, TN_ALWAYS, TN_OF_NOW, TN_ROW_AS(TN_ROW_VERSION, tn_session, image.version)),
    GIVEN(pending, TN_POINTED, TN_ROW_AS(TN_ROW_TEXT, standing, pending)),
    GIVEN(root, TN_POINTED, TN_ROW_AS(TN_ROW_U64, standing, root)),
    TN_ROW(TN_NAME_journal, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, journal_count)),
    TN_ROW(TN_NAME_head, TN_ALWAYS, TN_OF_STORED, TN_ROW_BYTES(tn_state, journal_head)),
    GIVEN(writes, TN_ALWAYS, TN_ROW_NUMBER(standing, writes)),
    TN_ROW_BYTE_IS(TN_NAME_floors, TN_CBOR_OPEN_MAP),
    TN_ROW(TN_NAME_counter, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, security_counter)),
    TN_ROW(TN_NAME_patch, TN_ALWAYS, TN_OF_STORED, TN_ROW_NUMBER(tn_state, patch_floor)),
    GIVEN(root, TN_POINTED, TN_ROW_AS(TN_ROW_U64, standing, root)),
    GIVEN(catalogue, TN_POINTED, TN_ROW_AS(TN_ROW_U64, standing, catalogue)),
    GIVEN(timestamp, TN_POINTED, TN_ROW_AS(TN_ROW_U64, standing, timestamp)),
    GIVEN(offer, TN_POINTED, TN_ROW_AS(TN_ROW_U64, standing, offer)),
    TN_ROW_BYTE_IS(0, TN_CBOR_CLOSE),
    TN_ROW_END,
};

static const uint64_t *floor_of(tn_floor_type type, const char *name)
{
    const tn_floor *floor = tn_trust_floor(type, name);
    return floor != NULL ? &floor->version : NULL;
}

int tn_on_state(tn_request *request)
{
    char words[TN_VERSION_ROOM];
    const tn_boot_record *record = tn_boot();
    tn_image image;
    standing now;
    (void)request;
    now.cause = port_was_reset() ? "reset" : "power-on";
    now.pending = NULL;
    if (record->has_trial && tn_now.slot == record->trial) {
        now.cause = "update";
    }
    if (record->has_trial && !record->tried) {
        now.pending = tn_image_read(record->trial, 0, &image) == TN_OK ? tn_version(words, image.version, '+') : "none";
    }
    now.root = &tn_trust_root()->version;
    now.catalogue = floor_of(TN_FLOOR_CATALOGUE, tn_maker.product);
    now.timestamp = floor_of(TN_FLOOR_TIMESTAMP, tn_maker.product);
    now.offer = floor_of(TN_FLOOR_OFFER, tn_maker.id);
    now.writes = tn_store_writes();
    (void)tn_put_rows(rows_of_state, &now);
    uint32_t before = tn_written.length, without = 0;
    do {
        tn_written.length = before;
        put_lists(without);
        without++;
    } while (tn_written.length > tn_written.room && without <= TN_KEYS_MAX + TN_PATCHES_MAX + TN_NOTICES_MAX);
    return TOCSIN_SMP_RC_OK;
}

/* -- messages in and out -- */

int tn_on_submit(tn_request *request)
{
    if (!request->again) {
        tn_source data = tn_staged(request->fields[TOCSIN_SMP_NOTIFIER_SUBMIT_AT_SHA]);
        if (data.length == 0u) {
            return TOCSIN_SMP_RC_ENOENT;
        }
        request->verdict =
            (uint32_t)tn_agent_receive(tn_string(request->fields[TOCSIN_SMP_NOTIFIER_SUBMIT_AT_TOPIC]), data);
        tn_answer();
    }
    tn_put_named(TN_NAME_verdict, request->verdict);
    if (!request->again && request->verdict != TN_OK) {
        tn_put_name(TN_NAME_text);
        tn_put_text(tn_now.words);
    }
    return TOCSIN_SMP_RC_OK;
}

int tn_on_report(tn_request *request)
{
    static const tn_row rows_of_out[] = {
        GIVEN(number, TN_ALWAYS, TN_ROW_NUMBER(tn_out, number)),
        GIVEN(kind, TN_ALWAYS, TN_ROW_NUMBER(tn_out, kind)),
        GIVEN(len, TN_ALWAYS, TN_ROW_NUMBER(tn_out, data.length)),
        TN_ROW_STOP_AT(TN_NAME_topic),
    };
    uint32_t off = tn_number_of(request->fields[TOCSIN_SMP_NOTIFIER_REPORT_AT_OFF]);
    tn_out_acknowledge(tn_number_of(request->fields[TOCSIN_SMP_NOTIFIER_REPORT_AT_ACK]));
    const tn_out *head = tn_out_head();
    if (head == NULL) {
        return TOCSIN_SMP_RC_OK;
    }
    if (off > head->data.length) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    tn_put_named(TN_NAME_off, off);
    (void)tn_put_rows(rows_of_out, head);
    tn_put_topic(head->topic, tn_out_topic()->language, tn_out_topic()->name, true);
    tn_put_name(TN_NAME_data);
    uint32_t left = head->data.length - off;
    uint32_t room = tn_written.room - tn_written.length - LENGTH_BYTES; /* the longest topic leaves much of it */
    tn_put_bytes(left > 0u ? head->data.bytes + off : NULL, left < room ? left : room); /* a subscription has none */
    return TOCSIN_SMP_RC_OK;
}

int tn_on_carrier(tn_request *request)
{
    if (!request->again) {
        tn_agent_connected(tn_is_true(request->fields[TOCSIN_SMP_NOTIFIER_CARRIER_AT_UP]));
        tn_answer();
    }
    return TOCSIN_SMP_RC_OK;
}

/* -- what the owner sees -- */

static const tn_row rows_of_shown[] = {
    GIVEN(severity, TN_POINTED, TN_ROW_AS(TN_ROW_TEXT, tn_shown, severity)),
    GIVEN(confirmed, TN_ALWAYS, TN_ROW_AS(TN_ROW_FLAG, tn_shown, confirmed)),
    TN_ROW_END,
};

static const tn_row rows_of_its_track[] = {
    GIVEN(id, TN_ALWAYS, TN_ROW_AS(TN_ROW_TEXT, tn_notice_track, id)),
    GIVEN(revision, TN_ALWAYS, TN_ROW_NUMBER(tn_notice_track, revision)),
    GIVEN(language, TN_ALWAYS, TN_ROW_AS(TN_ROW_TEXT, tn_notice_track, language)),
    TN_ROW_END,
};

int tn_on_notice(tn_request *request)
{
    char words[LINE_BYTES];
    const tn_shown *shown = tn_screen_shown();
    const tn_patch_track *asking = tn_patches_asking();
    uint32_t count = shown != NULL ? shown->count : 0u;
    uint32_t off = tn_number_of(request->fields[TOCSIN_SMP_NOTIFIER_NOTICE_AT_OFF]);
    if (off > count) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    tn_put_named(TN_NAME_count, count);
    tn_put_named(TN_NAME_off, off);
    if (shown != NULL) {
        (void)tn_put_rows(rows_of_shown, shown);
        (void)tn_put_rows(rows_of_its_track, shown->track);
    }
    if (asking != NULL) {
        tn_put_name(TN_NAME_asks);
        tn_put_text(asking->has_version ? tn_version(words, asking->version, '+') : "");
    }
    tn_put_name(TN_NAME_lines);
    tn_put_byte(TN_CBOR_OPEN_ARRAY);
    for (; off < count; off++) {
        uint32_t before = tn_written.length;
        tn_put_text_of(words, tn_screen_line(off, words, sizeof(words)));
        if (tn_written.length >= tn_written.room) {
            tn_written.length = before; /* it did not fit */
            break;
        }
    }
    tn_put_byte(TN_CBOR_CLOSE);
    return TOCSIN_SMP_RC_OK;
}
