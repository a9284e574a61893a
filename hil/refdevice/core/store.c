/* What outlives a reset: the maker's record, the state, and the boot record, each stored as a whole. They take turns in
 * pages of their own: the newest whole one counts. */
#include "crypto.h"
#include "port.h"
#include "state.h"

#define FORM_FACTORY 0x544E4601u
#define FORM_STATE 0x544E5303u
#define FORM_BOOT 0x544E4202u
#define HEAD_BYTES (TN_FLASH_UNIT > 8u ? TN_FLASH_UNIT : 8u) /* in units of its own */

tn_state tn_stored;
tn_factory tn_maker;
static tn_boot_record boot;

typedef struct {
    uint32_t page, number; /* where the newest one lies; it rises with every record, and 0 is none */
} record_place;

typedef struct {
    uint32_t at, pages;
    uint32_t form; /* of such a record: another one is not read */
    uint32_t length;
    void *object;
    record_place *place;
} record_kind;

typedef struct {
    uint32_t number;
    uint32_t crc; /* over form, number and record */
} record_head;

static record_place places[3];
static const record_kind of_factory = {
    TN_AT_FACTORY, TN_FACTORY_BYTES / TN_FLASH_PAGE, FORM_FACTORY, sizeof(tn_maker), &tn_maker, &places[0]};
static const record_kind of_state = {
    TN_AT_STATE, TN_STATE_BYTES / TN_FLASH_PAGE, FORM_STATE, sizeof(tn_stored), &tn_stored, &places[1]};
static const record_kind of_boot = {
    TN_AT_BOOT, TN_BOOT_BYTES / TN_FLASH_PAGE, FORM_BOOT, sizeof(boot), &boot, &places[2]};

typedef char factory_fits_a_page[sizeof(tn_factory) + HEAD_BYTES <= TN_FLASH_PAGE ? 1 : -1];
typedef char state_fits_a_page[sizeof(tn_state) + HEAD_BYTES <= TN_FLASH_PAGE ? 1 : -1];

static uint32_t crc_of(const record_kind *kind, uint32_t number, const void *object)
{
    return tn_crc32(tn_crc32(kind->form, &number, sizeof(number)), object, kind->length);
}

/* Read the newest one; where there is none, the object is all zeros. */
static void load(const record_kind *kind)
{
    record_place *place = kind->place;
    record_head head;
    tn_fill(kind->object, 0, kind->length);
    place->number = 0;
    for (uint32_t page = 0; page < kind->pages; page++) {
        const uint8_t *at = port_flash() + kind->at + page * TN_FLASH_PAGE;
        tn_copy(&head, at, sizeof(head));
        at += HEAD_BYTES;
        if (head.number > place->number && head.crc == crc_of(kind, head.number, at)) {
            place->page = page;
            place->number = head.number;
            tn_copy(kind->object, at, kind->length);
        }
    }
}

/* The head is written last: without it the page says nothing. */
static void save(const record_kind *kind)
{
    record_place *place = kind->place;
    record_head head = {place->number + 1u, 0};
    head.crc = crc_of(kind, head.number, kind->object);
    place->number = head.number;
    place->page = (place->page + 1u) % kind->pages;
    uint32_t at = kind->at + place->page * TN_FLASH_PAGE;
    tn_flash_erase(at, TN_FLASH_PAGE);
    tn_flash_write(at + HEAD_BYTES, kind->object, kind->length);
    tn_flash_write(at, &head, sizeof(head));
}

bool tn_store_load(void)
{
    load(&of_factory);
    load(&of_state);
    return tn_maker.provisioned;
}

void tn_store_save(void)
{
    save(&of_state);
}

/* What lies in flash says whether anything has changed since: nobody has to note it. */
void tn_save(void)
{
    const record_place *place = of_state.place;
    const uint8_t *newest = port_flash() + of_state.at + place->page * TN_FLASH_PAGE + HEAD_BYTES;
    if (place->number == 0u || tn_compare(newest, &tn_stored, sizeof(tn_stored)) != 0) {
        tn_store_save();
    }
}

void tn_store_save_factory(const tn_factory *factory)
{
    tn_copy(&tn_maker, factory, sizeof(tn_maker));
    save(&of_factory);
}

void tn_store_erase(void)
{
    tn_boot_record record = *tn_boot();
    record.has_trial = false;
    tn_boot_save(&record);
    tn_fill(&tn_stored, 0, sizeof(tn_stored));
    tn_store_save(); /* from here on it is factory-new, whatever else is still written somewhere */
    for (uint32_t page = 0; page < of_state.pages; page++) {
        if (page != of_state.place->page) {
            tn_flash_erase(TN_AT_STATE + page * TN_FLASH_PAGE, TN_FLASH_PAGE);
        }
    }
    tn_flash_erase(TN_AT_JOURNAL, TN_JOURNAL_BYTES);
    tn_flash_erase(TN_AT_ROOTS + TN_FLASH_PAGE, TN_ROOTS_BYTES - TN_FLASH_PAGE);
    tn_flash_erase(TN_AT_CATALOGUES, TN_AT_SLOTS - TN_AT_CATALOGUES);
    tn_flash_erase(TN_AT_SLOTS + (record.active == 0u ? TN_SLOT_BYTES : 0u), TN_SLOT_BYTES);
}

/* -- the boot record, and what a boot loader decides from it: boot a trial once, then go back -- */

const tn_boot_record *tn_boot(void)
{
    if (of_boot.place->number == 0u) {
        load(&of_boot);
    }
    return &boot;
}

void tn_boot_save(const tn_boot_record *record)
{
    if (tn_compare(tn_boot(), record, sizeof(boot)) != 0) {
        boot = *record;
        save(&of_boot);
    }
}

uint8_t tn_boot_select(void)
{
    if (!tn_boot()->has_trial) {
        return boot.active;
    }
    boot.has_trial = !boot.tried; /* else nobody confirmed what was tried */
    boot.tried = boot.has_trial; /* stored before it starts: it is booted once, even if the power fails meanwhile */
    save(&of_boot);
    return boot.has_trial ? boot.trial : boot.active;
}
