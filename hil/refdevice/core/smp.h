/* SMP on a serial line: frames in a noisy stream, and the commands of os, img, stat and the notifier's own group. */
#ifndef TN_SMP_H
#define TN_SMP_H

#include "cbor.h"
#include "limits.h"
#include "tocsin_smp.h"

/* -- frames.c -- */

/* Take one byte from the line; true when it ends a whole message, which lies at tn_frame_message() until the next byte. */
bool tn_frame_byte(uint8_t byte);
tn_source tn_frame_message(void);
/* Send a message as lines of at most TN_SMP_LINE_BYTES. */
void tn_frame_send(const uint8_t *message, uint32_t length);

/* -- console.c -- */

/* Write a line of the log. While a request is carried out it waits, so that an answer stands before what it has caused. */
void tn_console(const char *line);
void tn_console_hold(void);
void tn_console_go(void);

/* -- server.c -- */

typedef struct {
    tn_source body;
    uint32_t room;    /* bytes that the answer's map may take */
    uint16_t command; /* its place in the table of commands: with a key, what was done is known again by both */
} tn_request;

/* Write the answer's map, or return a TOCSIN_SMP_RC_; nothing was done then. */
typedef int (*tn_handler)(const tn_request *request, tn_writer *answer);

/* Carry a request out and send its answer. What is none is passed over. */
void tn_serve(tn_source message);
/* A field of a request that is known to fit its command: false where it was left out. */
bool tn_field(const tn_request *request, const char *name, tn_cbor *value);
uint64_t tn_field_uint(const tn_request *request, const char *name, uint64_t otherwise);
tn_source tn_field_bytes(const tn_request *request, const char *name); /* a text, too; empty where it was left out */
bool tn_field_is(const tn_request *request, const char *name, const char *words);
/* Names of the notifier group's commands, one after the other; NULL: no more. */
const char *tn_command_name(uint32_t number);

/* Whether a request with this key was answered already: then its verdict. It is remembered by tn_done(). */
bool tn_was_done(const tn_request *request, uint32_t *verdict);
void tn_done(const tn_request *request, uint32_t verdict);

/* What happens once the answer has been sent. */
void tn_after_answer(void (*then)(void));

/* Handlers, one a command of advisories/smp.toml that this device has; provision.c has those of test builds. */
#define TN_HANDLES(X) \
    X(OS_ECHO) X(OS_CONSOLE_ECHO) X(OS_RESET) X(OS_PARAMETERS) X(OS_INFO) X(OS_BOOTLOADER) X(IMG_STATE) X(IMG_STATE_SET) \
    X(IMG_UPLOAD) X(IMG_ERASE) X(STAT_SHOW) X(STAT_LIST) X(NOTIFIER_INFO) X(NOTIFIER_PUT) X(NOTIFIER_SUBMIT) \
    X(NOTIFIER_NOTICE) X(NOTIFIER_REPORT) X(NOTIFIER_STATE) X(NOTIFIER_CLOCK) X(NOTIFIER_CARRIER)
#define TN_HANDLES_TEST(X) X(NOTIFIER_PRESS) X(NOTIFIER_FAULT) X(NOTIFIER_CLOCK_SET) X(NOTIFIER_PROVISION)
#define TN_DECLARE(NAME) int tn_on_##NAME(const tn_request *request, tn_writer *answer);
TN_HANDLES(TN_DECLARE)
TN_HANDLES_TEST(TN_DECLARE)

/* -- staging.c: what `put` brings -- */

/* The staged document with this digest, whole; empty: there is none. */
tn_source tn_staged(tn_source sha);

/* -- main.c -- */

/* Set the device going: load what is stored, boot, then serve for ever. */
_Noreturn void tn_main(void);
/* One round of the loop: bytes that have come, time that has passed. */
void tn_round(void);
/* What tn_main does before its loop. */
void tn_start(void);
/* Reset the board; what was provisioned takes effect before. */
void tn_restart(void);

#endif
