/* The boot record, and what a boot loader decides from it: boot a trial once, then go back. */
#include "crypto.h"
#include "port.h"
#include "state.h"

/* Eight bytes each, one after the other, in two pages that take turns: the newest whole one counts. */
typedef struct {
    uint32_t number;
    uint8_t form, bits, crc[2];
} boot_unit;

#define FORM 0xB0u
#define UNIT_BYTES 8u
#define STRIDE (TN_FLASH_UNIT > UNIT_BYTES ? TN_FLASH_UNIT : UNIT_BYTES)
#define UNITS (TN_FLASH_PAGE / STRIDE) /* of one page */
#define BIT_ACTIVE 1u
#define BIT_HAS_TRIAL 2u
#define BIT_TRIAL 4u
#define BIT_TRIED 8u

typedef char boot_unit_has_its_size[sizeof(boot_unit) == UNIT_BYTES ? 1 : -1];

static struct {
    bool known;      /* the pages have been looked through */
    uint32_t number; /* of the newest record; 0: there is none */
    uint32_t page, next; /* the unit behind it that nothing was written to; UNITS: its page is full */
    uint8_t bits;
} boot;

static uint32_t place(uint32_t page, uint32_t unit)
{
    return TN_AT_BOOT + page * TN_FLASH_PAGE + unit * STRIDE;
}

static uint16_t unit_crc(const boot_unit *unit)
{
    return tn_crc16(0, unit, UNIT_BYTES - 2u);
}

static bool is_whole(const boot_unit *unit)
{
    uint16_t crc = unit_crc(unit);
    return unit->form == FORM && unit->crc[0] == (uint8_t)(crc >> 8) && unit->crc[1] == (uint8_t)crc;
}

static bool is_erased(const boot_unit *unit)
{
    const uint8_t *bytes = (const uint8_t *)unit;
    uint8_t all = 0xFF;
    for (uint32_t i = 0; i < UNIT_BYTES; i++) {
        all &= bytes[i];
    }
    return all == 0xFFu;
}

/* Look through one page. A torn record has spoilt its unit: the next one goes behind all that says anything. */
static void look_through(uint32_t page)
{
    boot_unit unit;
    uint32_t behind = 0;
    bool newest = false;
    for (uint32_t i = 0; i < UNITS; i++) {
        tn_copy(&unit, port_flash() + place(page, i), sizeof(unit));
        if (!is_erased(&unit)) {
            behind = i + 1u;
        }
        if (is_whole(&unit) && unit.number > boot.number) {
            boot.number = unit.number;
            boot.bits = unit.bits;
            newest = true;
        }
    }
    if (newest) {
        boot.page = page;
        boot.next = behind;
    }
}

static void find(void)
{
    if (!boot.known) {
        boot.known = true;
        boot.page = 1;
        boot.next = UNITS;
        look_through(0);
        look_through(1);
    }
}

void tn_boot_load(tn_boot_record *record)
{
    find();
    record->active = (boot.bits & BIT_ACTIVE) != 0u;
    record->has_trial = (boot.bits & BIT_HAS_TRIAL) != 0u;
    record->trial = (boot.bits & BIT_TRIAL) != 0u;
    record->tried = (boot.bits & BIT_TRIED) != 0u;
}

void tn_boot_save(const tn_boot_record *record)
{
    uint8_t bits = (uint8_t)(record->active != 0u ? BIT_ACTIVE : 0u);
    if (record->has_trial) {
        bits |= BIT_HAS_TRIAL;
        bits |= (uint8_t)(record->trial != 0u ? BIT_TRIAL : 0u);
        bits |= (uint8_t)(record->tried ? BIT_TRIED : 0u);
    }
    find();
    if (bits == boot.bits) {
        return;
    }
    boot_unit unit = {boot.number + 1u, FORM, bits, {0, 0}};
    uint16_t crc = unit_crc(&unit);
    unit.crc[0] = (uint8_t)(crc >> 8);
    unit.crc[1] = (uint8_t)crc;
    if (boot.next == UNITS) {
        boot.page = 1u - boot.page;
        boot.next = 0;
        tn_flash_erase(place(boot.page, 0), TN_FLASH_PAGE);
    }
    tn_flash_write(place(boot.page, boot.next), &unit, sizeof(unit));
    boot.next++;
    boot.number++;
    boot.bits = bits;
}

uint8_t tn_boot_select(void)
{
    tn_boot_record record;
    tn_boot_load(&record);
    if (!record.has_trial) {
        return record.active;
    }
    if (record.tried) { /* nobody confirmed it */
        record.has_trial = false;
        tn_boot_save(&record);
        return record.active;
    }
    record.tried = true; /* stored before it starts: it is booted once, even if the power fails in the middle of it */
    tn_boot_save(&record);
    return record.trial;
}
