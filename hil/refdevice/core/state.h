/* Everything that outlives a reset: one record, stored as a whole, and the journal beside it. */
#ifndef TN_STATE_H
#define TN_STATE_H

#include "limits.h"
#include "tocsin_states.h" /* generated: TN_NOTICE_SENT, TN_PATCH_OFFERED, transition tables */
#include "trust.h"

#define TN_UUID 16u /* bytes */

/* What the maker wrote (provision); each change holds from the next reset. */
typedef struct {
    uint8_t seed[TN_PUBLIC]; /* of the device's Ed25519 key */
    uint8_t root_1[TN_HASH]; /* digest of the pinned root 1; its bytes stay in the first page of TN_AT_ROOTS */
    uint16_t root_1_length;
    bool provisioned;
    uint8_t vendor[TN_UUID], model[TN_UUID]; /* what patches name: SUIT's vendor and class identifiers (suit.md) */
    char id[TN_NAME_BYTES_MAX + 1];
    char product[TN_NAME_BYTES_MAX + 1]; /* "class" of info */
    char language[TN_LANGUAGE_BYTES_MAX + 1];
    char topics[TN_NAME_BYTES_MAX + 1]; /* prefix */
} tn_factory;

typedef struct {
    uint8_t state, reason; /* tn_notice_state, tn_reason; QUEUED: the place is free */
    uint8_t reminders;
    bool told;
    bool text, pages;      /* they are here */
    bool failed;           /* in this boot, to be drawn */
    uint8_t passed_over;   /* so many texts, the best of the header, cannot be shown */
    uint16_t revision;
    uint32_t area;         /* where in flash header, text and pages lie: one of TN_NOTICE_AREAS */
    uint64_t time, confirmed, shown; /* UTC seconds; 0: never */
    uint8_t digest[TN_HASH];
    char id[TN_NAME_BYTES_MAX + 1]; /* empty: free */
    char language[TN_LANGUAGE_BYTES_MAX + 1]; /* of the text in hand */
} tn_notice_track;

/* One number of a firmware version: major, minor, revision, build (advisories/versions.py). */
typedef uint32_t tn_version_part;

typedef struct {
    uint64_t sequence, catalogue_version;
    uint64_t from, final, last; /* UTC seconds: may begin; cannot be put off any more; must not begin any more */
    uint8_t digest[TN_HASH];
    bool here, cancel;
} tn_offer;

typedef struct {
    uint8_t state, reason; /* tn_patch_state, tn_reason; QUEUED: the place is free */
    uint8_t deferrals;
    uint32_t touched;      /* rises with every change: the track touched longest ago makes room */
    uint64_t sequence, time;
    bool has_version;      /* this and what follows is of this try */
    bool consent;          /* the owner agreed */
    bool consent_has_notice;
    uint8_t slot;          /* where it is written */
    uint8_t attempts;
    uint8_t done;          /* percent */
    uint16_t envelope_length; /* 0: it is not here */
    uint32_t image_size;   /* 0: the manifest has not been verified */
    uint32_t offset;       /* bytes that are certainly there */
    uint32_t counter;      /* security counter of the image, once verified */
    tn_version_part version[4]; /* promised; valid where has_version */
    uint64_t defer_until;
    uint64_t consent_time;
    tn_offer offer;        /* the newest offer of it; its digest is that of the patch */
    uint8_t image_digest[TN_HASH];
    uint8_t consent_question[TN_HASH], consent_notice[TN_HASH];
    char consent_language[TN_LANGUAGE_BYTES_MAX + 1];
} tn_patch_track;

/* What is read often lies first: that makes the code small. */
typedef struct tn_state {
    uint32_t boot_epoch;
    uint8_t root_page; /* 0: the pinned root 1, which stays; later ones take turns in areas 1 and 2 of TN_AT_ROOTS */
    uint8_t catalogue_page; /* of TN_AT_CATALOGUES */
    uint16_t root_length;
    bool has_patch_floor;
    uint32_t journal_count, journal_first; /* entries written; the oldest that no receipt covers */
    uint32_t journal_lost;
    uint32_t security_counter;
    uint64_t patch_floor;
    uint64_t stamp_root, stamp_catalogue, stamp_expires; /* of the newest accepted timestamp */
    uint8_t fleet[TN_HASH];
    uint8_t journal_head[TN_HASH];
    uint8_t patch_floor_digest[TN_HASH];
    uint8_t stamp_catalogue_digest[TN_HASH], stamp_audit_head[TN_HASH];
    tn_floor floors[TN_FLOORS_MAX];
    tn_offer offer; /* the newest, until it has become a track */
    tn_patch_track patches[TN_PATCHES_MAX];
    tn_notice_track notices[TN_NOTICES_MAX];
} tn_state;

extern tn_state tn_stored;   /* as of now, in memory */
extern tn_factory tn_maker;  /* what the maker wrote, in memory */

/* -- stored: snapshots with a rising number and a CRC, taking turns in their pages -- */

/* Read what is stored into tn_maker and tn_stored; false: nothing was ever provisioned. */
bool tn_store_load(void);
void tn_store_save(void);
void tn_save(void); /* the same, where the state has changed: before anything that others may notice */
void tn_store_save_factory(const tn_factory *factory);
/* Factory-new: what the maker wrote, the pinned root 1 and the image that is confirmed stay, nothing else does. Whole
 * with the snapshot that it stores (device_sim.serial.flash.Flash.make_new). */
void tn_store_erase(void);
/* Changes of flash since power-on, writes and erases together. */
uint32_t tn_store_writes(void);
/* All of the core writes flash through these three: they count, and cut the power where a test asked for it. */
void tn_flash_write(uint32_t at, const void *bytes, uint32_t count); /* any count: padded with 0xFF to the unit */
void tn_flash_erase(uint32_t at, uint32_t count);                    /* whole pages */
void tn_flash_copy(uint32_t to, tn_source from);                     /* erases whole pages at `to`, then writes */

/* Bytes that come piece by piece: whole units are written as they fill, and a page is erased before its first one. */
typedef struct {
    uint32_t at; /* of the next byte */
    uint8_t unit[TN_FLASH_UNIT];
} tn_stream;

void tn_flash_add(tn_stream *to, const void *bytes, uint32_t count);
void tn_flash_end(const tn_stream *to); /* write what fills no unit */

typedef enum { TN_CUT_BEFORE, TN_CUT_TORN, TN_CUT_AFTER } tn_cut;
#ifdef TN_TEST_BUILD
/* Lose power at the at-th change from now, 1 being the next one; 0: never. */
void tn_flash_cut(uint32_t at, tn_cut when);
#endif

/* -- boot record (device_sim.core.slots) -- */

typedef struct {
    uint8_t active;      /* the slot that was confirmed last */
    bool has_trial, tried;
    uint8_t trial;
} tn_boot_record;

const tn_boot_record *tn_boot(void); /* nothing stored: slot 0 */
void tn_boot_save(const tn_boot_record *record);
/* What the boot loader does: store what has to be stored, and say which slot runs. */
uint8_t tn_boot_select(void);

#endif
