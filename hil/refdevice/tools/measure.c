/* How many instructions a signature check takes: an image of its own for QEMU, which with `-icount shift=0` runs one
 * instruction a nanosecond. It says on UART 0, a line each: "known N" for a million instructions that are known, and
 * "verify N" for the dearest of some checks of TN_ROOT_BYTES_MAX bytes that lie in flash. */
#include "crypto.h"
#include "limits.h"
#include "ports/mps2/board.h"
#include "smp.h"
#include "state.h"

#define NS_PER_TICK (1000000000u / BOARD_HZ)
#define TIMES 8u
#define KNOWN 1000000u

static uint32_t begin(void)
{
    return TIMER_0->value;
}

static uint32_t instructions(uint32_t since)
{
    return (since - TIMER_0->value) * NS_PER_TICK;
}

static void say(const char *what, uint32_t number)
{
    uint8_t digits[11];
    uint32_t count = sizeof(digits);
    digits[--count] = '\n';
    do {
        digits[--count] = (uint8_t)('0' + number % 10u);
        number /= 10u;
    } while (number > 0u);
    board_send(UART_0, (const uint8_t *)what, tn_length(what));
    board_send(UART_0, digits + count, (uint32_t)sizeof(digits) - count);
}

/* Two instructions a round. */
static uint32_t known(void)
{
    uint32_t rounds = KNOWN / 2u;
    uint32_t since = begin();
    __asm__ volatile("1: subs %0, %0, #1\n bne 1b" : "+r"(rounds) : : "cc");
    return instructions(since);
}

static uint32_t verify(uint8_t number)
{
    static uint8_t seed[TN_PUBLIC], key[TN_PUBLIC], signature[TN_SIGNATURE];
    tn_source parts[3] = {{NULL, 0}, {NULL, 0}, tn_in_flash(TN_AT_STAGING, TN_ROOT_BYTES_MAX)};
    tn_fill(seed, number, sizeof(seed));
    tn_ed25519_public(seed, key);
    tn_ed25519_sign(seed, parts, 3, signature);
    uint32_t since = begin();
    bool good = tn_ed25519_check(key, signature, parts, 3);
    uint32_t took = instructions(since);
    signature[0] ^= 1u;
    return good && !tn_ed25519_check(key, signature, parts, 3) ? took : 0xFFFFFFFFu;
}

void tn_main(void)
{
    uint32_t most = 0;
    say("known ", known());
    for (uint8_t number = 0; number < TIMES; number++) {
        uint32_t took = verify(number);
        most = took > most ? took : most;
    }
    say("verify ", most);
    board_exit(0);
}
