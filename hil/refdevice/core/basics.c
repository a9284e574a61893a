/* What every SMP tool asks for: os, stat, and the images in the slots. */
#include "port.h"
#include "rooms.h"
#include "smp.h"

#define DIRECT_XIP_WITH_REVERT 3 /* MCUboot's mode: slots take turns, and an image that is not confirmed goes */

int tn_on_OS_ECHO(const tn_request *request, tn_writer *answer)
{
    tn_source text = tn_field_bytes(request, "d");
    tn_put_map(answer, 1);
    tn_put_text(answer, "r");
    tn_put_text_of(answer, (const char *)text.bytes, text.length);
    return TOCSIN_SMP_RC_OK;
}

int tn_on_OS_CONSOLE_ECHO(const tn_request *request, tn_writer *answer)
{
    (void)request; /* nothing is ever echoed on this line */
    tn_put_map(answer, 0);
    return TOCSIN_SMP_RC_OK;
}

int tn_on_OS_RESET(const tn_request *request, tn_writer *answer)
{
    (void)request;
    tn_put_map(answer, 0);
    tn_after_answer(tn_restart);
    return TOCSIN_SMP_RC_OK;
}

int tn_on_OS_PARAMETERS(const tn_request *request, tn_writer *answer)
{
    (void)request;
    tn_put_map(answer, 2);
    tn_put_text(answer, "buf_size");
    tn_put_uint(answer, TN_SMP_BUFFER_BYTES);
    tn_put_text(answer, "buf_count");
    tn_put_uint(answer, 1);
    return TOCSIN_SMP_RC_OK;
}

int tn_on_OS_INFO(const tn_request *request, tn_writer *answer)
{
    tn_source format = tn_field_bytes(request, "format");
    if (format.length > 0u && !tn_field_is(request, "format", "s")) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    tn_put_map(answer, 1);
    tn_put_text(answer, "output");
    tn_put_text(answer, "Tocsin");
    return TOCSIN_SMP_RC_OK;
}

int tn_on_OS_BOOTLOADER(const tn_request *request, tn_writer *answer)
{
    bool asked = tn_field_bytes(request, "query").length > 0u;
    if (asked && !tn_field_is(request, "query", "mode")) {
        return TOCSIN_SMP_RC_ENOENT;
    }
    tn_put_map(answer, 1);
    tn_put_text(answer, asked ? "mode" : "bootloader");
    if (asked) {
        tn_put_int(answer, DIRECT_XIP_WITH_REVERT);
    } else {
        tn_put_text(answer, "MCUboot");
    }
    return TOCSIN_SMP_RC_OK;
}

int tn_on_STAT_LIST(const tn_request *request, tn_writer *answer)
{
    (void)request;
    tn_put_map(answer, 1);
    tn_put_text(answer, "stat_list");
    tn_put_array(answer, 1);
    tn_put_text(answer, "flash");
    return TOCSIN_SMP_RC_OK;
}

int tn_on_STAT_SHOW(const tn_request *request, tn_writer *answer)
{
    if (!tn_field_is(request, "name", "flash")) {
        return TOCSIN_SMP_RC_ENOENT;
    }
    tn_put_map(answer, 2);
    tn_put_text(answer, "name");
    tn_put_text(answer, "flash");
    tn_put_text(answer, "fields");
    tn_put_map(answer, 2);
    tn_put_text(answer, "writes");
    tn_put_uint(answer, tn_store_writes());
    tn_put_text(answer, "erases");
    tn_put_uint(answer, tn_store_erases());
    return TOCSIN_SMP_RC_OK;
}

static void put_flag(tn_writer *to, const char *name, bool value)
{
    tn_put_text(to, name);
    tn_put_bool(to, value);
}

static void put_image(tn_writer *to, uint8_t slot, const tn_image *image, const tn_boot_record *record)
{
    char version[TN_VERSION_ROOM];
    tn_put_map(to, 9);
    tn_put_text(to, "image");
    tn_put_uint(to, 0);
    tn_put_text(to, "slot");
    tn_put_uint(to, slot);
    tn_put_text(to, "version");
    tn_put_text(to, tn_version(version, image->version, '.'));
    tn_put_text(to, "hash");
    tn_put_bytes(to, image->hash, TN_HASH);
    put_flag(to, "bootable", true);
    put_flag(to, "pending", record->has_trial && !record->tried && record->trial == slot);
    put_flag(to, "confirmed", slot == record->active);
    put_flag(to, "active", slot == tn_now.slot);
    put_flag(to, "permanent", false);
}

int tn_on_IMG_STATE(const tn_request *request, tn_writer *answer)
{
    tn_image images[2];
    bool whole[2];
    tn_boot_record record = *tn_boot();
    (void)request;
    for (uint8_t slot = 0; slot < 2u; slot++) {
        whole[slot] = tn_image_read(slot, 0, &images[slot]) == TN_OK;
    }
    tn_put_map(answer, 2);
    tn_put_text(answer, "images");
    tn_put_array(answer, (whole[0] ? 1u : 0u) + (whole[1] ? 1u : 0u));
    for (uint8_t slot = 0; slot < 2u; slot++) {
        if (whole[slot]) {
            put_image(answer, slot, &images[slot], &record);
        }
    }
    tn_put_text(answer, "splitStatus");
    tn_put_uint(answer, 0);
    return TOCSIN_SMP_RC_OK;
}

/* Images come over the air only: a serial line is no way around signatures, in test builds either. */
static int refused(const tn_request *request, tn_writer *answer)
{
    (void)request;
    (void)answer;
    return TOCSIN_SMP_RC_EACCESSDENIED;
}

int tn_on_IMG_STATE_SET(const tn_request *request, tn_writer *answer)
{
    return refused(request, answer);
}

int tn_on_IMG_UPLOAD(const tn_request *request, tn_writer *answer)
{
    return refused(request, answer);
}

int tn_on_IMG_ERASE(const tn_request *request, tn_writer *answer)
{
    return refused(request, answer);
}
