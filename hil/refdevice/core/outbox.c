/* What the device wants said. A report takes the place of one that nobody has read, and so does a want; beside them
 * there is one topic, to listen to or to leave. Whoever reads says what was taken, by its number. */
#include "rooms.h"

#define ITEMS (TN_LEAVES + 1u) /* a report, a want, the topic */

static struct {
    uint32_t numbered, read; /* numbers given so far; the highest that somebody has read */
    uint32_t leaf; /* what is being put into its page */
    tn_stream to;
    tn_out items[ITEMS]; /* of number 0: nothing is to be said */
    tn_topic topic;
} box;

static uint32_t leaf_at(void)
{
    return TN_AT_OUTBOX + box.leaf * TN_FLASH_PAGE;
}

static void say(tn_out *item)
{
    box.numbered++;
    item->number = box.numbered;
}

void tn_out_begin(tn_leaf leaf)
{
    box.leaf = (uint32_t)leaf;
    box.items[leaf].number = 0;
    tn_flash_erase(leaf_at(), TN_FLASH_PAGE);
    box.to.at = leaf_at() + TN_OUT_HEAD_BYTES;
}

void tn_out_add(const void *bytes, uint32_t count)
{
    tn_flash_add(&box.to, bytes, count);
}

void tn_out_added(tn_source parts[2])
{
    uint32_t length = box.to.at - leaf_at() - TN_OUT_HEAD_BYTES, late = box.to.at % TN_FLASH_UNIT;
    parts[0] = tn_in_flash(leaf_at() + TN_OUT_HEAD_BYTES, length - late);
    parts[1] = tn_in_memory(box.to.unit, late);
}

void tn_out_publish(const void *head, uint32_t count)
{
    uint8_t bytes[TN_OUT_HEAD_BYTES];
    uint32_t at = leaf_at();
    tn_flash_end(&box.to);
    tn_fill(bytes, 0xFF, sizeof(bytes));
    tn_copy(bytes + sizeof(bytes) - count, head, count);
    tn_flash_write(at, bytes, sizeof(bytes));
    at += TN_OUT_HEAD_BYTES - count;
    tn_out *item = &box.items[box.leaf];
    item->topic = (uint8_t)(TN_TOPIC_REPORT + box.leaf);
    item->data = tn_in_flash(at, box.to.at - at);
    say(item);
}

bool tn_out_subscribe(uint32_t kind, const char *language, const char *name)
{
    tn_out *item = &box.items[TN_LEAVES];
    if (item->number != 0u) { /* nobody knows yet that the one before is left */
        return false;
    }
    item->kind = TN_SUBSCRIBE;
    item->topic = (uint8_t)kind;
    box.topic.kind = (uint8_t)kind;
    tn_put_words(box.topic.language, language);
    tn_put_words(box.topic.name, name);
    say(item);
    return true;
}

void tn_out_unsubscribe(void)
{
    box.items[TN_LEAVES].kind = TN_UNSUBSCRIBE;
    say(&box.items[TN_LEAVES]);
}

const tn_topic *tn_out_topic(void)
{
    return &box.topic;
}

const tn_out *tn_out_head(void)
{
    const tn_out *head = box.items;
    for (const tn_out *item = head; item < box.items + ITEMS; item++) { /* the oldest; what is not said is newest */
        head = item->number - 1u < head->number - 1u ? item : head;
    }
    box.read = head->number > box.read ? head->number : box.read;
    return head->number != 0u ? head : NULL;
}

void tn_out_acknowledge(uint32_t number)
{
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (number <= box.read && box.items[i].number <= number) {
            box.items[i].number = 0;
        }
    }
}

void tn_out_clear(void)
{
    box.read = box.numbered;
    tn_out_acknowledge(box.numbered);
}
