"""Commands in processes that are forked from one which has imported them. Each begins with nothing read
yet, and none waits for imports."""

import gc
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

PACKAGE = "elu_replication"
IMPORTED = ("commands.claim", "commands.freeze", "commands.replicate", "commands.sweep", "training.train")


class Done(NamedTuple):
    """What a command left: its exit code, what it printed, and the modules that it had imported."""

    code: int
    out: str
    err: str
    modules: frozenset[str]


class Server:
    """The process that forks."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def run(self, folder: Path, front: str, *arguments: str) -> Done:
        """Run the main function of the module `front` of the package in a folder; or, as "module:function",
        a function of names and paths."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        log = folder.with_name(f"{folder.name}.log")
        log.mkdir(exist_ok=True)
        print(json.dumps([f"{folder}", f"{log}", front, *arguments]), file=self.process.stdin, flush=True)
        code = int(self.process.stdout.readline())
        out, err, modules = ((log / name).read_text() for name in ("out", "err", "modules"))
        return Done(code, out, err, frozenset(modules.split()))


@contextmanager
def server() -> Iterator[Server]:
    """A server that looks for programs in the folder bin of a command's working directory first."""
    environment = {**os.environ, "PATH": f"bin{os.pathsep}{os.environ['PATH']}"}
    with subprocess.Popen(
        [sys.executable, __file__],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Server(process)
        process.communicate()


def serve() -> None:
    """Read what to run from stdin, a line of JSON each, and print the exit codes."""
    from elu_replication.config.compose import composed

    for name in IMPORTED:
        import_module(f"{PACKAGE}.{name}")
    composed()  # Hydra imports its plugins then
    forget()
    gc.freeze()  # so that no child goes through what the parent has
    for line in sys.stdin:
        folder, log, front, *arguments = json.loads(line)
        if process := os.fork():
            _, status = os.waitpid(process, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        signal.alarm(300)  # a command that is not refused may go on for hours
        os.chdir(folder)
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(Path(log, name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
        code = run(front, arguments)
        Path(log, "modules").write_text(" ".join(sys.modules))
        os._exit(code)  # without taking down what the parent has built


def forget() -> None:
    """Forget what the package has read."""
    for name in filter(lambda name: name.startswith(PACKAGE), [*sys.modules]):
        for value in vars(sys.modules[name]).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def run(front: str, arguments: list[str]) -> int:
    """Run a front, and print and return what Python would for its end."""
    from elu_replication.errors import run_main

    module, _, function = front.partition(":")
    sys.argv = [module, *arguments]
    called = getattr(import_module(f"{PACKAGE}.{module}"), function or "main")
    try:
        run_main(partial(called, *[Path(a) if "/" in a else a for a in arguments]) if function else called)
    except SystemExit as end:
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
        return int(isinstance(end.code, str)) or end.code or 0
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


if __name__ == "__main__":
    serve()
