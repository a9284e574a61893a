/* Topics, level by level: written where they are needed and compared where they lie (advisories/topics.py). */
#include "rooms.h"

/* A shape names its parts by digits; everything else stands for itself. */
enum { PREFIX = '0', WORD, PRODUCT, DEVICE, LANGUAGE, NUMBER, ID };
#define OF_DEVICE "0/device/3/1"

static const char shapes[][sizeof(OF_DEVICE)] = {"0/1/2", "0/1/2/6", "0/1/2/4/6", "0/1/2/5", "0/1/5", OF_DEVICE};

static const struct {
    char word[10];
    uint8_t shape;
} kinds[TN_TOPICS] = {
    {"timestamp", 0}, {"catalogue", 0}, {"notice", 1}, {"text", 2}, {"offer", 5}, {"answer", 5},
    {"block", 5},     {"root", 4},      {"patch", 3},  {"pages", 2}, {"report", 5}, {"want", 5},
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

void tn_put_topic(tn_writer *to, uint32_t kind, const char *language, const char *name, bool whole)
{
    char text[TN_TOPIC_BYTES_MAX]; /* at its longest a topic fits */
    uint32_t length = 0, count;
    const char *shape = shapes[kinds[kind].shape] + (whole ? 0 : 2); /* without the prefix, and its slash */
    for (; *shape != '\0'; shape++, length += count) {
        const char *words = shape;
        count = 1;
        if (*shape >= PREFIX && *shape <= ID) {
            words = *shape < LANGUAGE ? value_of(*shape, kind) : *shape == LANGUAGE ? language : name;
            count = tn_length(words);
        }
        tn_copy(text + length, words, count);
    }
    tn_put_text_of(to, text, length);
}

static bool is_number(const char *text)
{
    uint32_t length = 0;
    while (text[length] >= '0' && text[length] <= '9') {
        length++;
    }
    return text[length] == '\0' && length >= 1u && length <= 16u;
}

/* Take the level that begins at an offset; false: it may not stand there. */
static bool take(tn_source level, char part, tn_topic *found)
{
    if (part == LANGUAGE) {
        if (!tn_text(level, found->language, sizeof(found->language))) {
            found->language[0] = '\0'; /* it names no text that there is */
        }
        return true;
    }
    return tn_text(level, found->name, sizeof(found->name)) &&
           (part == NUMBER ? is_number(found->name) : tn_is_id(found->name));
}

static bool matches(tn_source topic, uint32_t kind, tn_topic *found)
{
    uint32_t at = 0, count;
    for (const char *shape = shapes[kinds[kind].shape]; *shape != '\0'; shape++, at += count) {
        if (*shape >= LANGUAGE && *shape <= ID) {
            for (count = 0; at + count < topic.length && topic.bytes[at + count] != '/'; count++) {
            }
            if (!take(tn_part(topic, at, count), *shape, found)) {
                return false;
            }
        } else {
            bool part = *shape >= PREFIX && *shape < LANGUAGE;
            const char *words = part ? value_of(*shape, kind) : shape;
            count = part ? tn_length(words) : 1u;
            if (!tn_equals(tn_part(topic, at, count), words, count)) {
                return false;
            }
        }
    }
    return at == topic.length;
}

bool tn_topic_read(tn_source topic, tn_topic *found)
{
    tn_fill(found, 0, sizeof(*found));
    for (found->kind = 0; found->kind < TN_TOPIC_TAKEN; found->kind++) {
        if (matches(topic, found->kind, found)) {
            return true;
        }
    }
    return false;
}
