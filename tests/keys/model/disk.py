"""A disk that loses power: any file operation may be the last, and what was not synced may be gone.

Files and folders are real; :class:`Disk` stands between the code and the operating system while one
write is made, counts its steps, and ends it before, in the middle of, or after any of them.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self
from unittest import mock


class PowerCutError(BaseException):
    """The power failed. No handler of errors may see it, as no code runs without power."""


class _File:
    """An open file whose last write may be cut short."""

    def __init__(self, disk: Disk, file: IO[bytes]) -> None:
        self._disk = disk
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, data: bytes) -> None:
        self._disk.unsynced = True
        if self._disk.steps == self._disk.cut:
            self._file.write(data[: len(data) * self._disk.torn // 4])
        self._disk.step()
        self._file.write(data)


class Disk:
    """One write of a file, and where it ends.

    Args:
        cut: after how many steps the power fails; None: never.
        torn: how many quarters of unsynced bytes reach the platter.
        lost: a renaming that was not synced is undone.
    """

    def __init__(self, cut: int | None, *, torn: int = 0, lost: bool = False) -> None:
        self.cut = cut
        self.torn = torn
        self.lost = lost
        self.steps = 0
        self.unsynced = False
        self.draft: Path | None = None
        self.renamed: tuple[Path, bytes] | None = None

    def step(self) -> None:
        """Do one more step, or fail before it."""
        if self.steps == self.cut:
            raise PowerCutError
        self.steps += 1

    @contextmanager
    def on(self) -> Iterator[None]:
        """Stand between the code and the disk; leave on the disk what a power cut would."""
        real = {name: getattr(os, name) for name in ("open", "truncate", "fdopen", "fsync", "replace")}

        def open_(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
            self.step()
            if flags & (os.O_WRONLY | os.O_RDWR):
                self.draft = Path(path)
            return int(real["open"](path, flags, *args, **kwargs))

        def truncate(*args: Any) -> None:
            self.step()
            real["truncate"](*args)

        def fdopen(handle: int, *args: Any, **kwargs: Any) -> _File:
            return _File(self, real["fdopen"](handle, *args, **kwargs))

        def fsync(
            handle: int,
        ) -> None:  # the state on the platter is simulated: no need to wait for the real one
            self.step()
            if stat.S_ISDIR(os.fstat(handle).st_mode):
                self.renamed = None
            else:
                self.unsynced = False

        def replace(source: Any, target: Any, **kwargs: Any) -> None:
            self.step()
            old = Path(target).read_bytes()
            real["replace"](source, target, **kwargs)
            self.renamed, self.draft = (Path(target), old), Path(target)

        fakes = {"open": open_, "truncate": truncate, "fdopen": fdopen, "fsync": fsync, "replace": replace}
        with mock.patch.multiple(os, **fakes):
            try:
                yield
            except PowerCutError:
                with mock.patch.multiple(os, **real):
                    self._settle()
                raise
        assert not self.unsynced, "a save returned before its bytes were on the disk"
        assert self.renamed is None, "a save returned before its name was on the disk"

    def _settle(self) -> None:
        if self.unsynced and self.draft is not None and self.draft.exists():
            data = self.draft.read_bytes()
            self.draft.write_bytes(data[: len(data) * self.torn // 4])
        if self.lost and self.renamed is not None:
            target, old = self.renamed
            target.write_bytes(old)
