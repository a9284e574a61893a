/* What the device wants said. A report takes the place of one that nobody has read, and so does a want; beside them
 * there is one topic, to listen to or to leave. Whoever reads says what was taken, by its number. */
#include "rooms.h"

#define ITEMS (TN_LEAVES + 1u) /* a report, a want, the topic */

static struct {
    uint32_t numbered, read; /* numbers given so far; the highest that somebody has read */
    uint32_t numbers[ITEMS]; /* 0: nothing is to be said */
    tn_source leaves[TN_LEAVES];
    uint32_t leaf; /* what is being put into its page */
    tn_stream to;
    tn_topic topic;
    bool leaving; /* the topic */
    tn_out head;
} box;

static uint32_t leaf_at(void)
{
    return TN_AT_OUTBOX + box.leaf * TN_FLASH_PAGE;
}

static void say(uint32_t item)
{
    box.numbered++;
    box.numbers[item] = box.numbered;
}

void tn_out_begin(tn_leaf leaf)
{
    box.leaf = (uint32_t)leaf;
    box.numbers[leaf] = 0;
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
    if (count > 0u) {
        tn_fill(bytes, 0xFF, sizeof(bytes));
        tn_copy(bytes + sizeof(bytes) - count, head, count);
        tn_flash_write(at, bytes, sizeof(bytes));
    }
    at += TN_OUT_HEAD_BYTES - count;
    box.leaves[box.leaf] = tn_in_flash(at, box.to.at - at);
    if (tn_now.connected) { /* while nobody listens, nothing that is published is kept */
        say(box.leaf);
    }
}

bool tn_out_subscribe(uint32_t kind, const char *language, const char *name)
{
    if (box.numbers[TN_LEAVES] != 0u) { /* nobody knows yet that the one before is left */
        return false;
    }
    box.topic.kind = (uint8_t)kind;
    tn_copy(box.topic.language, language, tn_length(language) + 1u);
    tn_copy(box.topic.name, name, tn_length(name) + 1u);
    box.leaving = false;
    say(TN_LEAVES);
    return true;
}

void tn_out_unsubscribe(void)
{
    box.leaving = true;
    say(TN_LEAVES);
}

const tn_topic *tn_out_topic(void)
{
    return &box.topic;
}

const tn_out *tn_out_head(void)
{
    tn_out *head = &box.head;
    uint32_t item = 0;
    for (uint32_t i = 1; i < ITEMS; i++) { /* the oldest; what is not to be said counts as the newest */
        item = box.numbers[i] - 1u < box.numbers[item] - 1u ? i : item;
    }
    head->number = box.numbers[item];
    if (head->number == 0u) {
        return NULL;
    }
    head->kind = TN_PUBLISH;
    head->topic = (uint8_t)(TN_TOPIC_REPORT + item);
    head->data = box.leaves[item % TN_LEAVES];
    if (item == TN_LEAVES) {
        head->kind = box.leaving ? TN_UNSUBSCRIBE : TN_SUBSCRIBE;
        head->topic = box.topic.kind;
        head->data.length = 0;
    }
    box.read = head->number > box.read ? head->number : box.read;
    return head;
}

void tn_out_acknowledge(uint32_t number)
{
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (number <= box.read && box.numbers[i] <= number) {
            box.numbers[i] = 0;
        }
    }
}

void tn_out_clear(void)
{
    tn_fill(box.numbers, 0, sizeof(box.numbers));
}
