/* The rooms of the device's core, and what they share. One call at a time; every call is one step that ends with
 * tn_save(). The Python core (device_sim/core) decides the same: room by room, in the same order, with the same
 * reasons. */
#ifndef TN_ROOMS_H
#define TN_ROOMS_H

#include "state.h"
#include "tocsin_limits.h"

#define TN_NONCE 16u

/* MCUboot images (advisories.mcuboot): header, protected and plain TLVs, SHA-256. */
typedef struct {
    tn_version_part version[4];
    uint32_t counter;
    uint8_t digest[TN_HASH]; /* over the whole file */
    uint8_t hash[TN_HASH];   /* MCUboot's own: what `img state` names it by */
    uint32_t length;         /* of the whole file */
} tn_image;

/* -- session.c: what all rooms share -- */

typedef struct {
    bool connected, news, rebooting, measured, trial;
    uint8_t slot;             /* that booted */
    tn_image image;           /* that booted, measured; zeros before */
    uint64_t now;             /* UTC seconds by the board's clock and what a test added */
    uint32_t ms;              /* milliseconds for pauses: they only rise, also where the clock goes back */
#ifdef TN_TEST_BUILD
    int64_t clock_ahead;      /* what a test has set the clock on by; and how far forward in all, in milliseconds */
    uint32_t ms_ahead;
#endif
    tn_reason heard;          /* the first refusal of this step, for the verdict of `submit` */
    uint8_t boot[8];          /* random, another one at every boot */
    bool special;             /* of the track that is written into a report (report.c) */
    char words[TN_LOG_ROOM];  /* a few words on what was heard */
} tn_session;

extern tn_session tn_now;

typedef enum { TN_TRACK_NOTICE, TN_TRACK_PATCH, TN_TRACK_REFUSAL, TN_TRACK_DEVICE } tn_track;

/* What always holds: a test build stops where it does not, and a release does not ask. */
static inline void tn_must(bool holds)
{
#ifdef TN_TEST_BUILD
    if (!holds) {
        __builtin_trap();
    }
#else
    (void)holds;
#endif
}

void tn_begin(void);                 /* start a step: take the time */
uint64_t tn_time(void);              /* session.time of the Python core */
uint64_t tn_warning_time(void);      /* session.warning_time */
bool tn_is_past(uint64_t utc);       /* whether it is that time, or later */
/* Random bytes, at most 32, and the number of this draw; the bytes of a draw of this boot once more. */
uint32_t tn_random(void *bytes, uint32_t count);
void tn_draw(uint32_t number, void *bytes, uint32_t count);
void tn_log(tn_reason reason, const char *words); /* a line on the console, and `heard`; fewer than TN_LOG_ROOM */
/* session.refuse: what was refused is journaled, each once a boot; of a notice its advisory, else `notice` is NULL. */
void tn_refuse(const char *notice, const char *what, tn_reason reason, const uint8_t digest[TN_HASH]);

/* A pause in milliseconds. What it began long ago is over, but for an instant every 49 days. */
typedef struct {
    uint32_t since, ms;
} tn_pause;

void tn_pause_begin(tn_pause *pause, uint32_t ms);
bool tn_pause_over(const tn_pause *pause);
uint32_t tn_longer(uint32_t ms, uint32_t least, uint32_t most); /* twice as long, within bounds */

/* -- journal.c: entries in their own pages of flash -- */

void tn_journal_begin(void); /* the first head, of a device that is new */
void tn_journal_boot(void);  /* find what is kept; what the state does not count was never written */
/* session.record: one entry; `digest` may be NULL. It is in flash before the state that counts it. */
#define TN_SAYS(track, from, to, reason) \
    ((uint32_t)(track) << 24 | (uint32_t)(from) << 16 | (uint32_t)(to) << 8 | (uint32_t)(reason))
void tn_record(uint32_t says, const char *name, const uint8_t *digest);
tn_source tn_journal_read(uint32_t index); /* an entry as it is hashed and reported; empty: it is not kept */

/* -- agent.c: sorts messages, walks roots, lets time pass for everybody -- */

/* once after tn_store_load(): epoch, slot, measurement, rooms; false: it was never provisioned, or its root is no
 * root */
bool tn_agent_boot(void);
tn_reason tn_agent_receive(tn_source topic, tn_source data); /* the verdict; what was held or not needed is TN_OK */
void tn_agent_connected(bool up);
void tn_agent_acknowledge(void);
tn_reason tn_agent_consent(const char *answer);       /* begins with 'y', 'l' or 'n'; BUSY: nothing is asked */
void tn_agent_tick(void);                             /* let time pass */
#ifdef TN_TEST_BUILD
void tn_agent_clock(uint64_t utc);                    /* a test sets the time */
#endif

/* -- topics.c: what is told on which topic -- */

typedef enum {
    TN_TOPIC_TIMESTAMP, TN_TOPIC_CATALOGUE, TN_TOPIC_NOTICE, TN_TOPIC_TEXT, TN_TOPIC_OFFER, TN_TOPIC_ANSWER,
    TN_TOPIC_BLOCK,
    TN_TOPIC_FILTERS, /* so many are listened to all the time; what follows is subscribed to while it is fetched */
    TN_TOPIC_ROOT = TN_TOPIC_FILTERS, TN_TOPIC_PATCH, TN_TOPIC_PAGES,
    TN_TOPIC_TAKEN, /* what follows is said */
    TN_TOPIC_REPORT = TN_TOPIC_TAKEN, TN_TOPIC_WANT,
    TN_TOPICS
} tn_topic_kind;

typedef struct {
    uint8_t kind;
    char language[TN_LANGUAGE_BYTES_MAX + 1]; /* of a text or its pages */
    char name[TN_NAME_BYTES_MAX + 1];         /* an advisory, or the number of a root or patch */
} tn_topic;

/* What has come. */
typedef struct {
    tn_topic topic;
    tn_source data;
} tn_arrival;

const char *tn_topic_word(uint32_t kind);
/* Write a topic as a text, with the prefix or (`whole` false) below it. A language or name that it has not may be
 * anything. */
void tn_put_topic(uint32_t kind, const char *language, const char *name, bool whole);
bool tn_topic_read(tn_source topic, tn_topic *found); /* false: nothing that this device takes */
bool tn_is_id(const char *words);                     /* may be one level of a topic; TN_NAME_BYTES_MAX at most */
bool tn_is_same(const char *one, const char *other);
void tn_put_words(char *to, const char *words); /* with the 0 behind them */
/* A number in decimal, at the end of its room, and the same behind words of up to 12 bytes; return where it begins. */
char *tn_number(char to[TN_NUMBER_ROOM], uint64_t number);
#define TN_COUNTED_ROOM (12u + TN_NUMBER_ROOM)
char *tn_counted(char to[TN_COUNTED_ROOM], const char *words, uint64_t number);

/* -- fetch.c: what is missing is asked for: by subscribing, or by a want -- */

/* What a room lacks; it is subscribed to where it is not among the seven filters. */
void tn_missing(uint32_t kind, const char *language, const char *name);
/* Whether this was fetched just now and nothing came. */
bool tn_absent(uint32_t kind, const char *name);
/* Ask for so many blocks of a payload, from a byte on, at the end of this step; the digest stays there. */
void tn_want_blocks(const uint8_t *digest, uint32_t from, uint32_t count);
void tn_fetch_begin(void); /* before the rooms of a step: give up what came in vain */
void tn_fetch_step(void);  /* behind them */
void tn_fetch_disconnected(void);
bool tn_fetch_open(void); /* whether tn_out_topic() is subscribed to now */

/* -- outbox.c: what the device wants said, oldest first; the bytes of a report or want lie in TN_AT_OUTBOX -- */

typedef enum { TN_PUBLISH, TN_SUBSCRIBE, TN_UNSUBSCRIBE } tn_out_kind;
typedef enum { TN_LEAF_REPORT, TN_LEAF_WANT, TN_LEAVES } tn_leaf; /* a page of TN_AT_OUTBOX each */

typedef struct {
    uint32_t number; /* from 1 in each boot */
    uint8_t kind;
    uint8_t topic;   /* its kind; language and name stand in tn_out_topic() */
    tn_source data;
} tn_out;

/* Bytes that are put into a page of the outbox, piece by piece. In front of them there is room for a head, which may be
 * known last. */
#define TN_OUT_HEAD_BYTES 64u
void tn_out_begin(tn_leaf leaf);
void tn_out_add(const void *bytes, uint32_t count);
/* What was added: what lies in flash already, and what still waits in memory for a whole unit. */
void tn_out_added(tn_source parts[2]);
/* While somebody listens. The head stands at the end of its room; an older one of the same leaf goes. */
void tn_out_publish(const void *head, uint32_t count);
bool tn_out_subscribe(uint32_t kind, const char *language, const char *name); /* false: not yet */
void tn_out_unsubscribe(void);
const tn_topic *tn_out_topic(void);       /* that was subscribed to last */
const tn_out *tn_out_head(void);          /* NULL: nothing to say */
void tn_out_acknowledge(uint32_t number); /* drops all up to a number that was read */
void tn_out_clear(void);

/* -- reporter.c -- */

extern const uint8_t tn_answer_own[];
void tn_answer_take(tn_item body);
void tn_reporter_connected(void);
void tn_reporter_step(void);
void tn_nonce(tn_leaf leaf, uint8_t nonce[TN_NONCE]); /* a new one, whose answer will be known again */

/* -- currency.c: catalogue and timestamp -- */

extern const uint8_t tn_catalogue_own[], tn_timestamp_own[];
void tn_catalogue_take(tn_source body);
void tn_timestamp_take(tn_item body);
bool tn_is_current(void);                             /* currency.current() is not None */
bool tn_currency_names(const tn_notice_track *track); /* the current catalogue has this very header */
bool tn_currency_has_patch(uint64_t sequence, const uint8_t digest[TN_HASH]);
void tn_currency_step(void);                          /* wakes, and what is missing */

/* -- notices.c, notice.c (the header), words.c (texts), screen.c (lines and pages) -- */

/* A notice's track: its own, or one that may make room; NULL: there is none. */
tn_notice_track *tn_notice_place(const char *advisory);
void tn_notice_take(tn_notice_track *track, const tn_document *found, const char *advisory);
tn_reason tn_text_take(const tn_arrival *text);
tn_reason tn_pages_take(const tn_arrival *drawn);
void tn_notices_booted(void);
void tn_notices_installed(void);                      /* another version runs, confirmed */
void tn_notices_acknowledge(void);
void tn_notices_step(void);
/* The body of its header and the bytes of its text, as they lie in flash; empty where it is not here. */
tn_item tn_notice_header(const tn_notice_track *track);
tn_source tn_notice_words(const tn_notice_track *track);
/* What stands on the screen now, line by line; NULL: nothing does. */
typedef struct {
    tn_notice_track *track;
    const char *severity;
    bool confirmed;
    uint32_t count; /* lines */
} tn_shown;
const tn_shown *tn_screen_shown(void);
/* One line of what is shown, at most 240 bytes of UTF-8; returns its length: 0 behind the last. */
uint32_t tn_screen_line(uint32_t number, char *line, uint32_t room);

/* -- patches.c, offers.c, suit.c, image.c, blocks.c -- */

extern const uint8_t tn_offer_own[];
tn_reason tn_offer_take(tn_item body);
tn_reason tn_patch_take(const tn_arrival *envelope);
tn_reason tn_block_take(tn_source data);              /* a block of what is being brought; others are left aside */
bool tn_patches_booted(void);                         /* true: one is on trial, notices wait */
void tn_patches_connected(void);
void tn_patches_step(void);
tn_reason tn_patches_consent(const char *answer);
const tn_patch_track *tn_patches_asking(void);        /* waits for the owner's consent; NULL: none does */

/* "1.2.3", and the separator and the fourth number where that is not 0. */
char *tn_version(char to[TN_VERSION_ROOM], const tn_version_part version[4], char separator);
bool tn_version_read(tn_source words, tn_version_part version[4]); /* of that form, with '+' */
#ifdef TN_TEST_BUILD
/* Write an image of that version into the slot that is confirmed, as its maker would. */
void tn_image_make(const tn_version_part version[4]);
/* What was provisioned takes effect, right before a reset. */
void tn_provision_apply(void);
#endif
tn_reason tn_image_read(uint8_t slot, uint32_t length, tn_image *image); /* length 0: as the header says */

/* SUIT: one component, one image, fetched whole as blocks, whatever its address is: its digest names it. What goes
 * beyond what docs/protocol/suit.md emits is UNSUPPORTED. */
typedef struct {
    const uint8_t *digest, *image_digest; /* 32 bytes each, in the envelope: the patch digest is the first */
    uint64_t sequence;
    uint32_t image_size;
    tn_version_part version[4];
    bool ours;               /* vendor and class are this device's */
    bool has_version;
    tn_source language;      /* in which it says what it does; empty: in none */
} tn_manifest;
/* advisories.suit.open_envelope, step by step, with the same reason at the same step. What is said lies in the
 * envelope. */
tn_reason tn_suit_open(tn_source envelope, tn_manifest *manifest);

#endif
