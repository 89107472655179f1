"""A run on another machine: the task that the machine receives, and the result that it returns.

The launchers ray and slurm carry a Task there and its Result back. A worker's folder is laid out as the
repository: conf, data, .checkpoints, results.
"""

import os
import platform
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from elu_replication import atomic
from elu_replication.config.options import CONF
from elu_replication.config.schema import dataset_facts
from elu_replication.errors import UserError, brief
from elu_replication.runs import probe_rows, store
from elu_replication.runs.code_version import code_version
from elu_replication.training.job import Event, Job

if TYPE_CHECKING:
    from elu_replication.training.worker import Worker

EPOCH_SECONDS = 2.0  # between two reports of a worker, since short epochs would flood the network


class Task(NamedTuple):
    """A job with everything that a machine needs beside this package."""

    job: Job
    conf: dict[str, str]  # by path: conf/, which says what a protocol and a data set may be, and the plan
    versions: dict[str, str]  # as versions() gives them on the driver
    folder: str  # the worker's working folder
    again: bool  # train it even if the worker's folder has it


class Result(NamedTuple):
    """The fields of an Event, and the contents of the run's files by name."""

    kind: Literal["finished", "diverged", "failed"]
    epoch: int = 0
    detail: str = ""
    files: dict[str, bytes] = {}  # noqa: RUF012 - never changed


@cache  # a campaign may have thousands of tasks
def versions(training_code: str) -> dict[str, str]:
    """The versions in this environment on which a run's numbers and probes depend."""
    here = {"Python": ".".join(platform.python_version_tuple()[:2]), "training code": training_code}
    for name in ("keras", "numpy", "tensorflow", "tensorflow-cpu"):
        with suppress(metadata.PackageNotFoundError):
            here[name.removesuffix("-cpu")] = metadata.version(name)
    return here | {"probes": str(probe_rows.VERSION)}


def task(job: Job, folder: str) -> Task:
    """The task of a job for a worker with the working folder `folder`."""
    again = store.why_not_current(job.arm, job.seed) is None  # pending although stored here
    return Task(job, configuration(), versions(code_version(job.arm.protocol)), folder, again)


@cache
def configuration() -> dict[str, str]:
    """The files of conf/ and the plan, by path."""
    plan = [store.PLAN] if store.PLAN.is_file() else []
    return {str(path): path.read_text() for path in [*CONF.rglob("*.yaml"), *plan]}


def run(task: Task, on_epoch: Callable[[int], None]) -> Result:
    """Run a task on this machine. An error becomes a Result too, since a launcher carries no exceptions.
    `on_epoch` is called with an epoch at most once in EPOCH_SECONDS."""
    try:
        return _run(task, on_epoch)
    except (UserError, OSError) as error:
        return Result("failed", detail=f"on {socket.gethostname()}: {brief(error)}")


def _run(task: Task, on_epoch: Callable[[int], None]) -> Result:
    from elu_replication.datasets import fetch

    arm, seed, _ = task.job
    here = versions(code_version(arm.protocol))
    if unlike := [f"{k} {here.get(k)}, not {v}" for k, v in task.versions.items() if here.get(k) != v]:
        raise UserError(f"{'; '.join(unlike)}: install there what the driver has")
    folder = Path(task.folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    for path, text in task.conf.items():
        atomic.write_text(Path(path), text)
    last_report = time.monotonic()

    def report(epoch: int) -> None:
        nonlocal last_report
        if time.monotonic() - last_report >= EPOCH_SECONDS:
            on_epoch(epoch)
            last_report = time.monotonic()

    # A stored run was finished for a driver that stopped before it received the result.
    if task.again or store.why_not_current(arm, seed):
        fetch.ensure(dataset_facts(arm.protocol.dataset.name))
        _worker().train(task.job, lambda progress: report(progress.epoch))
    record = store.load(arm, seed)
    assert record is not None
    files = {path.name: path.read_bytes() for path in store.run_folder(arm, seed).iterdir()}
    return Result(record.status, record.final.epoch, files=files)


@cache
def _worker() -> "Worker":
    """This process's worker: the seeds of an arm share its trainer."""
    from elu_replication.training.worker import Worker  # imports TensorFlow

    return Worker()


def received(job: Job, result: Result) -> Event:
    """Store a task's result in this repository and return the event that ends its job."""
    if result.files:
        atomic.write_folder(store.run_folder(job.arm, job.seed), result.files)
    return Event(job, result.kind, result.epoch, result.detail)
