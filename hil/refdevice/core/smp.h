/* SMP on a serial line: frames in a noisy stream, and some commands of os and img, and the notifier's own group. */
#ifndef TN_SMP_H
#define TN_SMP_H

#include "item.h"
#include "limits.h"
#include "record.h"
#include "tocsin_smp.h"

/* -- frames.c -- */

/* One frame, without its base64: length, message, CRC, and behind it the bytes that tn_frame_send() reads where it
 * fills up. A request lies there until its answer takes its place. */
extern uint8_t tn_frame[TN_SMP_BUFFER_BYTES + 3u];
#define TN_MESSAGE (tn_frame + 2)
#define TN_HEAD_BYTES 8u /* of a message; its body follows */

/* Take one byte from the line. Where it ends a whole message: how long that is; or else 0. */
uint32_t tn_frame_byte(uint8_t byte);
/* Send what lies at TN_MESSAGE as lines of at most TN_SMP_LINE_BYTES. */
void tn_frame_send(uint32_t length);

/* -- console.c -- */

/* Write a line of the log. */
void tn_console(const char *line);

/* -- server.c -- */

#define TN_FIELDS_MAX 4u

typedef struct {
    /* What a row of advisories/smp.toml names, at its place in the row (TOCSIN_SMP_..._AT_...), and of the kind that it
     * says; NULL: it was left out. It is gone as soon as something is written to the answer. */
    tn_item fields[TN_FIELDS_MAX];
    tn_item key;
    bool again;       /* a request with a key that was carried out already: only its answer is asked for */
    bool restarts;    /* set: the board is reset once the answer has been sent */
    uint32_t verdict; /* is remembered with the key */
} tn_request;

/* The number of a field; 2^32 - 1 where it is higher. */
uint32_t tn_number_of(tn_item item);

/* Write the fields of the answer, or return a TOCSIN_SMP_RC_; nothing was done then. */
typedef int (*tn_handler)(tn_request *request);

/* Begin an answer, once more after a step of the agent, in which something else was written: the fields follow. */
void tn_answer(void);
/* Carry out the request that lies at TN_MESSAGE, and send its answer. What is none is passed over. */
void tn_serve(uint32_t length);

/* Handlers, one a command of advisories/smp.toml that this device has: X(NAME, what handles it). Those of test builds
 * stand in provision.c. */
#define TN_HANDLES_NOTIFIER(X) \
    X(NOTIFIER_INFO, tn_on_info) X(NOTIFIER_PUT, tn_on_put) X(NOTIFIER_SUBMIT, tn_on_submit) \
    X(NOTIFIER_NOTICE, tn_on_notice) X(NOTIFIER_REPORT, tn_on_report) X(NOTIFIER_STATE, tn_on_state) \
    X(NOTIFIER_CLOCK, tn_on_clock) X(NOTIFIER_CARRIER, tn_on_carrier) TN_HANDLES_TEST(X)
#ifdef TN_TEST_BUILD
#define TN_HANDLES_TEST(X) \
    X(NOTIFIER_PRESS, tn_on_press) X(NOTIFIER_FAULT, tn_on_fault) X(NOTIFIER_CLOCK_SET, tn_on_clock_set) \
    X(NOTIFIER_PROVISION, tn_on_provision)
#else
#define TN_HANDLES_TEST(X)
#endif
#define TN_HANDLES(X) \
    X(OS_ECHO, tn_on_echo) X(OS_RESET, tn_on_reset) X(OS_PARAMETERS, tn_on_parameters) X(IMG_STATE, tn_on_images) \
    TN_HANDLES_NOTIFIER(X)
#define TN_DECLARE(NAME, handler) int handler(tn_request *request);
TN_HANDLES(TN_DECLARE)

/* -- staging.c: what `put` brings -- */

/* The staged document with this digest, whole; empty: there is none. */
tn_source tn_staged(tn_item sha);

/* -- main.c -- */

/* Set the device going: load what is stored, boot, then serve for ever. */
_Noreturn void tn_main(void);
/* One round of the loop: bytes that have come, time that has passed. */
void tn_round(void);
/* What tn_main does before its loop. */
void tn_start(void);

#endif
