"""Firmware for a Cortex-M3 (QEMU's mps2-an385), small enough to be written as numbers.

It says a few lines on UART 0, then sends every byte back; ``R`` resets the chip through AIRCR.
"""

from __future__ import annotations

import struct
from pathlib import Path

TEXT = b"\r\nexercise boot rom\r\nBooting exercise firmware 1.0\r\nready\r\n"
"""What it says at every start."""

_STACK = 0x2000_1000
_CODE_AT = 0x40  # behind the vectors of the core's own exceptions
_UART = 0x4000_4000  # CMSDK: DATA 0, STATE 4, CTRL 8, BAUDDIV 16
_AIRCR = 0xE000_ED0C
_RESET = 0x05FA_0004  # VECTKEY | SYSRESETREQ
_CODE = (
    0x4C0E,  # ldr  r4, =UART
    0x2010,  # movs r0, #16
    0x6120,  # str  r0, [r4, #BAUDDIV]
    0x2003,  # movs r0, #3
    0x60A0,  # str  r0, [r4, #CTRL]      ; send and receive
    0x4D0D,  # ldr  r5, =TEXT
    0x7828,  # next: ldrb r0, [r5]
    0x3501,  # adds r5, #1
    0x2800,  # cmp  r0, #0
    0xD004,  # beq  echo
    0x6861,  # full: ldr r1, [r4, #STATE]
    0x07C9,  # lsls r1, r1, #31          ; bit 0: the send buffer is full
    0xD1FC,  # bne  full
    0x6020,  # str  r0, [r4, #DATA]
    0xE7F6,  # b    next
    0x6861,  # echo: ldr r1, [r4, #STATE]
    0x0789,  # lsls r1, r1, #30          ; bit 1: a byte came
    0xD5FC,  # bpl  echo
    0x6820,  # ldr  r0, [r4, #DATA]
    0x2852,  # cmp  r0, #'R'
    0xD004,  # beq  anew
    0x6861,  # busy: ldr r1, [r4, #STATE]
    0x07C9,  # lsls r1, r1, #31
    0xD1FC,  # bne  busy
    0x6020,  # str  r0, [r4, #DATA]
    0xE7F4,  # b    echo
    0x4803,  # anew: ldr r0, =AIRCR
    0x4904,  # ldr  r1, =VECTKEY | SYSRESETREQ
    0x6001,  # str  r1, [r0]
    0xE7FE,  # stay: b stay
)


def image() -> bytes:
    """The memory from address 0: vectors, code, its constants, the text."""
    code = struct.pack(f"<{len(_CODE)}H", *_CODE)
    text_at = _CODE_AT + len(code) + 16
    constants = struct.pack("<4I", _UART, text_at, _AIRCR, _RESET)
    stay = _CODE_AT + len(code) - 2
    vectors = struct.pack("<16I", _STACK, _CODE_AT | 1, *[stay | 1] * 14)  # bit 0: Thumb
    return vectors + code + constants + TEXT + b"\0"


def write_elf(path: Path) -> Path:
    """Write the firmware as an ELF file with one segment."""
    memory = image()
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")  # 32 bits, little-endian
    header = struct.pack("<HHIIIIIHHHHHH", 2, 40, 1, _CODE_AT | 1, 52, 0, 0x0500_0200, 52, 32, 1, 0, 0, 0)
    segment = struct.pack("<8I", 1, 84, 0, 0, len(memory), len(memory), 5, 4)  # loaded, read, executed
    path.write_bytes(ident + header + segment + memory)
    return path
