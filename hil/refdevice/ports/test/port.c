/* The port of the unit tests, which call the core as a shared library: flash is memory, and what goes out is kept.
 *
 * test_power_on() gives all statics of the library back their first values, as power-on does; flash stays. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limits.h"
#include "port.h"

/* First of all that is linked: where the library's data begin. */
static char begin_of_data[16] = "begin of data";
extern char _end[] __attribute__((visibility("hidden")));

#define KEPT_BYTES 65536u
#define UNITS (TN_FLASH_BYTES / TN_FLASH_UNIT)

typedef struct {
    uint8_t bytes[KEPT_BYTES];
    uint32_t count;
} kept;

struct world {
    uint8_t flash[TN_FLASH_BYTES];
    bool written[UNITS];
    uint32_t erases[TN_FLASH_BYTES / TN_FLASH_PAGE];
    kept in, out, lines;
    uint8_t page[TN_PAGE_BYTES];
    uint32_t pages;
    uint64_t ms, utc;
    bool dead, reset, was_reset, blind;
    char pressed; /* a button, until the core has looked */
    bool stops; /* in test_until_off() */
    jmp_buf off;
    char wrong[160];
    char *first; /* values of all statics */
};

static struct world *world;

static size_t size_of_data(void)
{
    return (size_t)(_end - begin_of_data);
}

#ifdef TN_COVERAGE
void __gcov_dump(void);
#endif

__attribute__((constructor)) static void made(void)
{
    world = calloc(1, sizeof(*world));
    char *first = malloc(size_of_data());
    if (world == NULL || first == NULL) {
        abort();
    }
    world->first = first;
    memset(world->flash, 0xFF, TN_FLASH_BYTES);
    memcpy(first, begin_of_data, size_of_data());
}

static void power(bool was_reset)
{
#ifdef TN_COVERAGE
    __gcov_dump(); /* counts are statics too */
#endif
    memcpy(begin_of_data, world->first, size_of_data());
    world->dead = false;
    world->reset = false;
    world->was_reset = was_reset;
    world->in.count = 0;
    world->ms = 0;
}

static void wrong(const char *what, uint32_t at)
{
    if (world->wrong[0] == 0) {
        snprintf(world->wrong, sizeof(world->wrong), "%s at 0x%x", what, at);
    }
}

static void keep(kept *where, const void *bytes, uint32_t count)
{
    if (where->count + count > KEPT_BYTES) {
        where->count = 0; /* nobody reads it */
    }
    memcpy(where->bytes + where->count, bytes, count);
    where->count += count;
}

static uint32_t take(kept *where, uint8_t *bytes, uint32_t most)
{
    uint32_t count = where->count < most ? where->count : most;
    memcpy(bytes, where->bytes, count);
    memmove(where->bytes, where->bytes + count, where->count - count);
    where->count -= count;
    return count;
}

/* -- what tests call -- */

void test_power_on(void)
{
    power(false);
}

/* What follows port_reset(). */
void test_reset(void)
{
    power(true);
}

void test_new(void)
{
    char *first = world->first;
    power(false);
    memset(world, 0, sizeof(*world));
    memset(world->flash, 0xFF, TN_FLASH_BYTES);
    world->first = first;
}

/* Call into the core, and come back at once when the power goes: nothing is done behind a cut, as on a board. */
void test_until_off(void (*what)(void))
{
    world->stops = true;
    if (setjmp(world->off) == 0) {
        what();
    }
    world->stops = false;
}

bool test_dead(void)
{
    return world->dead;
}

bool test_reset_asked(void)
{
    return world->reset;
}

/* The first thing that no flash would bear; empty: nothing. */
const char *test_wrong(void)
{
    return world->wrong;
}

uint8_t *test_flash(void)
{
    return world->flash;
}

uint32_t test_flash_bytes(void)
{
    return TN_FLASH_BYTES;
}

/* Put bytes there as if they had been erased and written. */
void test_flash_load(uint32_t at, const uint8_t *bytes, uint32_t count)
{
    memcpy(world->flash + at, bytes, count);
    memset(world->written + at / TN_FLASH_UNIT, true, (count + TN_FLASH_UNIT - 1u) / TN_FLASH_UNIT);
}

uint32_t test_erases(uint32_t page)
{
    return world->erases[page];
}

void test_set_utc(uint64_t utc)
{
    world->utc = utc;
}

void test_set_ms(uint64_t ms)
{
    world->ms = ms;
}

void test_uart_feed(const uint8_t *bytes, uint32_t count)
{
    keep(&world->in, bytes, count);
}

uint32_t test_uart_take(uint8_t *bytes, uint32_t most)
{
    return take(&world->out, bytes, most);
}

/* Lines drawn since they were taken last: "number text\n" each. */
uint32_t test_lines_take(uint8_t *bytes, uint32_t most)
{
    return take(&world->lines, bytes, most);
}

/* How many pages were drawn; the last one. */
uint32_t test_pages(uint8_t *dots)
{
    memcpy(dots, world->page, TN_PAGE_BYTES);
    return world->pages;
}

/* The display does not work from now on, or does again. */
void test_blind(bool blind)
{
    world->blind = blind;
}

/* Press a button of the display. */
void test_press(char button)
{
    world->pressed = button;
}

/* -- what the core calls -- */

uint32_t port_uart_read(uint8_t *bytes, uint32_t most)
{
    return take(&world->in, bytes, most);
}

void port_uart_write(const uint8_t *bytes, uint32_t count)
{
    if (!world->dead && !world->reset) {
        keep(&world->out, bytes, count);
    }
}

static bool inside(uint32_t at, uint32_t count)
{
    bool fits = at <= TN_FLASH_BYTES && count <= TN_FLASH_BYTES - at;
    if (!fits) {
        wrong("outside of flash", at);
    }
    return fits;
}

const uint8_t *port_flash(void)
{
    return world->flash;
}

void port_flash_write(uint32_t at, const void *bytes, uint32_t count)
{
    if (world->dead || !inside(at, count)) {
        return;
    }
    if (at % TN_FLASH_UNIT != 0u || count % TN_FLASH_UNIT != 0u) {
        wrong("not a multiple of the unit", at);
    }
    for (uint32_t unit = at / TN_FLASH_UNIT; unit < (at + count) / TN_FLASH_UNIT; unit++) {
        if (world->written[unit]) {
            wrong("written twice", unit * TN_FLASH_UNIT);
        }
        world->written[unit] = true;
    }
    memcpy(world->flash + at, bytes, count);
}

static void erase(uint32_t at, uint32_t count)
{
    if (world->dead || !inside(at, TN_FLASH_PAGE)) {
        return;
    }
    if (at % TN_FLASH_PAGE != 0u) {
        wrong("not a page", at);
        return;
    }
    memset(world->flash + at, 0xFF, count);
    memset(world->written + at / TN_FLASH_UNIT, false, count / TN_FLASH_UNIT);
    world->erases[at / TN_FLASH_PAGE]++;
}

void port_flash_erase(uint32_t at)
{
    erase(at, TN_FLASH_PAGE);
}

void port_flash_erase_half(uint32_t at)
{
    erase(at, TN_FLASH_PAGE / 2u);
}

uint32_t port_time_ms(void)
{
    return (uint32_t)world->ms;
}

uint64_t port_time_utc(void)
{
    return world->utc;
}

bool port_display_page(const uint8_t *dots)
{
    if (world->blind) {
        return false;
    }
    memcpy(world->page, dots, TN_PAGE_BYTES);
    world->pages++;
    return true;
}

bool port_display_line(uint32_t number, const char *text, uint32_t length)
{
    char head[16];
    if (world->blind) {
        return false;
    }
    keep(&world->lines, head, (uint32_t)snprintf(head, sizeof(head), "%u ", number));
    keep(&world->lines, text, length);
    keep(&world->lines, "\n", 1);
    return true;
}

char port_display_pressed(void)
{
    char pressed = world->pressed;
    world->pressed = 0;
    return pressed;
}

void port_reset(void)
{
    world->reset = true;
}

bool port_was_reset(void)
{
    return world->was_reset;
}

void port_power_off(void)
{
    world->dead = true;
    if (world->stops) {
        longjmp(world->off, 1);
    }
}
