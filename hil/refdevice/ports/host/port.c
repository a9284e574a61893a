/* The port to this machine: flash is a file, the clock is the machine's, the display is text.
 *
 *   tocsin-device FLASH PORT [--display FILE] [--utc SECONDS]
 *
 * PORT is pty, pty:LINK or tcp:PORT; where the line is found is printed. With --utc the clock starts there.
 * A reset starts the program anew, on the same line. A power cut ends it with 9; what was written stays. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "limits.h"
#include "port.h"
#include "smp.h"

#define EXIT_POWER 9
#define EXIT_FLASH 70 /* flash was written in a way that no flash bears */
#define COLUMNS 128u
#define YEAR_10000 253402300800ll

FILE *display_file;

static uint8_t *flash;
static char **arguments;
static bool was_reset;
static struct timespec began;
static int64_t ahead; /* seconds that the board's clock is before the machine's */

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

/* -- flash -- */

static void flash_open(const char *path)
{
    struct stat found;
    static uint8_t erased[TN_FLASH_PAGE];
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || fstat(file, &found) != 0) {
        fail(path);
    }
    if (flock(file, LOCK_EX | LOCK_NB) != 0) {
        errno = EBUSY; /* of another device: two would write over each other */
        fail(path);
    }
    memset(erased, 0xFF, sizeof(erased));
    for (off_t at = found.st_size; at < (off_t)TN_FLASH_BYTES; at += (off_t)TN_FLASH_PAGE) {
        if (pwrite(file, erased, sizeof(erased), at) != (ssize_t)sizeof(erased)) {
            fail(path);
        }
    }
    void *mapped = mmap(NULL, TN_FLASH_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) {
        fail(path);
    }
    flash = mapped; /* the file stays open: that keeps it this program's alone */
}

static void check(bool holds, const char *what, uint32_t at)
{
    if (!holds) {
        fprintf(stderr, "flash: %s at 0x%x\n", what, at);
        _exit(EXIT_FLASH);
    }
}

static void check_inside(uint32_t at, uint32_t count)
{
    check(at <= TN_FLASH_BYTES && count <= TN_FLASH_BYTES - at, "outside", at);
}

const uint8_t *port_flash(void)
{
    return flash;
}

void port_flash_write(uint32_t at, const void *bytes, uint32_t count)
{
    check_inside(at, count);
    check(at % TN_FLASH_UNIT == 0u && count % TN_FLASH_UNIT == 0u, "not whole units", at);
    for (uint32_t i = 0; i < count; i++) {
        check(flash[at + i] == 0xFF, "written twice", at + i);
    }
    memcpy(flash + at, bytes, count);
}

void port_flash_erase(uint32_t at)
{
    check_inside(at, TN_FLASH_PAGE);
    check(at % TN_FLASH_PAGE == 0u, "not a page", at);
    memset(flash + at, 0xFF, TN_FLASH_PAGE);
}

/* -- time -- */

uint32_t port_time_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t ms = (int64_t)(now.tv_sec - began.tv_sec) * 1000 + (now.tv_nsec - began.tv_nsec) / 1000000;
    return ms > 0 ? (uint32_t)ms : 0u;
}

uint64_t port_time_utc(void)
{
    return (uint64_t)((int64_t)time(NULL) + ahead);
}

/* -- display -- */

bool port_display_page(const uint8_t *dots)
{
    fprintf(display_file, "page");
    for (uint32_t dot = 0; dot < TN_PAGE_BYTES * 8u; dot++) {
        if (dot % COLUMNS == 0u) {
            fputc('\n', display_file);
        }
        fputc((dots[dot / 8u] << dot % 8u & 0x80) != 0 ? '#' : ' ', display_file);
    }
    fputc('\n', display_file);
    return fflush(display_file) == 0;
}

bool port_display_line(uint32_t number, const char *text, uint32_t length)
{
    fprintf(display_file, "%u %.*s\n", number, (int)length, text);
    return fflush(display_file) == 0;
}

/* A file has no buttons: whoever wants them presses those of a test build, over the line. */
char port_display_pressed(void)
{
    return 0;
}

/* -- reset -- */

void port_reset(void)
{
    char descriptors[64];
    line_descriptors(descriptors, sizeof(descriptors));
    if (setenv("TOCSIN_DEVICE_LINE", descriptors, 1) == 0) {
        execv("/proc/self/exe", arguments);
    }
    fail("reset");
}

bool port_was_reset(void)
{
    return was_reset;
}

#ifdef TN_TEST_BUILD
void port_flash_erase_half(uint32_t at)
{
    check_inside(at, TN_FLASH_PAGE);
    memset(flash + at, 0xFF, TN_FLASH_PAGE / 2u);
}

#ifdef TN_COVERAGE
void __gcov_dump(void);
#endif

void port_power_off(void)
{
#ifdef TN_COVERAGE
    __gcov_dump();
#endif
    _exit(EXIT_POWER);
}
#endif

/* The clock is as far ahead after a reset as before. False: this is no time. */
static bool set_clock(const char *utc)
{
    const char *before = getenv("TOCSIN_DEVICE_AHEAD");
    char text[32], *end;
    long long seconds = strtoll(utc, &end, 10);
    if (*utc == 0 || *end != 0 || seconds < 0 || seconds >= YEAR_10000) {
        return false;
    }
    ahead = before != NULL ? strtoll(before, NULL, 10) : seconds - (int64_t)time(NULL);
    snprintf(text, sizeof(text), "%lld", (long long)ahead);
    if (setenv("TOCSIN_DEVICE_AHEAD", text, 1) != 0) {
        fail("environment");
    }
    return true;
}

int main(int count, char **words)
{
    const char *descriptors = getenv("TOCSIN_DEVICE_LINE");
    arguments = words;
    display_file = stderr;
    for (int i = 3; i < count; i += 2) {
        if (i + 1 < count && strcmp(words[i], "--display") == 0) {
            display_file = fopen(words[i + 1], descriptors == NULL ? "we" : "ae");
            if (display_file == NULL) {
                fail(words[i + 1]);
            }
        } else if (i + 1 == count || strcmp(words[i], "--utc") != 0 || !set_clock(words[i + 1])) {
            count = 0;
        }
    }
    if (count < 3) {
        fprintf(stderr, "tocsin-device FLASH PORT [--display FILE] [--utc SECONDS]\n"
                        "PORT is pty, pty:LINK or tcp:PORT\n");
        return 2;
    }
    flash_open(words[1]);
    if (descriptors != NULL) {
        was_reset = true;
        line_take(descriptors);
    } else if (!line_open(words[2])) {
        fail(words[2]);
    }
    clock_gettime(CLOCK_MONOTONIC, &began);
    tn_main();
}
