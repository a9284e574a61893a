/* Registers of the MPS2 board with AN385 (Arm DAI 0385), as far as this port uses them. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

#define BOARD_HZ 25000000u

typedef volatile struct {
    uint32_t data, state, control, interrupt, divider;
} board_uart;

#define UART_SENDING 1u /* state: the byte before is not gone yet */
#define UART_CAME 2u    /* state: a byte waits */
#define UART_SENDS 1u   /* control */
#define UART_RECEIVES 2u
#define UART_INTERRUPTS 8u /* where a byte came */

typedef volatile struct {
    uint32_t control, value, reload, interrupt;
} board_timer;

#define TIMER_RUNS 1u
#define TIMER_INTERRUPTS 8u

#define TIMER_0 ((board_timer *)0x40000000u)
#define TIMER_1 ((board_timer *)0x40001000u)
#define UART_0 ((board_uart *)0x40004000u)
#define UART_1 ((board_uart *)0x40005000u)
#define INTERRUPT_UART_0 0u
#define INTERRUPT_TIMER_1 9u

#define REGISTER(at) (*(volatile uint32_t *)(at))
#define NVIC_ENABLE REGISTER(0xE000E100u)
#define NVIC_FORGET REGISTER(0xE000E280u)
#define AIRCR REGISTER(0xE000ED0Cu)
#define AIRCR_RESET 0x05FA0004u

/* 16 MiB of RAM outside of the chip: it is all that outlives a reset, and a file keeps it when QEMU is killed. */
#define PSRAM 0x21000000u
#define PSRAM_WORDS 0x21F00000u /* the board's own, behind its flash */
#define PSRAM_START 0x21FFFFF8u /* UTC seconds at power-on, written by whoever starts QEMU */

/* What main() of this image does, once memory is ready. */
_Noreturn void board_main(void);
/* Say something on a UART. */
void board_send(board_uart *uart, const uint8_t *bytes, uint32_t count);
/* Set UART and timers going. */
void board_open(void);
_Noreturn void board_restart(void);
/* End QEMU with a status, where semihosting is on; else stand still. */
_Noreturn void board_exit(uint32_t status);
_Noreturn void board_stand_still(void);
extern bool board_ended;

#endif
