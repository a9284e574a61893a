/* Brings a payload in blocks: a window at a time, in order, asked for again when it stalls (device_sim.core.blocks and
 * download). A page of flash is erased when its first byte comes, and counts as here when its last one has. */
#include "patches.h"

#define PIECE 128u
#define PAUSE_MS 3000u
#define PAUSE_MS_MAX 60000u
#define PROGRESS_MS 15000u
#define WINDOW (TN_WIRE_BLOCK_WINDOW_MAX * TN_WIRE_BLOCK_BYTES_MAX)

static struct {
    bool begun;   /* in this boot */
    bool mending; /* the window stalled: what is left of it is asked for */
    uint8_t held[TN_FLASH_UNIT]; /* bytes behind the last whole unit */
    uint32_t next, end;          /* the first byte that is missing; end of the window that was asked for */
    uint32_t asked, pause;       /* offset of the last want; milliseconds until the next */
    uint64_t due, told;
} blocks;

static void start(void)
{
    blocks.end = blocks.next;
    blocks.mending = false;
    blocks.pause = PAUSE_MS;
    blocks.due = tn_now.ms;
}

static uint32_t slot_at(const tn_patch_track *track)
{
    return TN_AT_SLOTS + track->slot * TN_SLOT_BYTES;
}

/* The slot to which the boot loader would go back is not written. */
static bool is_kept(const tn_patch_track *track)
{
    tn_boot_record record;
    tn_boot_load(&record);
    if (record.has_trial && record.trial == track->slot && !record.tried) { /* what was to be tried there is gone */
        record.has_trial = false;
        tn_boot_save(&record);
    }
    return record.active == track->slot || tn_now.slot == track->slot;
}

void tn_blocks_forget(void)
{
    blocks.begun = false;
}

void tn_blocks_connected(void)
{
    start();
}

void tn_blocks_begin(tn_patch_track *track)
{
    track->slot = (uint8_t)(1u - tn_now.slot);
    track->offset = 0;
    track->done = 0;
    track->retry_at = 0;
    tn_patch_changed(track);
    tn_blocks_forget();
}

/* Want the next window, or what is left of this one. */
static void ask(const tn_patch_track *track)
{
    uint8_t bytes[80], nonce[16];
    tn_writer to = {bytes, sizeof(bytes), 0};
    blocks.due = tn_now.ms + blocks.pause;
    if (blocks.next < blocks.end) {
        if (!blocks.mending || blocks.asked == blocks.next) {
            blocks.pause = blocks.pause < PAUSE_MS_MAX / 2u ? blocks.pause * 2u : PAUSE_MS_MAX;
        }
        blocks.mending = true;
    } else {
        uint32_t left = track->image_size - blocks.next;
        blocks.end = blocks.next + (left < WINDOW ? left : WINDOW);
    }
    blocks.asked = blocks.next;
    tn_want_nonce(nonce);
    tn_put_map(&to, 3);
    tn_put_uint(&to, 1);
    tn_put_bytes(&to, nonce, sizeof(nonce));
    tn_put_uint(&to, 2);
    tn_put_array(&to, 0);
    tn_put_uint(&to, 3);
    tn_put_array(&to, 3);
    tn_put_bytes(&to, track->image_digest, TN_HASH);
    tn_put_uint(&to, blocks.next);
    tn_put_uint(&to, (blocks.end - blocks.next + TN_WIRE_BLOCK_BYTES_MAX - 1u) / TN_WIRE_BLOCK_BYTES_MAX);
    tn_out_begin(TN_LEAF_WANT);
    tn_out_add(bytes, to.length);
    tn_out_publish();
}

bool tn_blocks_step(tn_patch_track *track)
{
    if (!blocks.begun) {
        blocks.begun = true;
        blocks.next = track->offset;
        blocks.told = tn_now.ms;
        if (blocks.next == 0u && !is_kept(track)) { /* no header from now on */
            tn_flash_erase(slot_at(track), TN_FLASH_PAGE);
        }
        start();
    }
    if (blocks.next >= track->image_size) {
        return true;
    }
    if (tn_now.connected && tn_now.ms >= blocks.due) {
        ask(track);
    }
    return false;
}

/* Write what follows; bytes that fill no unit wait for those behind them. */
static void put(const tn_patch_track *track, tn_source data)
{
    uint8_t piece[PIECE];
    uint32_t from = 0, held = blocks.next % TN_FLASH_UNIT;
    bool kept = is_kept(track);
    tn_copy(piece, blocks.held, held);
    while (from < data.length) {
        uint32_t at = blocks.next - held, count = data.length - from; /* pages are so many pieces */
        uint32_t room = PIECE - at % PIECE - held;
        count = count < room ? count : room;
        tn_read(data, from, piece + held, count);
        from += count;
        held += count;
        blocks.next += count;
        uint32_t even = blocks.next == track->image_size ? held : held - held % TN_FLASH_UNIT;
        if (even > 0u && !kept) {
            if (at % TN_FLASH_PAGE == 0u && at > 0u) {
                tn_flash_erase(slot_at(track) + at, TN_FLASH_PAGE);
            }
            tn_flash_write(slot_at(track) + at, piece, even);
        }
        held -= even;
        tn_copy(piece, piece + even, held);
    }
    tn_copy(blocks.held, piece, held);
}

/* Remember what is certainly here; say so from time to time. */
static void checkpoint(tn_patch_track *track)
{
    uint32_t here = blocks.next == track->image_size ? blocks.next : blocks.next - blocks.next % TN_FLASH_PAGE;
    uint8_t done = (uint8_t)(here / (track->image_size / 100u + 1u)); /* 100 comes with the last byte's check */
    if (here <= track->offset) {
        return;
    }
    if (done != track->done && tn_now.ms >= blocks.told + PROGRESS_MS) {
        blocks.told = tn_now.ms;
        tn_now.news = true;
    }
    track->offset = here;
    track->done = done;
    tn_patch_changed(track);
}

tn_reason tn_block_take(tn_source data)
{
    tn_patch_track *track = tn_patch_active();
    tn_source digest, bytes;
    uint64_t offset;
    uint32_t count;
    int32_t last = -1;
    tn_cbor reader;
    if (track == NULL || track->state != TN_PATCH_DOWNLOADING) {
        return TN_OK;
    }
    if (data.length > TN_WIRE_BLOCK_BYTES_MAX + 64u) {
        return TN_TOO_BIG;
    }
    tn_cbor_open(&reader, data);
    bool fine = tn_cbor_map(&reader, 3, 3, &count) && tn_cbor_key(&reader, &last) &&
                tn_cbor_bytes(&reader, TN_HASH, TN_HASH, &digest) && tn_cbor_key(&reader, &last) &&
                tn_cbor_uint(&reader, TN_WIRE_IMAGE_BYTES_MAX, &offset) && tn_cbor_key(&reader, &last) &&
                tn_cbor_bytes(&reader, 1, TN_WIRE_BLOCK_BYTES_MAX, &bytes);
    if (!fine || last != 3 || !tn_cbor_ended(&reader)) { /* three keys that rise to 3 from 1 or 0 */
        return TN_MALFORMED;
    }
    if (!blocks.begun || offset != blocks.next || offset >= blocks.end ||
        bytes.length > track->image_size - blocks.next ||
        !tn_equals(digest, track->image_digest, TN_HASH)) {
        return TN_OK;
    }
    put(track, bytes);
    blocks.pause = PAUSE_MS;
    blocks.due = blocks.mending || blocks.next >= blocks.end ? tn_now.ms : tn_now.ms + blocks.pause;
    blocks.mending = blocks.mending && blocks.next < blocks.end;
    checkpoint(track);
    return TN_OK;
}
