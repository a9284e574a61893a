/* The whole device behind its line: an input is a list of things that happen to it (tests/fuzz/seeds.py makes them from
 * genuine documents). Every signature is taken for right, so that what lies behind the signatures is reached, too.
 * Afterwards the device must start from what it has stored. TN_FUZZ_ROOT names the file of root 1. */
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#include "rooms.h"
#include "smp.h"

#define STEPS_MAX 40

static uint8_t made[TN_FLASH_BYTES]; /* the flash of the device as it left its maker */

/* All that the core keeps in memory (the Makefile gives it sections of its own), and its first values. */
extern char __start_core_bss[], __stop_core_bss[], __start_core_data[], __stop_core_data[];
static char first_bss[1u << 18], first_data[1u << 18];

/* Between variables lies what ASan watches: nobody but this may touch it. */
__attribute__((no_sanitize("address"), noinline)) static void copy(char *to, const char *from, const char *end)
{
    while (from < end) {
        *(volatile char *)to++ = *from++;
    }
}

static void remember_memory(void)
{
    HOLDS(__stop_core_bss - __start_core_bss <= (ptrdiff_t)sizeof first_bss);
    HOLDS(__stop_core_data - __start_core_data <= (ptrdiff_t)sizeof first_data);
    copy(first_bss, __start_core_bss, __stop_core_bss);
    copy(first_data, __start_core_data, __stop_core_data);
}

/* What switching the power on does. */
static void power_on(void)
{
    copy(__start_core_bss, first_bss, first_bss + (__stop_core_bss - __start_core_bss));
    copy(__start_core_data, first_data, first_data + (__stop_core_data - __start_core_data));
}

/* -- instead of ed25519.c -- */

bool tn_ed25519_is_key(const uint8_t key[TN_PUBLIC])
{
    return key[0] != 1u;
}

bool tn_ed25519_check(const uint8_t key[TN_PUBLIC], const uint8_t signature[TN_SIGNATURE], tn_source *parts,
                      uint32_t count)
{
    uint8_t last = key[31];
    for (uint32_t i = 2; i < count; i++) {
        uint8_t byte;
        tn_read(parts[i], parts[i].length == 0u ? 0u : parts[i].length - 1u, &byte, 1);
        last ^= byte;
    }
    return last != signature[0] || signature[1] != 0u;
}

void tn_ed25519_public(const uint8_t seed[TN_PUBLIC], uint8_t key[TN_PUBLIC])
{
    memcpy(key, seed, TN_PUBLIC);
}

void tn_ed25519_sign(const uint8_t seed[TN_PUBLIC], tn_source *parts, uint32_t count, uint8_t signature[TN_SIGNATURE])
{
    (void)parts;
    (void)count;
    memset(signature, seed[0], TN_SIGNATURE);
}

/* -- the device -- */

static void start(void)
{
    do {
        fuzz_reset = false;
        power_on();
        tn_start();
    } while (fuzz_reset);
}

static void provision(void)
{
    const char *name = getenv("TN_FUZZ_ROOT");
    FILE *file = name == NULL ? NULL : fopen(name, "rb");
    remember_memory();
    memset(fuzz_flash, 0xFF, sizeof fuzz_flash);
    tn_start(); /* fills in what a new device is */
    if (file != NULL) {
        static uint8_t root[TN_ROOT_BYTES_MAX];
        tn_factory factory = tn_maker;
        uint32_t length = (uint32_t)fread(root, 1, sizeof root, file);
        fclose(file);
        memcpy(fuzz_flash + TN_AT_ROOTS, root, length);
        strcpy(factory.id, "device-0001");
        HOLDS(tn_trust_is_root_1(tn_in_flash(TN_AT_ROOTS, length), NULL, factory.root_1) == TN_OK);
        factory.root_1_length = (uint16_t)length;
        factory.provisioned = true;
        tn_store_save_factory(&factory);
        tn_image_make((const tn_version_part[4]){1, 4, 1, 0});
        start();
    }
    memcpy(made, fuzz_flash, sizeof made);
}

typedef struct {
    const uint8_t *data;
    size_t left;
} input;

static uint8_t next(input *from)
{
    if (from->left == 0u) {
        return 0;
    }
    from->left--;
    return *from->data++;
}

/* A message: its topic's number, its length in two bytes, its bytes. It comes as if it had been put; a `put` that is
 * under way goes on behind it, for only `put` itself writes where messages are staged. */
static void message(input *from)
{
    static uint8_t under_way[TN_STAGING_BYTES];
    static const char *const topics[] = {
        "root/2", "timestamp/thermostat", "catalogue/thermostat", "notice/thermostat/EX-2026-0001",
        "text/thermostat/en/EX-2026-0001", "pages/thermostat/en/EX-2026-0001", "patch/thermostat/7",
        "device/device-0001/offer", "device/device-0001/answer", "device/device-0001/block", "root/3", "nothing/else",
    };
    static char topic[TN_TOPIC_BYTES_MAX];
    const char *leaf = topics[next(from) % (sizeof topics / sizeof *topics)];
    size_t length = next(from);
    length |= (size_t)next(from) << 8;
    if (length > from->left) {
        length = from->left;
    }
    snprintf(topic, sizeof topic, "tocsin/v1/%s", leaf);
    tn_source where = tn_in_memory(topic, (uint32_t)strlen(topic));
    memcpy(under_way, fuzz_flash + TN_AT_STAGING, sizeof under_way);
    (void)tn_agent_receive(where, fuzz_staged(from->data, length));
    memcpy(fuzz_flash + TN_AT_STAGING, under_way, sizeof under_way);
    from->data += length;
    from->left -= length;
}

/* A request as it comes out of its frame: its length in two bytes, its bytes. */
static void request(input *from)
{
    size_t length = next(from);
    length |= (size_t)next(from) << 8;
    if (length > from->left) {
        length = from->left;
    }
    if (length > TN_SMP_BUFFER_BYTES - 4u) {
        length = TN_SMP_BUFFER_BYTES - 4u;
    }
    memcpy(TN_MESSAGE, from->data, length);
    from->data += length;
    from->left -= length;
    fuzz_sent_count = 0;
    tn_serve((uint32_t)length);
}

static void step(input *from)
{
    static const char *const answers[] = {"yes", "later", "no", "maybe"};
    uint8_t what = next(from);
    uint8_t how = what >> 4;
    switch (what & 15u) {
    case 0: case 1: case 2: case 3: case 4: case 5:
        message(from);
        break;
    case 6: case 7: case 8:
        request(from);
        break;
    case 9:
        fuzz_ms += (uint64_t)1000u << how;
        fuzz_utc += (uint64_t)1u << how;
        tn_agent_tick();
        break;
    case 10:
        tn_agent_acknowledge();
        break;
    case 11:
        (void)tn_agent_consent(answers[how % 4u]);
        break;
    case 12:
        tn_agent_connected(how % 2u == 0u);
        break;
    case 13:
        if (tn_out_head() != NULL) {
            tn_out_acknowledge(tn_out_head()->number);
        }
        break;
    case 14:
        start();
        break;
    default:
        tn_agent_clock(1800000000u + ((uint64_t)how << 20));
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool provisioned;
    if (!provisioned) {
        provision();
        provisioned = true;
    }
    memcpy(fuzz_flash, made, sizeof made);
    fuzz_ms = 0;
    fuzz_utc = 1800000060u;
    start();
    input from = {data, size};
    for (int steps = 0; steps < STEPS_MAX && from.left > 0u; steps++) {
        step(&from);
        if (fuzz_reset) {
            start();
        }
    }
    uint64_t epoch = tn_stored.boot_epoch;
    uint64_t root = tn_trust_root()->version;
    start();
    HOLDS(getenv("TN_FUZZ_ROOT") == NULL || (tn_stored.boot_epoch > epoch && tn_trust_root()->version >= root) ||
          !tn_maker.provisioned || tn_stored.boot_epoch <= 1u); /* or a request made it new */
    return 0;
}
