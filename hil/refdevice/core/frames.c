/* Frames: base64 in lines that begin with a marker, amid whatever else is on the line (docs/protocol/serial.md). */
#include "crypto.h"
#include "port.h"
#include "smp.h"

#define AROUND 4u /* bytes of length and CRC */
#define PAD 64u

typedef enum { OUTSIDE, INSIDE, BETWEEN } place; /* of a frame: before any, in a line of it, behind one of its lines */

uint8_t tn_frame[TN_SMP_BUFFER_BYTES + 3u];

static struct {
    uint32_t quad, characters, padding; /* of the characters so many fill up */
    uint8_t place, last; /* the byte before */
} in;

/* The character of base64 that stands for a value, or fills it up. */
static uint32_t letter(uint32_t value)
{
    return value < 26u ? 'A' + value : value < 52u ? 'a' - 26u + value : value < 62u ? '0' - 52u + value
           : value == 62u ? '+' : value == PAD ? '=' : '/';
}

/* Take one character of base64; false: this cannot become a frame. */
static bool character(uint8_t c)
{
    uint32_t value = 0, behind = in.characters % 4u, at = in.characters * 3u / 4u;
    while (value <= PAD && letter(value) != c) {
        value++;
    }
    in.characters++;
    if (value == PAD) {
        in.padding++;
        return behind >= 2u;
    }
    if (value > PAD || in.padding > 0u || at >= TN_SMP_BUFFER_BYTES) {
        return false;
    }
    in.quad = in.quad << 6 | value;
    if (behind > 0u) {
        tn_frame[at] = (uint8_t)(in.quad >> (6u - 2u * behind));
    }
    return true;
}

static uint32_t length_of(void)
{
    return (uint32_t)tn_frame[0] << 8 | tn_frame[1];
}

/* Whether all of the message is there. */
static bool is_whole(void)
{
    uint32_t count = in.characters / 4u * 3u - in.padding;
    return in.characters % 4u == 0u && count >= AROUND && count == length_of() + 2u;
}

/* A line's end leaves whole groups of characters behind, or ends what was broken. */
static void end_line(uint8_t last, uint8_t byte)
{
    if (in.place == INSIDE) {
        in.place = in.characters % 4u == 0u && in.characters > 0u ? BETWEEN : OUTSIDE;
    } else if (last == '\n' && byte == '\n') { /* a line feed alone */
        in.place = OUTSIDE;
    }
}

uint32_t tn_frame_byte(uint8_t byte)
{
    uint8_t last = in.last;
    in.last = byte;
    if (byte == '\n' || byte == '\r') {
        end_line(last, byte);
    } else if (last == 0x06u && byte == 0x09u) {
        in.characters = 0;
        in.padding = 0;
        in.place = INSIDE;
    } else if (last == 0x04u && byte == 0x14u) {
        in.place = in.place == OUTSIDE ? OUTSIDE : INSIDE;
    } else if (in.place == INSIDE && byte != 0x06u && byte != 0x04u) {
        in.place = character(byte) ? INSIDE : OUTSIDE;
        if (in.place == INSIDE && is_whole()) {
            in.place = OUTSIDE;
            /* The CRC of what ends with its own CRC is 0. */
            return tn_crc16(0, TN_MESSAGE, length_of()) == 0u ? length_of() - 2u : 0u;
        }
    }
    return 0;
}

void tn_frame_send(uint32_t length)
{
    uint32_t crc = tn_crc16(0, TN_MESSAGE, length), bits = (length + AROUND) * 8u, mark = 0x0609u;
    tn_frame[0] = (uint8_t)((length + 2u) >> 8);
    tn_frame[1] = (uint8_t)(length + 2u);
    TN_MESSAGE[length] = (uint8_t)(crc >> 8);
    TN_MESSAGE[length + 1u] = (uint8_t)crc;
    TN_MESSAGE[length + 2u] = 0; /* a character is read from two bytes */
    for (uint32_t bit = 0; bit < bits; mark = 0x0414u) {
        uint8_t line[TN_SMP_LINE_BYTES];
        uint32_t count = 2;
        line[0] = (uint8_t)(mark >> 8);
        line[1] = (uint8_t)mark;
        do {
            const uint8_t *at = tn_frame + bit / 8u;
            uint32_t value = (uint32_t)(at[0] << 8 | at[1]) >> (10u - bit % 8u) & 63u;
            line[count++] = (uint8_t)letter(bit < bits ? value : PAD);
            bit += 6u;
        } while (bit % 24u != 0u || (bit < bits && count < TN_SMP_LINE_BYTES - 1u));
        line[count++] = '\n';
        port_uart_write(line, count);
    }
}
