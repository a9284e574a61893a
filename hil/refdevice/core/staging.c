/* Where messages are staged: one at a time, in flash, compared with its digest when the last byte is there. */
#include "rooms.h"
#include "smp.h"

static struct {
    uint8_t sha[TN_HASH];
    uint32_t length; /* 0: nothing is staged */
    tn_stream to;
} staging;

static uint32_t here(void)
{
    return staging.to.at - TN_AT_STAGING;
}

/* Whether what is staged, or being staged, is what has this digest. */
static bool is_staging(tn_item sha)
{
    return staging.length != 0u && tn_is_hash(sha, staging.sha);
}

tn_source tn_staged(tn_item sha)
{
    return tn_in_flash(TN_AT_STAGING, is_staging(sha) && here() == staging.length ? staging.length : 0u);
}

/* Make room for another message. */
static int begin(tn_item sha, uint32_t length, uint32_t count)
{
    if (length < 1u || length < count) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    if (length > TN_MESSAGE_BYTES_MAX) {
        return TOCSIN_SMP_RC_NOMEM;
    }
    tn_copy(staging.sha, tn_first(sha), TN_HASH);
    staging.length = length;
    staging.to.at = TN_AT_STAGING;
    return TOCSIN_SMP_RC_OK;
}

/* Add what comes next. */
static int add(tn_source data)
{
    if (data.length > staging.length - here()) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    tn_flash_add(&staging.to, data.bytes, data.length);
    if (here() == staging.length) {
        tn_flash_end(&staging.to);
        if (!tn_hashes_to(tn_in_flash(TN_AT_STAGING, 0).bytes, staging.length, staging.sha)) {
            staging.length = 0;
            return TOCSIN_SMP_RC_EINVAL;
        }
    }
    return TOCSIN_SMP_RC_OK;
}

int tn_on_put(tn_request *request)
{
    tn_item sha = request->fields[TOCSIN_SMP_NOTIFIER_PUT_AT_SHA];
    tn_source data = tn_string(request->fields[TOCSIN_SMP_NOTIFIER_PUT_AT_DATA]);
    uint32_t off = tn_number_of(request->fields[TOCSIN_SMP_NOTIFIER_PUT_AT_OFF]);
    bool ours = is_staging(sha);
    int rc = TOCSIN_SMP_RC_OK;
    if (tn_number_of(sha) != TN_HASH) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    if (!ours && off == 0u) {
        ours = true;
        rc = begin(sha, tn_number_of(request->fields[TOCSIN_SMP_NOTIFIER_PUT_AT_LEN]), data.length);
    }
    if (ours && off == here() && off != staging.length && rc == TOCSIN_SMP_RC_OK) {
        rc = add(data);
    }
    tn_put_named(TN_NAME_off, ours ? here() : 0u);
    return rc;
}
