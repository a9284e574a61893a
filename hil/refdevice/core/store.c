/* What outlives a reset: the maker's record and the state, each stored as a whole. */
#include "crypto.h"
#include "port.h"
#include "state.h"

#define FORM_FACTORY 0x544E4601u
#define FORM_STATE 0x544E5301u

tn_state tn_stored;
tn_factory tn_maker;

/* -- records that take turns in their pages: the newest whole one counts -- */

typedef struct {
    uint32_t form, number, length;
    uint32_t crc; /* over the three above, and over the record */
} record_head;

typedef struct {
    uint32_t at, pages, form, length;
    void *object;
} record_kind;

typedef struct {
    uint32_t page, number; /* where the newest one lies; 0: nowhere */
} record_place;

/* Every record has a page of its own, and its head has units of its own. */
#define HEAD_BYTES ((uint32_t)(sizeof(record_head) + TN_FLASH_UNIT - 1u) / TN_FLASH_UNIT * TN_FLASH_UNIT)
typedef char factory_fits_a_page[sizeof(tn_factory) + HEAD_BYTES <= TN_FLASH_PAGE ? 1 : -1];
typedef char state_fits_a_page[sizeof(tn_state) + HEAD_BYTES <= TN_FLASH_PAGE ? 1 : -1];

static const record_kind factory_kind = {TN_AT_FACTORY, TN_FACTORY_BYTES / TN_FLASH_PAGE, FORM_FACTORY,
                                         sizeof(tn_factory), &tn_maker};
static const record_kind state_kind = {TN_AT_STATE, TN_STATE_BYTES / TN_FLASH_PAGE, FORM_STATE, sizeof(tn_state),
                                       &tn_stored};
static record_place factory_place, state_place;

static uint32_t head_crc(const record_head *head)
{
    return tn_crc32(0, head, sizeof(*head) - sizeof(head->crc));
}

/* Whether the record on this page is whole; its head is known to be. */
static bool whole(const record_kind *kind, uint32_t page, const record_head *head)
{
    const uint8_t *object = port_flash() + kind->at + page * TN_FLASH_PAGE + HEAD_BYTES;
    return tn_crc32(head_crc(head), object, kind->length) == head->crc;
}

static bool load(const record_kind *kind, record_place *place)
{
    record_head head;
    *place = (record_place){0, 0};
    for (uint32_t page = 0; page < kind->pages; page++) {
        tn_copy(&head, port_flash() + kind->at + page * TN_FLASH_PAGE, sizeof(head));
        if (head.form == kind->form && head.length == kind->length && head.number > place->number &&
            whole(kind, page, &head)) {
            *place = (record_place){page, head.number};
        }
    }
    if (place->number == 0u) {
        return false;
    }
    tn_copy(kind->object, port_flash() + kind->at + place->page * TN_FLASH_PAGE + HEAD_BYTES, kind->length);
    return true;
}

/* The head is written last: without it the page says nothing. */
static void save(const record_kind *kind, record_place *place)
{
    record_place next = {(place->page + 1u) % kind->pages, place->number + 1u};
    record_head head = {kind->form, next.number, kind->length, 0};
    uint32_t at = kind->at + next.page * TN_FLASH_PAGE;
    head.crc = tn_crc32(head_crc(&head), kind->object, kind->length);
    tn_flash_erase(at, TN_FLASH_PAGE);
    tn_flash_write(at + HEAD_BYTES, kind->object, kind->length);
    tn_flash_write(at, &head, sizeof(head));
    *place = next;
}

bool tn_store_load(void)
{
    if (!load(&factory_kind, &factory_place)) {
        tn_fill(&tn_maker, 0, sizeof(tn_maker));
    }
    if (!load(&state_kind, &state_place)) {
        tn_fill(&tn_stored, 0, sizeof(tn_stored));
    }
    tn_stored.form = FORM_STATE;
    return tn_maker.provisioned;
}

void tn_store_save(void)
{
    save(&state_kind, &state_place);
}

void tn_store_save_factory(const tn_factory *factory)
{
    tn_copy(&tn_maker, factory, sizeof(tn_maker));
    save(&factory_kind, &factory_place);
}

void tn_store_erase(void)
{
    tn_boot_record record;
    tn_boot_load(&record);
    record.has_trial = false;
    record.tried = false;
    tn_boot_save(&record);
    tn_fill(&tn_stored, 0, sizeof(tn_stored));
    tn_stored.form = FORM_STATE;
    tn_store_save(); /* from here on it is factory-new, whatever else is still written somewhere */
    for (uint32_t page = 0; page < state_kind.pages; page++) {
        if (page != state_place.page) {
            tn_flash_erase(TN_AT_STATE + page * TN_FLASH_PAGE, TN_FLASH_PAGE);
        }
    }
    tn_flash_erase(TN_AT_JOURNAL, TN_JOURNAL_BYTES);
    tn_flash_erase(TN_AT_ROOTS + TN_FLASH_PAGE, TN_ROOTS_BYTES - TN_FLASH_PAGE);
    tn_flash_erase(TN_AT_CATALOGUES, TN_AT_SLOTS - TN_AT_CATALOGUES);
    tn_flash_erase(TN_AT_SLOTS + (record.active == 0u ? TN_SLOT_BYTES : 0u), TN_SLOT_BYTES);
}
