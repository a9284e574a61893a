/* From reset to board_main(): vectors, memory; and what a compiler may call of a C library. */
#include <stddef.h>

#include "board.h"

extern uint32_t board_bss[], board_bss_end[], board_stack_top[];

/* The linker's optimiser does not see that it will call them itself. */
#define USED __attribute__((used))

void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int value, size_t count);
int memcmp(const void *one, const void *other, size_t count);
_Noreturn void board_start(void);
_Noreturn void board_fault(void);

#define EXIT_FAULT 71u

USED void *memcpy(void *to, const void *from, size_t count)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    while (count-- > 0u) {
        *target++ = *source++;
    }
    return to;
}

USED void *memmove(void *to, const void *from, size_t count)
{
    uint8_t *target = to;
    const uint8_t *source = from;
    if (target <= source) {
        return memcpy(to, from, count);
    }
    while (count-- > 0u) {
        target[count] = source[count];
    }
    return to;
}

USED void *memset(void *to, int value, size_t count)
{
    uint8_t *target = to;
    while (count-- > 0u) {
        *target++ = (uint8_t)value;
    }
    return to;
}

USED int memcmp(const void *one, const void *other, size_t count)
{
    const uint8_t *first = one, *second = other;
    for (; count > 0u; count--, first++, second++) {
        if (*first != *second) {
            return *first < *second ? -1 : 1;
        }
    }
    return 0;
}

void board_start(void)
{
    for (uint32_t *word = board_bss; word < board_bss_end;) {
        *word++ = 0;
    }
    __asm__ volatile("cpsid i"); /* interrupts only wake */
    board_main();
}

/* A stack that overflowed, too: its pages are below all memory. */
void board_fault(void)
{
#ifdef TN_TEST_BUILD
    static const uint8_t said[] = "\r\ntocsin: fault\r\n";
    if (board_ended) {
        board_stand_still();
    }
    __asm__ volatile("msr msp, %0" : : "r"(board_stack_top));
    board_send(UART_0, said, sizeof(said) - 1u);
    board_exit(EXIT_FAULT);
#else
    board_restart();
#endif
}

/* Stack, reset, NMI, hard fault: no other fault is enabled, so each becomes a hard one, and no interrupt is taken. */
__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    board_stack_top, (const void *)board_start, (const void *)board_fault, (const void *)board_fault,
};
