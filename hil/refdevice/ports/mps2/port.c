/* The port to a Cortex-M3 in QEMU (mps2-an385): SMP and console on UART 0, the display is drawn to UART 1, and whoever
 * looks at it there presses its buttons by typing a, y, l or n.
 *
 * Flash is emulated in the board's PSRAM. It outlives a reset, and a kill of QEMU where a file stands for the PSRAM:
 *
 *   -object memory-backend-file,id=psram,size=16M,share=on,mem-path=FILE -machine memory-backend=psram
 *
 * The board has no clock. Whoever starts QEMU may write UTC seconds to PSRAM_START:
 *
 *   -device loader,addr=0x21FFFFF8,data=SECONDS,data-len=8
 *
 * From there the timer counts on. The time last seen is kept, so that no reset and no power cut takes it back. */
#include "board.h"
#include "limits.h"
#include "port.h"
#include "smp.h"

#define MAGIC 0x544E4652u
#define RESTART 2u
#define TICKS_PER_MS (BOARD_HZ / 1000u)
#define WAKE_MS 5u
#define COLUMNS 128u
#define EXIT_POWER 9u

typedef volatile struct {
    uint32_t magic;   /* PSRAM was made flash */
    uint32_t restart; /* RESTART: port_reset() was called; half of it: so this start came about */
    uint64_t start;   /* PSRAM_START when `utc` was written */
    uint64_t utc;     /* the latest that was read; 0: nobody said what time it is */
} board_words;

#define WORDS ((board_words *)PSRAM_WORDS)

static uint32_t ms;     /* since power-on */
static uint32_t value;  /* of the timer at that time: it counts down, from 0 on */
static uint32_t utc_ms; /* how late it was when WORDS->utc was written */

/* -- uart -- */

static void send(board_uart *uart, uint32_t byte)
{
    while ((uart->state & UART_SENDING) != 0u) {
    }
    uart->data = byte;
}

void board_send(board_uart *uart, const uint8_t *bytes, uint32_t count)
{
    while (count-- > 0u) {
        send(uart, *bytes++);
    }
}

uint32_t port_uart_read(uint8_t *bytes, uint32_t most)
{
    uint32_t count = 0;
    if ((UART_0->state & UART_CAME) == 0u) {
        __asm__ volatile("wfi"); /* until a byte comes, or the timer's next interrupt: nothing else would happen */
    }
    TIMER_1->interrupt = 1;
    UART_0->interrupt = 2;
    NVIC_FORGET = 1u << INTERRUPT_UART_0 | 1u << INTERRUPT_TIMER_1;
    while (count < most && (UART_0->state & UART_CAME) != 0u) {
        bytes[count++] = (uint8_t)UART_0->data;
    }
    return count;
}

void port_uart_write(const uint8_t *bytes, uint32_t count)
{
    board_send(UART_0, bytes, count);
}

/* -- flash -- */

static uint8_t *place(uint32_t at)
{
    return (uint8_t *)(PSRAM + at);
}

const uint8_t *port_flash(void)
{
    return place(0);
}

void port_flash_write(uint32_t at, const void *bytes, uint32_t count)
{
    uint8_t *to = place(at);
    for (const uint8_t *from = bytes; count > 0u; count--) {
        *to++ &= *from++; /* flash only clears bits */
    }
}

static void erase(uint32_t at, uint32_t count)
{
    uint32_t *to = (uint32_t *)(PSRAM + at);
    for (; count > 0u; count -= 4u) {
        *to++ = 0xFFFFFFFFu;
    }
}

void port_flash_erase(uint32_t at)
{
    erase(at, TN_FLASH_PAGE);
}

/* -- time -- */

uint32_t port_time_ms(void)
{
    uint32_t more = (value - TIMER_0->value) / TICKS_PER_MS; /* less than a round of 171 seconds has passed */
    value -= more * TICKS_PER_MS;
    ms += more;
    return ms;
}

uint64_t port_time_utc(void)
{
    uint32_t more = (port_time_ms() - utc_ms) / 1000u;
    uint64_t utc = WORDS->utc;
    utc_ms += more * 1000u;
    utc += utc != 0u ? more : 0u;
    WORDS->utc = utc;
    return utc;
}

/* -- display -- */

static void draw(uint32_t letter)
{
    send(UART_1, letter);
}

bool port_display_page(const uint8_t *dots)
{
    board_send(UART_1, (const uint8_t *)"page", 4);
    for (uint32_t dot = 0; dot < TN_PAGE_BYTES * 8u; dot++) {
        if (dot % COLUMNS == 0u) {
            draw('\n');
        }
        draw((dots[dot / 8u] << dot % 8u & 0x80) != 0 ? '#' : ' ');
    }
    draw('\n');
    return true;
}

bool port_display_line(uint32_t number, const char *text, uint32_t length)
{
    if (number >= 10u) {
        draw('0' + number / 10u % 10u);
    }
    draw('0' + number % 10u);
    draw(' ');
    board_send(UART_1, (const uint8_t *)text, length);
    draw('\n');
    return true;
}

char port_display_pressed(void)
{
    return (UART_1->state & UART_CAME) != 0u ? (char)UART_1->data : 0;
}

/* -- reset -- */

void board_restart(void)
{
    AIRCR = AIRCR_RESET;
    for (;;) {
    }
}

void port_reset(void)
{
    (void)port_time_utc();
    WORDS->restart = RESTART;
    board_restart();
}

bool port_was_reset(void)
{
    return WORDS->restart != 0u;
}

#ifdef TN_TEST_BUILD
void port_flash_erase_half(uint32_t at)
{
    erase(at, TN_FLASH_PAGE / 2u);
}

void port_power_off(void)
{
    board_exit(EXIT_POWER);
}
#endif

bool board_ended;

void board_stand_still(void)
{
    for (;;) {
        __asm__ volatile("wfi");
    }
}

void board_exit(uint32_t status)
{
    uint32_t block[2] = {0x20026u, status}; /* the application ends */
    register uint32_t call __asm__("r0") = 0x20u;
    register uint32_t *told __asm__("r1") = block;
    board_ended = true; /* without semihosting this ends in a fault: the board is dead until its power comes again */
    __asm__ volatile("bkpt 0xAB" : "+r"(call) : "r"(told) : "memory");
    board_stand_still();
}

void board_open(void)
{
    UART_0->divider = 16;
    UART_0->control = UART_SENDS | UART_RECEIVES | UART_INTERRUPTS;
    UART_1->divider = 16;
    UART_1->control = UART_SENDS | UART_RECEIVES;
    TIMER_0->reload = 0xFFFFFFFFu;
    TIMER_0->control = TIMER_RUNS;
    TIMER_1->reload = WAKE_MS * TICKS_PER_MS;
    TIMER_1->control = TIMER_RUNS | TIMER_INTERRUPTS;
    NVIC_ENABLE = 1u << INTERRUPT_UART_0 | 1u << INTERRUPT_TIMER_1;
}

static void psram_open(void)
{
    uint64_t start = *(volatile uint64_t *)PSRAM_START;
    if (WORDS->magic != MAGIC) {
        erase(0, TN_FLASH_BYTES);
        WORDS->restart = 0;
        WORDS->magic = MAGIC;
    }
    WORDS->restart >>= 1;
    if (WORDS->start != start) {
        WORDS->start = start;
        WORDS->utc = start;
    }
}

void board_main(void)
{
    board_open();
    psram_open();
    tn_main();
}
