"""Files that are either whole or not there."""

import glob
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside `path`, flush to disk, then rename over it. Raises OSError, naming `path` and leaving
    what was there."""
    write_together({path: content})


def write_text(path: Path, content: str) -> None:
    """As write_bytes, in UTF-8."""
    write_bytes(path, content.encode())


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files, such as those of a run. All are flushed to disk before the first is renamed, so
    that a full disk changes none of them. They are renamed in the order given: put last the file without
    which the others do not count.

    Raises OSError, naming the file that could not be written.
    """
    parts = {path: _part(path) for path in contents}
    path = Path()
    try:
        for path, content in contents.items():
            _flush(parts[path], content)
        for path, part in parts.items():
            os.replace(part, path)
    except BaseException as error:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        if isinstance(error, OSError):  # a full disk does not say which file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    for folder in {path.parent for path in parts}:
        _sync(folder)


def _part(path: Path) -> Path:
    """The temporary file of this process for `path`. Those of processes that were killed are removed; of
    another machine that shares the folder, it is not known whether a process is alive."""
    prefix = f".{path.name}.{socket.gethostname()}."
    for stray in path.parent.glob(f"{glob.escape(prefix)}*"):
        if not _alive(int(stray.name.removeprefix(prefix))):
            stray.unlink(missing_ok=True)
    return path.with_name(f"{prefix}{os.getpid()}")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # signal 0 is not sent, only checked
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def _flush(part: Path, content: bytes) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    """Flush a folder's entries: without it, a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
