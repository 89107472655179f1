"""Jobs in processes of this machine, one thread each; the launcher by default."""

import multiprocessing
import os
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait

from elu_replication.config.schema import Launcher
from elu_replication.errors import UserError, brief
from elu_replication.training import cost
from elu_replication.training.job import Event, Job

# Jobs of a process before a new one replaces it: TensorFlow keeps about 3 MB of every past trainer
# (worker.forget_graphs frees the rest, its images), but takes seconds to import.
MOST_JOBS = 20


@dataclass
class _Process:
    process: multiprocessing.process.BaseProcess
    connection: Connection
    log: "tempfile._TemporaryFileWrapper[bytes]"
    job: Job | None = None
    jobs: int = 0


def launch(jobs: Sequence[Job], launcher: Launcher) -> Iterator[Event]:
    """Run jobs in `launcher.processes` workers, or one per core, yielding their events as they come.

    A worker that dies (by a signal, or out of memory) fails its own job only, and a new one replaces it.
    The workers end when this generator does.
    """
    processes = launcher.processes or cost.cores()
    waiting = list(reversed(jobs))
    workers: dict[Connection, _Process] = {}
    try:
        while waiting or workers:
            while waiting and len(workers) < processes:
                worker = _start()
                workers[worker.connection] = worker
                _give(worker, waiting)
            for ready in wait(list(workers)):
                worker = workers[ready]  # type: ignore[index]
                job = worker.job
                assert job is not None
                try:
                    event = Event(job, *worker.connection.recv())
                except (EOFError, ConnectionResetError):
                    worker.process.join()
                    del workers[worker.connection]
                    yield Event(job, "failed", detail=_cause_of_death(worker))
                    continue
                yield event
                if event.kind == "epoch":
                    continue
                if waiting and worker.jobs < MOST_JOBS:
                    _give(worker, waiting)
                else:
                    del workers[worker.connection]
                    with suppress(BrokenPipeError):
                        worker.connection.send(None)
                    worker.process.join()
    finally:
        for worker in workers.values():
            worker.process.terminate()


def _start() -> _Process:
    context = multiprocessing.get_context("spawn")  # TensorFlow's threads do not survive a fork
    ours, theirs = context.Pipe()
    log = tempfile.NamedTemporaryFile()  # noqa: SIM115 - it lives as long as its process
    process = context.Process(target=_work, args=(theirs, log.name), daemon=True)
    process.start()
    theirs.close()
    return _Process(process, ours, log)


def _give(worker: _Process, waiting: list[Job]) -> None:
    worker.job = waiting.pop()
    worker.jobs += 1
    with suppress(BrokenPipeError):  # it died, which the next recv() reports
        worker.connection.send(worker.job)


def _cause_of_death(worker: _Process) -> str:
    code = worker.process.exitcode or 0
    worker.log.seek(0)
    lines = worker.log.read().decode(errors="replace").strip().splitlines()
    cause = signal.Signals(-code).name if code < 0 else f"exit {code}"
    hint = "; out of memory?" if code == -signal.SIGKILL else ""
    return f"its process died ({cause}{hint})" + (f": {lines[-1]}" if lines and not hint else "")


def _work(connection: Connection, log: str) -> None:
    """A worker process: receives jobs and sends events until it receives None or the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Ctrl-C the parent ends its workers
    with open(log, "wb") as file:  # TensorFlow's messages, which are read only if the process dies
        os.dup2(file.fileno(), sys.stderr.fileno())
    from elu_replication.training.worker import Worker  # imports TensorFlow: here only

    worker = Worker()
    while (job := connection.recv()) is not None:
        try:
            if job.audited_epochs:
                connection.send(("audited", job.audited_epochs, "", tuple(worker.first_epochs(job))))
                continue
            record = worker.train(job, lambda progress: connection.send(("epoch", progress.epoch)))
        except (UserError, OSError) as error:
            connection.send(("failed", 0, brief(error)))
        else:
            connection.send((record.status, record.final.epoch))
