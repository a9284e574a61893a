/* What a board has to give: a line, a flash, a clock, a display with its buttons, a reset. Everything else is the same
 * everywhere. */
#ifndef TN_PORT_H
#define TN_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* -- uart: the serial line that SMP and the console share -- */

/* Take up to `most` bytes that have come; 0: none has. Never waits. */
uint32_t port_uart_read(uint8_t *bytes, uint32_t most);
/* Send bytes; returns once they are on their way. */
void port_uart_write(const uint8_t *bytes, uint32_t count);

/* -- flash: TN_FLASH_BYTES from 0 on, laid out in limits.h -- */

/* Where it is mapped into memory; always the same place. */
const uint8_t *port_flash(void);
/* Write into erased flash: `at` and `count` are multiples of TN_FLASH_UNIT, and a unit is written once between two
 * erases. The bytes may lie in flash, too, on other pages. When the power goes in the middle, any part of them may be
 * there. */
void port_flash_write(uint32_t at, const void *bytes, uint32_t count);
/* Erase one page of TN_FLASH_PAGE bytes: all of them are 0xFF then. */
void port_flash_erase(uint32_t at);

/* -- time -- */

/* Milliseconds since the board was switched on; they begin anew after 2^32. */
uint32_t port_time_ms(void);
/* UTC seconds, or 0 where the board has no clock; core/session.c adds what a test set. */
uint64_t port_time_utc(void);

/* -- display: 128 x 64 dots, and a console of lines -- */

/* Draw one page, TN_PAGE_BYTES of them, row by row from the top left; false: the display does not work. */
bool port_display_page(const uint8_t *dots);
/* Draw one line of text in UTF-8; the first one of a notice has number 0. */
bool port_display_line(uint32_t number, const char *text, uint32_t length);
/* Which of its buttons the owner has pressed since this was asked last, the earliest first: 'a' takes note of what is
 * shown; 'y' (yes), 'l' (later) and 'n' (no) answer what is asked. 0: none, and whatever else there is does nothing.
 * Never waits. */
char port_display_pressed(void);

/* -- reset -- */

/* Start the board anew. It does not return, but in unit tests, whose port only notes it: do nothing after it. */
void port_reset(void);
/* Why it started: false after power-on, true after port_reset(). */
bool port_was_reset(void);

#ifdef TN_TEST_BUILD
/* -- test builds: a power cut -- */

/* Begin to erase a page, and leave it in the middle: half of its bytes are 0xFF. */
void port_flash_erase_half(uint32_t at);
/* Lose power. A port of unit tests, which cannot end its program, returns: nothing is written from then on. */
void port_power_off(void);
#endif

#endif
