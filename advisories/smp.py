"""What may be said on a serial line by SMP: made from ``smp.toml`` by ``.ci/smp-table``."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

from advisories.smp_types import Command, Retry, fits


class Rc(IntEnum):
    """Error codes that every group shares; a group's own begin at PERUSER."""

    OK = 0  # no error
    UNKNOWN = 1  # unknown error
    NOMEM = 2  # not enough memory
    EINVAL = 3  # a value is wrong, or the message does not fit the buffer
    ETIMEOUT = 4  # it took too long
    ENOENT = 5  # there is no such thing
    EBADSTATE = 6  # not in this state
    EMSGSIZE = 7  # the message or its answer is too large
    ENOTSUP = 8  # the command is not supported
    ECORRUPT = 9  # corrupt
    EBUSY = 10  # busy with another command
    EACCESSDENIED = 11  # not allowed
    TOO_OLD = 12  # this version of the protocol is too old
    TOO_NEW = 13  # this version of the protocol is too new
    PERUSER = 256  # a group's own code begins here


NOTIFIER_GROUP: Final = 400
"""Tocsin's own group; a board file may give another number."""
OS_ECHO: Final = Command(
    "os.echo", 0, 0, write=True, retry=Retry.READ, request={"d": "text"}, answer={"r": "text"}
)
OS_CONSOLE_ECHO: Final = Command(
    "os.console_echo", 0, 1, write=True, retry=Retry.NEVER, request={"echo": "uint"}, answer={}
)
OS_TASKS: Final = Command(
    "os.tasks", 0, 2, write=False, retry=Retry.READ, request={}, answer={"tasks": "map"}
)
OS_MEMORY_POOLS: Final = Command(
    "os.memory_pools", 0, 3, write=False, retry=Retry.READ, request={}, answer={}
)
OS_DATETIME: Final = Command(
    "os.datetime", 0, 4, write=False, retry=Retry.READ, request={}, answer={"datetime": "text"}
)
OS_DATETIME_SET: Final = Command(
    "os.datetime_set", 0, 4, write=True, retry=Retry.NEVER, request={"datetime": "text"}, answer={}
)
OS_RESET: Final = Command(
    "os.reset",
    0,
    5,
    write=True,
    retry=Retry.NEVER,
    request={"force": "uint?", "boot_mode": "uint?"},
    answer={},
)
OS_PARAMETERS: Final = Command(
    "os.parameters",
    0,
    6,
    write=False,
    retry=Retry.READ,
    request={},
    answer={"buf_size": "uint", "buf_count": "uint"},
)
OS_INFO: Final = Command(
    "os.info", 0, 7, write=False, retry=Retry.READ, request={"format": "text?"}, answer={"output": "text"}
)
OS_BOOTLOADER: Final = Command(
    "os.bootloader",
    0,
    8,
    write=False,
    retry=Retry.READ,
    request={"query": "text?"},
    answer={"bootloader": "text?", "mode": "int?"},
)
IMG_STATE: Final = Command(
    "img.state",
    1,
    0,
    write=False,
    retry=Retry.READ,
    request={},
    answer={"images": "array", "splitStatus": "uint?"},
)
IMG_STATE_SET: Final = Command(
    "img.state_set",
    1,
    0,
    write=True,
    retry=Retry.NEVER,
    request={"hash": "bytes?", "confirm": "bool?"},
    answer={"images": "array?", "splitStatus": "uint?"},
)
IMG_UPLOAD: Final = Command(
    "img.upload",
    1,
    1,
    write=True,
    retry=Retry.OFFSET,
    request={
        "image": "uint?",
        "len": "uint?",
        "off": "uint",
        "sha": "bytes?",
        "data": "bytes",
        "upgrade": "bool?",
    },
    answer={"off": "uint", "match": "bool?"},
)
IMG_ERASE: Final = Command(
    "img.erase", 1, 5, write=True, retry=Retry.NEVER, request={"slot": "uint?"}, answer={}
)
STAT_SHOW: Final = Command(
    "stat.show",
    2,
    0,
    write=False,
    retry=Retry.READ,
    request={"name": "text"},
    answer={"name": "text", "fields": "map"},
)
STAT_LIST: Final = Command(
    "stat.list", 2, 1, write=False, retry=Retry.READ, request={}, answer={"stat_list": "array"}
)
NOTIFIER_INFO: Final = Command(
    "notifier.info",
    400,
    0,
    write=False,
    retry=Retry.READ,
    request={},
    answer={
        "proto": "uint",
        "id": "text",
        "class": "text",
        "hw": "text",
        "fw": "text",
        "algs": "array",
        "max": "uint",
        "caps": "array",
        "filters": "array",
        "boot": "bytes",
    },
)
NOTIFIER_PUT: Final = Command(
    "notifier.put",
    400,
    1,
    write=True,
    retry=Retry.OFFSET,
    request={"sha": "bytes", "off": "uint", "len": "uint?", "data": "bytes"},
    answer={"off": "uint"},
)
NOTIFIER_SUBMIT: Final = Command(
    "notifier.submit",
    400,
    2,
    write=True,
    retry=Retry.KEY,
    request={"sha": "bytes", "topic": "text", "key": "uint"},
    answer={"verdict": "uint", "name": "text?", "text": "text?"},
)
NOTIFIER_NOTICE: Final = Command(
    "notifier.notice",
    400,
    3,
    write=False,
    retry=Retry.READ,
    request={"off": "uint?"},
    answer={
        "id": "text?",
        "revision": "uint?",
        "severity": "text?",
        "language": "text?",
        "confirmed": "bool?",
        "asks": "text?",
        "count": "uint",
        "off": "uint",
        "lines": "array",
    },
)
NOTIFIER_REPORT: Final = Command(
    "notifier.report",
    400,
    4,
    write=False,
    retry=Retry.READ,
    request={"ack": "uint?", "off": "uint?"},
    answer={
        "number": "uint?",
        "kind": "uint?",
        "topic": "text?",
        "len": "uint?",
        "off": "uint?",
        "data": "bytes?",
    },
)
NOTIFIER_PRESS: Final = Command(
    "notifier.press",
    400,
    5,
    write=True,
    retry=Retry.KEY,
    request={"button": "text", "key": "uint"},
    answer={},
    test_build=True,
)
NOTIFIER_STATE: Final = Command(
    "notifier.state",
    400,
    6,
    write=False,
    retry=Retry.READ,
    request={},
    answer={
        "boot": "bytes",
        "epoch": "uint",
        "cause": "text",
        "slot": "uint",
        "installed": "text",
        "pending": "text?",
        "floors": "map",
        "root": "uint",
        "kids": "array",
        "notices": "array",
        "patches": "array",
        "journal": "uint",
        "head": "bytes",
        "writes": "uint",
    },
)
NOTIFIER_FAULT: Final = Command(
    "notifier.fault",
    400,
    7,
    write=True,
    retry=Retry.KEY,
    request={"at": "uint", "when": "text", "key": "uint"},
    answer={},
    test_build=True,
)
NOTIFIER_CLOCK: Final = Command(
    "notifier.clock", 400, 8, write=False, retry=Retry.READ, request={}, answer={"utc": "uint"}
)
NOTIFIER_CLOCK_SET: Final = Command(
    "notifier.clock_set",
    400,
    8,
    write=True,
    retry=Retry.KEY,
    request={"utc": "uint", "key": "uint"},
    answer={},
    test_build=True,
)
NOTIFIER_PROVISION: Final = Command(
    "notifier.provision",
    400,
    9,
    write=True,
    retry=Retry.KEY,
    request={"what": "text", "value": "bytes?", "key": "uint"},
    answer={},
    test_build=True,
)
NOTIFIER_CARRIER: Final = Command(
    "notifier.carrier", 400, 10, write=True, retry=Retry.KEY, request={"up": "bool", "key": "uint"}, answer={}
)
COMMANDS: Final[Mapping[str, Command]] = MappingProxyType(
    {
        one.name: one
        for one in (
            OS_ECHO,
            OS_CONSOLE_ECHO,
            OS_TASKS,
            OS_MEMORY_POOLS,
            OS_DATETIME,
            OS_DATETIME_SET,
            OS_RESET,
            OS_PARAMETERS,
            OS_INFO,
            OS_BOOTLOADER,
            IMG_STATE,
            IMG_STATE_SET,
            IMG_UPLOAD,
            IMG_ERASE,
            STAT_SHOW,
            STAT_LIST,
            NOTIFIER_INFO,
            NOTIFIER_PUT,
            NOTIFIER_SUBMIT,
            NOTIFIER_NOTICE,
            NOTIFIER_REPORT,
            NOTIFIER_PRESS,
            NOTIFIER_STATE,
            NOTIFIER_FAULT,
            NOTIFIER_CLOCK,
            NOTIFIER_CLOCK_SET,
            NOTIFIER_PROVISION,
            NOTIFIER_CARRIER,
        )
    }
)
"""Every command by its name."""
__all__ = [
    "COMMANDS",
    "IMG_ERASE",
    "IMG_STATE",
    "IMG_STATE_SET",
    "IMG_UPLOAD",
    "NOTIFIER_CARRIER",
    "NOTIFIER_CLOCK",
    "NOTIFIER_CLOCK_SET",
    "NOTIFIER_FAULT",
    "NOTIFIER_GROUP",
    "NOTIFIER_INFO",
    "NOTIFIER_NOTICE",
    "NOTIFIER_PRESS",
    "NOTIFIER_PROVISION",
    "NOTIFIER_PUT",
    "NOTIFIER_REPORT",
    "NOTIFIER_STATE",
    "NOTIFIER_SUBMIT",
    "OS_BOOTLOADER",
    "OS_CONSOLE_ECHO",
    "OS_DATETIME",
    "OS_DATETIME_SET",
    "OS_ECHO",
    "OS_INFO",
    "OS_MEMORY_POOLS",
    "OS_PARAMETERS",
    "OS_RESET",
    "OS_TASKS",
    "STAT_LIST",
    "STAT_SHOW",
    "Command",
    "Rc",
    "Retry",
    "fits",
]
