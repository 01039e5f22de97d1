"""Writing files so that nothing is lost and nothing is left behind, whatever kills the program."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import stat
from collections.abc import Iterator
from typing import IO

from .errors import FileError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str], who: str, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """A file to write, which appears under its name when all of it is on the disk; a failure leaves what was there.

    What a link points to is written. A device or a pipe is written to. What is not `durable` may be lost in a power cut. Raises
    FileError, which begins with `who`.

    >>> from frazil.files import replacing
    >>> with replacing("a.txt", "example") as file:
    ...     file.write(b"ice")
    3
    """
    target = os.path.realpath(os.fspath(path))
    with explained(path, who):
        if is_stream(target):
            with open(target, "wb", buffering=0) as stream:
                yield stream
            return
        with beside(target) as folder:
            new = os.path.join(folder, os.path.basename(target))
            with open(new, "xb") as file:
                yield file
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            put(new, target)


@contextlib.contextmanager
def explained(path: str | os.PathLike[str], who: str) -> Iterator[None]:
    """Turns what the system says about a file to write into a FileError."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileError):
            raise
        refused = FileError(f"{who}: {os.fspath(path)!r} was not written: {error.strerror or error}{_cure(path, error)}")
        refused.errno = error.errno
        raise refused from error


def _cure(path: str | os.PathLike[str], error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return "; name a file in it"
    if isinstance(error, (FileNotFoundError, NotADirectoryError)):
        return f"; there is no folder {os.path.dirname(os.path.abspath(path))!r}"
    if isinstance(error, PermissionError):
        return "; choose a folder in which you may write"
    return ". What was there before is as it was" if os.path.exists(path) else ""


def is_stream(target: str | os.PathLike[str]) -> bool:
    """Return whether it is a device, a pipe or a socket; IsADirectoryError for a folder.

    >>> from frazil.files import is_stream
    >>> is_stream("not there")
    False
    """
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(0, "it is a folder")
    return not stat.S_ISREG(mode)


@contextlib.contextmanager
def beside(target: str | os.PathLike[str]) -> Iterator[str]:
    """A folder on the same disk as `target`, for what shall become it; it is gone afterwards.

    One that a killed program left is removed by the next that writes the same file: its lock is free then.

    >>> from frazil.files import beside
    >>> with beside("a.txt") as folder:
    ...     pass
    """
    parent, name = os.path.split(os.path.abspath(target))
    for left in glob.glob(os.path.join(glob.escape(parent), f".{glob.escape(name[:200])}.*.tmp")):
        _remove_if_left(left)
    folder, lock = _locked(os.path.join(parent, f".{name[:200]}"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _locked(begin: str) -> tuple[str, int | None]:
    """A new folder, and the open lock on it."""
    while True:
        folder = f"{begin}.{os.urandom(6).hex()}.tmp"
        os.mkdir(folder, 0o700)
        if fcntl is None:
            return folder, None
        try:
            lock = os.open(folder, os.O_RDONLY)
            fcntl.flock(lock, fcntl.LOCK_EX)
        except FileNotFoundError:
            continue
        except OSError:  # a disk without locks
            return folder, None
        if os.path.isdir(folder):  # nobody took it for one that was left, before it was locked
            return folder, lock
        os.close(lock)


def _remove_if_left(folder: str) -> None:
    if fcntl is None:
        return
    with contextlib.suppress(OSError):
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def put(new: str | os.PathLike[str], target: str | os.PathLike[str]) -> None:
    """Let the file `new` take the place, and the permissions, of the file `target`.

    >>> import pathlib
    >>> from frazil.files import put
    >>> _ = pathlib.Path("new.txt").write_text("ice")
    >>> put("new.txt", "old.txt")
    """
    target = os.path.realpath(target)
    if os.path.exists(target):
        shutil.copymode(target, new)
    os.replace(new, target)
