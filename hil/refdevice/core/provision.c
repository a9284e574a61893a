/* What only test builds have: the owner's buttons, power cuts, another time, and what the maker writes. */
#include "port.h"
#include "rooms.h"
#include "smp.h"
#include "suit.h"

#ifdef TN_TEST_BUILD

#define YEAR_10000 253402300800ull

/* What is provisioned holds from the next reset: until then it waits here. */
static struct {
    tn_factory factory;
    bool changed, erase, version;
    tn_version_part number[4];
} next;

int tn_on_press(tn_request *request)
{
    static const char *const answers[] = {"yes", "later", "no"};
    tn_item button = request->fields[TOCSIN_SMP_NOTIFIER_PRESS_AT_BUTTON];
    if (request->again) {
        return TOCSIN_SMP_RC_OK;
    }
    if (tn_is(button, "acknowledge")) {
        if (tn_screen_shown() == NULL) {
            return TOCSIN_SMP_RC_EBADSTATE;
        }
        tn_agent_acknowledge();
        tn_answer();
        return TOCSIN_SMP_RC_OK;
    }
    for (uint32_t i = 0; i < 3u; i++) {
        if (tn_is(button, answers[i])) {
            tn_reason reason = tn_agent_consent(answers[i]);
            tn_answer();
            return reason == TN_OK ? TOCSIN_SMP_RC_OK : TOCSIN_SMP_RC_EBADSTATE;
        }
    }
    return TOCSIN_SMP_RC_EINVAL;
}

int tn_on_fault(tn_request *request)
{
    static const char *const whens[] = {"before", "torn", "after"};
    uint64_t at = tn_value(request->fields[TOCSIN_SMP_NOTIFIER_FAULT_AT_AT]);
    if (request->again) {
        return TOCSIN_SMP_RC_OK;
    }
    for (uint32_t i = 0; i < 3u; i++) {
        if (at >= 1u && at <= UINT32_MAX && tn_is(request->fields[TOCSIN_SMP_NOTIFIER_FAULT_AT_WHEN], whens[i])) {
            tn_flash_cut((uint32_t)at, (tn_cut)i);
            return TOCSIN_SMP_RC_OK;
        }
    }
    return TOCSIN_SMP_RC_EINVAL;
}

int tn_on_clock_set(tn_request *request)
{
    uint64_t utc = tn_value(request->fields[TOCSIN_SMP_NOTIFIER_CLOCK_SET_AT_UTC]);
    if (request->again) {
        return TOCSIN_SMP_RC_OK;
    }
    if (utc >= YEAR_10000) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    tn_agent_clock(utc);
    tn_answer();
    return TOCSIN_SMP_RC_OK;
}

/* The pinned root: its page is written at once, but nothing trusts it before the factory record names it. */
static bool take_root(tn_source document)
{
    uint8_t fleet[TN_HASH];
    if (document.length == 0u || document.length > TN_ROOT_BYTES_MAX ||
        tn_trust_is_root_1(document, NULL, fleet) != TN_OK) {
        return false;
    }
    tn_copy(next.factory.root_1, fleet, TN_HASH);
    next.factory.root_1_length = (uint16_t)document.length;
    tn_flash_copy(TN_AT_NEXT_ROOT, document);
    return true;
}

static bool take_version(tn_source text)
{
    tn_version_part number[4];
    if (!tn_version_read(text, number)) {
        return false;
    }
    tn_copy(next.number, number, sizeof(number));
    next.version = true;
    return true;
}

typedef enum { ERASE, ROOT, KEY, VERSION, ID, PRODUCT, LANGUAGE, TOPICS, THINGS } thing;

static bool change(uint32_t what, tn_item said)
{
    tn_source value = tn_string(said);
    char words[TN_NAME_BYTES_MAX + 1u];
    bool text = tn_text(value, words, sizeof(words));
    switch (what) {
    case ERASE:
        next.erase = true;
        return true;
    case ROOT:
        return take_root(tn_staged(said));
    case KEY:
        text = value.length == TN_PUBLIC;
        tn_copy(next.factory.seed, value.bytes, text ? TN_PUBLIC : 0u);
        return text;
    case VERSION:
        return take_version(value);
    case LANGUAGE:
        text = text && value.length >= 1u && value.length <= TN_LANGUAGE_BYTES_MAX;
        tn_copy(next.factory.language, words, text ? value.length + 1u : 0u);
        return text;
    case TOPICS:
        text = text && value.length >= 1u;
        tn_copy(next.factory.topics, words, text ? value.length + 1u : 0u);
        return text;
    default:
        text = text && tn_is_id(words);
        tn_copy(what == ID ? next.factory.id : next.factory.product, words, text ? value.length + 1u : 0u);
        if (text && what == PRODUCT) { /* whoever makes another product makes patches of that class */
            tn_uuid5(next.factory.vendor, words, next.factory.model);
        }
        return text;
    }
}

int tn_on_provision(tn_request *request)
{
    static const char *const things[THINGS] = {"erase", "root",    "key",      "version",
                                               "id",    "product", "language", "topics"};
    tn_item value = request->fields[TOCSIN_SMP_NOTIFIER_PROVISION_AT_VALUE];
    if (request->again) {
        return TOCSIN_SMP_RC_OK;
    }
    if (!next.changed) {
        next.factory = tn_maker;
        next.changed = true;
    }
    for (uint32_t i = 0; i < THINGS; i++) {
        if (tn_is(request->fields[TOCSIN_SMP_NOTIFIER_PROVISION_AT_WHAT], things[i])) {
            if (i == ROOT && tn_staged(value).length == 0u) {
                return TOCSIN_SMP_RC_ENOENT;
            }
            bool fits = change(i, value);
            tn_answer();
            return fits ? TOCSIN_SMP_RC_OK : TOCSIN_SMP_RC_EINVAL;
        }
    }
    return TOCSIN_SMP_RC_EINVAL;
}

void tn_provision_apply(void)
{
    if (!next.changed) {
        return;
    }
    /* What rests on another root, or is another device's, goes with it. */
    next.erase = next.erase || !tn_is_same(next.factory.id, tn_maker.id);
    if (tn_compare(next.factory.root_1, tn_maker.root_1, TN_HASH) != 0) {
        next.erase = true;
        tn_flash_copy(TN_AT_ROOTS, tn_in_flash(TN_AT_NEXT_ROOT, next.factory.root_1_length));
    }
    next.factory.provisioned = next.factory.root_1_length != 0u;
    tn_store_save_factory(&next.factory);
    if (next.erase) {
        tn_store_erase();
    }
    if (next.version) {
        tn_image_make(next.number);
    }
}
#else
typedef int nothing_here; /* a release has none of it */
#endif
