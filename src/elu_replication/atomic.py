"""Files and folders that are either whole or not there, whatever stops the process that writes them."""

import errno
import os
import re
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

FORMER = ".former"
TAKEN = (errno.ENOTEMPTY, errno.EEXIST)  # why a folder is not renamed to one that is there
# What a process of this machine writes before it is renamed, and what it has moved aside.
STRAY = re.compile(
    rf"\.(?P<name>.+)\.{re.escape(socket.gethostname())}\.(?P<process>\d+)({re.escape(FORMER)})?"
)


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside `path`, flush to disk, then rename over it. Raises OSError, naming `path` and leaving
    what was there."""
    part = _part(path)
    with _named(path, part):
        _prepare(path)
        try:
            _write(part, content)
            rename(part, path)
        except BaseException:
            _remove(part)
            raise


def write_text(path: Path, content: str) -> None:
    """As write_bytes, in UTF-8."""
    write_bytes(path, content.encode())


def write_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files by name into a folder beside, then rename it to `folder`, whose former content is gone
    then. Raises OSError, naming the file and leaving what was there."""
    with replaced_folder(folder) as part:
        for name, content in files.items():
            _make((part / name).parent)
            _write(part / name, content)


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """An empty folder that takes the place of `folder` and its content at the end. An error or an interrupt
    leaves what was there. Of several processes that replace it at once, the last one's folder stays."""
    with temporary_folder(folder) as part:
        yield part
        for within, *_ in os.walk(part):
            _sync(Path(within))
        while not _put(part, folder):
            pass


@contextmanager
def temporary_folder(path: Path) -> Iterator[Path]:
    """An empty folder beside `path` that is removed at the end."""
    part = _part(path)
    with _named(path, part):
        _prepare(path)
        try:
            part.mkdir()
            yield part
        finally:
            _remove(part)
            _settle(part, path)


def rename(old: Path, new: Path) -> None:
    """Rename over what was there, and flush that: without it, a power cut may undo the rename."""
    old.replace(new)
    _sync(new.parent)


def sweep(paths: Iterable[Path], own: bool = False) -> None:
    """Remove those of `paths` that killed processes left while they wrote. Of another machine that shares
    the folder, it is not known whether a process is alive. With `own`, what has this process's
    number goes, too: a former process had it, as in a restarted container."""
    for path in paths:
        stray = STRAY.fullmatch(path.name)
        if stray and (own if int(stray["process"]) == os.getpid() else not alive(int(stray["process"]))):
            _settle(path.with_name(path.name.removesuffix(FORMER)), path.with_name(stray["name"]))


def hidden(folder: Path) -> Iterator[Path]:
    """All that is in a folder, at any depth, and has a name that begins with a dot."""
    for within, folders, files in os.walk(folder):
        yield from (Path(within, name) for name in (*folders, *files) if name.startswith("."))


def alive(process: int) -> bool:
    """Whether a process of this number is there."""
    try:
        os.kill(process, 0)  # signal 0 is not sent, only checked
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        pass
    return True


def _part(path: Path) -> Path:
    """The temporary place of this process for `path`."""
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}")


def _former(part: Path) -> Path:
    """Where the folder is that `part` takes the place of, between two renames."""
    return part.with_name(part.name + FORMER)


def _put(part: Path, folder: Path) -> bool:
    """Rename `part` to `folder`, whose former content is moved aside; False where another process put a
    folder of its own there in between."""
    _remove(_former(part))
    with suppress(FileNotFoundError):
        folder.replace(_former(part))
    try:
        rename(part, folder)
    except OSError as error:
        if error.errno not in TAKEN:
            raise
        return False
    _remove(_former(part))
    return True


def _settle(part: Path, path: Path) -> None:
    """Let `path` be whole where a process stopped between its two renames, and remove what it left."""
    if _former(part).exists() and not path.exists():
        try:
            rename(part if part.exists() else _former(part), path)
        except OSError as error:  # another process sweeps, too, or puts a folder of its own there
            if error.errno not in (errno.ENOENT, *TAKEN):
                raise
    _remove(part)
    _remove(_former(part))


def _prepare(path: Path) -> None:
    """Make the folder of `path`, and remove what killed processes left of `path` there."""
    _make(path.parent)
    sweep([other for other in path.parent.iterdir() if other.name.startswith(f".{path.name}.")], own=True)


def _make(folder: Path) -> None:
    """Make a folder with its parents, each flushed."""
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)


def _write(path: Path, content: bytes) -> None:
    with _named(path, path), path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _remove(path: Path) -> None:
    """Remove a file, link or folder that may be gone, since two processes may sweep at once."""
    try:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:  # of a file in a folder, it has the name alone
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync(folder: Path) -> None:
    """Flush a folder's entries."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named(path: Path, part: Path) -> Iterator[None]:
    """Let an OSError name `path` or what is in it, where it names its temporary `part` or, as of a full
    disk, nothing."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        name = Path(str(error.filename or path))
        if name.is_relative_to(part):
            name = path / name.relative_to(part)
        raise OSError(error.errno, error.strerror, str(name)) from error
