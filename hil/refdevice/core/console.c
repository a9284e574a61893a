/* The console's log, on the same line as SMP: what is said while a request is carried out stands before its answer. */
#include "port.h"
#include "smp.h"

static void put(const char *words)
{
    port_uart_write((const uint8_t *)words, tn_length(words));
}

void tn_console(const char *line)
{
    put(line);
    put("\r\n");
}
