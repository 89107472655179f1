"""Files and folders that are either whole or not there."""

import glob
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside `path`, flush to disk, then rename over it. Raises OSError, naming `path` and leaving
    what was there."""
    part = _part(path)
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):  # a full disk does not say which file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    _sync(path.parent)


def write_text(path: Path, content: str) -> None:
    """As write_bytes, in UTF-8."""
    write_bytes(path, content.encode())


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by name into a folder beside, then rename it to `folder`, whose former content is gone
    then. Raises OSError, leaving what was there."""
    with replaced_folder(folder) as part:
        for name, content in files.items():
            write_bytes(part / name, content)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` and its content at the end. An error or an interrupt
    leaves what was there."""
    part = _part(folder)
    part.mkdir()
    former = part / ".former"
    try:
        yield part
        if folder.exists():
            folder.replace(former)
        part.replace(folder)
    except BaseException:
        if former.exists() and not folder.exists():
            former.replace(folder)
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(folder / former.name, ignore_errors=True)
    _sync(folder.parent)


def _part(path: Path) -> Path:
    """The temporary place of this process for `path`. Those of processes that were killed are removed; of
    another machine that shares the folder, it is not known whether a process is alive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{path.name}.{socket.gethostname()}."
    for stray in path.parent.glob(f"{glob.escape(prefix)}*"):
        if not alive(int(stray.name.removeprefix(prefix))):
            shutil.rmtree(stray) if stray.is_dir() else stray.unlink(missing_ok=True)
    return path.with_name(f"{prefix}{os.getpid()}")


def alive(process: int) -> bool:
    """Whether a process of this number is there."""
    try:
        os.kill(process, 0)  # signal 0 is not sent, only checked
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def _sync(folder: Path) -> None:
    """Flush a folder's entries: without it, a power cut may undo a rename."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
