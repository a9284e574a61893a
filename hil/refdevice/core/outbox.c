/* What the device wants said. A report takes the place of one that nobody has read, and so does a want; topics to listen
 * to wait in memory. Whoever reads says what was taken, by its number. */
#include "port.h"
#include "rooms.h"

#define LEAVES 2u
#define ITEMS (LEAVES + TN_OUT_TOPICS_MAX)

typedef struct {
    uint32_t number; /* 0: free */
    uint8_t kind;
} item;

static struct {
    uint32_t numbered, read; /* numbers given so far; the highest that somebody has read */
    item items[ITEMS];       /* a report, a want, and topics */
    uint32_t lengths[LEAVES];
    char topics[TN_OUT_TOPICS_MAX][TN_TOPIC_ROOM]; /* below the prefix */
    tn_out head;
} box;

/* What is being put into a page: whole units are written as they fill. */
static struct {
    uint32_t leaf, length;
    uint8_t unit[TN_FLASH_UNIT];
} page;

static uint32_t leaf_at(uint32_t leaf)
{
    return TN_AT_OUTBOX + leaf * TN_FLASH_PAGE;
}

void tn_out_begin(tn_leaf leaf)
{
    page.leaf = (uint32_t)leaf;
    page.length = 0;
    box.items[leaf].number = 0;
    tn_flash_erase(leaf_at(page.leaf), TN_FLASH_PAGE);
}

void tn_out_add(const void *bytes, uint32_t count)
{
    const uint8_t *from = bytes;
    for (uint32_t i = 0; i < count && page.length < TN_FLASH_PAGE; i++) {
        page.unit[page.length % TN_FLASH_UNIT] = from[i];
        page.length++;
        if (page.length % TN_FLASH_UNIT == 0u) {
            tn_flash_write(leaf_at(page.leaf) + page.length - TN_FLASH_UNIT, page.unit, TN_FLASH_UNIT);
        }
    }
}

void tn_out_added(uint32_t from, tn_source parts[2])
{
    uint32_t over = page.length % TN_FLASH_UNIT, even = page.length - over;
    uint32_t late = from > even ? from - even : 0u;
    parts[0] = from < even ? tn_in_flash(leaf_at(page.leaf) + from, even - from) : tn_in_flash(0, 0);
    parts[1] = tn_in_memory(page.unit + late, over - late);
}

static void put(uint32_t place, tn_out_kind kind)
{
    box.numbered++;
    box.items[place].number = box.numbered;
    box.items[place].kind = (uint8_t)kind;
}

void tn_out_publish(void)
{
    uint32_t over = page.length % TN_FLASH_UNIT;
    if (over != 0u) {
        tn_flash_write(leaf_at(page.leaf) + page.length - over, page.unit, over);
    }
    box.lengths[page.leaf] = page.length;
    if (tn_now.connected) { /* while nobody listens, nothing that is published is kept */
        put(page.leaf, TN_PUBLISH);
    }
}

bool tn_out_topic(tn_out_kind kind, const char *below_prefix)
{
    if (!tn_now.connected) {
        return false;
    }
    for (uint32_t i = 0; i < TN_OUT_TOPICS_MAX; i++) {
        if (box.items[LEAVES + i].number == 0u) {
            uint32_t length = tn_length(below_prefix);
            length = length < TN_TOPIC_ROOM ? length : TN_TOPIC_ROOM - 1u;
            tn_copy(box.topics[i], below_prefix, length);
            box.topics[i][length] = '\0';
            put(LEAVES + i, kind);
            return true;
        }
    }
    return false;
}

bool tn_out_full(void)
{
    for (uint32_t i = LEAVES; i < ITEMS; i++) {
        if (box.items[i].number == 0u) {
            return false;
        }
    }
    return true;
}

static uint32_t oldest(void)
{
    uint32_t found = ITEMS;
    for (uint32_t i = 0; i < ITEMS; i++) {
        if (box.items[i].number != 0u && (found == ITEMS || box.items[i].number < box.items[found].number)) {
            found = i;
        }
    }
    return found;
}

static void append(char *topic, uint32_t *at, const char *words)
{
    for (uint32_t i = 0; words[i] != '\0' && *at < TN_TOPIC_ROOM - 1u; i++) {
        topic[(*at)++] = words[i];
    }
    topic[*at] = '\0';
}

const tn_out *tn_out_head(void)
{
    static const char *const leaves[LEAVES] = {"report", "want"};
    uint32_t place = oldest(), at = 0;
    tn_out *head = &box.head;
    if (place == ITEMS) {
        return NULL;
    }
    head->number = box.items[place].number;
    head->kind = box.items[place].kind;
    append(head->topic, &at, tn_maker.topics);
    append(head->topic, &at, "/");
    if (place < LEAVES) {
        append(head->topic, &at, "device/");
        append(head->topic, &at, tn_maker.id);
        append(head->topic, &at, "/");
        append(head->topic, &at, leaves[place]);
        head->data = tn_in_flash(leaf_at(place), box.lengths[place]);
    } else {
        append(head->topic, &at, box.topics[place - LEAVES]);
        head->data = tn_in_flash(0, 0);
    }
    if (head->number > box.read) {
        box.read = head->number;
    }
    return head;
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
    for (uint32_t i = 0; i < ITEMS; i++) {
        box.items[i].number = 0;
    }
}
