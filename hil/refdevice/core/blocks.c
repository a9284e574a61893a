/* Brings a payload in blocks: a window at a time, in order, asked for again when it stalls (device_sim.core.blocks and
 * download). A page of flash is erased when its first byte comes, and counts as here when its last one has. */
#include "patches.h"

#define PAUSE_MS 3000u
#define PAUSE_MS_MAX 60000u
#define PROGRESS_MS 15000u
#define WINDOW (TN_WIRE_BLOCK_WINDOW_MAX * TN_WIRE_BLOCK_BYTES_MAX)

static struct {
    bool begun;   /* in this boot */
    bool mending; /* the window stalled: what is left of it is asked for */
    tn_stream to;
    uint32_t next, end;  /* the first byte that is missing; end of the window that was asked for */
    uint32_t asked;      /* offset of the last want */
    tn_pause pause, told; /* until the next want; until it says again how far it is */
    uint32_t stalled;    /* milliseconds that the next want will wait */
} blocks;

/* A block, in order. */
enum { DIGEST = 1, OFFSET, BYTES };
static const uint8_t block[] = {TN_RECORD_OF(
    DIGEST, TN_BYTES, TN_HASH,
    OFFSET, TN_UINT32,
    BYTES, TN_UP_TO | TN_SOME, TN_MOST(TN_WIRE_BLOCK_BYTES_MAX))};

static void start(void)
{
    blocks.end = blocks.next;
    blocks.mending = false;
    blocks.stalled = PAUSE_MS;
    blocks.pause.ms = 0;
}

void tn_blocks_forget(void)
{
    blocks.begun = false;
}

void tn_blocks_connected(void)
{
    if (blocks.begun) {
        start();
    }
}

void tn_blocks_begin(tn_patch_track *track)
{
    track->slot = (uint8_t)(1u - tn_now.slot);
    track->offset = 0;
    track->done = 0;
    tn_patch_changed(track);
    tn_blocks_forget();
    tn_blocks_later(0);
}

void tn_blocks_later(uint32_t ms)
{
    tn_pause_begin(&blocks.pause, ms);
}

/* Want the next window, or what is left of this one. */
static void ask(const tn_patch_track *track)
{
    tn_pause_begin(&blocks.pause, blocks.stalled);
    if (blocks.next < blocks.end) {
        if (!blocks.mending || blocks.asked == blocks.next) {
            blocks.stalled = tn_longer(blocks.stalled, 0, PAUSE_MS_MAX);
        }
        blocks.mending = true;
    } else {
        uint32_t left = track->image_size - blocks.next;
        blocks.end = blocks.next + (left < WINDOW ? left : WINDOW);
    }
    blocks.asked = blocks.next;
    tn_want_blocks(track->image_digest, blocks.next,
                   (blocks.end - blocks.next + TN_WIRE_BLOCK_BYTES_MAX - 1u) / TN_WIRE_BLOCK_BYTES_MAX);
}

bool tn_blocks_step(tn_patch_track *track)
{
    if (!blocks.begun) {
        if (tn_now.trial || !tn_pause_over(&blocks.pause)) { /* on trial, what lies in the slot may be gone back to */
            return false;
        }
        blocks.begun = true;
        blocks.next = track->offset;
        blocks.to.at = TN_AT_SLOTS + track->slot * TN_SLOT_BYTES + track->offset;
        tn_pause_begin(&blocks.told, PROGRESS_MS);
        start();
    }
    if (blocks.next >= track->image_size) {
        return true;
    }
    if (tn_now.connected && tn_pause_over(&blocks.pause)) {
        ask(track);
    }
    return false;
}

/* Remember what is certainly here; say so from time to time. */
static void checkpoint(tn_patch_track *track)
{
    uint32_t here = blocks.next == track->image_size ? blocks.next : blocks.next - blocks.next % TN_FLASH_PAGE;
    uint8_t done = (uint8_t)(here / (track->image_size / 100u + 1u)); /* 100 comes with the last byte's check */
    if (here <= track->offset) {
        return;
    }
    if (tn_pause_over(&blocks.told)) {
        tn_pause_begin(&blocks.told, PROGRESS_MS);
        tn_now.news = true;
    }
    track->offset = here;
    track->done = done;
    tn_patch_changed(track);
}

tn_reason tn_block_take(tn_source data)
{
    tn_patch_track *track = tn_patch_in(1u << TN_PATCH_DOWNLOADING);
    if (track == NULL) {
        return TN_OK;
    }
    if (data.length > TN_WIRE_BLOCK_BYTES_MAX + 64u) {
        return TN_TOO_BIG;
    }
    if (!tn_fits(data, block, NULL)) {
        return TN_MALFORMED;
    }
    uint32_t offset = (uint32_t)tn_value_at(data.bytes, OFFSET);
    if (offset > TN_WIRE_IMAGE_BYTES_MAX) {
        return TN_MALFORMED;
    }
    tn_source bytes = tn_string(tn_at(data.bytes, BYTES));
    if (!blocks.begun || offset != blocks.next || offset >= blocks.end ||
        bytes.length > track->image_size - blocks.next ||
        !tn_is_hash(tn_at(data.bytes, DIGEST), track->image_digest)) {
        return TN_OK;
    }
    tn_flash_add(&blocks.to, bytes.bytes, bytes.length);
    blocks.next += bytes.length;
    if (blocks.next == track->image_size) {
        tn_flash_end(&blocks.to);
    }
    blocks.stalled = PAUSE_MS;
    tn_pause_begin(&blocks.pause, blocks.mending || blocks.next >= blocks.end ? 0u : PAUSE_MS);
    blocks.mending = blocks.mending && blocks.next < blocks.end;
    checkpoint(track);
    return TN_OK;
}
