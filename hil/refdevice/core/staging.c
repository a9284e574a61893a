/* Where messages are staged: one at a time, in flash, compared with its digest when the last byte is there. */
#include "rooms.h"
#include "smp.h"

static struct {
    uint8_t sha[TN_HASH];
    uint32_t length, here; /* 0: nothing is staged */
    uint8_t unit[TN_FLASH_UNIT];
} staging;

static void forget(void)
{
    staging.length = 0;
    staging.here = 0;
}

tn_source tn_staged(tn_source sha)
{
    bool whole = staging.length != 0u && staging.here == staging.length && tn_equals(sha, staging.sha, TN_HASH);
    return whole ? tn_in_flash(TN_AT_STAGING, staging.length) : tn_in_flash(0, 0);
}

static void add(const uint8_t *bytes, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t over = staging.here % TN_FLASH_UNIT;
        staging.unit[over] = bytes[i];
        staging.here++;
        if (over == TN_FLASH_UNIT - 1u || staging.here == staging.length) {
            tn_flash_write(TN_AT_STAGING + staging.here - over - 1u, staging.unit, over + 1u);
        }
    }
}

static int begin(const tn_request *request, tn_source sha, uint32_t count)
{
    uint64_t length = tn_field_uint(request, "len", 0);
    if (length < 1u || length < count) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    if (length > TN_MESSAGE_BYTES_MAX) {
        return TOCSIN_SMP_RC_NOMEM;
    }
    tn_read(sha, 0, staging.sha, TN_HASH);
    staging.length = (uint32_t)length;
    staging.here = 0;
    tn_flash_erase(TN_AT_STAGING, staging.length);
    return TOCSIN_SMP_RC_OK;
}

static int say(tn_writer *answer, uint32_t off)
{
    tn_put_map(answer, 1);
    tn_put_text(answer, "off");
    tn_put_uint(answer, off);
    return TOCSIN_SMP_RC_OK;
}

int tn_on_NOTIFIER_PUT(const tn_request *request, tn_writer *answer)
{
    tn_source sha = tn_field_bytes(request, "sha"), data = tn_field_bytes(request, "data");
    uint64_t off = tn_field_uint(request, "off", 0);
    uint8_t digest[TN_HASH];
    if (sha.length != TN_HASH) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    if (staging.length == 0u || !tn_equals(sha, staging.sha, TN_HASH)) {
        if (off != 0u) {
            return say(answer, 0);
        }
        int rc = begin(request, sha, data.length);
        if (rc != TOCSIN_SMP_RC_OK) {
            return rc;
        }
    }
    if (off != staging.here || off == staging.length) {
        return say(answer, staging.here);
    }
    if (data.length > staging.length - staging.here) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    add(data.bytes, data.length);
    if (staging.here == staging.length) {
        tn_sha256_of(tn_in_flash(TN_AT_STAGING, staging.length), digest);
        if (tn_compare(digest, staging.sha, TN_HASH) != 0) {
            forget();
            return TOCSIN_SMP_RC_EINVAL;
        }
    }
    return say(answer, staging.here);
}
