/* What outlives a reset: the maker's record, the state, and the boot record, each stored as a whole. They take turns in
 * pages of their own: the newest whole one counts. */
#include "crypto.h"
#include "port.h"
#include "state.h"

#define FORM_FACTORY 0x544E4601u
#define FORM_STATE 0x544E5302u
#define FORM_BOOT 0x544E4202u
#define HEAD_BYTES (TN_FLASH_UNIT > 8u ? TN_FLASH_UNIT : 8u) /* in units of its own */

tn_state tn_stored;
tn_factory tn_maker;
static tn_boot_record boot;

typedef enum { FACTORY, STATE, BOOT, KINDS } kind;

static const struct {
    uint32_t at, pages;
    uint32_t form; /* of such a record: another one is not read */
    uint32_t length;
    void *object;
} kinds[KINDS] = {
    {TN_AT_FACTORY, TN_FACTORY_BYTES / TN_FLASH_PAGE, FORM_FACTORY, sizeof(tn_maker), &tn_maker},
    {TN_AT_STATE, TN_STATE_BYTES / TN_FLASH_PAGE, FORM_STATE, sizeof(tn_stored), &tn_stored},
    {TN_AT_BOOT, TN_BOOT_BYTES / TN_FLASH_PAGE, FORM_BOOT, sizeof(boot), &boot},
};

typedef struct {
    uint32_t number; /* rises with every record; 0: there is none */
    uint32_t crc;    /* over form, number and record */
} record_head;

static struct {
    uint32_t page, number; /* where the newest one lies */
} places[KINDS];

typedef char factory_fits_a_page[sizeof(tn_factory) + HEAD_BYTES <= TN_FLASH_PAGE ? 1 : -1];
typedef char state_fits_a_page[sizeof(tn_state) + HEAD_BYTES <= TN_FLASH_PAGE ? 1 : -1];

static uint32_t crc_of(kind what, uint32_t number, const void *object)
{
    return tn_crc32(tn_crc32(kinds[what].form, &number, sizeof(number)), object, kinds[what].length);
}

static bool load(kind what)
{
    const uint8_t *object = NULL;
    places[what].number = 0;
    for (uint32_t page = 0; page < kinds[what].pages; page++) {
        const uint8_t *at = port_flash() + kinds[what].at + page * TN_FLASH_PAGE;
        record_head head;
        tn_copy(&head, at, sizeof(head));
        if (head.number > places[what].number && head.crc == crc_of(what, head.number, at + HEAD_BYTES)) {
            places[what].page = page;
            places[what].number = head.number;
            object = at + HEAD_BYTES;
        }
    }
    tn_fill(kinds[what].object, 0, kinds[what].length);
    if (object != NULL) {
        tn_copy(kinds[what].object, object, kinds[what].length);
    }
    return object != NULL;
}

/* The head is written last: without it the page says nothing. */
static void save(kind what)
{
    record_head head = {places[what].number + 1u, 0};
    uint32_t page = (places[what].page + 1u) % kinds[what].pages, at = kinds[what].at + page * TN_FLASH_PAGE;
    head.crc = crc_of(what, head.number, kinds[what].object);
    tn_flash_erase(at, TN_FLASH_PAGE);
    tn_flash_write(at + HEAD_BYTES, kinds[what].object, kinds[what].length);
    tn_flash_write(at, &head, sizeof(head));
    places[what].page = page;
    places[what].number = head.number;
}

bool tn_store_load(void)
{
    (void)load(FACTORY);
    (void)load(STATE);
    return tn_maker.provisioned;
}

void tn_store_save(void)
{
    save(STATE);
}

void tn_store_save_factory(const tn_factory *factory)
{
    tn_copy(&tn_maker, factory, sizeof(tn_maker));
    save(FACTORY);
}

void tn_store_erase(void)
{
    tn_boot_record record = *tn_boot();
    record.has_trial = false;
    tn_boot_save(&record);
    tn_fill(&tn_stored, 0, sizeof(tn_stored));
    tn_store_save(); /* from here on it is factory-new, whatever else is still written somewhere */
    for (uint32_t page = 0; page < kinds[STATE].pages; page++) {
        if (page != places[STATE].page) {
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
    if (places[BOOT].number == 0u) {
        (void)load(BOOT);
    }
    return &boot;
}

void tn_boot_save(const tn_boot_record *record)
{
    if (tn_compare(tn_boot(), record, sizeof(boot)) != 0) {
        boot = *record;
        save(BOOT);
    }
}

uint8_t tn_boot_select(void)
{
    if (!tn_boot()->has_trial) {
        return boot.active;
    }
    boot.has_trial = !boot.tried; /* else nobody confirmed what was tried */
    boot.tried = boot.has_trial; /* stored before it starts: it is booted once, even if the power fails in the middle of it */
    save(BOOT);
    return boot.has_trial ? boot.trial : boot.active;
}
