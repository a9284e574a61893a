/* The trusted root: the first one, and each step to the next (keys/trusted.py). */
#include <stddef.h>

#include "policy.h"
#include "port.h"
#include "state.h"

static const tn_expected expected_root = {
    "root", TN_ROOT_BYTES_MAX, TN_ROOT_BYTES_MAX, NULL, NULL, tn_root_own, TN_FLOOR_NONE, false};

static tn_root in_force, candidate;
static bool in_memory; /* in_force is the root that tn_stored names */
static bool taken;     /* a root was taken since power-on: the one stored last may lie in the other area */

/* Where a root lies; behind it, in its last page, what older floors rest on. */
static uint32_t place_of(uint32_t page)
{
    return page == 0u ? TN_AT_ROOTS : TN_AT_ROOTS + TN_FLASH_PAGE + (page - 1u) * TN_ROOT_AREA;
}

static uint32_t basis_of(uint32_t page)
{
    return place_of(page) + TN_ROOT_AREA - TN_FLASH_PAGE;
}

const tn_root *tn_trust_root(void)
{
    if (!in_memory) {
        tn_source document = tn_in_flash(place_of(tn_stored.root_page), tn_stored.root_length);
        if (tn_root_read(document, &in_force) != TN_OK) {
            tn_fill(&in_force, 0, sizeof(in_force));
        }
        in_memory = true;
    }
    return &in_force;
}

static tn_reason open_root(tn_source document, const tn_root *root, const uint8_t *fleet)
{
    tn_document found;
    return tn_document_open(document, root, fleet, &expected_root, 0, &found);
}

tn_reason tn_trust_is_root_1(tn_source root_1, const uint8_t *pinned, uint8_t fleet[TN_HASH])
{
    tn_reason reason = tn_root_read(root_1, &candidate);
    if (reason != TN_OK) {
        return reason;
    }
    tn_sha256_of(candidate.body.bytes, candidate.body.length, fleet);
    if (pinned != NULL && tn_compare(pinned, fleet, TN_HASH) != 0) {
        return TN_WRONG_FLEET;
    }
    if (candidate.version != 1u) {
        return TN_ROOT_GAP;
    }
    reason = tn_root_check(&candidate);
    return reason == TN_OK ? open_root(root_1, &candidate, NULL) : reason;
}

static void name_root(uint8_t page, uint32_t length)
{
    tn_stored.root_page = page;
    tn_stored.root_length = (uint16_t)length;
    in_memory = false;
}

tn_reason tn_trust_enrol(tn_source root_1, const uint8_t *pinned)
{
    uint8_t fleet[TN_HASH];
    tn_reason reason = tn_trust_is_root_1(root_1, pinned, fleet);
    if (reason != TN_OK) {
        return reason;
    }
    if (root_1.bytes != port_flash() + place_of(0)) {
        tn_flash_copy(place_of(0), root_1);
    }
    tn_copy(tn_stored.fleet, fleet, TN_HASH);
    tn_floors_clear();
    name_root(0, root_1.length);
    return TN_OK;
}

/* Copy the new root to where the stored state does not look, with what the floors that stay rest on. */
static void take(tn_source document)
{
    uint8_t page = tn_stored.root_page == 1u ? 2u : 1u;
    if (taken) { /* the state may still name the root that lies there */
        tn_store_save();
    }
    taken = true;
    tn_flash_copy(place_of(page), document);
    tn_flash_erase(basis_of(page), TN_FLASH_PAGE);
    tn_floors_carry(tn_trust_root(), basis_of(tn_stored.root_page), &candidate, basis_of(page));
    name_root(page, document.length);
}

tn_reason tn_trust_update(tn_source document)
{
    const tn_root *root = tn_trust_root();
    tn_reason reason = tn_root_read(document, &candidate);
    if (reason != TN_OK) {
        return reason;
    }
    /* 1. The very same root again changes nothing. */
    if (tn_same(candidate.body, root->body)) {
        return TN_OK;
    }
    /* 2. Version: exactly the next one. */
    if (candidate.version <= root->version) {
        return TN_REPLAYED;
    }
    if (candidate.version != root->version + 1u) {
        return TN_ROOT_GAP;
    }
    /* 3. Old policy: a root that is over still verifies its successor. */
    reason = open_root(document, root, tn_stored.fleet);
    /* 4. A possible root at all: every row complete, and met by the holders it names. */
    if (reason == TN_OK) {
        reason = tn_root_check(&candidate);
    }
    /* 5. New policy: the new root keys exist and are in hand. */
    if (reason == TN_OK) {
        reason = open_root(document, &candidate, tn_stored.fleet);
    }
    /* 6. A floor falls with the keys that it rests on. */
    if (reason == TN_OK) {
        take(document);
    }
    return reason;
}
