/* The SMP server: one request at a time, held against the table of commands before it is carried out. */
#include "smp.h"

#define HEAD_BYTES 8u
#define FRAME_BYTES 4u
#define READ 0u
#define WRITE 2u
#define VERSION_MAX 1u
#define DONE_MAX 8u

typedef enum { KIND_TEXT, KIND_BYTES, KIND_UINT, KIND_INT, KIND_BOOL, KIND_ARRAY, KIND_MAP } field_kind;

typedef struct {
    const char *name;
    uint8_t kind, optional;
} field;

typedef struct {
    const char *name;
    uint16_t group;
    uint8_t id, write;
    const field *fields; /* up to one without a name */
} command;

#define FIELD(name, kind, optional) {#name, KIND_##kind, optional},
#define FIELDS(NAME, name, group, id, write, test) \
    static const field fields_of_##NAME[] = {TOCSIN_SMP_##NAME##_REQUEST(FIELD){NULL, 0, 0}};
TOCSIN_SMP_COMMANDS(FIELDS)

enum {
#define PLACE(NAME, name, group, id, write, test) AT_##NAME,
    TOCSIN_SMP_COMMANDS(PLACE) COMMANDS
};

#define HANDLER(NAME) [AT_##NAME] = tn_on_##NAME,
/* NULL: this firmware has not got it. */
static const tn_handler handlers[COMMANDS] = {
    TN_HANDLES(HANDLER)
#ifdef TN_TEST_BUILD
        TN_HANDLES_TEST(HANDLER)
#endif
};

#define COMMAND(NAME, name, group, id, write, test) {name, group, id, write, fields_of_##NAME},
static const command commands[COMMANDS] = {TOCSIN_SMP_COMMANDS(COMMAND)};

static uint8_t answer[TN_SMP_BUFFER_BYTES - FRAME_BYTES];
static void (*after)(void);

/* Requests with a key that were carried out, and what came of them. */
static struct {
    uint32_t keys[DONE_MAX];
    uint16_t commands[DONE_MAX];
    uint8_t verdicts[DONE_MAX];
    uint32_t count;
} done;

static bool same(tn_source text, const char *words)
{
    return tn_equals(text, words, tn_length(words));
}

bool tn_field(const tn_request *request, const char *name, tn_cbor *value)
{
    uint32_t count;
    tn_source key;
    tn_cbor_open(value, request->body);
    if (request->body.length == 0u || !tn_cbor_map(value, 0, 64, &count)) {
        return false;
    }
    for (uint32_t i = 0; i < count && tn_cbor_text(value, 0, 64, &key); i++) {
        if (same(key, name)) {
            return true;
        }
        (void)tn_cbor_skip(value, NULL);
    }
    return false;
}

uint64_t tn_field_uint(const tn_request *request, const char *name, uint64_t otherwise)
{
    tn_cbor value;
    uint64_t number;
    return tn_field(request, name, &value) && tn_cbor_uint(&value, UINT64_MAX, &number) ? number : otherwise;
}

tn_source tn_field_bytes(const tn_request *request, const char *name)
{
    tn_cbor value;
    tn_source bytes = {0};
    if (tn_field(request, name, &value)) {
        if (tn_cbor_peek(&value) == TN_CBOR_TEXT) {
            (void)tn_cbor_text(&value, 0, UINT32_MAX, &bytes);
        } else {
            (void)tn_cbor_bytes(&value, 0, UINT32_MAX, &bytes);
        }
    }
    return bytes;
}

bool tn_field_is(const tn_request *request, const char *name, const char *words)
{
    return same(tn_field_bytes(request, name), words);
}

const char *tn_command_name(uint32_t number)
{
    for (uint32_t i = 0; i < COMMANDS; i++) {
        if (commands[i].group == TOCSIN_SMP_GROUP_NOTIFIER && handlers[i] != NULL && number-- == 0u) {
            return commands[i].name + sizeof("notifier.") - 1u;
        }
    }
    return NULL;
}

bool tn_was_done(const tn_request *request, uint32_t *verdict)
{
    uint32_t key = (uint32_t)tn_field_uint(request, "key", 0);
    for (uint32_t i = 0; i < DONE_MAX && i < done.count; i++) {
        if (done.keys[i] == key && done.commands[i] == request->command) {
            *verdict = done.verdicts[i];
            return true;
        }
    }
    return false;
}

void tn_done(const tn_request *request, uint32_t verdict)
{
    uint32_t place = done.count % DONE_MAX;
    done.keys[place] = (uint32_t)tn_field_uint(request, "key", 0);
    done.commands[place] = request->command;
    done.verdicts[place] = (uint8_t)verdict;
    done.count++;
}

void tn_after_answer(void (*then)(void))
{
    after = then;
}

static bool is_of(tn_cbor *value, uint8_t kind)
{
    static const uint8_t kinds[] = {TN_CBOR_TEXT, TN_CBOR_BYTES, TN_CBOR_UINT, TN_CBOR_UINT, TN_CBOR_SIMPLE,
                                    TN_CBOR_ARRAY, TN_CBOR_MAP};
    tn_cbor_kind found = tn_cbor_peek(value);
    bool flag;
    if (kind == KIND_BOOL) {
        return tn_cbor_bool(value, &flag);
    }
    return (uint8_t)found == kinds[kind] || (kind == KIND_INT && found == TN_CBOR_NINT);
}

/* Whether a body is a map, its keys texts, and what the command asks for is there and of its kind. */
static bool fits(const tn_request *request, const field *fields)
{
    tn_cbor reader;
    tn_source key;
    uint32_t count;
    if (request->body.length != 0u) {
        tn_cbor_open(&reader, request->body);
        (void)tn_cbor_map(&reader, 0, 64, &count);
        for (uint32_t i = 0; !reader.bad && i < count; i++) {
            if (tn_cbor_text(&reader, 0, 64, &key)) {
                (void)tn_cbor_skip(&reader, NULL);
            }
        }
        if (!tn_cbor_ended(&reader)) {
            return false;
        }
    }
    for (; fields->name != NULL; fields++) {
        bool here = tn_field(request, fields->name, &reader);
        if (here ? !is_of(&reader, fields->kind) : fields->optional == 0u) {
            return false;
        }
    }
    return true;
}

static int call(const uint8_t head[HEAD_BYTES], tn_source message, tn_writer *to)
{
    uint32_t group = (uint32_t)head[4] << 8 | head[5];
    tn_request request = {tn_part(message, HEAD_BYTES, message.length - HEAD_BYTES), to->room, 0};
    if ((head[0] >> 3 & 3u) > VERSION_MAX) {
        return TOCSIN_SMP_RC_TOO_NEW;
    }
    for (uint32_t i = 0; i < COMMANDS; i++) {
        const command *one = &commands[i];
        if (one->group != group || one->id != head[7] || one->write != ((head[0] & 7u) == WRITE ? 1u : 0u)) {
            continue;
        }
        if (handlers[i] == NULL) {
            break;
        }
        request.command = (uint16_t)i;
        if (message.length != HEAD_BYTES + ((uint32_t)head[2] << 8 | head[3]) || !fits(&request, one->fields)) {
            return TOCSIN_SMP_RC_EINVAL;
        }
        int rc = handlers[i](&request, to);
        return rc == TOCSIN_SMP_RC_OK && to->length > to->room ? TOCSIN_SMP_RC_EMSGSIZE : rc;
    }
    return TOCSIN_SMP_RC_ENOTSUP;
}

static void put_error(tn_writer *to, int rc, uint32_t group, bool named)
{
    to->length = 0;
    tn_put_map(to, 1);
    if (named) {
        tn_put_text(to, "err");
        tn_put_map(to, 2);
        tn_put_text(to, "group");
        tn_put_uint(to, group);
    }
    tn_put_text(to, "rc");
    tn_put_uint(to, (uint64_t)rc);
}

void tn_serve(tn_source message)
{
    uint8_t head[HEAD_BYTES];
    tn_writer to = {answer + HEAD_BYTES, sizeof(answer) - HEAD_BYTES, 0};
    uint32_t operation, version, group;
    tn_read(message, 0, head, HEAD_BYTES);
    operation = head[0] & 7u;
    version = head[0] >> 3 & 3u;
    group = (uint32_t)head[4] << 8 | head[5];
    if (message.length < HEAD_BYTES || (operation != READ && operation != WRITE)) {
        return; /* an answer is never answered */
    }
    after = NULL;
    tn_console_hold();
    int rc = call(head, message, &to);
    if (rc != TOCSIN_SMP_RC_OK) {
        put_error(&to, rc, group, version > 0u && group == TOCSIN_SMP_GROUP_NOTIFIER);
    }
    tn_copy(answer, head, HEAD_BYTES);
    answer[0] = (uint8_t)((version < VERSION_MAX ? version : VERSION_MAX) << 3 | (operation + 1u));
    answer[1] = 0;
    answer[2] = (uint8_t)(to.length >> 8);
    answer[3] = (uint8_t)to.length;
    tn_frame_send(answer, HEAD_BYTES + to.length);
    tn_console_go();
    if (after != NULL) {
        after();
    }
}
