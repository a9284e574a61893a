/* The loop: bytes that have come, and time that has passed. */
#include "port.h"
#include "rooms.h"
#include "smp.h"
#include "suit.h"

#define TICK_MS 50u

static uint32_t ticked; /* ms, as they wrap */
static bool alive; /* provisioned: the agent runs */

#ifdef TN_TEST_BUILD
#ifndef TN_PRODUCT
#define TN_PRODUCT "thermostat"
#endif
#ifndef TN_VENDOR
#define TN_VENDOR "example.com"
#endif

/* What a board that tests provision is before that. A released one has no name until its maker gives it one. */
static void name_it(void)
{
    tn_put_words(tn_maker.id, "device");
    tn_put_words(tn_maker.product, TN_PRODUCT);
    tn_put_words(tn_maker.language, "en");
    tn_put_words(tn_maker.topics, "tocsin/v1");
    tn_uuid5(NULL, TN_VENDOR, tn_maker.vendor);
    tn_uuid5(tn_maker.vendor, TN_PRODUCT, tn_maker.model);
}
#endif

void tn_start(void)
{
#ifdef TN_TEST_BUILD
    if (!tn_store_load()) {
        name_it();
    }
#else
    (void)tn_store_load();
#endif
    alive = tn_agent_boot();
    tn_console(alive ? "tocsin: ready" : "tocsin: waits for its maker");
}

/* The owner's answers, as the display's buttons give them. */
static void take_answer(char pressed)
{
    if (pressed == 'a') {
        tn_agent_acknowledge();
    } else if (pressed == 'y' || pressed == 'l' || pressed == 'n') {
        (void)tn_agent_consent(&pressed);
    }
}

void tn_round(void)
{
    uint8_t bytes[32];
    uint32_t count = port_uart_read(bytes, sizeof(bytes));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = tn_frame_byte(bytes[i]);
        if (length > 0u) {
            tn_serve(length);
        }
    }
    if (!alive) {
        return;
    }
    take_answer(port_display_pressed());
    uint32_t now = port_time_ms();
    if (now - ticked >= TICK_MS) {
        ticked = now;
        tn_agent_tick();
    }
}

_Noreturn void tn_main(void)
{
    tn_start();
    for (;;) {
        tn_round();
    }
}
