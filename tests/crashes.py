"""Commands in forks of this process, whose system calls strace records or lets fail.

A fork has imported already what the command needs: importing TensorFlow again for each crash would take an
hour. For the same reason processes that the command spawns are forks, too.
"""

import ctypes
import json
import multiprocessing
import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

FAULTS = {"killed": "signal=SIGKILL", "disk full": "error=ENOSPC", "disk broken": "error=EIO"}
TRACE = ["strace", "-y", "-e", "trace=/^(openat|fsync|rename.*|unlink.*|rmdir|mkdir.*)$"]
OTHERS = {"__pycache__", ".dvc", ".git", ".bin"}  # of Python, DVC, git and these tests
VARYING = {"wall_seconds", "probe_seconds", "checksum"}
PR_SET_PTRACER, ANY_PROCESS = 0x59616D61, ctypes.c_ulong(-1)


class Call(NamedTuple):
    """A system call that changes a file of ours: its name, its turn among those of this name in its
    process, and the file, without the numbers of processes and seeds."""

    name: str
    turn: int
    path: str


class Ended(NamedTuple):
    """A command's exit code, what it wrote to standard error, and the calls of the traced process."""

    code: int
    errors: str
    calls: list[Call]


class Subject(NamedTuple):
    """A command, the folder that it begins with, and what is in it at the end; the processes to disturb."""

    command: tuple[str, ...]
    start: Path
    end: dict[str, bytes]
    processes: tuple[str, ...]
    kept: str  # a pattern of the files that are not written again once they are as at the end


def can_trace() -> bool:
    """Whether strace is installed and may trace processes here."""
    return bool(shutil.which("strace")) and not subprocess.call([*TRACE, "-o", os.devnull, "true"])


def run(command: Sequence[str], folder: Path, process: str = "", fault: str = "") -> Ended:
    """Run `python -m command` in a folder. What strace traces, and disturbs by a `fault`, is the `process`
    "main", its first "worker", or as a "stage" what a shell calls python; nothing where it is empty."""
    log, errors = folder.with_suffix(".log"), folder.with_suffix(".errors")
    log.write_text("")
    options = [*TRACE, *(["-e", f"inject={fault}"] if fault else []), "-o", str(log)]
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        os.close(go[1])
        with errors.open("wb") as file:
            os.dup2(file.fileno(), sys.stderr.fileno())
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

        def wait() -> None:
            ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANY_PROCESS)
            os.write(ready[1], str(os.getpid()).encode())
            os.close(ready[1])
            os.read(go[0], 1)

        try:
            os._exit(_code_of(command, folder, process, options, wait))
        finally:
            os._exit(70)
    os.close(ready[1])
    os.close(go[0])
    tracer = None
    if traced := os.read(ready[0], 20).decode():
        tracer = subprocess.Popen([*options, "-p", traced], stderr=subprocess.PIPE, text=True)
        assert tracer.stderr is not None
        assert "attached" in tracer.stderr.readline()
    os.close(go[1])
    _, status = os.waitpid(child, 0)
    os.close(ready[0])
    if tracer:
        tracer.communicate()
    return Ended(os.waitstatus_to_exitcode(status), errors.read_text(), _calls(log.read_text(), folder))


def _code_of(
    command: Sequence[str], folder: Path, process: str, options: Sequence[str], wait: Callable[[], None]
) -> int:
    """The exit code of a command, which calls `wait` in the process that is to be traced."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    sys.argv = [*command]
    multiprocessing.context._concrete_contexts["spawn"] = multiprocessing.get_context("fork")
    python = folder / ".bin/python"
    python.parent.mkdir(exist_ok=True)
    tracing = shlex.join(options) if process == "stage" else ""
    python.write_text(f'#!/bin/sh\nexec {tracing} {sys.executable} "$@"\n')
    python.chmod(0o755)
    os.environ["PATH"] = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
    if process == "worker":
        os.register_at_fork(after_in_child=wait)
    elif process == "main":
        wait()
    # What the fork has imported runs once more, as what Python calls __main__.
    warnings.filterwarnings("ignore", category=RuntimeWarning, module="runpy")
    code: object = 0
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code if isinstance(code, int) else int(code is not None)


def _calls(log: str, folder: Path) -> list[Call]:
    """The calls in a log of strace that write, rename or remove files in a folder."""
    calls, turns = [], Counter[str]()
    for name, text in re.findall(r"^(\w+)\((.*)", log, re.MULTILINE):
        turns[name] += 1
        arguments = text.rpartition(" = ")[0] or text
        quoted, opened = re.findall(r'"([^"]*)"', arguments), re.findall(r"<([^>]*)>", arguments)
        path = os.path.relpath(os.path.join(folder, *opened[:1], *quoted[-1:]), folder)
        changes = name != "openat" or "O_WRONLY" in arguments or "O_RDWR" in arguments
        if changes and not path.startswith("..") and not OTHERS & {*Path(path).parts}:
            calls.append(Call(name, turns[name], in_general(path)))
    return calls


def in_general(path: str) -> str:
    """A path without what differs from run to run: numbers of processes and seeds, digests."""
    path = re.sub(rf"\.{re.escape(socket.gethostname())}\.\d+", ".*", path)
    return re.sub(r"seed-\d+", "seed-*", re.sub(r"[0-9a-f]{32}", "*", path))


def contents(folder: Path) -> dict[str, bytes]:
    """What a folder holds, by path, without what differs from run to run: seconds in records, and
    checkpoints, since one that outlives its run is not read again."""
    files = {}
    for within, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in OTHERS]
        for path in (Path(within, name) for name in (*folders, *names)):
            content = path.read_bytes() if path.is_file() else b""
            if path.name == "record.json":
                record = json.loads(content)
                content = str([(key, record[key]) for key in record if key not in VARYING]).encode()
            if not re.fullmatch(r"[0-9a-f]{32}\.npz", path.name):
                files[str(path.relative_to(folder))] = content
    return files


def unflushed(calls: Sequence[Call]) -> set[str]:
    """What a power cut could undo: what is renamed while it, or a file in it, is not flushed, and what gets
    its place in a folder that is not flushed then."""
    undone = set()
    for turn, call in enumerate(calls):
        if call.name.startswith("rename") and not call.path.endswith(".former"):
            path = Path(call.path)
            part = path.with_name(f".{path.name}.*")
            before = [(other.name, Path(other.path)) for other in calls[:turn]]
            written = {file for name, file in before if name == "openat" and file.is_relative_to(part)}
            written |= {
                folder for file in written for folder in file.parents if folder.is_relative_to(part)
            }
            undone |= {str(file) for file in written if ("fsync", file) not in before}
            if str(path.parent) not in [other.path for other in calls[turn:] if other.name == "fsync"]:
                undone.add(call.path)
    return undone


def sites(subject: Subject, folder: Path) -> list[tuple[str, Call]]:
    """Each process and the last of its calls of one name on one file, in an undisturbed run."""
    last = {}
    for process in subject.processes:
        copy = shutil.copytree(subject.start, folder / process, symlinks=True)
        ended = run(subject.command, copy, process)
        assert ended.code == 0, ended.errors
        assert contents(copy) == subject.end
        assert unflushed(ended.calls) == set()
        last |= {(process, call.name, call.path): (process, call) for call in ended.calls}
    return [*last.values()]


def harm(subject: Subject, process: str, call: Call, fault: str, folder: Path) -> str:
    """What a fault at a call does that the same command again does not make good; empty where nothing."""
    shutil.copytree(subject.start, folder, symlinks=True)
    crashed = run(subject.command, folder, process, f"{call.name}:{FAULTS[fault]}:when={call.turn}")
    if call not in crashed.calls:
        return f"another call was disturbed: {crashed}"
    left = contents(folder)
    whole = [folder / path for path in left if left[path] == subject.end.get(path)]
    times = {path: path.stat().st_mtime_ns for path in whole if path.match(subject.kept)}
    harms = [] if crashed.code else ["it says nothing"]
    if fault != "killed":
        harms += misleading(crashed.errors, call, process)
    again = run(subject.command, folder)
    if again.code:
        harms.append(f"the same command fails: {again.errors}")
    after = contents(folder)
    harms += [f"{path} differs" for path in dict(after.items() ^ subject.end.items())]
    harms += [f"{path} is written again" for path, time in times.items() if path.stat().st_mtime_ns != time]
    shutil.rmtree(folder)
    return "; ".join(harms)


def misleading(errors: str, call: Call, process: str) -> list[str]:
    """What is wrong with a message: it is to be one line that names the file."""
    lines = [line for line in errors.splitlines() if process != "stage" or line.startswith("error: ")]
    if len(lines) != 1 or not lines[0].startswith("error: "):
        return [f"not one line: {errors}"]
    hidden = re.compile(r"\.([^/]+)\.\*(\.former)?")
    names = [Path(hidden.sub(r"\1", in_general(name))) for name in re.findall(r"\(([^()]+)\)", lines[0])]
    path = Path(hidden.sub(r"\1", call.path))
    named = any(name.is_relative_to(path) or path.is_relative_to(name) for name in names)
    return [] if named else [f"{path} is not named: {lines[0]}"]
