/* Frames: base64 in lines that begin with a marker, amid whatever else is on the line (docs/protocol/serial.md). */
#include "crypto.h"
#include "port.h"
#include "smp.h"

#define AROUND 4u /* bytes of length and CRC */
#define LINE_CHARACTERS ((TN_SMP_LINE_BYTES - 3u) / 4u * 4u)
#define PAD 64u
#define NONE 0xFFu

typedef enum { OUTSIDE, INSIDE, BETWEEN } place; /* of a frame: before any, in a line of it, behind one of its lines */

static struct {
    uint8_t bytes[TN_SMP_BUFFER_BYTES];
    uint32_t count, quad, characters, pads;
    uint8_t place, last; /* the byte before */
} in;

static uint8_t value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint8_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint8_t)(c - 'a' + 26);
    }
    if (c >= '0' && c <= '9') {
        return (uint8_t)(c - '0' + 52);
    }
    return c == '+' ? 62u : c == '/' ? 63u : c == '=' ? PAD : NONE;
}

static void begin(void)
{
    in.count = 0;
    in.quad = 0;
    in.characters = 0;
    in.pads = 0;
    in.place = INSIDE;
}

/* Take one character of base64; false: this cannot become a frame. */
static bool character(uint8_t c)
{
    uint8_t value = value_of(c);
    if (value == NONE || (in.pads > 0u && value != PAD)) {
        return false;
    }
    in.pads += value == PAD ? 1u : 0u;
    in.quad = in.quad << 6 | (value & 63u);
    in.characters++;
    if (in.characters % 4u != 0u) {
        return value != PAD || in.characters % 4u == 3u;
    }
    uint32_t count = 3u - in.pads;
    if (in.count + count > sizeof(in.bytes)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        in.bytes[in.count++] = (uint8_t)(in.quad >> (16u - 8u * i));
    }
    in.quad = 0;
    return true;
}

static uint32_t length_of(void)
{
    return (uint32_t)in.bytes[0] << 8 | in.bytes[1];
}

/* Whether all of the message is there. */
static bool is_whole(void)
{
    uint32_t length;
    if (in.characters % 4u != 0u || in.count < AROUND) {
        return false;
    }
    length = length_of();
    return in.count == length + 2u && length >= 2u;
}

static bool ends(void)
{
    uint32_t length = length_of();
    uint16_t crc = tn_crc16(0, in.bytes + 2, length - 2u);
    in.place = OUTSIDE;
    return in.bytes[length] == (uint8_t)(crc >> 8) && in.bytes[length + 1u] == (uint8_t)crc;
}

bool tn_frame_byte(uint8_t byte)
{
    uint8_t last = in.last;
    in.last = byte;
    if (last == 0x06u && byte == 0x09u) {
        begin();
        return false;
    }
    if (last == 0x04u && byte == 0x14u) {
        in.place = in.place == OUTSIDE ? OUTSIDE : INSIDE;
        return false;
    }
    if (byte == '\n' || byte == '\r') {
        if (in.place == INSIDE) {
            in.place = in.characters % 4u == 0u && in.characters > 0u ? BETWEEN : OUTSIDE;
        } else if (last == '\n' && byte == '\n') { /* a line feed alone ends what was broken before it */
            in.place = OUTSIDE;
        }
        return false;
    }
    if (in.place != INSIDE || byte == 0x06u || byte == 0x04u) {
        return false;
    }
    if (!character(byte)) {
        in.place = OUTSIDE;
        return false;
    }
    return is_whole() && ends();
}

tn_source tn_frame_message(void)
{
    return tn_in_memory(in.bytes + 2, in.count - AROUND);
}

/* One line that goes out. */
typedef struct {
    uint8_t bytes[TN_SMP_LINE_BYTES];
    uint32_t length, held, quad;
    bool first;
} out_line;

static void send_line(out_line *line)
{
    if (line->length > 2u) {
        line->bytes[line->length++] = '\n';
        port_uart_write(line->bytes, line->length);
        line->first = false;
    }
    line->bytes[0] = line->first ? 0x06u : 0x04u;
    line->bytes[1] = line->first ? 0x09u : 0x14u;
    line->length = 2;
}

static void put_quad(out_line *line, uint32_t count)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (line->length >= 2u + LINE_CHARACTERS) {
        send_line(line);
    }
    for (uint32_t i = 0; i < 4u; i++) {
        line->bytes[line->length++] = i <= count ? (uint8_t)letters[(line->quad >> (18u - 6u * i)) & 63u] : (uint8_t)'=';
    }
    line->held = 0;
    line->quad = 0;
}

static void put_byte(out_line *line, uint8_t byte)
{
    line->quad |= (uint32_t)byte << (16u - 8u * line->held);
    line->held++;
    if (line->held == 3u) {
        put_quad(line, 3);
    }
}

void tn_frame_send(const uint8_t *message, uint32_t length)
{
    out_line line = {{0}, 0, 0, 0, true};
    uint16_t crc = tn_crc16(0, message, length);
    send_line(&line);
    put_byte(&line, (uint8_t)((length + 2u) >> 8));
    put_byte(&line, (uint8_t)(length + 2u));
    for (uint32_t i = 0; i < length; i++) {
        put_byte(&line, message[i]);
    }
    put_byte(&line, (uint8_t)(crc >> 8));
    put_byte(&line, (uint8_t)crc);
    if (line.held > 0u) {
        put_quad(&line, line.held);
    }
    send_line(&line);
}
