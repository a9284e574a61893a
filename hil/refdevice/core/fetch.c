/* Gets what is missing: one more subscription at a time, and a want for what never came (device_sim.core.fetch).
 *
 * Rooms say in every step what they miss. A topic is known again by its CRC: should two be alike in it, one of them is
 * asked for a little later. */
#include <stdarg.h>

#include "rooms.h"

#define SEARCHES 6u
#define RETRY_MS_MIN 10000u
#define RETRY_MS_MAX 300000u
#define GRACE_MS 2000u
#define FETCH_MS 3000u
#define WANT_BYTES 320u /* of topics in one want; what finds no room is asked for later */

typedef struct {
    uint32_t topic; /* its CRC-32; 0: free */
    uint32_t pause;
    uint64_t due;
    bool missed; /* in this step */
} search;

static struct {
    search searches[SEARCHES];
    uint32_t open, absent; /* CRC-32 of the topic that is subscribed to; of the one on which nothing came; 0: none */
    bool open_missed;
    uint64_t until;
    char topic[TN_TOPIC_ROOM]; /* the open one */
} fetch;

/* Topics for the next want, as CBOR texts. */
static struct {
    uint8_t bytes[WANT_BYTES];
    uint32_t length, count;
} want;

static uint32_t mark_of(const char *topic)
{
    uint32_t mark = tn_crc32(0, topic, tn_length(topic));
    return mark != 0u ? mark : 1u;
}

char *tn_topic(char to[TN_TOPIC_ROOM], const char *first, ...)
{
    uint32_t at = 0;
    va_list more;
    va_start(more, first);
    for (const char *level = first; level != NULL; level = va_arg(more, const char *)) {
        if (at > 0u && at < TN_TOPIC_ROOM - 1u) {
            to[at++] = '/';
        }
        for (uint32_t i = 0; level[i] != '\0' && at < TN_TOPIC_ROOM - 1u; i++) {
            to[at++] = level[i];
        }
    }
    va_end(more);
    to[at] = '\0';
    return to;
}

/* Return the search for a topic, a new one where there is room; NULL: there is none. */
static search *find(uint32_t topic, bool make, uint64_t due)
{
    search *free_one = NULL;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        if (fetch.searches[i].topic == topic) {
            return &fetch.searches[i];
        }
        if (fetch.searches[i].topic == 0u) {
            free_one = &fetch.searches[i];
        }
    }
    if (make && free_one != NULL) {
        *free_one = (search){topic, RETRY_MS_MIN, due, false};
        return free_one;
    }
    return NULL;
}

static void put_off(search *what)
{
    what->due = tn_now.ms + what->pause;
    what->pause = what->pause * 2u < RETRY_MS_MAX ? what->pause * 2u : RETRY_MS_MAX;
}

static void ask_for(const char *topic)
{
    tn_writer to = {want.bytes, sizeof(want.bytes), want.length};
    if (want.count >= TN_WIRE_WANT_TOPICS_MAX) {
        return;
    }
    tn_put_text(&to, topic);
    if (to.length <= to.room) {
        want.length = to.length;
        want.count++;
    }
}

static void close_open(void)
{
    (void)tn_out_topic(TN_UNSUBSCRIBE, fetch.topic);
    fetch.open = 0;
}

void tn_fetch_begin(void)
{
    fetch.absent = 0;
    fetch.open_missed = false;
    want.length = 0;
    want.count = 0;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        fetch.searches[i].missed = false;
    }
    if (fetch.open != 0u && tn_now.ms >= fetch.until && !tn_out_full()) {
        search *what = find(fetch.open, false, 0);
        fetch.absent = fetch.open;
        close_open();
        if (what != NULL) {
            put_off(what);
        }
    }
}

bool tn_absent(const char *topic)
{
    return fetch.absent != 0u && fetch.absent == mark_of(topic);
}

void tn_missing(const char *topic, bool subscribe)
{
    uint32_t mark = mark_of(topic);
    search *what;
    if (!tn_now.connected) {
        return;
    }
    what = find(mark, true, tn_now.ms + (subscribe ? 0u : GRACE_MS));
    if (what == NULL || what->missed) {
        return;
    }
    what->missed = true;
    if (fetch.absent == mark) {
        ask_for(topic);
        return;
    }
    if (what->due > tn_now.ms) {
        fetch.open_missed = fetch.open_missed || fetch.open == mark;
        return;
    }
    if (!subscribe) {
        ask_for(topic);
        put_off(what);
    } else if (fetch.open == mark) {
        fetch.open_missed = true;
    } else if (fetch.open == 0u && tn_out_topic(TN_SUBSCRIBE, topic)) {
        fetch.open = mark;
        fetch.open_missed = true;
        fetch.until = tn_now.ms + FETCH_MS;
        tn_copy(fetch.topic, topic, tn_length(topic) + 1u);
    }
}

static void send_want(void)
{
    uint8_t head[32], nonce[16];
    tn_writer to = {head, sizeof(head), 0};
    tn_want_nonce(nonce);
    tn_put_map(&to, 2);
    tn_put_uint(&to, 1);
    tn_put_bytes(&to, nonce, sizeof(nonce));
    tn_put_uint(&to, 2);
    tn_put_array(&to, want.count);
    tn_save();
    tn_out_begin(TN_LEAF_WANT);
    tn_out_add(head, to.length);
    tn_out_add(want.bytes, want.length);
    tn_out_publish();
}

void tn_fetch_step(void)
{
    if (!tn_now.connected) {
        return;
    }
    for (uint32_t i = 0; i < SEARCHES; i++) {
        if (fetch.searches[i].topic != 0u && !fetch.searches[i].missed) {
            fetch.searches[i].topic = 0;
        }
    }
    if (fetch.open != 0u && !fetch.open_missed && !tn_out_full()) {
        close_open(); /* it came, or nobody needs it any more */
    }
    if (want.count > 0u) {
        send_want();
    }
}

void tn_fetch_disconnected(void)
{
    fetch.open = 0;
    for (uint32_t i = 0; i < SEARCHES; i++) {
        fetch.searches[i].topic = 0;
    }
}

const char *tn_fetch_open(void)
{
    return fetch.open != 0u ? fetch.topic : NULL;
}
