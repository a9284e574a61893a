/* A program in place of the device: it does one thing with the port for each letter that comes, and says what came of it. */
#include "limits.h"
#include "port.h"
#include "smp.h"

static uint8_t page[TN_PAGE_BYTES];

static void say(const char *what, uint64_t number)
{
    uint8_t line[40];
    uint32_t at = sizeof(line), length = 0;
    while (what[length] != 0) {
        length++;
    }
    line[--at] = '\n';
    do {
        line[--at] = (uint8_t)('0' + number % 10u);
        number /= 10u;
    } while (number > 0u);
    line[--at] = ' ';
    while (length > 0u) {
        line[--at] = (uint8_t)what[--length];
    }
    port_uart_write(line + at, (uint32_t)sizeof(line) - at);
}

static void read_back(void)
{
    say("first", port_flash()[TN_FLASH_PAGE]);
    say("last", port_flash()[2u * TN_FLASH_PAGE - TN_FLASH_UNIT]);
}

static void write(void)
{
    static const uint8_t bytes[TN_FLASH_UNIT] = {1, 2, 3, 4, 5, 6, 7, 8};
    port_flash_write(TN_FLASH_PAGE, bytes, sizeof(bytes));
    port_flash_write(2u * TN_FLASH_PAGE - TN_FLASH_UNIT, bytes, sizeof(bytes));
    say("written", 0);
}

static void draw(void)
{
    page[0] = 0x80;                   /* the first dot */
    page[17] = 0x01;                  /* the last of bits 8 to 15 in the second row */
    page[TN_PAGE_BYTES - 1u] = 0x01;  /* the last dot of all, in the lower half of its row of text */
    say("drawn", port_display_page(page) && port_display_line(12, "some words", 10));
}

static void do_one(uint8_t letter)
{
    switch (letter) {
    case 'w':
        write();
        break;
    case 'r':
        read_back();
        break;
    case 'e':
        port_flash_erase(TN_FLASH_PAGE);
        say("erased", 0);
        break;
    case 'h':
        port_flash_erase_half(TN_FLASH_PAGE);
        say("erased", 0);
        break;
    case 'd':
        draw();
        break;
    case 'b':
        say("button", (uint64_t)port_display_pressed());
        break;
    case 'u':
        say("utc", port_time_utc());
        break;
    case 'm':
        say("ms", port_time_ms());
        break;
    case 'z':
        port_reset();
        break;
    case 'p':
        port_power_off();
        break;
    default:
        say("echo", letter);
    }
}

void tn_main(void)
{
    say("boot", port_was_reset() ? 1u : 0u);
    for (;;) {
        uint8_t bytes[16];
        uint32_t count = port_uart_read(bytes, sizeof(bytes));
        for (uint32_t i = 0; i < count; i++) {
            do_one(bytes[i]);
        }
    }
}
