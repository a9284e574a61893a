/* Gets what is missing: one more subscription at a time, and a want for what never came (device_sim.core.fetch).
 *
 * Rooms say in every step what they miss. A topic is known again by its CRC: should two be alike in it, one of them is
 * asked for a little later. */
#include "rooms.h"

#define SEARCHES 6u
#define RETRY_MS_MIN 10000u
#define RETRY_MS_MAX 300000u
#define GRACE_MS 2000u
#define FETCH_MS 3000u
#define HEAD_BYTES 21u /* of a want, before its topics */
typedef char want_fits[SEARCHES < 24u && SEARCHES <= TN_WIRE_WANT_TOPICS_MAX && HEAD_BYTES <= TN_OUT_HEAD_BYTES ? 1
                                                                                                                 : -1];

typedef struct {
    uint32_t topic; /* its CRC-32; 0: free */
    tn_pause pause;
    bool missed; /* in this step */
} search;

static struct {
    search searches[SEARCHES];
    uint32_t open, absent; /* CRC-32 of tn_out_topic(), while it is subscribed to; when nothing came on it; else 0 */
    tn_pause opened;
    uint32_t asked; /* topics that stand in the want of this step */
    const uint8_t *blocks; /* digest of the payload of which it wants blocks; NULL: none */
    uint32_t from, count;
} fetch;

static uint32_t mark_of(uint32_t kind, const char *language, const char *name)
{
    return tn_crc32(tn_crc32(kind, language, tn_length(language)), name, tn_length(name)) | 1u;
}

/* Return the search for a topic; 0: a free one. NULL: there is none. */
static search *find(uint32_t topic)
{
    for (uint32_t i = 0; i < SEARCHES; i++) {
        if (fetch.searches[i].topic == topic) {
            return &fetch.searches[i];
        }
    }
    return NULL;
}

static void put_off(search *what)
{
    tn_pause_begin(&what->pause, tn_longer(what->pause.ms, RETRY_MS_MIN, RETRY_MS_MAX));
}

static void close_open(void)
{
    tn_out_unsubscribe();
    fetch.open = 0;
}

void tn_fetch_begin(void)
{
    fetch.absent = 0;
    fetch.asked = 0;
    fetch.blocks = NULL;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        fetch.searches[i].missed = false;
    }
    if (fetch.open != 0u && tn_pause_over(&fetch.opened)) {
        fetch.absent = fetch.open;
        put_off(find(fetch.open)); /* it is there: what nobody searched for any more was closed */
        close_open();
    }
}

bool tn_absent(uint32_t kind, const char *name)
{
    return fetch.absent != 0u && tn_out_topic()->kind == kind && tn_is_same(tn_out_topic()->name, name);
}

/* The want's topics go straight to where it lies; its head is known once all are there. */
static void ask_for(uint32_t kind, const char *language, const char *name)
{
    if (fetch.asked == 0u) {
        tn_out_begin(TN_LEAF_WANT);
    }
    fetch.asked++;
    tn_write_to(NULL, 0);
    tn_put_topic(kind, language, name, false);
}

void tn_missing(uint32_t kind, const char *language, const char *name)
{
    uint32_t mark = mark_of(kind, language, name);
    bool listens = kind <= TN_TOPIC_NOTICE || (kind == TN_TOPIC_TEXT && tn_is_same(language, tn_maker.language));
    search *what = find(mark);
    if (what == NULL) {
        what = find(0);
        if (!tn_now.connected || what == NULL) {
            return;
        }
        *what = (search){mark, {0, 0}, false};
        tn_pause_begin(&what->pause, listens ? GRACE_MS : 0u);
    }
    if (what->missed) {
        return;
    }
    what->missed = true;
    if (fetch.absent == mark) {
        ask_for(kind, language, name);
    } else if (tn_pause_over(&what->pause)) {
        if (listens) {
            ask_for(kind, language, name);
            put_off(what);
        } else if (fetch.open == 0u && tn_out_subscribe(kind, language, name)) {
            fetch.open = mark;
            tn_pause_begin(&fetch.opened, FETCH_MS);
        }
    }
}

void tn_want_blocks(const uint8_t *digest, uint32_t from, uint32_t count)
{
    fetch.blocks = digest;
    fetch.from = from;
    fetch.count = count;
}

static void send_want(void)
{
    uint8_t head[HEAD_BYTES] = {0xA2, 1, 0x50}; /* a map: 1, a nonce of 16 bytes */
    tn_save();
    if (fetch.asked == 0u) {
        tn_out_begin(TN_LEAF_WANT);
    }
    if (fetch.blocks != NULL) {
        head[0]++;
        tn_write_to(NULL, 0);
        tn_put_uint(3);
        tn_put_array(3);
        tn_put_bytes(fetch.blocks, TN_HASH);
        tn_put_uint(fetch.from);
        tn_put_uint(fetch.count);
    }
    tn_nonce(TN_LEAF_WANT, head + 3);
    head[HEAD_BYTES - 2u] = 2;
    head[HEAD_BYTES - 1u] = (uint8_t)(TN_CBOR_ARRAY << 5 | fetch.asked);
    tn_out_publish(head, HEAD_BYTES);
}

void tn_fetch_step(void)
{
    for (uint32_t i = 0; i < SEARCHES; i++) {
        if (!fetch.searches[i].missed) {
            fetch.searches[i].topic = 0;
        }
    }
    if (fetch.open != 0u && find(fetch.open) == NULL) {
        close_open(); /* it came, or nobody needs it any more */
    }
    if (fetch.asked > 0u || fetch.blocks != NULL) {
        send_want();
    }
}

void tn_fetch_disconnected(void)
{
    tn_fill(&fetch, 0, sizeof(fetch));
}

bool tn_fetch_open(void)
{
    return fetch.open != 0u;
}
