/* What every SMP tool asks for: an echo, a reset, the size of messages, and the images in the slots. */
#include "rooms.h"
#include "smp.h"

int tn_on_echo(tn_request *request)
{
    /* The text lies at least as far back in the request as it will in the answer. */
    tn_source text = tn_string(request->fields[TOCSIN_SMP_OS_ECHO_AT_D]);
    tn_put_name(TN_NAME_r);
    tn_put_text_of((const char *)text.bytes, text.length);
    return TOCSIN_SMP_RC_OK;
}

int tn_on_reset(tn_request *request)
{
    request->restarts = true;
    return TOCSIN_SMP_RC_OK;
}

int tn_on_parameters(tn_request *request)
{
    (void)request;
    tn_put_named(TN_NAME_buf_size, TN_SMP_BUFFER_BYTES);
    tn_put_named(TN_NAME_buf_count, 1);
    return TOCSIN_SMP_RC_OK;
}

#define NEITHER 2u /* of the slots */

typedef struct {
    tn_image image;
    char version[TN_VERSION_ROOM];
    uint8_t slot;
    bool pending, confirmed, active;
} picture;

int tn_on_images(tn_request *request)
{
    static const tn_row rows[] = {
        TN_ROW_MAP_OF(0, TN_ROW_REST),
        TN_ROW(TN_NAME_slot, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_NUMBER(picture, slot)),
        TN_ROW(TN_NAME_version, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_TEXT, picture, version)),
        TN_ROW(TN_NAME_hash, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_BYTES(picture, image.hash)),
        TN_ROW_BYTE_IS(TN_NAME_bootable, TN_CBOR_TRUE),
        TN_ROW(TN_NAME_pending, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_FLAG, picture, pending)),
        TN_ROW(TN_NAME_confirmed, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_FLAG, picture, confirmed)),
        TN_ROW(TN_NAME_active, TN_ALWAYS, TN_OF_ARGUMENT, TN_ROW_AS(TN_ROW_FLAG, picture, active)),
        TN_ROW_END,
    };
    const tn_boot_record *record = tn_boot();
    uint32_t waits = record->has_trial && !record->tried ? record->trial : NEITHER;
    picture now;
    (void)request;
    tn_put_name(TN_NAME_images);
    tn_put_byte(TN_CBOR_OPEN_ARRAY);
    for (uint8_t slot = 0; slot < 2u; slot++) {
        if (tn_image_read(slot, 0, &now.image) == TN_OK) {
            now.slot = slot;
            now.pending = slot == waits;
            now.confirmed = slot == record->active;
            now.active = slot == tn_now.slot;
            (void)tn_version(now.version, now.image.version, '.');
            (void)tn_put_rows(rows, &now);
        }
    }
    tn_put_byte(TN_CBOR_CLOSE);
    return TOCSIN_SMP_RC_OK;
}
