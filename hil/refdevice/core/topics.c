/* Topics, level by level: written where they are needed and compared where they lie (advisories/topics.py). */
#include "record.h"
#include "rooms.h"

/* Levels of a topic. A shape has three bits for each, the first one lowest. */
enum { PREFIX = 1, WORD, PRODUCT, A_DEVICE, DEVICE, LANGUAGE, NAME, PARTS };
#define SHAPE(two, three, four, five) (PREFIX | (two) << 3 | (three) << 6 | (four) << 9 | (five) << 12)
#define OF_PRODUCT SHAPE(WORD, PRODUCT, 0, 0)
#define OF_NAME SHAPE(WORD, PRODUCT, NAME, 0)
#define OF_LANGUAGE SHAPE(WORD, PRODUCT, LANGUAGE, NAME)
#define OF_FLEET SHAPE(WORD, NAME, 0, 0)
#define OF_DEVICE SHAPE(A_DEVICE, DEVICE, WORD, 0)

static const struct {
    uint16_t word, shape;
} kinds[TN_TOPICS] = {
    {TN_NAME_timestamp, OF_PRODUCT}, {TN_NAME_catalogue, OF_PRODUCT}, {TN_NAME_notice, OF_NAME},
    {TN_NAME_text, OF_LANGUAGE},     {TN_NAME_offer, OF_DEVICE},      {TN_NAME_answer, OF_DEVICE},
    {TN_NAME_block, OF_DEVICE},      {TN_NAME_root, OF_FLEET},        {TN_NAME_patch, OF_NAME},
    {TN_NAME_pages, OF_LANGUAGE},    {TN_NAME_report, OF_DEVICE},     {TN_NAME_want, OF_DEVICE},
};

const char *tn_topic_word(uint32_t kind)
{
    return tn_name(kinds[kind].word);
}

static uint32_t write(char text[TN_TOPIC_BYTES_MAX], uint32_t kind, const char *language, const char *name, bool whole)
{
    const char *const levels[PARTS] = {
        NULL, tn_maker.topics, tn_topic_word(kind), tn_maker.product, "device", tn_maker.id, language, name};
    uint32_t length = 0, count; /* at its longest it fits */
    for (uint32_t shape = (uint32_t)kinds[kind].shape >> (whole ? 0 : 3); shape != 0u; shape >>= 3, length += count) {
        if (length > 0u) {
            text[length++] = '/';
        }
        count = tn_length(levels[shape & 7u]);
        tn_copy(text + length, levels[shape & 7u], count);
    }
    return length;
}

void tn_put_topic(uint32_t kind, const char *language, const char *name, bool whole)
{
    char text[TN_TOPIC_BYTES_MAX];
    tn_put_text_of(text, write(text, kind, language, name, whole));
}

static bool is_number(const char *text)
{
    uint32_t length = 0;
    while (text[length] >= '0' && text[length] <= '9') {
        length++;
    }
    return text[length] == '\0' && length >= 1u && length <= 16u;
}

/* Take the last level of a topic off. */
static bool take(tn_source *topic, char *text, uint32_t room)
{
    uint32_t length = topic->length;
    while (length > 0u && topic->bytes[length - 1u] != '/') {
        length--;
    }
    tn_source level = {topic->bytes + length, topic->length - length};
    topic->length = length > 0u ? length - 1u : 0u;
    return tn_text(level, text, room);
}

/* A topic is what it would be if its last levels were a language and a name. */
bool tn_topic_read(tn_source topic, tn_topic *found)
{
    char text[TN_TOPIC_BYTES_MAX];
    tn_source rest = topic;
    if (!take(&rest, found->name, sizeof(found->name))) {
        return false;
    }
    (void)take(&rest, found->language, sizeof(found->language));
    for (found->kind = 0; found->kind < TN_TOPIC_TAKEN; found->kind++) {
        if (tn_equals(topic, text, write(text, found->kind, found->language, found->name, true))) {
            bool number = found->kind == TN_TOPIC_ROOT || found->kind == TN_TOPIC_PATCH;
            return number ? is_number(found->name) : tn_is_id(found->name);
        }
    }
    return false;
}
