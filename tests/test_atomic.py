"""Writing is all or nothing."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from elu_replication import atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failing_write_names_the_file_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    atomic.write_text(tmp_path / "kept", "before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*kept"):
        atomic.write_text(tmp_path / "kept", "after")
    assert names(tmp_path) == ["kept"]
    assert (tmp_path / "kept").read_text() == "before"


def test_a_folder_is_replaced_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    atomic.write_folder(folder, {"history": b"before", "probes": b"before"})
    with pytest.raises(OSError, match="name too long"):
        atomic.write_folder(folder, {"history": b"after", "x" * 300: b"after"})
    assert names(tmp_path) == ["run"]
    assert names(folder) == ["history", "probes"]
    assert (folder / "history").read_text() == "before"
    atomic.write_folder(folder, {"history": b"after"})
    assert names(tmp_path) == ["run"]
    assert names(folder) == ["history"]


def test_the_umask_says_who_can_read_a_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        atomic.write_text(tmp_path / "file", "")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_the_next_write_removes_what_a_killed_process_left(tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    left = {process: f".file.{socket.gethostname()}.{process}" for process in (killed.pid, os.getppid())}
    for name in left.values():
        (tmp_path / name).write_text("half of")
    atomic.write_text(tmp_path / "file", "whole")
    assert names(tmp_path) == sorted([left[os.getppid()], "file"])


def test_a_folder_that_processes_replace_at_once_is_that_of_one(tmp_path: Path) -> None:
    code = """if True:
        import sys
        from pathlib import Path
        from elu_replication import atomic
        sys.stdin.readline()
        for _ in range(200):
            atomic.write_folder(Path("run"), {name: sys.argv[1].encode() for name in ("history", "record")})
        """
    writers = [
        subprocess.Popen([sys.executable, "-c", code, name], cwd=tmp_path, stdin=subprocess.PIPE)
        for name in "abc"
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"\n")
        writer.stdin.flush()
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    for writer in writers:
        writer.communicate()
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == ["history", "record"]
    assert len({path.read_text() for path in (tmp_path / "run").iterdir()}) == 1


def test_an_interrupt_leaves_a_folder_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "figures"
    atomic.write_folder(folder, {"old.png": b"old"})

    def draw(interrupted: bool) -> None:
        with atomic.replaced_folder(folder) as part:
            (part / "new.png").write_text("new")
            if interrupted:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw(interrupted=True)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["old.png"]
    draw(interrupted=False)
    assert [path.name for path in tmp_path.rglob("*.*")] == ["new.png"]


def test_what_has_this_process_s_number_was_left_by_a_former_one(tmp_path: Path) -> None:
    stray = tmp_path / f".folder.{socket.gethostname()}.{os.getpid()}"
    stray.mkdir()
    (stray / "half").touch()
    atomic.write_folder(tmp_path / "folder", {"whole": b""})
    assert names(tmp_path) == ["folder"]
    assert names(tmp_path / "folder") == ["whole"]


@pytest.mark.parametrize("new", [True, False])
def test_a_sweep_completes_a_folder_between_its_two_renames(tmp_path: Path, new: bool) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    part = tmp_path / f".run.{socket.gethostname()}.{killed.pid}"
    for folder in (part,) * new + (part.with_name(f"{part.name}.former"),):
        folder.mkdir()
        (folder / folder.name.rpartition(".")[2]).touch()
    atomic.sweep(atomic.hidden(tmp_path))
    assert names(tmp_path) == ["run"]
    assert names(tmp_path / "run") == [str(killed.pid) if new else "former"]


def test_a_link_to_a_folder_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    atomic.write_folder(tmp_path / "target", {"file": b"kept"})
    (tmp_path / "link").symlink_to("target")
    atomic.write_folder(tmp_path / "link", {"file": b"new"})
    assert (tmp_path / "target/file").read_text() == "kept"
    assert (tmp_path / "link/file").read_text() == "new"
    assert names(tmp_path) == ["link", "target"]
