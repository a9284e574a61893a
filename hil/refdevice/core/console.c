/* The console's log, on the same line as SMP. */
#include "port.h"
#include "smp.h"

#define WAITING_BYTES 160u /* of the log, while a request is carried out; more is lost */

static struct {
    bool held;
    uint32_t length;
    char waiting[WAITING_BYTES];
} console;

static void put(const char *words, uint32_t length)
{
    if (!console.held) {
        port_uart_write((const uint8_t *)words, length);
    } else if (length <= WAITING_BYTES - console.length) {
        tn_copy(console.waiting + console.length, words, length);
        console.length += length;
    }
}

void tn_console(const char *line)
{
    uint32_t length = tn_length(line);
    if (console.held && length + 2u > WAITING_BYTES - console.length) {
        return;
    }
    put(line, length);
    put("\r\n", 2);
}

void tn_console_hold(void)
{
    console.held = true;
}

void tn_console_go(void)
{
    console.held = false;
    put(console.waiting, console.length);
    console.length = 0;
}
