/* Topics, level by level: written where they are needed and compared where they lie (advisories/topics.py). */
#include "rooms.h"

/* A shape names its parts by digits; everything else stands for itself. */
enum { PREFIX = '0', WORD, PRODUCT, DEVICE, LANGUAGE, NAME };
#define OF_DEVICE "0/device/3/1"

static const char shapes[][sizeof(OF_DEVICE)] = {"0/1/2", "0/1/2/5", "0/1/2/4/5", "0/1/5", OF_DEVICE};

static const struct {
    char word[10];
    uint8_t shape;
} kinds[TN_TOPICS] = {
    {"timestamp", 0}, {"catalogue", 0}, {"notice", 1}, {"text", 2},  {"offer", 4},  {"answer", 4},
    {"block", 4},     {"root", 3},      {"patch", 1},  {"pages", 2}, {"report", 4}, {"want", 4},
};

const char *tn_topic_word(uint32_t kind)
{
    return kinds[kind].word;
}

/* The words that stand for a part, up to the device's id. */
static const char *value_of(char part, uint32_t kind)
{
    static const char *const values[] = {tn_maker.topics, NULL, tn_maker.product, tn_maker.id};
    return part == WORD ? kinds[kind].word : values[part - PREFIX];
}

static uint32_t write(char text[TN_TOPIC_BYTES_MAX], uint32_t kind, const char *language, const char *name, bool whole)
{
    uint32_t length = 0, count; /* at its longest it fits */
    const char *shape = shapes[kinds[kind].shape] + (whole ? 0 : 2); /* without the prefix, and its slash */
    for (; *shape != '\0'; shape++, length += count) {
        const char *words = shape;
        count = 1;
        if (*shape >= PREFIX && *shape <= NAME) {
            words = *shape < LANGUAGE ? value_of(*shape, kind) : *shape == LANGUAGE ? language : name;
            count = tn_length(words);
        }
        tn_copy(text + length, words, count);
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
