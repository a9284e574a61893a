/* States and the transitions between them.
 * Made from advisories/states.py by .ci/c-tables; edit the source. */
#ifndef TOCSIN_STATES_H
#define TOCSIN_STATES_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    TN_NOTICE_QUEUED = 0,
    TN_NOTICE_SENT = 1,
    TN_NOTICE_DELIVERED = 2,
    TN_NOTICE_VERIFIED = 3,
    TN_NOTICE_SHOWN = 4,
    TN_NOTICE_ACKNOWLEDGED = 5,
    TN_NOTICE_REJECTED = 6,
    TN_NOTICE_EXPIRED = 7,
    TN_NOTICE_SUPERSEDED = 8,
    TN_NOTICE_WITHDRAWN = 9,
    TN_NOTICE_NOT_APPLICABLE = 10
} tn_notice_state;

typedef enum {
    TN_PATCH_QUEUED = 0,
    TN_PATCH_OFFERED = 1,
    TN_PATCH_WAITING_FOR_CONFIRMATION = 2,
    TN_PATCH_DEFERRED = 3,
    TN_PATCH_WAITING_FOR_WINDOW = 4,
    TN_PATCH_DOWNLOADING = 5,
    TN_PATCH_DOWNLOADED = 6,
    TN_PATCH_VERIFIED = 7,
    TN_PATCH_INSTALLING = 8,
    TN_PATCH_INSTALLED = 9,
    TN_PATCH_REBOOTING = 10,
    TN_PATCH_TESTING = 11,
    TN_PATCH_SUCCEEDED = 12,
    TN_PATCH_ROLLED_BACK = 13,
    TN_PATCH_FAILED = 14,
    TN_PATCH_DECLINED = 15,
    TN_PATCH_REJECTED = 16,
    TN_PATCH_TIMED_OUT = 17,
    TN_PATCH_CANCELING = 18,
    TN_PATCH_CANCELED = 19,
    TN_PATCH_CANCEL_REJECTED = 20,
    TN_PATCH_ALREADY_INSTALLED = 21,
    TN_PATCH_NOT_APPLICABLE = 22,
    TN_PATCH_SUPERSEDED = 23,
    TN_PATCH_REMOVED = 24
} tn_patch_state;

typedef enum {
    TN_SURFACE_NONE = 0,
    TN_SURFACE_SCREEN = 1,
    TN_SURFACE_CONSOLE = 2,
    TN_SURFACE_LED = 3,
    TN_SURFACE_COMPANION = 4
} tn_surface;

/* Sets of states: bit n stands for state n. */
#define TN_SET_NOTICE_ENDS 0x00000380u
#define TN_SET_NOTICE_DONE 0x000003C0u
#define TN_SET_PATCH_STOPS 0x008F4000u
#define TN_SET_PATCH_FAILED 0x00036000u
#define TN_SET_PATCH_ENDED 0x01EBF000u
#define TN_SET_PATCH_ON_TRIAL 0x00100E00u
#define TN_SET_PATCH_PROVEN 0x00201000u
#define TN_IN(set, state) ((((uint32_t)(set) >> (state)) & 1u) != 0u)

/* Whether one state may follow another; unused, they cost nothing. */
static inline bool tn_notice_may(uint32_t from, uint32_t to)
{
    static const uint32_t next[32] = {
        0x000003C6u, /* QUEUED */
        0x000003C4u, /* SENT */
        0x000007C8u, /* DELIVERED */
        0x00000790u, /* VERIFIED */
        0x000007A0u, /* SHOWN */
        0x00000780u, /* ACKNOWLEDGED */
        0x00000000u, /* REJECTED */
        0x00000000u, /* EXPIRED */
        0x00000000u, /* SUPERSEDED */
        0x00000000u, /* WITHDRAWN */
        0x00000388u, /* NOT_APPLICABLE */
    };
    return TN_IN(next[from % 32u], to % 32u);
}

static inline bool tn_patch_may(uint32_t from, uint32_t to)
{
    static const uint32_t next[32] = {
        0x008F4002u, /* QUEUED */
        0x00EF4034u, /* OFFERED */
        0x008FC038u, /* WAITING_FOR_CONFIRMATION */
        0x008F4004u, /* DEFERRED */
        0x008F4020u, /* WAITING_FOR_WINDOW */
        0x008F4040u, /* DOWNLOADING */
        0x008F40A0u, /* DOWNLOADED */
        0x008F4100u, /* VERIFIED */
        0x00104200u, /* INSTALLING */
        0x00104400u, /* INSTALLED */
        0x00006800u, /* REBOOTING */
        0x00003000u, /* TESTING */
        0x01000000u, /* SUCCEEDED */
        0x01800002u, /* ROLLED_BACK */
        0x01800002u, /* FAILED */
        0x01800002u, /* DECLINED */
        0x01800002u, /* REJECTED */
        0x01800002u, /* TIMED_OUT */
        0x00180000u, /* CANCELING */
        0x01800002u, /* CANCELED */
        0x00004600u, /* CANCEL_REJECTED */
        0x01800002u, /* ALREADY_INSTALLED */
        0x01800002u, /* NOT_APPLICABLE */
        0x00000002u, /* SUPERSEDED */
        0x00000000u, /* REMOVED */
    };
    return TN_IN(next[from % 32u], to % 32u);
}

/* Where a factory reset takes a notice in this state; 0xff: it stays. By state. */
#define TN_NOTICE_RESETS {255, 255, 255, 255, 3, 3, 255, 255, 255, 255, 255}

#endif
