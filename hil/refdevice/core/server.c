/* The SMP server: one request at a time, held against the table of commands before it is carried out. Its answer takes
 * its place in memory. */
#include "notice.h"
#include "port.h"
#include "smp.h"

#define ROOM (TN_SMP_BUFFER_BYTES - 4u - TN_HEAD_BYTES)
#define WRITE 2u
#define VERSION_MAX 1u
#define DONE_MAX 8u
#define KEYS_MAX 64u /* entries of a body, and bytes of each one's key, whether its command knows it or not */

/* The kinds of fields that requests have, as a head says them. */
typedef enum {
    KIND_UINT = TN_CBOR_UINT,
    KIND_BYTES = TN_CBOR_BYTES,
    KIND_TEXT = TN_CBOR_TEXT,
    KIND_BOOL = TN_CBOR_SIMPLE,
    OPTIONAL = 0x80
} field_kind;

typedef struct {
    uint8_t name, kind; /* TN_NAME_NONE: behind the last one of a command */
} field;

#define FIELD(name, kind, optional) {TN_NAME_##name, KIND_##kind | ((optional) != 0 ? OPTIONAL : 0)},
#define FIELDS(NAME, handler) TOCSIN_SMP_##NAME##_REQUEST(FIELD){TN_NAME_NONE, 0},
static const field fields_of_all[] = {TN_HANDLES(FIELDS)};

/* Heads, in two bytes each, and handlers stand in the same order. */
#define SHORT(group, operation, command) ((group) << 6 | (operation) << 4 | (command))
#define COMMANDS_MAX 32u
#define COMMAND(NAME, handler) \
    SHORT(TOCSIN_SMP_##NAME##_HEAD >> 16, TOCSIN_SMP_##NAME##_HEAD >> 8 & 3u, TOCSIN_SMP_##NAME),
static const uint16_t heads[] = {TN_HANDLES(COMMAND)};
#define HANDLER(NAME, handler) handler,
static const tn_handler handlers[] = {TN_HANDLES(HANDLER)};

#define COMMANDS (sizeof(heads) / sizeof(heads[0]))

/* Requests with a key that were carried out, and what came of them. */
static struct {
    uint32_t key;
    uint8_t command; /* from 1 */
    uint8_t verdict;
} done[DONE_MAX];
static uint32_t done_count;

static tn_request request;

uint32_t tn_number_of(tn_item item)
{
    uint64_t number = tn_value(item);
    return number < UINT32_MAX ? (uint32_t)number : UINT32_MAX;
}

/* Read a body: whether it is a map whose keys are texts, and what a command asks for is there and of its kind. What
 * else there is is passed over. */
static bool read_body(tn_item body, uint32_t length, const field *fields)
{
    static const uint8_t shape[] = {TN_FIELDS, KEYS_MAX, TN_OF(TN_TEXT, KEYS_MAX, TN_ANY)};
    if (length == 0u) {
        body = NULL;
    } else if (!tn_fits(tn_in_memory(body, length), shape, NULL)) {
        return false;
    }
    for (tn_item *item = request.fields; fields->name != TN_NAME_NONE; item++, fields++) {
        uint32_t kind = fields->kind & ~(uint32_t)OPTIONAL;
        *item = tn_under(body, tn_name(fields->name));
        if (*item == NULL ? kind == fields->kind : tn_kind(*item) != kind || **item == TN_CBOR_NULL) {
            return false;
        }
        if (fields->name == TN_NAME_key) {
            request.key = *item;
        }
    }
    return true;
}

/* Carry a request out; one with a key only once, and whether it was is known by its key. */
static int call_once(uint32_t number)
{
    uint32_t key = (uint32_t)tn_value(request.key);
    for (uint32_t place = 0; place < DONE_MAX; place++) {
        if (done[place].key == key && done[place].command == number + 1u) {
            request.again = true; /* a command without a key is never kept */
            request.verdict = done[place].verdict;
        }
    }
    tn_answer();
    int rc = handlers[number](&request);
    if (rc == TOCSIN_SMP_RC_OK && request.key != NULL && !request.again) {
        uint32_t place = done_count++ % DONE_MAX;
        done[place].key = key;
        done[place].command = (uint8_t)(number + 1u);
        done[place].verdict = (uint8_t)request.verdict;
    }
    return rc == TOCSIN_SMP_RC_OK && tn_written.length > tn_written.room ? TOCSIN_SMP_RC_EMSGSIZE : rc;
}

static int call(const uint8_t *head, uint32_t length, uint32_t operation, uint32_t group)
{
    const field *fields = fields_of_all;
    uint32_t wanted = SHORT(group, operation, head[7]);
    uint32_t number = 0;
    tn_fill(&request, 0, sizeof(request));
    if ((head[0] >> 3 & 3u) > VERSION_MAX) {
        return TOCSIN_SMP_RC_TOO_NEW;
    }
    while (heads[number] != wanted || head[7] >= COMMANDS_MAX) {
        if (++number == COMMANDS) { /* images come over the air only: a serial line is no way around signatures */
            return group == TOCSIN_SMP_GROUP_IMG && operation == WRITE ? TOCSIN_SMP_RC_EACCESSDENIED
                                                                       : TOCSIN_SMP_RC_ENOTSUP;
        }
        while ((fields++)->name != TN_NAME_NONE) {
        }
    }
    if (length != TN_HEAD_BYTES + ((uint32_t)head[2] << 8 | head[3]) ||
        !read_body(head + TN_HEAD_BYTES, length - TN_HEAD_BYTES, fields)) {
        return TOCSIN_SMP_RC_EINVAL;
    }
    return call_once(number);
}

void tn_answer(void)
{
    tn_write_to(TN_MESSAGE + TN_HEAD_BYTES, ROOM - 1u);
    tn_put_byte(TN_CBOR_OPEN_MAP); /* a map without a stated length */
}

void tn_serve(uint32_t length)
{
    uint8_t *head = TN_MESSAGE;
    uint32_t version = head[0] >> 3 & 3u, operation = head[0] & 7u;
    if (length < TN_HEAD_BYTES || (operation & ~WRITE) != 0u) {
        return; /* an answer is never answered */
    }
    uint32_t group = (uint32_t)head[4] << 8 | head[5];
    int rc = call(head, length, operation, group);
    if (rc != TOCSIN_SMP_RC_OK) {
        tn_answer();
        if (version > 0u && group == TOCSIN_SMP_GROUP_NOTIFIER) {
            tn_put_name(TN_NAME_err);
            tn_put_byte(TN_CBOR_MAP << 5 | 2u);
            tn_put_named(TN_NAME_group, group);
        }
        tn_put_named(TN_NAME_rc, (uint32_t)rc);
    }
    tn_written.room = ROOM;
    tn_put_byte(TN_CBOR_CLOSE);
    head[0] = (uint8_t)((version < VERSION_MAX ? version : VERSION_MAX) << 3 | (operation + 1u));
    head[1] = 0;
    head[2] = (uint8_t)(tn_written.length >> 8);
    head[3] = (uint8_t)tn_written.length;
    tn_frame_send(TN_HEAD_BYTES + tn_written.length);
    if (request.restarts) {
#ifdef TN_TEST_BUILD
        tn_provision_apply();
#endif
        port_reset();
    }
}
