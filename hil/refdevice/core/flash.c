/* The one door to flash: every change is counted, and a test may cut the power at any of them. */
#include "port.h"
#include "state.h"

static struct {
    uint32_t writes; /* and erases */
#ifdef TN_TEST_BUILD
    uint32_t cut_at; /* changes still to come until the power goes, that one included; 0: it stays */
    uint8_t cut_when;
    bool dead; /* a port that cannot end its program returns from the cut: nothing is written from then on */
#endif
} door;

uint32_t tn_store_writes(void)
{
    return door.writes;
}

#ifdef TN_TEST_BUILD
void tn_flash_cut(uint32_t at, tn_cut when)
{
    door.cut_at = at;
    door.cut_when = (uint8_t)when;
}

static void power_off(void)
{
    door.dead = true;
    port_power_off();
}

/* Count one change; true where the power goes at it. */
static bool counted(void)
{
    door.writes++;
    if (door.cut_at == 0u) {
        return false;
    }
    door.cut_at--;
    return door.cut_at == 0u;
}
#endif

static void write_whole(uint32_t at, const uint8_t *bytes, uint32_t count)
{
    uint8_t last[TN_FLASH_UNIT];
    uint32_t even = count - count % TN_FLASH_UNIT;
    if (even > 0u) {
        port_flash_write(at, bytes, even);
    }
    if (even < count) {
        tn_fill(last, 0xFF, TN_FLASH_UNIT);
        tn_copy(last, bytes + even, count - even);
        port_flash_write(at + even, last, TN_FLASH_UNIT);
    }
}

void tn_flash_write(uint32_t at, const void *bytes, uint32_t count)
{
    if (count == 0u) {
        return;
    }
#ifdef TN_TEST_BUILD
    if (door.dead) {
        return;
    }
    if (counted()) {
        uint32_t half = count / 2u;
        if (door.cut_when != TN_CUT_BEFORE) {
            write_whole(at, bytes, door.cut_when == TN_CUT_TORN ? half - half % TN_FLASH_UNIT : count);
        }
        power_off();
        return;
    }
#else
    door.writes++;
#endif
    write_whole(at, bytes, count);
}

static void erase_page(uint32_t at)
{
#ifdef TN_TEST_BUILD
    if (door.dead) {
        return;
    }
    if (counted()) {
        if (door.cut_when == TN_CUT_TORN) {
            port_flash_erase_half(at);
        } else if (door.cut_when == TN_CUT_AFTER) {
            port_flash_erase(at);
        }
        power_off();
        return;
    }
#else
    door.writes++;
#endif
    port_flash_erase(at);
}

void tn_flash_erase(uint32_t at, uint32_t count)
{
    for (uint32_t done = 0; done < count; done += TN_FLASH_PAGE) {
        erase_page(at + done);
    }
}

void tn_flash_copy(uint32_t to, tn_source from)
{
    uint32_t pages = (from.length + TN_FLASH_PAGE - 1u) / TN_FLASH_PAGE;
    tn_flash_erase(to, pages * TN_FLASH_PAGE);
    tn_flash_write(to, from.bytes, from.length);
}

static void put(uint32_t at, const void *bytes, uint32_t count)
{
    if (at % TN_FLASH_PAGE == 0u) {
        tn_flash_erase(at, TN_FLASH_PAGE);
    }
    tn_flash_write(at, bytes, count);
}

void tn_flash_add(tn_stream *to, const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;
    while (count > 0u) {
        uint32_t over = to->at % TN_FLASH_UNIT, some = TN_FLASH_UNIT - over;
        if (over == 0u && count >= TN_FLASH_UNIT) { /* whole units are written from where they lie */
            some = TN_FLASH_PAGE - to->at % TN_FLASH_PAGE;
            some = some < count ? some : count - count % TN_FLASH_UNIT;
            put(to->at, from, some);
        } else {
            some = some < count ? some : count;
            tn_copy(to->unit + over, from, some);
            if (over + some == TN_FLASH_UNIT) {
                put(to->at - over, to->unit, TN_FLASH_UNIT);
            }
        }
        to->at += some;
        from += some;
        count -= some;
    }
}

void tn_flash_end(const tn_stream *to)
{
    uint32_t over = to->at % TN_FLASH_UNIT;
    if (over > 0u) {
        put(to->at - over, to->unit, over);
    }
}
