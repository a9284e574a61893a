/* SMP on a serial line: frames in a noisy stream, and the commands of os, img, stat and the notifier's own group. */
#ifndef TN_SMP_H
#define TN_SMP_H

#include "cbor.h"
#include "limits.h"
#include "tocsin_smp.h"

/* -- frames.c -- */

/* Take one byte from the line; true when it ends a whole message, which then lies at tn_frame_message(). */
bool tn_frame_byte(uint8_t byte);
tn_source tn_frame_message(void);
/* Send a message as lines. */
void tn_frame_send(const uint8_t *message, uint32_t length);
/* Write a line of the console's log; while a request is carried out it waits for the answer. */
void tn_console(const char *line);

/* -- server.c -- */

typedef struct {
    uint8_t op, version, sequence, command;
    uint16_t group;
    tn_source body;
    uint32_t room; /* bytes that the answer's map may take */
} tn_request;

/* Carry a request out and send its answer. */
void tn_serve(tn_source message);
/* Handlers of a group: write the answer's map, or return a TOCSIN_SMP_RC_. */
typedef int (*tn_handler)(const tn_request *request, tn_writer *answer);
tn_handler tn_notifier_handler(uint8_t command, bool write); /* notifier.c; NULL: not in this firmware */
tn_handler tn_images_handler(uint8_t command, bool write);   /* images.c */

/* -- main.c -- */

/* Set the device going: load what is stored, boot, then serve for ever. */
_Noreturn void tn_main(void);
/* One round of the loop: bytes that have come, time that has passed. */
void tn_round(void);

#endif
