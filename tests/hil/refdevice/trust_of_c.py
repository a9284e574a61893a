"""The C device's trust room, called from Python beside ``keys``: the same bytes to both, the same verdict from both."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Callable, Sequence
from typing import Any

from keys import cose
from keys.algorithms import UNDECLARED
from keys.cbor import bstr, encode
from keys.document import Genuine, size_max, typ
from keys.errors import RefusedError
from keys.reasons import Reason
from keys.root import Body, Root
from keys.shapes import Shape
from keys.signer import Signer
from keys.trusted import Floor, TrustedSet

from .build import Core, Source
from .shape_of_c import ANYTHING
from .structs_of_c import CFloor, CRoot, Document, Expected, Message, Signature, Signed, Stored

STAGED = "TN_AT_STAGING"
FLOORS = {"catalogue": 1, "timestamp": 2, "offer": 3, "answer": 4, "notice": 5}
"""Type -> ``tn_floor_type``."""
CARRIED = 0xFF


def mark_of(name: str) -> int:
    """Return by what the C device knows a role or holder again."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], sys.byteorder)


def verdict(call: Callable[[], object]) -> Reason:
    """Return why a call refused, or OK."""
    try:
        call()
    except RefusedError as error:
        return error.reason
    return Reason.OK


def unsigned(body: bytes, type_: str = "root") -> bytes:
    """Return a document that holds ``body`` and a signature of nobody: enough to be read."""
    return envelope(encode({cose.TYP: typ(type_)}), body, [(b"", b"")])


def envelope(header: bytes, payload: bytes | None, signatures: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return a COSE_Sign of these parts, whatever they say."""
    held = b"".join(b"\x83" + bstr(head) + b"\xa0" + bstr(value) for head, value in signatures)
    count = len(signatures)
    body = b"\xf6" if payload is None else bstr(payload)
    array = bytes((0x80 | count,)) if count < 24 else bytes((0x98, count))
    return b"\xd8\x62\x84" + bstr(header) + b"\xa0" + body + array + held


def signed_bytes(body: bytes, signers: Sequence[Signer], type_: str) -> bytes:
    """Return a document of any bytes, signed."""
    return cose.sign(body, signers, typ=typ(type_))


def changed(data: bytes, places: list[tuple[int, int, int]]) -> bytes:
    """Return bytes that were changed in some places: (where, 0 replaced 1 put in 2 cut out, which or how many)."""
    found = bytearray(data)
    for place, how, value in places:
        at = place % (len(found) + 1)
        if how == 0:
            found[at : at + 1] = bytes((value,))
        elif how == 1:
            found[at:at] = bytes((value,))
        else:
            del found[at : at + value]
    return bytes(found)


def fits(shape: Shape, value: object) -> bool:
    """Say whether Python's reader of this shape takes a value."""
    return verdict(lambda: shape.unpack(value)) is Reason.OK


class Trust:
    """The trust room of one core, with a word for each of its functions."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.lib = core.lib
        self._now = 0
        core.lib.tn_trust_root.restype = ctypes.POINTER(CRoot)
        core.lib.tn_trust_floor.restype = ctypes.POINTER(CFloor)
        core.lib.tn_trust_time_floor.restype = ctypes.c_uint64
        core.lib.tn_trust_time_floor.argtypes = (ctypes.c_bool,)

    @property
    def stored(self) -> Stored:
        """The state in memory."""
        return Stored.in_dll(self.lib, "tn_stored")

    def put(self, data: bytes, at: str = STAGED) -> Source:
        """Stage a document in flash."""
        self.core.flash_load(at, data)
        return self.core.in_flash(at, len(data))

    def bytes_of(self, part: Source) -> bytes:
        """Return what a source in flash holds."""
        return ctypes.string_at(part.address, part.length)

    def open(self, data: bytes, tag: int, *, unprotected: bool = True) -> tuple[Reason, Message]:
        """Take an envelope apart."""
        message = Message()
        found = self.lib.tn_cose_open(self.put(data), tag, ctypes.c_bool(unprotected), ctypes.byref(message))
        return Reason(found), message

    def signatures(self, message: Message) -> list[Signature]:
        """Read the signatures of an opened envelope."""
        found = []
        for number in range(16 if message.many else 1):
            signature = Signature()
            if not self.lib.tn_cose_signature(ctypes.byref(message), number, ctypes.byref(signature)) & 1:
                break
            found.append(signature)
        return found

    def string(self, item: int | None) -> bytes:
        """Return what a string holds."""
        self.lib.tn_string.restype = Source
        return self.bytes_of(self.lib.tn_string(ctypes.c_void_p(item)))

    def whole(self, item: int | None) -> bytes:
        """Return an item as encoded; empty where there is none."""
        self.lib.tn_whole.restype = Source
        return self.bytes_of(self.lib.tn_whole(ctypes.c_void_p(item)))

    def typ(self, message: Message) -> bytes:
        """What its header says of the type, as encoded."""
        self.lib.tn_cose_typ.restype = ctypes.c_void_p
        return self.whole(self.lib.tn_cose_typ(ctypes.byref(message)))

    def kid(self, signature: Signature) -> bytes:
        """What a signer's header says of the key, as encoded."""
        self.lib.tn_cose_kid.restype = ctypes.c_void_p
        return self.whole(self.lib.tn_cose_kid(ctypes.byref(signature)))

    def check(self, message: Message, signature: Signature, key: bytes, payload: bytes) -> Reason:
        """Check one signature."""
        said = ctypes.create_string_buffer(bstr(payload))
        message.payload = ctypes.addressof(said)
        return Reason(self.lib.tn_cose_check(ctypes.byref(message), ctypes.byref(signature), key))

    def read_root(self, document: bytes) -> tuple[Reason, CRoot]:
        """Read a root, believing nothing; it stays staged."""
        root = CRoot()
        return Reason(self.lib.tn_root_read(self.put(document), ctypes.byref(root))), root

    def judge_root(self, document: bytes) -> Reason:
        """Read and check a root, as far as is possible without signatures."""
        reason, root = self.read_root(document)
        return reason or Reason(self.lib.tn_root_check(ctypes.byref(root)))

    def key_of(self, root: CRoot, kid: bytes) -> int:
        """Return the number of the key with this thumbprint, or -1."""
        return int(self.lib.tn_root_key(ctypes.byref(root), bstr(kid)))

    def meets(
        self, root: CRoot, type_: str, product: str, signed: int, passed: int, author: tuple[str, str] | None
    ) -> Reason:
        """Ask whether keys meet a row; keys are bits."""
        row = self.lib.tn_root_row(ctypes.byref(root), type_.encode(), product.encode())
        found = Signed(signed, passed, tuple(map(mark_of, author or ())))
        return Reason(self.lib.tn_root_meets(ctypes.byref(root), row, ctypes.byref(found)))

    def expected(
        self,
        cls: type[Body],
        *,
        subject: str | None = None,
        product: str | None = None,
        now: int | None = None,
        expiring: bool = True,
        own: Any = None,
    ) -> Expected:
        """Say what is expected, as a room of the device would."""
        self._now = now or 0
        self.core.set_utc(self._now)
        self.lib.tn_begin()  # the clock of what is accepted from now on
        return Expected(
            cls.TYPE.encode(),
            cls.BYTES_MAX,
            size_max(cls),
            subject.encode() if subject else None,
            own_row.encode() if (own_row := product or subject) else None,
            ctypes.addressof(own or ANYTHING),
            FLOORS.get(cls.TYPE, 0),
            expiring,
        )

    def open_document(
        self, data: bytes, root: CRoot, fleet: bytes, expected: Expected, at: str = "TN_AT_OUTBOX"
    ) -> tuple[Reason, Document]:
        """Open a document under a root that lies elsewhere in flash."""
        found = Document()
        reason = self.lib.tn_document_open(
            self.put(data, at),
            ctypes.byref(root),
            fleet or None,
            ctypes.byref(expected),
            ctypes.c_uint64(self._now),
            ctypes.byref(found),
        )
        return Reason(reason), found

    def enrol(self, root_1: bytes, pinned: bytes | None = None) -> Reason:
        """Begin to trust a fleet."""
        return Reason(self.lib.tn_trust_enrol(self.put(root_1), pinned))

    def update(self, document: bytes) -> Reason:
        """Take the next root."""
        return Reason(self.lib.tn_trust_update(self.put(document)))

    def accept(self, data: bytes, expected: Expected, name: str) -> Reason:
        """Accept a document under a name."""
        found = Document()
        return Reason(
            self.lib.tn_trust_accept(
                self.put(data), ctypes.byref(expected), name.encode(), ctypes.byref(found)
            )
        )

    @property
    def root(self) -> CRoot:
        """The root in force."""
        found: CRoot = self.lib.tn_trust_root().contents
        return found

    def floor(self, type_: str, name: str) -> CFloor | None:
        """The floor of one document."""
        found = self.lib.tn_trust_floor(FLOORS[type_], name.encode())
        return found.contents if found else None


class Twin:
    """A trusted set in Python and one in C: everything is done to both, and both must say and know the same."""

    def __init__(self, core: Core) -> None:
        self.c = Trust(core)
        self.core = core
        self.names: set[tuple[str, str]] = set()
        self._python: TrustedSet | None = None

    @property
    def python(self) -> TrustedSet:
        """The trusted set of ``keys``."""
        assert self._python is not None
        return self._python

    def enrol(self, root_1: bytes, pinned: bytes | None = None) -> Reason:
        """Begin to trust a fleet."""

        def begin() -> None:
            self._python = TrustedSet.enrol(root_1, None, pinned=pinned, algorithms=UNDECLARED)

        return self._same(verdict(begin), self.c.enrol(root_1, pinned))

    def update(self, document: bytes) -> Reason:
        """Take the next root."""
        return self._same(verdict(lambda: self.python.update_root(document, None)), self.c.update(document))

    def accept(self, data: bytes, cls: type[Body], name: str, **asked: Any) -> Reason:
        """Accept a document under a name."""
        own = asked.pop("own", None)

        def take() -> Genuine[Any]:
            return self.python.accept(data, cls, name=name, **asked)

        self.names.add((cls.TYPE, name))
        said = self.c.accept(data, self.c.expected(cls, own=own, **asked), name)
        return self._same(verdict(take), said)

    def _same(self, python: Reason, c: Reason) -> Reason:
        assert c is python
        if self._python is not None:
            self.compare()
        return c

    def compare(self) -> None:
        """Hold what both know against each other."""
        python, c = self.python, self.c
        assert bytes(c.stored.fleet) == python.fleet
        assert c.root.version == python.root.version
        for type_, name in self.names:
            self._compare_floor(python.floor(type_, name), c.floor(type_, name), python.root)
        kept = [floor for floor in c.stored.floors if floor.type]
        assert len(kept) == len(python._floors)
        assert c.lib.tn_trust_time_floor(True) == python.time(None)
        assert c.lib.tn_trust_time_floor(False) == python.time(None, "notice")

    @staticmethod
    def _compare_floor(mine: Floor | None, its: CFloor | None, root: Root) -> None:
        assert (mine is None) == (its is None)
        if mine is None or its is None:
            return
        assert (its.version, its.issued, bytes(its.digest)) == (mine.version, mine.issued, mine.digest)
        assert (its.until if its.until != 2**64 - 1 else None) == mine.until
        kids = {entry.key.thumbprint for n, entry in enumerate(root.keys) if its.kids >> n & 1}
        assert kids == {kid for kid in mine.kids if kid in root.by_kid}
